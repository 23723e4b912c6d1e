"""key_usage: how often each key is used, in a table, a file, a folder, a keyring or a fitted object."""

from __future__ import annotations

import os
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from modelpriv._columns.frame import open_frame, read_cells
from modelpriv._core import process, walk
from modelpriv._core.checks import Text, check
from modelpriv.evidence.usage.answer import KeyUsage, Use
from modelpriv.evidence.usage.columns import in_column, may_be_bytes
from modelpriv.evidence.usage.contents import in_blobs, in_model
from modelpriv.evidence.usage.files import in_file, in_folder, is_ignored
from modelpriv.keys import KeyReference, Keyring, ScopedKeyring
from modelpriv.sealing import inspect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["key_usage"]


def key_usage(X: Any, *, ignore: Iterable[str] = (), verbose: bool = False) -> KeyUsage:
    """Count what was made under each key, by key id; no key is needed for it.

    Ask it before a key is retired, and again after tables and models were moved with `FieldEncryptor.rewrap`, `rewrap`
    and `repin`.

    Parameters
    ----------
    X : table, path, keyring or estimator
        A table of any kind that transformers take: its tokens are counted, column by column. A keyring: each key that
        it holds counts once. A fitted estimator: each transformer in it counts once, for the key that it protects with.

        A path: a sealed model counts once for each key that opens it, and once for each step inside that needs a key.
        In Parquet and Arrow files, text such as CSV or JSON, and SQLite files, tokens count, and what is in their cells
        of bytes. In pickles (joblib and cloudpickle too), skops and numpy files, tokens, the sealed models inside and
        the key ids that objects name count. All of these may be compressed, or in zip archives. A keyring file counts
        once for each key in it, an audit log once for each line, by its key. Identities, signing keys and grants name
        no key.

        A folder is walked, with all below it: a table in parts, a model registry, an MLflow run.
    ignore : str or iterable of str, optional
        Of a folder: patterns of paths to pass over, such as ``"*.png"`` or ``"plots/*"``.
    verbose : bool, default=False
        Whether to show the progress through a folder on the standard error stream.

    Returns
    -------
    usage : KeyUsage
        A mapping of key ids to counts; ids that do not occur are not in it. Print it, or take `frame` or `to_json`, to
        see path by path. ``unread`` lists the files of a folder that could not be read, and why.

    Raises
    ------
    InputError, InputTypeError
        `X` is nothing of this kind, or a table with a column that cannot be read.
    SealedFileError
        The file is damaged.
    OSError
        The file cannot be read.

    Notes
    -----
    *Protects against* losing data with a key that was thought to be unused. *Leaks* nothing: every token holds its key
    id. It *cannot* see pseudonyms, fakes, format-preserving ciphertext and projections in a table, which name no key,
    nor what it is not shown. A text that
    has the form of a token counts as one. A pickle that names a key id several times may count it once.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import FieldEncryptor, Keyring, key_usage
    >>> keys = Keyring.generate()
    >>> step = FieldEncryptor(columns=["email"], key=keys)
    >>> released = step.fit_transform(pd.DataFrame({"email": ["ada@example.org", None], "age": [36, 41]}))
    >>> key_usage(released) == {keys.primary: 1}
    True
    >>> key_usage(step) == {keys.primary: 1}
    True
    """
    patterns = (ignore,) if isinstance(ignore, str) else tuple(ignore)
    for pattern in patterns:
        check("ignore", pattern, Text())
    found = list(_uses(X, patterns, _Progress() if verbose else None))
    uses = (one for one in found if isinstance(one, Use))
    return KeyUsage.of(uses, (one for one in found if not isinstance(one, Use)))


def _uses(X: Any, patterns: tuple[str, ...], progress: _Progress | None) -> Iterator[Use | tuple[str, str]]:
    if isinstance(X, (str, os.PathLike)):
        path = Path(X)
        if path.is_dir():
            yield from in_folder(path, lambda one: is_ignored(one, patterns), progress or (lambda _: None))
        else:
            yield from in_file(path)
    elif isinstance(X, (Keyring, ScopedKeyring, KeyReference)):
        yield from (Use("", "keyring", key_id, 1) for key_id in X.key_ids)
    elif isinstance(X, BaseEstimator):
        yield from _in_object(X)
    else:
        yield from _in_table(X)


def _in_table(table: Any) -> Iterator[Use]:
    """Count in each column of a table, and in a pandas index that is no plain count of rows."""
    frame = open_frame(table)
    for position, name in enumerate(frame.names):
        cells: Any = frame.column(position).data
        yield from in_column("", f"tokens in {name!r}", cells)
        if may_be_bytes(cells.type):
            yield from in_blobs("", f"a cell of {name!r}", cells.to_pylist())
    index: Any = getattr(table, "index", None)
    if hasattr(index, "to_frame"):
        for level in range(index.nlevels):
            values = index.get_level_values(level)
            if not any(values.dtype.kind == kind for kind in "biufcmM"):
                yield from in_column(
                    "", "tokens in the index", read_cells(values.astype(object).to_series(), "the index")
                )


def _in_object(thing: Any) -> Iterator[Use]:
    """Find the key ids that the transformers in an object are pinned to; a locked model answers by what opens it."""
    for _, held in walk.estimators(thing):
        if isinstance(key_id := vars(held).get("key_id_"), str):
            yield Use("", f"{type(held).__name__} in an object", key_id, 1)
        if isinstance(sealed := getattr(vars(held).get("_locked"), "sealed", None), bytes):
            yield from in_model("", inspect(BytesIO(sealed)))


class _Progress:
    """Writes how many files were looked at, twice a second."""

    def __init__(self) -> None:
        self._count, self._last = 0, 0.0

    def __call__(self, path: Path) -> None:
        self._count += 1
        if time.monotonic() - self._last > _PAUSE:
            self._last = time.monotonic()
            sys.stderr.write(f"key_usage: {self._count:,} files, at {str(path)!a}\n")


_PAUSE = 0.5  # seconds

process.settings.count_uses = key_usage
