"""A keyed shift in days: how far the tag of a subject moves all dates of that subject."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelpriv.kernels.prf.pool import index

__all__ = ["shift"]


def shift(tags: npt.NDArray[np.uint8], most: int, step: int) -> npt.NDArray[np.int32]:
    """Give each tag a number of days: a multiple of `step`, at most `most` steps to either side, and never 0.

    All ``2 * most`` shifts are equally probable, as far as `index` spreads tags evenly.

    Parameters
    ----------
    tags : ndarray of shape (n, 16), uint8
        The outputs of the PRF, one a row.
    most : int
        The largest number of steps, at least one.
    step : int
        The days of a step.

    Returns
    -------
    ndarray of shape (n,), int32
        Days, from ``-most * step`` to ``most * step``.
    """
    places = index(tags, 2 * most).astype(np.int32)
    return (places - most + (places >= most)) * np.int32(step)  # the place of 0 is left out
