"""Every file of a folder and of those in it, in order, and what is there that is no file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from modelpriv.leaks.findings import Leak

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTITION = re.compile(r"([^=/]+)=[^/]+(?=/)")


def files_in(folder: Path) -> Iterator[tuple[str, Path | Leak]]:
    """Give each file with its name from the folder; in place of one that cannot be read, the finding that says so.

    Links are not followed out of the folder: what they lead to may be anywhere, or lead back.
    """
    folders = [""]
    while folders:
        within = folders.pop()
        try:
            with os.scandir(folder / within) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield within, Leak("folder", "unread", 0, reason=str(error.strerror))
            continue
        folders += [f"{within}{entry.name}/" for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield f"{within}{entry.name}", _readable(entry)
        if _PARTITION.search(within) and entries:
            yield within, Leak("name of the folder", "text", len(within.encode(errors="replace")), repr(within)[:80])


def _readable(entry: os.DirEntry[str]) -> Path | Leak:
    if entry.is_symlink():
        return Leak("file", "unread", 0, reason="it is a link, which is not followed")
    if not entry.is_file(follow_symlinks=False):
        return Leak("file", "unread", 0, reason="it is no regular file")
    return Path(entry.path)


def shown_path(name: str) -> str:
    """Give a path as it can be shown: without control characters, and without the values in names of partitions."""
    hidden = _PARTITION.sub(r"\1=…", name)
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in hidden)
