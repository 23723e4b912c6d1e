"""Asking what still needs a key before it is retired."""

from collections.abc import Iterable, Mapping
from os import PathLike, fspath

from modelpriv._core import process
from modelpriv.errors import ParameterError, ParameterTypeError

__all__ = ["check_unused"]


def check_unused(key_id: str, things: Iterable[object]) -> None:
    """Refuse if one of these things still needs a key.

    Raises
    ------
    ParameterError
        One of them does; the message says which, how often, and that nothing else was looked at.
    ParameterTypeError
        ``things`` is not a list.
    """
    if isinstance(things, str | bytes | PathLike | Mapping) or not isinstance(things, Iterable):
        raise ParameterTypeError(f"check must be a list of tables, files and objects, got {type(things).__name__}.")
    checked = list(things)
    count_uses = process.settings.count_uses  # keys know neither tables nor models: `modelpriv.evidence` counts in them
    if checked and count_uses is None:
        raise ParameterError("check needs modelpriv.evidence, which is not imported. Write import modelpriv first.")
    found = [(number, thing, count_uses(thing).get(key_id, 0)) for number, thing in enumerate(checked) if count_uses]
    needing = [f"check[{number}] ({_name(thing)}), {_times(count)}" for number, thing, count in found if count]
    if needing:
        raise ParameterError(
            f"key id {key_id} is still needed by {' and '.join(needing)}. Move tables with FieldEncryptor.rewrap and "
            f"fit objects again, then retire the key. {_looked_at(len(checked))}"
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _looked_at(number: int) -> str:
    return (
        "Only the one thing in check was looked at."
        if number == 1
        else f"Only the {number} things in check were looked at."
    )


def _name(thing: object) -> str:
    return repr(fspath(thing)) if isinstance(thing, str | PathLike) else type(thing).__name__
