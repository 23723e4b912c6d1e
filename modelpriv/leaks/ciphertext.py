"""Whether bytes look like ciphertext: evenly spread values, no text in them, and the frame that a sealed body has.

Bytes that look random pass, such as compressed text: no one can tell them from ciphertext without the key.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

RUN_LENGTH = 32
_WINDOW = 4096
_FEWEST = 256
# The largest statistic of 400,000 windows of random bytes was 383.
_LARGEST_STATISTIC = 600
# So long a run of printable characters occurs in ciphertext once in 10**13 bytes.
_PRINTED = b"\t\n\r" + bytes(range(32, 127))
_RUN = re.compile(rb"[\t\n\r -~]{%d,}" % RUN_LENGTH)
_BLOCK = 16
_IS_PRINTABLE = np.array([bytes([byte]) in _PRINTED for byte in range(256)])
# FLOE's parameters, the rest of its header, and the length field of the first segment.
_PARAMETERS = bytes.fromhex("00000010002000000020")
_HEADER, _SEGMENT, _LENGTH = 74, 1_048_608, 4
FRAME = _HEADER + _LENGTH


def is_framed(start: bytes, size: int) -> bool:
    """Tell whether a body of this size begins as FLOE writes it, by its first bytes."""
    first = size - _HEADER
    length = b"\xff" * _LENGTH if first > _SEGMENT else max(0, first).to_bytes(_LENGTH, "big")
    return start.startswith(_PARAMETERS) and start[_HEADER:FRAME] == length


def has_run(data: bytes) -> bool:
    """Tell whether bytes hold a text of some length."""
    return _RUN.search(data) is not None


def count_plain(before: bytes, piece: bytes) -> int:
    """Count bytes in windows whose values are not evenly spread, and in runs of printable characters."""
    cells = np.frombuffer(piece, np.uint8)
    whole = len(cells) // _WINDOW
    windows = cells[: whole * _WINDOW].reshape(whole, _WINDOW) + 256 * np.arange(whole)[:, np.newaxis]
    counts = np.bincount(windows.ravel(), minlength=256 * whole).reshape(whole, 256)
    uneven = _WINDOW * int((_statistic(counts, _WINDOW) > _LARGEST_STATISTIC).sum())
    last = cells[whole * _WINDOW :]
    if len(last) >= _FEWEST and _statistic(np.bincount(last, minlength=256), len(last)) > _LARGEST_STATISTIC:
        uneven += len(last)
    return uneven or _in_runs(before + piece)


def _statistic(counts: Any, length: int) -> Any:
    """Give Pearson's chi-squared of bytes against an even spread."""
    expected = length / 256
    return ((counts - expected) ** 2).sum(axis=-1) / expected


def _in_runs(data: bytes) -> int:
    """Count the bytes in long runs of printable characters; each run holds a block that is printable as a whole."""
    printable = _IS_PRINTABLE[np.frombuffer(data, np.uint8)]
    blocks = printable[: len(data) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    return sum(len(run[0]) for run in _RUN.finditer(data)) if blocks.all(axis=1).any() else 0
