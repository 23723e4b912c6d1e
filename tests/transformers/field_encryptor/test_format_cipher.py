"""FieldEncryptor's format-preserving mode: what keeps its form, what is refused, and what it cannot notice."""

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv import FieldEncryptor, Keyring
from modelpriv.errors import InputError, ParameterError, ParameterTypeError
from modelpriv.kernels.aes import ff1
from modelpriv.keys.derivation import context_key, enc, working_key

KEYS = Keyring.generate()
CARDS = ["4111 1111 1111 1111", "5500-0000-0000-0004", None, "340000000000009"]


def preserving(**parameters):
    return FieldEncryptor(
        **(
            {"mode": "format-preserving", "key": KEYS, "alphabet": "digits", "keep": " -", "columns": ["card"]}
            | parameters
        )
    )


@pytest.fixture
def payments():
    return pd.DataFrame({"row": [1, 2, 3, 4], "card": CARDS})


def luhn_valid(text):
    digits = [int(character) for character in text if character.isdigit()]
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += sum(divmod(digit * 2, 10)) if place % 2 else digit
    return total % 10 == 0


def test_form_stays_and_comes_back(payments):
    """Length, separators and nulls stay where they are, every card changes, and the inverse is exact."""
    step = preserving()
    released = step.fit_transform(payments)
    for before, after in zip(payments["card"].dropna(), released["card"].dropna(), strict=True):
        assert before != after
        assert [c if not c.isdigit() else "9" for c in before] == [c if not c.isdigit() else "9" for c in after]
    assert released["card"].isna().tolist() == payments["card"].isna().tolist()
    pd.testing.assert_frame_equal(step.inverse_transform(released), payments)


def test_cell_is_the_documented_ff1(payments):
    """A cell is FF1 under the context's key, with the kept characters and their positions as the tweak."""
    released = preserving(keep_first=6).fit_transform(payments)
    (secret,) = KEYS._keys.values()
    key = working_key(context_key(secret, "card"), "ff1", 32)
    kept = [(0, "4"), (1, "1"), (2, "1"), (3, "1"), (4, " "), (5, "1"), (6, "1"), (9, " "), (14, " ")]
    tweak = enc(b"".join(place.to_bytes(4, "big") + ord(letter).to_bytes(4, "big") for place, letter in kept), b"")
    digits = ff1.encrypt(key, 10, np.array([[1] * 10]), tweak)[0]
    text = "".join(map(str, digits))
    assert released["card"][0] == f"4111 11{text[:2]} {text[2:6]} {text[6:]}"


def test_check_digit_is_valid_again(payments):
    """With a Luhn check digit valid cards become valid cards, the BIN stays, and the inverse is exact."""
    step = preserving(check_digit="luhn", keep_first=6)
    released = step.fit_transform(payments)
    for before, after in zip(payments["card"].dropna(), released["card"].dropna(), strict=True):
        assert luhn_valid(after)
        assert before[:6] == after[:6]
        assert before != after
    pd.testing.assert_frame_equal(step.inverse_transform(released), payments)


def test_wrong_check_digit_is_refused(payments):
    """A card with a wrong check digit is refused with its row, and is not shown."""
    payments.loc[1, "card"] = "5500-0000-0000-0005"
    with pytest.raises(
        InputError, match=r"'card': 1 cell without a valid Luhn check digit, the first in row 1"
    ) as caught:
        preserving(check_digit="luhn").fit_transform(payments)
    assert "5500" not in str(caught.value)


@pytest.mark.parametrize(
    ("alphabet", "cells"),
    [
        ("digits", ["0123456789", "000000"]),
        ("letters", ["abcXYZ", "zzzzzzzz"]),
        ("alphanumeric", ["a1B2c3", "Zz09"]),
        ("hex", ["deadbeef", "00000"]),
        ("αβγδεζηθικλμνξοπρστυφχψω", ["αβγδεζ", "ωωωωωωωω"]),
        ("🙂🙃😉😊😇🥰😍🤩😘😗", ["🙂🙃😉😊😇🥰", "😗😗😗😗😗😗😗"]),
    ],
)
def test_alphabets(alphabet, cells):
    """Every alphabet, by name or as a text of letters, keeps its letters and comes back."""
    table = pd.DataFrame({"card": cells})
    step = preserving(alphabet=alphabet, keep="")
    released = step.fit_transform(table)
    assert [len(cell) for cell in released["card"]] == [len(cell) for cell in cells]
    assert not set(released["card"]) & set(cells)
    assert step.inverse_transform(released).equals(table)


@given(
    st.lists(st.text("0123456789-", min_size=6, max_size=40).filter(lambda t: len(t) - t.count("-") >= 11), min_size=1),
    st.integers(0, 3),
    st.integers(0, 2),
)
def test_round_trip(cells, first, last):
    """Cells of any length and any places of the kept characters come back, and the ends that are kept are kept."""
    table = pd.DataFrame({"card": cells})
    step = preserving(keep_first=first, keep_last=last)
    released = step.fit_transform(table)
    for before, after in zip(cells, released["card"], strict=True):
        digits = before.replace("-", ""), after.replace("-", "")
        assert digits[0][:first] == digits[1][:first]
        assert digits[0][len(digits[0]) - last :] == digits[1][len(digits[1]) - last :]
        assert [c == "-" for c in before] == [c == "-" for c in after]
    assert step.inverse_transform(released).equals(table)


