"""Codes with separators: layouts, and what begins like one."""

import numpy as np
import pyarrow as pa
import pytest

from modelpriv.kernels.text.blocks import TextBlock
from modelpriv.kernels.text.codes import begins_like, code
from modelpriv.kernels.text.mask import mask


def block_of(*cells):
    bounds = np.append(0, np.cumsum([len(cell) for cell in cells])).astype(np.intp)
    return TextBlock(np.frombuffer("".join(cells).encode(), np.uint8), bounds)


def test_layouts_are_found_where_cells_begin():
    """A cell begins like a layout if each of its characters is allowed where it may be, and itself elsewhere."""
    block = block_of("12-3", "12-", "123-", "x12-3", "12-34", "1a-3", "")
    # The last cells but one would have to borrow from their neighbours, which the caller excludes by their lengths.
    assert begins_like(block, b"\0\0-\0", block.digits)[[0, 2, 3, 4, 5]].tolist() == [True, False, False, True, False]


def test_a_layout_longer_than_all_cells_is_not_found():
    """Where there are fewer bytes than the layout has, no cell begins like it."""
    assert begins_like(block_of("12", "3"), b"\0\0\0\0", np.ones(3, np.bool_)).tolist() == [False, False]


@pytest.mark.parametrize("usual", ["12-34-56", "123456", "1 2 3 4 5 6"])
@pytest.mark.parametrize(
    "other", ["", "x", "12-34-5", "12-34-567", "123-4-56", "12-34-5x", "12-34-56 ", "1\x002-3456", "é"]
)
def test_a_usual_layout_makes_no_difference(usual, other):
    """A cell in a column of another layout is masked as it is alone, wherever it stands."""
    rule = code(6, 7, first=1, last=2)
    alone = {cell: mask(pa.array([cell]), rule)[0].as_py() for cell in (usual, other)}
    for place in range(8):
        cells = [usual] * 8
        cells[place] = other
        assert mask(pa.array(cells), rule).to_pylist() == [alone[cell] for cell in cells]


def test_nul_is_no_digit():
    """A NUL, which stands for a digit where layouts are compared, does not pass for one."""
    cells = ["12345\0", "123456", "12345\0", "12345\0"]
    assert mask(pa.array(cells), code(5, 7, last=2)).to_pylist() == ["******", "****56", "******", "******"]
