"""The keyed index: even, bounded by the pool, blind to the order of the rows."""

import functools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.prf.pool import distinct, index, merged, position, united

TAGS = st.lists(st.binary(min_size=16, max_size=16), max_size=40).map(
    lambda rows: np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 16)
)


NONE = np.empty((0, 16), np.uint8)


def random_tags(n):
    return np.random.default_rng(0).integers(0, 256, (n, 16), np.uint8)


@given(tags=TAGS, size=st.integers(1, 2**40))
def test_index_is_the_first_word_modulo_the_size(tags, size):
    """A place is the first eight bytes of the tag, as a little-endian number, modulo the size of the pool."""
    expected = [int.from_bytes(bytes(tag[:8]), "little") % size for tag in tags]
    assert index(tags, size).tolist() == expected


def test_index_is_even():
    """Every place of a pool is chosen about equally often (chi-squared, 99.9 %)."""
    counts = np.bincount(index(random_tags(100_000), 100).astype(int), minlength=100)
    assert ((counts - 1000) ** 2 / 1000).sum() < 148.2


def test_index_takes_rows_that_are_not_contiguous():
    """A view of every second row gives the places of those rows."""
    tags = random_tags(10)
    assert index(tags[::2], 97).tolist() == index(tags, 97).tolist()[::2]


@given(tags=TAGS)
def test_distinct_is_single(tags):
    """Each tag is there once, in the order in which they come."""
    assert distinct(tags).to_pylist() == list(dict.fromkeys(bytes(tag) for tag in tags))


@given(blocks=st.lists(TAGS, max_size=4))
def test_merged_is_sorted_and_single(blocks):
    """Sets of tags, also none of them, merge into each tag once, in ascending order, whatever the order of the rows."""
    expected = sorted({bytes(tag) for block in blocks for tag in block})
    assert merged(distinct(block) for block in blocks).to_pylist() == expected
    assert merged([functools.reduce(united, map(distinct, blocks), distinct(NONE))]).to_pylist() == expected


@given(tags=TAGS)
def test_position_finds_each_known_tag(tags):
    """Each tag's position in the sorted ones leads back to the tag."""
    known = merged([distinct(tags)])
    assert known.take(pa.array(position(tags, known))).to_pylist() == [bytes(tag) for tag in tags]


@pytest.mark.parametrize("known", [0, 3])
def test_position_of_an_unknown_tag_is_negative(known):
    """A tag that is not among the known ones has the position -1."""
    tags = random_tags(4)
    assert (position(tags, distinct(tags[:known])) == -1).tolist() == [row >= known for row in range(4)]