def test_equal_cells_join_and_bound_ones_do_not():
    """Equal cells are equal afterwards, so that they join; bound to a row's id they are not."""
    table = pd.DataFrame({"id": range(50), "card": ["4111111111111111"] * 50})
    assert len(set(preserving().fit_transform(table)["card"])) == 1
    step = preserving(bind=["id"])
    released = step.fit_transform(table)
    assert released["card"].nunique() == 50
    assert step.inverse_transform(released).equals(table)


def test_it_cannot_notice_a_wrong_key(payments):
    """As documented, another key gives other valid cells and no error: this mode is not authenticated."""
    released = preserving().fit_transform(payments)
    other = preserving(key=Keyring.generate()).fit(payments).inverse_transform(released)
    assert other["card"].str.len().equals(payments["card"].str.len())
    assert not other["card"].equals(payments["card"])


def test_rewrap_needs_the_fitted_object(payments):
    """Cells in a format name no key: the fitted object moves them, and without it a rewrap is refused."""
    step = preserving()
    released = step.fit_transform(payments)
    newer = KEYS.rotate()
    step.set_params(key=newer)
    assert step.needs_rewrap(released)
    moved = step.rewrap(released)
    assert not step.needs_rewrap(moved)
    assert moved["card"].equals(preserving(key=newer).fit_transform(payments)["card"])
    pd.testing.assert_frame_equal(step.set_params(key=newer.retire(KEYS.primary)).inverse_transform(moved), payments)
    with pytest.raises(ParameterError, match="names no key"):
        preserving(key=newer).rewrap(released)


def test_rewrap_moves_each_table_once(payments):
    """A second table is not taken for one that was moved: it is refused, and a copy of the object moves it."""
    step = preserving().fit(payments)
    first, second = step.transform(payments), step.transform(payments[::-1])
    step.set_params(key=KEYS.rotate())
    other = copy.copy(step)
    step.rewrap(first)
    with pytest.raises(ParameterError, match="uses the primary key already"):
        step.rewrap(second)
    pd.testing.assert_frame_equal(step.inverse_transform(other.rewrap(second)), payments[::-1])


def test_values_are_found(payments):
    """A value is found under every key of the ring."""
    step = preserving()
    released = step.fit_transform(payments)
    step.set_params(key=KEYS.rotate())
    wanted = step.tokens_for([CARDS[0]], column="card")
    assert len(wanted) == 2
    assert released["card"].isin(wanted).sum() == 1


@pytest.mark.parametrize(
    ("cell", "parameters", "words"),
    [
        ("4111_1111_1111", {}, "with characters that are in neither alphabet= nor keep="),
        ("\uff14111111111111111", {}, "with characters that are in neither alphabet= nor keep="),
        ("12345", {}, "with fewer than 6 characters"),
        ("", {}, "with fewer than 6 characters"),
        ("- -", {}, "with fewer than 6 characters"),
        ("1234567890", {"keep_first": 3, "keep_last": 2}, "with fewer than 6 characters"),
        ("1234566", {"check_digit": "luhn", "keep_first": 1}, "with fewer than 6 characters"),
        ("abcd", {"alphabet": "letters", "keep": "", "keep_first": 1}, "with fewer than 4 characters"),
    ],
)
def test_cells_without_the_format_are_refused(cell, parameters, words):
    """A cell with strange characters, or with too few to encrypt, is refused with its row, and not shown."""
    table = pd.DataFrame({"card": ["AAAAAAAA" if "alphabet" in parameters else "4111111111111111", cell]})
    with pytest.raises(InputError, match=f"'card': 1 cell {words}.*row 1") as caught:
        preserving(**parameters).fit_transform(table)
    assert len(cell) < 4 or cell not in str(caught.value)


def test_numbers_are_refused():
    """A column of numbers has lost its leading zeros: it is refused, with what to do."""
    with pytest.raises(InputError, match=r"'card' has dtype int64.*takes text"):
        preserving().fit_transform(pd.DataFrame({"card": [4111111111111111]}))


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"alphabet": None}, ParameterError, "needs alphabet="),
        ({"alphabet": "x"}, ParameterError, "at least two letters"),
        ({"alphabet": "aab"}, ParameterError, "different letters"),
        ({"alphabet": 10}, ParameterTypeError, "alphabet must be a text that is not empty or None, got int"),
        ({"alphabet": "0123456789\0"}, ParameterError, "without NUL"),
        ({"alphabet": "0123456789\ud800"}, ParameterError, "surrogate"),
        ({"keep": "-1"}, ParameterError, "share characters"),
        ({"keep": "-\0"}, ParameterError, "not contain NUL"),
        ({"keep": None}, ParameterTypeError, "keep must be a text"),
        ({"keep_first": -1}, ParameterError, "keep_first must be a whole number of at least 0, got -1"),
        ({"keep_last": 1.0}, ParameterTypeError, "keep_last must be a whole number of at least 0, got float"),
        ({"check_digit": "mod97"}, ParameterError, "check_digit must be 'luhn' or None, got 'mod97'"),
        ({"check_digit": "luhn", "keep_last": 4}, ParameterError, "keep_last=0"),
        ({"check_digit": "luhn", "alphabet": "hex"}, ParameterError, "alphabet='digits'"),
        ({"pad": 16}, ParameterError, "pad=16 does not work"),
        ({"null": "protect"}, ParameterError, "null='protect' is not possible"),
        ({"on_error": "null"}, ParameterError, "on_error='null' does not work"),
        ({"mode": "deterministic"}, ParameterError, "alphabet works only with"),
    ],
    ids=str,
)
def test_parameters_are_refused(parameters, error, words, payments):
    """Parameters without meaning in this mode are refused in `fit`, by name."""
    with pytest.raises(error, match=words):
        preserving(**parameters).fit(payments)
