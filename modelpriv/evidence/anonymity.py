"""k-anonymity, l-diversity and t-closeness of a table, and KAnonymity, which checks that a release keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from modelpriv._columns.frame import open_frame
from modelpriv._core.checks import Number, OneOf, Rules, Whole, check, check_parameters
from modelpriv.errors import ParameterError, PrivacyCheckError
from modelpriv.evidence.classes import classes_of, codes_of, positions_of
from modelpriv.kernels.grouping.classes import Groups
from modelpriv.kernels.grouping.diversity import pairs
from modelpriv.kernels.grouping.limits import CLOSENESS, DIVERSITY, Limit, as_closeness, as_diversity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelpriv._columns.arrow import Table
    from modelpriv._columns.frame import Column, Frame
    from modelpriv.evidence.classes import EquivalenceClasses
    from modelpriv.kernels.grouping.diversity import Pairs

__all__ = ["KAnonymity", "k_of", "l_of", "t_of"]


def k_of(table: Table, quasi: object = None, *, cover: str | None = "*") -> int:
    """Return the k of k-anonymity: the number of rows of the smallest class.

    Parameters
    ----------
    table : pandas, polars or pyarrow table, numpy array or list of rows
        The table; at least one row.
    quasi : list of str or int, optional
        The quasi-identifiers, by name or position; by default all columns.
    cover : str or None, default="*"
        The text of a covered cell: rows that are covered in every quasi-identifier are no class.

    Returns
    -------
    int
        At least 1; the number of rows where all are covered.

    Examples
    --------
    >>> from modelpriv.evidence import k_of
    >>> k_of([[31, "021"], [31, "021"], [47, "100"], [47, "100"], [47, "100"]])
    2
    """
    frame = open_frame(table)
    return classes_of(frame, positions_of(frame, quasi, "quasi"), cover).k


def l_of(
    table: Table, quasi: object, sensitive: object, *, kind: str = "distinct", c: float = 1.0, cover: str | None = "*"
) -> float:
    """Return the l of l-diversity: how well the values of a sensitive column are mixed in the worst class.

    Parameters
    ----------
    table : pandas, polars or pyarrow table, numpy array or list of rows
        The table; at least one row.
    quasi : list of str or int, or None
        The quasi-identifiers, by name or position; None for all columns but the sensitive one.
    sensitive : str or int
        The sensitive column. Null is a value of its own.
    kind : {"distinct", "entropy", "recursive"}, default="distinct"
        Count different values; or take the exponential of the entropy, which is l where l values are equally
        frequent; or the largest l of recursive (c, l)-diversity: the most frequent value has fewer rows than `c`
        times all values from the l-th most frequent on together. It is 0 where no l holds.
    c : float, default=1.0
        The factor of ``"recursive"``.
    cover : str or None, default="*"
        The text of a covered cell: rows that are covered in every quasi-identifier are no class.

    Returns
    -------
    float
        The l of the worst class; infinite where all rows are covered.

    Examples
    --------
    >>> from modelpriv.evidence import l_of
    >>> l_of([[31, "flu"], [31, "flu"], [47, "flu"], [47, "cold"]], [0], 1)
    1.0
    """
    check("kind", kind, OneOf("distinct", "entropy", "recursive"))
    check("c", c, Number(least=0))
    frame = open_frame(table)
    column, found = _sensitive(frame, quasi, sensitive)
    return _worst(Limit("l", kind, 1, float(c)), column, classes_of(frame, found, cover))


def t_of(
    table: Table, quasi: object, sensitive: object, *, distance: str | None = None, cover: str | None = "*"
) -> float:
    """Return the t of t-closeness: how far the sensitive column of a class is from that of the table, at most.

    Parameters
    ----------
    table : pandas, polars or pyarrow table, numpy array or list of rows
        The table; at least one row.
    quasi : list of str or int, or None
        The quasi-identifiers, by name or position; None for all columns but the sensitive one.
    sensitive : str or int
        The sensitive column. Null is a value of its own, before all others where they have an order.
    distance : {"ordered", "categorical"}, optional
        The ground distance of the earth mover's distance: by rank, for values in an order, or equal for all values. By
        default by rank for numbers, dates, times and ordered categories.
    cover : str or None, default="*"
        The text of a covered cell: rows that are covered in every quasi-identifier are no class.

    Returns
    -------
    float
        From 0, where every class is distributed like the table, to 1. The distribution of the table counts the rows
        that are in a class.

    Examples
    --------
    >>> from modelpriv.evidence import t_of
    >>> t_of([[31, "flu"], [31, "cold"], [47, "flu"], [47, "cold"]], [0], 1)
    0.0
    """
    check("distance", distance, OneOf("ordered", "categorical"), None)
    frame = open_frame(table)
    column, found = _sensitive(frame, quasi, sensitive)
    limit = as_closeness(1.0 if distance is None else (distance, 1.0), ordered=_has_order(column))
    return _worst(limit, column, classes_of(frame, found, cover))


class KAnonymity:
    """A check that a table keeps k-anonymity and, where you ask for them, l-diversity and t-closeness.

    It holds for the table that it is shown, and for no other one: not for rows that are added later, and not for two
    releases of the same people together.

    Parameters
    ----------
    k : int
        How many rows each class must have, at least.
    quasi : list of str or int
        The quasi-identifiers, by name or position. What you leave out is taken to be unknown to everyone.
    sensitive : str or int, or list of them, optional
        The sensitive columns, for `l` and `t`. Each keeps the limits by itself.
    l : int or tuple, optional
        An int, or ``("distinct", l)``: that many different values in each class. ``("entropy", l)``: an entropy of at
        least ``log(l)``. ``("recursive", c, l)``: recursive (c, l)-diversity.
    t : float or tuple, optional
        The largest distance of a class from the table, from 0 to 1: by rank for numbers, dates, times and ordered
        categories, else with all values equally far apart; or ``("ordered", t)`` or ``("categorical", t)``.
    cover : str or None, default="*"
        The text of a covered cell: rows that are covered in every quasi-identifier are no class.

    Examples
    --------
    >>> from modelpriv.evidence import KAnonymity
    >>> rows = [[31, "flu"], [31, "cold"], [47, "flu"]]
    >>> KAnonymity(2, quasi=[0], sensitive=1, l=2).check(rows)
    Traceback (most recent call last):
        ...
    modelpriv.errors.PrivacyCheckError: The table is not 2-anonymous: 1 of its 2 classes has fewer than 2 rows (the \
smallest has 1; 1 row in all). Generalise quasi-identifiers further, or suppress these rows.
    >>> KAnonymity(2, quasi=[0], sensitive=1, l=2).check(rows[:2])
    """

    _rules: ClassVar[Rules] = {"k": [Whole(least=1)], "l": [*DIVERSITY, None], "t": [*CLOSENESS, None]}

    def __init__(
        self,
        k: int,
        quasi: object,
        sensitive: object = None,
        l: object = None,  # noqa: E741 - the field's letter
        t: object = None,
        *,
        cover: str | None = "*",
    ) -> None:
        self.k = k
        self.quasi = quasi
        self.sensitive = sensitive
        self.l = l
        self.t = t
        self.cover = cover
        check_parameters(self, self._rules)
        if (l is not None or t is not None) and sensitive is None:
            raise ParameterError("l and t need sensitive: name the columns that they are about.")

    def check(self, table: Table) -> None:
        """Raise an error unless the table keeps every limit.

        Parameters
        ----------
        table : pandas, polars or pyarrow table, numpy array or list of rows
            What is to be released.

        Raises
        ------
        PrivacyCheckError
            A class breaks a limit; the message counts such classes, and shows no value.
        ParameterError, ParameterTypeError
            A column is not there.
        InputError, InputTypeError
            The table has no rows, or is no table.
        """
        frame = open_frame(table)
        quasi = positions_of(frame, self.quasi, "quasi")
        found = classes_of(frame, quasi, self.cover)
        self._check_k(found)
        if self.sensitive is None:
            return
        for position in positions_of(frame, self.sensitive, "sensitive"):
            if position in quasi:
                raise _in_both(frame, position)
            column = frame.column(position)
            for limit in self._limits(column):
                _check_limit(limit, column, found)

    def _check_k(self, found: EquivalenceClasses) -> None:
        small = int(np.count_nonzero(found.sizes < self.k))
        if small:
            has, rows = "has" if small == 1 else "have", found.rows_below(self.k)
            raise PrivacyCheckError(
                f"The table is not {self.k}-anonymous: {small:,} of its {found.n_classes:,} classes {has} fewer than "
                f"{self.k} rows (the smallest has {found.k}; {rows:,} {'row' if rows == 1 else 'rows'} in all). "
                "Generalise quasi-identifiers further, or suppress these rows."
            )

    def _limits(self, column: Column) -> Iterator[Limit]:
        if self.l is not None:
            yield as_diversity(self.l)
        if self.t is not None:
            yield as_closeness(self.t, ordered=_has_order(column))

    def __repr__(self) -> str:
        given = {"k": self.k, "quasi": self.quasi, "sensitive": self.sensitive, "l": self.l, "t": self.t}
        return f"KAnonymity({', '.join(f'{name}={value!r}' for name, value in given.items() if value is not None)})"


def _check_limit(limit: Limit, column: Column, classes: EquivalenceClasses) -> None:
    found = _pairs(column, classes)
    broken = int(np.count_nonzero(~limit.met(found)))
    if broken:
        worst = _worst(limit, column, classes)
        raise PrivacyCheckError(
            f"Column {column.name!r} does not keep {limit}: {broken:,} of {classes.n_classes:,} classes "
            f"{'breaks' if broken == 1 else 'break'} it (the worst has {limit.letter}={worst:.3g}). Generalise "
            "quasi-identifiers further, or suppress the rows of these classes."
        )


def _worst(limit: Limit, column: Column, classes: EquivalenceClasses) -> float:
    measures = limit.measures(_pairs(column, classes))
    if limit.letter == "t":
        return float(measures.max(initial=0.0))
    return float(measures.min(initial=np.inf))


def _pairs(column: Column, classes: EquivalenceClasses) -> Pairs:
    numbers, labels = codes_of(column).numbers, classes.labels
    if classes.suppressed:
        numbers, labels = numbers[labels >= 0], labels[labels >= 0]
    return pairs(Groups(labels, classes.sizes), numbers)


def _sensitive(frame: Frame, quasi: object, sensitive: Any) -> tuple[Column, list[int]]:
    """Return the sensitive column, and the positions of the quasi-identifiers."""
    (position,) = positions_of(frame, [sensitive], "sensitive")
    if quasi is None:
        return frame.column(position), [p for p in range(len(frame.names)) if p != position]
    found = positions_of(frame, quasi, "quasi")
    if position in found:
        raise _in_both(frame, position)
    return frame.column(position), found


def _in_both(frame: Frame, position: int) -> ParameterError:
    return ParameterError(
        f"quasi and sensitive both name {frame.names[position]!r}. A class has one value of each quasi-identifier, so "
        "leave it out of one of them."
    )


def _has_order(column: Column) -> bool:
    """Return whether the values of a column have an order: numbers, dates, times and ordered categories."""
    t, type_ = pa.types, column.dtype.arrow
    if column.dtype.categories is not None and column.dtype.ordered:
        return True
    return bool(t.is_integer(type_) or t.is_floating(type_) or t.is_decimal(type_) or t.is_temporal(type_))
