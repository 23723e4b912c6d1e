"""No line of a log can be edited, removed, added, swapped or cut off without being found."""

import json

import pytest

from modelpriv._core import events
from modelpriv.audit import AuditLog, chain, verify
from modelpriv.audit.keys import LineKeys
from modelpriv.errors import (
    KeyUnavailableError,
    SealedFileError,
)
from modelpriv.keys import Keyring
from modelpriv.keys.text import from_base64


@pytest.fixture
def path(tmp_path):
    """Where the log is."""
    return tmp_path / "audit.jsonl"


LINES = 1000


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    """A log of a thousand lines: its keyring, its lines and its head."""
    path, keys = tmp_path_factory.mktemp("log") / "audit.jsonl", Keyring.generate()
    with AuditLog(path, key=keys):
        for number in range(LINES - 3):
            with events.event("transform", "FieldEncryptor", rows=number):
                pass
    return keys, path.read_bytes().splitlines(keepends=True), path.with_name("audit.jsonl.head").read_bytes()


@pytest.fixture
def attacked(thousand, path):
    """Verify a log whose lines (and head) an attacker has changed, and give what is said."""
    keys, lines, head = thousand

    def attack(changed, changed_head=head):
        path.write_bytes(b"".join(changed))
        path.with_name("audit.jsonl.head").write_bytes(changed_head)
        with pytest.raises((SealedFileError, KeyUnavailableError)) as raised:
            verify(path, key=keys)
        return str(raised.value)

    return attack, lines, head


@pytest.fixture
def attacked_anywhere(attacked, thousand):
    """Put other lines in the place of some, and give what is said: of all lines in turn, and now and then of the file.

    Verifying reads line by line, so what comes before an attacked line is as it was: for most lines it is skipped.
    """
    attack, lines, _ = attacked
    keys = LineKeys(thousand[0], "")

    def attack_at(number, others):
        if number % 50 == 0:
            return attack([*lines[:number], *others])
        before = from_base64(json.loads(lines[number - 1])["mac"])
        try:
            for count, line in enumerate(others, number + 1):
                before = chain.check_line(line, count, before, keys, f"line {count}").mac
        except (SealedFileError, KeyUnavailableError) as error:
            return str(error)
        return "nothing"

    return attack_at, lines


def test_a_good_log(thousand, path):
    """A log that was not touched is verified, and gives its head."""
    keys, lines, head = thousand
    path.write_bytes(b"".join(lines))
    path.with_name("audit.jsonl.head").write_bytes(head)
    found = verify(path, key=keys)
    assert found.count == LINES
    assert verify(path, key=keys, expected_head=str(found)) == found


def test_editing_any_line(attacked_anywhere):
    """A changed byte is found at its line: in each line of a thousand, each time at another place."""
    attack, lines = attacked_anywhere
    for number, line in enumerate(lines):
        at = (number * 7) % (len(line) - 1)
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        assert f"line {number + 1}:" in attack(number, [changed, *lines[number + 1 : number + 3]])


def test_every_byte_of_a_line(attacked):
    """No byte of a line can be changed, its line break and MAC included."""
    attack, lines, _ = attacked
    for at in range(len(lines[2])):
        changed = lines[2][:at] + bytes([lines[2][at] ^ 1]) + lines[2][at + 1 :]
        assert "line 3:" in attack([*lines[:2], changed, *lines[3:5]])


def test_removing_any_line(attacked_anywhere):
    """A missing line is found where it was, for each of a thousand but the last, which the head misses."""
    attack, lines = attacked_anywhere
    for number in range(LINES - 1):
        assert f"line {number + 1}:" in attack(number, lines[number + 1 : number + 3])


def test_adding_any_line(attacked_anywhere):
    """A line that is written twice, or copied from elsewhere, is found after each of a thousand."""
    attack, lines = attacked_anywhere
    for number in range(LINES):
        for added in (lines[number], lines[(number + 500) % LINES]):
            assert f"line {number + 2}:" in attack(number, [lines[number], added, *lines[number + 1 : number + 3]])


def test_swapping_any_line(attacked_anywhere):
    """Two neighbours that changed places are found at the first, for each of a thousand."""
    attack, lines = attacked_anywhere
    for number in range(LINES - 1):
        assert f"line {number + 1}:" in attack(
            number, [lines[number + 1], lines[number], *lines[number + 2 : number + 4]]
        )


def test_cutting_the_tail(attacked):
    """A tail of any length that is cut is found by the head, and so is half a line."""
    attack, lines, _ = attacked
    for number in range(0, LINES, 37):
        said = attack(lines[:number])
        assert f"line {number + 1}: the log ends before it" in said
        assert f"counts {LINES}" in said
    assert f"line {LINES}:" in attack([*lines[:-1], lines[-1][:-5]])


def test_a_renumbered_line(attacked):
    """A line whose number was mended after a removal is found by its MAC."""
    attack, lines, _ = attacked
    mended = lines[10].replace(b'"seq":11,', b'"seq":10,')
    assert "line 10: it was altered" in attack([*lines[:9], mended, *lines[11:13]])


def test_changing_the_head(attacked):
    """No byte of the head can be changed; without the head a cut could not be found, and is not overlooked."""
    attack, lines, head = attacked
    for at in range(0, len(head), 3):
        assert "head" in attack(lines, head[:at] + bytes([head[at] ^ 1]) + head[at + 1 :])
    assert "head" in attack(lines, head + b" ")
    assert "head" in attack(lines, b"")
