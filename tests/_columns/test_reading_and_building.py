"""Columns are read from every container and built again exactly, or refused by name."""

import datetime as dt
import pickle
from decimal import Decimal

import dtype_columns as columns
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dtype_columns import CANARY, exactly

from modelpriv._columns import building, dtypes, reading
from modelpriv._columns.building import build
from modelpriv._columns.dtypes import default_dtype, default_text, is_text
from modelpriv._columns.reading import read_arrow, read_numpy, read_pandas, read_polars
from modelpriv.errors import InputError, InputTypeError

PANDAS, POLARS = columns.pandas_columns(), columns.polars_columns()
ARROW, NUMPY = columns.arrow_columns(), columns.numpy_columns()
REFUSED = {
    "pandas": (read_pandas, columns.refused_pandas()),
    "polars": (read_polars, columns.refused_polars()),
    "pyarrow": (read_arrow, columns.refused_arrow()),
    "numpy": (lambda cells, name: read_numpy(cells[:, 0], name), columns.refused_numpy()),
}


def rebuilt(native):
    return build(native.data, native.dtype, native.categories)


def as_arrow(built):
    return built if isinstance(built, pa.ChunkedArray) else pa.chunked_array([built])


@pytest.mark.parametrize("name", PANDAS)
def test_pandas_columns_come_back(name):
    """A pandas column that was read is built again to the dtype, the class of each cell and the kind of null."""
    column = PANDAS[name]
    assert exactly(pd.Series(rebuilt(read_pandas(column, "c")), dtype=_object_stays(column))) == exactly(column)


def _object_stays(column):
    return object if column.dtype == object else None


@pytest.mark.parametrize("name", POLARS)
def test_polars_columns_come_back(name):
    """A polars column that was read is built again to the dtype."""
    assert exactly(rebuilt(read_polars(POLARS[name], "c"))) == exactly(POLARS[name])


@pytest.mark.parametrize("name", ARROW)
def test_arrow_columns_come_back(name):
    """A column of an Arrow table that was read is built again to the type, with NaN and null told apart, and valid."""
    built = as_arrow(rebuilt(read_arrow(ARROW[name], "c")))
    built.validate(full=True)
    assert exactly(built) == exactly(ARROW[name])


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_columns_come_back(name):
    """A numpy column that was read is built again to the dtype, byte order and width."""
    assert exactly(rebuilt(read_numpy(NUMPY[name][:, 0], "c"))) == exactly(NUMPY[name][:, 0])


@pytest.mark.parametrize(
    ("read", "column"),
    [
        *((read_pandas, c) for c in PANDAS.values()),
        *((read_polars, c) for c in POLARS.values()),
        *((read_arrow, c) for c in ARROW.values()),
        *((read_numpy, c[:, 0]) for c in NUMPY.values()),
    ],
)
def test_cells_are_one_dense_array(read, column):
    """Whatever holds a column, its cells are one valid Arrow array of a plain type, as long as the column."""
    native = read(column, "c")
    assert isinstance(native.data, pa.Array)
    native.data.validate(full=True)
    assert len(native.data) == len(column)
    assert not pa.types.is_dictionary(native.data.type)
    assert (native.categories is None) == (native.dtype.categories is None)
    assert native.dtype.cell in {int, Decimal, type(None)} or native.data.type == native.dtype.arrow


