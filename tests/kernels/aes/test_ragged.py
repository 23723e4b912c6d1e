"""Columns of cells that are gathered into matrices and scattered back: nothing is lost, moved or read from beside."""

from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.aes import ragged
from modelpriv.kernels.aes.ragged import Cells, Order, Output, walk

TYPES = [pa.binary(), pa.large_binary()]


def copied(array, lead=0):
    """The column, through matrices whose cells have `lead` bytes before them, and garbage all around."""
    cells = Cells.of(array)
    output = Output(cells, cells.lengths, text=False)

    def work(_, batch, stop):
        width = lead + max(1, int(batch.lengths.max())) + 5
        matrix = cells.matrix(batch, width, lead)
        outside = (np.arange(width) < lead) | (np.arange(width) >= lead + batch.lengths[:, None])
        matrix[outside] = 0xEE
        output.scatter(batch, matrix, lead, stop)

    walk(cells, lambda: None, work)
    return output.finish()


@pytest.mark.parametrize("lead", [0, 1, 16])
@pytest.mark.parametrize("type_", TYPES, ids=str)
@given(
    cells=st.lists(st.none() | st.binary(max_size=40), max_size=60),
    long=st.lists(st.integers(100, 5000), max_size=4),
    start=st.integers(0, 20),
)
def test_gathered_and_scattered(type_, lead, cells, long, start):
    """Whatever stands around cells in a matrix, the column that is made of it has the cells alone."""
    random = Random(start)
    for length in long:
        cells.insert(random.randint(0, len(cells)), random.randbytes(length))
    array = pa.array(cells, type_)[start:]
    result = copied(array, lead)
    result.validate(full=True)
    assert result.equals(array)


def test_long_columns():
    """Cells of all lengths keep their places over the seams of spans and threads."""
    random = Random(5)
    cells = [None if random.random() < 0.1 else random.randbytes(random.randint(0, 20)) for _ in range(70_000)]
    for row in range(0, len(cells), 5003):
        cells[row] = random.randbytes(random.randint(100, 20_000))
    array = pa.array(cells, pa.binary())
    assert copied(array).equals(array)


@pytest.mark.parametrize("length", [1, 100, 200, 5000])
def test_batches_hold_every_cell_once(length):
    """Each row that is not null is in one batch, with its length, and no batch is larger than it may be."""
    random = Random(length)
    array = pa.array([None if row % 7 == 0 else bytes(random.randint(0, length)) for row in range(3000)])
    cells = Cells.of(array)
    batches = list(cells.batches(slice(10, 2900)))
    rows = np.concatenate([batch.rows for batch in batches])
    assert sorted(rows) == [row for row in range(10, 2900) if row % 7]
    for batch in batches:
        assert (batch.lengths == cells.lengths(batch.rows)).all()
        assert (np.arange(10, 2900)[batch.places] == batch.rows).all()
        assert len(batch.lengths) * int(batch.lengths.max()) <= max(ragged.BATCH_BYTES, length)


@pytest.mark.parametrize(
    ("places", "firsts"),
    [(slice(None), [0, 0, 4, 4]), (np.array([3, 0, 1, 2]), [0, 2, 4, 4]), (np.array([2, 0]), [0, 1, 2, 2])],
    ids=["all alike", "sorted", "some"],
)
def test_blocks_lie_together(places, firsts):
    """CipherBlocks are loaded by position, from the cells that have one there, and stored where they were."""
    matrix = np.random.default_rng(0).integers(0, 256, (4, 3 + 16 * 2 + 4), np.uint8)
    order = Order(places, firsts, np.zeros(firsts[-1], np.intp))
    cells = order.load(matrix, 3)
    assert [len(blocks) for blocks in cells] == [firsts[-1] - first for first in firsts[:-2]]
    stored = np.full_like(matrix, 0xEE)
    order.store(stored, 3, cells)
    for position, first in enumerate(firsts[:-2]):
        columns = slice(3 + 16 * position, 19 + 16 * position)
        rows = np.arange(4)[places][first:]
        assert np.array_equal(cells[position].view(np.uint8), matrix[rows, columns])
        assert np.array_equal(stored[rows, columns], matrix[rows, columns])
        assert not stored[np.setdiff1d(np.arange(4), rows), columns].any()
    assert (stored[:, :3] == 0xEE).all()
    assert (stored[:, 35:] == 0xEE).all()


def test_loading_copies():
    """What is loaded is a copy, also where the matrix happens to have its form."""
    matrix = np.zeros((1, 16), np.uint8)
    for blocks in Order(slice(None), [0, 1, 1], np.zeros(1, np.intp)).load(matrix, 0):
        blocks[...] = 1
    assert not matrix.any()


def test_an_error_in_a_thread_is_raised():
    """What goes wrong in one half of a long column is not lost."""
    cells = Cells.of(pa.array([b"cell"] * 70_000))

    def work(_, batch, stop):
        if stop == len(cells):
            raise ValueError("in the second half")

    with pytest.raises(ValueError, match="in the second half"):
        walk(cells, lambda: None, work)


def test_cells_are_not_shown():
    """The repr of a column holds no byte of it: errors with local variables are logged."""
    assert "data" not in repr(Cells.of(pa.array(["cAnArY"])))
