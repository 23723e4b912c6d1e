"""Giving a released table back: which columns can be, in which order, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelpriv._columns.frame import Built, open_frame
from modelpriv.transformers.base import BaseColumnTransformer

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelpriv._columns.frame import Frame
    from modelpriv.tables.rules import ColumnRule

__all__ = ["Restorer", "apply", "order"]

Restorer = list[int]
"""The numbers of the rules whose columns can be given back, each after those that it needs."""


def order(rules: list[ColumnRule], steps: list[list[Any]], names: list[Any]) -> Restorer:
    """Find the rules that can be undone, in an order in which each has the columns at hand that it refers to."""
    at_hand = {name for rule in rules if rule.steps == "keep" for name in rule.names}
    waiting = [number for number, rule in enumerate(rules) if _is_own(rule, names) and _can_undo(steps[number])]
    found: Restorer = []
    while ready := [number for number in waiting if _references(steps[number], names) <= at_hand]:
        found += ready
        at_hand |= {name for number in ready for name in rules[number].names}
        waiting = [number for number in waiting if number not in ready]
    return found


def apply(
    method: str, rule: ColumnRule, steps: list[Any], frame: Frame, *, names: list[Any], restored: dict[Any, Built]
) -> dict[Any, Built]:
    """Call a method of a rule's transformers, last first, on its columns and those that they refer to."""
    built = {name: restored.get(name) for name in rule.names}
    for step in reversed(steps):
        references = sorted(_references([step], names), key=names.index)
        wanted = [name for name in names if name in rule.names or name in references]
        table = frame.assembled(
            [(name, frame.names.index(name), built.get(name, restored.get(name))) for name in wanted]
        )
        call: Callable[[Any], Any] = getattr(step, method)
        result = open_frame(call(table))
        for name in rule.names:
            column = result.column(result.names.index(name))
            built[name] = Built(column.data, column.dtype, column.categories)
    return {name: column for name, column in built.items() if column is not None}


def _is_own(rule: ColumnRule, names: list[Any]) -> bool:
    """Tell whether a rule's columns have the names that they came in with."""
    return rule.protects and rule.names == tuple(names[position] for position in rule.positions)


def _can_undo(steps: list[Any]) -> bool:
    return all(
        isinstance(step, BaseColumnTransformer) and hasattr(step, "columns") and hasattr(step, "inverse_transform")
        for step in steps
    )


def _references(steps: list[Any], names: list[Any]) -> set[Any]:
    """Return the names of the columns that transformers read and leave as they are."""
    found = {name for step in steps for name in step._reference_names()}  # noqa: SLF001 - of our own base class
    return {names[name] if isinstance(name, int) and name not in names else name for name in found}
