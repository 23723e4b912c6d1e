"""Masks over columns: what stays by position and by pattern, counted in characters, and what never stays."""

import numpy as np
import pyarrow as pa
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.errors import ParameterError
from modelpriv.kernels.text import blocks
from modelpriv.kernels.text.mask import by_position, by_regex, mask

FAMILY = "👨‍👩‍👧"
TEXT = st.text(
    st.one_of(st.sampled_from("ab1 -.é陈\u0301\u200d👩🇩🇪\r\n𠮷"), st.characters(exclude_categories=["Cs"])), max_size=20
)
CELLS = st.lists(st.one_of(st.none(), TEXT, st.text("abc123 -", max_size=200)), max_size=10)
SEEN = regex.compile(r"(?V1)[[\p{L}\p{N}\p{Han}]--\p{Default_Ignorable_Code_Point}]")
TYPES = pytest.mark.parametrize("type_", [pa.string(), pa.large_string()], ids=str)


def masked(rule, *cells, **options):
    return mask(pa.array(cells, pa.string()), rule, **options).to_pylist()


def one_cell(cell, shown, kept=(), char="*", length=None):
    """Mask one cell by a function that gives the places which stay, and those that stay without being counted."""
    if cell is None:
        return None
    graphemes = regex.findall(r"\X", cell)
    kept = {i for i, grapheme in enumerate(graphemes) if grapheme in kept}
    shown = shown([i for i in range(len(graphemes)) if i not in kept], graphemes) - kept
    content = {i for i, grapheme in enumerate(graphemes) if SEEN.search(grapheme)} - kept
    stays = shown | kept if len(content - shown) >= max(len(content & shown), 1) else set()
    marked = [grapheme if i in stays else None for i, grapheme in enumerate(graphemes)]
    if length is None:
        return "".join(char if grapheme is None else grapheme for grapheme in marked)
    if not marked:
        return char * length
    firsts = [g is None and (i == 0 or marked[i - 1] is not None) for i, g in enumerate(marked)]
    return "".join(g if g is not None else char * length * first for g, first in zip(marked, firsts, strict=True))


@given(
    cells=CELLS,
    ends=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    keep=st.sampled_from(["", " -", "-é陈", "ab1"]),
    options=st.fixed_dictionaries({"char": st.sampled_from("*•"), "length": st.sampled_from([None, None, 1, 3])}),
)
def test_positions_are_those_of_characters(cells, ends, keep, options):
    """A column is masked as each of its cells would be, character by character."""
    first, last = ends

    def shown(places, _):
        return {*places[:first], *places[max(len(places) - last, 0) :]}

    expected = [one_cell(cell, shown, keep, **options) for cell in cells]
    assert masked(by_position(first, last, keep), *cells, **options) == expected


@given(
    cells=CELLS,
    pattern=st.sampled_from(
        [r"(?P<a>[ab]+)", r"^(?P<a>.).*?(?P<b>\d)", r"(?P<a>a(?P<b>.)|-)", r"(?P<a>.)(?P<b>b)?$", r"(?P<a>a*)"]
    ),
)
def test_groups_of_the_first_match_stay(cells, pattern):
    """The named groups of the first match stay, where they hold whole characters, and nothing else does."""

    def shown(_, graphemes):
        found = regex.search(
            f"(?s:{pattern})" if pattern.endswith("$") else pattern.replace(".", "[^\n]"), "".join(graphemes)
        )
        spans = [found.span(group) for group in found.groupdict()] if found else []
        ends = np.cumsum([0, *map(len, graphemes)])
        return {
            i for i in range(len(graphemes)) if any(ends[i] >= start and ends[i + 1] <= stop for start, stop in spans)
        }

    if pattern.endswith("$"):
        cells = [cell and cell.replace("\n", "") for cell in cells]
    assert masked(by_regex(pattern), *cells) == [one_cell(cell, shown) for cell in cells]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (f"{FAMILY}abc{FAMILY}", f"****{FAMILY}"),
        ("Zoe\u0308 e\u0301", "****e\u0301"),
        ("김민준", "**준"),
        ("\u1100\u1161\u11a8ab", "**b"),
        ("ab🇩🇪", "**🇩🇪"),
        ("محمد", "***د"),
        ("a\u200bb", "**b"),
    ],
)
def test_characters_are_not_split(cell, expected):
    """A family, an accent, a syllable and a flag are one character each: kept whole, or masked by one mark."""
    assert masked(by_position(keep_last=1), cell) == [expected]


