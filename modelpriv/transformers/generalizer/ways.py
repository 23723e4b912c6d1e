"""The ways to generalize a column: from Arrow cells to coarser ones, and null where a cell fits no class."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv._columns.dtypes import is_text
from modelpriv.kernels.coarse.labels import as_matrix, distinct, first_bytes, lookup, write
from modelpriv.kernels.coarse.networks import networks
from modelpriv.kernels.coarse.steps import decimal_text
from modelpriv.kernels.coarse.zip3 import areas, prefixes_of_integers, prefixes_of_text
from modelpriv.transformers.generalizer.dates import days_of, from_days

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from modelpriv._columns.arrow import Array, ArrowType
    from modelpriv.kernels.coarse.labels import Mask
    from modelpriv.kernels.coarse.periods import Periods
    from modelpriv.kernels.coarse.steps import NumberScale

__all__ = ["Way", "as_text", "bounded", "by_number", "by_period", "by_prefix", "by_zip3", "in_networks", "itself"]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to generalize: the cells that it takes, in words and by Arrow type, and what it does with them.

    `run` takes cells and an output, and returns the coarser cells: null where a cell is null or fits no class.
    """

    takes: str
    kinds: Sequence[Callable[[ArrowType], bool]]
    run: Callable[[Array, str], Array]

    def fits(self, type_: ArrowType) -> bool:
        """Tell whether it takes cells of an Arrow type."""
        return any(kind(type_) for kind in self.kinds)


def is_number(type_: ArrowType) -> bool:
    """Tell whether an Arrow type is one of numbers; bools are not."""
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_))


def by_number(scale: NumberScale, limits: tuple[float, float] | None = None) -> Way:
    """Return the way of numbers to the interval that they lie in; those outside of `limits` fit none."""

    def run(cells: Array, output: str) -> Array:
        numbers = _numbers(cells)
        codes, lost = scale.place(numbers)
        if limits is not None:
            beyond = (numbers < limits[0]) | (numbers > limits[1])
            lost = beyond if lost is None else lost | beyond
        absent = _absent(cells, lost)
        if output == "label":
            return write(codes, scale.labels, absent)
        codes = codes.astype(np.int64, copy=False)
        found = {"lower": scale.lower, "midpoint": scale.middle}.get(output, np.asarray)(codes)
        return pa.array(found, mask=absent)

    return Way("numbers", [is_number], run)


def bounded(bottom: float | None, top: float | None) -> Way:
    """Return the way of numbers to themselves, except for the smallest and the largest ones."""

    def run(cells: Array, output: str) -> Array:
        numbers = _numbers(cells)
        low = np.zeros(len(numbers), bool) if bottom is None else numbers < bottom
        high = np.zeros(len(numbers), bool) if top is None else numbers >= top
        absent = _absent(cells, np.isnan(numbers) if numbers.dtype.kind == "f" else None)
        if output == "label":
            written: Any = as_text(cells)
            for where, sign, end in ((low, "<", bottom), (high, ">=", top)):
                if end is not None:
                    written = pc.if_else(pa.array(where), f"{sign}{decimal_text(end)}", written)
            return written if absent is None else pc.if_else(pa.array(absent), None, written)
        numbers = np.where(low, bottom, numbers) if low.any() else numbers  # type: ignore[arg-type]  # it is there
        return pa.array(np.where(high, top, numbers) if high.any() else numbers, mask=absent)  # type: ignore[arg-type]

    return Way("numbers", [is_number], run)


def by_period(scale: Periods) -> Way:
    """Return the way of dates and timestamps, and of dates that are text or integers, to the period they lie in."""

    def run(cells: Array, output: str) -> Array:
        days, lost = days_of(cells)
        absent = _absent(cells, lost)
        different, places = distinct(days, absent)  # few days occur, even in a long column
        codes, beyond = scale.place(different)
        if beyond is not None:
            absent = _absent(cells, beyond[places] if lost is None else lost | beyond[places])
        if output == "label":
            periods, those = distinct(codes, None)
            return lookup(scale.labels(periods), those)(places, absent)
        if output == "code":
            return pa.array(codes[places], mask=absent)
        return from_days((scale.lower if output == "lower" else scale.middle)(codes), places, absent, cells.type)

    takes = "dates, timestamps, texts such as '1987-03-14' and integers such as 19870314"
    return Way(takes, [pa.types.is_date, pa.types.is_timestamp, is_text, is_number], run)


