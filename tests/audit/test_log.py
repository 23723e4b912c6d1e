"""Writers of one log: processes, threads and forks, and those that die or find no room."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import pytest

from modelpriv._core import events
from modelpriv.audit import AuditLog, place, verify
from modelpriv.errors import (
    ParameterError,
    ParameterTypeError,
    SealedFileError,
)


@pytest.fixture
def path(tmp_path):
    """Where the log is."""
    return tmp_path / "audit.jsonl"


def entries(path):
    """The events of a log, without where it was started and stopped."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [entry for entry in found if entry["subject"] != "AuditLog"]


def test_a_wide_table(keyring, path, monkeypatch):
    """An event that names a hundred thousand columns is a line as any other; one that is too long is not done."""
    with AuditLog(path, key=keyring):
        with events.event("transform", "KeyedProjection"):
            events.note_columns([f"column {number}" for number in range(100_000)], 1)
        monkeypatch.setattr(place, "LONGEST_LINE", 1000)
        with pytest.raises(ParameterError, match="too long"), events.event("transform", "KeyedProjection"):
            events.note_columns(["x" * 1000], 1)
    monkeypatch.undo()
    assert verify(path, key=keyring).count == 4
    assert len(entries(path)[0]["columns"]) == 100_000


WRITER = """
import sys
from modelpriv import Keyring
from modelpriv._core import events
from modelpriv.audit import AuditLog
keys = Keyring.from_secret(sys.stdin.read())
with AuditLog(sys.argv[1], key=keys):
    for row in range(100):
        with events.event("transform", "FieldEncryptor", rows=row):
            pass
"""


def test_two_processes_write_one_log(keyring, path):
    """Lines of several processes are one unbroken chain, and none is lost."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, text=True) for _ in "ab"
    ]
    for writer in writers:
        writer.stdin.write(keyring.export_secret())
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0, 0]
    assert verify(path, key=keyring).count == 205
    assert len({entry["pid"] for entry in entries(path)}) == 2


def test_threads_and_forks_write_one_log(keyring, path):
    """Threads of a process, and a fork of it, write on without a gap."""
    with AuditLog(path, key=keyring):

        def work():
            for _ in range(50):
                with events.event("transform", "FieldEncryptor"):
                    pass

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        work()
        child.join()
    assert child.exitcode == 0
    assert verify(path, key=keyring).count == 253


def test_a_writer_that_died_between_line_and_head(keyring, path):
    """A whole line behind the head counts, half a line is dropped, and the log goes on."""
    head_path = path.with_name("audit.jsonl.head")
    log = AuditLog(path, key=keyring).start()
    before = head_path.read_bytes()
    log.stop()
    head_path.write_bytes(before)
    assert verify(path, key=keyring).count == 3
    with path.open("ab") as file:
        file.write(b'{"action":"trans')
    AuditLog(path, key=keyring).start().stop()
    assert verify(path, key=keyring).count == 5


def test_a_forged_line_behind_the_head(keyring, path):
    """A forged line behind the head is not taken up by the next writer."""
    AuditLog(path, key=keyring).start().stop()
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines(keepends=True)[1].replace(b'"seq":2', b'"seq":4'))
    with pytest.raises(SealedFileError, match="line 4: it was altered"):
        AuditLog(path, key=keyring).start()


def test_a_cut_log_is_not_written_on(keyring, path):
    """A log that is shorter than its head says is not written on."""
    AuditLog(path, key=keyring).start().stop()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SealedFileError, match="shorter than its head says"):
        AuditLog(path, key=keyring).start()


FULL = """
import resource, signal, sys
import pandas as pd
from pathlib import Path
from modelpriv import FieldEncryptor, Keyring
from modelpriv.audit import AuditLog, verify
path, keys = Path(sys.argv[1]), Keyring.generate()
step, table = FieldEncryptor(key=keys), pd.DataFrame({"email": ["canary"]})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with AuditLog(path, key=keys):
    step.fit(table)
    size = path.stat().st_size
    for room in (0, 20, 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
        try:
            print(step.transform(table))
        except OSError as error:
            print(type(error).__name__, path.stat().st_size - size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    step.transform(table)
print(verify(path, key=keys).count)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files, which only POSIX can")
def test_a_full_disk(path):
    """What cannot be recorded is not done: the call fails, the log stays whole, and goes on when there is room."""
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["OSError", "0"] * 3 + ["5"]


def test_dying_while_a_line_is_written(keyring, path, interrupt_everywhere):
    """At whatever step a writer dies, the log verifies, with the line or without it."""
    log = AuditLog(path, key=keyring)
    log.start().stop()
    whole_log, whole_head = path.read_bytes(), path.with_name("audit.jsonl.head").read_bytes()

    def prepare():
        path.write_bytes(whole_log)
        path.with_name("audit.jsonl.head").write_bytes(whole_head)

    def save():
        AuditLog(path, key=keyring).start()

    def whole():
        AuditLog(path, key=keyring).head()  # takes up, or drops, what is behind the head
        return {3: "old", 4: "new"}[verify(path, key=keyring).count]

    outcomes = interrupt_everywhere(prepare, save, whole)
    assert {state for _, state in outcomes} == {"old", "new"}


def test_permissions(keyring, path):
    """Log and head are for their owner only."""
    AuditLog(path, key=keyring).start().stop()
    assert [file.stat().st_mode & 0o777 for file in (path, path.with_name("audit.jsonl.head"))] == [0o600] * 2


def test_a_copy_for_an_auditor(keyring, path):
    """Log and head that can only be read are verified."""
    AuditLog(path, key=keyring).start().stop()
    for file in (path, path.with_name("audit.jsonl.head")):
        file.chmod(0o400)
    assert verify(path, key=keyring).count == 3


def test_it_is_not_pickled(keyring, path):
    """A log is not carried into another process: it would not be started there."""
    with pytest.raises(ParameterTypeError, match="start one in each process"):
        pickle.dumps(AuditLog(path, key=keyring))
