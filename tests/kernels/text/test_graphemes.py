"""Characters are what Unicode says they are: graphemes of its annex 29, of a kind by their properties."""

# ruff: noqa: RUF001 - signs that only look like those of ASCII are what is tested

import itertools

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.text.graphemes import HAN, LETTER, NUMBER, OTHER, PUNCTUATION, SPACE, TAIL, count, kinds_of

# What joins its neighbours, in one way or another, among what does not.
JOINING = "\u0301\u200d\ufe0f🇩🇪🇫👍👩🏽\u0600\u1100\u1161\u11a8각क\u0e33\u115f\u3164\U000e0101"
CHARACTERS = st.one_of(
    st.sampled_from(JOINING + "\r\n aZ0-é×陈𠮷\u00a0\u3000"), st.characters(exclude_categories=["Cs"])
)
CELLS = st.lists(st.text(CHARACTERS), min_size=1, max_size=6)


def cells_of(cells):
    """The bytes of some cells and where each begins and the last ends."""
    encoded = [cell if isinstance(cell, bytes) else cell.encode() for cell in cells]
    bounds = np.append(0, np.cumsum([len(cell) for cell in encoded])).astype(np.intp)
    return np.frombuffer(b"".join(encoded), np.uint8), bounds


def cut(*cells):
    """The characters of each cell, as they are told apart."""
    data, bounds = cells_of(cells)
    kinds, _ = kinds_of(data, bounds)
    found = []
    for start, stop in itertools.pairwise(bounds):
        heads = np.append(np.flatnonzero(kinds[start:stop] != TAIL) + start, stop)
        found.append([data[i:j].tobytes().decode() for i, j in itertools.pairwise(heads)])
    return found


@given(cells=CELLS)
def test_characters_are_graphemes(cells):
    """Each cell is cut where Unicode's annex 29 cuts it, whatever stands in the cells around it."""
    assert cut(*cells) == [regex.findall(r"\X", cell) for cell in cells]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("👨‍👩‍👧‍👦", 1),
        ("e\u0301", 1),
        ("각", 1),
        ("\u1100\u1161\u11a8", 1),
        ("🇩🇪🇫🇷", 2),
        ("🇩🇪🇫", 2),
        ("\r\n", 1),
        ("\n\r", 2),
        ("👍🏽", 1),
        ("1️⃣", 1),
    ],
)
def test_what_a_reader_takes_for_one(cell, expected):
    """Families, accents, syllables and flags are one character each."""
    assert len(cut(cell)[0]) == count(cell) == expected


def expected_kind(character):
    for kind, pattern in (
        (OTHER, r"\p{Default_Ignorable_Code_Point}"),
        (HAN, r"\p{Han}"),
        (LETTER, r"\p{L}"),
        (NUMBER, r"\p{N}"),
        (SPACE, r"\p{Zs}"),
        (PUNCTUATION, r"\p{P}"),
    ):
        if regex.match(pattern, character):
            return kind
    return OTHER


def test_kinds_are_those_of_unicode():
    """Each code point beyond ASCII, alone in its cell, is of the kind that its properties say."""
    points = [p for p in (*range(0x80, 0x20000), *range(0x20000, 0x110000, 997)) if not 0xD800 <= p < 0xE000]
    data, bounds = cells_of(map(chr, points))
    kinds, _ = kinds_of(data, bounds)
    assert not [hex(p) for p, kind in zip(points, kinds[bounds[:-1]], strict=True) if kind != expected_kind(chr(p))]


def test_ascii_characters_are_themselves():
    """A byte of ASCII is its own kind, also beside others."""
    data, bounds = cells_of([bytes(range(128)), "é"])
    assert bytes(kinds_of(data, bounds)[0]) == bytes([*range(128), LETTER, TAIL])
    ascii_alone, bounds = cells_of(["abc"])
    assert kinds_of(ascii_alone, bounds)[0] is ascii_alone


def test_flags_take_linear_time():
    """A cell of many flags is cut in pairs, without a look back at all of them for each."""
    assert count("🇩🇪" * 100_000) == 100_000


@given(junk=st.lists(st.binary(max_size=12), min_size=1, max_size=5))
def test_bytes_that_are_no_text_are_cut_somehow(junk):
    """Bytes that are not UTF-8 raise nothing, and each cell that has any begins with a character."""
    data, bounds = cells_of(junk)
    kinds, _ = kinds_of(data, bounds)
    assert all(kinds[start] != TAIL for start, stop in itertools.pairwise(bounds) if start < stop)
