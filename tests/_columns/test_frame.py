"""Tables go in and come out as the same kind, with everything around the protected columns as it was."""

import copy

import dtype_columns as columns
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dtype_columns import CANARY, exactly
from scipy import sparse

from modelpriv._columns.dtypes import default_text
from modelpriv._columns.frame import Built, as_names, open_frame
from modelpriv.errors import InputError, InputTypeError

DATA = {"id": [1, 2, 3], "name": ["a", None, "c"], "x": [0.5, -0.0, 2.5]}
NAMED = ["pandas", "polars", "pyarrow"]
COPIES_EAGERLY = pd.__version__ < "3"


def as_it_is(frame, position):
    """Give a column back as it was read: the kernel that does nothing."""
    column = frame.column(position)
    return Built(column.data, column.dtype, column.categories)


def as_text(frame, position, cells):
    """Give a column that became text."""
    return Built(pa.array(cells), frame.column(position).dtype.as_text())


def masked(table, position=1):
    """Give a table with one column replaced by text, and nothing else."""
    frame = open_frame(table)
    return frame.replaced({position: as_text(frame, position, [f"*{i}" for i in range(frame.n_rows)])})


def column_of(table, position):
    if isinstance(table, pd.DataFrame):
        return table.iloc[:, position]
    if isinstance(table, pl.DataFrame):
        return table.to_series(position)
    return table.column(position) if isinstance(table, pa.Table) else table[:, position]


def test_every_container_opens(container):
    """Every kind of table opens with its names, its rows, and columns that are read by position."""
    table = container(DATA)
    frame = open_frame(table)
    named = frame.container in NAMED
    assert frame.named == named
    assert frame.names == (list(DATA) if named else [0, 1, 2])
    assert frame.n_rows == 3
    assert [frame.column(i).name for i in range(3)] == frame.names
    assert [frame.column(i).data.to_pylist() for i in range(3)] == list(DATA.values())


def test_an_open_frame_opens_again(container):
    """A frame that is open already is taken as it is."""
    frame = open_frame(container(DATA))
    assert open_frame(frame) is frame


def test_only_the_replaced_column_changes(container):
    """The replaced column is new, all others and their names come back exactly, and the table is of the same kind."""
    table = container(DATA)
    before = copy.deepcopy(table)
    result = masked(table)
    assert type(result) is (np.ndarray if isinstance(table, list) else type(table))
    assert open_frame(result).names == open_frame(table).names
    assert open_frame(result).column(1).data.to_pylist() == ["*0", "*1", "*2"]
    for kept in (0, 2):
        expected = column_of(np.array(before, dtype=object) if isinstance(table, list) else before, kept)
        assert exactly(column_of(result, kept)) == exactly(expected)
    assert open_frame(table).column(1).data.to_pylist() == DATA["name"]


def test_a_table_is_never_the_one_that_came(container):
    """The result is a new table even where nothing was replaced."""
    table = container(DATA)
    assert open_frame(table).replaced({}) is not table or isinstance(table, pa.Table)


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_every_dtype_comes_back_in_its_table(kind):
    """A column of any dtype that is read and replaced by itself leaves its table as it was."""
    for name, column in getattr(columns, f"{kind.replace('py', '')}_columns")().items():
        build = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}[kind]
        table = build({"before": list(range(len(column))), "c": column})
        frame = open_frame(table)
        assert exactly(column_of(frame.replaced({1: as_it_is(frame, 1)}), 1)) == exactly(column), name


def test_every_dtype_comes_back_in_its_array():
    """A numpy array of any dtype that is read and replaced by itself is as it was, columns beside each other too."""
    for name, column in columns.numpy_columns().items():
        table = np.hstack([column, column[::-1]])
        frame = open_frame(table)
        for replaced in ({0}, {0, 1}):
            assert exactly(frame.replaced({i: as_it_is(frame, i) for i in replaced})) == exactly(table), name


