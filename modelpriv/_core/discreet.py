"""The edge of the package: no exception leaves a public call with keys or cells in the locals of its frames.

Error trackers, rich and cgitb record the local variables of every frame of a traceback. So when an exception leaves a
public call, the frames below it forget theirs::

    >>> @discreet
    ... def unlock(passphrase):
    ...     key = passphrase.upper()
    ...     raise ValueError("wrong passphrase")
    >>> try:
    ...     unlock("swordfish")
    ... except ValueError as error:
    ...     frame = error.__traceback__.tb_next.tb_next.tb_frame
    >>> frame.f_code.co_name, frame.f_locals
    ('unlock', {})

Files, lines and messages stay. There is no switch that turns this off: a variable of the environment would turn it off
in production too. To look at the locals while you debug, stop before the exception leaves: with a breakpoint, or by
calling the function below the edge, which is its ``__wrapped__``.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["discreet", "discreet_class", "is_discreet"]

P = ParamSpec("P")
T = TypeVar("T")
Class = TypeVar("Class", bound=type)

_SPECIAL = frozenset(
    {
        "__bytes__",
        "__call__",
        "__delattr__",
        "__enter__",
        "__exit__",
        "__getattr__",
        "__getitem__",
        "__getstate__",
        "__init__",
        "__len__",
        "__reduce__",
        "__reduce_ex__",
        "__setattr__",
        "__setstate__",
    }
)


def discreet(function: Callable[P, T]) -> Callable[P, T]:
    """Let the frames of a function, and all below, forget their locals when an exception leaves it."""
    if is_discreet(function):
        return function

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        handled = sys.exception()
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs  # this frame is in the traceback, too
            _forget(error, handled)
            del handled
            raise

    call.__discreet__ = call  # type: ignore[attr-defined]  # itself, because another wrapper copies the attribute
    return call


def discreet_class(cls: Class) -> Class:
    """Make the public methods of a class discreet, and those that the language calls; properties too."""
    for name, thing in list(vars(cls).items()):
        if (not name.startswith("_") or name in _SPECIAL) and (edge := _edge(thing)) is not thing:
            setattr(cls, name, edge)
    return cls


def is_discreet(function: Any) -> bool:
    """Return whether a function is discreet already."""
    return getattr(function, "__discreet__", None) is function


def _edge(thing: Any) -> Any:
    """Return what a class has under a name, made discreet if it is a function of some kind."""
    if isinstance(thing, FunctionType):
        return discreet(thing)
    if isinstance(thing, classmethod | staticmethod) and not is_discreet(thing.__func__):
        return type(thing)(discreet(thing.__func__))
    if isinstance(thing, property) and thing.fget is not None and not is_discreet(thing.fget):
        return property(discreet(thing.fget), thing.fset, thing.fdel, thing.__doc__)
    return thing


def _forget(error: BaseException, handled: BaseException | None) -> None:
    """Clear the frames of an error and of those it came from, except for the one that the caller is handling."""
    known, todo = {id(None), id(handled)}, [error]
    while todo:
        if id(one := todo.pop()) in known:
            continue
        known.add(id(one))
        trace = one.__traceback__
        while trace is not None:
            with contextlib.suppress(RuntimeError):  # a frame that still runs: the edge itself, and its callers
                trace.tb_frame.clear()
            trace = trace.tb_next
        todo += (one.__cause__, one.__context__)  # type: ignore[arg-type]
        todo += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
