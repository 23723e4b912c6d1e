"""The columns that a table had at fit, by name, which every later table has to have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import validate_data

from modelpriv.errors import InputError

if TYPE_CHECKING:
    from modelpriv._columns.frame import Frame

__all__ = ["NamedColumns"]


class NamedColumns:
    """Remembers the columns of a fit in plain data, and refuses tables with others."""

    if TYPE_CHECKING:

        def _kept(self, name: str) -> Any: ...

    n_features_in_: int
    feature_names_in_: Any

    @property
    def _names(self) -> list[Any] | None:
        """The names of the columns that `fit` saw, where they had names."""
        names: list[Any] | None = self._kept("names")
        return names

    def _check_names(self, frame: Frame, *, reset: bool) -> None:
        """Remember the columns of a table, or refuse a table with other columns than `fit` saw."""
        texts = frame.named and all(type(name) is str for name in frame.names)
        if texts and reset:  # scikit-learn would take a sixth of the time that a table of one row takes
            self.n_features_in_, self.feature_names_in_ = len(frame.names), np.array(frame.names, object)
        elif not texts or frame.names != self._names:
            # scikit-learn looks at names and counts only: its checks of the cells would print them.
            validate_data(self, frame.native, skip_check_array=True, reset=reset)
        if not reset and frame.named and self._names is not None and self._names != frame.names:
            # scikit-learn compares names only if all are text; here the wrong column would leave as plain text.
            raise InputError(
                f"The table's columns differ from those that {type(self).__name__} was fitted on. Pass these, in this "
                f"order: {self._names!r}."
            )
