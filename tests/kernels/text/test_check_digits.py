"""Check digits: the numbers that standards and authorities publish as examples fit, and a changed digit does not."""

import importlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.text.check_digits import NUMBERS, has_check_digits

# Examples of the issuers' own pages and of python-stdnum's documentation.
EXAMPLES = {
    "card": ["4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444", "6011111111111117", "30569309025904"],
    "iban": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606", "NO9386011117947"],
    "nhs_number": ["943 476 5919", "9434765870", "401-023-2137"],
    "chinese_id": ["11010519491231002X", "440524188001010014", "360426199101010071"],
    "vat": [
        "ATU13585627",
        "BE0428759497",
        "DE136695976",
        "DK13585628",
        "ESX2482300W",
        "FI20774740",
        "FR 40 303265045",
        "IT00743110157",
        "LU15027442",
        "NL004495445B01",
        "PL8567346215",
        "PT501964843",
        "SE123456789701",
    ],
    "national_id": ["295117823456784", "54362315K", "X2482300W", "RCCMNL83S18D969H", "36574261809", "7569217076985"],
}
CASES = [(number, example) for number, examples in EXAMPLES.items() for example in examples]


def fit(texts, number):
    return has_check_digits(pa.array(texts, pa.large_string()), number).tolist()


@pytest.mark.parametrize(("number", "example"), CASES)
def test_published_examples_fit(number, example):
    """A number that its issuer publishes as an example fits, also with spaces and dashes."""
    assert fit([example], number) == [True]


@pytest.mark.parametrize("number", [number for number in NUMBERS if number != "national_id"])
def test_a_changed_digit_does_not_fit(number):
    """Of the numbers that differ from an example in one digit, none fits: that is what check digits are for."""
    for example in (each for each in EXAMPLES[number] if not each.startswith("NL")):  # its last two are no part of it
        places = [place for place, c in enumerate(example) if c.isdigit() and not (number == "vat" and place < 3)]
        wrong = [
            example[:place] + digit + example[place + 1 :]
            for place in places
            for digit in "0123456789"
            if digit != example[place]
        ]
        share = np.mean(fit(wrong, number))
        # Sums modulo 11 that write 10 as 0 let a few pass.
        assert share <= (0.02 if example.startswith("PL") else 0), example


@pytest.mark.parametrize("number", NUMBERS)
def test_nothing_of_another_form_fits(number):
    """Empty cells, words, other digits and cells that are too long do not fit, and are not an error."""
    assert not any(fit(["", "Ada", "0", "-", "\uff14" + "\uff11" * 15, "1" * 5000, "é" * 16, "\x00"], number))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_cell_does_not_depend_on_its_neighbours(number):
    """Each cell gets the answer that it gets alone."""
    texts = [example for examples in EXAMPLES.values() for example in examples] + ["", "x"]
    assert fit(texts, number) == [fit([text], number)[0] for text in texts]
    assert fit([], number) == []


ORACLES = {
    "card": ("stdnum.luhn", st.from_regex(r"\A4[0-9]{15}\Z")),
    "iban": ("stdnum.iban", st.sampled_from(EXAMPLES["iban"]).flatmap(lambda e: st.just(e.replace(" ", "")))),
    "nhs_number": ("stdnum.gb.nhs", st.from_regex(r"\A[0-9]{10}\Z")),
    "chinese_id": (
        "stdnum.cn.ric",
        st.from_regex(r"\A11010519(?:49|80)(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9])[0-9]{3}[0-9X]\Z"),
    ),
    "vat": ("stdnum.eu.vat", st.from_regex(r"\A(?:DE[1-9]|DK[1-9]|FI|LU)[0-9]{7}[0-9]?\Z")),
}


@pytest.mark.parametrize("number", ORACLES)
def test_agrees_with_another_implementation(number):
    """python-stdnum, written by others, gives the same answers for numbers at random."""
    pytest.importorskip("stdnum")
    module, numbers = ORACLES[number]
    oracle = importlib.import_module(module)

    @given(st.lists(numbers, min_size=1, max_size=20))
    def agrees(texts):
        assert fit(texts, number) == [oracle.is_valid(text) for text in texts]

    agrees()
