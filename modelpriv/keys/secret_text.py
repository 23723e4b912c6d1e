"""A keyring's keys as one line of text: what `Keyring.export_secret` gives and `Keyring.from_secret` reads.

Version 1 is the keys, 32 bytes each, the primary one first. Version 2 is written if a key is distrusted: after each key
follows one byte, 1 if it is distrusted and 0 if not.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from modelpriv.errors import ParameterError
from modelpriv.keys.derivation import KEY_LENGTH, key_id
from modelpriv.keys.text import from_line, to_line

__all__ = ["Held", "read", "write"]

_PREFIX = "modelpriv_secret_keyring_1_"  # so that scanners find the text where it should not be
_MARKED = "modelpriv_secret_keyring_2_"
_NAME = "the keyring's secret text"


class Held(NamedTuple):
    """What a keyring holds: its keys, the primary one first, and the ids of those that it distrusts."""

    keys: list[bytes]
    distrusted: frozenset[str] = frozenset()


def write(keys: Iterable[bytes], distrusted: Collection[str] = ()) -> str:
    """Write keys, the primary one first, as one line."""
    if not distrusted:
        return to_line(_PREFIX, b"".join(keys))
    return to_line(_MARKED, b"".join(key + bytes([key_id(key).hex() in distrusted]) for key in keys))


def read(text: str) -> Held:
    """Read such a line.

    Raises
    ------
    ParameterError
        The text is something else, cut, or mistyped; the message does not repeat it.
    """
    marked = str(text).lstrip().startswith(_MARKED)
    data = from_line(_MARKED if marked else _PREFIX, text, name=_NAME)
    step = KEY_LENGTH + marked
    if not data or len(data) % step:
        raise ParameterError(f"{_NAME} does not hold whole keys.")
    keys = [data[start : start + KEY_LENGTH] for start in range(0, len(data), step)]
    marks = data[KEY_LENGTH::step] if marked else bytes(len(keys))
    if set(marks) - {0, 1} or marks[0]:
        raise ParameterError(f"{_NAME} marks its keys in a way that this version of modelpriv does not know.")
    return Held(keys, frozenset(key_id(key).hex() for key, mark in zip(keys, marks, strict=True) if mark))
