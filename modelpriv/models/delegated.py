"""A method of a meta-estimator that exists if, and only if, the estimator inside it has it."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from modelpriv._core.discreet import discreet

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["delegated"]

Method = TypeVar("Method", bound="Callable[..., Any]")
_WITH_SIGNATURE = ("fit", "partial_fit", "score")  # whose parameters scikit-learn looks at


def delegated(function: Method) -> Method:
    """Delegate a method of a `DelegatingEstimator`; for a type checker it stays the function that it is."""
    return _Delegated(function)  # type: ignore[return-value]


class _Delegated:
    """A method that exists if the inner estimator has it. A fitting method also has the inner one's signature.

    scikit-learn reads the signature of ``fit`` to see whether an estimator takes sample weights.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = discreet(function)
        self.__doc__ = function.__doc__

    def __get__(self, wrapper: Any, owner: type) -> Callable[..., Any]:
        function, name = self._function, self._function.__name__
        if wrapper is None:
            return function
        bound: Callable[..., Any] = function.__get__(wrapper, owner)
        wrapper._unlock_at_hand()  # noqa: SLF001 - of the class that delegates
        if not wrapper._is_open():  # noqa: SLF001 - all methods exist then, and say what is missing when called
            return bound
        inner = wrapper._active()  # noqa: SLF001
        there = hasattr(inner, name) and not isinstance(inner, type)
        # scikit-learn takes it for granted that there is a fit; whether it works is said when it is called.
        if name != "fit" and not (there and wrapper._allows(name)):  # noqa: SLF001
            raise AttributeError(name)  # and __getattr__, which is asked then, says why
        return _with_signature(bound, getattr(inner, name)) if there and name.startswith(_WITH_SIGNATURE) else bound


def _with_signature(bound: Callable[..., Any], method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a bound method that shows the signature of another one."""
    shown = functools.partial(bound)
    functools.update_wrapper(shown, bound)
    shown.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return shown
