"""Numbers by interval: each lies in the interval that a reader of decimal numbers expects."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.coarse.steps import Edges, Rounded, Steps

WIDTHS = st.sampled_from([1, 5, 7, 1000, 0.1, 0.25, 0.05, 1.5, 12.5])
ORIGINS = st.sampled_from([0, 1, -3, 0.5, 100])


def exact(number):
    return Fraction(str(number))


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), WIDTHS, ORIGINS)
def test_each_decimal_number_lies_in_its_interval(numbers, width, origin):
    """A number with two decimals lies from its lower edge to the next one, computed with fractions."""
    cells = np.array(numbers) / 100
    steps = Steps(width, origin)
    codes, lost = steps.place(cells)
    assert lost is None
    for number, code, lower in zip(numbers, codes.tolist(), steps.lower(codes).tolist(), strict=True):
        edge = exact(origin) + code * exact(width)
        assert edge <= Fraction(number, 100) < edge + exact(width)
        assert lower == float(edge)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.sampled_from([1, 3, 10, 2**40]), st.integers(-99, 99))
def test_integers_never_overflow(numbers, width, origin):
    """Integers lie in the right interval, except for those near the ends of their range, which lie in none."""
    codes, lost = Steps(width, origin).place(np.array(numbers, np.int64))
    lost = np.zeros(len(numbers), bool) if lost is None else lost
    assert lost.tolist() == [abs(number) > 2**62 for number in numbers]
    for number, code, none in zip(numbers, codes.tolist(), lost.tolist(), strict=True):
        assert none or code == (number - origin) // width


def test_an_open_class_takes_the_largest_integers():
    """With bounds, every integer has a class."""
    codes, lost = Steps(10, 0, 0, 90).place(np.array([-(2**63), 2**63 - 1, 5]))
    assert lost is None
    assert codes.tolist() == [-1, 9, 0]


def test_a_float_and_an_integer_have_one_label():
    """A column that becomes floats, as pandas makes it for a null, keeps its labels."""
    steps = Steps(5, 0, 0, 90)
    for cells in (np.array([0, 37, 89, 90, -1]), np.array([0.0, 37, 89, 90, -1], np.float32)):
        codes, _ = steps.place(cells)
        assert steps.labels(codes) == ["[0, 5)", "[35, 40)", "[85, 90)", ">=90", "<0"]


def test_binary_fractions_do_not_move_a_number():
    """0.3 lies in the interval that begins at 0.3, and 0.7 in that at 0.7, in both widths of floats."""
    steps = Steps(0.1)
    for dtype in (np.float64, np.float32):
        codes, _ = steps.place(np.array([0.3, 0.7, 0.6, 1.1, -0.1], dtype))
        assert codes.tolist() == [3, 7, 6, 11, -1]


@pytest.mark.parametrize(("bottom", "top"), [(18, 90), (20, 90), (20.5, 92)])
def test_a_bound_covers_the_whole_interval_that_it_cuts(bottom, top):
    """Nothing below bottom, or from top on, is told apart; what lies in an interval with it is covered as well."""
    steps = Steps(5, 0, bottom, top)
    codes, _ = steps.place(np.arange(120))
    below, above = codes[np.arange(120) < bottom], codes[np.arange(120) >= top]
    assert len(set(below.tolist())) == len(set(above.tolist())) == 1
    assert steps.labels(below[:1]) == ["<20" if bottom <= 20 else "<25"]
    assert steps.labels(above[:1]) == [">=90"]
    assert steps.lower(above[:1]).tolist() == steps.middle(above[:1]).tolist() == [90]


def test_what_cannot_be_counted_has_no_interval():
    """NaN has no interval; infinity and what is too large have one only if the class is open."""
    cells = np.array([np.nan, np.inf, -np.inf, 1e300, 1.0])
    assert Steps(1).place(cells)[1].tolist() == [True, True, True, True, False]
    codes, lost = Steps(1, 0, 0, 9).place(cells)
    assert lost.tolist() == [True, False, False, False, False]
    assert codes.tolist()[1:] == [9, -1, 9, 1]


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1), st.sampled_from([1, 2, 5, 0.5, 0.1]))
def test_rounded_numbers_are_the_closest_multiples(numbers, width):
    """A rounded number is at most half a width away, and those halfway go up."""
    cells, rounding = np.array(numbers) / 100, Rounded(width)
    codes, _ = rounding.place(cells)
    for number, code in zip(numbers, codes.tolist(), strict=True):
        away = Fraction(number, 100) - code * exact(width)
        assert -exact(width) / 2 <= away < exact(width) / 2


def test_integers_round_as_floats_do():
    """Integers and the floats that equal them round alike, with odd and even widths."""
    for width in (1, 2, 3, 5, 10):
        numbers = np.arange(-50, 50)
        assert Rounded(width).place(numbers)[0].tolist() == Rounded(width).place(numbers.astype(float))[0].tolist()


def test_rounding_stays_within_bounds():
    """Numbers beyond the bounds become the bounds."""
    rounding = Rounded(5, 20, 90)
    codes, _ = rounding.place(np.array([3, 22, 88, 97, 1000]))
    assert rounding.middle(codes).tolist() == [20, 20, 90, 90, 90]
    assert rounding.labels(codes) == ["20", "20", "90", "90", "90"]


@pytest.mark.parametrize("cells", [np.arange(-100, 300), np.arange(-100, 300) + 0.0, np.arange(-100, 10**5, 7)])
@pytest.mark.parametrize("edges", [[18, 65], [0.5], list(range(0, 200, 2))], ids=len)
def test_bins_are_those_of_a_search(cells, edges):
    """Few and many edges, integers close together or far apart, and floats have the bins that searchsorted gives."""
    found, lost = Edges(edges).place(cells)
    assert lost is None
    assert found.tolist() == np.searchsorted(edges, cells, side="right").tolist()


def test_bins_in_words_and_numbers():
    """The first and the last bin are open, and have the edge that bounds them."""
    bins = Edges([18, 65.5])
    codes, lost = bins.place(np.array([17.9, 18, 65.4, 65.5, np.nan]))
    assert lost.tolist() == [False] * 4 + [True]
    assert bins.labels(codes[:4]) == ["<18", "[18, 65.5)", "[18, 65.5)", ">=65.5"]
    assert bins.lower(codes[:4]).tolist() == [18, 18, 18, 65.5]
    assert bins.middle(codes[:4]).tolist() == [18, 41.75, 41.75, 65.5]
