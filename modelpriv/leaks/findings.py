"""What a leak report consists of: one `Leak` for each thing that a file shows."""

import html
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

__all__ = ["Leak", "LeakReport"]


@dataclass(frozen=True)
class Leak:
    """One thing that is readable.

    It shows where something is, not what it is, unless the report was asked for that: then it leaks it. It does not
    say how bad it is.

    Parameters
    ----------
    place : str
        How to come to it from the object that the file holds.
    kind : {"class", "array", "text", "bytes", "numbers"}
        What it is; ``"class"`` is the name of a class or function.
    size : int
        Its length in bytes.
    content : str, optional
        Its beginning, if that was asked for.

    Examples
    --------
    >>> from modelpriv.sealing import Leak
    >>> Leak("model.coef_", "array", 80).kind
    'array'
    """

    place: str
    kind: str
    size: int
    content: str | None = None


@dataclass(frozen=True)
class LeakReport:
    """All that is readable in a file, or would if an object were pickled.

    It protects nothing; it shows what is not protected: print it, look at it in a notebook, or take `to_json` for a
    tool. It leaks the contents only if it was asked for them. It does not judge what it finds, and cannot see what is
    hidden in a way that pickle, joblib or skops do not write.

    Parameters
    ----------
    source : str
        What was looked at.
    leaks : tuple of Leak
        What was found, in the order of the file.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv import EncryptedEstimator, Keyring
    >>> from modelpriv.sealing import leak_report
    >>> print(leak_report({"note": "a text", "weights": [0.5, 1.5]}))
    dict: 4 in plain text
    place         kind     size
    model{key 0}  text     4 bytes
    model{0}      text     6 bytes
    model{key 1}  text     7 bytes
    model{1}      numbers  16 bytes
    >>> print(leak_report(EncryptedEstimator(Ridge(), key=Keyring.generate())))
    EncryptedEstimator: nothing in plain text
    """

    source: str
    leaks: tuple[Leak, ...]

    def __len__(self) -> int:
        return len(self.leaks)

    def __iter__(self) -> Iterator[Leak]:
        return iter(self.leaks)

    def __str__(self) -> str:
        if not self.leaks:
            return f"{self.source}: nothing in plain text"
        rows = [self._columns(), *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"{self.source}: {len(self)} in plain text", *lines])

    def _repr_html_(self) -> str:
        def row(cells: tuple[str, ...], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        title = html.escape(str(self).partition("\n")[0])
        if not self.leaks:
            return f"<p>{title}</p>"
        body = "".join(row(cells, "td") for cells in self._rows())
        return f"<table><caption>{title}</caption>{row(self._columns(), 'th')}{body}</table>"

    def to_json(self) -> str:
        """Give the report as JSON: the source, and of each leak its place, kind, size and content."""
        return json.dumps({"source": self.source, "leaks": [asdict(leak) for leak in self.leaks]})

    def _columns(self) -> tuple[str, ...]:
        shown = any(leak.content is not None for leak in self.leaks)
        return ("place", "kind", "size", "content") if shown else ("place", "kind", "size")

    def _rows(self) -> list[tuple[str, ...]]:
        count = len(self._columns())
        return [(leak.place, leak.kind, f"{leak.size:,} bytes", leak.content or "")[:count] for leak in self.leaks]