# --- pandas ---


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(["b", "b", "a"], name="label"),
        pd.Index([2.5, np.nan, np.nan]),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 1), ("b", 2)], names=["letter", None]),
        pd.date_range("2024-01-01", periods=3, tz="Europe/Rome"),
        pd.RangeIndex(5, 20, 5),
        pd.CategoricalIndex(["z", "y", "z"]),
    ],
    ids=["duplicated", "with NaN", "MultiIndex", "dates", "range", "categories"],
)
def test_the_index_comes_back(index):
    """A pandas index of any kind comes back as it was, with its names, and the rows stay at their places."""
    result = masked(pd.DataFrame(DATA, index=index))
    pd.testing.assert_index_equal(result.index, index, exact=True)
    assert result.iloc[:, 1].tolist() == ["*0", "*1", "*2"]


@pytest.mark.parametrize(
    "names",
    [
        pd.Index(["b", "a", "c"], name="measure"),
        pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "x")], names=["outer", "inner"]),
        pd.Index([10, 0, 2]),
        pd.Index(["a", 1, ("b", 2)], dtype=object),
    ],
    ids=["named", "MultiIndex", "int", "mixed"],
)
def test_column_labels_come_back(names):
    """Column labels of any kind, and the names of their levels, come back as they were."""
    result = masked(pd.DataFrame(DATA).set_axis(names, axis=1))
    pd.testing.assert_index_equal(result.columns, names, exact=True)
    assert open_frame(result).names == list(names)


@pytest.mark.filterwarnings("ignore:Passing a BlockManager:DeprecationWarning")  # pandas 2.2 to its own subclass
def test_what_is_noted_on_a_frame_comes_back():
    """`attrs`, flags and a subclass of DataFrame come back as they were."""

    class Own(pd.DataFrame):
        @property
        def _constructor(self):
            return Own

    table = Own(DATA)
    table.attrs["source"] = {"file": "a"}
    table = table.set_flags(allows_duplicate_labels=False)
    result = masked(table)
    assert type(result) is Own
    assert result.attrs == table.attrs
    assert result.flags.allows_duplicate_labels is False


@pytest.mark.parametrize("cells", [[1, 2, 3], ["a", "b", "c"], [0.5, 1.5, 2.5]], ids=["int", "text", "float"])
def test_a_frame_shares_no_memory_that_can_be_written(cells):
    """Who writes into a result does not change the table that came, and the other way round."""
    table = pd.DataFrame({"kept": cells, "replaced": cells, "other": cells})
    frame = open_frame(table)
    result = frame.replaced({1: as_it_is(frame, 1)})
    before, new = table.copy(deep=True), cells[::-1]
    for position in range(3):
        result.iloc[0, position] = new[0]
    pd.testing.assert_frame_equal(table, before)
    result = frame.replaced({1: as_it_is(frame, 1)})
    for position in range(3):
        table.iloc[0, position] = new[0]
    pd.testing.assert_frame_equal(result, before)


@pytest.mark.skipif(not COPIES_EAGERLY, reason="since version 3 pandas hands out read-only arrays")
def test_a_frame_shares_no_numpy_memory():
    """Without copy-on-write, no array behind a result is one of those behind the table that came."""
    table = pd.DataFrame({"a": [1, 2], "b": [3, 4], "c": [0.5, 1.5]})
    frame = open_frame(table)
    result = frame.replaced({0: as_it_is(frame, 0)})
    for name in table:
        assert not np.shares_memory(table[name].to_numpy(), result[name].to_numpy())


# --- pyarrow ---


def pandas_in_arrow():
    frame = pd.DataFrame(
        {
            "text": ["a", "b"],
            "number": pd.array([1, None], dtype="Int64"),
            "letter": pd.Categorical(["x", "y"]),
            "moment": pd.to_datetime(["2024-01-01", "2024-06-01"]).tz_localize("Europe/Rome"),
            "string": pd.array(["a", None], dtype="string"),
        },
        index=pd.Index(["one", "two"], name="key"),
    )
    return frame, pa.Table.from_pandas(frame)


