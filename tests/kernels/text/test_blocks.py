"""Blocks answer for all their cells at once what a loop would answer for each cell."""

import itertools

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.text import blocks as module
from modelpriv.kernels.text.blocks import WINDOW, TextBlock, blocks

CHARACTERS = st.one_of(
    st.sampled_from("ab1 -é陈𠮷\u00a0\u0301\u200d👩🇩🇪\r\n"), st.characters(exclude_categories=["Cs"])
)
CELLS = st.lists(st.text(CHARACTERS, max_size=12), min_size=1, max_size=6)


def block_of(cells):
    encoded = [cell.encode() for cell in cells]
    bounds = np.append(0, np.cumsum([len(cell) for cell in encoded])).astype(np.intp)
    return TextBlock(np.frombuffer(b"".join(encoded), np.uint8), bounds)


def graphemes(cells):
    return [character for cell in cells for character in regex.findall(r"\X", cell)]


@given(cells=CELLS, rows=st.integers(1, 4), size=st.integers(1, 30))
def test_blocks_hold_all_cells_in_order(cells, rows, size):
    """A column is cut between cells, into blocks of at most so many rows, and so many bytes but for a long cell."""
    whole = block_of(cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS", rows)
        patch.setattr(module, "_BYTES", size)
        made = list(blocks(whole.data, whole.bounds))
    assert [cell for block in made for cell in block.to_arrow().to_pylist()] == cells
    assert all(len(block) <= rows and (len(block.data) <= size or len(block) == 1) for block in made)


@given(cells=CELLS)
def test_content_is_letters_and_digits(cells):
    """What a mask hides are the characters with a letter or number that can be seen."""
    block = block_of(cells)
    seen = r"(?V1)[[\p{L}\p{N}\p{Han}]--\p{Default_Ignorable_Code_Point}]"
    expected = [bool(regex.search(seen, character)) for character in graphemes(cells)]
    assert block.content[block.heads].tolist() == expected


@pytest.mark.parametrize("few", [0, 100])
@given(cells=CELLS)
def test_totals_of_many_and_of_few_cells(few, cells):
    """The flags of each cell are counted, whether cell by cell or all at once."""
    block = block_of(cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", few)
        totals = block.totals(block.heads)
    assert totals.tolist() == [len(graphemes([cell])) for cell in cells]


@given(cells=CELLS, character=st.sampled_from("-aé陈𠮷\u00a0"))
def test_among_finds_the_character_alone(cells, character):
    """A character is found where it stands alone, not where a combining one makes another of it."""
    block = block_of(cells)
    assert block.among(character)[block.heads].tolist() == [found == character for found in graphemes(cells)]


@given(cells=CELLS, number=st.integers(0, 7), letters=st.booleans())
def test_chosen_characters_are_counted_from_both_ends(cells, number, letters):
    """The n-th and the last n of the chosen characters are found, in each cell by itself."""
    block = block_of(cells)
    chosen = block.choose(block.content if letters else block.heads)
    places = [[p for p in range(i, j) if chosen.flags[p]] for i, j in itertools.pairwise(block.bounds)]
    ends = list(zip(places, block.starts, block.stops, strict=True))
    assert chosen.count.tolist() == [len(found) for found in places]
    assert chosen.nth(number).tolist() == [found[number] if len(found) > number else stop for found, _, stop in ends]
    assert chosen.last(number).tolist() == [
        stop if number == 0 else found[-number] if len(found) >= number else start for found, start, stop in ends
    ]


@given(cells=CELLS, number=st.integers(0, 7))
def test_ends_are_counted_in_characters(cells, number):
    """The first and the last characters of each cell end and begin where so many have been counted."""
    block = block_of(cells)
    made = [regex.findall(r"\X", cell) for cell in cells]
    firsts = [len("".join(found[:number]).encode()) for found in made]
    lasts = [len("".join(found[max(len(found) - number, 0) :]).encode()) for found in made]
    assert (block.after(number) - block.starts).tolist() == firsts
    assert (block.stops - block.before(number)).tolist() == lasts


@pytest.mark.parametrize("cell", ["é陈x陈é" * 9, "é" + "\u0301" * 100_000 + "陈", "a" * 9])
def test_long_and_many_characters_are_counted(cell):
    """Many characters are counted, and one of a great many code points is, in time."""
    block = block_of([cell, ""])
    found = regex.findall(r"\X", cell)
    for number in (1, 2, 6):
        assert block.after(number)[0] == len("".join(found[:number]).encode())
        assert block.before(number)[0] == len(cell.encode()) - len("".join(found[-number:]).encode())


def test_sparse_characters_are_found_as_dense_ones():
    """Where chosen characters are far apart, they are listed instead of walked to, with the same result."""
    block = block_of(["a" * 100 + "-" + "b" * 100 + "-" * 200 + "c", "-" * 1000 + "a" + "-" * 9, "--" + "b" * 9 + "-"])
    chosen = block.choose(block.kinds == ord("-"))
    assert chosen.nth(1).tolist() == [201, 403, 1413]
    assert (chosen.last(2) + 2 - block.starts).tolist() == [401, 1010, 3]


@given(cells=CELLS, data=st.data())
def test_whole_and_entire_characters(cells, data):
    """Flags on first bytes are spread over their characters, and flags on parts of characters are dropped."""
    block = block_of(cells)
    characters = graphemes(cells)
    drawn = data.draw(st.lists(st.booleans(), min_size=len(characters), max_size=len(characters)))
    flags = np.zeros(len(block.data), np.bool_)
    flags[block.heads] = drawn
    widths = [len(character.encode()) for character in characters]
    expected = np.repeat(np.array(drawn, np.bool_), widths).tolist()
    assert block.whole(flags).tolist() == expected
    # A flag on each code point of a character but its last one.
    partly = [flag for c, flag in zip(characters, drawn, strict=True) for p in c for flag in [flag] * len(p.encode())]
    ends = np.cumsum(widths)
    points = [len(character[-1].encode()) for character in characters]
    some = np.array(partly, np.bool_)
    for end, width, character in zip(ends, points, characters, strict=True):
        some[end - width : end] &= len(character) == 1
    kept = [flag and len(c) == 1 for c, flag in zip(characters, drawn, strict=True)]
    assert block.entirely(some).tolist() == np.repeat(np.array(kept, np.bool_), widths).tolist()


@given(cells=st.lists(st.text(CHARACTERS, max_size=40), min_size=1, max_size=6))
def test_flags_of_a_cell_are_the_bits_of_a_number(cells):
    """The lowest bit is the flag of a cell's first byte, and none of them is another cell's."""
    block = block_of(cells)
    cut = [block.heads[i:j][:WINDOW] for i, j in itertools.pairwise(block.bounds)]
    assert block.bits(block.heads).tolist() == [sum(int(flag) << n for n, flag in enumerate(flags)) for flags in cut]
    assert block.window.tolist() == [2 ** len(flags) - 1 for flags in cut]


@given(cells=CELLS, data=st.data())
def test_cells_can_end_earlier(cells, data):
    """A block of the same cells up to some character each is what a block made of these would be."""
    block = block_of(cells)
    made = [regex.findall(r"\X", cell) for cell in cells]
    short = ["".join(found[: data.draw(st.integers(0, len(found)))]) for found in made]
    cut = block.until(block.starts + np.array([len(cell.encode()) for cell in short], np.intp))
    assert cut.to_arrow().to_pylist() == short
    assert cut.kinds.tobytes() == b"".join(
        block.kinds[start : start + len(cell.encode())].tobytes()
        for start, cell in zip(block.starts, short, strict=True)
    )
    assert cut.is_ascii == block.is_ascii


@given(cells=CELLS, data=st.data())
def test_picked_cells_are_a_block_of_their_own(cells, data):
    """A block of some of the cells is what a block made of them would be, and the bytes taken are theirs."""
    block = block_of(cells)
    taken = np.array(data.draw(st.lists(st.booleans(), min_size=len(cells), max_size=len(cells))), np.bool_)
    picked, bytes_taken = block.pick(taken)
    assert picked.to_arrow().to_pylist() == [cell for cell, flag in zip(cells, taken, strict=True) if flag]
    assert block.data[bytes_taken].tobytes() == picked.data.tobytes()
    assert block.kinds[bytes_taken].tobytes() == picked.kinds.tobytes()
    assert picked.is_ascii == block.is_ascii
