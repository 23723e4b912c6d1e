"""The checks of the contract catch what breaks it: for each, a transformer that is broken in just that way fails it."""

# ruff: noqa: D102 - the broken transformers override documented methods

import hashlib
import logging
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from modelpriv import FieldEncryptor, Keyring
from modelpriv._columns.frame import Built
from modelpriv.testing import CANARY, CONTAINERS, check_privacy_transformer, containers, contract, people, tables
from modelpriv.transformers.base import BaseColumnTransformer

KEYS = Keyring.generate()


class Digest(BaseColumnTransformer):
    """Replaces every text by a digest of it, and keeps the contract; those below break it in one way each."""

    def __init__(self, columns=None, *, null="keep"):
        self.columns = columns
        self.null = null

    def _transform_column(self, column, state, call):
        cells = column.data.cast(pa.string()).to_pylist()
        digests = [cell if cell is None else hashlib.sha256(cell.encode()).hexdigest() for cell in cells]
        return Built(pa.array(digests, pa.string()), column.dtype.as_text())


class LeavesColumns(Digest):
    """Passes the declared column through."""

    def _transform_column(self, column, state, call):
        return Built(column.data, column.dtype)


class LeavesOneCell(Digest):
    """Passes the last text through."""

    def _transform_column(self, column, state, call):
        cells = super()._transform_column(column, state, call).data.to_pylist()
        last = len(cells) - 2
        cells = [
            before if row == last else after
            for row, (before, after) in enumerate(zip(column.data.to_pylist(), cells, strict=True))
        ]
        return Built(pa.array(cells, pa.string()), column.dtype.as_text())


class KeepsCells(Digest):
    """Remembers the cells that it saw."""

    def _fit_part(self, column, call):
        return {"cells": column.data.to_pylist()}


class MovesRows(Digest):
    """Turns the table round."""

    def transform(self, X):
        return super().transform(X)[::-1]

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)


class MovesNulls(Digest):
    """Fills nulls."""

    def _transform_column(self, column, state, call):
        built = super()._transform_column(column, state, call)
        return Built(built.data.fill_null("-"), built.dtype)


class DropsTheIndex(Digest):
    """Gives pandas frames a new index."""

    def fit_transform(self, X, y=None):
        result = super().fit_transform(X)
        return result.reset_index(drop=True) if isinstance(result, pd.DataFrame) else result


class ChangesTheRest(Digest):
    """Rounds a column that it was not given."""

    def _protect(self, columns, call):
        result = super()._protect(columns, call)
        if isinstance(result, np.ndarray):
            result[:, 2] = 0.0
        return result


class ChangesItsInput(Digest):
    """Writes into the table that it was given."""

    def fit_transform(self, X, y=None):
        result = super().fit_transform(X)
        if isinstance(X, np.ndarray):
            X[0, 1] = "-"
        return result


class GivesArrays(Digest):
    """Gives a numpy array whatever came."""

    def transform(self, X):
        return np.asarray(super().transform(X))


class OpensToNonsense(Digest):
    """Has an inverse that does not undo."""

    def inverse_transform(self, X):
        return X


class OpensToOtherDtypes(FieldEncryptor):
    """Gives the cells back in another dtype."""

    def inverse_transform(self, X):
        table = super().inverse_transform(X)
        return table.astype({"row": "int32"}) if isinstance(table, pd.DataFrame) else table


class CastsTheRest(Digest):
    """Gives a column that it was not given in another dtype."""

    def _protect(self, columns, call):
        result = super()._protect(columns, call)
        return result.astype({"row": "float64"}) if isinstance(result, pd.DataFrame) else result


class WritesItsKey(FieldEncryptor):
    """Keeps its key in its pickle."""

    def __getstate__(self):
        return super().__getstate__() | {"secret": next(iter(self.key._keys.values()))}


class Stumbles(Digest):
    """Raises what no check expects."""

    def transform(self, X):
        raise RuntimeError(CANARY)


class LogsCells(Digest):
    """Logs a cell."""

    def _transform_column(self, column, state, call):
        logging.getLogger("modelpriv.test").debug("a cell: %s", column.data[0])
        return super()._transform_column(column, state, call)


class WarnsOfCells(Digest):
    """Warns of a cell."""

    def _transform_column(self, column, state, call):
        warnings.warn(f"a cell: {column.data[0]}", UserWarning, stacklevel=2)
        return super()._transform_column(column, state, call)


class ShowsItsKey(FieldEncryptor):
    """Shows its key when it is printed."""

    def __repr__(self):
        return f"ShowsItsKey({self.key.export_secret()})"


class ShowsCells(Digest):
    """Shows a cell in an error."""

    def _read(self, frame, positions):
        try:
            return super()._read(frame, positions)
        except ValueError as error:
            cell = frame.native.iloc[0, 1] if isinstance(frame.native, pd.DataFrame) else CANARY
            raise ValueError(f"{error}: {cell}") from None


class ChainsCells(Digest):
    """Raises a clear error from one that shows a cell."""

    def _read(self, frame, positions):
        try:
            return super()._read(frame, positions)
        except ValueError as error:
            raise error from ValueError(CANARY)


class TakesAnything(Digest):
    """Takes what is no table as if it were one, and columns of mixed types as text."""

    def fit(self, X, y=None):
        try:
            return super().fit(X)
        except (ValueError, TypeError):
            return self


