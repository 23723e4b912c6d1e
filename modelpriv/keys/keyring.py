"""A keyring: one primary key and any number of older ones, kept in memory and never shown."""

import os
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, final

from modelpriv._core import events, process
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterError
from modelpriv.keys import container, derivation, grant, keyring_file, registry, scoped, secret_text, usage
from modelpriv.keys.grant import Grant
from modelpriv.keys.providers import KeyProvider
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.ring import made
from modelpriv.keys.ring_keys import RingKeys, fill_ring, keys_of, narrow, new_key
from modelpriv.keys.scoped import ScopedKeyring
from modelpriv.keys.signing import SigningKey
from modelpriv.keys.uri import parse

__all__ = ["AnyKeyring", "Keyring", "build"]


@final
class Keyring(RingKeys):
    """One primary 256-bit key for what is written, and older keys for what was written before.

    You make a keyring with `generate`, `load`, `from_uri` or `from_secret`. It never changes: `rotate` and `retire`
    return a new one. All working keys are derived from it, one for each context (a column's name) and use.

    It protects its keys from being seen: they are not in its repr, nor in errors, nor in a pickle, which holds key ids
    only. Unpickled, it is the same keyring where that is alive in the process, else a `KeyReference`. Worker processes
    that this one started (joblib's loky, multiprocessing) receive the keys themselves over their pipe. It leaks how
    many keys it has and their ids. It does not protect the memory of the process: Python cannot wipe it, and anyone
    who can read it has the keys.

    Examples
    --------
    >>> from modelpriv.keys import Keyring
    >>> keys = Keyring.generate()
    >>> len(keys.working_key("siv-deterministic", context="email", length=64))
    64
    >>> newer = keys.rotate()
    >>> newer.key_ids[1] == keys.primary
    True
    >>> Keyring.from_secret(newer.export_secret()).key_ids == newer.key_ids
    True
    """

    __slots__ = ()

    def __init__(self) -> None:
        raise ParameterError(
            "a Keyring is made by Keyring.generate(), Keyring.load(path, passphrase=...), Keyring.from_uri(uri) or "
            "Keyring.from_secret(text)."
        )

    @classmethod
    def generate(cls) -> "Keyring":
        """Make a keyring with one new random key."""
        return made("generate", lambda: build([secrets.token_bytes(derivation.KEY_LENGTH)]))

    @classmethod
    def from_secret(cls, text: str, /) -> "Keyring":
        """Read the text that `export_secret` gave.

        Raises
        ------
        ParameterError
            The text is something else, cut, or mistyped; the message does not repeat it.
        """
        return made("from_secret", lambda: build(*secret_text.read(text)))

    @classmethod
    def from_uri(cls, uri: str, /) -> "Keyring":
        """Fetch the keyring that a keyring URI names.

        Parameters
        ----------
        uri : str
            ``"env:NAME"``, an environment variable with the text of `export_secret`; ``"keyring:SERVICE/USER"``, an
            entry of the system's keyring with that text; or ``"file:PATH"``, a file that `save` wrote. The file opens
            with a provider that you gave to `modelpriv.keys.set_providers`, or with the passphrase from
            ``MODELPRIV_PASSPHRASE`` or from the function that you gave to `modelpriv.keys.set_passphrase_callback`. A
            file that a live keyring came from is not opened again while its bytes are the same.

        Raises
        ------
        ParameterError
            The text is not a keyring URI, or holds a secret (a PIN, user info, a token). The message does not show it.
        KeyUnavailableError
            The keyring is missing, or does not open.
        """
        where = parse(uri)
        content = where.read()
        source = sha256(derivation.enc(where.uri, content)).digest()
        live: Keyring | None = registry.opened_from(source)
        if live is not None:
            return live
        with events.event("load", "Keyring", source=where.uri):
            try:
                if where.scheme == "file":
                    held = keyring_file.read(content, where.uri)
                else:
                    held = secret_text.read(content.decode(errors="replace"))
                keyring = build(*held, uri=where.uri, source=source)
            except ModelprivError as error:
                raise KeyUnavailableError(f"{where.uri} does not give a keyring: {error}") from None
            events.note_keys(*keyring.key_ids)
        return keyring

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        passphrase: str | bytes | None = None,
        provider: KeyProvider | None = None,
        expect: str | Iterable[str] = (),
    ) -> "Keyring":
        """Read a keyring file.

        Parameters
        ----------
        path : path-like
            A file that `save` wrote.
        passphrase : str or bytes, optional
            Its passphrase. By default ``MODELPRIV_PASSPHRASE``, or what the function returns that you gave to
            `modelpriv.keys.set_passphrase_callback`.
        provider : KeyProvider, optional
            What wraps it instead of a passphrase. By default one that you gave to `modelpriv.keys.set_providers`. A
            provider is never contacted only because the file names it.
        expect : str or iterable of str, optional
            Key ids that it must hold. The id of the newest key notices an older file that was put back.

        Raises
        ------
        KeyUnavailableError
            The passphrase is wrong or missing, the provider is not configured, cannot be reached or refuses, or others
            can read the file.
        SealedFileError
            The file is not a keyring file, or it was cut or altered, or a later version wrote it.
        OSError
            The file cannot be read.
        """
        with events.event("load", "Keyring", source=os.fsdecode(path)):
            content, name = container.read(path), os.fspath(path)
            held = keyring_file.read(content, name, passphrase=passphrase, provider=provider, expect=expect)
            keyring = build(*held)
            events.note_keys(*keyring.key_ids)
        return keyring

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        passphrase: str | bytes | None = None,
        wrap_with: KeyProvider | None = None,
    ) -> None:
        """Write the keyring to a file that only its owner can read, wrapped by a passphrase (Argon2id) or a provider.

        The file is replaced whole: after an interruption it is the old one or the new one.

        Parameters
        ----------
        path : path-like
            The file. An older state of this keyring is replaced. Another file is not, nor a keyring with a key that
            this one neither holds nor retired.
        passphrase : str or bytes, optional
            The passphrase. Without it, no one can open the file.
        wrap_with : KeyProvider, optional
            Instead of a passphrase, a provider of `modelpriv.keys.providers`: an HSM, Vault, OpenBao, AWS KMS.

        Raises
        ------
        ParameterError, ParameterTypeError
            There is neither a passphrase nor a provider, or both; the passphrase is empty, or not a str; the file is
            another keyring.
        KeyUnavailableError
            The provider cannot be reached, or refuses.
        OSError
            The file cannot be written.
        """
        provider = container.choose_provider(passphrase, wrap_with)
        keyring_file.check_replaced(path, {*self.key_ids, *self.retired})
        with self._event("save", to=os.fsdecode(path), source=provider.describe()):
            keyring_file.write(path, self._held(), self.key_ids, provider=provider)

    def export_secret(self) -> str:
        """Return the keys themselves as one line of text: the one way out.

        It starts with ``modelpriv_secret_keyring_``, for scanners to find. Anyone who has it has the keyring.
        """
        with self._event("export_secret"):
            return secret_text.write(*self._held())

    def rotate(self, *, distrust: bool = False) -> "Keyring":
        """Return a keyring with a new random primary key, followed by the keys of this one.

        Parameters
        ----------
        distrust : bool, default=False
            Whether the keys of this one leaked, so that they open tokens and no models; see `distrust`.
        """
        fresh = new_key(self)
        distrusted = frozenset(self.key_ids) if distrust else self.distrusted
        with self._event("rotate", new=derivation.key_id(fresh).hex(), distrusted=sorted(distrusted)):
            return build([fresh, *self._keys.values()], distrusted, self.retired)

    def distrust(self, key_id: str, /) -> "Keyring":
        """Return a keyring that does not trust one of the older keys any more, because others have it.

        It still opens the tokens that were written under the key, so that you can `rewrap` them. It opens no sealed
        model by it: anyone who has the key can write one, and unpickling it would run their code. Files that you know
        to be yours you write again with `modelpriv.rekey`, opened by the keyring as it was. `save` keeps the mark.

        Parameters
        ----------
        key_id : str
            The key.

        Raises
        ------
        ParameterError
            The key is the primary one: ``rotate(distrust=True)`` makes a new one and distrusts the others.
        KeyUnavailableError
            The keyring does not hold it.
        """
        self._secret(key_id)
        if key_id == self.primary:
            raise ParameterError(f"key id {key_id} is the primary key: call rotate(distrust=True) instead.")
        with self._event("distrust", distrusted=[key_id]):
            return build(list(self._keys.values()), self.distrusted | {key_id}, self.retired)

    def retire(self, key_id: str, /, *, check: Iterable[object] = (), ignore: Iterable[str] = ()) -> "Keyring":
        """Return a keyring without one of the older keys. What was written under that key can then not be read.

        Parameters
        ----------
        key_id : str
            The key.
        check : iterable, optional
            What might still need it: tables, fitted objects, paths of files and folders; see `modelpriv.key_usage`. If
            one of them needs the key, or cannot be read, it is not retired. What is overlooked is lost.
        ignore : iterable of str, optional
            Patterns of paths in those folders to pass over, such as ``"*.png"``.

        Raises
        ------
        ParameterError
            The key is the primary one, or something in ``check`` still needs it; the message says what.
        KeyUnavailableError
            The keyring does not hold it.
        """
        self._secret(key_id)
        if key_id == self.primary:
            raise ParameterError(f"key id {key_id} is the primary key: rotate() first, then retire it.")
        with self._event("retire", retired=key_id):
            usage.check_unused(key_id, check, ignore)
            kept = [secret for held, secret in self._keys.items() if held != key_id]
            return build(kept, self.distrusted - {key_id}, self.retired | {key_id})

    def scoped(self, contexts: Iterable[str]) -> ScopedKeyring:
        """Return a keyring that holds only the keys of some contexts, under each of this one's keys.

        Its holder reads and writes these contexts, in every table that uses their names, and nothing else.

        Parameters
        ----------
        contexts : iterable of str
            The contexts: usually the columns' names.

        Raises
        ------
        ParameterError, ParameterTypeError
            There is no context, or one is not a str.
        """
        scope = scoped.new_scope(contexts)
        with self._event("scoped", contexts=list(scope.contexts), scope=scope.id):
            return narrow(self, scope)

    def grant(
        self,
        contexts: Iterable[str],
        *,
        recipient: Recipient | str,
        sign_with: SigningKey,
        uses: Iterable[str] | None = None,
        expires: datetime | None = None,
    ) -> Grant:
        """Grant one person the keys of some contexts: sealed to them, and signed.

        Parameters
        ----------
        contexts : iterable of str
            The contexts: usually the columns' names.
        recipient : Recipient or str
            The person's recipient.
        sign_with : SigningKey
            Signs the grant. The person must trust its signer.
        uses : iterable of str, optional
            What the keys are for: ``"siv-deterministic"``, ``"siv-randomized"``, ``"ff1"``, ``"pseudonym"``,
            ``"replace"``, ``"projection"``; by default all. This library enforces it; the keys do not.
        expires : datetime, optional
            Until when, with a time zone; by default for ever. This library enforces it, by the holder's clock.

        Returns
        -------
        grant : Grant
            Save it, and send it; only the recipient opens it.

        Raises
        ------
        ParameterError, ParameterTypeError
            A parameter is not allowed.
        """
        scope = scoped.new_scope(contexts, uses=uses, expires=expires)
        with self._event("grant", grant=scope.id, contexts=list(scope.contexts)):
            made = grant.make(narrow(self, scope), recipient, sign_with)
            events.note(recipient=made.recipient_id)
            return made

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Become the live keyring that a reference means, for serialisers that restore state into a bare object."""
        if hasattr(self, "_keys"):
            raise AttributeError("a Keyring cannot be changed: it has its keys.")
        found = process.restorers[Keyring](*state)
        live = found if isinstance(found, Keyring) else found.resolve()
        fill_ring(self, secret_text.Held(keys_of(live), live.distrusted), live.retired, live.uri, live.source)

    def _event(self, action: str, **facts: Any) -> events.event:
        return events.event(action, "Keyring", key_ids=list(self.key_ids), **facts)


def build(
    keys: Sequence[bytes],
    distrusted: frozenset[str] = frozenset(),
    retired: frozenset[str] = frozenset(),
    *,
    uri: str | None = None,
    source: bytes | None = None,
) -> Keyring:
    """Make a keyring of these keys, the primary first; those with ids in ``distrusted`` open no models."""
    keyring = object.__new__(Keyring)
    fill_ring(keyring, secret_text.Held(list(keys), distrusted), retired, uri, source)
    return keyring


AnyKeyring = Keyring | ScopedKeyring
