"""DriftMonitor: whether the rows that a model gets still look like those it learnt from, without reading them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modelpriv._columns.dtypes import is_text
from modelpriv._columns.frame import open_frame
from modelpriv._core import events
from modelpriv._core.checks import Number, Whole, check
from modelpriv.errors import InputError, ParameterError
from modelpriv.keys import KeyParameter, resolve
from modelpriv.serving.drift_report import ColumnDrift, DriftReport, compared
from modelpriv.serving.profiles import Bins, Frequencies, Seen, by_key, is_number
from modelpriv.transformers.tags import KEY_LENGTH

if TYPE_CHECKING:
    from typing import Self

    from modelpriv._columns.arrow import Array, Table

__all__ = ["DriftMonitor"]

_CONTEXT = "modelpriv drift"


class DriftMonitor:
    """Compares the rows that a service gets with a reference, column by column, and keeps no row.

    Of a column of text, protected or not, it counts nulls, lengths, how often the frequent values occur, and how many
    were never in the reference. It knows values by keyed tags only. Tokens are compared within one key id, so that a
    rotation is not taken for drift. Numbers go into ten bins. The population stability index (PSI) and a chi-square
    test say how far apart the two are.

    *Protects against* a model that goes on predicting for other people than it learnt from. *Leaks* the counts that
    `report` gives out: none of them below ``k``, and no figure follows from a smaller one; two reports with a few rows
    between them differ by these rows. It *cannot* see drift in randomized tokens, beyond nulls and lengths,
    since each is new; nor in the size of numbers behind tokens.

    Parameters
    ----------
    key : Keyring or str
        The key of the tags. In every process with the same key the tags are the same.
    k : int, default=20
        Smaller counts are not given out: rarer values are compared together, and fewer rows give no figures.
    top : int, default=50
        How many of the most frequent values of a column are told apart.
    bins : int, default=10
        How many bins numbers go into.
    threshold : float, default=0.2
        From which PSI on a column counts as drifted, if the p-value is below 0.001 too: with few rows the PSI alone is
        large by chance. 0.1 is often called moderate, 0.25 major.

    See Also
    --------
    ModelHandle : Serves the model.

    Notes
    -----
    PSI is the sum of (q - p) ln(q / p) over bins or values, p and q being the shares in the reference and now; an empty
    share counts as 0.0001. The p-value is that of Pearson's chi-square test of homogeneity.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import FieldEncryptor, Keyring
    >>> from modelpriv.serving import DriftMonitor
    >>> keys = Keyring.generate()
    >>> step = FieldEncryptor("deterministic", columns=["city"], key=keys)
    >>> before = step.fit_transform(pd.DataFrame({"city": ["Oslo", "Bergen"] * 100, "age": [30, 50] * 100}))
    >>> now = step.transform(pd.DataFrame({"city": ["Oslo"] * 100, "age": [30, 50] * 50}))
    >>> monitor = DriftMonitor(key=keys).fit(before)
    >>> monitor.observe(now)
    >>> [column.name for column in monitor.report().columns if column.drifted]
    ['city']
    """

    key = KeyParameter()

    def __init__(self, *, key: object, k: int = 20, top: int = 50, bins: int = 10, threshold: float = 0.2) -> None:
        for name, value, rule in (
            ("k", k, Whole(least=1)),
            ("top", top, Whole(least=1)),
            ("bins", bins, Whole(least=2)),
        ):
            check(name, value, rule)
        check("threshold", threshold, Number(least=0))
        self.key, self.k, self.top, self.bins, self.threshold = key, int(k), int(top), int(bins), float(threshold)
        self._lock = threading.Lock()
        self._names: list[Any] | None = None

    def fit(self, X: Table) -> Self:
        """Learn the reference, usually the table that the model was trained on, as the model sees it.

        Parameters
        ----------
        X : pandas, polars or pyarrow table, numpy array
            The reference: `k` rows at least.

        Returns
        -------
        self
        """
        frame = open_frame(X)
        if frame.n_rows < self.k:
            raise InputError(f"The reference has {frame.n_rows} rows, and k={self.k} is the least to compare with.")
        secret = resolve(self.key).working_key("pseudonym", context=_CONTEXT, length=KEY_LENGTH)
        how: dict[int, dict[str, Bins | Frequencies]] = {}
        before: dict[int, dict[str, Seen]] = {}
        for position in range(len(frame.names)):
            parts = _parts(frame.column(position).data)
            how[position] = {key_id: self._learn(cells, secret) for key_id, cells in parts.items()}
            before[position] = {key_id: how[position][key_id].count(cells) for key_id, cells in parts.items()}
        with self._lock:
            self._secret, self._how, self._before = secret, how, before
            self._names, self._now = list(frame.names), _nothing(len(how))
        return self

    def observe(self, X: Table) -> None:
        """Count more rows that the service got; it may be called from any thread.

        Parameters
        ----------
        X : table
            Rows with the columns of the reference, in any order.

        Raises
        ------
        InputError
            A column is missing. Then nothing is counted.
        """
        names, frame = self._fitted(), open_frame(X)
        if missing := [name for name in names if name not in frame.names]:
            raise InputError(f"The rows lack the columns {missing!r} of the reference.")
        found = []
        for position, name in enumerate(names):
            for key_id, cells in _parts(frame.column(frame.names.index(name)).data, self._how[position]).items():
                known = self._how[position].get(key_id)
                found.append((position, key_id, Seen(len(cells)) if known is None else known.count(cells)))
        with self._lock:
            for position, key_id, seen in found:
                if key_id in self._now[position]:
                    self._now[position][key_id].add(seen)
                else:
                    self._now[position][key_id] = seen

    def report(self) -> DriftReport:
        """Compare what was observed with the reference.

        Returns
        -------
        report : DriftReport
            Print it, or take `frame`, `to_json` or `plot`.
        """
        names = self._fitted()
        with self._lock:
            columns = tuple(self._column(position, name) for position, name in enumerate(names))
        report = DriftReport(columns, self.k, self.threshold)
        with events.event("drift", "DriftMonitor", rows=report.rows, drifted=len(report.drifted), psi=report.largest):
            return report

    def reset(self) -> None:
        """Forget what was observed, and keep the reference: at the start of a day, say."""
        names = self._fitted()
        with self._lock:
            self._now = _nothing(len(names))

    def _fitted(self) -> list[Any]:
        if self._names is None:
            raise ParameterError("This DriftMonitor has no reference yet: call fit with the training table.")
        return self._names

    def _learn(self, cells: Array, secret: bytes) -> Bins | Frequencies:
        if is_number(cells.type):
            return Bins(cells, self.bins)
        return Frequencies(cells, secret, top=self.top, least=self.k)

    def _column(self, position: int, name: Any) -> ColumnDrift:
        """Compare one column under the key id of the reference that most rows have."""
        before, now, how = self._before[position], self._now[position], self._how[position]
        key_id = max(before, key=lambda one: (now[one].rows if one in now else 0, before[one].rows))
        elsewhere = sum(seen.rows for one, seen in now.items() if one not in before)
        known = how[key_id]
        telling = isinstance(known, Bins) or known.repeats
        return compared(
            name,
            "numbers" if isinstance(known, Bins) else "tokens" if key_id else "text",
            before[key_id],
            now.get(key_id, Seen(counts=before[key_id].counts * 0)),
            k=self.k,
            threshold=self.threshold,
            telling=telling,
            elsewhere=elsewhere,
        )

    def __repr__(self) -> str:
        state = "no reference" if self._names is None else f"{len(self._names)} columns"
        return f"<DriftMonitor k={self.k} {state}>"


def _nothing(columns: int) -> dict[int, dict[str, Seen]]:
    return {position: {} for position in range(columns)}


def _parts(cells: Array, how: dict[str, Bins | Frequencies] | None = None) -> dict[str, Array]:
    """Return the cells of a column by key id; those of numbers, or of what the reference holds as numbers, as one."""
    binned = is_number(cells.type) if how is None else isinstance(next(iter(how.values())), Bins)
    if binned:
        return {"": cells if is_number(cells.type) else pa.nulls(len(cells), pa.float64())}
    return by_key(cells if is_text(cells.type) else cells.cast(pa.large_string()))
