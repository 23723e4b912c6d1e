"""A hostile file costs bounded memory and time, and what is not read of it is reported."""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import time
import zipfile
import zlib

import pytest

from modelpriv.sealing import leak_report

MIB = 2**20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


def cost(path, traced_peak, data):
    """Bytes of memory and seconds that a report of a file takes."""
    path.write_bytes(data)
    leak_report(path)
    started = time.monotonic()
    peak = traced_peak(lambda: leak_report(path))
    return peak, time.monotonic() - started


def nested(depth):
    """A list in a list, and a text on each level."""
    return b"\x80\x04" + b"](\x8c\x01x" * depth + b"]" + b"e" * depth + b"."


def test_memory_is_linear_in_depth(path, traced_peak):
    """Twice as deep a pickle takes about twice the memory, and not four times."""
    small, large = (cost(path, traced_peak, nested(depth))[0] for depth in (4_000, 16_000))
    assert large < 5 * small
    assert large < 32 * MIB


def test_a_deep_place_is_short(path):
    """The place of something deep is shown by its two ends."""
    path.write_bytes(nested(1000))
    places = [leak.place for leak in leak_report(path)]
    assert max(map(len, places)) < 100
    assert any("…" in place for place in places)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("inside", [pickle.dumps(bytes(64 * MIB)), bytes(64 * MIB), b"a" * 64 * MIB])
def test_a_bomb(path, traced_peak, compress, inside):
    """What unfolds to far more than its file is never in memory as a whole."""
    peak, _ = cost(path, traced_peak, compress(inside))
    assert peak < 32 * MIB


def test_more_than_is_unfolded(path, monkeypatch):
    """A file that unfolds to more than the limit is reported as not read, with the reason."""
    from modelpriv.leaks import content  # noqa: PLC0415 - its limit

    monkeypatch.setattr(content.Budget.__init__, "__defaults__", (8 * MIB,))
    packed = gzip.compress(bytes(6 * MIB))
    path.write_bytes(gzip.compress(bytes(9 * MIB)))
    assert "unfolds to more" in leak_report(path).unread[0].reason
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:  # each is small enough, all together are not
        for name in "abc":
            file.writestr(name, packed)
    path.write_bytes(archive.getvalue())
    assert any("unfolds to more" in leak.reason for leak in leak_report(path).unread)


def test_archives_in_archives(path):
    """Archives in each other are followed to a depth, and not further."""
    data = pickle.dumps("a")
    for _ in range(10):
        data = gzip.compress(data)
    path.write_bytes(data)
    assert "in each other" in leak_report(path).unread[0].reason


LENGTHS = {
    "bytes": b"\x8e" + struct.pack("<Q", 2**62),
    "a byte array": b"\x96" + struct.pack("<Q", 2**62),
    "a text": b"\x8d" + struct.pack("<Q", 2**62),
    "a number": b"\x8b" + struct.pack("<i", 2**31 - 1),
    "a frame": b"\x95" + struct.pack("<Q", 2**62) + b"N",
    "a memo": b"Nr" + struct.pack("<I", 2**32 - 1),
}


@pytest.mark.parametrize("opcode", LENGTHS.values(), ids=LENGTHS.keys())
def test_lengths_that_are_not_there(path, traced_peak, opcode):
    """A length of a pickle that its file does not have takes no memory."""
    peak, seconds = cost(path, traced_peak, b"\x80\x05" + opcode)
    assert peak < 4 * MIB
    assert seconds < 5
    assert leak_report(path).unread


MANY = {
    "numbers": b"\x80\x02]" + b"(" + b"K\x01" * 9_000_000 + b"e.",
    "lists": b"\x80\x02" + b"]" * 3_000_000 + b".",
    "one long number": b"\x80\x02\x8b" + struct.pack("<I", 8 * MIB) + b"\x01" * 8 * MIB + b".",
    "digits": b"L" + b"1" * 8 * MIB + b"L\n.",
}


@pytest.mark.parametrize("data", MANY.values(), ids=MANY.keys())
def test_more_values_than_are_looked_into(path, data):
    """A pickle of millions of values, or of one number of millions of digits, ends soon, and is a finding."""
    path.write_bytes(data)
    started = time.process_time()
    report = leak_report(path)
    assert time.process_time() - started < 30
    assert report.leaks


@pytest.mark.parametrize(
    "text",
    [b"[" * MIB, b'{"a":' * MIB, b"<!doctype html>" + b"<a <!--" * MIB, b"<html>" + b"<script" * MIB, b'a,"' * MIB],
)
@pytest.mark.parametrize("suffix", ["", ".json", ".html", ".csv"])
def test_hostile_texts(tmp_path, text, suffix):
    """Texts that parsers take the square of the time for, or a deep recursion, are findings after a moment."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(text)
    started = time.process_time()
    assert leak_report(path).leaks
    assert time.process_time() - started < 20


def test_a_reader_that_fails(tmp_path):
    """A file that its reader does not survive is a finding, and the other files are still read."""
    calls = b"\x80\x02" + b"cbuiltins\nbytearray\n" * 5_000 + b"U\x01x" + b"\x85R" * 5_000 + b"."
    (tmp_path / "a.pkl").write_bytes(calls)
    (tmp_path / "b.txt").write_text("a")
    found = {leak.path: leak.reason for leak in leak_report(tmp_path)}
    assert found == {"a.pkl": "reading it ended with RecursionError", "b.txt": ""}


def test_too_many_findings(path):
    """The findings of one file end at some number, and the report says how many are left out."""
    named = b"".join(b"\x8c\x08n%07dN" % number for number in range(30_000))
    valued = named.replace(b"N\x8c", b"K\x01\x8c")
    path.write_bytes(b"\x80\x04\x8c\x01a\x8c\x01b\x93)\x81}(" + valued + b"ub.")
    report = leak_report(path)
    assert len(report) < 25_000
    assert report.unread[0].count > 5_000
