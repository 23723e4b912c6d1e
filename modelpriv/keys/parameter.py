"""An estimator's parameter `key`: it holds keyrings and keyring URIs, and never a text that may be a key itself."""

from typing import Any

from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys.opaque import Opaque, fill
from modelpriv.keys.uri import parse

__all__ = ["KeyParameter", "NotAKey", "PublicParameter", "without_secrets"]


class KeyParameter:
    """The attribute of a class whose parameter takes a keyring or a keyring URI.

    scikit-learn shows parameters in reprs, diagrams and logs, and pickles them, before `fit` could refuse one. So a
    text that is not a keyring URI is not kept at all: `NotAKey` takes its place, until `fit` says what was wrong.

    It protects against keys that were pasted where their URI belongs. It leaks nothing of them. It does not look at
    what is neither text nor bytes.

    Examples
    --------
    >>> from modelpriv import Pseudonymizer
    >>> Pseudonymizer(key="env:MODELPRIV_KEYRING").key
    'env:MODELPRIV_KEYRING'
    >>> Pseudonymizer(key="swordfish")
    Pseudonymizer(key=<a text that is no keyring URI, not kept>)
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, estimator: object, owner: type | None = None) -> Any:
        if estimator is None:
            return self
        try:
            return vars(estimator)[self._name]
        except KeyError:
            raise AttributeError(f"{type(estimator).__name__} has no attribute {self._name!r}.") from None

    def __set__(self, estimator: object, key: object) -> None:
        vars(estimator)[self._name] = _kept(key)


class NotAKey(Opaque):
    """The replacement for a text that was given as a key but is not a keyring URI: it may have been the key.

    It protects the text, which is gone. It leaks what was wrong with it. It does not resolve to a keyring.

    Examples
    --------
    >>> from modelpriv import FieldEncryptor
    >>> FieldEncryptor(key="swordfish").fit([["a"]])
    Traceback (most recent call last):
    modelpriv.errors.ParameterError: this text is not a keyring URI; allowed are ...
    """

    __slots__ = ("reason", "what")

    reason: str
    """What was wrong with it."""
    what: str
    """What it was, in a few words."""

    def __init__(self, reason: str, what: str = "a text that is no keyring URI") -> None:
        fill(self, reason=reason, what=what)

    def __repr__(self) -> str:
        return f"<{self.what}, not kept>"

    def __reduce__(self) -> tuple[Any, ...]:
        return NotAKey, (self.reason, self.what)


class PublicParameter(KeyParameter):
    """The attribute of a class whose parameter takes public keys: recipients, or the key that signs.

    It protects against secret text that was pasted there: such a text is not kept. It leaks nothing. It keeps
    everything else as it is.

    Examples
    --------
    >>> from modelpriv import FieldEncryptor, Identity
    >>> FieldEncryptor(recipients=[Identity.generate("x25519").export_secret()])
    FieldEncryptor(recipients=[<a secret text, not kept>])
    """

    def __set__(self, estimator: object, value: object) -> None:
        vars(estimator)[self._name] = without_secrets(value)


def without_secrets(value: object) -> object:
    """Return a value, or a list of values, with `NotAKey` in place of each secret text."""
    if isinstance(value, str | bytes | bytearray):
        text = value if isinstance(value, str) else bytes(value).decode(errors="replace")
        return NotAKey(_REASON, "a secret text") if _SECRET in text else value
    if type(value) in {list, tuple} and isinstance(value, list | tuple):
        kept = [without_secrets(one) for one in value]
        return value if all(new is old for new, old in zip(kept, value, strict=True)) else type(value)(kept)
    return value


_SECRET = "modelpriv_secret_"  # noqa: S105 - how secret texts begin
_REASON = (
    "a secret text was given where a public key or a keyring belongs. Read it with Keyring.from_secret, "
    "Identity.from_secret or SigningKey.from_secret, and pass the object, or the identity's recipient."
)


def _kept(key: object) -> object:
    """Return a key as it is, unless it is a text, or bytes, that may be shown nowhere."""
    if not isinstance(key, str | bytes | bytearray):
        return without_secrets(key)
    try:
        parse(key)  # type: ignore[arg-type]  # what is no text is refused, too
    except (ParameterError, ParameterTypeError) as error:
        return NotAKey(str(error))
    return key