def by_prefix(length: int) -> Way:
    """Return the way of codes to their first characters; one that has fewer fits no class."""

    def run(cells: Array, output: str) -> Array:  # noqa: ARG001 - there are only labels
        text = as_text(cells)
        matrix = as_matrix(text)
        if matrix is not None and matrix.shape[1] >= length:
            return first_bytes(matrix, length, None)
        first = pc.utf8_slice_codeunits(text, 0, length)
        return pc.if_else(pc.less(pc.utf8_length(text), length), None, first)

    return Way("text and integers", [is_text, pa.types.is_integer], run)


@functools.cache
def by_zip3(table: str) -> Way:
    """Return the way of ZIP codes to their first three digits, where the area is large enough."""
    shown = areas(table)
    label = lookup([f"{prefix:03}" for prefix in shown.tolist()])

    def run(cells: Array, output: str) -> Array:
        numbers = None if is_text(cells.type) else _whole_numbers(cells)
        prefixes, lost = prefixes_of_text(cells) if numbers is None else prefixes_of_integers(numbers)
        absent = _absent(cells, lost)
        return pa.array(shown[prefixes], mask=absent) if output == "code" else label(prefixes, absent)

    return Way("text and whole numbers", [is_text, is_number], run)


def in_networks(ipv4: int, ipv6: int) -> Way:
    """Return the way of IP addresses to their network."""

    def run(cells: Array, output: str) -> Array:
        encoded: Any = cells.dictionary_encode()
        return networks(encoded.dictionary.to_pylist(), ipv4, ipv6, prefix=output == "label").take(encoded.indices)

    return Way("text", [is_text], run)


def itself() -> Way:
    """Return the way of values to themselves, for a column in which only the rare ones are merged."""
    kinds: list[Callable[[ArrowType], bool]] = [is_text, is_number, pa.types.is_boolean, pa.types.is_date]
    return Way("text, numbers, bools and dates", kinds, lambda cells, _: as_text(cells))


def as_text(cells: Array) -> Array:
    """Return cells as large text; whole numbers as integers are written, however a table holds them."""
    if pa.types.is_floating(cells.type):
        wide = cells.cast(pa.float64())
        whole = pc.and_(pc.equal(pc.trunc(wide), wide), pc.less(pc.abs(wide), pa.scalar(2.0**53)))
        integers = pc.if_else(whole, wide, 0.0).cast(pa.int64())
        return pc.if_else(whole, integers.cast(pa.large_string()), cells.cast(pa.large_string()))
    return cells if pa.types.is_large_string(cells.type) else cells.cast(pa.large_string())


def _whole_numbers(cells: Array) -> npt.NDArray[np.int64]:
    """Return numbers as integers of 64 bits, and -1 for those that are not whole, negative or too large."""
    numbers = _numbers(cells)
    if numbers.dtype.kind == "i":
        return numbers
    with np.errstate(invalid="ignore"):
        fits = (np.trunc(numbers) == numbers) & (numbers >= 0) & (numbers < 2.0**53)
        return np.where(fits, numbers, -1).astype(np.int64)


def _numbers(cells: Array) -> npt.NDArray[Any]:
    """Return integers of 64 bits, or floats, with zeros where a cell is null."""
    wanted: Any = cells.type
    if pa.types.is_uint64(wanted) and (pc.max(cells).as_py() or 0) >= 2**63:
        wanted = pa.float64()
    elif pa.types.is_integer(wanted):
        wanted = pa.int64()
    elif not pa.types.is_float32(wanted):
        wanted = pa.float64()
    filled = cells.fill_null(0) if cells.null_count else cells
    found: npt.NDArray[Any] = filled.cast(wanted, safe=False).to_numpy(zero_copy_only=False)
    return found


def _absent(cells: Array, lost: Mask) -> Mask:
    """Return which rows have no class: those that are null, and those that fit none."""
    if not cells.null_count:
        return lost
    nulls: npt.NDArray[np.bool_] = cells.is_null().to_numpy(zero_copy_only=False)
    return nulls if lost is None else nulls | lost
