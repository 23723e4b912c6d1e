"""What `Identity` and `SigningKey` share: a private key that is saved wrapped, and pickled as its public key."""

import contextlib
import os
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from modelpriv._core import events, magic
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterError, SealedFileError
from modelpriv.keys import container
from modelpriv.keys.opaque import Secret, fill
from modelpriv.keys.providers import KeyProvider
from modelpriv.keys.public import PublicKey, write_line
from modelpriv.keys.uri import parse, with_article

__all__ = ["PrivateKey", "fill_private", "read_secret_line", "secret_line"]

Key = TypeVar("Key", bound="PrivateKey")


class PrivateKey(Secret):
    """A private key of some kind. Its public key is the attribute that `_public_name` names."""

    __slots__ = ("_private",)

    _word: ClassVar[str]  # begins the line of `export_secret`
    _file_kind: ClassVar[str]
    _public_name: ClassVar[str]
    _private: bytes

    @classmethod
    @abstractmethod
    def from_secret(cls, text: str, /) -> Self:
        """Read the text that `export_secret` gave."""

    @classmethod
    @abstractmethod
    def _read(cls, text: str) -> Self:
        """Read that text, as a step of an event or of the way to a worker."""

    @classmethod
    def _made(cls, action: str, make: Callable[[], Self]) -> Self:
        """Make a key and record it, unless that is a step of another event."""
        with events.direct(action, cls.__name__):
            key = make()
            events.note(**{cls._public_name: key._public_key().id})  # noqa: SLF001 - of this class
            return key

    @classmethod
    def from_uri(cls, uri: str, /) -> Self:
        """Fetch the key that a URI names, as `Keyring.from_uri` does.

        Parameters
        ----------
        uri : str
            ``"env:NAME"``, an environment variable with the text of `export_secret`; ``"keyring:SERVICE/USER"``, an
            entry of the system's keyring with that text; or ``"file:PATH"``, a file that `save` wrote. The file opens
            with a provider that you gave to `modelpriv.keys.set_providers`, or with the passphrase from
            ``MODELPRIV_PASSPHRASE`` or from the function that you gave to `modelpriv.keys.set_passphrase_callback`.

        Raises
        ------
        ParameterError
            The text is not such a URI, or holds a secret (a PIN, user info, a token). The message does not show it.
        KeyUnavailableError
            The key is missing, or does not open.
        """
        where = parse(uri, cls._file_kind)
        with events.event("load", cls.__name__, source=where.uri):
            content = where.read()
            try:
                if where.scheme == "file":
                    key = cls._open(content, where.uri, None, None)
                else:
                    key = cls._read(content.decode(errors="replace"))
            except ModelprivError as error:
                what = with_article(cls._file_kind)
                raise KeyUnavailableError(f"{where.uri} does not give {what}: {error}") from None
            events.note(**{cls._public_name: key._public_key().id})  # noqa: SLF001 - of this class
            return key

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        passphrase: str | bytes | None = None,
        provider: KeyProvider | None = None,
    ) -> Self:
        """Read a file that `save` wrote.

        Parameters
        ----------
        path : path-like
            The file; only its owner may be able to read it.
        passphrase : str or bytes, optional
            Its passphrase. By default ``MODELPRIV_PASSPHRASE``, or what the function returns that you gave to
            `modelpriv.keys.set_passphrase_callback`.
        provider : KeyProvider, optional
            What wraps it instead of a passphrase. By default one that you gave to `modelpriv.keys.set_providers`.

        Raises
        ------
        KeyUnavailableError
            The passphrase is wrong or missing; the provider is not configured, cannot be reached or refuses; or others
            can read the file.
        SealedFileError
            The file is another one, not encrypted, cut, altered, or of a later version.
        ParameterError
            The private key is of a kind that is not used.
        OSError
            The file cannot be read.
        """
        with events.event("load", cls.__name__, source=os.fsdecode(path)):
            key = cls._open(container.read(path), os.fspath(path), passphrase, provider)
            events.note(**{cls._public_name: key._public_key().id})  # noqa: SLF001 - of this class
            return key

    @classmethod
    def _open(cls, content: bytes, name: str, passphrase: str | bytes | None, provider: KeyProvider | None) -> Self:
        public, secret = container.open_(content, cls._file_kind, name=name, passphrase=passphrase, provider=provider)
        key = cls._read(secret.decode(errors="replace"))
        if public != key._public_part():  # noqa: SLF001 - of this class
            raise SealedFileError(f"{name}: the {cls._public_name} that the file names is not that of its key.")
        return key

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        passphrase: str | bytes | None = None,
        wrap_with: KeyProvider | None = None,
    ) -> None:
        """Write the key to a file that only its owner can read, wrapped as `Keyring.save` does.

        The file is replaced whole: after an interruption it is the old one or the new one.

        Raises
        ------
        ParameterError, ParameterTypeError
            There is neither a passphrase nor a provider, or both; the passphrase is empty, or not a str; the file is
            of another kind, or holds another key.
        KeyUnavailableError
            The provider cannot be reached, or refuses.
        OSError
            The file cannot be written.
        """
        provider = container.choose_provider(passphrase, wrap_with)
        self._check_replaced(path)
        with self._event("save", to=os.fsdecode(path), source=provider.describe()):
            container.write(path, self._file_kind, self._public_part(), self._line().encode(), provider=provider)

    def _check_replaced(self, path: str | os.PathLike[str]) -> None:
        """Refuse to write over a file of another kind, or over another key, which would be lost."""
        if not container.check_kind(path, magic.json_file(self._file_kind)):
            return
        found: object = self._public_part()
        with contextlib.suppress(SealedFileError, OSError):
            found = container.read_public(path, self._file_kind)
        if found != self._public_part():
            raise ParameterError(
                f"{os.fspath(path)!r} holds another {self._file_kind}, so it is not replaced: you would lose it. Give "
                "another path, or remove the file first."
            )

    def export_secret(self) -> str:
        """Return the private key itself as one line of text: the one way out.

        The text starts with ``modelpriv_secret_``, so that scanners find it where it should not be.
        """
        with self._event("export_secret"):
            return self._line()

    def _line(self) -> str:
        return write_line(self._word, self._public_key().kind, self._private)

    def _event(self, action: str, **facts: Any) -> events.event:
        facts |= {self._public_name: self._public_key().id}
        return events.event(action, type(self).__name__, **facts)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._public_key().kind} {self._public_key().id}>"

    def __getstate__(self) -> tuple[Any, ...]:
        """Return the public key's line."""
        return (str(self._public_key()),)

    def _public_key(self) -> PublicKey:
        public: PublicKey = getattr(self, self._public_name)
        return public

    def _public_part(self) -> dict[str, str]:
        return {self._public_name: str(self._public_key())}


def secret_line(key: PrivateKey) -> str:
    """Return what `export_secret` gives, for worker processes of this one: nothing is taken out."""
    return key._line()  # noqa: SLF001 - this module's own


def read_secret_line(kind: type[Key], line: str) -> Key:
    """Read what `secret_line` gave, in a worker process: nothing is brought in."""
    return kind._read(line)  # noqa: SLF001 - this module's own


def fill_private(made: PrivateKey, private: bytes, public: PublicKey) -> None:
    """Set what a private key holds, once."""
    fill(made, **{"_private": private, made._public_name: public})  # noqa: SLF001 - this module's own
