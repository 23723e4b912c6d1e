"""FLOE: the published answers, both ways, and every way to tamper with a message."""

import io
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.errors import SealedFileError
from modelpriv.sealing.format import floe

KNOWN = json.loads((Path(__file__).parents[2] / "vectors" / "floe.json").read_text())
KEY, CONTEXT = bytes.fromhex(KNOWN["key"]), bytes.fromhex(KNOWN["associated_data"])
SEGMENT = 16


def write(plaintext, *, key=KEY, context=CONTEXT, segment=SEGMENT, pieces=None):
    """Encrypt a message that is handed over in one piece, or cut at the given places."""
    out = io.BytesIO()
    cuts = [0, *sorted(pieces or []), len(plaintext)]
    with floe.Writer(floe.Message(key, context, segment=segment), len(plaintext), out.write) as writer:
        for start, end in itertools.pairwise(cuts):
            writer.write(memoryview(plaintext)[start:end])
    return out.getvalue()


def read(message, *, key=KEY, context=CONTEXT, segment=SEGMENT, pieces=None):
    """Decrypt a message into memory that is handed over in one piece, or cut at the given places."""
    header = message[: floe.HEADER]
    length = floe.plaintext_length(len(message), segment)
    reader = floe.Reader(
        floe.Message(key, context, segment=segment, header=header), len(message), io.BytesIO(message[floe.HEADER :])
    )
    out = bytearray(length)
    cuts = [0, *sorted(pieces or []), length]
    for start, end in itertools.pairwise(cuts):
        reader.readinto(memoryview(out)[start:end])
    return bytes(out)


def segments(message, segment=SEGMENT):
    """Cut a message into its header and its segments."""
    size = segment + floe.OVERHEAD
    body = message[floe.HEADER :]
    return message[: floe.HEADER], [body[start : start + size] for start in range(0, len(body), size)]


def known(vector):
    message, plaintext = bytes.fromhex(vector["message"]), bytes.fromhex(vector["plaintext"])
    return message, plaintext, int.from_bytes(message[2:6], "big") - floe.OVERHEAD


@pytest.mark.parametrize("vector", KNOWN["vectors"], ids=lambda vector: vector["name"])
def test_known_answers_open(vector, monkeypatch):
    """Each message of the reference implementations gives its plaintext."""
    monkeypatch.setattr(floe, "ROTATION_BITS", vector["rotation_bits"])
    message, plaintext, segment = known(vector)
    assert read(message, segment=segment) == plaintext


@pytest.mark.parametrize("vector", KNOWN["vectors"], ids=lambda vector: vector["name"])
def test_known_answers_are_made(vector, monkeypatch):
    """With the randomness of the reference implementations, each plaintext gives their message."""
    monkeypatch.setattr(floe, "ROTATION_BITS", vector["rotation_bits"])
    message, plaintext, segment = known(vector)
    header, sealed = segments(message, segment)
    random = iter([header[10:42], *(one[4:16] for one in sealed)])
    monkeypatch.setattr(floe.secrets, "token_bytes", lambda length: next(random))
    made = floe.Message(KEY, CONTEXT, segment=segment)
    assert made.header == header
    for number, one in enumerate(sealed):
        piece = memoryview(plaintext)[number * segment : (number + 1) * segment]
        out = bytearray(len(one))
        assert made.seal(number, piece, memoryview(out), last=number == len(sealed) - 1) == len(one)
        assert out == one


