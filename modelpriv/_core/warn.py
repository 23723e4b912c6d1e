"""Warnings that point at the user's own line, however deep in the package they arise."""

import inspect
import warnings

__all__ = ["warn"]

_BETWEEN = {"modelpriv", "sklearn", "contextlib"}  # a transformer is often called by scikit-learn


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the line outside this package and scikit-learn from which the call came."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
