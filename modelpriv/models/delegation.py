"""A meta-estimator that does whatever the estimator inside it does, with the same signatures, tags and attributes."""

from __future__ import annotations

import contextlib
import copy
import inspect
import sys
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from modelpriv.errors import ParameterTypeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["METHODS", "DelegatingEstimator"]

METHODS = (
    "fit",
    "partial_fit",
    "fit_transform",
    "fit_predict",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
    "transform",
    "inverse_transform",
)


class _Delegated:
    """A method that is there if the inner estimator has it; of those that fit, the signature is the inner one's too.

    scikit-learn asks for the signature of ``fit`` to see whether an estimator takes sample weights.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __get__(self, wrapper: DelegatingEstimator | None, _: type) -> Callable[..., Any]:
        function, name = self._function, self._function.__name__
        if wrapper is not None and wrapper._is_open():  # noqa: SLF001 - part of the class below
            inner = wrapper._active()  # noqa: SLF001
            there = hasattr(inner, name) and not isinstance(inner, type)
            # scikit-learn takes it for granted that there is a fit; whether it works is said when it is called.
            if name != "fit" and not (there and wrapper._allows(name)):  # noqa: SLF001
                raise AttributeError(name)  # and __getattr__, which is asked then, says why
            if there and "fit" in name:
                function = _with_signature(function, getattr(inner, name))
        return function if wrapper is None else MethodType(function, wrapper)


def _with_signature(function: Callable[..., Any], method: Callable[..., Any]) -> Callable[..., Any]:
    """Copy a function of the class so that, bound, it shows a method's signature."""
    shown = FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    theirs = inspect.signature(method)
    shown.__signature__ = theirs.replace(parameters=[this, *theirs.parameters.values()])  # type: ignore[attr-defined]
    shown.__doc__ = function.__doc__
    return shown


