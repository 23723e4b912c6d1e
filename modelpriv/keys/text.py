"""Bytes as text: strict base64url, and lines that start with their kind and end with a checksum."""

import base64
import binascii
import re
from collections.abc import Mapping
from hashlib import sha256

from modelpriv.errors import ParameterError, ParameterTypeError, SealedFileError

__all__ = ["from_base64", "from_line", "read_fields", "to_base64", "to_line"]

_CHECKSUM = 6


def to_base64(data: bytes) -> str:
    """Return bytes as unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """Read unpadded base64url; only the exact text that `to_base64` gives is taken.

    Raises
    ------
    ValueError
        The text is not that; the message does not repeat it.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if to_base64(data) != text:
        raise ValueError("not base64url")
    return data


def read_fields(found: Mapping[str, object], lengths: Mapping[str, int]) -> list[bytes]:
    """Read fields of a JSON object that are base64url of bytes of known lengths, in the order asked for.

    Raises
    ------
    SealedFileError
        A field is missing or is something else; the message names it.
    """
    fields = []
    for name, length in lengths.items():
        text = found.get(name)
        try:
            data = from_base64(text) if isinstance(text, str) else b""
        except ValueError:
            data = b""
        if len(data) != length:
            raise SealedFileError(f"the field {name!r} is missing or damaged.")
        fields.append(data)
    return fields


def to_line(prefix: str, data: bytes) -> str:
    """Return bytes as one line: a prefix that says what it is and in which version, the data, a checksum."""
    return prefix + to_base64(data + _checksum(prefix, data))


def from_line(prefix: str, text: str, *, name: str) -> bytes:
    """Read what `to_line` wrote; white space around it is dropped.

    Parameters
    ----------
    prefix : str
        The prefix that the line must have; it ends with ``_``, its version and ``_``.
    text : str
        The line.
    name : str
        What the line is, for the error.

    Raises
    ------
    ParameterTypeError
        ``text`` is not a string.
    ParameterError
        It is something else, from another version, cut or mistyped; the message does not repeat any of it.
    """
    if not isinstance(text, str):
        raise ParameterTypeError(f"{name} must be a str, got {type(text).__name__}.")
    text = text.strip()
    if not text.startswith(prefix):
        family = prefix.rstrip("_").rstrip("0123456789")
        if other := re.match(re.escape(family) + r"(\d{1,9})_", text):
            raise ParameterError(
                f"{name} has version {other[1]}, which this modelpriv does not read: upgrade modelpriv."
            )
        raise ParameterError(f"{name} must start with {prefix!r}; this text does not.")
    try:
        data = from_base64(text.removeprefix(prefix))
    except ValueError:
        data = b""
    data, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if checksum != _checksum(prefix, data):
        raise ParameterError(f"{name} is cut or mistyped: its checksum does not match. Copy the whole line again.")
    return data


def _checksum(prefix: str, data: bytes) -> bytes:
    """Tell a mistake from the real line; it is no authentication."""
    return sha256(prefix.encode() + data).digest()[:_CHECKSUM]
