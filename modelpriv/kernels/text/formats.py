"""The formats that a mask knows by name: for each a rule that says which cells are of it, and what stays of them.

Nothing stays of a cell that is not plainly of its format. Check digits are not looked at: a number with a slip of the
pen tells as much as the right one, and is masked like it.
"""

# ruff: noqa: PLR2004 - the numbers are those of the formats: so many digits, so many groups

from __future__ import annotations

import string
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from modelpriv.kernels.text.codes import begins_like, code, is_between
from modelpriv.kernels.text.graphemes import HAN, LETTER, NUMBER, PUNCTUATION, SPACE, TAIL
from modelpriv.kernels.text.ip import ip
from modelpriv.kernels.text.mask import Rule, Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelpriv.kernels.text.blocks import TextBlock
    from modelpriv.kernels.text.flags import Flags, Offsets
    from modelpriv.kernels.text.graphemes import Bytes

__all__ = ["FORMATS"]

# --- e-mail addresses and names ---------------------------------------------------------------------------------------


def _email(block: TextBlock) -> Shown:
    """Let the first character and the domain stay, which has labels of letters, digits and hyphens."""
    classes = block.classes(_EMAIL)
    sign, dot = block.kinds == ord("@"), block.kinds == ord(".")
    stray = (classes & _IN_DOMAIN) == 0
    stray[1:] |= (dot | sign)[:-1] & ((classes & _IS_WORD) == 0)[1:]  # a label begins with a letter or digit
    signs = block.choose(sign)
    at = signs.nth(0)
    second = np.minimum(block.after(1), at)
    fits = (signs.count == 1) & ~block.has((classes & _IN_LOCAL) == 0)
    fits &= (classes.take(block.stops - 1) & _ENDS_TOP) > 0
    fits &= block.counts(stray).between(at, block.stops) == 1  # the sign itself
    fits &= block.counts(dot).between(at, block.stops) > 0
    # What is masked begins or ends with a letter or digit.
    fits &= (second < at) & (((classes.take(second, mode="clip") | classes.take(at - 1)) & _IS_WORD) > 0)
    return Shown(block.cover((block.starts[fits], second[fits]), (at[fits], block.stops[fits])))


def _name(block: TextBlock) -> Shown:
    """Let the spaces and the first character of each word stay; words are letters, hyphens, dots and the like."""
    classes = block.classes(_NAME)
    space = block.whole((classes & _IS_SPACE) > 0)
    first = block.heads & ~space if not block.is_ascii else ~space
    first[1:] &= space[:-1] | block.begins[1:]
    flags = space | block.whole(first)
    hidden = block.totals(((classes & _IS_LETTER) > 0) & ~flags)
    return Shown(block.without(flags, block.has((classes & _IN_NAME) == 0) | (hidden == 0)))


def _cn_name(block: TextBlock) -> Shown:
    """Let the surname of a name of 2 to 6 Han characters stay, also a compound one; of 2 characters the first."""
    characters = block.choose(block.kinds == HAN)
    second, third = characters.nth(1), characters.nth(2)
    long = np.flatnonzero((characters.count > 2) & (third - block.starts == _COMPOUND_BYTES))
    # The eight bytes that begin at each byte, as numbers.
    spelt = np.ndarray((len(block.data),), "<u8", np.pad(block.data, (0, 7)).data, strides=(1,))
    words = spelt[block.starts[long]] & np.uint64(2 ** (8 * _COMPOUND_BYTES) - 1)
    compound = long[_COMPOUND.take(np.searchsorted(_COMPOUND, words), mode="clip") == words]
    second[compound] = third[compound]
    fits = (characters.count >= 2) & (characters.count <= 6) & ~block.has(block.heads & ~characters.flags)
    return Shown(block.cover((block.starts[fits], second[fits])))


# --- postcodes --------------------------------------------------------------------------------------------------------


def _postcode(block: TextBlock) -> Shown:
    """Let the first 3 of 5 to 10 letters and digits stay, and the first 2 of 4."""
    flags = _LONG_POSTCODE(block).flags
    rest, taken = block.pick(~block.has(flags))
    if len(rest.data):
        flags = flags.copy()
        flags[taken] = _SHORT_POSTCODE(rest).flags
    return Shown(flags)


_LONG_POSTCODE, _SHORT_POSTCODE = code(5, 10, first=3, letters=True), code(4, 4, first=2, letters=True)


# --- dates ------------------------------------------------------------------------------------------------------------


def _date(block: TextBlock) -> Shown:
    """Let the separators and the year stay: of ISO dates, and for the rest of the cells of others."""
    flags, fits = _iso_date(block)
    if not fits.all():
        rest, taken = block.pick(~fits)
        if len(rest.data):
            flags[taken] = _compact_date(rest) | _other_date(rest)
    return Shown(flags)


def _compact_date(block: TextBlock) -> Flags:
    """Find dates such as 19870314 of the years 1000 to 2999."""
    year, month, month_ones, day, day_ones = (block.at(block.starts + place) for place in (0, 4, 5, 6, 7))
    fits = (block.stops - block.starts == 8) & ~block.has(~block.digits) & (year - np.uint8(ord("1")) < np.uint8(2))
    fits &= is_between(month, month_ones, 1, 12) & is_between(day, day_ones, 1, 31)
    return block.ends(4, 0, fits)


