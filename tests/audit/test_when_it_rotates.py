"""A log rotates by size, by age, and on a signal."""

import os
import signal
import threading
import time
from datetime import timedelta

import pytest
from rotated_logs import POSIX, act, lines, names, parts

from modelpriv.audit import AuditLog, hangup, verify
from modelpriv.audit import writer as writer_module
from modelpriv.errors import AuditWarning, ParameterError, ParameterTypeError


def test_by_size(path, keyring):
    """No file grows beyond max_bytes, but for one that a single line fills; nothing is lost."""
    with AuditLog(path, key=keyring, max_bytes=2000):
        for _ in range(30):
            act()
        act(file="x" * 3000)
        act()
    found = parts(path)
    assert len(found) > 5
    assert [file.stat().st_size for file in found if file.stat().st_size > 2600] == [
        file.stat().st_size for file in found if "x" * 3000 in file.read_text()
    ]
    assert len([line for line in lines(*found) if line["action"] == "transform"]) == 32
    assert verify(path, key=keyring).count == len(lines(*found))


def test_by_age(path, keyring, monkeypatch):
    """The first event after a file has reached max_age goes into the next file, also in another process."""
    with AuditLog(path, key=keyring, max_age=timedelta(hours=1)):
        act()
    assert len(parts(path)) == 1
    later = writer_module.datetime.now(writer_module.UTC) + timedelta(hours=2)

    class Later(writer_module.datetime):
        @classmethod
        def now(cls, tz=None):
            return later

    monkeypatch.setattr(writer_module, "datetime", Later)
    AuditLog(path, key=keyring, max_age=timedelta(hours=1)).start().stop()
    assert "audit.jsonl.000001" in names(path)
    assert verify(path, key=keyring).count >= 8


@pytest.mark.parametrize(
    "limits",
    [
        {"max_bytes": 0},
        {"max_bytes": 1.5},
        {"max_age": 3600},
        {"max_age": timedelta(0)},
        {"buffer": -1},
        {"rotate_on_sighup": 1},
    ],
)
def test_parameters(path, keyring, limits):
    """A limit that makes no sense is refused by its name."""
    (name,) = limits
    with pytest.raises((ParameterError, ParameterTypeError), match=name):
        AuditLog(path, key=keyring, **limits)


def until(condition, patience=10.0):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def hang_up():
    os.kill(os.getpid(), signal.SIGHUP)


@POSIX
def test_on_a_signal(path, keyring):
    """SIGHUP rotates a log that asked for it, each time."""
    with AuditLog(path, key=keyring, rotate_on_sighup=True):
        for number in (1, 2):
            act()
            hang_up()
            until(lambda number=number: f"audit.jsonl.00000{number}" in names(path) and path.exists())
        act()
    assert verify(path, key=keyring).count == 10


@POSIX
def test_a_signal_follows_a_rename(path, keyring):
    """After a rename, SIGHUP closes the file under its new name and opens the next one at the path."""
    with AuditLog(path, key=keyring, rotate_on_sighup=True):
        path.rename(path.with_name("audit.jsonl.1"))
        act()
        hang_up()
        until(path.exists)
        act()
    assert names(path) == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.head"]
    assert lines(path.with_name("audit.jsonl.1"))[-1]["action"] == "close"
    assert verify(path.parent, key=keyring).count == 7


@POSIX
def test_what_the_program_did_at_the_signal(path, keyring):
    """The program's own handler is still called, and is back after the log was stopped."""
    heard = []

    def handler(number, frame):
        heard.append(number)

    before = signal.signal(signal.SIGHUP, handler)
    try:
        with (
            AuditLog(path, key=keyring, rotate_on_sighup=True),
            AuditLog(path.with_name("two"), key=keyring, rotate_on_sighup=True),
        ):
            hang_up()
            until(lambda: {"audit.jsonl.000001", "two.000001"} <= {*names(path)})
        assert heard == [signal.SIGHUP]
        assert signal.getsignal(signal.SIGHUP) is handler
    finally:
        signal.signal(signal.SIGHUP, before)


@POSIX
def test_the_signal_is_left_alone(path, keyring):
    """A log that did not ask for it does not touch the signal."""
    before = signal.getsignal(signal.SIGHUP)
    with AuditLog(path, key=keyring):
        assert signal.getsignal(signal.SIGHUP) is before


@POSIX
def test_a_signal_needs_the_main_thread(path, keyring):
    """A log that is started in another thread cannot hear the signal, and says so."""
    said = []

    def work():
        try:
            AuditLog(path, key=keyring, rotate_on_sighup=True).start()
        except ParameterError as error:
            said.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "main thread" in said[0]


@POSIX
def test_a_rotation_that_fails_at_the_signal(path, keyring):
    """Where the rotation cannot be done, the process is warned and the log goes on."""
    with AuditLog(path, key=keyring, rotate_on_sighup=True):
        path.with_name("audit.jsonl.000001").write_text("in the way")
        with pytest.warns(AuditWarning, match="not rotated: .* is there already"):
            hangup._rotate_all()
        path.with_name("audit.jsonl.000001").unlink()
        act()
    assert verify(path, key=keyring).count >= 6
