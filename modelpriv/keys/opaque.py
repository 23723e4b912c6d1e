"""What all key objects share: they never change, copies of them are themselves, and no pickle holds a key."""

from typing import Any, NoReturn, Self

from modelpriv._core import process
from modelpriv.errors import ParameterTypeError

__all__ = ["Opaque", "Secret", "fill"]


class Opaque:
    """An object with slots that are set once, when it is made, and never again.

    It protects against a key that is swapped under its id. It leaks nothing. It does not protect against code that
    calls ``object.__setattr__``.

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


class Secret(Opaque):
    """An object that holds keys, and that a pickle refers to by its public part.

    It protects against keys in pickles: a pickle holds what ``__getstate__`` gives, and the function that
    `modelpriv.keys.reference` registered for the class finds the object again. A class without such a function cannot
    be pickled at all. It leaks its public part. It does not protect the memory of the process.

    Examples
    --------
    >>> import pickle
    >>> from modelpriv.keys import Keyring
    >>> keys = Keyring.generate()
    >>> pickle.loads(pickle.dumps(keys)) is keys
    True
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        restore = process.restorers.get(type(self))
        if restore is None:
            raise ParameterTypeError(
                f"a {type(self).__name__} cannot be pickled before modelpriv.keys is imported: it would carry its keys."
            )
        return restore, self.__getstate__()

    def __getstate__(self) -> tuple[Any, ...]:
        """Return the public part; Python's own would return the slots, and with them the keys."""
        raise NotImplementedError  # pragma: no cover - every class has its own


def fill(made: Opaque, **values: object) -> None:
    """Set the slots of an object that is being made."""
    for name, value in values.items():
        object.__setattr__(made, name, value)
