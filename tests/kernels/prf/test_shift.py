"""Shifts of tags: all within bounds, none of them zero, and equally many of each."""

import numpy as np
import pytest

from modelpriv.kernels.prf.shift import shift


@pytest.mark.parametrize(("most", "step"), [(1, 1), (1, 7), (3, 1), (52, 7), (365, 1)])
def test_shifts_are_spread_over_all_but_zero(most, step):
    """Every multiple of the step up to the bound on either side occurs, equally often, and 0 never does."""
    tags = np.zeros((2 * most * 50, 16), np.uint8)
    tags.view("<u8")[:, 0] = np.arange(len(tags))
    days, counts = np.unique(shift(tags, most, step), return_counts=True)
    assert days.tolist() == [step * n for n in range(-most, most + 1) if n]
    assert set(counts.tolist()) == {50}


def test_a_fixed_tag():
    """A shift is a fixed function of the first eight bytes of a tag: what was moved can be moved back for ever."""
    tags = np.frombuffer(bytes(range(64)), np.uint8).reshape(-1, 16)
    assert shift(tags, 365, 1).tolist() == [-107, -139, -171, -203]
