"""Object columns: numpy's scalars are the values that they equal, and nulls of any kind are null."""

import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from modelpriv._columns.building import build
from modelpriv._columns.frame import open_frame, read_cells
from modelpriv._columns.reading import read_numpy
from modelpriv.errors import InputError

SCALARS = {
    "int64": (np.int64(5), 5),
    "uint8": (np.uint8(5), 5),
    "float64": (np.float64(1.5), 1.5),
    "float32": (np.float32(1.5), 1.5),
    "str": (np.str_("a"), "a"),
    "bytes": (np.bytes_(b"a"), b"a"),
    "bool": (np.True_, True),
    "datetime64": (np.datetime64("2024-02-29T01:02:03.000000004"), pd.Timestamp("2024-02-29T01:02:03.000000004")),
    "timedelta64": (np.timedelta64(5, "ns"), pd.Timedelta(5)),
}


def objects(*cells):
    """Give an array of objects."""
    made = np.empty(len(cells), object)
    made[:] = cells
    return made


@pytest.mark.parametrize("kind", SCALARS)
def test_scalars_of_numpy_are_the_values_that_they_equal(kind):
    """A numpy scalar, alone or among Python's own values, reads as the value that it equals."""
    scalar, value = SCALARS[kind]
    expected = read_numpy(objects(value, value), "a")
    for cells in (objects(scalar, scalar), objects(scalar, value)):
        native = read_numpy(cells, "a")
        assert native.data.equals(expected.data)
        assert native.dtype == expected.dtype


@pytest.mark.parametrize("kind", SCALARS)
@pytest.mark.parametrize("holder", [list, tuple, set, frozenset])
def test_any_collection_holds_values(holder, kind):
    """Values in a list, a tuple or a set are read alike, of numpy and of Python."""
    scalar, value = SCALARS[kind]
    assert read_cells(holder([scalar]), "a").equals(read_cells([value], "a"))


def test_lists_of_rows_hold_scalars_of_numpy():
    """A list of rows that holds numpy's scalars is read as one of Python's values."""
    frame = open_frame([[np.int64(1), np.str_("a")], [2, "b"]])
    assert [frame.column(position).data.to_pylist() for position in (0, 1)] == [[1, 2], ["a", "b"]]


def test_a_missing_time_of_numpy_is_null():
    """Numpy's NaT is null, as pandas' is."""
    assert read_numpy(objects(pd.Timestamp(0), np.datetime64("NaT")), "a").data.null_count == 1


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (("a", None, float("nan")), "nan"),
        (("a", float("nan"), None), "nan"),
        (("a", pd.NA, float("nan"), None), "NA"),
        ((pd.Timestamp(1), None, pd.NaT), "NaT"),
        ((decimal.Decimal("1.5"), None, decimal.Decimal("NaN")), "Decimal NaN"),
        ((1, None, np.float64("nan")), "nan"),
        ((None, float("nan")), "nan"),
    ],
    ids=str,
)
def test_nulls_of_any_kind_are_null(cells, kind):
    """None beside NaN, as a left merge leaves them, is null, and all nulls come back as one kind."""
    native = read_numpy(objects(*cells), "a")
    assert native.data.null_count == len([cell for cell in cells if pd.isna(cell)])
    assert native.dtype.null == kind
    back = build(native.data, native.dtype)
    assert [pd.isna(cell) for cell in back] == [pd.isna(cell) for cell in cells]
    assert len({type(cell) for cell in back if pd.isna(cell)}) == 1


def test_a_left_merge_is_protected():
    """The object column that a left merge makes of text and two kinds of null is read, and the nulls stay null."""
    left = pd.DataFrame({"id": [1, 2, 3]})
    right = pd.DataFrame({"id": [1, 2], "note": pd.Series(["x", None], dtype=object)})
    merged = left.merge(right, on="id", how="left")
    merged["note"] = pd.Series(["x", None, float("nan")], dtype=object)  # as pandas 2 leaves it
    assert open_frame(merged).column(1).data.equals(pa.array(["x", None, None]))


@pytest.mark.parametrize("cells", [(np.complex128(1j),), (np.int64(1), "cAnArY"), (np.void(b"cAnArY"),)], ids=str)
def test_other_scalars_are_refused_without_the_cell(cells):
    """A scalar that no column holds, or types that do not mix, are refused by name and never shown."""
    with pytest.raises(InputError, match="'a'") as caught:
        read_numpy(objects(*cells), "a")
    assert "cAnArY" not in str(caught.value)
