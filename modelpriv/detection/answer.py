"""Detection: what `detect` found out about the columns of a table."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from modelpriv._columns.records import to_frame

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelpriv._columns.records import PandasTable
    from modelpriv.detection.kinds import Proposal

__all__ = ["DetectedColumn", "Detection"]


@dataclass(frozen=True)
class DetectedColumn:
    """What one column was found to be.

    Parameters
    ----------
    name : str or int
        The column's name, or its position in a table without names.
    dtype : str
        Its dtype.
    kind : str
        What the cells are, such as ``"email"``.
    role : str
        ``"direct identifier"``, ``"quasi-identifier"``, ``"sensitive"`` or ``"other"``.
    confidence : float
        How sure the kind is, from 0 to 1. It orders columns; it is no probability.
    evidence : dict
        ``fits``, ``distinct`` and ``nulls`` are shares of the cells that were looked at; ``cells`` is how many these
        were; ``header`` is the phrase that the header holds, and ``why`` says what a person is to decide.
    review : bool
        Whether a person has to look at it.
    proposal : dict or str
        A transformer's name and its parameters, or ``"keep"``, ``"drop"`` or ``"review"``.
    """

    name: Any
    dtype: str
    kind: str
    role: str
    confidence: float
    evidence: dict[str, Any]
    review: bool
    proposal: Proposal


@dataclass(frozen=True, repr=False)
class Detection:
    """What the columns of a table are, with the evidence and a proposal for each; it holds no cell.

    *Protects against* a column that you forget. *Leaks* the names of columns and shares of cells. It *cannot* know what
    a column means: read it before you build on it, above all where it says review.

    Parameters
    ----------
    columns : tuple of DetectedColumn
        The columns, in the order of the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv.detection import detect
    >>> people = pd.DataFrame({"mail": ["ada@example.org", "alan@example.org"], "height": [1.65, 1.79]})
    >>> found = detect(people)
    >>> [(column.name, column.kind) for column in found.columns]
    [('mail', 'email'), ('height', 'measurement')]
    >>> found["mail"].proposal, found["height"].proposal
    ({'transformer': 'FieldEncryptor', 'parameters': {'mode': 'deterministic'}}, 'keep')
    """

    columns: tuple[DetectedColumn, ...]

    def __iter__(self) -> Iterator[DetectedColumn]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: object) -> DetectedColumn:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"No column is named {name!r}; there are {[column.name for column in self.columns]}.")

    @property
    def to_review(self) -> tuple[Any, ...]:
        """The names of the columns that a person has to look at."""
        return tuple(column.name for column in self.columns if column.review)

    def __repr__(self) -> str:
        rows = [_HEADINGS, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str:
        def row(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        return f"<table>{row(_HEADINGS, 'th')}{''.join(row(cells, 'td') for cells in self._rows())}</table>"

    def frame(self) -> PandasTable:
        """Return a pandas table with a row for each column, and the fields of `DetectedColumn`."""
        return to_frame(self.columns, DetectedColumn)

    def to_json(self) -> str:
        """Return the columns as JSON."""
        rows = [asdict(column) | {"name": _plain(column.name)} for column in self.columns]
        return json.dumps({"columns": rows}, ensure_ascii=False)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                repr(column.name)[1:-1] if isinstance(column.name, str) else repr(column.name),
                column.dtype,
                column.kind,
                column.role,
                f"{column.confidence:.0%}",
                _evidence(column.evidence),
                _words(column.proposal),
                "review" if column.review else "",
            )
            for column in self.columns
        ]


def _plain(name: Any) -> Any:
    return name if isinstance(name, (str, int)) else str(name)


def _evidence(evidence: dict[str, Any]) -> str:
    said = f"header {evidence['header']!r}, " if evidence["header"] else ""
    shares = f"{evidence['fits']:.0%} fit, {evidence['distinct']:.0%} distinct, {evidence['nulls']:.0%} null"
    return f"{said}{shares}" + (f"; {evidence['why']}" if evidence["why"] else "")


def _words(proposal: Proposal) -> str:
    if isinstance(proposal, str):
        return proposal
    parameters = ", ".join(f"{name}={value!r}" for name, value in proposal["parameters"].items())
    return f"{proposal['transformer']}({parameters})"


_HEADINGS = ("column", "dtype", "kind", "role", "confidence", "evidence", "proposal", "")
