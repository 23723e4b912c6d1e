"""What a pickle holds in place of keys, and how it becomes the keyring or identity again."""

from typing import Self

from modelpriv._core import process
from modelpriv._core.discreet import discreet
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterError, ParameterTypeError
from modelpriv.keys import registry
from modelpriv.keys.identity import Identity
from modelpriv.keys.keyring import AnyKeyring, Keyring
from modelpriv.keys.parameter import NotAKey
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.ring import Fingerprint
from modelpriv.keys.ring_keys import narrow
from modelpriv.keys.scoped import Scope, ScopedKeyring
from modelpriv.keys.signing import Signer, SigningKey

__all__ = ["KeyReference", "resolve", "resolve_whole", "restore_identity", "restore_keyring"]


def resolve(key: object, *, parameter: str = "key") -> AnyKeyring:
    """Return the keyring that a ``key=`` parameter means.

    Parameters
    ----------
    key : Keyring, ScopedKeyring, KeyReference or str
        A keyring, what a pickle left in its place, or a keyring URI.
    parameter : str, default="key"
        The parameter's name, for the error.

    Raises
    ------
    ParameterError
        ``key`` is None, or a text that is no keyring URI.
    ParameterTypeError
        ``key`` is of another type.
    KeyUnavailableError
        The keyring cannot be had.
    """
    if isinstance(key, Keyring | ScopedKeyring):
        return key
    if isinstance(key, KeyReference):
        return key.resolve()
    if isinstance(key, str):
        return Keyring.from_uri(key)
    if isinstance(key, NotAKey):
        raise ParameterError(key.reason)
    if key is None:
        raise ParameterError(
            f"{parameter}=None, but a key is needed: pass a Keyring (Keyring.generate(), Keyring.load(path, "
            "passphrase=...)) or a keyring URI ('env:NAME', 'keyring:SERVICE/USER', 'file:PATH')."
        )
    raise ParameterTypeError(
        f"{parameter} must be a Keyring or a keyring URI ('env:NAME', 'keyring:SERVICE/USER', 'file:PATH'), got "
        f"{type(key).__name__}."
    )


def resolve_whole(key: object, *, parameter: str = "key") -> Keyring:
    """Return the whole keyring that a ``key=`` parameter means, for what a scoped one has no key for.

    Raises
    ------
    ParameterError, ParameterTypeError, KeyUnavailableError
        As `resolve` does, and where it is a scoped keyring.
    """
    keyring = resolve(key, parameter=parameter)
    if isinstance(keyring, ScopedKeyring):
        raise KeyUnavailableError(
            f"{parameter} is a scoped keyring, which holds the keys of columns only (contexts "
            f"{', '.join(map(repr, keyring.contexts))}): what seals and opens models is the whole keyring."
        )
    return keyring