@pytest.mark.parametrize(("container", "name"), [(c, name) for c, (_, odd) in REFUSED.items() for name in odd])
def test_what_cannot_be_protected_is_refused(container, name):
    """A column that cannot be protected is refused by its name and what it is, and no error in the chain has a cell."""
    read, odd = REFUSED[container]
    column, word = odd[name]
    with pytest.raises((InputError, InputTypeError)) as caught:
        read(column, "the column")
    assert "'the column'" in str(caught.value)
    assert word in str(caught.value)
    assert CANARY not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("read", "column"),
    [
        (read_pandas, pd.Series(pd.Categorical([CANARY, None]))),
        (read_pandas, pd.Series([CANARY], dtype=object)),
        (read_pandas, pd.Series(pd.arrays.ArrowExtensionArray(pa.array([CANARY]).dictionary_encode()))),
        (read_polars, pl.Series([CANARY], dtype=pl.Enum([CANARY]))),
        (read_polars, pl.Series([CANARY], dtype=pl.Categorical)),
        (read_arrow, pa.chunked_array([pa.array([CANARY]).dictionary_encode()])),
    ],
)
def test_a_dtype_holds_no_cell(read, column):
    """What is remembered of a column's dtype holds none of its values, not even categories, and can be pickled."""
    dtype = read(column, "c").dtype
    assert CANARY.encode() not in pickle.dumps(dtype)
    assert CANARY not in repr(dtype)
    assert pickle.loads(pickle.dumps(dtype)) == dtype


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.Series([1], dtype="Int64"), "Int64"),
        (pd.Series([1, None], dtype=object), "object of int"),
        (pd.Series([None], dtype=object), "object of NoneType"),
        (pd.Series(pd.Categorical([1.5])), "categorical of float64"),
    ],
)
def test_a_dtype_says_what_it_is(column, words):
    """A dtype calls itself by the container's word, an object column by its class, a categorical by its categories'."""
    assert str(read_pandas(column, "c").dtype) == words


def test_text_keeps_its_dtype_and_all_else_becomes_the_default():
    """What stands for a column as text has its dtype if it is text, and else the container's default."""
    for name, column in PANDAS.items():
        dtype = read_pandas(column, "c").dtype
        assert dtype.as_text() == (dtype if dtype.is_text else default_text("pandas")), name
        assert is_text(dtype.as_text().arrow), name
    assert read_pandas(PANDAS["category of text, one unused"], "c").dtype.is_text is False
    assert read_pandas(PANDAS["object of str and NA"], "c").dtype.is_text is True


@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow", "numpy"])
def test_default_text_is_what_the_container_takes(container):
    """The default text dtype of a container is the one that it gives a list of texts."""
    built = build(pa.array(["a", None]), default_text(container))
    expected = {
        "pandas": lambda: pd.Series(["a", None]),
        "polars": lambda: pl.Series(["a", None]),
        "pyarrow": lambda: pa.chunked_array([["a", None]]),
        "numpy": lambda: np.array(["a", None], dtype=object),
    }[container]()
    built = {"pandas": pd.Series, "pyarrow": as_arrow}.get(container, lambda cells: cells)(built)
    assert exactly(built) == exactly(expected)


@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow", "numpy"])
@pytest.mark.parametrize("name", [name for name, cells in ARROW.items() if not pa.types.is_dictionary(cells.type)])
def test_cells_of_every_type_have_a_default_dtype(container, name):
    """Cells of any type go into every container and come out of it again with no value lost."""
    data = read_arrow(ARROW[name], "c").data
    if container == "polars" and pa.types.is_decimal256(data.type):
        with pytest.raises(InputError, match="polars"):
            default_dtype(container, data.type)
        return
    built = build(data, default_dtype(container, data.type))
    if container != "numpy":
        column = pd.Series(built) if container == "pandas" else built
        built = {"pandas": read_pandas, "polars": read_polars, "pyarrow": read_arrow}[container](column, "c").data
    assert _values(built) == _values(data)


def _values(cells):
    """Give instants in UTC, durations in one class, and one null: default dtypes may differ in those."""
    cells = cells.to_pylist() if isinstance(cells, pa.Array) else list(cells)
    return [None if pd.isna(cell) else _value(cell) for cell in cells]


def _value(cell):
    if isinstance(cell, (dt.datetime, np.datetime64)):
        return pd.Timestamp(cell).tz_convert("UTC") if getattr(cell, "tzinfo", None) else pd.Timestamp(cell)
    if isinstance(cell, (dt.timedelta, np.timedelta64)):
        return pd.Timedelta(cell)
    return cell.item() if isinstance(cell, np.generic) else cell


@pytest.mark.parametrize("kind", ["int64", "uint64", "bool"])
@pytest.mark.parametrize("container", ["pandas", "numpy"])
def test_nulls_cost_no_digit(kind, container):
    """Integers and bools with nulls go where numpy has no null without becoming floats."""
    cells = {"int64": [2**63 - 1, None], "uint64": [2**64 - 1, None], "bool": [True, None]}[kind]
    data = pa.array(cells, getattr(pa, kind.replace("bool", "bool_"))())
    built = build(data, default_dtype(container, data.type))
    assert [None if cell is pd.NA else cell for cell in built.tolist()] == cells