@pytest.mark.parametrize(
    "cell", ["0132", "132", "1", "-", "----", "  ", "12-34-5", "😀😀😀😀😀", "\u200b\u200b\u200b", "ab é"]
)
def test_what_is_too_short_to_hide_is_masked_whole(cell):
    """Where four characters would be all or more than half of what can be read, none of them stays."""
    assert masked(by_position(keep_last=4), cell) == ["*" * len(cell)]


def test_half_of_a_cell_may_stay():
    """Half of the letters and digits may stay, one more may not."""
    assert masked(by_position(2, 2), "12345678", "1234567", "1-2345678", "12-34567") == [
        "12****78",
        "*" * 7,
        "1-*****78",
        "*" * 8,
    ]


def test_kept_characters_are_not_counted():
    """Characters that stay anyway are counted neither among the last ones nor for the rule of the half."""
    rule = by_position(keep_last=4, keep="-")
    assert masked(rule, "123-45-6-789", "------1234", "1234-5678", "----") == [
        "***-**-6-789",
        "*" * 10,
        "****-5678",
        "****",
    ]


@pytest.mark.parametrize("cell", ["---", "12-34", "1", "é", "陈-"])
def test_a_cell_of_kept_characters_is_masked_whole(cell):
    """A cell in which every letter and digit may stay does not stay."""
    assert masked(by_position(keep="-1234é陈"), cell) == ["*" * len(cell)]


def test_zero_width_letters_do_not_count():
    """Letters that nobody sees do not make room for others to be shown."""
    assert masked(by_position(keep_last=4), "\u3164" * 4 + "1234") == ["*" * 8]


def test_nulls_stay_null_and_leave_no_bytes():
    """A null stays null, and what its slot holds beneath is not in the result, whole or in part."""
    buffers = [None, pa.py_buffer(np.array([0, 6, 12], np.int32)), pa.py_buffer(b"secretpublic")]
    buffers[0] = pa.py_buffer(bytes([0b10]))
    result = mask(pa.Array.from_buffers(pa.string(), 2, buffers), by_position(keep_last=3))
    assert result.to_pylist() == [None, "***lic"]
    assert b"ret" not in result.buffers()[2].to_pybytes()


@TYPES
def test_slices_are_masked_alone(type_):
    """A slice of a column is masked like its own cells, and the result holds nothing of the rest."""
    column = pa.array(["secret-1", "12345678", None, "87654321", "secret-2"], type_)
    result = mask(column.slice(1, 3), by_position(keep_last=4))
    assert result.to_pylist() == ["****5678", None, "****4321"]
    assert result.type == type_
    assert b"et-2" not in b"".join(buffer.to_pybytes() for buffer in result.buffers() if buffer)
    result.validate(full=True)


@TYPES
@pytest.mark.parametrize("options", [{}, {"char": "•"}, {"length": 2}, {"char": FAMILY, "length": 2}], ids=str)
@pytest.mark.parametrize("cells", [[], [None], ["", ""], ["", None, "abcdef", ""], ["陈é", "", None]], ids=str)
def test_any_column_gives_valid_text(type_, options, cells):
    """Empty columns, nulls, empty cells and wide marks give text of the type that came, and as many cells."""
    result = mask(pa.array(cells, type_), by_position(keep_last=1), **options)
    result.validate(full=True)
    assert (result.type, len(result)) == (type_, len(cells))
    assert [cell is None for cell in result.to_pylist()] == [cell is None for cell in cells]