class KeyReference:
    """The keyring that an unpickled object was made with, by key ids and, where there is one, by URI.

    It takes the place of the `Keyring` when an object is unpickled and its keyring is not at hand: the object is then
    locked. `resolve` tries again each time, and once it has found the keyring it keeps it.

    It protects against keys in pickles: it holds ids, check values and the URI, and nothing that opens. It leaks
    how many keys the ring had and which objects share a ring. It does not fetch anything until it is asked.

    Parameters
    ----------
    key_ids : tuple of str
        The ids of the keys, 8 hexadecimal digits each, the primary's first.
    check_values : tuple of bytes
        The 16-byte check value of each, which tells keys with one id apart.
    uri : str, optional
        The keyring URI that the keyring came from.
    scope : Scope, optional
        Of a scoped keyring, what it was for; it becomes no more than that again.
    context_checks : tuple of tuple of bytes, optional
        Of a scoped keyring, for each key, the 16-byte check value of each context's key.

    Examples
    --------
    >>> import pickle
    >>> from modelpriv.keys import Keyring
    >>> keys = Keyring.generate()
    >>> pickled = pickle.dumps(keys)
    >>> pickle.loads(pickled) is keys
    True
    >>> del keys  # as in another process
    >>> reference = pickle.loads(pickled)
    >>> reference.resolve()
    Traceback (most recent call last):
    modelpriv.errors.KeyUnavailableError: locked: ...
    """

    __slots__ = ("_check_values", "_context_checks", "_keyring", "_uri", "key_ids", "scope")

    key_ids: tuple[str, ...]
    scope: Scope | None

    def __init__(
        self,
        key_ids: tuple[str, ...],
        check_values: tuple[bytes, ...],
        uri: str | None = None,
        scope: Scope | None = None,
        context_checks: tuple[tuple[bytes, ...], ...] = (),
    ) -> None:
        self.key_ids = tuple(key_ids)
        self._check_values = tuple(check_values)
        self._uri = uri
        self.scope = scope
        self._context_checks = tuple(context_checks)
        # Now, because the keyring that is opening the enclosing file is known only while it is being opened.
        self._keyring: AnyKeyring | None = None
        self.held()

    @property
    def primary(self) -> str:
        """The id of the key that was primary."""
        return self.key_ids[0]

    @property
    def uri(self) -> str | None:
        """The keyring URI that the keyring came from, if it came from one."""
        return self._uri

    @property
    def wanted(self) -> Fingerprint:
        """The id and the check value of the key that was primary."""
        return self.fingerprints[0]

    def means(self, keyring: AnyKeyring) -> bool:
        """Return whether a keyring holds the key that is wanted."""
        return self.wanted in keyring.fingerprints

    def held(self) -> AnyKeyring | None:
        """Return the keyring if it is at hand, without asking its URI."""
        if self._keyring is None:
            self._keyring = self._find()
        return self._keyring

    def resolve(self) -> AnyKeyring:
        """Return the keyring: the one that opened the enclosing file, a live one of this process, or from the URI.

        A scoped keyring never takes the place of a whole one: pass the keyring that a grant opened as ``key=``.

        Raises
        ------
        KeyUnavailableError
            It is not at hand; the message names the key id that is wanted.
        """
        if (keyring := self.held()) is not None:
            return keyring
        self._keyring = self._from_uri()
        return self._keyring

    def __repr__(self) -> str:
        origin = "" if self._uri is None else f" uri={self._uri}"
        return f"<KeyReference key_ids={','.join(self.key_ids)}{origin}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type["KeyReference"], tuple[object, ...]]:
        return KeyReference, (self.key_ids, self._check_values, self._uri, self.scope, self._context_checks)

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """The id and the check value of each key, the primary's first."""
        return tuple(zip(self.key_ids, self._check_values, strict=True))

    def _find(self) -> AnyKeyring | None:
        live: ScopedKeyring | None = None
        if self.scope is not None:
            live = registry.find_scoped(self.fingerprints, self.scope, self._context_checks)
        whole: Keyring | None = registry.find(self.fingerprints) if live is None else None
        return live or (whole if whole is None or self.scope is None else narrow(whole, self.scope))

    def _from_uri(self) -> Keyring:
        scope = "" if self.scope is None else f" for contexts {', '.join(map(repr, self.scope.contexts))}"
        wanted = f"locked: key id {self.primary} is needed{scope}"
        remedy = "Load the keyring that holds it and keep it in a variable: keys = Keyring.load(...)."
        if self.scope is not None:
            remedy += " Or open the grant again and pass the keyring that it gives: set_params(key=...)."
        elif registry.has_scoped(self.wanted):
            remedy += " Or, if you trust who granted it, pass the scoped keyring that is at hand: set_params(key=...)."
        if self._uri is None:
            raise KeyUnavailableError(f"{wanted}, and no keyring of this process holds it. {remedy}")
        try:
            keyring = Keyring.from_uri(self._uri)
        except ModelprivError as error:
            raise KeyUnavailableError(f"{wanted}. {error} {remedy}") from None
        if self.fingerprints[0] not in keyring.fingerprints:
            raise KeyUnavailableError(
                f"{wanted}, but {self._uri} holds key ids {', '.join(keyring.key_ids)} (an equal id there is another "
                f"key). {remedy}"
            )
        return keyring


@discreet
def restore_keyring(
    key_ids: tuple[str, ...],
    check_values: tuple[bytes, ...],
    uri: str | None = None,
    scope: Scope | None = None,
    context_checks: tuple[tuple[bytes, ...], ...] = (),
) -> AnyKeyring | KeyReference:
    """Return what a pickle refers to: the keyring itself where it is at hand, else a `KeyReference`.

    Pickles of keyrings call this function; you need not.

    Parameters
    ----------
    key_ids, check_values, uri, scope, context_checks
        As `KeyReference` takes them.

    Returns
    -------
    Keyring, ScopedKeyring or KeyReference
    """
    reference = KeyReference(key_ids, check_values, uri, scope, context_checks)
    return reference.held() or reference


@discreet
def restore_identity(recipient: str) -> Identity | Recipient:
    """Return what a pickle refers to: the identity itself where it is alive in this process, else its `Recipient`.

    Pickles of identities call this function; you need not.

    Parameters
    ----------
    recipient : str
        The recipient's line of text.

    Returns
    -------
    Identity or Recipient
    """
    public = Recipient(recipient)
    return registry.find_identity(public) or public


process.restorers.update(
    {Keyring: restore_keyring, ScopedKeyring: restore_keyring, Identity: restore_identity, SigningKey: Signer}
)
