"""A keyring's keys as one line of text: what `Keyring.export_secret` gives and `Keyring.from_secret` reads."""

from collections.abc import Iterable

from modelpriv.errors import ParameterError
from modelpriv.keys.derivation import KEY_LENGTH
from modelpriv.keys.text import from_line, to_line

__all__ = ["read", "write"]

_PREFIX = "modelpriv_secret_keyring_1_"  # so that scanners find the text where it should not be
_NAME = "the keyring's secret text"


def write(keys: Iterable[bytes]) -> str:
    """Write keys, the primary one first, as one line."""
    return to_line(_PREFIX, b"".join(keys))


def read(text: str) -> list[bytes]:
    """Read the keys from such a line, the primary one first.

    Raises
    ------
    ParameterError
        The text is something else, cut, or mistyped; the message does not repeat it.
    """
    data = from_line(_PREFIX, text, name=_NAME)
    if not data or len(data) % KEY_LENGTH:
        raise ParameterError(f"{_NAME} does not hold whole keys.")
    return [data[start : start + KEY_LENGTH] for start in range(0, len(data), KEY_LENGTH)]
