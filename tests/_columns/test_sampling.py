"""Sampling: rows by position, the same each time, spread over the whole table."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv._columns.frame import open_frame
from modelpriv._columns.sampling import spread, take_rows


@given(st.integers(0, 10**9), st.integers(1, 5000))
def test_positions_are_rows_in_order(rows, most):
    """Positions ascend, are rows of the table, and are not more than asked for; a short table is taken whole."""
    positions = spread(rows, most)
    assert (np.diff(positions) > 0).all()
    assert len(positions) <= most
    assert len(positions) == rows or rows > most
    assert not len(positions) or (positions[0] >= 0 and positions[-1] < rows)


@given(st.integers(10_000, 10**8))
def test_positions_are_even(rows):
    """Each tenth of the rows holds about a tenth of the positions."""
    shares = np.histogram(spread(rows, 2000), 10, (0, rows))[0] / 2000
    assert shares == pytest.approx(np.full(10, 0.1), abs=0.01)


@pytest.mark.parametrize("distance", [2, 7, 10, 25, 100])
def test_what_repeats_is_seen_as_often_as_it_is_there(distance):
    """Rows that come back at a distance are in the sample by their share, whatever the distance."""
    assert np.mean(spread(40_000, 4_000) % distance == 0) == pytest.approx(1 / distance, abs=0.005)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table, lambda cells: np.array([cells["x"]]).T])
def test_rows_are_those_of_the_positions(make):
    """Every container gives the cells of the rows asked for."""
    frame = open_frame(make({"x": list(range(100))}))
    assert take_rows(frame, np.array([3, 50, 99])).column(0).data.to_pylist() == [3, 50, 99]
