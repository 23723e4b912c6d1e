"""key_usage: how often each key is used, in a table, a file, a keyring or a fitted object."""

from __future__ import annotations

import os
from collections import Counter
from io import BytesIO
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.base import BaseEstimator

from modelpriv._columns.dtypes import is_text
from modelpriv._columns.frame import open_frame
from modelpriv._columns.reading import read_arrow
from modelpriv._core import magic, process
from modelpriv.errors import InputTypeError
from modelpriv.kernels.aes import token
from modelpriv.keys import KeyReference, Keyring, ScopedKeyring, container
from modelpriv.sealing import inspect

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["key_usage"]

_FORM = "^[A-Za-z0-9_-]{28,}$"
_DATASETS = {magic.PARQUET: "parquet", magic.ARROW: "ipc"}


def key_usage(X: Any) -> dict[str, int]:
    """Count what was made under each key, by key id; no key is needed for it.

    Ask it before a key is retired, and again after tables were moved with `FieldEncryptor.rewrap`.

    Parameters
    ----------
    X : table, path, keyring or estimator
        A table of any kind that transformers take: its tokens are counted, column by column. The path of a Parquet or
        Arrow file, or of a folder of Parquet files: the same, a part at a time. A keyring, or the path of a keyring
        file: each key that it holds counts once. The path of a sealed model: each key that opens it counts once. A
        fitted estimator: each transformer in it counts once, for the key that it protects with.

    Returns
    -------
    dict of str to int
        How often each key id occurs; those that do not are not in it.

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
    id. It *cannot* see pseudonyms, fakes, format-preserving ciphertext and projections, which name no key, nor
    anything that it is not shown. A text that has the form of a token counts as one.

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
    counts: Counter[str] = Counter()
    for key_id, number in _uses(X):
        counts[key_id] += number
    return dict(sorted(counts.items()))


def _uses(X: Any) -> Iterator[tuple[str, int]]:
    if isinstance(X, (str, os.PathLike)):
        yield from _in_file(Path(X))
    elif isinstance(X, (Keyring, ScopedKeyring, KeyReference)):
        yield from ((key_id, 1) for key_id in X.key_ids)
    elif isinstance(X, BaseEstimator):
        yield from ((key_id, 1) for key_id in _pinned(X, set()))
    else:
        frame = open_frame(X)
        for position in range(len(frame.names)):
            yield from _in_column(frame.column(position).data)


def _in_column(cells: Any) -> Iterator[tuple[str, int]]:
    if is_text(cells.type):
        formed = pc.match_substring_regex(cells, _FORM).fill_null(False)
        counted: Any = pc.value_counts(token.key_ids(cells.filter(formed)).drop_null())
        yield from ((one["values"].hex(), one["counts"]) for one in counted.to_pylist())


def _in_file(path: Path) -> Iterator[tuple[str, int]]:
    """Count in a file, by what its first bytes say it is."""
    if path.is_dir():
        yield from _in_folder(path)
        return
    with path.open("rb") as file:
        start = file.read(64)
    kind = magic.identify(start)
    if kind in _DATASETS:
        yield from _in_dataset(path, _DATASETS[kind])
    elif kind == magic.SEALED:
        yield from ((way["key_id"], 1) for way in inspect(path).stanzas if "key_id" in way)
    elif start.startswith(b"{"):
        yield from ((key_id, 1) for key_id in container.read_public(path, "keyring").get("key_ids", ()))
    else:
        raise InputTypeError(
            f"{str(path)!r} is no Parquet or Arrow file, keyring file or sealed model. Of another table, load it and "
            "pass it. Use modelpriv.leak_report to inspect a pickle, joblib or skops file without loading it."
        )


def _in_folder(folder: Path) -> Iterator[tuple[str, int]]:
    """Count in every file of a folder, each by its own schema, and in the values that name its partitions."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if not any(path.stat().st_size for path in files):
        raise InputTypeError(
            f"{str(folder)!r} holds no file to count in. Give the folder that the table was written to."
        )
    for path in files:
        if path.stat().st_size:  # a mark such as _SUCCESS is empty
            values = [part.partition("=")[2] for part in path.relative_to(folder).parts[:-1]]
            yield from _in_column(pa.array([unquote(value) for value in values], pa.string()))
            yield from _in_file(path)


def _in_dataset(path: Path, format_: str) -> Iterator[tuple[str, int]]:
    from pyarrow import dataset  # noqa: PLC0415 - 50 ms that only this needs

    # Without partitioning: what a path says is counted by `_in_folder`.
    found: Any = dataset.dataset(str(path), format=format_, partitioning=None)  # type: ignore[call-overload]
    for field in found.schema:
        if pa.types.is_nested(field.type):
            raise InputTypeError(
                f"{str(path)!r}: column {field.name!r} holds {field.type}, and tokens inside of it cannot be counted. "
                "Load the file and pass a table without that column, or with its values in columns of their own."
            )
    texts = [field.name for field in found.schema if _may_be_text(field.type)]
    # pyarrow 20 crashes where it skips columns of an Arrow file that holds text in views: such a file is read whole.
    for batch in found.to_batches(columns=texts if format_ == "parquet" else None):
        for name in texts:
            yield from _in_column(read_arrow(batch.column(name), name).data)


def _may_be_text(type_: Any) -> bool:
    """Tell whether a type is text, categories of text, or text in views, as polars writes it to Arrow files."""
    type_ = type_.value_type if pa.types.is_dictionary(type_) else type_
    return is_text(type_) or pa.types.is_string_view(type_)


def _pinned(thing: Any, seen: set[int]) -> Iterator[str]:
    """Find the key ids that the transformers in an object are pinned to; a locked model answers by what opens it."""
    if isinstance(thing, BaseEstimator):
        if id(thing) in seen:
            return
        seen.add(id(thing))
        held = vars(thing)
        if isinstance(held.get("key_id_"), str):
            yield held["key_id_"]
        if isinstance(sealed := getattr(held.get("_locked"), "sealed", None), bytes):
            yield from _opening(sealed)
        yield from _pinned(list(held.values()), seen)
    elif isinstance(thing, dict):
        yield from _pinned(list(thing.values()), seen)
    elif isinstance(thing, (list, tuple, set, frozenset)):
        for part in thing:
            yield from _pinned(part, seen)
    elif isinstance(thing, np.ndarray) and thing.dtype == object:
        yield from _pinned(thing.ravel().tolist(), seen)
    elif isinstance(thing, MethodType):
        yield from _pinned(thing.__self__, seen)


def _opening(sealed: bytes) -> Iterator[str]:
    return (way["key_id"] for way in inspect(BytesIO(sealed)).stanzas if "key_id" in way)


process.settings.count_uses = key_usage
