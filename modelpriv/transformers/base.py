"""The shell that all column transformers share: it reads the declared columns, protects them, and builds the table."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from modelpriv._columns.frame import Built, Column, Frame, nulls_alone, open_frame
from modelpriv._columns.parts import joined, part, parts
from modelpriv._core import compat, events
from modelpriv._core.checks import OneOf, Rules, check_parameters, plural
from modelpriv.errors import InputError, ParameterError, ParameterTypeError
from modelpriv.transformers.declared import declared_columns, find_column
from modelpriv.transformers.fitted import PlainState
from modelpriv.transformers.names import NamedColumns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from sklearn.utils import Tags

    from modelpriv._columns.arrow import Table
    from modelpriv.transformers.fitted import State

__all__ = ["BaseColumnTransformer", "Call"]


@dataclass(frozen=True, slots=True)
class Call:
    """What one call of a transformer works on, besides the declared columns; `first_row` is where a part begins."""

    frame: Frame
    references: Mapping[Any, Column]
    first_row: int = field(default=0, kw_only=True)
    target: Any = field(default=None, kw_only=True, repr=False)  # the `y` of a fit, for a child that uses it

    def part(self, rows: slice) -> Self:
        """Return the same call for some rows."""
        references = {name: part(column, rows) for name, column in self.references.items()}
        return replace(self, references=references, first_row=rows.start)


class BaseColumnTransformer(NamedColumns, PlainState, TransformerMixin, BaseEstimator):
    """Maps a kernel over the declared columns of a table; all other columns pass through in place.

    A child has the parameters `columns` and `null`, and overrides the methods of the first section.
    """

    columns: Any
    null: str

    _parameter_rules: ClassVar[Rules] = {"null": [OneOf("keep", "raise")]}
    _by_parts = False  # whether columns are taken some rows at a time, so that a long one needs little memory
    _reference_parameter = "bind"  # the parameter that names the columns of `_reference_names`

    # --- methods that a child overrides ---

    def _check_parameters(self) -> None:
        """Refuse combinations of parameters that make no sense; each alone keeps its rule in `_parameter_rules`."""

    def _fit_part(self, column: Column, call: Any) -> State:  # noqa: ARG002 - for children
        """Return what some rows of a column say: built-in types and numpy arrays by name, never a value of a cell."""
        return {}

    def _merge_states(self, one: State, other: State, call: Any) -> State:  # noqa: ARG002 - for children
        """Return what two parts of a column say together, in the order of the parts; it changes neither."""
        return one

    def _finish_states(self, states: dict[int, State], call: Any) -> dict[int, State]:  # noqa: ARG002 - for children
        """Return what a fitted object keeps of whole columns, or refuse them."""
        return states

    def _transform_column(self, column: Column, state: State, call: Any) -> Built:
        """Return the protected rows, as many as came; `state` is what `fit` kept of the column."""
        raise NotImplementedError  # pragma: no cover - every child has its own

    def _reference_names(self) -> Sequence[Any]:
        """Return the names of columns that are read but pass through, such as a row's id."""
        return ()

    def _begin(self, frame: Frame, references: Mapping[Any, Column], *, fitting: bool) -> Any:  # noqa: ARG002 - for children
        """Return what a call works on; a keyed child adds its keys."""
        return Call(frame, references)

    def _finish_fit(self, call: Any) -> None:
        """Set the attributes that a fit leaves, when nothing can fail any more."""

    # --- scikit-learn's face ---

    @events.audited
    def fit(self, X: Table, y: object = None) -> Self:
        """Learn which columns to protect, and how the table holds them.

        Parameters
        ----------
        X : pandas, polars or pyarrow table, numpy array or list of rows, shape (n_samples, n_features)
            The table.
        y : array-like, optional
            A target. It is ignored, unless a method asks for it.

        Returns
        -------
        self
            The fitted transformer. It holds no value of `X`.

        Raises
        ------
        ParameterError, ParameterTypeError
            A parameter, or a combination of parameters, is not allowed.
        InputError, InputTypeError
            A declared column is missing or cannot be protected, or `X` is not a table.
        """
        self._fit(X, y)
        return self

    @events.audited
    def fit_transform(self, X: Table, y: object = None, **fit_params: Any) -> Table:
        """Fit to a table and protect it, reading each column once.

        Parameters
        ----------
        X : pandas, polars or pyarrow table, numpy array or list of rows, shape (n_samples, n_features)
            The table; it is not changed.
        y : array-like, optional
            A target. It is ignored, unless a method asks for it.
        **fit_params
            None are taken.

        Returns
        -------
        table of the same kind as `X`
            Rows, columns, index and nulls are where they were.
        """
        if fit_params:
            raise ParameterTypeError(
                f"fit_transform of {type(self).__name__} takes X and y only, got {sorted(fit_params)}."
            )
        return self._protect(*self._fit(X, y))

    @events.audited
    def transform(self, X: Table) -> Table:
        """Protect the declared columns of a table; all others pass through.

        Parameters
        ----------
        X : pandas, polars or pyarrow table, numpy array or list of rows, shape (n_samples, n_features)
            The table; it is not changed. It may have no rows.

        Returns
        -------
        table of the same kind as `X`
            Rows, columns, index and nulls are where they were.
        """
        return self._protect(*self._prepare(X))

    def get_feature_names_out(self, input_features: object = None) -> Any:
        """Return the names of the columns that come out: those that went in.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names to use where the fitted table had none.

        Returns
        -------
        numpy array of str, shape (n_features,)
            The names.
        """
        check_is_fitted(self, "n_features_in_")
        return compat.feature_names_in(self, input_features)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    # --- the straight way of the data ---

    def _fit(self, X: Table | Frame, y: object = None) -> tuple[dict[int, Column], Any]:
        self._check()
        frame = open_frame(X)
        if frame.n_rows == 0:
            raise InputError(
                f"Found array with 0 sample(s) (shape=(0, {len(frame.names)})) while a minimum of 1 is required by "
                f"{type(self).__name__}."
            )
        columns = self._read(frame, self._find_columns(frame))
        call = replace(self._begin(frame, self._read_references(frame), fitting=True), target=y)
        self._settle({position: self._learn(column, call) for position, column in columns.items()}, call)
        return columns, call

    def _prepare(self, X: Table | Frame) -> tuple[dict[int, Column], Any]:
        """Read what `transform` protects, and begin its call."""
        if self._is_stateless() and not hasattr(self, "n_features_in_"):
            self._check()
            frame = open_frame(X)
            positions = self._find_columns(frame)
        else:
            check_is_fitted(self, "n_features_in_")
            self._check()
            frame = open_frame(X)
            self._check_names(frame, reset=False)
            positions = list(self._states)
            self._check_declared(frame, positions)
        columns = self._read(frame, positions)
        return columns, self._begin(frame, self._read_references(frame), fitting=False)

    def _settle(self, learnt: dict[int, State], call: Any) -> None:
        """Finish a fit with the states of whole columns: learnt from one table, or merged from several."""
        states = self._finish_states(learnt, call)
        # Set only now, so that a fit that fails does not change the object.
        self._check_names(call.frame, reset=True)
        self._keep(columns=states, names=call.frame.names if call.frame.named else None)
        self._finish_fit(call)

    def _learn(self, column: Column, call: Any) -> State:
        """Learn from a column, part by part if it may be long."""
        if not self._by_parts:
            return self._fit_part(column, call)
        learnt = (self._fit_part(part(column, rows), call.part(rows)) for rows in parts(column))
        return functools.reduce(lambda one, other: self._merge_states(one, other, call), learnt)

    def _protect(self, columns: Mapping[int, Column], call: Any) -> Table:
        wanted = compat.wanted_output(self)
        return call.frame.as_wanted(call.frame.replaced(self._built(columns, call)), wanted)

    def _built(self, columns: Mapping[int, Column], call: Any) -> dict[int, Built]:
        """Return the protected columns by position; a `Deidentifier` puts those of many transformers together."""
        states = self._states if hasattr(self, "_states") else {}
        return {p: self._protect_column(column, states.get(p, {}), call) for p, column in columns.items()}

    def _protect_column(self, column: Column, state: State, call: Any) -> Built:
        if not self._by_parts:
            return self._transform_column(column, state, call)
        built = (self._transform_column(part(column, rows), state, call.part(rows)) for rows in parts(column))
        return joined(built, len(column.data))

    def _check(self) -> None:
        check_parameters(self, self._parameter_rules)
        self._check_parameters()

    def _check_declared(self, frame: Frame, fitted: list[int]) -> None:
        """Refuse `columns` that were set since `fit`: a column that they add would leave as plain text."""
        comparable = not callable(self.columns) and frame.named == (self._names is not None)
        if comparable and self._find_columns(frame) != fitted:
            raise ParameterError("columns was changed since fit. Fit again, so that the new columns are protected.")

    def _find_columns(self, frame: Frame) -> list[int]:
        """Return the positions of the declared columns."""
        return declared_columns(frame, self.columns, self._reference_names(), self._reference_parameter)

    def _read(self, frame: Frame, positions: Sequence[int]) -> dict[int, Column]:
        columns = {position: nulls_alone(frame.column(position, chunked=self._by_parts)) for position in positions}
        events.note_columns([column.name for column in columns.values()], frame.n_rows)
        for column in columns.values():
            if self.null == "raise" and column.data.null_count:
                row = first_null(column)
                raise InputError(
                    f"Column {column.name!r} has {plural(column.data.null_count, 'null')}, the first in row {row}, and "
                    "null='raise'. Fill or drop them."
                )
        return columns

    def _read_references(self, frame: Frame) -> dict[Any, Column]:
        """Read the columns that the parameters refer to, by the names that the user gave."""
        references = {}
        for name in self._reference_names():
            position = find_column(frame, name, self._reference_parameter)
            column = frame.column(position, chunked=self._by_parts)
            if column.data.null_count:
                row = first_null(column)
                raise InputError(
                    f"Column {column.name!r} has a null in row {row}, but {self._reference_parameter} needs a value in "
                    "every row. Fill or drop the nulls."
                )
            references[name] = column
        return references

    @property
    def _states(self) -> dict[int, State]:
        """What `fit` kept of each declared column, by position."""
        states: dict[int, State] = self._kept("columns")
        return states

    def _is_stateless(self) -> bool:
        return not self.__sklearn_tags__().requires_fit


def first_null(column: Column) -> int:
    """Return the number of the first row in which a column is null."""
    return int(column.data.is_null().to_numpy(zero_copy_only=False).argmax())
