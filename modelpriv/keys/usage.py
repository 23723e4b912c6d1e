"""Asking what still needs a key, before it is retired; who knows tables and models answers."""

from collections.abc import Callable, Iterable, Mapping
from os import PathLike, fspath

from modelpriv.errors import ParameterError, ParameterTypeError

__all__ = ["check_unused", "set_counter"]

Counter = Callable[[object], Mapping[str, int]]

# Keys know neither tables nor models: what counts in them puts itself here when the package is imported.
_counter: Counter | None = None


def set_counter(counter: Counter) -> None:
    """Set the function that counts the uses of each key id in a thing."""
    global _counter  # noqa: PLW0603 - the one place where the layers above answer
    _counter = counter


def check_unused(key_id: str, things: Iterable[object]) -> None:
    """Refuse if one of these things still needs a key.

    Raises
    ------
    ParameterError
        One does; the message says which, how often, and that nothing else was looked at.
    ParameterTypeError
        ``things`` is not a list.
    """
    if isinstance(things, str | bytes | PathLike | Mapping) or not isinstance(things, Iterable):
        raise ParameterTypeError(f"check must be a list of tables, files and objects, got {type(things).__name__}.")
    assert _counter is not None  # noqa: S101 - the package's __init__ imports what sets it
    checked = list(things)
    found = [(number, thing, _counter(thing).get(key_id, 0)) for number, thing in enumerate(checked)]
    needing = [f"check[{number}] ({_name(thing)}) {count} times" for number, thing, count in found if count]
    if needing:
        raise ParameterError(
            f"key id {key_id} is still needed by {' and '.join(needing)}. Move tables with FieldEncryptor.rewrap and "
            f"fit objects again, then retire it. Only the {len(checked)} things in check were looked at."
        )


def _name(thing: object) -> str:
    return repr(fspath(thing)) if isinstance(thing, str | PathLike) else type(thing).__name__