@pytest.mark.parametrize("position", range(6))
def test_pandas_metadata_stays_true(position):
    """A table that came from pandas still becomes a frame when any of its columns, or its index, became text."""
    frame, table = pandas_in_arrow()
    result = masked(table, position).to_pandas()
    assert result.index.name == "key"
    assert result.columns.tolist() == frame.columns.tolist()
    name = table.column_names[position]
    cells = result.index if name == "key" else result[name]
    assert list(cells) == ["*0", "*1"]
    for other in set(frame.columns) - {name}:
        pd.testing.assert_series_equal(result[other], frame[other], check_index=False)


def test_pandas_metadata_of_text_stays():
    """A column that stays text keeps its pandas dtype in the metadata."""
    _, table = pandas_in_arrow()
    assert masked(table, 4).to_pandas()["string"].dtype == "string"
    assert masked(table, 4).schema.metadata == table.schema.metadata


def test_other_metadata_come_back():
    """Metadata of an Arrow table that are not pandas' come back as they were."""
    table = pa.table(DATA).replace_schema_metadata({b"source": b"a file"})
    assert masked(table).schema.metadata == {b"source": b"a file"}


def test_what_may_hold_no_null_comes_back():
    """A field that may hold no null comes back as one, unless the new column has nulls."""
    table = pa.table({"a": ["x"], "b": ["y"]}, pa.schema([pa.field(n, pa.string(), nullable=False) for n in "ab"]))
    assert masked(table).schema == table.schema
    frame = open_frame(table)
    assert frame.replaced({1: as_text(frame, 1, [None])}).schema.field("b").nullable


def test_a_chunked_table_comes_back():
    """A table in several chunks, or of slices, comes back with the same rows."""
    table = pa.concat_tables([pa.table(DATA), pa.table(DATA).slice(1), pa.table(DATA).slice(0, 0)])
    result = masked(table)
    result.validate(full=True)
    assert result.column(1).to_pylist() == [f"*{i}" for i in range(5)]
    assert result.column(0).equals(table.column(0))


# --- numpy and lists ---


def test_text_takes_the_width_it_needs():
    """In an array of text, text that became longer widens all columns, and nothing is cut."""
    result = masked(np.array([["a", "b"], ["c", "dd"]]))
    assert result.tolist() == [["a", "*0"], ["c", "*1"]]
    frame = open_frame(np.array([["a", "b"], ["c", "dd"]]))
    assert frame.replaced({0: as_text(frame, 0, ["long" * 9, "b"])})[0, 0] == "long" * 9


def test_times_among_objects_stay_times():
    """Where one column of times became text, the others hold times still, and not bare numbers."""
    for unit in ("D", "us", "ns"):
        for kind in "mM":
            table = np.array([[1, 2], [3, 4]]).astype(f"{kind}8[{unit}]")
            frame = open_frame(table)
            result = frame.replaced({0: Built(pa.array(["*0", "*1"]), default_text("numpy"))})
            assert result[:, 0].tolist() == ["*0", "*1"]
            assert [(type(cell), cell) for cell in result[:, 1]] == [(type(cell), cell) for cell in table[:, 1]]


def test_numbers_among_objects_are_pythons():
    """Where one column of numbers became text, the others hold Python's numbers with their values."""
    result = masked(np.array([[0.1, 1.0], [-0.0, 2.0]]))
    assert [(type(cell), repr(cell)) for cell in result[:, 0]] == [(float, "0.1"), (float, "-0.0")]


