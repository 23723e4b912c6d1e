"""A passphrase as a key provider: Argon2id (RFC 9106), with a commitment that is compared before anything opens."""

import os
import secrets
from collections.abc import Callable, Mapping
from hmac import compare_digest
from typing import Any, ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from modelpriv._core import events, process
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys.derivation import KEY_LENGTH
from modelpriv.keys.providers import SecretProvider
from modelpriv.keys.text import read_fields, to_base64

__all__ = ["PassphraseProvider", "as_bytes", "check", "configured_passphrase", "set_passphrase_callback"]

TYPE = "argon2id"

_PASSES, _MEMORY_KIB, _LANES = 3, 64 * 1024, 4
_MOST_PASSES, _MOST_MEMORY_KIB, _MOST_LANES = 10, 256 * 1024, 16
_SALT, _COMMITMENT, _KEY = 16, 32, 64
_FIELDS = {"salt": _SALT, "commitment": _COMMITMENT, "wrapped": 16 + KEY_LENGTH}
_VARIABLE = "MODELPRIV_PASSPHRASE"


class PassphraseProvider(SecretProvider):
    """Wraps a data key under a passphrase: Argon2id with 3 passes over 64 MiB in 4 lanes, then AES-SIV.

    It protects the data key as well as the passphrase is hard to guess, and makes each guess cost a quarter of a
    second and 64 MiB. Each blob has its own random salt, and commits to its passphrase, so that no one can make one
    that opens with many. It leaks the costs and the salt. It does not make a weak passphrase strong.

    Parameters
    ----------
    passphrase : str or bytes
        The passphrase; a text is encoded as UTF-8 and not normalised.

    Raises
    ------
    ParameterError
        The passphrase is empty.
    ParameterTypeError
        It is not a text.

    Examples
    --------
    >>> provider = PassphraseProvider("correct horse battery staple")
    >>> blob = provider.wrap(bytes(32), b"an example")
    >>> provider.unwrap(blob, b"an example") == bytes(32)
    True
    """

    __slots__ = ("_passphrase",)

    type: ClassVar[str] = TYPE

    def __init__(self, passphrase: str | bytes) -> None:
        self._passphrase = as_bytes(passphrase)

    @events.audited_alone
    def wrap(self, data_key: bytes, context: bytes) -> dict[str, Any]:
        """Wrap a data key, bound to its context."""
        salt = secrets.token_bytes(_SALT)
        commitment, key = self._derive(salt, _PASSES, _MEMORY_KIB, _LANES)
        return {
            "type": TYPE,
            "passes": _PASSES,
            "memory_kib": _MEMORY_KIB,
            "lanes": _LANES,
            "salt": to_base64(salt),
            "commitment": to_base64(commitment),
            "wrapped": to_base64(AESSIV(key).encrypt(data_key, [context])),
        }

    @events.audited_alone
    def unwrap(self, blob: Mapping[str, Any], context: bytes) -> bytes:
        """Return the data key back.

        Raises
        ------
        SealedFileError
            The blob is damaged, or demands more work than is accepted.
        KeyUnavailableError
            The passphrase is wrong, or the blob was altered: it cannot be told which.
        """
        salt, expected, wrapped = check(blob)
        commitment, key = self._derive(salt, blob["passes"], blob["memory_kib"], blob["lanes"])
        if not compare_digest(commitment, expected):
            raise KeyUnavailableError("the passphrase is wrong, or what it opens was altered.")
        try:
            return AESSIV(key).decrypt(wrapped, [context])
        except InvalidTag:
            raise KeyUnavailableError("the passphrase is right, but what it opens was altered.") from None

    def describe(self) -> str:
        """Say what this is."""
        return f"passphrase (Argon2id, {_PASSES} passes, {_MEMORY_KIB // 1024} MiB, {_LANES} lanes)"

    def _derive(self, salt: bytes, passes: int, memory_kib: int, lanes: int) -> tuple[bytes, bytes]:
        """Derive the commitment and the key that wraps."""
        kdf = Argon2id(salt=salt, length=_COMMITMENT + _KEY, iterations=passes, memory_cost=memory_kib, lanes=lanes)
        derived = kdf.derive(self._passphrase)
        return derived[:_COMMITMENT], derived[_COMMITMENT:]


def as_bytes(passphrase: str | bytes) -> bytes:
    """Return a passphrase as bytes, or say what is wrong with it."""
    if not isinstance(passphrase, str | bytes):
        raise ParameterTypeError(f"passphrase must be a str or bytes, got {type(passphrase).__name__}.")
    if not passphrase:
        raise ParameterError("passphrase is empty: give one of several words.")
    try:
        return passphrase.encode() if isinstance(passphrase, str) else passphrase
    except UnicodeEncodeError:
        pass  # and raised below: this error carries the passphrase, also as another one's context
    raise ParameterError("passphrase holds a lone surrogate, which UTF-8 cannot encode.")


def check(blob: Mapping[str, Any]) -> list[bytes]:
    """Refuse a blob that is damaged, or demands more work than is accepted, before any of it is done.

    Returns
    -------
    fields : list of bytes
        Salt, commitment and wrapped key.

    Raises
    ------
    SealedFileError
        It is one of these.
    """
    if blob.get("type") != TYPE:
        raise SealedFileError("the field 'type' is missing or damaged.")
    passes, memory_kib, lanes = (_cost(blob, name) for name in ("passes", "memory_kib", "lanes"))
    if passes > _MOST_PASSES or memory_kib > _MOST_MEMORY_KIB or lanes > _MOST_LANES:
        raise SealedFileError(
            f"the Argon2id costs (passes {passes}, memory {memory_kib} KiB, lanes {lanes}) are above what is accepted "
            f"({_MOST_PASSES}, {_MOST_MEMORY_KIB} KiB, {_MOST_LANES}): the file is damaged or hostile."
        )
    if memory_kib < 8 * lanes:  # RFC 9106, section 3.1
        raise SealedFileError("the Argon2id costs are damaged: less memory than 8 KiB a lane.")
    return read_fields(blob, _FIELDS)


def _cost(blob: Mapping[str, Any], name: str) -> int:
    cost = blob.get(name)
    if type(cost) is not int or cost < 1:
        raise SealedFileError(f"the field {name!r} is missing or damaged.")
    return cost


def set_passphrase_callback(callback: Callable[[str], str | bytes] | None) -> None:
    """Set the function that is asked for the passphrase of a keyring file when none was given.

    Parameters
    ----------
    callback : callable or None
        Takes the name of what is opened and gives its passphrase; it comes before ``MODELPRIV_PASSPHRASE``. None
        takes it away again. It belongs to this process: worker processes do not have it.

    Raises
    ------
    ParameterTypeError
        It is not callable.

    Examples
    --------
    >>> from modelpriv.keys import set_passphrase_callback
    >>> set_passphrase_callback(lambda name: "correct horse battery staple")
    >>> set_passphrase_callback(None)
    """
    if callback is not None and not callable(callback):
        raise ParameterTypeError(f"callback must be callable or None, got {type(callback).__name__}.")
    process.settings.passphrase = callback


def configured_passphrase(name: str) -> str | bytes:
    """Return the passphrase that the process was configured with, for what has this name.

    Raises
    ------
    KeyUnavailableError
        There is none.
    """
    if (callback := process.settings.passphrase) is not None:
        return callback(name)
    try:
        return os.environ[_VARIABLE]
    except KeyError:
        raise KeyUnavailableError(
            f"{name} needs a passphrase: pass passphrase=..., set {_VARIABLE}, or give a function to "
            "modelpriv.keys.set_passphrase_callback."
        ) from None
