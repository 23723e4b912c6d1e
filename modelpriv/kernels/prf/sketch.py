"""How many different values a column has, from a sketch of their tags: the smallest ones, which any parts agree on.

The tags of a PRF are spread evenly, so that the k-th smallest of `n` different ones lies near ``k / n`` of their range
(Bar-Yossef et al., "Counting distinct elements in a data stream", 2002)::

    tags of part 1:   3  9 14 20 ...     the 4 smallest of both:  3  5  9 14
    tags of part 2:   5  9 17 31 ...     range 0 to 99, so about (4 - 1) / 0.14 = 21 different values

Up to `SIZE` values the count is exact, beyond that within about 2 %. Two sketches unite into that of both parts, and it
makes no difference where the parts were cut.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["SIZE", "Sketch", "estimate", "smallest", "united"]

Sketch = npt.NDArray[np.uint64]

SIZE = 4096
_RANGE = 2.0**64


def smallest(tags: npt.NDArray[np.uint8]) -> Sketch:
    """Give the smallest different tags, by their first 64 bits, in ascending order.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.

    Returns
    -------
    ndarray of shape (at most `SIZE`,), uint64
    """
    words: Sketch = np.ascontiguousarray(tags).view("<u8")[:, 0]
    # A small part of the range holds enough of them, unless values repeat a lot: sorting all would take longer.
    share = 2 * SIZE / max(len(words), 1)
    while share < 1 / 2:
        few = np.unique(words[words < np.uint64(_RANGE * share)])
        if len(few) >= SIZE:
            return few[:SIZE]
        share *= 8
    return np.unique(words)[:SIZE]


def united(one: Sketch, other: Sketch) -> Sketch:
    """Give the sketch of two parts together."""
    return np.union1d(one, other)[:SIZE]


def estimate(sketch: Sketch) -> int:
    """Give the number of different values that a sketch was made of."""
    if len(sketch) < SIZE:
        return len(sketch)
    return round((SIZE - 1) / (float(sketch[-1]) / _RANGE))
