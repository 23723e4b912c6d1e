"""Rows of a report as a pandas table, for the `frame` methods of what the package answers."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PandasTable", "to_frame"]

PandasTable = pd.DataFrame
"""What `frame` returns."""


def to_frame(rows: Iterable[Any], kind: type) -> PandasTable:
    """Return dataclass objects of one kind as a table with a column for each field, also where there are none."""
    return pd.DataFrame([asdict(row) for row in rows], columns=[field.name for field in fields(kind)])
