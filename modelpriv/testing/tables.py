"""The tables of the checks, in every container, and what is in any table."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CANARY",
    "CONTAINERS",
    "ROWS",
    "SECRET",
    "Table",
    "bad_tables",
    "build",
    "cells_of",
    "containers",
    "dtypes_of",
    "names_of",
    "people",
    "rest_of",
]

CANARY = "cAnArY"
"""In every cell that is to be protected; it may be seen nowhere afterwards."""

CONTAINERS = ("pandas", "polars", "pyarrow", "numpy", "list")

SECRET, ROWS = 1, 6

Table: TypeAlias = Any
"""A table of any container."""


def people(container: str) -> Any:
    """Return the checks' table: a row's number, secrets with a null, amounts; pandas has a duplicated index."""
    names = [f"{CANARY} {word}" for word in ("Ada Lovelace", "Grace Hopper", "Ada Lovelace", "Łukasz Żak", "李小龙")]
    cells = {"row": list(range(ROWS)), "secret": [*names, None], "amount": [1.5, -0.0, 2.5, 1e300, 0.1, 7.0]}
    return build(container, cells)


def containers() -> list[str]:
    """Return the kinds of table that can be tried here: polars is optional."""
    return [name for name in CONTAINERS if name != "polars" or importlib.util.find_spec("polars")]


def build(container: str, cells: dict[str, Any]) -> Any:
    """Return a table of a kind with these cells by column."""
    if container == "pandas":
        return pd.DataFrame(cells, index=[3, 3, 1, 2, 5, 4][: len(cells["row"])])
    if container == "polars":
        import polars as pl  # noqa: PLC0415 - optional, and asked for

        return pl.DataFrame(cells, strict=False)
    if container == "pyarrow":
        return pa.table(cells)
    rows = [list(row) for row in zip(*cells.values(), strict=True)]
    return rows if container == "list" else np.array(rows, dtype=object)


def bad_tables(container: str) -> Iterator[tuple[str, Any, str]]:
    """Yield tables that must be refused: what is wrong, the table, a word that the error must hold."""
    secrets = [f"{CANARY} {number}" for number in range(ROWS)]
    rest: dict[str, Any] = {"row": list(range(ROWS)), "secret": secrets, "amount": [0.5] * ROWS}
    if container in {"numpy", "list"}:
        mixed = build(container, rest | {"secret": [*secrets[:-1], 7]})
        yield "a column of mixed types", mixed, "1"
        yield "one dimension", np.array(secrets), "Reshape your data"
        yield "no columns", np.empty((ROWS, 0)), "0 feature(s)"
        yield "complex numbers", np.full((ROWS, 3), 1j), "omplex"
        yield "a sparse matrix", sparse.csr_matrix(np.eye(3)), "sparse"
    if container == "pandas":
        frame = pd.DataFrame(rest)
        odd = {
            "a column of mixed types": [*secrets[:-1], 7],
            "a column of lists": [[secret] for secret in secrets],
            "a lone surrogate": [*secrets[:-1], f"{CANARY}\ud800"],
        }
        for what, cells in odd.items():
            yield what, frame.assign(secret=pd.Series(cells, dtype=object)), "secret"
        yield "duplicate names", frame.set_axis(["row", "secret", "secret"], axis=1), "secret"
        yield "a series", frame["secret"], "Reshape your data"
    if container == "polars":
        import polars as pl  # noqa: PLC0415 - optional, and asked for

        yield "a lazy frame", pl.DataFrame(rest).lazy(), "lazy"
        yield "nested cells", pl.DataFrame(rest | {"secret": [[secret] for secret in secrets]}), "secret"
        yield (
            "objects",
            pl.DataFrame(rest).with_columns(secret=pl.Series([object()] * ROWS, dtype=pl.Object)),
            "secret",
        )
    if container == "pyarrow":
        yield "nested cells", pa.table(rest | {"secret": [[secret] for secret in secrets]}), "secret"
        yield "duplicate names", pa.table(rest).rename_columns(["row", "secret", "secret"]), "secret"


def names_of(table: Table) -> list[Any]:
    """Return the names of a table's columns, or their positions."""
    names = getattr(table, "column_names", getattr(table, "columns", None))
    return list(range(3)) if names is None else list(names)


def cells_of(table: Table) -> list[list[Any]]:
    """Return a table's columns as lists, with None for every kind of null."""
    if isinstance(table, list):
        table = np.array(table, dtype=object)
    if isinstance(table, np.ndarray):
        columns = [table[:, i].tolist() for i in range(table.shape[1])]
    elif isinstance(table, pd.DataFrame):
        columns = [table.iloc[:, i].tolist() for i in range(table.shape[1])]
    elif isinstance(table, pa.Table):
        columns = [table[name].to_pylist() for name in names_of(table)]
    else:
        columns = [table[name].to_list() for name in names_of(table)]
    return [[None if cell is None or cell is pd.NA or cell != cell else cell for cell in column] for column in columns]  # noqa: PLR0124 - NaN


def dtypes_of(table: Table) -> Any:
    """Return the dtypes of a table's columns."""
    if isinstance(table, pa.Table):
        return [field.type for field in table.schema]
    return (
        [] if isinstance(table, list) else [str(table.dtype)] if isinstance(table, np.ndarray) else list(table.dtypes)
    )


def rest_of(dtypes: list[Any]) -> list[Any]:
    """Return the dtypes of the columns that are not declared; an array has one for all, and its cells tell."""
    return dtypes[:SECRET] + dtypes[SECRET + 1 :] if len(dtypes) > 1 else []
