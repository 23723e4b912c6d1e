"""A twin of a column transformer for scikit-learn's own checks, which feed numbers only.

Numbers become text on the way in, as the transformer under test takes text, and each cell that comes out becomes
`float(crc32(cell))`; everything between is the real transformer.
"""

from functools import cache
from zlib import crc32

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from modelpriv._columns.frame import open_frame


def _as_text(X):
    frame = open_frame(X)
    if not isinstance(frame.native, np.ndarray):
        return frame.native.map(_text) if isinstance(frame.native, pd.DataFrame) else frame.native
    return np.array([[_text(cell) for cell in row] for row in frame.native], dtype=object).reshape(frame.native.shape)


def _text(cell):
    return None if pd.isna(cell) else str(cell)


def _numbers(table, of):
    """Give each cell of a table the number of its counterpart in `of`, and remember the cell by that number."""
    if not isinstance(table, np.ndarray):
        return table.map(lambda cell: float(crc32(str(cell).encode()))) if isinstance(table, pd.DataFrame) else table
    numbers = [np.nan if cell is None else float(crc32(str(cell).encode())) for cell in of.ravel()]
    _CELLS.update(zip(numbers, table.ravel(), strict=True))
    return np.array(numbers).reshape(table.shape)


_CELLS = {}


@cache
def numeric_twin(cls):
    """Make a subclass of `cls` that takes and gives numbers."""

    class Twin(cls):
        def fit(self, X, y=None):
            return super().fit(_as_text(X), y)

        def fit_transform(self, X, y=None, **fit_params):
            return self._out(super().fit_transform(_as_text(X), y, **fit_params))

        def transform(self, X):
            return self._out(super().transform(_as_text(X)))

        def _out(self, table):
            # What is random by design is compared by what it opens to.
            random = self.__sklearn_tags__().non_deterministic and isinstance(table, np.ndarray)
            return _numbers(table, super().inverse_transform(table) if random else table)

    if hasattr(cls, "inverse_transform"):

        def inverse_transform(self, X):
            tokens = np.array([_CELLS.get(cell) for cell in np.asarray(X).ravel()], dtype=object)
            opened = super(Twin, self).inverse_transform(tokens.reshape(X.shape))
            return np.array([[np.nan if cell is None else float(cell) for cell in row] for row in opened])

        Twin.inverse_transform = inverse_transform

    Twin.__name__ = Twin.__qualname__ = f"{cls.__name__}Twin"
    Twin.__module__ = __name__
    globals()[Twin.__name__] = Twin  # so that it can be pickled
    return Twin


def sklearn_checks(cls, **fixed):
    """Parametrize a test with every check that scikit-learn has for such an estimator, and no expected failure."""
    mark = parametrize_with_checks([numeric_twin(cls)(**fixed)], expected_failed_checks=lambda _: {})
    # The oldest scikit-learn passes a generator, which the newest pytest warns of.
    return pytest.mark.parametrize(mark.args[0], list(mark.args[1]), **mark.kwargs)
