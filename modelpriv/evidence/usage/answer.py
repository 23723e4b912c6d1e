"""The answer of key_usage: a small table of what uses which key, and what could not be read."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field

from modelpriv._columns.records import PandasTable, to_frame

__all__ = ["KeyUsage", "Use"]


@dataclass(frozen=True, order=True)
class Use:
    """What one thing needs one key for.

    It leaks nothing beyond what the thing itself says to everyone.

    Parameters
    ----------
    path : str
        The path of a file; empty for an object.
    what : str
        What was counted, such as ``"tokens in 'email'"`` or ``"steps in a sealed model"``.
    key_id : str
        The id of the key.
    count : int
        How often it occurs.

    Examples
    --------
    >>> from modelpriv.evidence.usage import Use
    >>> Use("people.parquet", "tokens in 'email'", "5e0c92d1", 41).count
    41
    """

    path: str
    what: str
    key_id: str
    count: int


@dataclass(frozen=True, eq=False)
class KeyUsage(Mapping[str, int]):
    """How often each key id occurs: a mapping of key ids to counts, with the rows behind it.

    It protects against retiring a key that is still needed. It leaks key ids and column names. It cannot know of what
    it was not shown.

    Parameters
    ----------
    uses : tuple of Use
        What was counted, a row for each path, kind and key id.
    unread : tuple of (str, str)
        The paths that could not be read, and why.

    Examples
    --------
    >>> from modelpriv import Keyring, key_usage
    >>> keys = Keyring.generate()
    >>> found = key_usage(keys)
    >>> found[keys.primary], found.unread
    (1, ())
    """

    uses: tuple[Use, ...]
    unread: tuple[tuple[str, str], ...] = ()
    _counts: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counts: Counter[str] = Counter()
        for use in self.uses:
            counts[use.key_id] += use.count
        object.__setattr__(self, "_counts", dict(sorted(counts.items())))

    @classmethod
    def of(cls, uses: Iterable[Use], unread: Iterable[tuple[str, str]] = ()) -> KeyUsage:
        """Add up rows that say the same."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for use in uses:
            counts[use.path, use.what, use.key_id] += use.count
        return cls(tuple(sorted(Use(*row, count) for row, count in counts.items())), tuple(sorted(unread)))

    def __getitem__(self, key_id: str) -> int:
        return self._counts[key_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        rows = [("path", "what", "key id", "count"), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines = lines if self.uses else ["no key is used"]
        return "\n".join([*lines, *(f"not read: {path!a}: {why}" for path, why in self.unread)])

    def _repr_html_(self) -> str:
        def row(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        unread = "".join(f"<li>{html.escape(path)}: {html.escape(why)}</li>" for path, why in self.unread)
        body = "".join(row(cells, "td") for cells in self._rows())
        table = f"<table>{row(('path', 'what', 'key id', 'count'), 'th')}{body}</table>" if self.uses else ""
        return (table or "<p>no key is used</p>") + (f"<p>not read:</p><ul>{unread}</ul>" if unread else "")

    def frame(self) -> PandasTable:
        """Return the rows as a pandas table with the columns path, what, key_id and count."""
        return to_frame(self.uses, Use)

    def to_json(self) -> str:
        """Return the rows, the sums and what could not be read as JSON."""
        unread = [{"path": path, "why": why} for path, why in self.unread]
        rows = [asdict(use) for use in self.uses]
        return json.dumps({"key_ids": self._counts, "uses": rows, "unread": unread})

    def _rows(self) -> list[tuple[str, ...]]:
        return [(ascii(use.path)[1:-1], ascii(use.what)[1:-1], use.key_id, f"{use.count:,}") for use in self.uses]