def test_numpy_text_and_bytes_with_nulls_become_objects():
    """A numpy column of text or bytes that comes back with nulls becomes objects, as numpy has no null for them."""
    for cells in (np.array(["a", "b"]), np.array([b"a", b"b"])):
        native = read_numpy(cells, "c")
        built = build(pa.array([cells[0].item(), None], native.data.type), native.dtype)
        assert built.tolist() == [cells[0], None]


@pytest.mark.parametrize("name", [name for name in PANDAS if "Arrow" not in name])
def test_what_is_built_can_be_written_to(name):
    """The user can write into a column that was built: it is no window into Arrow's memory."""
    built = pd.DataFrame({"c": pd.Series(rebuilt(read_pandas(PANDAS[name], "c")), dtype=_object_stays(PANDAS[name]))})
    before = exactly(PANDAS[name])
    built.iloc[0, 0] = built["c"].array[-1]
    assert exactly(PANDAS[name]) == before


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_columns_own_their_memory(name):
    """A numpy column that was built shares no memory with the one that was read, and is writable."""
    column = NUMPY[name][:, 0]
    built = rebuilt(read_numpy(column, "c"))
    assert not np.shares_memory(built, column)
    assert built.flags.writeable


def test_odd_arrays_are_read_as_any_other():
    """Views, read-only, reversed, Fortran-ordered and unaligned arrays are read as the plain array that they equal."""
    plain = np.array([[1.5, -2.5], [np.nan, 4.5]])
    read_only = plain.copy()
    read_only.flags.writeable = False
    packed = np.zeros(2, dtype=[("pad", "u1"), ("x", "f8")])
    packed["x"] = plain[:, 0]
    for column in (plain[:, 0], read_only[:, 0], np.asfortranarray(plain)[:, 0], plain[::-1][::-1, 0], packed["x"]):
        assert read_numpy(column, "c").data.equals(pa.array([1.5, None]))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series(pd.Categorical(["a"], categories=["b", "a"])), ["b", "a", "c"]),
        (pd.Series(pd.arrays.ArrowExtensionArray(pa.array(["b", "a"]).dictionary_encode())), None),
        (pd.Series(pd.Categorical(["a"], categories=["b", "a"], ordered=True)), None),
    ],
    ids=["category", "Arrow dictionary", "ordered category"],
)
def test_cells_beyond_the_categories_are_not_lost(column, expected):
    """A cell that is none of the categories comes back: as a new category, or plain where their order counts."""
    native = read_pandas(column, "c")
    built = pd.Series(build(pa.array(["c", None, "a"], native.data.type), native.dtype, native.categories))
    assert [None if pd.isna(cell) else cell for cell in built] == ["c", None, "a"]
    if expected:
        assert built.cat.categories.tolist() == expected
    assert isinstance(built.dtype, pd.CategoricalDtype) == bool(expected)


def test_cells_beyond_an_enum_are_not_lost():
    """A cell that is none of an Enum's categories comes back as text."""
    native = read_polars(POLARS["Enum"], "c")
    built = build(pa.array(["c", None, "a"], native.data.type), native.dtype, native.categories)
    assert (built.dtype, built.to_list()) == (pl.String, ["c", None, "a"])


def test_categories_default_to_those_that_occur():
    """A categorical that is built without categories has those that occur, in the order in which they do."""
    native = read_pandas(PANDAS["category of text, one unused"], "c")
    assert build(native.data, native.dtype).categories.tolist() == ["b", "a"]


def test_a_dictionary_with_nulls_reads_as_nulls():
    """A null in an Arrow dictionary, and an index that is null, are both a null; a value that is there twice is one."""
    odd = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 2, 3], pa.int8()), pa.array(["b", None, "z", "b"]))
    native = read_arrow(odd, "c")
    assert native.data.to_pylist() == ["b", None, None, "z", "b"]
    assert rebuilt(native).to_pylist() == ["b", None, None, "z", "b"]


