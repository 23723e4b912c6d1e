"""ZIP codes by their first three digits: the rule of HIPAA's Safe Harbor, and codes as tables hold them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.coarse import zip3

CODES = st.lists(st.one_of(st.integers(0, 99_999).map("{:05}".format), st.text(max_size=10)), min_size=1)


@pytest.mark.parametrize(("table", "size"), [("census-2000", 17), ("census-2010", 14), ("census-2020", 18)])
def test_the_tables_are_as_long_as_their_sources_say(table, size):
    """Each census has its published number of sparse areas, each of them once, and all become 000."""
    prefixes = zip3.SPARSE[table].split()
    assert len(prefixes) == len(set(prefixes)) == size
    assert not zip3.areas(table)[[int(prefix) for prefix in prefixes]].any()


def test_only_sparse_areas_and_those_without_people_become_zeros():
    """Large areas stay, also where another census calls them sparse; unused and military prefixes do not stay."""
    shown = zip3.areas("census-2000")
    assert shown[[5, 21, 100, 369, 606, 941, 999]].tolist() == [5, 21, 100, 369, 606, 941, 999]
    assert not shown[[0, 4, 36, 90, 213, 893, 929, 966]].any()
    assert (shown > 0).sum() == 1000 - 66 - 16 - 17
    assert zip3.areas("census-2020")[369] == 0


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string()], ids=str)
@given(cells=CODES)
def test_text_is_read_by_its_form(type_, cells):
    """Five digits, or nine with or without a dash, have a prefix, and no other text has one."""
    cells = [*cells, "02139-4307", "021394307"]
    prefixes, lost = zip3.prefixes_of_text(pa.array(cells, type_))
    lost = np.zeros(len(cells), bool) if lost is None else lost
    for cell, prefix, none in zip(cells, prefixes.tolist(), lost.tolist(), strict=True):
        digits = cell.replace("-", "", 1) if len(cell) == 10 and cell[5] == "-" else cell
        assert none == (not (digits.isascii() and digits.isdigit() and len(digits) in {5, 9}))
        assert none or f"{prefix:03}" == cell[:3]


def test_columns_of_five_digits_are_read_at_once():
    """A column in which each cell has five digits is read as any other is, also where it is a part of a longer one."""
    cells = pa.array([f"{number:05}" for number in range(0, 100_000, 37)])
    for part in (cells, cells.slice(7, 100), cells.cast(pa.large_string()).slice(1)):
        prefixes, lost = zip3.prefixes_of_text(part)
        assert lost is None
        assert [f"{prefix:03}" for prefix in prefixes.tolist()] == [cell[:3] for cell in part.to_pylist()]


def test_five_letters_are_no_zip_code():
    """Cells of five characters that are not digits have no prefix."""
    _, lost = zip3.prefixes_of_text(pa.array(["abcde", "0213O", "02139", "     "]))
    assert lost.tolist() == [True, True, False, True]


def test_integers_get_their_zeros_back():
    """An integer has the prefix of the five or nine digits that it had before it lost its zeros."""
    prefixes, lost = zip3.prefixes_of_integers(np.array([2139, 501, 99_999, 21_394_307, 999_999_999, -1, 10**9]))
    assert prefixes[:5].tolist() == [21, 5, 999, 21, 999]
    assert lost.tolist() == [False] * 5 + [True] * 2