def test_empty_cells_take_the_fixed_length():
    """With a length, an empty cell cannot be told from one that is masked whole."""
    assert masked(by_position(), "", "abc", None, length=5) == ["*****", "*****", None]


@given(cells=CELLS)
def test_blocks_make_no_difference(cells):
    """A column that takes many blocks, some of them of one kind of text and some of another, is masked the same."""
    rule = by_position(1, 1, "-")
    whole = masked(rule, *cells, char="•")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_ROWS", 2)
        patch.setattr(blocks, "_BYTES", 10)
        assert masked(rule, *cells, char="•") == whole
        assert masked(rule, *cells) == [cell and cell.replace("•", "*") for cell in whole]


def test_blocks_of_equal_and_unequal_lengths(monkeypatch):
    """Cells behind others that became shorter end where they should."""
    monkeypatch.setattr(blocks, "_ROWS", 2)
    cells = ["abcd", "efgh", "陈é陈é", "ab", "abcdef", "gh"]
    assert masked(by_position(keep_first=1), *cells) == ["a***", "e***", "陈***", "a*", "a*****", "g*"]


def test_what_came_is_not_changed():
    """The column that came in is the same afterwards."""
    column = pa.array(["12345678", None, "abc"])
    before = [buffer.to_pybytes() for buffer in column.buffers() if buffer]
    mask(column, by_position(keep_last=4))
    assert [buffer.to_pybytes() for buffer in column.buffers() if buffer] == before


@pytest.mark.parametrize(
    "pattern",
    [r"(?=a)b", r"(?P<a>x)\1", "abc", "(a)", "(?P<a>a)(b)", "(?P<a>", "*", "(?P<a>x{1001})", r"(?<!a)(?P<b>b)"],
)
def test_patterns_that_re2_does_not_know_are_refused(pattern):
    """Lookaround, backreferences, unnamed or missing groups and broken patterns are refused before a cell is seen."""
    with pytest.raises(ParameterError, match="RE2"):
        by_regex(pattern)


def test_a_pattern_without_a_match_shows_nothing():
    """A cell in which nothing matches, or the groups take no part in the match, is masked whole."""
    assert masked(by_regex("(?P<a>x)?yy|(?P<b>zz)z+y"), "abc", "yyzz", "", "xyyab") == ["***", "****", "", "x****"]


def test_a_group_does_not_split_a_character():
    """A group that ends within a character, before its accent, shows nothing of it."""
    assert masked(by_regex("^(?P<a>e)"), "e\u0301tude") == ["*****"]


@pytest.mark.parametrize("cell", ["x" * 700_000, "陈" * 300_000, "x\r\n" * 30_000], ids=["ascii", "han", "joined"])
def test_long_cells_are_masked_like_short_ones(cell):
    """A cell that is longer than a block is masked as its rule says, from one end to the other."""
    found = regex.findall(r"\X", cell)
    hidden = "*" * (len(found) - 2)
    assert masked(by_position(1, 1), "ab", cell, "abcd") == ["**", found[0] + hidden + found[-1], "a**d"]
    assert masked(by_regex(f"^(?P<a>{found[0]})"), cell) == [found[0] + hidden + "*"]


@pytest.mark.parametrize(
    "pattern", [r"(?P<a>x)(?:x+x+)+y", r"^(?P<a>x)(?:x*)*$|(?P<b>z)", r"(?P<a>(?:x|x?)+)z", r"(?P<a>x)(?:.*){9}="]
)
def test_hostile_patterns_take_no_time(pattern):
    """Patterns on which a backtracking engine never ends are through with a long cell at once."""
    cell = "x" * 20_000
    assert masked(by_regex(pattern), cell)[0].strip("*") in {"", "x"}
