"""What a Deidentifier is going to do to a table, column by column, before it does it."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from modelpriv._columns.records import PandasTable, to_frame
from modelpriv.tables import restoring
from modelpriv.tables.shows import comes_back, shows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelpriv.tables.rules import ColumnRule

__all__ = ["Plan", "PlannedColumn", "named", "planned"]


@dataclass(frozen=True)
class PlannedColumn:
    """What becomes of one column.

    It holds no value of the table.

    Parameters
    ----------
    column : str
        The column of the input.
    released : str
        Its name in the result; empty if it is dropped.
    dtype : str
        What it holds: ``"number"``, ``"text"``, ``"time"``, ``"bool"``.
    rule : str
        What protects it.
    shows : str
        What everyone still sees.
    comes_back : str
        Who can turn it back.
    context : str
        What its key is tied to: columns of one keyring and context join.

    Examples
    --------
    >>> from modelpriv.tables import PlannedColumn
    >>> PlannedColumn("age", "age", "number", "keep", "everything", "it did not change", "").rule
    'keep'
    """

    column: str
    released: str
    dtype: str
    rule: str
    shows: str
    comes_back: str
    context: str


@dataclass(frozen=True)
class Plan:
    """What becomes of each column of a table: print it, or look at it in a notebook.

    It protects nothing. It leaks names of columns, and no value. It cannot tell whether the result is anonymous:
    a check of the result tells who can be singled out.

    Parameters
    ----------
    columns : tuple of PlannedColumn
        A row for each column that comes in, and each further one that comes out.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import Deidentifier, Masker
    >>> people = pd.DataFrame({"name": ["Ada Lovelace"], "age": [36]})
    >>> plan = Deidentifier({"name": Masker("name"), "age": "keep"}).plan(people)
    >>> [(one.column, one.shows) for one in plan.columns]
    [('name', "lengths, what the format 'name' keeps, nulls"), ('age', 'everything')]
    """

    columns: tuple[PlannedColumn, ...]

    def frame(self) -> PandasTable:
        """Return the rows as a pandas table."""
        return to_frame(self.columns, PlannedColumn)

    def to_json(self) -> str:
        """Return the rows as JSON."""
        return json.dumps([asdict(column) for column in self.columns])

    def __str__(self) -> str:
        rows = [_HEAD, *map(_cells, self.columns)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str:
        def row(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        return f"<table>{row(_HEAD, 'th')}{''.join(row(_cells(column), 'td') for column in self.columns)}</table>"


def planned(rules: list[ColumnRule], names: list[Any], kinds: list[str]) -> Plan:
    """Return the plan for a table with these columns."""
    rows = []
    order = restoring.order(rules, [[] if isinstance(rule.steps, str) else list(rule.steps) for rule in rules], names)
    for number, rule in enumerate(rules):
        text = rule.steps if isinstance(rule.steps, str) else " → ".join(map(named, rule.steps))
        for position, released in zip(rule.positions, _released(rule), strict=True):
            rows.append(
                PlannedColumn(
                    str(names[position]),
                    released,
                    kinds[position],
                    text,
                    shows(rule.steps),
                    comes_back(rule.steps, restored=number in order),
                    _context(rule.steps, names[position]),
                )
            )
    return Plan(tuple(rows))


_HEAD = ("column", "released", "dtype", "rule", "shows", "comes back", "context")


def _cells(column: PlannedColumn) -> tuple[str, ...]:
    return tuple(value.replace("\n", " ") for value in asdict(column).values())


def _released(rule: ColumnRule) -> list[str]:
    if rule.steps == "drop":
        return [""] * len(rule.positions)
    return [str(name) for name in rule.names] if len(rule.names) == len(rule.positions) else ["…"] * len(rule.positions)


def named(step: Any) -> str:
    """Return a transformer as one would write it, without its key and columns."""
    given = {
        name: value
        for name, value in step.get_params(deep=False).items()
        if name not in {"key", "columns"} and not _is_default(step, name, value)
    }
    return f"{type(step).__name__}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def _is_default(step: Any, name: str, value: Any) -> bool:
    import inspect  # noqa: PLC0415 - 10 ms that only a plan needs

    default = inspect.signature(type(step)).parameters[name].default
    return value is default or (isinstance(value, str | int | float) and value == default)


def _context(steps: tuple[Any, ...] | str, name: Any) -> str:
    """Return the context of the last keyed transformer."""
    keyed = [step for step in steps if not isinstance(step, str) and hasattr(step, "context")]
    if not keyed:
        return ""
    context, subject = keyed[-1].context, getattr(keyed[-1], "subject", None)
    name = name if subject is None else subject
    return str(context.get(name, name) if isinstance(context, dict) else context or name)
