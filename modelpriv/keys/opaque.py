"""What all objects that hold keys share: they are never changed, and copies of them are themselves."""

from typing import NoReturn, Self

__all__ = ["Opaque", "fill"]


class Opaque:
    """An object with slots that are set once, when it is made, and never again.

    It protects against a key that is swapped under its id. It leaks nothing. It does not protect against whoever
    reaches for ``object.__setattr__``.

    Examples
    --------
    >>> import copy
    >>> from modelpriv.keys import Keyring
    >>> keys = Keyring.generate()
    >>> copy.deepcopy(keys) is keys
    True
    """

    __slots__ = ("__weakref__",)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} object cannot be changed: {name!r} is not set.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} object cannot be changed: {name!r} is not deleted.")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def fill(made: Opaque, **values: object) -> None:
    """Set the slots of an object that is being made."""
    for name, value in values.items():
        object.__setattr__(made, name, value)
