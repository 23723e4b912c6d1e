"""The leak report: what a file, a folder or an object shows in plain text, found without loading it."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelpriv.errors import SealedFileError
from modelpriv.leaks.content import of_data, of_path
from modelpriv.leaks.files import in_pickle, leaks_in
from modelpriv.leaks.findings import Leak, LeakReport, merge
from modelpriv.leaks.folders import files_in, shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator

_REMEDY = "Seal it: modelpriv.dump, or EncryptedEstimator around the outermost estimator."


def leak_report(model: object, *, show: bool = False, strict: bool = False) -> LeakReport:
    """List each class, array, text and number that a file or folder shows in plain text, without loading it.

    Parameters
    ----------
    model : path-like, or object
        A file that pickle, joblib (also compressed), skops, numpy or `modelpriv.dump` wrote; a JSON, CSV, HTML or other
        text file, an SQLite database, a Parquet or Arrow file; a zip or tar archive of such files; or a folder of them,
        such as an MLflow run. Or an object: then what a pickle of it would hold.
    show : bool, default=False
        Whether to show the beginning of what was found. Names of files, and of attributes, are always shown; keys of
        dicts, names of columns and of members of archives count as content.
    strict : bool, default=False
        Whether to raise if there is anything of medium or high severity, for a test. What could not be read is high.

    Returns
    -------
    report : LeakReport
        Empty, if all is sealed. A file that cannot be read to its end is a finding of its own, of the kind "unread".

    Raises
    ------
    SealedFileError
        Something is shown although strict=True.
    OSError
        There is no such file or folder, or it cannot be read.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv.sealing import leak_report
    >>> with open("model.pickle", "wb") as file:
    ...     pickle.dump(Ridge(alpha=0.5).fit([[0], [1]], [0, 1]), file)
    >>> [leak.place for leak in leak_report("model.pickle") if leak.kind == "array"]
    ['model.coef_', ...]
    """
    if isinstance(model, str | os.PathLike):
        source, found = shown_path(Path(model).name or str(model)), _in_path(Path(model))
    else:
        source, found = type(model).__name__, merge(in_pickle(of_data(pickle.dumps(model, 5))))
    leaks = tuple(leak if show else replace(leak, content=None) for leak in found)
    report = LeakReport(source, leaks)
    if strict and report.at_least("medium"):
        raise SealedFileError(f"{report}\n{_REMEDY}")
    return report


def _in_path(path: Path) -> Iterator[Leak]:
    if path.is_dir():
        for name, each in files_in(path):
            leaks = [each] if isinstance(each, Leak) else _in_file(each)
            yield from (replace(leak, path=shown_path(name)) for leak in leaks)
    elif not path.is_file() and path.exists():
        yield Leak("file", "unread", 0, reason="it is no regular file")
    else:
        empty = path.stat().st_size == 0
        yield from [Leak("file", "unread", 0, reason="it is empty")] if empty else merge(leaks_in(of_path(path)))


def _in_file(path: Path) -> Iterator[Leak]:
    """Look into a file of a folder; one that cannot be read does not end the walk."""
    try:
        yield from merge(leaks_in(of_path(path)))
    except OSError as error:
        yield Leak("file", "unread", 0, reason=str(error.strerror))
