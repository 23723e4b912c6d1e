"""Columns in parts: what comes out is what would come out of the whole."""

import datetime as dt
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fixed_keys import KEYS

from modelpriv import Masker, Pseudonymizer, Replacer
from modelpriv._columns import parts as in_parts
from modelpriv._columns.dtypes import default_dtype
from modelpriv._columns.frame import Built, Column
from modelpriv._columns.parts import joined, part, parts
from modelpriv.errors import InputError
from modelpriv.testing import check_privacy_transformer

NAMES = ["Ada Lovelace", None, "Alan Turing", "Łukasz Żak", "", None, "李小龙", "Grace Hopper"]
STEPS = [
    Masker("name"),
    Masker(length=3, null="protect"),
    Masker(keep_last=2, char="•"),
    Pseudonymizer(key=KEYS),
    Pseudonymizer("int64", key=KEYS),
    Pseudonymizer("int64", key=KEYS, null="protect"),
    Replacer(values=["a", "b", "c"], key=KEYS),
    Replacer(values=[1, 2, 3], key=KEYS),
    Replacer(values=[True, False], key=KEYS),
    Replacer(values=[0.5, 1.5], key=KEYS),
    Replacer(values=[dt.date(2000, 1, 2), dt.date(2001, 1, 2)], key=KEYS),
    Replacer(values=[dt.datetime(2000, 1, 2), dt.datetime(2001, 1, 2)], key=KEYS),  # noqa: DTZ001 - wall clocks
    Replacer(values=list(range(9)), key=KEYS, unique=True),
    Replacer(values=list(range(9)), key=KEYS, subject="id"),
]


def column(cells, type_=None):
    data = pa.array(cells, type_)
    return Column("x", data, default_dtype("pandas", data.type))


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame, pa.table, pd.DataFrame.to_numpy])
def test_parts_make_no_difference(step, container, monkeypatch):
    """Every transformer that takes parts gives the table that it gives of the whole, in every container."""
    cells = {"id": [5, 5, 6, 7, 8, 8, 8, 9], "x": NAMES}
    table = container(pd.DataFrame(cells)) if container is pd.DataFrame.to_numpy else container(cells)
    positional = container is pd.DataFrame.to_numpy
    if positional and getattr(step, "subject", None):
        step = Replacer(**(step.get_params() | {"subject": 0}))
    step.set_params(columns=[1])
    if hasattr(step, "context"):
        step.set_params(context="x")
    whole = step.fit_transform(table)
    monkeypatch.setattr(in_parts, "_ROWS", 3)
    apart = step.fit_transform(table)
    again = step.transform(table)
    for found in (apart, again):
        if container is pd.DataFrame:
            pd.testing.assert_frame_equal(found, whole)
        elif container is pl.DataFrame:
            assert found.equals(whole)
            assert found.dtypes == whole.dtypes
        elif container is pa.table:
            assert found.equals(whole)
            assert found.schema == whole.schema
            found.validate(full=True)
        else:
            assert found.dtype == whole.dtype
            pd.testing.assert_frame_equal(pd.DataFrame(found), pd.DataFrame(whole))


@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_chunks_make_no_difference(step, type_, monkeypatch):
    """A column in chunks, some of them slices and some empty, gives what it gives in one chunk."""
    names = pa.array(["cut off", *NAMES, "cut off"], type_)
    ids = pa.chunked_array([[5, 5, 6, 7], [8, 8, 8], [9]])
    chunks = [names.slice(1, 3), names.slice(4, 0), names.slice(4, 4), names.slice(8, 1)]
    tables = [pa.table({"id": ids, "x": pa.chunked_array(chunks)}), pa.table({"id": ids, "x": names.slice(1, 8)})]
    tables += [pd.DataFrame({name: pd.Series(pd.arrays.ArrowExtensionArray(t[name])) for name in "x"}) for t in tables]
    step.set_params(columns=["x"])
    if getattr(step, "subject", None):
        step = Replacer(**(step.get_params() | {"subject": "id"}))
        tables = tables[:2]
    chunked, whole = step.fit_transform(tables[0]), step.fit_transform(tables[1])
    monkeypatch.setattr(in_parts, "_ROWS", 3)
    apart = [step.fit_transform(table) for table in tables]
    assert chunked.equals(whole)
    for found in apart[:2]:
        found.validate(full=True)
        assert found.equals(whole)
    for found in apart[2:]:
        assert [None if pd.isna(cell) else cell for cell in found["x"]] == whole["x"].to_pylist()


