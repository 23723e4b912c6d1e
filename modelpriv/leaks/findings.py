"""What a leak report consists of: one `Leak` for each thing that a file shows."""

import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Literal

from modelpriv._core.checks import OneOf, check

__all__ = ["Leak", "LeakReport"]

Severity = Literal["low", "medium", "high"]
_SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high")
_LESS: dict[str, Severity] = {"key": "low", "tokens": "low", "class": "medium"}


@dataclass(frozen=True)
class Leak:
    """One thing that is readable, or that could not be read.

    It shows where something is, not what it is, unless the report was asked for that: then it leaks it.

    Parameters
    ----------
    place : str
        How to come to it from the object that the file holds. Keys of dicts, columns and members are numbered, not
        named; the entries of a long list share one place.
    kind : {"array", "text", "bytes", "numbers", "class", "key", "tokens", "secret", "unread"}
        What it is. ``"class"`` is the name of a class or function, ``"key"`` says where a key is kept, ``"tokens"`` are
        cells that look as `FieldEncryptor` writes them, ``"secret"`` holds a keyring in plain text, and ``"unread"`` is
        a file, or the rest of one, that was not looked into.
    size : int
        Its length in bytes.
    content : str, optional
        Its beginning, if that was asked for.
    count : int, default=1
        How many values it has.
    path : str, default=""
        The file, from the folder that was looked into.
    reason : str, default=""
        Why it was not read.

    Examples
    --------
    >>> from modelpriv.sealing import Leak
    >>> Leak("model.coef_", "array", 80, count=10).severity
    'high'
    """

    place: str
    kind: str
    size: int
    content: str | None = None
    count: int = 1
    path: str = ""
    reason: str = ""

    @property
    def severity(self) -> Severity:
        """``"low"`` for where a key is kept and for tokens, ``"medium"`` for the name of a class, else ``"high"``."""
        return _LESS.get(self.kind, "high")

    def to_dict(self) -> dict[str, str | int | None]:
        """Give its fields and its severity."""
        return asdict(self) | {"severity": self.severity}


@dataclass(frozen=True)
class LeakReport:
    """What is readable in a file or folder, or would be if an object were pickled.

    It protects nothing; it shows what is not protected: print it, look at it in a notebook, or take `to_json` for a
    tool. It leaks the contents only if it was asked for them. It does not judge whether a text or number is personal.
    It cannot see what is hidden on purpose: in bytes that look like ciphertext, in names of attributes and files, or in
    single booleans.

    Parameters
    ----------
    source : str
        What was looked at.
    leaks : tuple of Leak
        What was found, in the order of the file, and what could not be read.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv import EncryptedEstimator, Keyring
    >>> from modelpriv.sealing import leak_report
    >>> print(leak_report({"note": "a text", "weights": [0.5, 1.5]}))
    dict: 4 in plain text
    place         kind     values  size      severity
    model{key 0}  text     1       4 bytes   high
    model{0}      text     1       6 bytes   high
    model{key 1}  text     1       7 bytes   high
    model{1}      numbers  2       16 bytes  high
    >>> print(leak_report(EncryptedEstimator(Ridge(), key=Keyring.generate())))
    EncryptedEstimator: nothing in plain text
    """

    source: str
    leaks: tuple[Leak, ...]

    def __len__(self) -> int:
        return len(self.leaks)

    def __iter__(self) -> Iterator[Leak]:
        return iter(self.leaks)

    @property
    def unread(self) -> tuple[Leak, ...]:
        """What could not be read."""
        return tuple(leak for leak in self.leaks if leak.kind == "unread")

    def at_least(self, severity: Severity) -> tuple[Leak, ...]:
        """Give the leaks of a severity, ``"low"``, ``"medium"`` or ``"high"``, and of those above it.

        Raises
        ------
        ParameterError, ParameterTypeError
            There is no such severity.
        """
        check("severity", severity, OneOf(*_SEVERITIES))
        counted = _SEVERITIES[_SEVERITIES.index(severity) :]
        return tuple(leak for leak in self.leaks if leak.severity in counted)

    def __str__(self) -> str:
        if not self.leaks:
            return self._title()
        rows = [self._columns(), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        title = html.escape(self._title())
        if not self.leaks:
            return f"<p>{title}</p>"
        body = "".join(row(cells, "td") for cells in self._rows())
        return f"<table><caption>{title}</caption>{row(self._columns(), 'th')}{body}</table>"

    def to_json(self) -> str:
        """Give the report as JSON: the source, and of each leak its fields and its severity."""
        return json.dumps({"source": self.source, "leaks": [leak.to_dict() for leak in self.leaks]})

    def _title(self) -> str:
        unread = len(self.unread)
        found = len(self) - unread
        said = f"{self.source}: {found or 'nothing'} in plain text"
        return f"{said}, {unread} not read" if unread else said

    def _columns(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._table())

    def _rows(self) -> list[tuple[str, ...]]:
        return list(zip(*(cells for _, cells in self._table()), strict=True))

    def _table(self) -> list[tuple[str, list[str]]]:
        """Give the columns that say something."""
        optional = ("path", "why", "content")
        columns: dict[str, list[str]] = {
            "path": [leak.path for leak in self.leaks],
            "place": [leak.place for leak in self.leaks],
            "kind": [leak.kind for leak in self.leaks],
            "values": [f"{leak.count:,}" for leak in self.leaks],
            "size": [f"{leak.size:,} bytes" for leak in self.leaks],
            "severity": [leak.severity for leak in self.leaks],
            "why": [leak.reason for leak in self.leaks],
            "content": [leak.content or "" for leak in self.leaks],
        }
        return [(name, cells) for name, cells in columns.items() if name not in optional or any(cells)]


def merge(leaks: Iterable[Leak]) -> Iterator[Leak]:
    """Add up the leaks of one file that have one place and kind, and end where there are too many."""
    found: dict[tuple[str, str, str], Leak] = {}
    more = 0
    for leak in leaks:
        key = leak.place, leak.kind, leak.reason
        if (before := found.get(key)) is not None:
            found[key] = replace(before, size=before.size + leak.size, count=before.count + leak.count)
        elif len(found) < _MOST:
            found[key] = leak
        else:
            more += 1
    yield from found.values()
    if more:
        yield Leak("the rest", "unread", 0, count=more, reason="so many findings are not listed")


_MOST = 20_000
