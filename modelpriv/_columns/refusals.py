"""Errors that a container's own words would fill with cells, in words that show none."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from modelpriv.errors import InputError, ModelprivError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["convert", "unsupported"]

T = TypeVar("T")


def convert(conversion: Callable[[], T], name: object, dtype: object, into: str = "Arrow") -> T:
    """Call a conversion whose own errors may print cells, and reword them."""
    try:
        return conversion()
    except ModelprivError:
        raise  # in our words, which hold no cell
    except UnicodeError:
        why = "holds a lone surrogate, which is not valid Unicode. Clean its text first"
    except Exception as error:  # noqa: BLE001 - whatever the container raises, its words may hold a cell
        why = f"does not convert to {into} ({type(error).__name__}). Give it a plain dtype first"
    raise InputError(f"Column {name!r} (dtype {dtype}) {why}.")


def unsupported(name: object, dtype: object) -> InputError:
    return InputError(
        f"Column {name!r} has dtype {dtype}, which is not supported. Supported are text, integers, floats, bools, "
        "dates, times, "
        f"timestamps, durations, decimals, bytes and categoricals of these. Convert it first, e.g. with .astype(str)."
    )
