"""Labels by number: the same text whichever way it is made."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.coarse.labels import as_matrix, distinct, take, write

CODES = st.lists(st.one_of(st.integers(0, 9), st.integers(-(2**40), 2**40)), min_size=1)


@given(CODES, st.data())
def test_numbers_are_found_again(codes, data):
    """Each row has the place of its number, whether numbers lie close together or not, and with rows left out."""
    absent = data.draw(st.one_of(st.none(), st.lists(st.booleans(), min_size=len(codes), max_size=len(codes))))
    absent = None if absent is None else np.array(absent)
    classes, places = distinct(np.array(codes), absent)
    present = np.ones(len(codes), bool) if absent is None else ~absent
    assert classes[places][present].tolist() == np.array(codes)[present].tolist()
    assert write(np.array(codes), lambda found: list(map(str, found.tolist())), absent).to_pylist() == [
        str(code) if here else None for code, here in zip(codes, present, strict=True)
    ]


@pytest.mark.parametrize(
    "labels", [["a", "b"], ["ab", "cd"], ["abc", "def"], ["ab", "é"], ["x", "longer"], ["", ""]], ids=str
)
def test_labels_of_any_width(labels):
    """Labels of one width, of several and of none come out as they are."""
    assert take(labels, np.array([1, 0, 1]), None).to_pylist() == [labels[1], labels[0], labels[1]]
    assert take(labels, np.array([1, 0, 1]), np.array([False, True, False])).to_pylist() == [labels[1], None, labels[1]]


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string()], ids=str)
def test_text_of_one_width_is_a_matrix(type_):
    """Only ASCII text of one width without nulls is a matrix, also in a slice."""
    matrix = as_matrix(pa.array(["xy", "abc", "def"], type_).slice(1))
    assert matrix.tobytes() == b"abcdef"
    for other in (["a", "bc", "def"], ["é", "ab"], ["ab", None], ["", ""], []):
        assert as_matrix(pa.array(other, type_)) is None
