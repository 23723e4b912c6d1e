"""What every class of a table has to keep of a sensitive column: l-diversity and t-closeness, as parameters say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelpriv._core.checks import Number, Satisfies, Whole, check
from modelpriv.errors import ParameterError
from modelpriv.kernels.grouping import diversity

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv.kernels.grouping.diversity import Pairs

__all__ = ["CLOSENESS", "DIVERSITY", "Limit", "as_closeness", "as_diversity"]

_SLACK = 1e-9  # sums of floats differ by their order


@dataclass(frozen=True, slots=True)
class Limit:
    """A measure of a sensitive column, and what it must be at least (l) or at most (t) in every class."""

    letter: str
    kind: str
    bound: float
    c: float = 1.0

    def measures(self, found: Pairs) -> npt.NDArray[np.float64]:
        """Return the measure of each class: l, where more is better, or t, where less is."""
        if self.kind == "distinct":
            return diversity.distinct(found).astype(np.float64)
        if self.kind == "entropy":
            return np.exp(diversity.entropies(found))
        if self.kind == "recursive":
            return diversity.recursive(found, self.c).astype(np.float64)
        if self.kind == "ordered":
            return diversity.ordered_distances(found)
        return diversity.categorical_distances(found)

    def met(self, found: Pairs) -> npt.NDArray[np.bool_]:
        """Return which classes keep the limit."""
        measures = self.measures(found)
        if self.letter == "t":
            return measures <= self.bound + _SLACK
        return measures >= self.bound - _SLACK

    def __str__(self) -> str:
        words = f"({self.c:g}, {self.bound:g})" if self.kind == "recursive" else f"{self.bound:g}"
        return f"{self.letter}={words} ({self.kind})"


def as_diversity(l: object) -> Limit:  # noqa: E741 - the letter that the field has for it
    """Return the limit that a parameter `l` gives."""
    check("l", l, *DIVERSITY)
    if not isinstance(l, (list, tuple)):
        return Limit("l", "distinct", float(l))  # type: ignore[arg-type]  # checked
    if l[0] == "recursive":
        return Limit("l", "recursive", float(l[2]), float(l[1]))
    return Limit("l", str(l[0]), float(l[1]))


def as_closeness(t: object, *, ordered: bool) -> Limit:
    """Return the limit that a parameter `t` gives; `ordered` is whether the column's values have an order."""
    check("t", t, *CLOSENESS)
    if isinstance(t, (list, tuple)):
        if t[0] == "ordered" and not ordered:
            raise ParameterError(
                "t is ('ordered', ...), but the sensitive column has no order: it holds neither numbers, dates or "
                "times nor an ordered category. Use 'categorical'."
            )
        return Limit("t", str(t[0]), float(t[1]))
    return Limit("t", "ordered" if ordered else "categorical", float(t))  # type: ignore[arg-type]  # checked


def _is_diversity(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or not value:
        return False
    kind, numbers = value[0], value[1:]
    if not all(_is_number(number) and number > 0 for number in numbers):
        return False
    if kind == "recursive":
        return len(numbers) == 2 and numbers[1] >= 1  # noqa: PLR2004 - c and l
    return kind in {"distinct", "entropy"} and len(numbers) == 1 and numbers[0] >= 1


def _is_closeness(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 2:  # noqa: PLR2004 - kind and t
        return False
    return value[0] in {"ordered", "categorical"} and _is_number(value[1]) and 0 <= value[1] <= 1


def _is_number(value: object) -> bool:
    rule = Number()
    return rule.takes(value) and not rule.fault(value)


DIVERSITY = (
    Whole(least=1),
    Satisfies(_is_diversity, "('distinct', l), ('entropy', l) or ('recursive', c, l) with l of at least 1"),
)
CLOSENESS = (
    Number(least=0, most=1),
    Satisfies(_is_closeness, "('ordered', t) or ('categorical', t) with t from 0 to 1"),
)
