"""What a DriftMonitor says: a row for each column, with counts that are large enough to be given out."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2_contingency

from modelpriv._columns.records import PandasTable, to_frame
from modelpriv._core.optional import need
from modelpriv.errors import ParameterError

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv.serving.profiles import Seen

__all__ = ["ColumnDrift", "DriftReport", "compared", "psi"]

_EMPTY = 1e-4  # what an empty share counts as
_CHANCE = 0.001  # a p-value below this counts as drift


@dataclass(frozen=True)
class ColumnDrift:
    """What has become of one column.

    It leaks shares of counts of ``k`` and more. A figure that is None is not given out, or says nothing; ``note`` says
    why.

    Parameters
    ----------
    name : str
        The column.
    kind : {"numbers", "text", "tokens"}
        What it holds.
    rows : int
        How many rows were compared; 0 if there were fewer than ``k``.
    nulls_before, nulls_now : float or None
        The share of nulls.
    length_before, length_now : float or None
        The mean length of text, in whole characters.
    unseen : float or None
        The share of rows whose value never occurred in the reference.
    psi : float or None
        The population stability index.
    p_value : float or None
        Of Pearson's chi-square test.
    drifted : bool
        Whether the PSI reaches the threshold, and the p-value is below 0.001.
    note : str
        What to know about it.

    Examples
    --------
    >>> from modelpriv.serving import ColumnDrift
    >>> ColumnDrift("age", "numbers", 500, 0.0, 0.0, None, None, None, 0.31, 1e-9, True, "").drifted
    True
    """

    name: str
    kind: str
    rows: int
    nulls_before: float | None
    nulls_now: float | None
    length_before: float | None
    length_now: float | None
    unseen: float | None
    psi: float | None
    p_value: float | None
    drifted: bool
    note: str


@dataclass(frozen=True)
class DriftReport:
    """How far the rows that a service got are from the reference.

    It protects the rows: it holds aggregates of ``k`` rows and more, and no value. It leaks those aggregates. It does
    not say why something changed.

    Parameters
    ----------
    columns : tuple of ColumnDrift
        A row for each column of the reference.
    k : int
        The least count that is given out.
    threshold : float
        The PSI from which on a column counts as drifted.

    Examples
    --------
    >>> from modelpriv.serving import DriftReport
    >>> DriftReport((), 20, 0.2).drifted
    ()
    """

    columns: tuple[ColumnDrift, ...]
    k: int
    threshold: float

    @property
    def rows(self) -> int:
        """How many rows were compared, at most."""
        return max((column.rows for column in self.columns), default=0)

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The columns that drifted."""
        return tuple(column for column in self.columns if column.drifted)

    @property
    def largest(self) -> float:
        """The largest PSI of the columns that drifted; 0 if none did."""
        return max((column.psi for column in self.drifted if column.psi is not None), default=0.0)

    def frame(self) -> PandasTable:
        """Return the rows as a pandas table."""
        return to_frame(self.columns, ColumnDrift)

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(
            {"k": self.k, "threshold": self.threshold, "columns": [asdict(column) for column in self.columns]}
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the PSI of each column, and the threshold; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        ax : matplotlib Axes
        """
        pyplot: Any = need("matplotlib.pyplot", "plot", error=ParameterError)
        if ax is None:
            _, ax = pyplot.subplots(figsize=(6, 0.4 * len(self.columns) + 1))
        known = [column for column in self.columns if column.psi is not None]
        colors = ["tab:red" if column.drifted else "tab:blue" for column in known]
        ax.barh([column.name for column in known], [column.psi for column in known], color=colors)
        ax.axvline(self.threshold, color="0.4", linestyle="--", label="threshold")
        ax.set_xlabel("population stability index")
        ax.legend()
        return ax

    def __str__(self) -> str:
        rows = [("column", "kind", "rows", "PSI", "nulls", "unseen", "")]
        for one in self.columns:
            mark = "drifted" if one.drifted else one.note
            cells = (
                one.name,
                one.kind,
                f"{one.rows:,}",
                _shown(one.psi),
                _shown(one.nulls_now),
                _shown(one.unseen),
                mark,
            )
            rows.append(cells)
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )


def compared(
    name: Any, kind: str, before: Seen, now: Seen, *, k: int, threshold: float, telling: bool, elsewhere: int
) -> ColumnDrift:
    """Compare what was counted of a column in the reference and now."""
    notes = []
    if elsewhere:
        many = f"{elsewhere:,}" if elsewhere >= k else f"fewer than {k}"
        notes.append(f"{many} rows are under a key id that the reference does not have: fit on it again")
    few = now.rows < k
    if few:
        notes.append(f"fewer than {k} rows to compare")
    elif not telling:
        notes.append("no value is frequent enough to compare, as with randomized tokens")
    one, other = pooled(before.counts, now.counts, k)
    comparable = telling and not few
    if comparable and np.count_nonzero(one + other) == 1 < np.count_nonzero(before.counts + now.counts):
        notes.append(f"fewer than {k} rows of each value but one, so there is nothing to compare")
        comparable = False
    distance = psi(one, other) if comparable else None
    chance = None if distance is None else _p_value(one, other)
    if distance is not None and distance >= threshold and not _is_sure(chance):
        notes.append("few rows alone could explain the distance")
    of_text = kind != "numbers" and not few
    return ColumnDrift(
        name=str(name),
        kind=kind,
        rows=0 if few else now.rows,
        nulls_before=_share(before.nulls, before.rows, k),
        nulls_now=None if few else _share(now.nulls, now.rows, k),
        length_before=_mean(before.length, before.rows - before.nulls, k) if of_text else None,
        length_now=_mean(now.length, now.rows - now.nulls, k) if of_text else None,
        unseen=_share(now.unseen, now.rows, k) if of_text and telling else None,
        psi=distance,
        p_value=chance,
        drifted=distance is not None and distance >= threshold and _is_sure(chance),
        note="; ".join(notes),
    )


def _is_sure(p_value: float | None) -> bool:
    """Tell whether chance is out of the question: with few rows, a large distance says little."""
    return p_value is not None and p_value < _CHANCE


def pooled(
    before: npt.NDArray[Any], now: npt.NDArray[Any], k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Add up bins until none has a count between 0 and k, so that no figure follows from a small count.

    Both figures have all digits, and who knows the other counts could compute the one of a single row from them.
    """
    groups: list[npt.NDArray[np.int64]] = []
    rest = np.zeros(2, np.int64)
    for counts in np.stack([before, now], axis=1).astype(np.int64):
        if not _is_small(counts, k):
            groups.append(counts)
            continue
        rest = rest + counts
        if not _is_small(rest, k):
            groups.append(rest)
            rest = np.zeros(2, np.int64)
    while groups and _is_small(rest, k):
        rest = rest + groups.pop(min(range(len(groups)), key=lambda place: int(groups[place].sum())))
    together = np.array([*groups, rest])
    return together[:, 0], together[:, 1]


def _is_small(counts: npt.NDArray[np.int64], k: int) -> bool:
    return bool(((counts > 0) & (counts < k)).any())


def psi(before: npt.NDArray[Any], now: npt.NDArray[Any]) -> float:
    """Return the population stability index of two rows of counts."""
    if not before.sum() or not now.sum():
        return 0.0
    p, q = (np.where(counts, counts / counts.sum(), _EMPTY) for counts in (before, now))
    used = (before > 0) | (now > 0)
    return float(np.sum((q - p)[used] * np.log(q / p)[used]))


def _p_value(before: npt.NDArray[Any], now: npt.NDArray[Any]) -> float | None:
    table = np.stack([before, now])[:, (before + now) > 0]
    if table.shape[1] <= 1 or not table.sum(axis=1).all():
        return None
    return float(chi2_contingency(table, correction=False).pvalue)


def _share(count: int, rows: int, k: int) -> float | None:
    """Return a share, unless its count, or that of the other rows, is small enough to tell of single rows."""
    if not rows or 0 < count < k or 0 < rows - count < k:
        return None
    return count / rows


def _mean(total: int, rows: int, k: int) -> float | None:
    """Return a mean in whole characters, unless it is that of a few rows; its digits would tell of single ones."""
    return None if rows < k else float(round(total / rows))


def _shown(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"
