"""The keyed index: even, bounded by the pool, blind to the order of the rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.pool import distinct, index, merged, pick, position

TAGS = st.lists(st.binary(min_size=16, max_size=16), max_size=40).map(
    lambda rows: np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 16)
)


def random_tags(n):
    return np.random.default_rng(0).integers(0, 256, (n, 16), np.uint8)


@given(tags=TAGS, size=st.integers(1, 2**40))
def test_index_is_the_first_word_modulo_the_size(tags, size):
    """A place is the first eight bytes of the tag, as a little-endian number, modulo the size of the pool."""
    expected = [int.from_bytes(bytes(tag[:8]), "little") % size for tag in tags]
    assert index(tags, size).to_pylist() == expected


def test_index_is_even():
    """Every place of a pool is chosen about equally often (chi-squared, 99.9 %)."""
    counts = np.bincount(index(random_tags(100_000), 100).to_numpy(), minlength=100)
    assert ((counts - 1000) ** 2 / 1000).sum() < 148.2


def test_index_takes_rows_that_are_not_contiguous():
    """A view of every second row gives the places of those rows."""
    tags = random_tags(10)
    assert index(tags[::2], 97).to_pylist() == index(tags, 97).to_pylist()[::2]


def test_pick_takes_the_value_at_each_place():
    """Each place gives the pool's value there."""
    pool = pa.array(["a", "b", "c"])
    assert pick(pool, pa.array([2, 0, 2], pa.uint64())).to_pylist() == ["c", "a", "c"]


def test_pick_leaves_nulls():
    """A null place, and a cell that is to stay null, are null."""
    pool = pa.array([10, 20])
    assert pick(pool, pa.array([1, None, 0]), np.array([False, False, True])).to_pylist() == [20, None, None]


@given(tags=TAGS)
def test_distinct_is_sorted_and_single(tags):
    """Each tag is there once, in ascending order, whatever the order of the rows."""
    assert distinct(tags).to_pylist() == sorted({bytes(tag) for tag in tags})


@given(first=TAGS, second=TAGS)
def test_merged_is_distinct_of_both(first, second):
    """Two sets of tags merge into that of all rows."""
    assert merged(distinct(first), distinct(second)).equals(distinct(np.concatenate([first, second])))


@given(tags=TAGS)
def test_position_finds_each_known_tag(tags):
    """Each tag's position in the sorted ones leads back to the tag."""
    known = distinct(tags)
    assert known.take(position(tags, known)).to_pylist() == [bytes(tag) for tag in tags]


@pytest.mark.parametrize("known", [0, 3])
def test_position_of_an_unknown_tag_is_null(known):
    """A tag that is not among the known ones has no position."""
    tags = random_tags(4)
    assert position(tags, distinct(tags[:known])).is_null().to_pylist() == [row >= known for row in range(4)]
