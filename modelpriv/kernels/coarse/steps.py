"""Numbers as the interval that they lie in: equal steps, or bins between given edges.

Steps are counted in the decimal notation of their width, so that a value lies where a reader expects it. In binary,
0.3 / 0.1 is a little less than 3::

    width 0.1, value 0.3:  step floor(0.3 * 10 / 1) = 3, from 3/10 to 4/10    "[0.3, 0.4)"

Classes at both ends can be open: all below `bottom` is one class, and all from `top` on is another.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelpriv.kernels.coarse.labels import Codes, Mask

__all__ = ["Edges", "NumberScale", "Numbers", "Rounded", "Steps", "decimal_text"]

Numbers = npt.NDArray[Any]
"""Integers of 64 bits, or floats."""


class NumberScale(Protocol):
    """Classes of numbers: they are numbered, and have labels, lower bounds and midpoints."""

    def place(self, numbers: Numbers) -> tuple[Codes, Mask]:
        """Return the class of each number, and which have none."""

    def labels(self, codes: Codes) -> list[str]:
        """Return each class in words."""

    def lower(self, codes: Codes) -> Numbers:
        """Return the lower bound of each class."""

    def middle(self, codes: Codes) -> Numbers:
        """Return the midpoint of each class."""


class Steps:
    """Intervals of one width; each has its lower edge, and not its upper one.

    Parameters
    ----------
    width, origin : float
        The width, and one of the edges.
    bottom, top : float, optional
        Where the open classes end and begin. If it is no edge, the open class gets the whole step around it.
    """

    def __init__(self, width: float, origin: float = 0, bottom: float | None = None, top: float | None = None) -> None:
        exact = [Decimal(str(number)) for number in (width, origin)]
        self._digits = max(0, *(-int(number.as_tuple().exponent) for number in exact))
        self._scale = 10**self._digits
        self._width, self._origin = (int(number.scaleb(self._digits)) for number in exact)
        # What a bound cuts is covered as a whole.
        self._first = None if bottom is None else math.ceil(self._position(bottom))
        self._last = None if top is None else math.floor(self._position(top))

    def place(self, numbers: Numbers) -> tuple[Codes, Mask]:
        """Return the step of each number, and which have none: NaN, and what is too far off to be counted."""
        if numbers.dtype.kind == "i" and self._scale == 1:
            return self._whole(numbers)
        steps, lost = np.empty(len(numbers), np.int64), np.empty(len(numbers), np.bool_)
        for start in range(0, len(numbers), _BLOCK):
            rows = slice(start, start + _BLOCK)
            found = self._bounded(self._steps(numbers[rows]))
            lost[rows] = ~(np.abs(found) <= _COUNTED)  # NaN too
            if lost[rows].any():
                found[lost[rows]] = 0
            steps[rows] = found
        return steps, lost if lost.any() else None

    def labels(self, codes: Codes) -> list[str]:
        """Return each interval in words, such as "[30, 35)" and ">=90"."""
        return [self._label(step) for step in codes.tolist()]

    def lower(self, codes: Codes) -> Numbers:
        """Return the lower edges; an open class has the edge that it ends or begins at."""
        return self._edges(np.maximum(codes, codes if self._first is None else self._first))

    def middle(self, codes: Codes) -> Numbers:
        """Return the numbers halfway; an open class has its one edge."""
        between = (2 * (self._origin + codes.astype(np.float64) * self._width) + self._width) / (2 * self._scale)
        return np.where(self._is_open(codes), self.lower(codes), between)

    def _label(self, step: int) -> str:
        if self._first is not None and step < self._first:
            return f"<{self.text(self._first)}"
        if self._last is not None and step >= self._last:
            return f">={self.text(step)}"
        return f"[{self.text(step)}, {self.text(step + 1)})"

    def text(self, step: int) -> str:
        """Return the lower edge of one step as text."""
        return decimal_text(Decimal(self._origin + step * self._width).scaleb(-self._digits))

    def _is_open(self, steps: Codes) -> npt.NDArray[np.bool_]:
        below = steps < self._first if self._first is not None else np.zeros(len(steps), bool)
        return below | (steps >= self._last) if self._last is not None else below

    def _edges(self, steps: Numbers) -> Numbers:
        """Return lower edges, exact for integers; others are the floats that are closest."""
        if self._scale == 1 and steps.dtype.kind == "i":
            return np.asarray(steps * self._width + self._origin)
        return np.asarray((self._origin + steps * float(self._width)) / self._scale)

    def _position(self, number: float) -> Fraction:
        return Fraction(Fraction(str(number)) * self._scale - self._origin) / self._width

    def _bounded(self, steps: Numbers) -> Numbers:
        if self._first is not None:
            steps = np.maximum(steps, self._first - 1)
        return steps if self._last is None else np.minimum(steps, self._last)

    def _whole(self, numbers: Numbers) -> tuple[Codes, Mask]:
        """Return the steps of integers; those so far off that an edge could overflow are in an open class, or none."""
        if not len(numbers) or (numbers.min() >= -_FAR and numbers.max() <= _FAR):
            return self._bounded(self._whole_steps(numbers)), None
        lost = np.zeros(len(numbers), bool) if self._first is not None else numbers < -_FAR
        if self._last is None:
            lost |= numbers > _FAR
        return self._bounded(self._whole_steps(np.clip(numbers, -_FAR, _FAR))), lost if lost.any() else None

    def _whole_steps(self, numbers: Numbers) -> Codes:
        """Return the steps of integers that are not far off."""
        steps, rest = divmod(self._origin, self._width)
        found = numbers // self._width
        if rest:
            found = found - (numbers - found * self._width < rest)
        return found - steps

    def _steps(self, numbers: Numbers) -> Numbers:
        """Return the steps of floats, which may be infinite, or NaN."""
        if numbers.dtype.kind == "i":
            numbers = numbers.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.floor((numbers.astype(np.float64, copy=False) * self._scale - self._origin) / self._width)
            # The quotient may be off by one: edges decide, in the precision that the numbers have.
            found -= numbers < self._edges(found).astype(numbers.dtype, copy=False)
            found += numbers >= self._edges(found + 1).astype(numbers.dtype, copy=False)
        return np.asarray(found)


class Rounded:
    """Numbers rounded to the closest multiple of a width, those halfway upwards; within `bottom` and `top`.

    Parameters
    ----------
    width : float
        The width.
    bottom, top : float, optional
        Where all smaller and all larger numbers are taken to be.
    """

    def __init__(self, width: float, bottom: float | None = None, top: float | None = None) -> None:
        self._multiples = Steps(width)
        self._around = Steps(width, float(-Decimal(str(width)) / 2))
        # Among integers, none lies halfway to a multiple of an odd width.
        self._whole = Steps(width, -(int(width) // 2)) if width == int(width) else self._around
        ends = [None if end is None else self._around.place(np.array([float(end)]))[0][0] for end in (bottom, top)]
        self._ends = None if ends == [None, None] else ends

    def place(self, numbers: Numbers) -> tuple[Codes, Mask]:
        """Return the multiple of each number, and which have none."""
        steps, lost = (self._whole if numbers.dtype.kind == "i" else self._around).place(numbers)
        return (steps if self._ends is None else np.clip(steps, *self._ends)), lost

    def labels(self, codes: Codes) -> list[str]:
        """Return the multiples as text."""
        return [self._multiples.text(step) for step in codes.tolist()]

    def lower(self, codes: Codes) -> Numbers:
        """Return the multiples: a rounded number says no more."""
        return self._multiples.lower(codes)

    middle = lower


class Edges:
    """Intervals between given edges; each has its lower edge, and the first and the last are open.

    Parameters
    ----------
    edges : sequence of float
        Ascending and finite.
    labels : sequence of str, optional
        Names for the classes, one more than there are edges.
    """

    def __init__(self, edges: Sequence[float], labels: Sequence[str] | None = None) -> None:
        self._edges: Numbers = np.asarray(list(edges))
        self._names = list(labels) if labels is not None else _names_between(edges)

    def place(self, numbers: Numbers) -> tuple[Codes, Mask]:
        """Return the bin of each number, and which have none: NaN."""
        if numbers.dtype.kind == "i" and len(numbers):
            low, high = int(numbers.min()), int(numbers.max())
            if high - low < _TABLE:  # one search for each number that there can be, and not for each row
                return self._search(np.arange(low, high + 1)).take(numbers - low), None
            return self._search(numbers), None
        lost = np.isnan(numbers) if len(numbers) and np.isnan(numbers.min()) else None
        return self._search(numbers), lost

    def labels(self, codes: Codes) -> list[str]:
        """Return each bin in words."""
        return [self._names[place] for place in codes.tolist()]

    def lower(self, codes: Codes) -> Numbers:
        """Return the lower edges; the first class has the edge that it ends at."""
        return self._edges[np.maximum(codes.astype(np.int64) - 1, 0)]

    def middle(self, codes: Codes) -> Numbers:
        """Return the numbers halfway; an open class has its one edge."""
        upper = self._edges[np.minimum(codes, len(self._edges) - 1)]
        return (self.lower(codes) + upper.astype(np.float64)) / 2

    def _search(self, numbers: Numbers) -> Codes:
        edges = self._edges.astype(numbers.dtype, copy=False) if numbers.dtype.kind == "f" else self._edges
        if len(edges) > _FEW:
            return np.searchsorted(edges, numbers, side="right")
        bins = np.zeros(len(numbers), np.uint8)
        for start in range(0, len(numbers), _BLOCK):
            rows = slice(start, start + _BLOCK)
            for edge in edges:  # to compare all is faster than to search
                bins[rows] += numbers[rows] >= edge
        return bins


def decimal_text(number: Decimal | float) -> str:
    """Write a number without an exponent."""
    return format(number if isinstance(number, Decimal) else Decimal(str(number)), "f")


def _names_between(edges: Sequence[float]) -> list[str]:
    texts = [decimal_text(edge) for edge in edges]
    inner = [f"[{low}, {high})" for low, high in pairwise(texts)]
    return [f"<{texts[0]}", *inner, f">={texts[-1]}"]


_COUNTED = 2**53  # steps that a float can tell apart
_BLOCK = 2**14  # rows that stay in the cache of a core
_FAR = 2**62
_FEW = 64
_TABLE = 2**16
