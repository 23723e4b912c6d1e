"""Asking what still needs a key before it is retired."""

from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from typing import Any

from modelpriv._core import process
from modelpriv.errors import ParameterError, ParameterTypeError

__all__ = ["check_unused"]


def check_unused(key_id: str, things: Iterable[object], ignore: str | Iterable[str] = ()) -> None:
    """Refuse if one of these things still needs a key, or cannot be read.

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
    found = [
        (f"check[{n}] ({_name(one)})", count_uses(one, ignore=ignore)) for n, one in enumerate(checked) if count_uses
    ]
    if unread := [f"{path!a} ({why})" for _, usage in found for path, why in usage.unread]:
        more = f", and {len(unread) - _SHOWN} more" if len(unread) > _SHOWN else ""
        raise ParameterError(
            f"key id {key_id} may still be needed by what could not be read: {'; '.join(unread[:_SHOWN])}{more}. Look "
            "into these yourself, and pass ignore=[...] with patterns of their paths."
        )
    if needing := [f"{name}, {_needs(usage, key_id)}" for name, usage in found if key_id in usage]:
        raise ParameterError(
            f"key id {key_id} is still needed by {' and '.join(needing)}. Move tables with FieldEncryptor.rewrap, "
            "sealed files with modelpriv.rewrap and the steps inside with modelpriv.repin, verify and close audit "
            "logs, then retire the key. "
            f"modelpriv.key_usage shows where it is needed. {_looked_at(len(checked))}"
        )


_SHOWN = 5


def _needs(usage: Any, key_id: str) -> str:
    """Tell how often a key is needed, and in which files of a folder."""
    paths = list(dict.fromkeys(use.path for use in usage.uses if use.key_id == key_id and use.path))
    more = f", and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    where = f" in {', '.join(map(ascii, paths[:_SHOWN]))}{more}" if paths else ""
    return ("once" if usage[key_id] == 1 else f"{usage[key_id]} times") + where


def _looked_at(number: int) -> str:
    return (
        "Only the one thing in check was looked at."
        if number == 1
        else f"Only the {number} things in check were looked at."
    )


def _name(thing: object) -> str:
    return repr(fspath(thing)) if isinstance(thing, str | PathLike) else type(thing).__name__