class SaysNothing(Digest):
    """Refuses without saying what."""

    def _read(self, frame, positions):
        try:
            return super()._read(frame, positions)
        except ValueError:
            raise ValueError("Bad input.") from None


class CopiesForget(Digest):
    """Protects otherwise after a copy."""

    def __deepcopy__(self, memo):
        copy = Digest(self.columns)
        vars(copy).update(vars(self))
        copy._transform_column = lambda column, state, call: Built(
            pa.array([None if cell is None else "x" for cell in column.data.to_pylist()], pa.string()),
            column.dtype.as_text(),
        )
        return copy


class ClonesRemember(Digest):
    """Stays fitted when it is cloned."""

    def __sklearn_clone__(self):
        copy = type(self)(self.columns)
        vars(copy).update(vars(self))
        return copy


class FitsNothing(Digest):
    """Fits a table without rows."""

    def fit(self, X, y=None):
        if getattr(X, "shape", (1,))[0] == 0:
            return self
        return super().fit(X)


class NeedsRows(Digest):
    """Refuses to transform a table without rows."""

    def transform(self, X):
        if getattr(X, "shape", (1,))[0] == 0:
            raise ValueError("Found array with 0 sample(s).")
        return super().transform(X)


class RenamesColumns(Digest):
    """Says other names than it gives."""

    def get_feature_names_out(self, input_features=None):
        return np.array([f"new_{name}" for name in super().get_feature_names_out(input_features)], dtype=object)

    def fit_transform(self, X, y=None):
        return self._protect(*self._fit(X))


class SetsNoOutput(Digest, auto_wrap_output_keys=None):
    """Does not know `set_output`."""

    def set_output(self, *, transform=None):
        return self


BROKEN = {
    "check_nothing_leaves_untouched": [LeavesColumns(), LeavesOneCell(), KeepsCells()],
    "check_rest_comes_back": [
        *(
            MovesRows(),
            MovesNulls(),
            DropsTheIndex(),
            ChangesTheRest(),
            CastsTheRest(),
            Stumbles(),
            ChangesItsInput(),
            GivesArrays(),
        ),
    ],
    "check_round_trip_or_none": [OpensToNonsense(), OpensToOtherDtypes(key=KEYS)],
    "check_nothing_in_sight": [LogsCells(), WarnsOfCells(), ShowsItsKey(key=KEYS), WritesItsKey(key=KEYS)],
    "check_errors_are_clear_and_blind": [ShowsCells(), ChainsCells(), TakesAnything(), SaysNothing()],
    "check_copies_protect_alike": [CopiesForget(), ClonesRemember()],
    "check_no_rows": [FitsNothing(), NeedsRows()],
    "check_output_is_set": [RenamesColumns(), SetsNoOutput()],
}


def test_a_transformer_that_keeps_the_contract_passes():
    """What keeps the contract passes every check on every kind of table, and is not fitted itself."""
    step = Digest()
    check_privacy_transformer(step)
    check_privacy_transformer(FieldEncryptor("deterministic", key=KEYS))
    assert vars(step) == {"columns": None, "null": "keep"}


@pytest.mark.filterwarnings("ignore:a cell")
@pytest.mark.parametrize(
    ("check", "broken"), [(c, b) for c, all_ in BROKEN.items() for b in all_], ids=lambda value: type(value).__name__
)
def test_each_check_catches_what_breaks_it(check, broken):
    """A transformer that breaks one part of the contract fails the check of that part, by its name and with no cell."""
    with pytest.raises(AssertionError, match=f"^{check} on ") as caught:
        check_privacy_transformer(broken)
    assert CANARY not in str(caught.value)


def test_no_check_is_without_a_transformer_that_fails_it():
    """For every check there is at least one transformer here that fails it."""
    assert {check.__name__ for check in contract._CHECKS} == set(BROKEN)


def test_the_table_of_the_checks_is_the_same_everywhere():
    """The checks' table has the same cells in every kind of container, with secrets, a null and a duplicated index."""
    found = [tables.cells_of(people(name)) for name in CONTAINERS]
    assert all(table == found[0] for table in found)
    assert [CANARY in str(cell) for cell in found[0][1]] == [True] * 5 + [False]
    assert people("pandas").index.has_duplicates


def test_polars_is_optional(monkeypatch):
    """Where polars is not installed, the checks run on all other kinds of table."""
    monkeypatch.setattr(tables.importlib.util, "find_spec", lambda name: None)
    assert containers() == [name for name in CONTAINERS if name != "polars"]
    monkeypatch.setattr(tables, "build", _no_polars(tables.build))
    check_privacy_transformer(Digest())


def _no_polars(build):
    def build_others(container, cells):
        assert container != "polars"
        return build(container, cells)

    return build_others


def test_checks_leave_logging_and_warnings_as_they_were():
    """After the checks, the root logger has its level and handlers, and the warnings their filters."""
    before = logging.getLogger().level, list(logging.getLogger().handlers), list(warnings.filters)
    check_privacy_transformer(Digest())
    assert (logging.getLogger().level, list(logging.getLogger().handlers), list(warnings.filters)) == before


def test_frames_of_every_kind_are_compared_cell_by_cell():
    """The checks compare cells of every kind of table alike: nulls of any kind are one, and classes are kept."""
    for table in (
        pd.DataFrame({"a": [1.5, None]}),
        pl.DataFrame({"a": [1.5, None]}),
        pa.table({"a": [1.5, None]}),
        [[1.5], [None]],
    ):
        assert tables.cells_of(table) == [[1.5, None]]