def test_chunks_with_dictionaries_of_their_own_are_one_column():
    """Chunks that each have a dictionary of their own are read as one column."""
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", None, "c"]).dictionary_encode()]
    assert read_arrow(pa.chunked_array(chunks), "c").data.to_pylist() == ["a", "b", "b", None, "c"]


@pytest.fixture
def narrow_offsets(monkeypatch):
    """Let 32-bit offsets reach no further than 8 bytes, so that the tests need not fill 2 GB."""
    for module in (building, dtypes, reading):
        monkeypatch.setattr(module, "MAX_32_BIT", 8)


@pytest.mark.usefixtures("narrow_offsets")
@pytest.mark.parametrize(("cell", "short"), [("a" * 6, pa.string()), (b"a" * 6, pa.binary())])
def test_text_beyond_32_bit_offsets_is_read_as_large(cell, short):
    """Chunks, and categories looked up, that are too long together for 32-bit offsets become large text or bytes."""
    cells = [cell, None, cell]
    large = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}[short]
    chunked = read_arrow(pa.chunked_array([pa.array([cell], short), pa.array([None, cell], short)]), "c")
    looked_up = read_arrow(pa.array(cells, short).dictionary_encode(), "c")
    for native in (chunked, looked_up):
        assert native.data.type == large
        assert native.data.to_pylist() == cells


@pytest.mark.usefixtures("narrow_offsets")
@pytest.mark.parametrize("type_", [pa.string(), pa.binary()])
def test_text_beyond_32_bit_offsets_is_built_in_chunks(type_):
    """What is too long for the 32-bit offsets of its type is built in several chunks, none of them too long."""
    cells = ["aaaa", None, "b", "", "cccc", "ddddd"] * 3
    cells = cells if type_ == pa.string() else [cell and cell.encode() for cell in cells]
    chunked = pa.chunked_array([pa.array(cells[:2], type_), pa.array(cells[2:], type_)])
    for column in (chunked, pd.Series(pd.arrays.ArrowExtensionArray(chunked))):
        built = rebuilt((read_pandas if isinstance(column, pd.Series) else read_arrow)(column, "c"))
        assert exactly(pd.Series(built) if isinstance(column, pd.Series) else built) == exactly(column)
        chunks = (built.__arrow_array__() if isinstance(column, pd.Series) else built).chunks
        assert len(chunks) > 1
        assert all(len(chunk) == 1 or chunk.nbytes <= 100 for chunk in chunks)


def test_datetimes_far_off_keep_their_value():
    """Days at the ends of what Arrow's dates hold come back; one further is refused."""
    ends = np.array([2**31 - 1, -(2**31)], dtype="M8[D]")
    assert (rebuilt(read_numpy(ends, "c")) == ends).all()
    with pytest.raises(InputError, match="too far off"):
        read_numpy(ends + np.array([1, 0], dtype="m8[D]"), "c")


@pytest.mark.parametrize(
    ("read", "column"),
    [
        (read_polars, POLARS["Null"]),
        (read_arrow, ARROW["null"]),
        (read_pandas, PANDAS["Arrow null"]),
        (read_pandas, PANDAS["object of None alone"]),
        (read_pandas, pd.Series(pd.Categorical([None], categories=pd.Index([], dtype=object)))),
    ],
    ids=["polars", "pyarrow", "pandas, Arrow", "objects", "category"],
)
def test_cells_come_where_only_nulls_were(read, column):
    """A dtype that was read from nulls alone builds cells of any type: in the container's default, or as objects."""
    native = read(column, "c")
    for cells in (pa.array(["a", None]), pa.array([7, None], pa.int64())):
        built = build(cells, native.dtype, native.categories)
        listed = built.to_pylist() if isinstance(built, pa.Array) else list(built)
        assert [None if pd.isna(cell) else cell for cell in listed] == cells.to_pylist()


def test_an_object_column_is_read_whatever_its_order():
    """The class and null of an object column are found wherever in it they stand."""
    for cells in ([None, None, DAY], [DAY, None, None], [None, DAY, None]):
        native = read_pandas(pd.Series(cells, dtype=object), "c")
        assert (native.dtype.cell, native.dtype.null, native.data.to_pylist()) == (dt.date, "None", cells)


DAY = columns.DAY