@given(plaintext=st.binary(max_size=(floe.MANY + 2) * SEGMENT), data=st.data())
def test_any_pieces_make_the_same_message(plaintext, data):
    """However the plaintext is handed over, and however it is asked for, it comes back."""
    cuts = st.lists(st.integers(0, len(plaintext)), max_size=6)
    message = write(plaintext, pieces=data.draw(cuts))
    assert len(message) == floe.encrypted_length(len(plaintext), SEGMENT)
    assert read(message, pieces=data.draw(cuts)) == plaintext


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 32, 33])
def test_lengths(length):
    """A message is as long as was announced, and its length tells the plaintext's."""
    message = write(bytes(length))
    assert floe.plaintext_length(len(message), SEGMENT) == length
    assert len(segments(message)[1]) == max(1, -(-length // SEGMENT))


def test_impossible_lengths():
    """A length that no message can have is refused."""
    possible = {floe.encrypted_length(length, SEGMENT) for length in range(100)}
    ends_empty = {floe.HEADER + n * (SEGMENT + floe.OVERHEAD) + floe.OVERHEAD for n in range(10)}
    for length in set(range(200)) - possible - ends_empty:
        with pytest.raises(SealedFileError, match="length that no body"):
            floe.plaintext_length(length, SEGMENT)


def test_two_messages_differ():
    """The same plaintext under the same key never gives the same bytes."""
    first, second = write(bytes(40)), write(bytes(40))
    assert len({first[10:42], second[10:42]}) == 2
    assert not set(segments(first)[1]) & set(segments(second)[1])


@pytest.mark.parametrize("change", [{"key": b"\1" * 32}, {"context": b"This is another"}])
def test_another_key_or_context(change):
    """The header does not match another key or other associated data, so nothing is decrypted."""
    with pytest.raises(SealedFileError, match="does not belong"):
        read(write(bytes(40)), **change)


def test_every_flipped_bit():
    """No bit of a message can be changed."""
    message = write(bytes(range(40)))
    for position in range(len(message)):
        for bit in range(8):
            altered = bytearray(message)
            altered[position] ^= 1 << bit
            with pytest.raises(SealedFileError):
                read(bytes(altered))


def test_damage_among_many_segments():
    """Where many segments are opened side by side, damage to any of them is found, and so is a cut in any."""
    whole = bytes(range(256))
    header, sealed = segments(write(whole))
    assert len(sealed) >= 2 * floe.MANY
    assert read(header + b"".join(sealed)) == whole
    for number, one in enumerate(sealed):
        altered = one[:-1] + bytes([one[-1] ^ 1])
        with pytest.raises(SealedFileError, match=f"segment {number} "):
            read(header + b"".join([*sealed[:number], altered, *sealed[number + 1 :]]))
        with pytest.raises(SealedFileError):
            read(header + b"".join([*sealed[:number], one[:-1]]))


def test_a_source_that_ends_among_many_segments():
    """A source that ends before its announced length is found out where segments are opened side by side."""
    message = write(bytes(256))
    opened = floe.Message(KEY, CONTEXT, segment=SEGMENT, header=message[: floe.HEADER])
    reader = floe.Reader(opened, len(message), io.BytesIO(message[floe.HEADER : -100]))
    with pytest.raises(SealedFileError, match="cut"):
        reader.readinto(memoryview(bytearray(256)))


def test_every_cut():
    """A message that was cut anywhere does not open to its end."""
    message = write(bytes(range(48)))
    for length in range(len(message)):
        with pytest.raises(SealedFileError):
            read(message[:length])


@pytest.mark.parametrize(
    "order", [[1, 0, 2], [0, 2, 1], [0, 1], [0, 2], [1, 2], [0, 0, 1, 2], [0, 1, 1, 2], [0, 1, 2, 2], [2, 1, 0]]
)
def test_segments_stay_in_their_place(order):
    """Segments that are swapped, dropped or repeated do not open."""
    header, sealed = segments(write(bytes(range(3 * SEGMENT))))
    with pytest.raises(SealedFileError):
        read(header + b"".join(sealed[number] for number in order))


def test_a_segment_of_another_message():
    """A segment of another message under the same key does not open in its place."""
    (header, first), (_, second) = segments(write(bytes(48))), segments(write(bytes(48)))
    with pytest.raises(SealedFileError):
        read(header + first[0] + second[1] + first[2])


def test_another_length_of_segments():
    """A header belongs to one length of segments."""
    with pytest.raises(SealedFileError, match="does not belong"):
        read(write(bytes(8)), segment=SEGMENT + 8)


def test_the_key_rotates(monkeypatch):
    """Segments beyond a rotation have another key, which a decoder that does not rotate lacks."""
    monkeypatch.setattr(floe, "ROTATION_BITS", 1)
    message = write(bytes(5 * SEGMENT))
    assert read(message) == bytes(5 * SEGMENT)
    monkeypatch.setattr(floe, "ROTATION_BITS", 20)
    with pytest.raises(SealedFileError, match="segment 2"):
        read(message)


def test_a_source_that_gives_little():
    """A source may give fewer bytes than it is asked for."""

    class Dribble(io.BytesIO):
        def readinto(self, buffer):
            return super().readinto(memoryview(buffer)[:3])

    out = bytearray(10)
    floe.read_exactly(Dribble(bytes(range(10))), memoryview(out))
    assert out == bytes(range(10))
