"""A fit in parts is the fit of the whole: wherever a table is cut, and in whatever order its parts are merged."""

import functools

import dtype_columns as columns
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fixed_keys import KEYS
from hypothesis import given
from hypothesis import strategies as st

from modelpriv import FieldEncryptor, Masker, Pseudonymizer, Replacer
from modelpriv._columns.frame import open_frame
from modelpriv.errors import InputError, ParameterError

STEPS = {
    "Masker": Masker(keep_last=1),
    "Pseudonymizer": Pseudonymizer(key=KEYS, context="c"),
    "Pseudonymizer, counted": Pseudonymizer("int64", key=KEYS, context="c"),
    "Replacer": Replacer(key=KEYS, context="c", values=["x", "y", "z"]),
    "Replacer, unique": Replacer(key=KEYS, context="c", values=[str(n) for n in range(99)], unique=True),
    "FieldEncryptor": FieldEncryptor("deterministic", key=KEYS, context="c"),
    "FieldEncryptor, randomized": FieldEncryptor(key=KEYS, context="c"),
}
TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=3), max_size=12)
CONTAINERS = {
    "pandas": lambda cells: pd.DataFrame({"a": cells}),
    "objects": lambda cells: pd.DataFrame({"a": pd.Series(cells, dtype=object)}),
    "categories": lambda cells: pd.DataFrame({"a": pd.Categorical(cells, categories=sorted({*cells} - {None}))}),
    "polars": lambda cells: pl.DataFrame({"a": pl.Series(cells, dtype=pl.String)}),
    "pyarrow": lambda cells: pa.table({"a": pa.array(cells, pa.string())}),
    "dictionary": lambda cells: pa.table({"a": pa.array(cells, pa.string()).dictionary_encode()}),
}


def learnt(step, table):
    """Learn from one table: how the call began, and the state of its column before the fit is finished."""
    step._check()
    frame = open_frame(table)
    read = step._read(frame, step._find_columns(frame))
    call = step._begin(frame, {}, fitting=True)
    return call, {position: step._learn(column, call) for position, column in read.items()}


def merged(step, *parts):
    """Merge what was learnt of several tables, from the left."""
    call = parts[0][0]
    states = functools.reduce(
        lambda one, other: {p: step._merge_states(one[p], other[p], call) for p in one}, [part for _, part in parts]
    )
    return call, states


def settled(name, call, states):
    """Give a fitted step by what was learnt."""
    step = STEPS[name].__class__(**STEPS[name].get_params())
    step._settle(states, call)
    return step


def told(step, table):
    """Give what a fitted step keeps, with categories opened, as randomized tokens are never the same."""
    states = {p: dict(state) for p, state in step._states.items()}
    for position, state in states.items():
        if state.get("categories"):
            opened = FieldEncryptor(step.mode, key=KEYS, context="c").inverse_transform(
                pd.DataFrame({"a": state["categories"]})
            )
            states[position]["categories"] = opened["a"].tolist()
    return repr(states), step._names


def sliced(table, start, stop):
    """Give some rows of a table of any kind."""
    return table.slice(start, stop - start) if not isinstance(table, pd.DataFrame) else table.iloc[start:stop]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", STEPS)
@given(cells=TEXTS, cuts=st.tuples(*[st.integers(0, 12)] * 2))
def test_parts_merge_to_the_whole(name, container, cells, cuts):
    """Cut anywhere, also before the first row, and merged in any order of pairs, the fit is that of the whole."""
    table = CONTAINERS[container](cells)
    first, second = sorted(min(cut, len(cells)) for cut in cuts)
    tables = [sliced(table, *ends) for ends in ((0, first), (first, second), (second, len(cells)))]
    step = STEPS[name]
    a, b, c = (learnt(step, part) for part in tables)
    whole = told(settled(name, *learnt(step, table)), table)
    assert told(settled(name, *merged(step, merged(step, a, b), c)), table) == whole
    assert told(settled(name, *merged(step, a, merged(step, b, c))), table) == whole


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("nulls", ["floats", "objects", "NaN objects", "Arrow"])
def test_a_first_part_of_nulls_says_nothing(name, nulls):
    """A first part that holds only nulls, in whatever dtype its container took, merges with a part of text."""
    first = {
        "floats": pd.Series([float("nan")] * 2),
        "objects": pd.Series([None, None], dtype=object),
        "NaN objects": pd.Series([float("nan")], dtype=object),
        "Arrow": pd.Series([None], dtype=pd.ArrowDtype(pa.null())),
    }[nulls]
    second = pd.DataFrame({"a": pd.Series(["x", None, "y"])})
    step = STEPS[name]
    parts = learnt(step, first.to_frame("a")), learnt(step, second)
    for call, states in (merged(step, *parts), merged(step, *parts[::-1])):
        fitted = settled(name, call, states)
        protected = fitted.transform(second)
        assert protected["a"].isna().tolist() == [False, True, False]
        if hasattr(fitted, "inverse_transform"):
            assert fitted.inverse_transform(protected).equals(second)


