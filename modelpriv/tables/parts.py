"""The fitted parts of a Deidentifier: the transformers of one rule, one after another, on columns of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from modelpriv._columns.frame import Built, open_frame
from modelpriv.errors import InputError, ParameterError
from modelpriv.transformers.base import BaseColumnTransformer

if TYPE_CHECKING:
    from modelpriv._columns.frame import Frame
    from modelpriv.tables.rules import ColumnRule

__all__ = ["Outcome", "fit_part", "prepared", "transform_part"]

Outcome = list[tuple[Any, int, Built]]
"""The columns that a rule gives: the name of each, the position that it comes from, and what it holds."""


def prepared(rule: ColumnRule, frame: Frame, key: Any) -> list[Any]:
    """Return fresh copies of a rule's transformers, for its columns, with the key that they inherit."""
    names = [frame.names[position] for position in rule.positions]
    made = []
    for step in rule.steps:
        fresh = clone(step)
        parameters = fresh.get_params(deep=False)
        declaring = next((name for name in ("columns", "quasi") if name in parameters), None)
        if declaring is not None:
            if parameters[declaring] is not None:
                raise ParameterError(
                    f"the transformer for {rule.label} has {declaring}=: leave it out, the rule says which."
                )
            fresh.set_params(**{declaring: names if frame.named else list(rule.positions)})
        if key is not None and "key" in parameters and parameters["key"] is None and not parameters.get("recipients"):
            fresh.set_params(key=key)
        made.append(fresh)
    return made


def fit_part(rule: ColumnRule, steps: list[Any], frame: Frame, y: Any, whole: dict[str, int]) -> Outcome:
    """Fit the transformers of a rule, and protect its columns."""
    return _run(rule, steps, frame, y, whole, fitting=True)


def transform_part(rule: ColumnRule, steps: list[Any], frame: Frame, whole: dict[str, int]) -> Outcome:
    """Protect the columns of a rule."""
    return _run(rule, steps, frame, None, whole, fitting=False)


def _run(rule: ColumnRule, steps: list[Any], frame: Frame, y: Any, whole: dict[str, int], *, fitting: bool) -> Outcome:
    # Each step sees the columns as the one before left them, and all other columns as they came in.
    current, built = frame, dict[int, Built]()
    for number, step in enumerate(steps):
        if not _by_column(step):
            if len(steps) > 1:
                raise ParameterError(
                    f"the rule for {rule.label} chains a {type(step).__name__}, which is not a transformer of columns: "
                    "let it be the only one."
                )
            return _foreign(rule, step, frame, y, fitting=fitting)
        columns, call = step._fit(current, y) if fitting else step._prepare(current)  # noqa: SLF001 - of our own base class
        built = step._built(columns, call)  # noqa: SLF001
        for name, count in (getattr(call, "whole", None) or getattr(call, "covered", {})).items():
            whole[str(name)] = whole.get(str(name), 0) + count
        if number + 1 < len(steps):
            current = open_frame(frame.replaced(built))
    return [(name, position, built[position]) for name, position in zip(rule.names, rule.positions, strict=True)]


def _by_column(step: Any) -> bool:
    """Tell whether a transformer protects each of the columns that it is told, and leaves the others."""
    return isinstance(step, BaseColumnTransformer) and "columns" in step.get_params(deep=False)


def _foreign(rule: ColumnRule, step: Any, frame: Frame, y: Any, *, fitting: bool) -> Outcome:
    """Run a transformer of another library, or of many columns at once, on a table of its columns alone."""
    table = frame.assembled([(frame.names[position], position, None) for position in rule.positions])
    result = step.fit_transform(table, y) if fitting else step.transform(table)
    if not hasattr(result, "shape") or len(result.shape) != 2:  # noqa: PLR2004 - rows and columns
        raise InputError(f"the {type(step).__name__} for {rule.label} gave no table of rows and columns.")
    made = open_frame(np.asarray(result) if type(result).__module__.startswith("scipy") else result)
    if made.n_rows != frame.n_rows:
        raise InputError(
            f"the {type(step).__name__} for {rule.label} gave {made.n_rows} rows of {frame.n_rows}: rules may not add "
            "or remove rows."
        )
    names = rule.names
    if len(made.names) != len(names):
        names = tuple(map(str, step.get_feature_names_out()))
    found = []
    for place, name in enumerate(names):
        column = made.column(place)
        position = rule.positions[min(place, len(rule.positions) - 1)]
        found.append((name, position, Built(column.data, column.dtype, column.categories)))
    return found
