"""DateShifter: moves all dates of a subject by the same secret number of days, so that the intervals stay."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv._columns.cells import logical_type
from modelpriv._columns.dtypes import is_text
from modelpriv._columns.frame import Built
from modelpriv._columns.parts import part
from modelpriv._core import events
from modelpriv._core.checks import OneOf, Rules, Text, Whole
from modelpriv.errors import InputError, ParameterError
from modelpriv.kernels.prf.shift import shift
from modelpriv.transformers.date_shifter.moving import is_date, moved
from modelpriv.transformers.declared import find_column
from modelpriv.transformers.keyed import KEYED_RULES, KeyedCall, KeyedColumnTransformer
from modelpriv.transformers.tags import KEY_LENGTH, tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelpriv._columns.arrow import Array, Table
    from modelpriv._columns.frame import Column, Frame
    from modelpriv.transformers.fitted import State

__all__ = ["DateShifter"]


class DateShifter(KeyedColumnTransformer):
    """Move the dates of each subject, such as a patient, by a secret number of days of its own.

    The shift is chosen by a keyed pseudorandom function of the subject (the synthetic IV of AES-SIV, RFC 5297). So all
    dates of a subject move by the same number of days, in every row, column, table, process and machine with the key:
    intervals stay exact, such as an age at a visit or the days between two of them. A shift is never zero.

    *Protects* the dates themselves: without the key no one can tell how far those of a subject were moved.

    *Leaks* intervals within a subject, their order, and the time of day; which cells are null; and dates to within
    `max_days`. Someone who knows one true date of a subject knows all of them, and a season or the year of an epidemic
    still shows. With ``keep="weekday"`` the weekday shows, and there are seven times fewer shifts.

    *Does not* hide how old someone is, and *does not* keep intervals between subjects. Shifted dates are still dates,
    and derived by a key: they do not support a claim of HIPAA's Safe Harbor.

    Parameters
    ----------
    subject : str or int
        Column whose value chooses the shift, such as a patient's id. It passes through and may hold no nulls.
    max_days : int, default=365
        The largest shift, to either side.
    keep : {"weekday"}, optional
        Shift by whole weeks, so that a Monday stays a Monday.
    key : Keyring or str
        The keyring, or a URI that names it, such as ``"env:MODELPRIV_KEYRING"``. Another primary key gives other
        shifts.
    context : str, optional
        What the shifts are tied to; by default the name of `subject`. Tables in which the subject's column has another
        name need the same text.
    columns : list of str or int, callable, optional
        The columns to move, by name or position; by default all that hold dates or timestamps. All others pass through.
    null : {"keep", "raise"}, default="keep"
        Leave nulls where they are, or refuse them.

    Attributes
    ----------
    key_id_ : str
        The id of the key that `fit` pinned: 8 hexadecimal digits.
    n_features_in_ : int
        Number of columns that `fit` saw.
    feature_names_in_ : numpy array of str
        Their names, if they had any.

    Notes
    -----
    A timestamp keeps its time of day on the clock of its time zone. Where the clocks of the zone change, a moved time
    may not exist, or an hour occurs twice; such a row is refused, as it could not be given back. Convert the column to
    UTC first, or remove its zone.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import DateShifter, Keyring
    >>> stays = pd.DataFrame(
    ...     {
    ...         "patient": [7, 8, 7],
    ...         "admitted": pd.to_datetime(["2024-02-27", "2024-03-01", "2024-06-01"]),
    ...         "left": pd.to_datetime(["2024-03-02", "2024-03-05", None]),
    ...     }
    ... )
    >>> step = DateShifter(subject="patient", key=Keyring.generate())
    >>> released = step.fit_transform(stays)
    >>> (released["left"] - released["admitted"]).equals(stays["left"] - stays["admitted"])
    True
    >>> bool((released["admitted"] == stays["admitted"]).any())
    False
    >>> step.inverse_transform(released).equals(stays)
    True
    """

    _by_parts = True
    _reference_parameter = "subject"
    _parameter_rules: ClassVar[Rules] = KEYED_RULES | {
        "null": [OneOf("keep", "raise")],
        "max_days": [Whole(least=1, most=365_000)],
        "keep": [OneOf("weekday"), None],
        "context": [Text(), None],
    }

    def __init__(
        self,
        *,
        subject: object,
        max_days: int = 365,
        keep: str | None = None,
        key: object = None,
        context: str | None = None,
        columns: object = None,
        null: str = "keep",
    ) -> None:
        self.subject = subject
        self.max_days = max_days
        self.keep = keep
        self.key = key
        self.context = context
        self.columns = columns
        self.null = null

    @events.audited
    def inverse_transform(self, X: Table) -> Table:
        """Move the dates of a table back; all other columns pass through.

        Parameters
        ----------
        X : pandas, polars or pyarrow table, numpy array or list of rows, shape (n_samples, n_features)
            The table, with the columns that `fit` saw; the subject's is needed.

        Returns
        -------
        table of the same kind as `X`
            The original dates.

        Raises
        ------
        InputError
            The columns differ from those that `fit` saw, or a date does not lie where a shift could have moved it.
        KeyUnavailableError
            The key is not available.
        """
        columns, call = self._prepare(X)
        return call.frame.replaced(self._built(columns, replace(call, sign=-1)))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.keep == "weekday" and self.max_days < _WEEK:
            raise ParameterError(f"keep='weekday' shifts by whole weeks, so max_days must be at least {_WEEK}.")

    def _reference_names(self) -> Sequence[Any]:
        return (self.subject,)

    def _find_columns(self, frame: Frame) -> list[int]:
        if self.columns is not None:
            return super()._find_columns(frame)
        subject = find_column(frame, self.subject, "subject")
        head = frame.head(_LOOKED_AT)
        columns = {p: head.column(p) for p in range(len(frame.names)) if p != subject}
        for position, column in columns.items():
            if column.dtype.cell is not None or column.data.null_count == len(column.data):  # only all cells can tell
                columns[position] = frame.column(position, chunked=True)
        for column in columns.values():
            _refuse_written_dates(column)
        found = [position for position, column in columns.items() if is_date(column.data.type)]
        if not found and not hasattr(self, "_states"):
            raise InputError(
                f"Found {len(frame.names)} feature(s), and none of them holds dates or timestamps besides the subject. "
                "Convert dates first, or name them in columns."
            )
        return found

    def _check_declared(self, frame: Frame, fitted: list[int]) -> None:
        if self.columns is not None:
            super()._check_declared(frame, fitted)
        elif new := set(self._find_columns(frame)) - set(fitted):
            raise InputError(
                f"Column {frame.names[min(new)]!r} holds dates now, and held none at fit. Fit again, so that they "
                "are moved."
            )

    def _begin(self, frame: Frame, references: Mapping[Any, Column], *, fitting: bool) -> _ShiftCall:
        call = super()._begin(frame, references, fitting=fitting)
        subject = references[self.subject]
        context = self.context or subject.name
        if not isinstance(context, str) or not context:
            raise ParameterError(
                "subject is a column without a text for a name, so the shifts need a context. Pass context='patient'."
            )
        return _ShiftCall(frame, references, call.keys, call.key_id, context, subject)

    def _fit_part(self, column: Column, call: _ShiftCall) -> State:
        _check_dates(column)
        return {"name": column.name, "subject": logical_type(call.subject.data.type)}

    def _merge_states(self, one: State, other: State, call: KeyedCall) -> State:  # noqa: ARG002 - all parts are alike
        return one

    def _transform_column(self, column: Column, state: State, call: _ShiftCall) -> Built:
        _check_dates(column)
        if pa.types.is_null(column.data.type):
            return Built(column.data, column.dtype)
        _check_subject(call.subject, state["subject"])
        if not call.days:
            call.days.append(self._days(call))
        own = call.days[0][call.first_row : call.first_row + len(column.data)]
        return Built(moved(column, own if call.sign > 0 else -own, call.first_row), column.dtype)

    def _days(self, call: _ShiftCall) -> npt.NDArray[np.int32]:
        """Return the shift of each row; subjects are told apart first, as each has several rows."""
        key = call.keys.working_key("date-shift", context=call.context, length=KEY_LENGTH, key_id=call.key_id)
        step = _WEEK if self.keep == "weekday" else 1
        size = len(call.subject.data)
        days = np.empty(size, np.int32)
        for start in range(0, size, _ROWS):
            rows = slice(start, min(start + _ROWS, size))
            subjects, places = _told_apart(part(call.subject, rows).data)
            days[rows] = shift(tags(subjects, key, nulls=False), int(self.max_days) // step, step).take(places)
        return days


@dataclass(frozen=True, slots=True)
class _ShiftCall(KeyedCall):
    """What one call works on, with all subjects, their shifts once they are known, and the direction."""

    subject: Column
    days: list[npt.NDArray[np.int32]] = field(default_factory=list)
    sign: int = 1


def _told_apart(cells: Array) -> tuple[Array, npt.NDArray[Any]]:
    """Return different subjects, and the place of each row's among them; integers in a short range are not searched."""
    if pa.types.is_signed_integer(cells.type) and len(cells):
        ends: Any = pc.min_max(cells)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if high - low < len(cells) // 2:
            numbers: Any = cells.cast(pa.int64())
            return pa.array(np.arange(low, high + 1)), numbers.to_numpy(zero_copy_only=False) - low
    encoded: Any = cells.dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False)


