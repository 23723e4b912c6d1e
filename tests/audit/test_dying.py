"""A rotation that dies, is killed or finds no room leaves the old or the new state."""

import gzip
import json
import os
import signal
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpriv._core import events
from modelpriv.audit import AuditLog, verify
from modelpriv.errors import SealedFileError
from modelpriv.keys import Keyring

POSIX = pytest.mark.skipif(os.name != "posix", reason="renames files that are open, which only POSIX can")


@pytest.fixture
def path(tmp_path):
    """Where the log is, in a folder of its own."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "audit.jsonl"


def act(**facts):
    with events.event("transform", "FieldEncryptor", **facts):
        pass


def lines(*paths):
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def parts(path):
    return [*sorted(path.parent.glob("audit.jsonl.0*")), path]


def test_a_name_that_is_taken(path, keyring):
    """A file that has the name to rotate to is not replaced; without it the log rotates."""
    taken = path.with_name("audit.jsonl.000001")
    with AuditLog(path, key=keyring) as log:
        taken.write_text("canary")
        with pytest.raises(SealedFileError, match="is there already"):
            log.rotate()
        with pytest.raises(SealedFileError, match="is there already"):
            act()
        assert taken.read_text() == "canary"
        taken.unlink()
        act()
    assert verify(path, key=keyring).count == 6


def test_dying_while_it_rotates(path, keyring, interrupt_everywhere):
    """At whatever step a rotation dies, the log verifies as it was or as it is to be, and is written on."""
    with AuditLog(path, key=keyring):
        act()
    kept = {file.name: file.read_bytes() for file in path.parent.iterdir()}

    def prepare():
        for file in path.parent.iterdir():
            file.unlink()
        for name, content in kept.items():
            (path.parent / name).write_bytes(content)

    def whole():
        before = AuditLog(path, key=keyring).head().count  # which drops half a line, and finishes what was begun
        assert verify(path, key=keyring).count == before
        with AuditLog(path, key=keyring):
            act()
        after, opened = verify(path, key=keyring).count, len(parts(path))
        assert after == {1: 7, 2: 9}[opened]
        return before, opened

    outcomes = interrupt_everywhere(prepare, lambda: AuditLog(path, key=keyring).rotate(), whole)
    assert len(outcomes) > 10
    assert {state for _, state in outcomes} == {(4, 1), (6, 2)}


def test_dying_while_it_is_begun(path, keyring, interrupt_everywhere):
    """At whatever step a log dies that is just begun, the next start begins or continues it."""

    def prepare():
        for file in path.parent.iterdir():
            file.unlink()

    def whole():
        with AuditLog(path, key=keyring):
            act()
        return verify(path, key=keyring).count

    outcomes = interrupt_everywhere(prepare, lambda: AuditLog(path, key=keyring).start(), whole)
    assert {count for _, count in outcomes} == {4, 5}


def test_a_full_disk_while_it_rotates(path, keyring, monkeypatch):
    """A rotation that finds no room fails, calls fail until there is room, and then it is finished."""
    from modelpriv.audit import held  # noqa: PLC0415 - its one call that is replaced

    def no_room(*given):
        raise OSError(28, "No space left on device")

    with AuditLog(path, key=keyring) as log:
        act()
        with monkeypatch.context() as patched:
            patched.setattr(held.os, "fsync", no_room)
            for attempt in (log.rotate, act):
                with pytest.raises(OSError, match="No space"):
                    attempt()
        act()
    assert len(parts(path)) == 2
    assert verify(path, key=keyring).count == 7


def _write_and_rotate(path, keyring, pipe):
    """In a child that is killed: write an event, tell of it, rotate, and so on."""
    try:
        with AuditLog(path, key=keyring) as log:
            while True:
                act()
                os.write(pipe, b".")
                log.rotate()
    finally:
        os._exit(1)


@POSIX
def test_killed_while_it_rotates(path, keyring):
    """A writer that is killed at any moment, again and again, loses no event that was done, and leaves one chain."""
    done, reading, writing = 0, *os.pipe()
    for moment in range(25):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _write_and_rotate(path, keyring, writing)
        done += len(os.read(reading, 1))  # it is at work
        time.sleep(0.0007 * moment)
        os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        done += len(pipe.read())
    AuditLog(path, key=keyring).head()
    head = verify(path, key=keyring)
    recorded = sum(line["action"] == "transform" for line in lines(*parts(path)))
    assert done >= 25
    assert done <= recorded <= done + 25
    assert head.count == len(lines(*parts(path)))


@given(st.lists(st.sampled_from(["act", "rotate", "rename", "compress", "restart", "other"]), max_size=20))
@settings(max_examples=25)
def test_whatever_is_done(tmp_path_factory, steps):
    """Whatever order of events, rotations, renames, compressions and restarts: one chain, and every event is in it."""
    path, keys = tmp_path_factory.mktemp("log") / "audit.jsonl", Keyring.generate()
    log, count, renamed = AuditLog(path, key=keys).start(), 0, 0
    for step in steps:
        if step == "act":
            act()
            count += 1
        elif step == "rotate":
            log.rotate()
        elif step == "rename" and path.exists():
            renamed += 1
            path.rename(path.with_name(f"renamed.{renamed}"))
        elif step == "compress":
            older = [file for file in path.parent.iterdir() if b'"action":"close"' in file.read_bytes()]
            for file in older:
                file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
                file.unlink()
        elif step == "restart":
            log.stop()
            log = AuditLog(path, key=keys).start()
        elif step == "other":
            AuditLog(path, key=keys).rotate()
    log.stop()
    verify(path.parent, key=keys)
    found = [json.loads(line) for file in path.parent.iterdir() for line in _lines(file)]
    assert sum(line["action"] == "transform" for line in found) == count


def _lines(file):
    if file.name.endswith(".head"):
        return []
    data = file.read_bytes()
    return (gzip.decompress(data) if file.name.endswith(".gz") else data).splitlines()
