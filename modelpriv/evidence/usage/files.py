"""Counting in files and folders: what a file is, by how it begins, and what in it uses which key."""

from __future__ import annotations

import lzma
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa

from modelpriv._columns.reading import read_arrow
from modelpriv._core import magic
from modelpriv.errors import InputTypeError, ModelprivError
from modelpriv.evidence.usage.answer import Use
from modelpriv.evidence.usage.columns import in_column, may_be_bytes, may_be_text
from modelpriv.evidence.usage.contents import in_blobs, in_content, in_database, in_model
from modelpriv.evidence.usage.databases import BEGINS
from modelpriv.keys import container
from modelpriv.sealing import inspection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["in_file", "in_folder", "is_ignored"]

_DATASETS = {magic.PARQUET: "parquet", magic.ARROW: "ipc"}


def in_folder(
    folder: Path, ignored: Callable[[Path], bool], seen: Callable[[Path], None]
) -> Iterator[Use | tuple[str, str]]:
    """Count in every file of a folder, and in the values that name its partitions; tell what could not be read."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
    if not any(path.stat().st_size for path in files if path.exists()):
        raise InputTypeError(
            f"{str(folder)!r} holds no file to count in. Give the folder that the table or the models were written to."
        )
    for path in files:
        seen(path)
        if ignored(path):
            continue
        values = [part.partition("=")[2] for part in path.relative_to(folder).parts[:-1]]
        cells = pa.array([unquote(value) for value in values], pa.string())
        yield from in_column(str(path), "tokens in partitions", cells)
        try:
            yield from list(in_file(path))
        except (ModelprivError, OSError, ValueError, EOFError, zlib.error, lzma.LZMAError) as error:
            yield str(path), str(error) or type(error).__name__


def is_ignored(path: Path, patterns: tuple[str, ...]) -> bool:
    """Tell whether a path, its name or its end fits a pattern such as ``"*.png"`` or ``"plots/*"``."""
    return any(path.match(pattern) or str(path) == pattern for pattern in patterns)


def in_file(path: Path) -> Iterator[Use]:
    """Count in a file, by what its first bytes say it is.

    Raises
    ------
    InputTypeError
        It is of a kind that cannot be read.
    """
    if path.exists() and not path.is_file():
        raise InputTypeError(f"{str(path)!r} is neither a file nor a folder, so it cannot be counted in.")
    with path.open("rb") as file:
        start = file.read(64)
        file.seek(0)
        kind = magic.identify(start)
        if kind in _DATASETS:
            yield from _in_dataset(path, _DATASETS[kind])
        elif kind == magic.SEALED:
            yield from in_model(str(path), inspection.inspect(file))
        elif kind == magic.KEYRING:
            key_ids = container.read_public(path, "keyring")["key_ids"]
            yield from (Use(str(path), "keyring file", one, 1) for one in key_ids)
        elif start.startswith(BEGINS):
            yield from in_database(str(path), repr(str(path)), path)
        else:
            yield from in_content(str(path), repr(str(path)), file)


def _in_dataset(path: Path, format_: str) -> Iterator[Use]:
    from pyarrow import dataset  # noqa: PLC0415 - 50 ms that only this needs

    # Without partitioning: what a path says is counted by `in_folder`.
    found: Any = dataset.dataset(str(path), format=format_, partitioning=None)  # type: ignore[call-overload]
    for field in found.schema:
        if pa.types.is_nested(field.type):
            raise InputTypeError(
                f"{str(path)!r}: column {field.name!r} holds {field.type}, and tokens inside of it cannot be counted. "
                "Load the file and pass a table without that column, or with its values in columns of their own."
            )
    texts = [field.name for field in found.schema if may_be_text(field.type)]
    blobs = [field.name for field in found.schema if may_be_bytes(field.type)]
    # pyarrow 20 crashes where it skips columns of an Arrow file that holds text in views: such a file is read whole.
    for batch in found.to_batches(columns=texts + blobs if format_ == "parquet" else None):
        for name in texts:
            yield from in_column(str(path), f"tokens in {name!r}", read_arrow(batch.column(name), name).data)
        for name in blobs:
            yield from in_blobs(str(path), f"a cell of {name!r} in {str(path)!r}", batch.column(name).to_pylist())