def test_an_array_shares_no_memory():
    """A numpy result shares no memory with the array that came, read-only or a view, and can be written to."""
    base = np.arange(12.0).reshape(4, 3)
    read_only = base.copy()
    read_only.flags.writeable = False
    for table in (base, base[::-2, ::-1], base.T[:2], np.asfortranarray(base), read_only):
        frame = open_frame(table)
        for chosen in ([], [0], range(table.shape[1])):
            result = frame.replaced({i: as_it_is(frame, i) for i in chosen})
            assert np.array_equal(result, table)
            assert not np.shares_memory(result, base)
            assert not np.shares_memory(result, read_only)
            assert result.flags.writeable


def test_rows_are_lists_or_tuples_or_arrays():
    """A list of lists, of tuples or of arrays, and a tuple of them, are the same table."""
    for rows in ([["a", 1], ["b", 2]], [("a", 1), ("b", 2)], (["a", 1], ("b", 2))):
        assert [open_frame(rows).column(i).data.to_pylist() for i in (0, 1)] == [["a", "b"], [1, 2]]
    arrays = [np.array([0.5, 1.5]), np.array([2.5, 3.5])]
    assert open_frame(arrays).native.dtype == float


def test_a_list_in_a_cell_stays_one():
    """A cell that is a list is no row: it is refused where it is to be protected, and else passes as it is."""
    for cells in ([CANARY], [CANARY, CANARY], []):
        frame = open_frame([["a", cells], ["b", cells]])
        assert masked([["a", cells], ["b", cells]], 0)[0, 1] == cells
        with pytest.raises(InputError, match="object of list"):
            frame.column(1)


def test_a_number_beside_text_stays_a_number():
    """In a list of rows, a number is not turned into text by the text beside it."""
    assert masked([["a", 1.5], ["b", 2.5]], 0)[:, 1].tolist() == [1.5, 2.5]


# --- what is no table ---


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        (sparse.csr_matrix(np.eye(2)), InputTypeError, "sparse csr_matrix"),
        (sparse.csc_array(np.eye(2)), InputTypeError, "sparse csc_array"),
        (pl.DataFrame(DATA).lazy(), InputTypeError, "lazy frame .polars LazyFrame.*Collect"),
        (pa.record_batch({"a": [CANARY]}), InputTypeError, "pyarrow RecordBatch is not supported"),
        (np.ma.masked_array([[CANARY]], mask=[[True]]), InputTypeError, "MaskedArray"),
        (np.asmatrix([[CANARY]]), InputTypeError, "matrix"),
        (CANARY, InputTypeError, "got str"),
        (CANARY.encode(), InputTypeError, "got bytes"),
        ({"a": [CANARY]}, InputTypeError, "got dict"),
        ({CANARY}, InputTypeError, "got set"),
        (None, InputTypeError, "got NoneType"),
        (lambda: CANARY, InputTypeError, "got function"),
        ([[CANARY], ["b", "c"]], InputTypeError, "A list does not become a table .ValueError."),
        ([np.array([CANARY]), np.array(["b", "c"])], InputTypeError, "does not become a table"),
        (pd.Series([CANARY]), InputError, "pandas Series.*Reshape your data"),
        (pl.Series([CANARY]), InputError, "polars Series.*Reshape your data"),
        (pd.Index([CANARY]), InputError, "got 1D.*Reshape your data"),
        ([CANARY, "b"], InputError, "got 1D.*Reshape your data"),
        ([[CANARY], "b"], InputError, "got 1D.*Reshape your data"),
        (np.array(CANARY), InputError, "got 0D.*Reshape your data"),
        (np.array([[[CANARY]]]), InputError, "got 3D.*Reshape your data"),
        (np.array([(1, CANARY)], dtype=[("a", "i4"), ("b", "U8")]), InputError, "got 1D"),
        (iter([[CANARY]]), InputError, "got 0D"),
        (5, InputError, "got 0D"),
        (np.array([[1j]]), InputError, "Complex data not supported"),
        (np.empty((3, 0)), InputError, r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required"),
        ([], InputError, r"0 feature\(s\)"),
        ([[], []], InputError, r"0 feature\(s\)"),
        (pd.DataFrame(index=[CANARY]), InputError, r"0 feature\(s\)"),
        (pl.DataFrame(), InputError, r"0 feature\(s\)"),
        (pa.table({}), InputError, r"0 feature\(s\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), InputError, "unique.*'a'"),
        (pa.table([[1], [2]], names=["a", "a"]), InputError, "unique.*'a'"),
    ],
    ids=lambda value: None if isinstance(value, str) and CANARY in value else getattr(value, "__name__", ""),
)
def test_what_is_no_table_is_refused(table, error, words):
    """What is no table with rows and unique columns is refused with what came and what to do, and never with a cell."""
    with pytest.raises(error, match=words) as caught:
        open_frame(table)
    assert CANARY not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_frame_of_another_library_is_refused(monkeypatch):
    """A frame that narwhals knows and this package does not is refused by its library."""
    monkeypatch.setattr("modelpriv._columns.frame.nw.dependencies.is_pandas_dataframe", lambda _: False)
    with pytest.raises(InputTypeError, match="pandas DataFrame is not supported"):
        open_frame(pd.DataFrame(DATA))


