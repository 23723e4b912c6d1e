"""Whatever is encrypted comes back exactly: every dtype, in every container, by every way to protect it."""

import datetime as dt
import pickle
from decimal import Decimal

import dtype_columns as columns
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dtype_columns import exactly
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpriv import FieldEncryptor, Keyring

KEYS = Keyring.generate()
WAYS = {
    "randomized": {},
    "deterministic": {"mode": "deterministic"},
    "all at once": {"null": "protect", "pad": 32, "bind": [0]},
}
TABLES = {
    "pandas": lambda column: pd.DataFrame({"row": range(len(column)), "c": column}),
    "polars": lambda column: pl.DataFrame({"row": list(range(len(column))), "c": column}),
    "arrow": lambda column: pa.table({"row": pa.array(range(len(column)), pa.int64()), "c": column}),
}
COLUMNS = {
    **{("pandas", name): column for name, column in columns.pandas_columns().items() if len(column)},
    **{("polars", name): column for name, column in columns.polars_columns().items()},
    **{("arrow", name): column for name, column in columns.arrow_columns().items() if len(column)},
}


def get(table):
    if isinstance(table, pd.DataFrame):
        return table["c"]
    return table["c"] if isinstance(table, pl.DataFrame) else table.column("c")


def encryptor(**parameters):
    return FieldEncryptor(**{"key": KEYS, "columns": ["c"], "context": "c"} | parameters)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("container", "name"), COLUMNS, ids=lambda word: word)
def test_columns_of_every_dtype_come_back(container, name, way):
    """A column of any dtype becomes text and comes back to dtype, classes, values and nulls, from a pickle too."""
    column = COLUMNS[container, name]
    step = encryptor(**WAYS[way])
    protected = step.fit_transform(TABLES[container](column))
    assert all(isinstance(cell, str) for cell in listed(protected) if cell is not None)
    back = pickle.loads(pickle.dumps(step)).inverse_transform(protected)
    if way == "deterministic" and "float" in name.lower():  # equal numbers have equal tokens, so -0.0 loses its sign
        assert exactly(get(back))[0] == exactly(column)[0]
        assert listed(step.transform(back)) == listed(protected)
    else:
        assert exactly(get(back)) == exactly(column)


def listed(table):
    column = get(table)
    cells = column.to_pylist() if isinstance(table, pa.Table) else column.to_list()
    return [None if pd.isna(cell) else cell for cell in cells]


@pytest.mark.parametrize("name", columns.numpy_columns())
def test_arrays_of_every_dtype_come_back(name):
    """A numpy array of any dtype becomes text and comes back to dtype, byte order, width and values."""
    cells = columns.numpy_columns()[name]
    table = np.hstack([cells, cells[::-1]])
    step = FieldEncryptor(key=KEYS, context="c")
    protected = step.fit_transform(table)
    assert protected.dtype.kind in "OU"
    assert exactly(step.inverse_transform(protected)) == exactly(table)


@pytest.mark.parametrize(("container", "name"), COLUMNS, ids=lambda word: word)
def test_tokens_open_without_the_fitted_object(container, name):
    """Tokens of any dtype open with the key and the column's name alone, to cells that have the same tokens again."""
    step = encryptor(mode="deterministic")
    protected = step.fit_transform(TABLES[container](COLUMNS[container, name]))
    opened = encryptor(mode="deterministic").inverse_transform(protected)
    again, expected = listed(step.fit_transform(opened)), listed(protected)
    if container == "pandas" and "float" in name.lower():  # NaN is the null of numpy's floats
        expected = [token for token, cell in zip(expected, again, strict=True) if cell is not None]
        again = [cell for cell in again if cell is not None]
    assert again == expected


# --- any table ---

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.floats(allow_nan=False) | st.just(-0.0)
KINDS = {
    "text": TEXT,
    "int": st.integers(-(2**63), 2**63 - 1),
    "float": NUMBERS,
    "bool": st.booleans(),
    "bytes": st.binary(),
    "date": st.dates(),
    "time": st.times().map(lambda time: time.replace(fold=0)),
    "datetime": st.datetimes().map(lambda moment: moment.replace(fold=0)),
    "timedelta": st.timedeltas(dt.timedelta(days=-(10**8)), dt.timedelta(days=10**8)),
    "Decimal": st.decimals(-(10**20), 10**20, allow_nan=False, allow_infinity=False, places=4),
}
CELLS = st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.lists(st.none() | KINDS[kind], min_size=1, max_size=8))


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "numpy", "list"])
@settings(max_examples=25)
@given(cells=CELLS, way=st.sampled_from(sorted(WAYS)))
def test_any_cells_come_back(kind, cells, way):
    """Cells of any class, with nulls anywhere, come back exactly from every container by every way to protect them."""
    if way == "deterministic":
        cells = [0.0 if cell == 0 and isinstance(cell, float) else cell for cell in cells]
    rows = [[number, cell] for number, cell in enumerate(cells)]
    table = {
        "pandas": lambda: pd.DataFrame({"row": range(len(cells)), "c": pd.Series(cells, dtype=object)}),
        "polars": lambda: pl.DataFrame({"row": list(range(len(cells))), "c": cells}, strict=False),
        "pyarrow": lambda: pa.table({"row": list(range(len(cells))), "c": cells}),
        "numpy": lambda: np.array(rows, dtype=object),
        "list": lambda: rows,
    }[kind]()
    step = encryptor(columns=[1], **WAYS[way])
    back = step.inverse_transform(step.fit_transform(table))
    if kind in {"numpy", "list"}:
        assert words(back[:, 1]) == words(cells)
    else:
        assert exactly(get(back))[0] == exactly(get(table))[0]
        assert words(listed(back)) == words(listed(table))


def words(cells):
    """Give what cells are; decimals by their value, as those of an object column come back with one scale for all."""
    return [repr(cell.normalize()) if isinstance(cell, Decimal) else (type(cell), repr(cell)) for cell in cells]


@given(
    st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=1, max_size=6), st.sampled_from(["f8", ">f8", "f4"])
)
def test_any_numbers_come_back(rows, dtype):
    """An array of numbers comes back bit for bit when all of its columns were encrypted."""
    with np.errstate(over="ignore"):
        table = np.array(rows).astype(dtype)
    step = FieldEncryptor(key=KEYS, context="c")
    assert exactly(step.inverse_transform(step.fit_transform(table))) == exactly(table)


@given(st.lists(st.sampled_from("abcd"), min_size=1), st.permutations("abcd"), st.booleans())
def test_any_categories_come_back(cells, known, ordered):
    """Categories come back in their order, those that occur nowhere too, and their tokens are the text's own."""
    table = pd.DataFrame({"c": pd.Categorical(cells, categories=known, ordered=ordered)})
    step = encryptor(mode="deterministic")
    protected = step.fit_transform(table)
    assert exactly(get(step.inverse_transform(protected))) == exactly(table["c"])
    assert protected["c"].tolist() == step.fit_transform(table.astype(str))["c"].tolist()
