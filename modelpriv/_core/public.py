"""The names that pickles use for public classes and functions: the path that users import them from.

A pickle names a class by its ``__module__``. With the name of the file that happens to define the class, each move of
a file would break every pickle and registry artifact out there. So the public packages name what they offer after
themselves, as numpy and pandas (``pandas.core.set_module``) do::

    >>> from modelpriv import Masker
    >>> Masker.__module__
    'modelpriv'

What it costs: before Python 3.13, ``inspect.getsource`` does not find the source of a class that is named this way.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["name_publicly"]


def name_publicly(package: str, namespace: Mapping[str, object], names: Iterable[str]) -> None:
    """Name the classes and functions of a public package after it.

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
        if isinstance(thing, (type, FunctionType)):
            thing.__module__ = package
