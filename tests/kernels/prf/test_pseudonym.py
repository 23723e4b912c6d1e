"""The forms of a pseudonym: exactly as documented, checked against Python's own base64, uuid and integers."""

import base64
import string
import uuid as standard

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.prf.pseudonym import SAFE64, UUID_LENGTH, bits, int64, longest, text, to_arrow, uuid

TAG = st.binary(min_size=16, max_size=16)
ALPHABETS = st.lists(st.sampled_from(string.printable[:94]), min_size=2, max_size=94, unique=True).map("".join)


def rows(*tags):
    return np.frombuffer(b"".join(tags), np.uint8).reshape(-1, 16)


def read(written):
    return [bytes(row).decode() for row in written]


@given(tags=st.lists(TAG, max_size=20), length=st.integers(1, 22))
def test_text_is_base64url(tags, length):
    """Text of the default alphabet is the beginning of the tag's base64url text, with ~ for -."""
    expected = [base64.b64encode(tag, altchars=b"~_").decode()[:length] for tag in tags]
    assert read(text(rows(*tags), length)) == expected


@given(tag=TAG, alphabet=ALPHABETS, data=st.data())
def test_text_is_the_tag_in_the_alphabet_as_digits(tag, alphabet, data):
    """Text of another alphabet is the tag as a number, least significant digit first."""
    length = data.draw(st.integers(1, longest(alphabet)))
    number, expected = int.from_bytes(tag, "little"), ""
    if alphabet == SAFE64:
        return
    for _ in range(length):
        number, digit = divmod(number, len(alphabet))
        expected += alphabet[digit]
    assert read(text(rows(tag), length, alphabet=alphabet)) == [expected]


@pytest.mark.parametrize("alphabet", [SAFE64, "0123456789", "ab"])
def test_text_at_full_length_keeps_every_tag_apart(alphabet):
    """At its full length no two of many tags, neighbours included, have the same text."""
    tags = [number.to_bytes(16, "little") for number in (*range(100), *range(2**128 - 100, 2**128))]
    written = read(text(rows(*tags), longest(alphabet), alphabet=alphabet))
    assert len(set(written)) == 200


def test_text_of_many_blocks():
    """A column longer than a block is written as its rows one by one."""
    tags = np.random.default_rng(0).integers(0, 256, (20_000, 16), np.uint8)
    written = read(text(tags, 22))
    assert written == [base64.b64encode(bytes(tag), altchars=b"~_").decode()[:22] for tag in tags]


@given(tags=st.lists(TAG, max_size=20))
def test_uuid_is_version_8(tags):
    """A UUID is the tag but for the version 8 and the variant of RFC 9562."""
    for tag, written in zip(tags, read(uuid(rows(*tags))), strict=True):
        parsed = standard.UUID(written)
        assert str(parsed) == written
        assert len(written) == UUID_LENGTH
        assert (parsed.version, parsed.variant) == (8, standard.RFC_4122)
        mask = ~((0xF << 76) | (0x3 << 62)) & (2**128 - 1)
        assert parsed.int & mask == int.from_bytes(tag, "big") & mask


@given(tags=st.lists(TAG, max_size=20))
def test_int64_is_not_negative(tags):
    """An integer is the upper 63 bits of the tag's first little-endian word."""
    assert int64(rows(*tags)).tolist() == [int.from_bytes(tag[:8], "little") >> 1 for tag in tags]


@pytest.mark.parametrize("width", [0, 3])
def test_text_goes_to_arrow_as_it_is(width):
    """The rows of a matrix are texts in Arrow, and those that are to be null are."""
    column = to_arrow(np.full((3, width), ord("x"), np.uint8), np.array([False, True, False]))
    column.validate(full=True)
    assert column.to_pylist() == ["x" * width, None, "x" * width]


@pytest.mark.parametrize(
    ("alphabet", "length"), [(SAFE64, 22), ("0123456789", 39), ("01", 128), ("0123456789abcdef", 32)]
)
def test_longest_holds_the_tag_and_no_less(alphabet, length):
    """The longest text is the shortest one that holds 128 bits."""
    assert longest(alphabet) == length
    assert bits(alphabet, length) == 128
    assert bits(alphabet, length - 1) < 128
