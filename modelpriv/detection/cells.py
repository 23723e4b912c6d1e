"""The cells of a column that are looked at: different texts with their counts, and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv._columns.dtypes import is_text
from modelpriv._columns.sampling import spread
from modelpriv.detection.wordlists import folded

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.arrow import Array
    from modelpriv._columns.frame import Frame

__all__ = ["CellSample", "read_sample"]


@dataclass(frozen=True)
class CellSample:
    """The cells of one column that are looked at, without nulls and blanks.

    `family` is "text", "integer", "number", "date", "flag" or "other". `texts` are the different cells as text, and
    `counts` says how often each occurs; `numbers` has them as floats, NaN where a text is no number.
    """

    family: str
    looked_at: int  # cells, nulls among them
    filled: int  # cells that are neither null nor blank
    whole: bool  # whether these are all cells of the column
    texts: Array = field(repr=False)
    counts: npt.NDArray[np.int64] = field(repr=False)
    rises: bool = False  # whether each number is larger than the one before it
    zoned: bool = False  # whether a date has a time of day

    @property
    def nulls(self) -> float:
        """The share of nulls and blanks."""
        return 1 - self.filled / self.looked_at if self.looked_at else 0.0

    @property
    def distinct(self) -> float:
        """How many different cells there are for each one."""
        return len(self.counts) / self.filled if self.filled else 0.0

    def share(self, fit: npt.NDArray[np.bool_] | Array) -> float:
        """Return the share of cells whose text fits."""
        flags = fit if isinstance(fit, np.ndarray) else fit.to_numpy(zero_copy_only=False)
        return float(self.counts[flags].sum() / self.filled) if self.filled else 0.0

    def like(self, pattern: str) -> float:
        """Return the share of cells that match a pattern of RE2."""
        return self.share(pc.match_substring_regex(self.texts, pattern))

    @cached_property
    def few(self) -> CellSample:
        """Some of the different cells, to find out what is worth a look at all of them."""
        if len(self.counts) <= _WORTH_A_LOOK:
            return self
        places = spread(len(self.counts), _WORTH_A_LOOK)
        counts = self.counts[places]
        return replace(self, texts=self.texts.take(places), counts=counts, filled=int(counts.sum()))

    @cached_property
    def folded(self) -> Array:
        """The texts in lower case and without accents."""
        texts: Array = folded(self.texts)
        return texts

    @cached_property
    def numbers(self) -> npt.NDArray[np.float64]:
        """The texts as numbers, NaN where they are no numbers."""
        formed: Any = pc.match_substring_regex(self.texts, _WRITTEN if self.family == "text" else _NUMBER)
        empty = pa.scalar(None, self.texts.type)
        read: Any = pc.if_else(formed, self.texts, empty).cast(pa.float64())
        numbers: npt.NDArray[np.float64] = read.to_numpy(zero_copy_only=False)
        return numbers

    @cached_property
    def words(self) -> float:
        """The mean number of words in a cell."""
        counted = pc.count_substring_regex(self.texts, r"[^\s\x{3001}\x{3002}\x{FF0C}\x{FF1B}]+").to_numpy(
            zero_copy_only=False
        )
        return float((counted * self.counts).sum() / self.filled) if self.filled else 0.0

    @cached_property
    def length(self) -> float:
        """The mean number of characters in a cell."""
        lengths = pc.utf8_length(self.texts).to_numpy(zero_copy_only=False)
        return float((lengths * self.counts).sum() / self.filled) if self.filled else 0.0


def read_sample(frame: Frame, sample: Frame, position: int) -> tuple[str, CellSample]:
    """Read what is looked at of one column, and its dtype; of a column that is mostly null, look for what is not."""
    column = sample.column(position)
    cells = column.data
    whole = sample.n_rows == frame.n_rows
    if not whole and cells.null_count > len(cells) - _FEWEST:
        cells, whole = frame.column(position).data, True
    dtype = column.dtype
    return str(dtype.arrow if dtype.native is None else dtype.native), _cells(cells, whole=whole)


def _cells(cells: Any, *, whole: bool) -> CellSample:
    looked_at, filled = len(cells), cells.drop_null()
    nulls = looked_at - len(filled)
    filled = filled.take(pa.array(spread(len(filled), MOST)))
    family = _family(filled.type)
    if family == "other":
        none: Any = pa.array([], pa.large_string())
        return CellSample(family, looked_at, looked_at - nulls, whole, none, np.zeros(0, np.int64))
    texts, rises, timed = _as_texts(filled, family)
    texts = texts.filter(pc.greater(pc.binary_length(texts), 0))
    # A column that was mostly null is not looked at in full: the share of nulls is that of all cells all the same.
    blank = len(filled) - len(texts)
    looked_at = round(looked_at * (len(filled) / (looked_at - nulls))) if looked_at > nulls else looked_at
    if family == "number" and len(texts) and pc.all(pc.match_substring_regex(texts, r"^-?\d+$")).as_py():
        family = "integer"
    counted: Any = pc.value_counts(texts)
    counts = counted.field("counts").to_numpy()
    return CellSample(
        family, max(looked_at, len(texts) + blank), len(texts), whole, counted.field("values"), counts, rises, timed
    )


def _family(type_: Any) -> str:
    t = pa.types
    if is_text(type_):
        return "text"
    for family, matches in (
        ("flag", (t.is_boolean,)),
        ("integer", (t.is_integer,)),
        ("number", (t.is_floating, t.is_decimal)),
        ("date", (t.is_date, t.is_timestamp)),
    ):
        if any(match(type_) for match in matches):
            return family
    return "other"


def _as_texts(cells: Any, family: str) -> tuple[Any, bool, bool]:
    """Return cells as trimmed texts, whether they are numbers that rise, and whether they are dates with a time."""
    if family == "text":
        return pc.utf8_trim_whitespace(cells.cast(pa.large_string())), False, False
    if family == "date":
        days: Any = cells.cast(pa.date32(), safe=False)
        timed = bool(pa.types.is_timestamp(cells.type) and not pc.all(pc.equal(days.cast(cells.type), cells)).as_py())
        return days.cast(pa.large_string()), False, timed
    if family in {"integer", "number"}:
        numbers = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        rises = len(numbers) > 1 and bool((np.diff(numbers) > 0).all())
        return _digits(cells), rises, False
    return cells.cast(pa.large_string()), False, False


def _digits(cells: Any) -> Any:
    """Return numbers as text; floats that are all whole as integers, since a null makes floats of integers."""
    if pa.types.is_floating(cells.type):
        cells = cells.filter(pc.is_finite(cells))
        if pc.all(pc.and_(pc.equal(pc.round(cells), cells), pc.less(pc.abs(cells), 2**53))).as_py():
            cells = cells.cast(pa.int64())
    return cells.cast(pa.large_string())


MOST = 4_000
"""How many cells of a column are looked at."""
_FEWEST = 200
_WORTH_A_LOOK = 256
# In text, 1E5 may be a code: a number with an exponent has a point, too.
_WRITTEN = r"^[+-]?(?:\d{1,15}|(?:\d{1,15}\.\d*|\.\d+)(?:[eE][+-]?\d{1,2})?)$"
_NUMBER = r"^[+-]?(?:\d{1,15}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?$"