# --- no rows ---


@pytest.mark.parametrize("table", [pd.DataFrame(DATA), pl.DataFrame(DATA), pa.table(DATA), np.ones((3, 3))], ids=type)
def test_a_table_without_rows_comes_back(table):
    """A table without rows comes back without rows, with the same columns and the replaced one as text."""
    result = masked(table[:0])
    assert open_frame(result).n_rows == 0
    assert open_frame(result).names == open_frame(table).names
    assert type(result) is type(table)
    assert exactly(column_of(result, 1))[0] == exactly(column_of(masked(table), 1))[0]


# --- what set_output wants ---


@pytest.mark.parametrize("wanted", ["pandas", "polars", "default"])
def test_a_result_becomes_what_is_wanted(wanted, container):
    """A result becomes what `set_output` can take: the same columns, numbers still numbers; by default it stays."""
    table = container(DATA)
    frame = open_frame(table)
    result = frame.replaced({1: as_text(frame, 1, ["*0", "*1", "*2"])})
    given = frame.as_wanted(result, wanted)
    if wanted == "default":
        assert given is result
        return
    # scikit-learn makes polars frames out of pandas ones by itself, and takes every column along.
    assert isinstance(given, (pd.DataFrame, pl.DataFrame))
    assert wanted == "polars" or isinstance(given, pd.DataFrame)
    assert list(map(str, given.columns)) == list(map(str, frame.names))
    assert open_frame(given).column(0).dtype.is_text is False
    assert open_frame(given).column(2).data.to_pylist() == DATA["x"]


def test_an_index_in_an_arrow_table_is_a_column():
    """What pandas' metadata in an Arrow table call an index is a column like all others when a frame is wanted."""
    _, table = pandas_in_arrow()
    frame = open_frame(table)
    assert frame.as_wanted(masked(table, 0), "pandas").columns.tolist() == table.column_names


# --- lists of names ---


def test_lists_of_names_are_taken():
    """Names come as a list, a tuple, a set, the keys of a dict, a range, an array or an index."""
    for names in (
        ["a"],
        ("a",),
        {"a"},
        {"a": 1}.keys(),
        np.array(["a"]),
        pd.Index(["a"]),
        pd.DataFrame({"a": [1]}).columns,
    ):
        assert as_names(names) == ["a"]
    assert as_names(range(2)) == [0, 1]


def test_what_holds_cells_is_no_list_of_names():
    """A text, a series and a table are no lists of names: they would be read cell by cell and shown in an error."""
    for thing in ("a", b"a", pd.Series(["a"]), pl.Series(["a"]), pd.DataFrame({"a": [1]}), pa.array(["a"]), 5, None):
        assert as_names(thing) is None
