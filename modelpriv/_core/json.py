"""Canonical JSON: one text for one value, so that it can be hashed and authenticated."""

import json
import math
from typing import Any, NoReturn

__all__ = ["dump", "load"]

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def dump(value: Any) -> bytes:
    """Return the canonical bytes of a value: keys sorted, no spaces, UTF-8.

    Raises
    ------
    TypeError
        The value holds something that JSON cannot say.
    ValueError
        It holds NaN, an infinity, or text that UTF-8 cannot encode.
    """
    return _encode(value).encode()


def load(data: bytes) -> Any:
    """Read JSON in UTF-8 strictly: no key twice in an object, no NaN or infinity.

    Raises
    ------
    ValueError
        The bytes are not such JSON; the message does not repeat them.
    """
    try:
        return json.loads(
            data.decode(), object_pairs_hook=_distinct, parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError):
        pass  # and raised below: the parser's own error carries the whole document, also as another one's context
    raise ValueError("not valid JSON, or with a key twice, NaN or infinity")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object whose keys all differ: readers disagree on which of two equal keys counts."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    """Read a number; JSON could not give back one that is too large for a float."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("infinite number")
    return number
