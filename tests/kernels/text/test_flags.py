"""Sums over flags and covered intervals: the same as counting byte by byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.text import flags as module
from modelpriv.kernels.text.flags import Counts, cover, pieces, spread

FLAGS = st.lists(st.booleans(), max_size=400).map(lambda flags: np.array(flags, np.bool_))


@given(flags=FLAGS, wide=st.booleans(), data=st.data())
def test_counts_are_sums_of_flags(flags, wide, data):
    """The count between two bytes is the number of flags between them, however far apart they may be."""
    widest = len(flags) if wide else 127
    starts = np.array(data.draw(st.lists(st.integers(0, len(flags)), min_size=1, max_size=20)), np.intp)
    widths = data.draw(st.lists(st.integers(0, widest), min_size=len(starts), max_size=len(starts)))
    stops = np.minimum(starts + np.array(widths, np.intp), len(flags))
    expected = [int(flags[i:j].sum()) for i, j in zip(starts, stops, strict=True)]
    assert Counts(flags, widest).between(starts, stops).tolist() == expected


@given(flags=FLAGS, data=st.data())
def test_counts_along_bounds(flags, data):
    """The counts along bounds are those between each bound and the next."""
    bounds = np.sort(np.array([0, *data.draw(st.lists(st.integers(0, len(flags)), max_size=20)), len(flags)], np.intp))
    counts = Counts(flags, int(np.diff(bounds).max()))
    assert counts.along(bounds).tolist() == counts.between(bounds[:-1], bounds[1:]).tolist()


@pytest.mark.parametrize("size", [127, 128, 129, 255, 256, 300, 100_000])
def test_counts_do_not_overflow(size):
    """A cell in which every byte is flagged is counted in full at any size."""
    counts = Counts(np.ones(size, np.bool_), size)
    assert counts.between(np.array([0, 1]), np.array([size, size])).tolist() == [size, size - 1]


@pytest.mark.parametrize("sparse", [True, False])
@given(data=st.data(), size=st.integers(0, 300))
def test_cover_sets_exactly_the_intervals(sparse, data, size):
    """A byte is covered if and only if it lies in one of the intervals, which may touch or be empty."""
    bounds = sorted(data.draw(st.lists(st.integers(0, size), max_size=40)))
    bounds = np.array(bounds[: len(bounds) // 2 * 2], np.intp).reshape(-1, 2)
    expected = np.zeros(size, np.bool_)
    for start, stop in bounds:
        expected[start:stop] = True
    first, second = bounds[::2], bounds[1::2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SPARSE", 0 if sparse else size + 1)
        covered = cover(size, (first[:, 0], first[:, 1]), (second[:, 0], second[:, 1]))
    assert covered.tolist() == expected.tolist()


def test_pieces_are_all_there_is():
    """Pieces follow one another, and the last one ends with the bytes or behind them."""
    data = np.arange(700_000)
    assert np.concatenate([data[piece] for piece in pieces(len(data))]).tolist() == data.tolist()
    assert not list(pieces(0))


@given(flags=FLAGS, count=st.integers(1, 40), backwards=st.booleans())
def test_spread_reaches_so_many_bytes(flags, count, backwards):
    """Each flag is spread over as many bytes as were asked for, itself among them."""
    expected = np.zeros_like(flags)
    for place in np.flatnonzero(flags):
        expected[max(place - count + 1, 0) : place + 1] |= backwards
        expected[place : place + count] |= not backwards
    assert spread(flags.copy(), -count if backwards else count).tolist() == expected.tolist()
