"""The parameters of an estimator whose rules hold other estimators, as scikit-learn nests them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import KeyParameter
from modelpriv.tables.rules import members, replaced

if TYPE_CHECKING:
    from typing import Self

__all__ = ["NestedRules"]


class NestedRules(BaseEstimator):
    """An estimator with the parameters `rules` and `key`."""

    key = KeyParameter()
    rules: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - scikit-learn's signature
        """Return the parameters; those of transformers in the rules as ``column__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return those of the transformers too.

        Returns
        -------
        params : dict
        """
        params = dict(super().get_params(deep=False))
        if not deep:
            return params
        for name, step in _members(self.rules):
            params[name] = step
            params |= {f"{name}__{inner}": value for inner, value in step.get_params(deep=True).items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also of transformers in the rules. ``key`` also unlocks the fitted transformers.

        Parameters
        ----------
        **params
            Names and values.

        Returns
        -------
        self
        """
        steps = dict(_members(self.rules))
        for name in sorted(params.keys() - super().get_params(deep=False).keys(), key=len):
            owner = max((one for one in steps if name == one or name.startswith(f"{one}__")), key=len, default=None)
            if owner is None:
                raise ParameterError(f"{name!r} is not a parameter of this Deidentifier: see get_params().")
            value = params.pop(name)
            if name == owner:
                self.rules = replaced(self.rules, owner, value)
                steps = dict(_members(self.rules))
            else:
                steps[owner].set_params(**{name.removeprefix(f"{owner}__"): value})
        super().set_params(**params)
        if "key" in params:
            self._hand_on_key()
        return self

    def _hand_on_key(self) -> None:
        """Give the key to the fitted transformers that inherited it."""
        own = {name: getattr(step, "key", None) for name, step in _members(self.rules)}
        for label, steps in getattr(self, "steps_", []):
            for number, step in enumerate(steps):
                if hasattr(step, "key") and own.get(label, own.get(f"{label}[{number}]")) is None:
                    step.set_params(key=self.key)


def _members(rules: object) -> list[tuple[str, Any]]:
    """Return the transformers in the rules; none of rules that `fit` will refuse."""
    try:
        return [(name, step) for name, step in members(rules) if hasattr(step, "get_params")]
    except ParameterTypeError:
        return []
