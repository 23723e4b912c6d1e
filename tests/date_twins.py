"""Twins of DateShifter for checks that feed numbers or text only: they make dates of cells on the way in.

Between the two the real transformer works; on the way out a date is a number, or the text that it was made of.
"""

# ruff: noqa: D102 - the twins override documented methods

import datetime as dt
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow as pa

from modelpriv import DateShifter
from modelpriv._columns.dtypes import default_dtype, is_text
from modelpriv._columns.frame import Built, open_frame

EPOCH = dt.date(1970, 1, 1)
SECRET = 1
TEXTS = {}


def _dates(X):
    """Make dates of the texts in the column of secrets; what is no such table is left to the transformer."""
    try:
        frame = open_frame(X)
        column = frame.column(SECRET)
    except (ValueError, TypeError, IndexError):
        return X
    if not is_text(column.data.type) or len(frame.names) != 3:
        return X
    cells = [
        None if text is None else EPOCH + dt.timedelta(crc32(text.encode()) % 20_000)
        for text in column.data.to_pylist()
    ]
    TEXTS.update(zip(cells, column.data.to_pylist(), strict=True))
    TEXTS[frame.container] = column.dtype
    return frame.replaced({SECRET: Built(pa.array(cells, pa.date32()), default_dtype(frame.container, pa.date32()))})


class TextTwin(DateShifter):
    """Takes text where the other takes dates, and gives dates."""

    def fit(self, X, y=None):
        return super().fit(_dates(X), y)

    def fit_transform(self, X, y=None, **fit_params):
        return super().fit_transform(_dates(X), y, **fit_params)

    def transform(self, X):
        return super().transform(_dates(X))

    def inverse_transform(self, X):
        frame = open_frame(super().inverse_transform(X))
        cells = [TEXTS[cell] for cell in frame.column(SECRET).data.to_pylist()]
        return frame.replaced({SECRET: Built(pa.array(cells, pa.large_string()), TEXTS[frame.container])})


def _numbers_to_dates(X):
    """Make dates of the numbers in all columns but the first, which names the subjects."""
    frame = open_frame(X)
    array = frame.native.to_numpy() if isinstance(frame.native, pd.DataFrame) else frame.native
    array = np.array(array, dtype=object)
    for place in np.ndindex(array.shape):
        if place[1]:
            cell = array[place]
            array[place] = None if pd.isna(cell) else EPOCH + dt.timedelta(crc32(str(float(cell)).encode()) % 20_000)
        elif pd.isna(array[place]):
            array[place] = 0.5
        else:
            array[place] = float(array[place])
    return pd.DataFrame(array, columns=X.columns, index=X.index) if isinstance(X, pd.DataFrame) else array


def _dates_to_numbers(table):
    """Make numbers of the dates."""

    def number(cell):
        return np.nan if cell is None else float((cell - EPOCH).days) if isinstance(cell, dt.date) else float(cell)

    if isinstance(table, pd.DataFrame):
        return table.map(number)
    return np.vectorize(number, otypes=[float])(table) if isinstance(table, np.ndarray) else table


class NumberTwin(DateShifter):
    """Takes and gives numbers."""

    def fit(self, X, y=None):
        return super().fit(_numbers_to_dates(X), y)

    def fit_transform(self, X, y=None, **fit_params):
        return _dates_to_numbers(super().fit_transform(_numbers_to_dates(X), y, **fit_params))

    def transform(self, X):
        return _dates_to_numbers(super().transform(_numbers_to_dates(X)))

    def inverse_transform(self, X):
        dates = np.array(X, dtype=object)
        for place in np.ndindex(dates.shape):
            if place[1]:
                dates[place] = None if np.isnan(dates[place]) else EPOCH + dt.timedelta(dates[place])
        return _dates_to_numbers(super().inverse_transform(dates))
