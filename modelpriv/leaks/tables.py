"""Parquet and Arrow files: every column, whether its cells are tokens, and the metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from modelpriv.leaks.findings import Leak
from modelpriv.leaks.outline import Group, NotReadError
from modelpriv.leaks.stream import of_bytes
from modelpriv.leaks.texts import TOKEN, TOKEN_START
from modelpriv.leaks.walk import Walker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelpriv.leaks.content import Content

_ROWS = 2**14
_NOT_READ = "it is a table that is cut, damaged or encrypted"


def in_parquet(content: Content) -> Iterator[Leak]:
    """Count the cells of each column; of columns of text, look whether all are tokens."""
    from pyarrow import parquet  # noqa: PLC0415 - only this needs it

    with content.seekable() as source:
        try:
            file = parquet.ParquetFile(source)
            yield from _in_metadata(file.metadata.metadata or {})
            yield from _in_names(file.schema_arrow)
            for index in range(file.metadata.num_columns):
                yield from _in_column(file, index)
        except (pa.ArrowException, OSError, ValueError, TypeError):
            raise NotReadError(_NOT_READ) from None


def _in_column(file: Any, index: int) -> Iterator[Leak]:
    """Count a column by reading it: pyarrow ends the process where a hostile file lies about its column chunks."""
    column = file.schema.column(index)
    count, size, tokens = _counts(file, column.path)
    if count:
        kind = "tokens" if tokens else _KINDS.get(column.physical_type, "numbers")
        yield Leak(f"column[{index}]", kind, size, count=count)


def _counts(file: Any, path: str) -> tuple[int, int, bool]:
    """Count the cells of a column that are not null, and their bytes; and tell whether all are tokens under one key."""
    count = size = 0
    starts: set[str | None] = set()
    for batch in file.iter_batches(batch_size=_ROWS, columns=[path], use_threads=False):
        cells = batch.column(0)
        count, size = count + len(cells) - cells.null_count, size + cells.nbytes
        starts |= _starts(cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells)
    return count, size, None not in starts and len(starts) == 1


def _starts(cells: Any) -> set[str | None]:
    """Give how the cells begin if all of them are tokens; otherwise None is among it."""
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        return {None}
    if pc.all(pc.match_substring_regex(cells, TOKEN)).as_py() is False:
        return {None}
    return set(pc.unique(pc.utf8_slice_codeunits(cells.drop_null(), 0, TOKEN_START)).to_pylist())


_KINDS = {"BYTE_ARRAY": "text", "FIXED_LEN_BYTE_ARRAY": "bytes"}


def in_arrow(content: Content) -> Iterator[Leak]:
    """Measure an Arrow file as a whole: what its batches unfold to is not bounded, so they are not read."""
    data = content.seekable()
    try:
        with data, pa.ipc.open_file(data) as reader:  # type: ignore[arg-type]  # a binary file
            schema, batches = reader.schema, reader.num_record_batches
    except (pa.ArrowException, OSError, ValueError, TypeError):
        raise NotReadError(_NOT_READ) from None
    yield from _in_metadata(schema.metadata or {})
    yield from _in_names(schema)
    if batches:
        yield Leak("columns", "array", content.stream().rest(), count=len(schema))


def _in_metadata(metadata: dict[bytes, bytes]) -> Iterator[Leak]:
    said = [part for name, value in metadata.items() if name != b"ARROW:schema" for part in (name, value)]
    yield from Walker().walk("metadata", Group([of_bytes("text", part) for part in said]))


def _in_names(schema: pa.Schema) -> Iterator[Leak]:
    names = [str(field.name) for field in schema]
    if names:
        yield Leak("names of columns", "text", len("".join(names)), repr(names)[:80], count=len(names))
    for index, field in enumerate(schema):
        yield from _in_metadata_of(index, field.metadata or {})


def _in_metadata_of(index: int, metadata: dict[bytes, bytes]) -> Iterator[Leak]:
    said = [part for name, value in metadata.items() if name != b"PARQUET:field_id" for part in (name, value)]
    yield from Walker().walk(f"metadata of column[{index}]", Group([of_bytes("text", part) for part in said]))


__all__ = ["in_arrow", "in_parquet"]