@pytest.mark.parametrize("step", [STEPS[0], STEPS[3], STEPS[4], STEPS[6]], ids=str)
def test_contract_in_parts(step, monkeypatch):
    """The contract of a privacy transformer holds where each part is a row or two."""
    monkeypatch.setattr(in_parts, "_ROWS", 2)
    check_privacy_transformer(step)


def test_numbers_made_of_parts_can_be_written_to(monkeypatch):
    """A column of numbers is an ordinary one of pandas, as it is where there is one part."""
    monkeypatch.setattr(in_parts, "_ROWS", 2)
    out = Pseudonymizer("int64", key=KEYS).fit_transform(pd.DataFrame({"x": ["a", "b", "c"]}))
    assert out["x"].dtype == np.int64
    out.loc[0, "x"] = 7
    assert out["x"][0] == 7


def test_a_row_in_a_later_part_is_named_by_its_number(monkeypatch):
    """An error names the row of the table, whichever part it lies in."""
    monkeypatch.setattr(in_parts, "_ROWS", 2)
    step = Replacer(values=list("abcdef"), unique=True, key=KEYS).fit(pd.DataFrame({"x": ["a", "b", "c"]}))
    with pytest.raises(InputError, match="the first in row 4,"):
        step.transform(pd.DataFrame({"x": ["a", "b", "c", "a", "z", "a"]}))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
def test_parts_are_all_rows_in_order(size, monkeypatch):
    """The rows of the parts are those of the column, and there is one part at least."""
    monkeypatch.setattr(in_parts, "_ROWS", 3)
    cells = [f"cell {number}" for number in range(size)]
    whole = column(cells, pa.string())
    found = [part(whole, rows).data.to_pylist() for rows in parts(whole)]
    assert len(found) == max(1, -(-size // 3))
    assert [cell for cells in found for cell in cells] == cells


def test_long_cells_make_short_parts(monkeypatch):
    """A part has few rows where these have many bytes, and one at least."""
    monkeypatch.setattr(in_parts, "_BYTES", 100)
    assert [rows.stop - rows.start for rows in parts(column(["x" * 30] * 6))] == [2, 2, 2]
    assert [rows.stop - rows.start for rows in parts(column(["x" * 300] * 2))] == [1, 1]


def test_a_part_that_outgrew_small_text_makes_all_large():
    """Where one part came back as large text, all parts are."""
    dtype = default_dtype("pyarrow", pa.string())
    made = iter([Built(pa.array(["a"]), dtype), Built(pa.array(["b"], pa.large_string()), dtype)])
    data = joined(made, 2).data
    assert (data.to_pylist(), data.type) == (["a", "b"], pa.large_string())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells and resets the peak")
def test_memory_is_input_and_output_and_little_else():
    """Floats take many times their bytes as text, but only of some rows at a time."""
    code = """
import re
from pathlib import Path
import numpy as np, pyarrow as pa
from modelpriv import Masker

def kilobytes(field):
    return int(re.search(field + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

table = pa.table({"x": np.arange(2_000_000) + 0.25})  # whose text, unlike that of older pandas, is no objects
step = Masker(keep_last=2)
step.transform(table.slice(0, 1000))
Path("/proc/self/clear_refs").write_text("5")
before = kilobytes("VmRSS")
out = step.transform(table)
print((kilobytes("VmHWM") - before) * 1024 - out.nbytes)
"""
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert int(found) < 64 * 2**20
