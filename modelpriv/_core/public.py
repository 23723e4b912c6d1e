"""The public face of a package: what its classes and functions are called in pickles, and what their errors show.

A pickle names a class by its ``__module__``. With the name of the file that happens to define the class, each move of
a file would break every pickle and registry artifact out there. So the public packages name what they offer after
themselves, as numpy and pandas (``pandas.core.set_module``) do::

    >>> from modelpriv import Masker
    >>> Masker.__module__
    'modelpriv'

What it costs: before Python 3.13, ``inspect.getsource`` does not find the source of a class that is named this way.

All that is public is discreet (see `modelpriv._core.discreet`): no error leaves it with keys or cells in its frames.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

from modelpriv._core.discreet import discreet, discreet_class

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["make_public"]


def make_public(package: str, namespace: dict[str, Any], names: Iterable[str]) -> None:
    """Name the classes and functions of a public package after it, and make them discreet.

    Parameters
    ----------
    package : str
        The package that users import them from.
    namespace : mapping of str to object
        Its ``globals()``.
    names : iterable of str
        Its ``__all__``.
    """
    for name in names:
        thing = namespace[name]
        if isinstance(thing, FunctionType):
            namespace[name] = thing = discreet(thing)
            thing.__module__ = package
        elif isinstance(thing, type):
            for base in thing.__mro__:
                if base.__module__.partition(".")[0] == "modelpriv":
                    discreet_class(base)
            thing.__module__ = package
