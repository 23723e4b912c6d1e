"""The characters that a reader sees (graphemes) and the kind of each, looked up for a whole block of cells.

In ASCII each byte is a character; elsewhere most are one code point. Only cells that hold a code point which may join
its neighbours (a combining accent, a joiner, a flag's letter, part of a Hangul syllable) are cut up one by one, by the
rules of Unicode's annex 29 in `regex`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import regex

from modelpriv.kernels.text.flags import pieces

if TYPE_CHECKING:
    from modelpriv.kernels.text.flags import Offsets

__all__ = ["HAN", "LETTER", "LOWER", "NUMBER", "OTHER", "PUNCTUATION", "SPACE", "TAIL", "Bytes", "count", "kinds_of"]

Bytes = npt.NDArray[np.uint8]

# The kind of a character outside of ASCII, where it has its first byte; a character of ASCII is a kind of its own. A
# character of several code points is of the kind of its letters or digits, if it has any.
LETTER, HAN, NUMBER, SPACE, PUNCTUATION, OTHER = range(0x80, 0x86)
JOINING = 0xFE  # a code point that may be part of the character before or after it
TAIL = 0xFF  # any byte of a character but its first

LOWER = np.uint8(0x20)  # the bit that makes an upper case letter of ASCII lower case


def count(text: str) -> int:
    """Return the number of characters that a reader sees in a text."""
    return len(_GRAPHEME.findall(text))


def kinds_of(data: Bytes, bounds: Offsets) -> tuple[Bytes, bool]:
    """Return the kinds of the characters of some cells.

    Parameters
    ----------
    data : ndarray of uint8, shape (n_bytes,)
        UTF-8. Other bytes get some kind too, and each cell begins with a character.
    bounds : ndarray of intp, shape (n_cells + 1,)
        Where each cell begins, and where the last one ends.

    Returns
    -------
    kinds : ndarray of uint8, shape (n_bytes,)
        For the first byte of each character what it is, for all others `TAIL`; `data` itself where each byte is one.
    joined : bool
        Whether a character may have several code points.
    """
    # A carriage return and a line feed behind it are one character.
    if not any((part == _RETURN).any() or part.max() >= LETTER for part in map(data.__getitem__, pieces(len(data)))):
        return data, False
    kinds = _kinds_of_code_points(data)
    starts, stops = bounds[:-1], bounds[1:]
    orphans = kinds.take(starts, mode="clip") == TAIL
    if orphans.any():
        kinds[starts[orphans & (starts < stops)]] = OTHER
    joining = np.flatnonzero((kinds == JOINING) | (kinds == _RETURN))
    for cell in sorted(set(np.searchsorted(stops, joining, side="right").tolist())):
        _cut(data, kinds, int(bounds[cell]), int(bounds[cell + 1]))
    return kinds, len(joining) > 0


def _kinds_of_code_points(data: Bytes) -> Bytes:
    kinds: Bytes = data | np.negative((data.view(np.int8) < np.int8(-0x40)).view(np.uint8))  # 0xFF for a tail
    # Two bytes tell most letters of Latin (U+00C0 to U+023F, but the signs of multiplication and division) and of Han
    # (U+4E00 to U+9FFF), in a third of the time that it takes to look them up.
    lead, second = data[:-1], data[1:]
    latin = lead - np.uint8(0xC3) < np.uint8(6)
    if latin.any():
        latin &= (lead != np.uint8(0xC3)) | (second | LOWER != np.uint8(0xB7))
        kinds[:-1] ^= (kinds[:-1] ^ np.uint8(LETTER)) & np.negative(latin.view(np.uint8))
    han = lead - np.uint8(0xE4) < np.uint8(6)
    if han.any():
        han &= (lead != np.uint8(0xE4)) | (second >= np.uint8(0xB8))
        kinds[:-1] ^= (kinds[:-1] ^ np.uint8(HAN)) & np.negative(han.view(np.uint8))
    rest = np.flatnonzero(kinds - np.uint8(OTHER + 1) < np.uint8(TAIL - OTHER - 1))
    leads = data[rest]
    for least, beyond, width in ((0xC0, 0xE0, 2), (0xE0, 0xF0, 3), (0xF0, 0xF8, 4)):
        heads = rest[(leads >= least) & (leads < beyond)]
        points = data[heads].astype(np.intp) - least
        for place in range(1, width):
            points <<= 6
            points |= data.take(heads + place, mode="clip") & np.uint8(0x3F)
        kinds[heads] = _table().take(points, mode="clip")
    return kinds


def _cut(data: Bytes, kinds: Bytes, start: int, stop: int) -> None:
    """Cut one cell by the rules of Unicode."""
    text = data[start:stop].tobytes().decode("utf-8", "surrogateescape")
    for grapheme in _GRAPHEME.findall(text):
        width = len(grapheme.encode("utf-8", "surrogateescape"))
        kinds[start] = ord(grapheme) if grapheme < "\x80" and width == 1 else _kind(grapheme)
        kinds[start + 1 : start + width] = TAIL
        start += width


def _kind(grapheme: str) -> int:
    """Return the kind of a character that is not one of ASCII."""
    for kind, pattern in _TELLING:
        if pattern.search(grapheme):
            return kind
    kind = int(_table()[min(ord(grapheme[0]), _TABLE)])
    return kind if len(grapheme) == 1 and kind != JOINING else OTHER


@functools.cache
def _table() -> Bytes:
    """Return the kind of each code point; the last entry stands for all beyond."""
    points = [point for point in range(_TABLE) if not 0xD800 <= point < 0xE000]  # noqa: PLR2004 - no surrogates
    text = "".join(map(chr, points))
    table = np.full(_TABLE + 1, OTHER, np.uint8)
    for kind, pattern in _PROPERTIES.items():
        for run in regex.finditer(f"(?:{pattern})+", text):
            table[points[run.start()] : points[run.end() - 1] + 1] = kind
    table[-1] = JOINING
    return table


# \X counts back to the start of a run of flags for each of them: taking the pairs first keeps a long run linear.
_GRAPHEME = regex.compile(r"\p{RI}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*|\X")

_RETURN = np.uint8(ord("\r"))

# Code points from here on are rare enough to be cut by the rules themselves.
_TABLE = 0x20000

_PROPERTIES = {
    PUNCTUATION: r"\p{P}",
    SPACE: r"\p{Zs}",
    NUMBER: r"\p{N}",
    LETTER: r"(?V1)[\p{L}--\p{Default_Ignorable_Code_Point}]",  # no invisible letters
    HAN: r"\p{Han}",
    JOINING: "|".join(
        rf"\p{{Grapheme_Cluster_Break={value}}}"
        for value in ("CR", "Extend", "ZWJ", "SpacingMark", "Prepend", "Regional_Indicator", "L", "V", "T")
    ),
}
_TELLING = [(kind, regex.compile(_PROPERTIES[kind])) for kind in (HAN, LETTER, NUMBER)]
