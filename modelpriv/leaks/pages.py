"""HTML: what a page shows, and what it holds without showing it: attributes, comments, scripts and styles.

It is cut at its tags, from the beginning to the end once, because parsers of HTML take the square of the time for pages
that are hostile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelpriv.leaks.findings import Leak
from modelpriv.leaks.outline import SECRET, NotReadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelpriv.leaks.content import Content

_LARGEST = 2**24
_PLAIN = re.compile(r"/?[A-Za-z][A-Za-z0-9]{0,9}\s*/?")  # a tag without attributes
_RAW = ("script", "style")  # their content ends at their end tag only


def in_html(content: Content) -> list[Leak] | None:
    """Count the parts of a page by their kind; None if it is too large."""
    try:
        data = content.whole(_LARGEST)
    except NotReadError:
        return None
    parts: dict[str, list[str]] = {}
    # Bytes in lower case have their length, which text does not.
    for name, part in _parts(data.decode(errors="replace"), data.lower().decode(errors="replace")):
        if part.strip():
            parts.setdefault(name, []).append(part.strip())
    return [_leak(name, found) for name, found in parts.items()]


def _leak(name: str, parts: list[str]) -> Leak:
    kind = "secret" if any(SECRET in part for part in parts) else "text"
    return Leak(f"html {name}", kind, sum(map(len, parts)), repr(parts[0][:80]), count=len(parts))


def _parts(page: str, lower: str) -> Iterator[tuple[str, str]]:
    at = 0
    while (start := page.find("<", at)) >= 0:
        yield "text", page[at:start]
        if page.startswith("<!--", start):
            name, inside, end = "comments", start + 4, "-->"
        else:
            name, inside, end = "attributes", start + 1, ">"
        stop = page.find(end, inside)
        at = len(page) if stop < 0 else stop + len(end)
        part = page[inside : len(page) if stop < 0 else stop]
        if name == "comments" or stop < 0 or not _PLAIN.fullmatch(part):
            yield name, "" if part.lower() == "!doctype html" else part
        for raw in _RAW:
            if lower.startswith(raw, inside) and stop >= 0:
                stop = lower.find(f"</{raw}", at)
                yield f"{raw}s", page[at : len(page) if stop < 0 else stop]
                at = len(page) if stop < 0 else stop
    yield "text", page[at:]
