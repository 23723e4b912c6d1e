"""What a fitted transformer keeps: plain data with a version, so that later versions open what earlier ones pickled."""

from __future__ import annotations

from typing import Any

from modelpriv.errors import InputError

__all__ = ["VERSION", "PlainState", "State", "without"]

State = dict[str, Any]
"""What is kept of one column: built-in types and numpy arrays, by name."""

VERSION = 1
"""The version of the layout of `PlainState`; a release that changes it reads all earlier ones."""


class PlainState:
    """Keeps what `fit` learnt in one dict of plain data, `_fitted`, that says which version of the layout it has.

    pickle, joblib, skops and copies write and read it through `__getstate__` and `__setstate__`, so a pickle names no
    class but the estimator's own, and those of its parameters.
    """

    _fitted: State

    def _keep(self, **facts: Any) -> None:
        """Keep facts under their names, in a dict of its own: copies of this object keep theirs."""
        self._fitted = {"version": VERSION} | getattr(self, "_fitted", {}) | facts

    def _kept(self, name: str) -> Any:
        """Return a fact that `fit` kept."""
        if "_fitted" not in vars(self):
            raise AttributeError(f"This {type(self).__name__} is not fitted.")
        return self._fitted[name]

    def __setstate__(self, state: State) -> None:
        _check_version(type(self).__name__, state)
        super().__setstate__(state)  # type: ignore[misc]  # of scikit-learn's BaseEstimator


def without(state: State, *names: str) -> State:
    """Return a state without some of its facts: those that only a fit needs."""
    return {name: fact for name, fact in state.items() if name not in names}


def _check_version(name: str, state: State) -> None:
    fitted = state.get("_fitted")
    if fitted is None:
        if "n_features_in_" in state or "_states" in state:
            raise InputError(
                f"This {name} was fitted by a development version of modelpriv, before 0.1.0, and cannot be opened. "
                "Fit it again."
            )
        return
    if fitted.get("version") != VERSION:
        raise InputError(
            f"This {name} was fitted by another version of modelpriv (layout {fitted.get('version')!r}; this version "
            f"reads {VERSION}). Open it with the version that wrote it, or a newer one."
        )
