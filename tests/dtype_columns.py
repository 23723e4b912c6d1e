"""A column of every dtype that every container has, and those that are refused, for the tests of the way in and out."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

NAN, INF = float("nan"), float("inf")
CANARY = "cAnArY"
DAY = dt.date(2024, 2, 29)
MOMENT = dt.datetime(1969, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 - wall clock
CLOCK = dt.time(23, 59, 59)
SPAN = dt.timedelta(days=-1, microseconds=1)
EMPTY_AND_NUL = ["", "\0", "a\0b\0", "Zoë 李小龙 👩‍🚀"]


def pandas_columns():
    """Give a Series of each dtype that is protected, by name."""
    columns = {
        "text by default": pd.Series(["a", None, *EMPTY_AND_NUL]),
        "bool": pd.Series([True, False]),
        "boolean": pd.Series([True, None, False], dtype="boolean"),
        "category without cells": pd.Series(pd.Categorical([None, None])),
        "category, ordered": pd.Series(pd.Categorical(["b", None, "a"], categories=["b", "-", "a"], ordered=True)),
        "category of text, one unused": pd.Series(pd.Categorical(["b", None, "a"], categories=["b", "-", "a"])),
        "Arrow float with NaN": arrow_series([1.5, NAN, None, -0.0], pa.float64()),
        "Arrow float16": pd.Series(pd.arrays.ArrowExtensionArray(pa.array(np.array([1.5, NAN], np.float16)))),
        "Arrow dictionary": pd.Series(pd.arrays.ArrowExtensionArray(pa.array(["a", None, "b"]).dictionary_encode())),
        "big-endian int32": pd.Series(np.array([1, -2], dtype=">i4")),
    }
    for kind in ("python", "pyarrow"):
        columns[f"string[{kind}]"] = pd.Series(["a", None, *EMPTY_AND_NUL], dtype=pd.StringDtype(kind))
    if pd.__version__ >= "3":
        columns["str, python"] = pd.Series(["a", None, *EMPTY_AND_NUL], dtype=pd.StringDtype("python", na_value=np.nan))
    else:
        nan = pd.arrays.FloatingArray(np.array([NAN, 1.5, -0.0]), np.array([0, 1, 0], bool))
        columns["Float64 with NaN"] = pd.Series(nan)  # since version 3, pandas takes it for its null
        columns["string[pyarrow_numpy]"] = pd.Series(["a", None], dtype="string[pyarrow_numpy]")
    columns |= _pandas_numbers() | _pandas_times()
    for name, cells in categories().items():
        columns[f"category of {name}"] = pd.Series(pd.Categorical(cells))
    for name, cells in arrow_columns().items():
        if "view" not in name and "decimal32" not in name and "decimal64" not in name and "float16" not in name:
            columns[f"Arrow {name}"] = pd.Series(pd.arrays.ArrowExtensionArray(cells))
    for name, cells in object_cells().items():
        columns[f"object of {name}"] = pd.Series(cells, dtype=object)
    return columns


def _pandas_numbers():
    columns = {}
    for bits in (8, 16, 32, 64):
        for kind in ("int", "uint"):
            limits = np.iinfo(f"{kind}{bits}")
            columns[f"{kind}{bits}"] = pd.Series([limits.min, 0, limits.max], dtype=f"{kind}{bits}")
            nullable = {"int": "Int", "uint": "UInt"}[kind] + str(bits)
            columns[nullable] = pd.Series([limits.min, None, limits.max], dtype=nullable)
    for bits in (16, 32, 64):
        columns[f"float{bits}"] = pd.Series([1.1, NAN, -0.0, INF, -INF], dtype=f"float{bits}")
        if bits > 16:
            columns[f"Float{bits}"] = pd.Series([1.1, None, -0.0, INF], dtype=f"Float{bits}")
    return columns


def _pandas_times():
    columns = {}
    for unit in ("s", "ms", "us", "ns"):
        ends = np.array([-(2**63) + 1, -1, "NaT", 2**63 - 1 if unit != "s" else 2**61], dtype=f"M8[{unit}]")
        columns[f"datetime64[{unit}]"] = pd.Series(ends)
        columns[f"timedelta64[{unit}]"] = pd.Series(ends.astype("i8").view(f"m8[{unit}]"))
        moments = pd.Series(np.array(["2024-10-27T01:30", "NaT", "1969-12-31"], dtype=f"M8[{unit}]"))
        columns[f"datetime64[{unit}, Europe/Rome]"] = moments.dt.tz_localize("UTC").dt.tz_convert("Europe/Rome")
    zones = {
        "UTC": dt.UTC,
        "zoneinfo": ZoneInfo("Asia/Tokyo"),
        "offset": dt.timezone(dt.timedelta(hours=5, minutes=30)),
    }
    for name, zone in zones.items():
        columns[f"time zone, {name}"] = pd.Series(pd.to_datetime(["2024-01-01", None])).dt.tz_localize(zone)
    return columns


def categories():
    """Give cells of each type that categories can have."""
    return {
        "int": [3, None, 1],
        "float": [1.5, None, -0.0],
        "bool": [True, None, False],
        "date": [DAY, None],
        "Decimal": [Decimal("1.5"), None, Decimal("-2.5")],
        "bytes": [b"a\0", None, b""],
        "timestamp": pd.to_datetime(["2024-01-01", None]),
        "timestamp with time zone": pd.to_datetime(["2024-01-01", None]).tz_localize("Asia/Tokyo"),
        "timedelta": pd.to_timedelta([1, None]),
        "object": pd.Index(["b", "a"], dtype=object),
        "string": pd.array(["a", None], dtype="string"),
        "Int64": pd.array([1, None, 2**53 + 1], dtype="Int64"),
        "Arrow text": pd.array(["a", None], dtype=pd.ArrowDtype(pa.string())),
    }


def object_cells():
    """Give cells of each Python class, and each kind of null, that an object column may hold."""
    return {
        "str and None": ["a", None, *EMPTY_AND_NUL],
        "str and NaN": ["a", NAN],
        "str and NA": ["a", pd.NA],
        "str and NaT": ["a", pd.NaT],
        "bytes": [b"a\0", None, b"", b"\xff"],
        "bool": [True, None],
        "int": [2**63 - 1, None, -(2**63)],
        "int beyond int64": [2**64 - 1, None, 0],
        "float": [1.5, None, -0.0, INF],
        "float and NaN": [1.5, NAN],
        "NaN alone": [NAN, NAN],
        "Decimal": [Decimal("1.50"), None, Decimal("-20.25")],
        "Decimal and NaN": [Decimal("1.5"), Decimal("NaN")],
        "Decimal, 76 digits": [Decimal("0." + "1" * 76)],
        "Decimal, tiny": [Decimal("1E-30"), Decimal("2.5E-29")],
        "date": [DAY, None, dt.date.min, dt.date.max],
        "datetime": [MOMENT, None, MOMENT.replace(year=1), MOMENT.replace(year=9999)],
        "datetime and NaT": [MOMENT, pd.NaT],
        "Timestamp": [pd.Timestamp(2**60 + 1), None, pd.Timestamp.min],
        "Timestamp and NaT": [pd.Timestamp(1), pd.NaT],
        "time": [dt.time.max, None, dt.time.min],
        "timedelta": [SPAN, None],
        "Timedelta": [pd.Timedelta(1), None, pd.Timedelta(-1)],
        "None alone": [None, None],
        "NA alone": [pd.NA],
        "NaT alone": [pd.NaT],
    }


def polars_columns():
    """Give a polars Series of each dtype that is protected, by name."""
    columns = {
        "String": pl.Series(["a", None, *EMPTY_AND_NUL]),
        "Binary": pl.Series([b"a\0", None, b""]),
        "Boolean": pl.Series([True, None, False]),
        "Date": pl.Series([DAY, None, dt.date.min, dt.date.max]),
        "Time": pl.Series([CLOCK, None, dt.time.min]),
        "Null": pl.Series([None, None]),
        "Decimal": pl.Series([Decimal("1.50"), None, Decimal("-0.25")]),
        "Decimal(10, 3)": pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(10, 3)),
        "Categorical": pl.Series(["b", None, "a"], dtype=pl.Categorical),
        "Enum": pl.Series(["b", None, "a"], dtype=pl.Enum(["b", "-", "a"])),
    }
    for bits in (8, 16, 32, 64):
        columns[f"Int{bits}"] = pl.Series(
            [-(2 ** (bits - 1)), None, 2 ** (bits - 1) - 1], dtype=getattr(pl, f"Int{bits}")
        )
        columns[f"UInt{bits}"] = pl.Series([0, None, 2**bits - 1], dtype=getattr(pl, f"UInt{bits}"))
    for name in ("Float16", "Float32", "Float64"):
        if hasattr(pl, name):
            columns[name] = pl.Series([1.5, None, NAN, -0.0, INF], dtype=getattr(pl, name))
    for unit in ("ms", "us", "ns"):
        moments = pl.Series([MOMENT, None], dtype=pl.Datetime(unit))
        columns[f"Datetime({unit})"] = moments
        columns[f"Datetime({unit}, Europe/Rome)"] = moments.dt.replace_time_zone("Europe/Rome")
        columns[f"Duration({unit})"] = pl.Series([SPAN, None], dtype=pl.Duration(unit))
    if hasattr(pl, "Categories"):
        columns["Categorical of its own"] = pl.Series(["b", None], dtype=pl.Categorical(pl.Categories("letters")))
    return columns


def arrow_columns():
    """Give a chunked array of each Arrow type that is protected, by name."""
    cells = {
        "bool": ([True, None, False], pa.bool_()),
        "null": ([None, None], pa.null()),
        "float32": ([1.5, None, NAN, -0.0], pa.float32()),
        "float64": ([1.1, None, NAN, -0.0, INF], pa.float64()),
        "binary(2)": ([b"a\0", None, b"bb"], pa.binary(2)),
    }
    for type_ in (pa.string(), pa.large_string(), pa.string_view()):
        cells[str(type_)] = (["a", None, *EMPTY_AND_NUL], type_)
    for type_ in (pa.binary(), pa.large_binary(), pa.binary_view()):
        cells[str(type_)] = ([b"a\0", None, b""], type_)
    for bits in (8, 16, 32, 64):
        cells[f"int{bits}"] = ([-(2 ** (bits - 1)), None, 2 ** (bits - 1) - 1], getattr(pa, f"int{bits}")())
        cells[f"uint{bits}"] = ([0, None, 2**bits - 1], getattr(pa, f"uint{bits}")())
    for type_ in (pa.date32(), pa.date64()):
        cells[str(type_)] = ([DAY, None, dt.date.min, dt.date.max], type_)
    for type_ in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")):
        cells[str(type_)] = ([CLOCK, None, dt.time.min], type_)
    for unit in ("s", "ms", "us", "ns"):
        cells[f"timestamp[{unit}]"] = ([0, None, -5, 10**9 + 7], pa.timestamp(unit))
        cells[f"timestamp[{unit}, +05:30]"] = ([0, None, -5], pa.timestamp(unit, "+05:30"))
        cells[f"duration[{unit}]"] = ([0, None, -5, 10**9 + 7], pa.duration(unit))
    columns = {name: pa.chunked_array([pa.array(*pair)]) for name, pair in cells.items()}
    for type_ in decimal_types():
        numbers = ["0", None, "-0.01"] if type_.scale > 0 else ["0", None, f"-3E{-type_.scale}"]
        wide = pa.array([n and Decimal(n) for n in numbers], pa.decimal256(76, max(type_.scale, 0)))
        columns[str(type_)] = pa.chunked_array([wide.cast(type_)])
    columns["float16"] = pa.chunked_array([pa.array(np.array([1.5, NAN, -0.0], np.float16))])
    columns["dictionary"] = pa.chunked_array([pa.array(["b", None, "a"]).dictionary_encode()])
    columns["dictionary of int"] = pa.chunked_array([pa.array([7, None, 5], pa.int16()).dictionary_encode()])
    columns["dictionary, ordered"] = pa.chunked_array(
        [pa.DictionaryArray.from_arrays(pa.array([0, None, 1], pa.int8()), ["b", "-"], ordered=True)]
    )
    columns["dictionary, large"] = pa.chunked_array(
        [pa.array(["b", "a"]).dictionary_encode().cast(pa.dictionary(pa.int64(), pa.large_string()))]
    )
    columns["several chunks"] = pa.chunked_array([["a", None], [], ["b"]])
    columns["no chunks"] = pa.chunked_array([], pa.string())
    columns["a slice"] = pa.chunked_array([pa.array([None, "a", "bb", None, "ccc"]).slice(2, 3)])
    columns["a slice of bools"] = pa.chunked_array([pa.array([None, True, False, None, True] * 3).slice(3, 7)])
    columns["a slice of ints"] = pa.chunked_array([pa.array([None, 1, 2, None, 2**63], pa.uint64()).slice(1, 4)])
    columns["a slice of a dictionary"] = pa.chunked_array(
        [pa.array([None, "a", "bb", None, "ccc"]).dictionary_encode().slice(2, 3)]
    )
    return columns


def decimal_types():
    """Give decimal types of every width, with scales at their limits."""
    return [
        *(pa.decimal32(5, 2), pa.decimal64(12, 2), pa.decimal128(10, 3), pa.decimal128(38, 38), pa.decimal128(10, -2)),
        *(pa.decimal256(60, 5), pa.decimal256(76, 76), pa.decimal256(40, -30)),
    ]


def numpy_columns():
    """Give a numpy array of each dtype that is protected, shape (n, 1), by name."""
    columns = {
        "float with NaN": np.array([1.1, NAN, -0.0, INF, -INF, 5e-324]),
        "bool": np.array([True, False]),
        "text": np.array(["a", "", "üü"]),
        "text, wider than it needs to be": np.array(["a", "üü"], dtype=">U40"),
        "bytes with NUL": np.array([b"a", b"b\0c", b""], dtype="S8"),
        "text with NUL": np.array(["a", "b\0c", "\0d"], dtype="U4"),
        "datetime64[s], big-endian": np.array([5, "NaT"], dtype=">M8[s]"),
        "objects": np.array(["a", None], dtype=object),
        "every other one": np.arange(12)[::-2],
    }
    for code in ("b", "u1", "<i2", ">i4", "<i8", ">u8", "f2", "f4", ">f8"):
        columns[code] = np.array([0, 1, 100], dtype=code)
    for unit in ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns"):
        columns[f"datetime64[{unit}]"] = np.array(["2024-02-29", "NaT", "1903-01-01"], dtype=f"M8[{unit}]")
        if unit not in "YM":
            columns[f"timedelta64[{unit}]"] = np.array([5, "NaT", -7], dtype=f"m8[{unit}]")
    return {name: cells.reshape(-1, 1) for name, cells in columns.items()}


def refused_pandas():
    """Give a Series of each kind that is refused, and a word that its error must have."""
    odd = {
        "several types": (["a", 1], "int, str"),
        "bool and int": ([True, 1], "bool, int"),
        "datetime and Timestamp": ([MOMENT, pd.Timestamp(1)], "Timestamp, datetime"),
        "lone surrogate": ([f"{CANARY}\ud800"], "lone surrogate"),
        "lists": ([[CANARY]], "object of list"),
        "dicts": ([{CANARY: 1}], "object of dict"),
        "int too large": ([2**64], "does not convert"),
        "int too small": ([-(2**63) - 1], "does not convert"),
        "infinite Decimal": ([Decimal("Infinity")], "does not convert"),
        "Decimal too long": ([Decimal("1" * 77)], "does not convert"),
        "Timestamp too far off": ([pd.Timestamp(MOMENT.replace(year=5000)).as_unit("s")], "does not convert"),
        "Timestamp with time zone": ([pd.Timestamp(0, tz="UTC")], "time zone"),
        "datetime with time zone": ([MOMENT.replace(tzinfo=dt.UTC)], "time zone"),
        "time with time zone": ([CLOCK.replace(tzinfo=dt.UTC)], "time zone"),
        "timedelta too long": ([dt.timedelta.max], "does not convert"),
    }
    refused = {name: (pd.Series(cells, dtype=object), word) for name, (cells, word) in odd.items()}
    refused["period"] = (pd.Series(pd.period_range("2024", periods=2, freq="D")), "period")
    refused["interval"] = (pd.Series(pd.interval_range(0, 2)), "interval")
    refused["sparse"] = (pd.Series(pd.arrays.SparseArray([0, 1])), "sparse")
    refused["complex"] = (pd.Series([1j]), "Complex data not supported")
    refused["category of several types"] = (pd.Series(pd.Categorical([CANARY, 1])), "int, str")
    refused["category of intervals"] = (pd.Series(pd.Categorical(pd.interval_range(0, 2))), "interval")
    zone = dt.timezone(dt.timedelta(hours=5, seconds=30))
    refused["time zone with seconds"] = (pd.Series(pd.to_datetime(["2024-01-01"])).dt.tz_localize(zone), "UTC+05:00:30")
    refused["Arrow list"] = (pd.Series([[CANARY]], dtype=pd.ArrowDtype(pa.list_(pa.string()))), "list")
    return refused


def refused_polars():
    """Give a polars Series of each kind that is refused, and a word that its error must have."""
    refused = {
        "Object": (pl.Series([object()], dtype=pl.Object), "Object"),
        "List": (pl.Series([[CANARY]]), "list"),
        "Struct": (pl.Series([{"a": CANARY}]), "struct"),
        "Array": (pl.Series([[1]], dtype=pl.Array(pl.Int64, 1)), "list"),
    }
    if hasattr(pl, "Int128"):
        refused["Int128"] = (pl.Series([2**100], dtype=pl.Int128), "Int128")
    return refused


def refused_arrow():
    """Give a chunked array of each type that is refused, and a word that its error must have."""
    odd_day = pa.array([86_400_001], pa.int64()).view(pa.date64())
    flag = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8()))
    refused = {
        "list": (pa.array([[CANARY]]), "list"),
        "struct": (pa.array([{"a": CANARY}]), "struct"),
        "map": (pa.array([[(CANARY, 1)]], pa.map_(pa.string(), pa.int8())), "map"),
        "interval": (pa.array([pa.MonthDayNano([1, 2, 3])]), "interval"),
        "run-end encoded": (pa.RunEndEncodedArray.from_arrays([2], [CANARY]), "run_end_encoded"),
        "extension": (flag, "bool8"),
        "dictionary of lists": (pa.DictionaryArray.from_arrays([0], pa.array([[CANARY]])), "list"),
        "date that is none": (odd_day, "date64"),
        "decimal beyond 76 digits": (pa.nulls(1, pa.decimal256(76, -1)), "decimal256"),
    }
    return {name: (pa.chunked_array([cells]), word) for name, (cells, word) in refused.items()}


def refused_numpy():
    """Give a numpy array of each dtype that is refused, shape (n, 1), and a word that its error must have."""
    refused = {
        "lone surrogate": (np.array([f"{CANARY}\ud800"]), "lone surrogate"),
        "raw bytes": (np.array([b"a"], dtype="V3"), "V3"),
        "structured": (np.zeros(1, dtype=[("a", "i4")]), "'a'"),
        "complex": (np.array([1j]), "Complex data not supported"),
        "months": (np.array([1], dtype="m8[M]"), "timedelta64[M]"),
        "picoseconds": (np.array([1], dtype="M8[ps]"), "datetime64[ps]"),
        "steps of 25 s": (np.array([1], dtype="M8[25s]"), "datetime64[25s]"),
        "no unit": (np.array(["NaT"], dtype="M8"), "datetime64"),
        "year too far off": (np.array([2**60], dtype="M8[Y]"), "too far off"),
        "day too far off": (np.array([2**40], dtype="M8[D]"), "too far off"),
        "span too long": (np.array([2**60], dtype="m8[D]"), "too far off"),
    }
    if np.dtype(np.longdouble).itemsize > 8:
        refused["long double"] = (np.array([1], dtype=np.longdouble), str(np.dtype(np.longdouble)))
    if hasattr(np.dtypes, "StringDType"):
        refused["StringDType"] = (np.array([CANARY], dtype=np.dtypes.StringDType()), "StringDType")
    return {name: (cells.reshape(-1, 1), word) for name, (cells, word) in refused.items()}


def arrow_series(cells, type_):
    """Give a Series that Arrow holds, in which NaN stays a value."""
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(cells, type_)))


def exactly(column):
    """Give all that a column is: dtype, classes and values, with NaN, each null and zero's sign told apart."""
    if isinstance(column, pd.Series):
        return _exactly_pandas(column)
    if isinstance(column, pl.Series):
        return repr(column.dtype), _words((column.to_physical() if column.dtype.is_temporal() else column).to_list())
    if isinstance(column, np.ndarray):
        cells = _words(column.ravel()) if column.dtype == object else np.ascontiguousarray(column).tobytes()
        return column.dtype, column.shape, cells
    return column.type, _words(column.to_pylist())


def _exactly_pandas(column):
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        known = dtype.categories
        return dtype.ordered, known.dtype, _words(known), column.cat.codes.tolist()
    if isinstance(dtype, pd.ArrowDtype):
        return dtype, _words(column.array.__arrow_array__().to_pylist())
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return dtype, column.to_numpy().tobytes()
    return dtype, _words(column)


def _words(cells):
    return [(type(cell), repr(cell)) for cell in cells]
