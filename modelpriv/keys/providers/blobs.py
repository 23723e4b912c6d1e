"""What providers have in common: blobs that are read strictly, and checks of what they are given."""

from collections.abc import Mapping
from typing import Any

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys.text import from_base64

__all__ = ["check_text", "give", "own"]

_LARGEST = 1 << 14


def own(blob: Mapping[str, Any], names: Mapping[str, str], where: str) -> bytes:
    """Return what a blob wraps, if it is of the provider that has these names. No server is asked before that.

    Raises
    ------
    KeyUnavailableError
        The blob names another key or place.
    SealedFileError
        It is damaged.
    """
    wrapped = blob.get("wrapped")
    if set(blob) != {"wrapped", *names} or not isinstance(wrapped, str) or len(wrapped) > _LARGEST:
        raise SealedFileError("the fields of the wrapped key are missing or damaged.")
    other = [name for name, value in names.items() if blob[name] != value]
    if other:
        raise KeyUnavailableError(f"{where} is not what wraps this key: it has another {' and '.join(other)}.")
    try:
        return from_base64(wrapped)
    except ValueError:
        raise SealedFileError("the field 'wrapped' is damaged.") from None


def check_text(name: str, value: object) -> str:
    """Return a text that is not empty, and refuse anything else; the message does not repeat it."""
    if not isinstance(value, str):
        raise ParameterTypeError(f"{name} must be a str, got {type(value).__name__}.")
    if not value:
        raise ParameterError(f"{name} is empty.")
    return value


def give(name: str, secret: object) -> str:
    """Return a secret that was passed as itself, or as a function that returns it each time."""
    return check_text(name, secret() if callable(secret) else secret)