def _check_dates(column: Column) -> None:
    type_ = column.data.type
    if not is_date(type_) and not pa.types.is_null(type_):
        raise InputError(
            f"Column {column.name!r} ({column.dtype}) holds {logical_type(type_)}, and DateShifter moves dates and "
            "timestamps. Convert it first, e.g. with pandas.to_datetime."
        )


def _check_subject(subject: Column, fitted: str) -> None:
    """Refuse subjects of another type than at fit: their shifts would be others; equal numbers have equal shifts."""
    types = {fitted, logical_type(subject.data.type)} - {"null"}
    if len(types) > 1 and not types <= {"int", "float"}:
        raise InputError(
            f"Column {subject.name!r} held {fitted} at fit and now holds {logical_type(subject.data.type)} (dtype "
            f"{subject.dtype}), so its dates would move otherwise. Convert it first."
        )


def _refuse_written_dates(column: Column) -> None:
    """Refuse a text column that looks like dates where all dates are to be moved: it would pass as it is."""
    if not is_text(column.data.type):
        return
    first: Array = column.data.slice(0, _LOOKED_AT).drop_null()
    if len(first) and pc.all(pc.match_substring_regex(first, _WRITTEN)).as_py():
        raise InputError(
            f"Column {column.name!r} ({column.dtype}) holds dates as text, which would not be moved. Convert it first, "
            "e.g. with pandas.to_datetime, or list the columns to move in columns."
        )


_WEEK = 7
_ROWS = 2**20
_LOOKED_AT = 1000
_WRITTEN = r"^\s*([0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})([T ][0-9:.+Z-]*)?\s*$"
