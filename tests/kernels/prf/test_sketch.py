"""The sketch of a column's tags: exact for few values, near for many, and the same wherever the column was cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.prf.sketch import SIZE, estimate, smallest, united


def tags(numbers):
    """Give each number a tag, as a PRF would."""
    rows = np.zeros((len(numbers), 16), np.uint8)
    words = np.asarray(numbers, np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    rows[:, :8] = words[:, None].view(np.uint8)
    return rows


@given(st.lists(st.integers(0, 50)), st.data())
def test_few_values_are_counted_exactly(numbers, data):
    """Up to the size of a sketch the number of different values is exact, in parts as in one."""
    cut = data.draw(st.integers(0, len(numbers)))
    parts = united(smallest(tags(numbers[:cut])), smallest(tags(numbers[cut:])))
    assert estimate(parts) == estimate(smallest(tags(numbers))) == len(set(numbers))


@pytest.mark.parametrize("different", [SIZE - 1, SIZE, 50_000, 300_000])
def test_many_values_are_counted_within_five_percent(different):
    """Beyond the size of a sketch the number is within 5 %, also where values repeat."""
    rng = np.random.default_rng(0)
    found = rng.integers(0, 256, (different, 16), np.uint8)
    rows = found[np.concatenate([np.arange(different), rng.integers(0, different, different)])]
    assert estimate(smallest(rows)) == pytest.approx(different, rel=0.05)


def test_the_order_of_parts_makes_no_difference():
    """Uniting sketches is associative and commutative, and gives that of the whole."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 256, (90_000, 16), np.uint8)
    a, b, c = (smallest(rows[i::3]) for i in range(3))
    for one in (united(united(a, b), c), united(a, united(b, c)), united(c, united(b, a))):
        assert np.array_equal(one, smallest(rows))
