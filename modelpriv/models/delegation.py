"""A meta-estimator that does what the estimator inside it does, with the same signatures, tags and attributes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from modelpriv._core import compat, process
from modelpriv.errors import ParameterTypeError
from modelpriv.models.delegated import delegated
from modelpriv.models.writers import refuse_writer, writes

if TYPE_CHECKING:
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
# What scikit-learn's methods call their data; every other keyword is metadata, which is routed.
_DATA = {"X", "y", "Y", "raw_documents"}


class DelegatingEstimator(MetaEstimatorMixin, BaseEstimator):
    """Does in memory what its parameter ``estimator`` does. `fit` fits a clone, ``estimator_``.

    A child fills in the first section, if its inner estimator is not always available.
    """

    estimator: Any
    estimator_: Any

    def _is_open(self) -> bool:
        """Return whether the inner estimator can be asked now; this changes nothing."""
        return True

    def _unlock_at_hand(self) -> None:
        """Make the inner estimator available if that needs nothing from outside the process."""

    def _open(self) -> None:
        """Make the inner estimator available, or raise."""

    def _allows(self, name: str) -> bool:  # noqa: ARG002 - for children
        """Return whether the caller may see a method or attribute of the inner estimator."""
        return True

    def _check_use(self, name: str) -> None:
        """Raise if a method or attribute that the caller may see may not be used now."""

    def _check_parameters(self) -> None:
        """Refuse parameters that make no sense, before anything is fitted."""

    # --- the methods ---

    @delegated
    def fit(self, *args: Any, **params: Any) -> Self:
        """Fit a clone of the inner estimator, with the parameters that its ``fit`` takes.

        Returns
        -------
        self

        Raises
        ------
        ParameterError, ParameterTypeError
            A parameter of the wrapper is not allowed.
        KeyUnavailableError
            The key is not available.
        LockedError
            The object is locked.
        """
        self._fit("fit", *args, **params)
        return self

    @delegated
    def partial_fit(self, *args: Any, **params: Any) -> Self:
        """Continue a fit: the one of this object, or that of a copy of the estimator that was given."""
        self._fit("partial_fit", *args, **params)
        return self

    @delegated
    def fit_transform(self, *args: Any, **params: Any) -> Any:
        """Fit a clone of the inner estimator, and transform with it."""
        return self._fit("fit_transform", *args, **params)

    @delegated
    def fit_predict(self, *args: Any, **params: Any) -> Any:
        """Fit a clone of the inner estimator, and predict with it."""
        return self._fit("fit_predict", *args, **params)

    @delegated
    def fit_resample(self, *args: Any, **params: Any) -> Any:
        """Fit a clone of the inner sampler, and resample with it."""
        return self._fit("fit_resample", *args, **params)

    @delegated
    def predict(self, *args: Any, **params: Any) -> Any:
        """Predict with the inner estimator."""
        return self._call("predict", *args, **params)

    @delegated
    def predict_proba(self, *args: Any, **params: Any) -> Any:
        """Return the inner estimator's probabilities."""
        return self._call("predict_proba", *args, **params)

    @delegated
    def predict_log_proba(self, *args: Any, **params: Any) -> Any:
        """Return the inner estimator's logarithms of the probabilities."""
        return self._call("predict_log_proba", *args, **params)

    @delegated
    def decision_function(self, *args: Any, **params: Any) -> Any:
        """Return the inner estimator's decision function."""
        return self._call("decision_function", *args, **params)

    @delegated
    def score_samples(self, *args: Any, **params: Any) -> Any:
        """Return the inner estimator's score of each sample."""
        return self._call("score_samples", *args, **params)

    @delegated
    def score(self, *args: Any, **params: Any) -> Any:
        """Return the inner estimator's score."""
        return self._call("score", *args, **params)

    @delegated
    def transform(self, *args: Any, **params: Any) -> Any:
        """Transform with the inner estimator."""
        return self._call("transform", *args, **params)

    @delegated
    def inverse_transform(self, *args: Any, **params: Any) -> Any:
        """Transform back with the inner estimator."""
        return self._call("inverse_transform", *args, **params)

    @delegated
    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the inner estimator's output."""
        return self._call("get_feature_names_out", input_features)

    @delegated
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

    def _fit(self, method: str, *args: Any, **params: Any) -> Any:
        self._open()
        self._check_use(method)
        self._check_parameters()
        if isinstance(self.estimator, type) or not hasattr(self.estimator, "fit"):
            raise ParameterTypeError(f"estimator must be an instance with fit, got {type(self.estimator).__name__}.")
        fitted = self._to_fit(method)
        with compat.without_autologging():
            result = getattr(fitted, method)(*args, **self._route(method, params))
        self.estimator_ = fitted
        if process.settings.fitted is not None:
            process.settings.fitted(self, args, params)
        return result

    def _to_fit(self, method: str) -> Any:
        """Return the estimator that is fitted: a clone, or the fitted one where a fit goes on."""
        fitted_here = self.__dict__.get("estimator_")
        if method == "partial_fit" and fitted_here is None and _is_fitted(self.estimator):
            return copy.deepcopy(self.estimator)
        if fitted_here is not None and method == "partial_fit":
            return fitted_here
        if fitted_here is not None and getattr(self.estimator, "warm_start", False):
            return fitted_here.set_params(**self.estimator.get_params(deep=False))
        return clone(self.estimator)

    def _active(self) -> Any:
        """Return the inner estimator that does the work: the one fitted here, else the one that was given."""
        self._open()
        return self.__dict__.get("estimator_", self.__dict__.get("estimator"))

    def _call(self, method: str, *args: Any, **params: Any) -> Any:
        inner = self._active()
        self._check_use(method)
        return getattr(inner, method)(*args, **self._route(method, params))

    def _route(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        metadata = {name: value for name, value in params.items() if name not in _DATA}
        if not metadata or not get_config()["enable_metadata_routing"]:
            return params
        data = {name: value for name, value in params.items() if name in _DATA}
        routed: dict[str, Any] = process_routing(self, method, **metadata).estimator[method]
        return data | routed

    # --- the rest ---

    def __getattr__(self, name: str) -> Any:
        # Only called for what is missing. What was learnt, the inner parameters and what the inner class defines are
        # handed out; methods that would change or write it behind the wrapper's back are not.
        inner = None if name == "estimator_" or "estimator" not in self.__dict__ else self._active()
        if inner is not None and writes(name) and callable(getattr(inner, name, None)):
            return refuse_writer(self, inner, name)
        mutates = name.startswith(("_", "set_", "fit", "partial_fit"))
        known = inner is not None and not mutates and (name.endswith("_") or _has(inner, name))
        if known and self._allows(name):
            self._check_use(name)
            return getattr(self.estimator if name in _parameters(inner) else inner, name)
        reason = ": its policy does not allow it" if known else ""
        raise AttributeError(f"this {type(self).__name__} has no {name}{reason}.")

    def __setattr__(self, name: str, value: Any) -> None:
        inner = self.__dict__.get("estimator")
        if inner is not None and name not in self._get_param_names() and name in _parameters(inner):
            setattr(inner, name, value)  # scikit-learn sets the parameters that it can read
        else:
            super().__setattr__(name, value)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; a name that only the inner estimator has sets its parameter.

        Parameters
        ----------
        **params
            Names and values; ``estimator__alpha`` names the inner estimator's ``alpha`` in any case.

        Returns
        -------
        self
        """
        inner = self.__dict__.get("estimator")
        theirs: set[str] = set()
        if inner is not None and _parameters(inner):
            theirs = {name.partition("__")[0] for name in inner.get_params()}
        theirs -= set(self._get_param_names())
        super().set_params(
            **{f"estimator__{name}" if name.partition("__")[0] in theirs else name: params[name] for name in params}
        )
        return self

    def __getitem__(self, key: Any) -> Any:
        """Return what the inner estimator has at an index: a step of a pipeline, a member of an ensemble."""
        return self._container("__getitem__")(key)

    def __len__(self) -> int:
        """Return the inner estimator's length: the number of steps or members."""
        return int(self._container("__len__")())

    def __bool__(self) -> bool:
        return True  # and not what the length of some inner estimators would say

    def _container(self, method: str) -> Any:
        inner = self._active()
        if not hasattr(type(inner), method):
            raise TypeError(f"this {type(self).__name__} wraps a {type(inner).__name__}, which has no {method}.")
        self._check_use(method)
        return getattr(inner, method)

    def __sklearn_tags__(self) -> Any:
        self._unlock_at_hand()
        return copy.deepcopy(get_tags(self._active())) if self._is_open() else super().__sklearn_tags__()

    def __sklearn_is_fitted__(self) -> bool:
        self._unlock_at_hand()
        # Whether a locked one is fitted is not known; it is for its first use to say what is wrong.
        return not self._is_open() or "estimator_" in self.__dict__ or _is_fitted(self.estimator)


def _has(inner: Any, name: str) -> bool:
    return hasattr(type(inner), name) or name in _parameters(inner)


def _parameters(inner: Any) -> set[str]:
    """Return the names of an estimator's own parameters."""
    cls = type(inner)
    names = getattr(cls, "_get_param_names", None)
    return set(names()) if callable(names) and not isinstance(inner, type) else set()


def _is_fitted(estimator: Any) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
