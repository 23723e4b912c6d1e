"""Texts: JSON by its values, CSV by its columns, HTML by what it shows and hides, and any other by its lines."""

from __future__ import annotations

import csv
import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from modelpriv.leaks.findings import Leak
from modelpriv.leaks.outline import SECRET, Blob, Group, Mapping, NotReadError, kind_of, shorten
from modelpriv.leaks.pages import in_html
from modelpriv.leaks.walk import Walker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelpriv.leaks.content import Content

# The first character of a token tells version and mode, and the first six the mode and most of the key id.
TOKEN = "^[EG][Q-Za-v][A-Za-z0-9_-]{26,}$"  # noqa: S105 - the form of a token
TOKEN_START = 6
_TOKEN = re.compile(TOKEN)
_NUMBER = re.compile(r"[+-]?[\d.,]*\d(?:[eE][+-]?\d+)?")
_CSV, _HTML = {".csv", ".tsv", ".tab"}, {".html", ".htm", ".xhtml"}
_NAMED = _CSV | _HTML | {".json", ".jsonl", ".ndjson", ".ipynb", ".txt", ".md", ".yaml", ".yml", ".log", ".toml", ".py"}
_MOST_COLUMNS = 1000
_LONGEST_NUMBER = 1000
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def is_text(head: bytes) -> bool:
    """Tell whether a file begins like a text."""
    if head.startswith(_UTF_16):
        return True
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head) - 3 or error.reason != "unexpected end of data":
            return False
        text = head[: error.start].decode()
    return _CONTROL.search(text) is None


def is_named_text(name: str) -> bool:
    """Tell whether a file's name says that it is a text."""
    return PurePath(name.lower()).suffix in _NAMED


def in_text(content: Content) -> Iterator[Leak]:
    """Find what a text shows, as finely as its form allows."""
    suffix = PurePath(content.name.lower()).suffix
    found: list[Leak] | None = None
    if suffix in _CSV:
        found = _in_csv(content, "\t" if suffix != ".csv" else None)
    else:
        start = content.head().lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower()
        if start.startswith((b"{", b"[")):
            found = _in_json(content)
        elif suffix in _HTML or start.startswith((b"<!doctype html", b"<html")):
            found = in_html(content)
    yield from _in_lines(content) if found is None else found


def _in_lines(content: Content) -> Iterator[Leak]:
    size, lines, head, kind, last = 0, 0, b"", "text", b""
    for piece in content.pieces():
        head = head or piece[:80]
        size, lines = size + len(piece), lines + piece.count(b"\n")
        if SECRET.encode() in last + piece:
            kind = "secret"
        last = piece[-len(SECRET) :]
    yield Leak("text", kind, size, repr(head), count=max(lines, 1))


# --- JSON ---


def _in_json(content: Content) -> list[Leak] | None:
    """Go through its values; None if it is not one JSON text, or a very large or deep one."""
    try:
        root = json.loads(content.whole(), object_pairs_hook=_object, parse_int=_whole)
    except (ValueError, RecursionError, NotReadError):
        return None
    return list(Walker().walk("json", _outline(root)))


def _object(pairs: list[tuple[str, Any]]) -> Mapping:
    return Mapping([(shorten(key), _outline(value)) for key, value in pairs])


def _whole(digits: str) -> Any:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else Blob("numbers", len(digits), digits[:80])


def _outline(value: Any) -> Any:
    if isinstance(value, list):
        return Group([_outline(item) for item in value])
    return value if isinstance(value, Mapping | Blob) else shorten(value)


# --- CSV ---


def _in_csv(content: Content, delimiter: str | None) -> list[Leak] | None:
    """Count the cells of each column, and its first row apart, whether it names them or not; None if it is no CSV."""
    first = content.head().partition(b"\n")[0]
    delimiter = delimiter or max(",;\t|", key=first.decode(errors="replace").count)
    columns: list[_CellCounts] = []
    header: list[str] = []
    try:
        rows = csv.reader(_lines(content), delimiter=delimiter)
        header = next(rows, [])
        for row in rows:
            for number, cell in enumerate(row):
                if number >= len(columns):
                    if number >= _MOST_COLUMNS:
                        return None
                    columns.append(_CellCounts())
                columns[number].add(cell)
    except (csv.Error, NotReadError):
        return None
    top = [Leak("row[0]", kind_of(" ".join(header)), len("".join(header)), repr(header)[:80], count=len(header))]
    return top + [leak for number, column in enumerate(columns) for leak in column.leaks(f"column[{number}]")]


def _lines(content: Content) -> Iterator[str]:
    stream = content.stream()
    while line := stream.readline():
        yield line.decode("utf-8-sig", errors="replace")


class _CellCounts:
    """Counts the cells of a column by their kind."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}
        self._starts: set[str] = set()

    def add(self, cell: str) -> None:
        """Count a cell, unless it is empty."""
        if not cell:
            return
        kind = "numbers" if _NUMBER.fullmatch(cell) else kind_of(cell)
        if kind == "text" and _TOKEN.fullmatch(cell) and len(self._starts) <= 1:
            kind = "tokens"
            self._starts.add(cell[:TOKEN_START])
        counted = self._counts.setdefault(kind, [0, 0])
        counted[0] += 1
        counted[1] += len(cell)

    def leaks(self, place: str) -> list[Leak]:
        """Give what was counted: cells are tokens if all of them are, under one key."""
        alone = len(self._counts) == 1 and len(self._starts) == 1
        return [
            Leak(place, "text" if kind == "tokens" and not alone else kind, size, count=count)
            for kind, (count, size) in self._counts.items()
        ]