@pytest.mark.parametrize("name", ["Pseudonymizer", "Replacer", "FieldEncryptor"])
def test_parts_of_different_types_are_refused(name):
    """Parts of one column that hold different types are refused, with both types and no cell."""
    step = STEPS[name]
    parts = [learnt(step, pd.DataFrame({"a": [cell]})) for cell in ("cAnArY", 5)]
    with pytest.raises(InputError, match="Column 'a' holds text in one part and int in another") as caught:
        merged(step, *parts)
    assert "cAnArY" not in str(caught.value)


def test_parts_of_different_dtypes_are_refused():
    """Parts that hold one type in different dtypes are refused by an encryptor, which gives the dtype back."""
    step = STEPS["FieldEncryptor"]
    parts = [learnt(step, pd.DataFrame({"a": pd.Series([1], dtype=dtype)})) for dtype in ("int32", "int64")]
    with pytest.raises(InputError, match="Column 'a' has dtype int32 in one part and int64 in another"):
        merged(step, *parts)


def test_ordered_categories_must_be_the_same_in_all_parts():
    """Ordered categories that one part lacks have no place in its order, so they are refused."""
    step = STEPS["FieldEncryptor"]
    tables = [pd.DataFrame({"a": pd.Categorical(cells, ordered=True)}) for cells in (["a", "b"], ["b", "c"])]
    with pytest.raises(InputError, match="ordered categories in one part that are not in another"):
        merged(step, *(learnt(step, table) for table in tables))


def test_the_risk_of_the_whole_is_counted():
    """Values that fit a form in each part, but not together, are refused when the parts are merged."""
    step = Pseudonymizer(key=KEYS, alphabet="0123456789", length=5)
    tables = [pd.DataFrame({"a": range(start, start + 12)}) for start in (0, 12)]
    parts = [learnt(step, table) for table in tables]
    for part in parts:
        step._settle(part[1], part[0])
    call, states = merged(step, *parts)
    with pytest.raises(ParameterError, match="Column 'a' has 24 different values"):
        step._settle(states, call)


MADE = {
    "pandas": columns.pandas_columns(),
    "polars": columns.polars_columns(),
    "pyarrow": columns.arrow_columns(),
}
COLUMNS = [(container, name) for container, made in MADE.items() for name in made]
# Objects have no type without cells.
TYPED = [(container, name) for container, name in COLUMNS if not name.startswith("object of ")]


def table_of(container, column):
    """Give a table of one column."""
    if container == "pandas":
        return column.to_frame("a")
    return pl.DataFrame({"a": column}) if container == "polars" else pa.table({"a": column})


def schema_of(table):
    """Give the dtypes of a table's columns."""
    if isinstance(table, pd.DataFrame):
        # Integers with nulls take pandas' nullable dtype of the same name in upper case.
        return table.dtypes.astype(str).str.lower().to_dict()
    return table.schema


@pytest.mark.parametrize("name", ["Masker", "Pseudonymizer, counted", "Replacer", "FieldEncryptor"])
@pytest.mark.parametrize(("container", "column"), TYPED, ids=str)
def test_a_typed_empty_table_gives_the_output_schema(name, container, column):
    """A table without rows, of the fitted dtypes, gives the schema that any other table gives."""
    table = table_of(container, MADE[container][column])
    step = STEPS[name].__class__(**STEPS[name].get_params())
    try:
        full = step.fit_transform(table)
    except InputError:
        pytest.skip("this transformer refuses the dtype")
    empty = step.transform(sliced(table, 0, 0))
    assert schema_of(empty) == schema_of(full)
    assert len(empty) == 0


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize(("container", "column"), COLUMNS, ids=str)
def test_a_column_of_nulls_passes_everywhere(name, container, column):
    """A column of any dtype that holds only nulls is fitted, protected, rewrapped and given back in that dtype."""
    cells = MADE[container][column]
    if container == "pandas":
        native = cells.dtype.newbyteorder("=") if cells.dtype == ">i4" else cells.dtype
        nulls = cells.iloc[:0].astype(native).reindex([0, 1])
    elif container == "polars":
        nulls = pl.Series([None, None], dtype=cells.dtype)
    else:
        nulls = pa.nulls(2, cells.type)
    table = table_of(container, nulls)
    step = STEPS[name].__class__(**STEPS[name].get_params())
    protected = step.fit_transform(table)
    assert schema_of(step.transform(table)) == schema_of(protected)
    assert open_frame(protected).column(0).data.null_count == 2
    if hasattr(step, "inverse_transform"):
        for tokens in (protected, step.rewrap(protected)):
            back = step.inverse_transform(tokens)
            assert schema_of(back) == schema_of(table)
            assert open_frame(back).column(0).data.null_count == 2