class DelegatingEstimator(MetaEstimatorMixin, BaseEstimator):
    """Does in memory all that its parameter ``estimator`` does; `fit` fits a clone, ``estimator_``.

    A child fills in the first section, if there are times when the inner estimator is not to be had.
    """

    estimator: Any
    estimator_: Any

    def _is_open(self) -> bool:
        """Tell whether the inner estimator can be asked now; if not, all methods are there and say so when called."""
        return True

    def _open(self) -> None:
        """Make the inner estimator available, or raise."""

    def _allows(self, name: str) -> bool:  # noqa: ARG002 - for children
        """Tell whether a method or fitted attribute of the inner estimator is there for the caller."""
        return True

    def _check_use(self, name: str) -> None:
        """Raise if a method or fitted attribute that is there may not be used now."""

    def _check_parameters(self) -> None:
        """Refuse parameters that make no sense, before anything is fitted."""

    # --- the methods ---

    @_Delegated
    def fit(self, X: Any, y: Any = None, *args: Any, **params: Any) -> Self:
        """Fit a clone of the inner estimator, with the parameters that its ``fit`` takes.

        Returns
        -------
        self

        Raises
        ------
        ParameterError, ParameterTypeError
            A parameter of the wrapper is not allowed.
        KeyUnavailableError
            The key cannot be had.
        LockedError
            The object is locked.
        """
        self._fit("fit", X, y, *args, **params)
        return self

    @_Delegated
    def partial_fit(self, X: Any, y: Any = None, *args: Any, **params: Any) -> Self:
        """Go on fitting what was fitted: here, or a copy of the estimator that was given."""
        self._fit("partial_fit", X, y, *args, **params)
        return self

    @_Delegated
    def fit_transform(self, X: Any, y: Any = None, *args: Any, **params: Any) -> Any:
        """Fit a clone of the inner estimator, and transform with it."""
        return self._fit("fit_transform", X, y, *args, **params)

    @_Delegated
    def fit_predict(self, X: Any, y: Any = None, *args: Any, **params: Any) -> Any:
        """Fit a clone of the inner estimator, and predict with it."""
        return self._fit("fit_predict", X, y, *args, **params)

    @_Delegated
    def predict(self, X: Any, *args: Any, **params: Any) -> Any:
        """Predict with the inner estimator."""
        return self._call("predict", X, *args, **params)

    @_Delegated
    def predict_proba(self, X: Any, *args: Any, **params: Any) -> Any:
        """Give the inner estimator's probabilities."""
        return self._call("predict_proba", X, *args, **params)

    @_Delegated
    def predict_log_proba(self, X: Any, *args: Any, **params: Any) -> Any:
        """Give the inner estimator's logarithms of the probabilities."""
        return self._call("predict_log_proba", X, *args, **params)

    @_Delegated
    def decision_function(self, X: Any, *args: Any, **params: Any) -> Any:
        """Give the inner estimator's decision function."""
        return self._call("decision_function", X, *args, **params)

    @_Delegated
    def score_samples(self, X: Any, *args: Any, **params: Any) -> Any:
        """Give the inner estimator's score of each sample."""
        return self._call("score_samples", X, *args, **params)

    @_Delegated
    def score(self, X: Any, y: Any = None, *args: Any, **params: Any) -> Any:
        """Give the inner estimator's score."""
        return self._call("score", X, y, *args, **params)

    @_Delegated
    def transform(self, X: Any, *args: Any, **params: Any) -> Any:
        """Transform with the inner estimator."""
        return self._call("transform", X, *args, **params)

    @_Delegated
    def inverse_transform(self, X: Any, *args: Any, **params: Any) -> Any:
        """Transform back with the inner estimator."""
        return self._call("inverse_transform", X, *args, **params)

    @_Delegated
    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Give the names of the inner estimator's output."""
        return self._call("get_feature_names_out", input_features)

    @_Delegated
    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose the container of the inner estimator's output."""
        for inner in {id(inner): inner for inner in (self.estimator, self._active())}.values():
            inner.set_output(transform=transform)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Say that all metadata goes to the inner estimator.

        Returns
        -------
        routing : MetadataRouter
        """
        self._open()
        mapping = MethodMapping()
        for method in METHODS:
            mapping.add(caller=method, callee=method)
        return MetadataRouter(owner=type(self).__name__).add(estimator=self.estimator, method_mapping=mapping)

    def _fit(self, method: str, X: Any, y: Any, *args: Any, **params: Any) -> Any:
        self._open()
        self._check_use(method)
        self._check_parameters()
        if isinstance(self.estimator, type) or not hasattr(self.estimator, "fit"):
            raise ParameterTypeError(f"estimator must be an instance with fit, got {type(self.estimator).__name__}.")
        if method == "partial_fit" and "estimator_" in self.__dict__:
            fitted = self.estimator_
        elif method == "partial_fit" and _is_fitted(self.estimator):
            fitted = copy.deepcopy(self.estimator)
        else:
            fitted = clone(self.estimator)
        with _without_autologging():
            result = getattr(fitted, method)(X, y, *args, **self._route(method, params))
        self.estimator_ = fitted
        return result

    def _active(self) -> Any:
        """Give the inner estimator that does the work: the one fitted here, else the one that was given."""
        self._open()
        return self.__dict__.get("estimator_", self.__dict__.get("estimator"))

    def _call(self, method: str, *args: Any, **params: Any) -> Any:
        inner = self._active()
        self._check_use(method)
        return getattr(inner, method)(*args, **self._route(method, params))

    def _route(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if not params or not get_config()["enable_metadata_routing"]:
            return params
        routed: dict[str, Any] = process_routing(self, method, **params).estimator[method]
        return routed

    # --- the rest ---

    def __getattr__(self, name: str) -> Any:
        # Only called for what is not there. What was learnt and what the inner class defines is handed out, but neither
        # its parameters nor what would change it behind the wrapper's back.
        inner = None if name == "estimator_" or "estimator" not in self.__dict__ else self._active()
        mutates = name.startswith(("_", "set_", "fit", "partial_fit"))
        known = inner is not None and not mutates and (name.endswith("_") or hasattr(type(inner), name))
        if known and self._allows(name):
            self._check_use(name)
            return getattr(inner, name)
        reason = ": its policy does not allow it" if known else ""
        raise AttributeError(f"this {type(self).__name__} has no {name}{reason}.")

    def __sklearn_tags__(self) -> Any:
        return copy.deepcopy(get_tags(self._active())) if self._is_open() else super().__sklearn_tags__()

    def __sklearn_is_fitted__(self) -> bool:
        # Whether a locked one is fitted is not known; it is for its first use to say what is wrong.
        return not self._is_open() or "estimator_" in self.__dict__ or _is_fitted(self.estimator)


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _without_autologging() -> contextlib.AbstractContextManager[Any]:
    """Keep MLflow, if it logs what is fitted, from logging the inner estimator's class and hyper-parameters."""
    autologging = sys.modules.get("mlflow.utils.autologging_utils")
    disabled: contextlib.AbstractContextManager[Any] = (
        contextlib.nullcontext() if autologging is None else autologging.disable_autologging()
    )
    return disabled