def _iso_date(block: TextBlock) -> tuple[Flags, Flags]:
    """Find dates such as 1987-03-14 of the years 1000 to 2999, by a look at each byte."""
    size = max(len(block.data) - 9, 0)
    year, month, month_ones, day, day_ones = (block.kinds[place : place + size] for place in (0, 5, 6, 8, 9))
    valid = year - np.uint8(ord("1")) < np.uint8(2)
    valid &= is_between(month, month_ones, 1, 12) & is_between(day, day_ones, 1, 31)
    fits = (block.stops - block.starts == 10) & begins_like(block, _ISO_DATE, block.digits, valid)
    return block.without(block.kinds == ord("-"), ~fits) | block.ends(4, 0, fits), fits


def _other_date(block: TextBlock) -> Flags:
    """Find dates with the year first or last, `-`, `/` or `.` between the parts, and maybe a time behind."""
    mark, blank = block.among("-/."), block.among(" T")
    marks, blanks = block.choose(mark), block.choose(blank)
    stop = blanks.nth(0)
    one, two = marks.nth(0), marks.nth(1)
    widths = (one - block.starts, two - one - 1, stop - two - 1)
    numbers = (_number(block, one, widths[0]), _number(block, two, widths[1]), _number(block, stop, widths[2]))
    short = [(width == 1) | (width == 2) for width in widths]
    ahead = (widths[0] == 4) & short[1] & short[2]
    behind = (widths[2] == 4) & short[0] & short[1]
    year = np.where(ahead, block.starts, two + 1)
    month, day = numbers[1], np.where(ahead, numbers[2], numbers[0])
    low, high = np.minimum(month, day), np.maximum(month, day)
    fits = (marks.count >= 2) & (ahead | behind) & (block.at(one) == block.at(two))
    fits &= (low >= 1) & (high <= 31) & (np.where(ahead, month, low) <= 12)
    fits &= (block.at(year) - np.uint8(ord("1"))) < np.uint8(2)
    fits &= block.counts(~(block.digits | mark)).between(block.starts, stop) == 0
    fits &= block.counts(mark).between(block.starts, stop) == 2
    kept = mark | block.among(" :+")
    fits &= ~block.has(~(block.digits | blank | kept | block.among("Z")))
    return block.without(kept, ~fits) | block.cover((year[fits], year[fits] + 4))


def _number(block: TextBlock, stops: Offsets, widths: Offsets) -> Bytes:
    """Return the numbers of one or two ASCII digits that end at some bytes."""
    tens = np.where(widths == 2, block.at(stops - 2) - np.uint8(ord("0")), np.uint8(0))
    return tens * np.uint8(10) + (block.at(stops - 1) - np.uint8(ord("0")))


_ISO_DATE = b"\0\0\0\0-\0\0-\0\0"


def _classes(members: Mapping[int, str]) -> bytes:
    """Return a table of the bits of each kind of character, from the kinds that have each bit."""
    return bytes(sum(bit for bit, kinds in members.items() if chr(kind) in kinds) for kind in range(256))


_LETTERS = string.ascii_letters + chr(LETTER) + chr(HAN)
_WORDS = _LETTERS + string.digits + chr(NUMBER) + chr(TAIL)
_SPACES = " \t" + chr(SPACE)

_IN_DOMAIN, _IN_LOCAL, _IS_WORD, _ENDS_TOP = 1, 2, 4, 8
_EMAIL = _classes(
    {
        _IN_DOMAIN: _WORDS + "-.",
        _IN_LOCAL: _WORDS + "!#$%&'*+-/=?^_`{|}~.@",  # RFC 5322, atext
        _IS_WORD: _WORDS,
        _ENDS_TOP: _LETTERS + chr(TAIL),
    }
)
_IN_NAME, _IS_LETTER, _IS_SPACE = 1, 2, 4
_NAME = _classes(
    {_IN_NAME: _LETTERS + _SPACES + "-'.,()" + chr(PUNCTUATION) + chr(TAIL), _IS_LETTER: _LETTERS, _IS_SPACE: _SPACES}
)

# Surnames of two characters, simplified and traditional, as the numbers that their six bytes spell.
_SURNAMES = (
    "欧阳歐陽司马司馬上官诸葛諸葛东方東方皇甫尉迟尉遲公孙公孫慕容令狐宇文长孙長孫司徒司空司寇夏侯轩辕軒轅"
    "端木百里呼延东郭東郭南宫南宮南门南門西门西門独孤獨孤闻人聞人赫连赫連澹台澹臺宗政濮阳濮陽公冶太叔太史"
    "申屠仲孙仲孫钟离鍾離鲜于鮮于闾丘閭丘亓官巫马巫馬公西公羊颛孙顓孫壤驷壤駟公良漆雕乐正樂正宰父谷梁穀梁"
    "拓跋夹谷夾谷段干羊舌微生梁丘左丘第五东里東里即墨达奚達奚万俟子车子車纳兰納蘭完颜完顏"
)
_COMPOUND_BYTES = 6
_COMPOUND = np.array(
    sorted(int.from_bytes(_SURNAMES[i : i + 2].encode(), "little") for i in range(0, len(_SURNAMES), 2)), np.uint64
)

FORMATS: Mapping[str, Rule] = MappingProxyType(
    {
        "phone": code(7, 15, last=4, separators=" -.()+/"),
        "email": _email,
        "card": code(12, 19, first=6, last=4),
        "iban": code(15, 34, first=2, last=4, letters=True, begins="aa99"),
        "ssn": code(9, 9, last=4),
        "name": _name,
        "ip": ip,
        "date": _date,
        "postcode": _postcode,
        "cn_phone": code(11, 11, first=3, last=4, begins="1"),
        "cn_id": code(18, 18, first=6, last=4, separators="", check="x"),
        "cn_name": _cn_name,
    }
)
