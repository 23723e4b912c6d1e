"""Bytes as text: strict base64url, and lines that carry a checksum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.errors import ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import text

PREFIX = "modelpriv_test_1_"
DATA = bytes(range(40))
LINE = text.to_line(PREFIX, DATA)


@given(st.binary(max_size=40))
def test_base64_round_trip(data):
    """Bytes come back, and the text has no padding and no character that a URL or a shell minds."""
    written = text.to_base64(data)
    assert text.from_base64(written) == data
    assert set(written) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text(st.sampled_from("AQgw-_+/= \\né"), max_size=6))
def test_only_the_exact_text_is_taken(written):
    """A text that encoding would not give is refused: padding, other alphabets, spare bits, white space."""
    try:
        data = text.from_base64(written)
    except ValueError:
        return
    assert text.to_base64(data) == written


@pytest.mark.parametrize("written", ["AQ==", "AR", "A", "+/8", "AQ\n", " AQ", "AQ=", "é"])
def test_other_spellings_are_refused(written):
    """What other decoders let pass is refused here."""
    with pytest.raises(ValueError):
        text.from_base64(written)


@given(st.binary(max_size=70))
def test_line_round_trip(data):
    """Data come back from a line, with white space around it too."""
    line = text.to_line(PREFIX, data)
    assert text.from_line(PREFIX, f" {line}\n", name="it") == data
    assert line.startswith(PREFIX)


@pytest.mark.parametrize("length", range(len(PREFIX), len(LINE)))
def test_a_cut_line_is_refused(length):
    """A line that lost its end is refused, wherever it was cut."""
    with pytest.raises(ParameterError, match="cut or mistyped"):
        text.from_line(PREFIX, LINE[:length], name="it")


@pytest.mark.parametrize("place", range(len(PREFIX), len(LINE)))
def test_a_mistyped_line_is_refused(place):
    """A line with one wrong character is refused, and the error shows none of it."""
    wrong = "A" if LINE[place] != "A" else "B"
    with pytest.raises(ParameterError, match="cut or mistyped") as raised:
        text.from_line(PREFIX, LINE[:place] + wrong + LINE[place + 1 :], name="it")
    assert LINE[20:30] not in str(raised.value)


@pytest.mark.parametrize("line", ["canary", "", LINE[1:], "modelpriv_other_1_" + LINE[len(PREFIX) :]])
def test_another_kind_of_line_is_refused(line):
    """A line with another prefix is refused, and not shown."""
    with pytest.raises(ParameterError, match="must start with 'modelpriv_test_1_'") as raised:
        text.from_line(PREFIX, line, name="it")
    assert "canary" not in str(raised.value)


def test_a_later_version_is_named():
    """A line of a later version says which one it has, and to upgrade."""
    with pytest.raises(ParameterError, match=r"version 12.*upgrade"):
        text.from_line(PREFIX, text.to_line("modelpriv_test_12_", DATA), name="it")


@pytest.mark.parametrize("line", [None, b"modelpriv", 1])
def test_a_line_is_text(line):
    """Anything but a str is refused by its type."""
    with pytest.raises(ParameterTypeError, match=type(line).__name__):
        text.from_line(PREFIX, line, name="it")


def test_the_prefix_is_in_the_checksum():
    """A line does not become another kind of line by a new prefix."""
    with pytest.raises(ParameterError, match="cut or mistyped"):
        text.from_line("modelpriv_fest_1_", LINE.replace("test", "fest"), name="it")


@pytest.mark.parametrize("value", [None, 5, "", "AQ", "AQID!", ["AQID"], "AQIDBA"])
def test_a_damaged_field_is_named(value):
    """A field that is missing, no text, no base64url or of another length is named."""
    with pytest.raises(SealedFileError, match="'salt'"):
        text.read_fields({"other": "AQID", "salt": value}, {"other": 3, "salt": 3})


def test_fields_in_the_order_asked_for():
    """Fields are read in the order in which they are asked for."""
    assert text.read_fields({"a": "AQ", "b": "AgI"}, {"b": 2, "a": 1}) == [b"\2\2", b"\1"]
