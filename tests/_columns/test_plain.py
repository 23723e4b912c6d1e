"""Dtypes and arrays as plain data: they come back equal, and their pickle names no class of this package."""

import datetime as dt
import pickle
import pickletools

import dtype_columns as columns
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from modelpriv._columns.frame import open_frame
from modelpriv._columns.plain import array_from_plain, array_to_plain, dtype_from_plain, dtype_to_plain
from modelpriv._columns.reading import read_arrow, read_pandas, read_polars

READERS = {"pandas": read_pandas, "polars": read_polars, "pyarrow": read_arrow}
MADE = {
    (kind, name): column
    for kind, made in (
        ("pandas", columns.pandas_columns()),
        ("polars", columns.polars_columns()),
        ("pyarrow", columns.arrow_columns()),
    )
    for name, column in made.items()
}


def plain_pickle(plain):
    """Pickle plain data, and check that it names nothing but numpy's own arrays."""
    written = pickle.dumps(plain)
    strings = [argument for opcode, argument, _ in pickletools.genops(written) if isinstance(argument, str)]
    assert not [text for text in strings if text.startswith("modelpriv")]
    assert not any(opcode.name == "GLOBAL" for opcode, _, _ in pickletools.genops(written))
    return written


@pytest.mark.parametrize(("kind", "name"), MADE, ids=str)
def test_dtypes_come_back_equal(kind, name):
    """The dtype of every column that is protected comes back equal from plain data that was pickled."""
    dtype = READERS[kind](MADE[kind, name], name).dtype
    assert dtype_from_plain(pickle.loads(plain_pickle(dtype_to_plain(dtype)))) == dtype


@pytest.mark.parametrize("cells", [np.array(["a", "bcd"]), np.array([b"a"]), np.array([1.5], ">f4")], ids=str)
def test_dtypes_of_arrays_come_back_equal(cells):
    """The dtype of a numpy array comes back with its width and its byte order."""
    dtype = open_frame(cells.reshape(-1, 1)).column(0).dtype
    assert dtype_from_plain(dtype_to_plain(dtype)) == dtype


@pytest.mark.parametrize("zone", ["pytz", "pytz offset", "dateutil", "offset", "UTC"])
def test_time_zones_come_back_from_their_library(zone):
    """Pandas tells the same zone of two libraries apart, so each comes back from its own."""
    if zone.startswith("pytz"):
        pytz = pytest.importorskip("pytz")
        made = pytz.FixedOffset(90) if "offset" in zone else pytz.timezone("Europe/Rome")
    elif zone == "dateutil":
        made = "dateutil/Europe/Rome"
    else:
        made = dt.UTC if zone == "UTC" else dt.timezone(dt.timedelta(minutes=-90))
    moments = pd.Series(pd.to_datetime(["2024-01-01"]))
    try:
        cells = moments.dt.tz_localize(made)
    except AttributeError:  # pandas 2.2 with a newer dateutil
        pytest.skip("this pandas does not know the zones of this dateutil")
    dtype = read_pandas(cells, "a").dtype
    assert dtype_from_plain(dtype_to_plain(dtype)).native == dtype.native


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a", "", "Łukasz"], pa.large_string()),
        pa.array(["a", "bc", "d"]).slice(1),
        pa.array([1, 2]),
        pa.array([True] * 9 + [False]).slice(3),
        pa.array([b"x" * 16], pa.binary(16)),
        pa.array([dt.date(2024, 2, 29)]),
        pa.array([], pa.string()),
    ],
    ids=lambda array: str(array.type),
)
def test_arrays_come_back_equal(array):
    """A flat array without nulls comes back equal from plain data that was pickled, also a slice of one."""
    assert array_from_plain(pickle.loads(pickle.dumps(array_to_plain(array)))).equals(array)
