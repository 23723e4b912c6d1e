"""Canonical JSON: one text for one value."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv._core import json

text = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)


@given(values)
def test_round_trip(value):
    """What is read is what was written, and writes the same bytes again."""
    written = json.dump(value)
    assert json.load(written) == value
    assert json.dump(json.load(written)) == written


def test_one_text_for_one_value():
    """Keys are sorted, there are no spaces, and text is UTF-8 itself."""
    assert json.dump({"b": [1, None, True], "a": {"ß": "é"}}) == '{"a":{"ß":"é"},"b":[1,null,true]}'.encode()


def test_the_order_of_keys_does_not_matter():
    """Objects that differ in the order of their keys have one text."""
    assert json.dump({"a": 1, "b": 2}) == json.dump({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan], "\ud800"])
def test_what_json_cannot_say_is_not_written(value):
    """NaN, infinities and lone surrogates are refused."""
    with pytest.raises(ValueError):
        json.dump(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"canary":1,"canary":1}',
        b'[{"x":{"a":1,"a":2}}]',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"[-1e999]",
        b"",
        b"canary",
        b'{"canary":',
        b'"canary\xff"',
        b"[" * 100_000,
        b"9" * 5_000,
        b"1 2",
        b'{"canary":1}x',
    ],
)
def test_what_is_not_strict_is_refused(data):
    """Duplicate keys, NaN, infinities, cut text and deep nesting are a ValueError that repeats none of it."""
    with pytest.raises(ValueError, match=r"^not valid JSON") as raised:
        json.load(data)
    assert "canary" not in str(raised.value)
    assert raised.value.__context__ is None  # it would hold the whole document
