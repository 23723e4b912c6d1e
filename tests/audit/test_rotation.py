"""A log that rotates is one chain over all its files, whatever program rotates it."""

import gzip
import multiprocessing
import os
import shutil
import signal
import time
import warnings

import pytest
from rotated_logs import POSIX, act, lines, names, parts

from modelpriv.audit import AuditLog, verify
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Keyring


def test_rotating(path, keyring):
    """The old file keeps its lines and gets one that closes it; the new one opens with a reference to that."""
    with AuditLog(path, key=keyring) as log:
        act()
        log.rotate()
        act()
    assert names(path) == ["audit.jsonl", "audit.jsonl.000001", "audit.jsonl.head"]
    first, second = lines(path.with_name("audit.jsonl.000001")), lines(path)
    assert [line["action"] for line in first] == ["open", "start", "transform", "close"]
    assert [line["action"] for line in second] == ["open", "transform", "stop"]
    assert second[0]["after"] == {"seq": 4, "mac": first[-1]["mac"]}
    assert second[0]["log"] == first[0]["log"] == log.id
    assert [line["seq"] for line in first + second] == list(range(1, 8))
    assert [line["file"] for line in (first[0], second[0])] == [1, 2]
    assert verify(path, key=keyring).count == verify(path.parent, key=keyring).count == 7


def test_its_own_lines_have_the_fields_of_the_others(path, keyring):
    """The lines that start, stop, open and close a log say who, where and with what result, as each event does."""
    with AuditLog(path, key=keyring) as log:
        log.rotate()
        act()
    found = lines(*parts(path))
    assert {line["action"] for line in found} == {"open", "start", "close", "transform", "stop"}
    common = {"action", "subject", "result", "user", "host", "pid", "time", "seq", "by", "mac"}
    assert all(common <= line.keys() for line in found)


def test_a_missing_file_is_named(path, keyring, rotated):
    """Verifying names the number of the file that is missing, the line that it begins with, and what follows it."""
    path.with_name("audit.jsonl.000002").unlink()
    with pytest.raises(SealedFileError, match=r"file 2 of the log is missing, which begins with line 5\..*file 3"):
        verify(path.parent, key=keyring)
    path.unlink()
    with pytest.raises(SealedFileError, match="file 2"):
        verify(path, key=keyring)
    assert rotated


def test_a_last_file_that_is_missing(path, keyring, rotated):
    """The newest file is missed by the head."""
    path.unlink()
    with pytest.raises(SealedFileError, match="file 3 of the log is missing"):
        verify(path.parent, key=keyring)
    assert rotated


@pytest.mark.parametrize("number", [1, 2])
def test_a_file_that_was_cut(path, keyring, rotated, number):
    """A line that was cut from the end of an older file is found: the next file follows a later one."""
    file = path.with_name(f"audit.jsonl.00000{number}")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(SealedFileError, match=f"ends before it, but file {number + 1} follows line"):
        verify(path, key=keyring)
    assert rotated


def test_an_edited_line_in_an_older_file(path, keyring, rotated):
    """A byte that changes in an older file is found in that file, at its line."""
    file = path.with_name("audit.jsonl.000002")
    file.write_bytes(file.read_bytes().replace(b'"transform"', b'"transfarm"'))
    with pytest.raises(SealedFileError, match=r"audit\.jsonl\.000002, line 6: it was altered"):
        verify(path, key=keyring)
    assert rotated


def test_older_files_that_were_removed_on_purpose(path, keyring, rotated):
    """Files that your retention removed are not missed from the number on that you pass; those behind it are."""
    noted = verify(path, key=keyring)
    path.with_name("audit.jsonl.000001").unlink()
    assert verify(path, key=keyring, first_file=2) == noted
    path.with_name("audit.jsonl.000002").unlink()
    with pytest.raises(SealedFileError, match="file 2 of the log is missing"):
        verify(path, key=keyring, first_file=2)
    assert verify(path, key=keyring, first_file=3, expected_head=noted).log_id == rotated


def test_a_noted_head_before_the_first_file(path, keyring):
    """A head that was noted before the first file that is verified is not overlooked."""
    with AuditLog(path, key=keyring) as log:
        noted = log.head()
        for _ in range(2):
            act()
            log.rotate()
    with pytest.raises(ParameterError, match="pass a smaller first_file"):
        verify(path, key=keyring, first_file=3, expected_head=noted)
    assert verify(path, key=keyring, expected_head=noted).count == 9


@pytest.mark.parametrize("number", [0, "1", None])
def test_what_is_no_number_of_a_file(path, keyring, rotated, number):
    """The number of the first file is a whole one from 1 on."""
    with pytest.raises((ParameterError, ParameterTypeError), match="first_file"):
        verify(path, key=keyring, first_file=number)
    assert rotated


def test_compressed_and_renamed_files(path, keyring, rotated):
    """Older files are found by their first line, whatever they are called, and read when gzip compressed them."""
    for number, name in ((1, "old.gz"), (2, "audit.jsonl-20270301.gz")):
        file = path.with_name(f"audit.jsonl.00000{number}")
        path.with_name(name).write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert verify(path.parent, key=keyring).log_id == rotated
    damaged = path.with_name("old.gz")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(SealedFileError, match="damaged or was cut"):
        verify(path, key=keyring)


def test_a_copy_of_a_file(path, keyring, rotated):
    """Two files that say they are the same part are refused by name."""
    shutil.copy(path.with_name("audit.jsonl.000001"), path.with_name("copy"))
    with pytest.raises(SealedFileError, match=r"audit\.jsonl\.000001 and .*copy both say that they are file 1"):
        verify(path, key=keyring)
    assert rotated


def test_what_else_is_in_the_folder(path, keyring, rotated):
    """Other files, a pipe and an unfinished rotation do not disturb."""
    (path.parent / "notes.txt").write_text("canary")
    (path.parent / "empty").touch()
    (path.parent / "broken.gz").write_bytes(b"\x1f\x8bcanary")
    shutil.copy(path, path.with_name(".audit.jsonl.next"))
    if hasattr(os, "mkfifo"):
        os.mkfifo(path.parent / "pipe")
    assert verify(path.parent, key=keyring).log_id == rotated


def test_several_logs_in_a_folder(path, keyring, rotated):
    """A folder with several logs of one keyring is verified by id; logs of another keyring do not count."""
    with AuditLog(path.with_name("other.jsonl"), key=Keyring.generate()):
        pass
    assert verify(path.parent, key=keyring).log_id == rotated
    with AuditLog(path.with_name("ours.jsonl"), key=keyring) as ours:
        pass
    with pytest.raises(ParameterError, match=rf"several logs, audit\.jsonl \({rotated}\)"):
        verify(path.parent, key=keyring)
    assert verify(path.parent, key=keyring, expected_id=ours.id).count == 3
    with pytest.raises(KeyUnavailableError, match="no head"):
        verify(path.parent, key=Keyring.generate())


def test_a_file_that_was_rotated_away_alone(path, keyring, rotated):
    """Verifying one older file says to verify the log or its folder."""
    with pytest.raises(SealedFileError, match="verify the log, or its folder"):
        verify(path.with_name("audit.jsonl.000001"), key=keyring)
    assert rotated


@POSIX
def test_one_signal_to_all_processes_rotates_once(path, keyring, services):
    """Processes of one service that all get the signal rotate once, lose no event, and keep one chain."""
    workers = [services.start() for _ in range(2)]
    for worker in workers:
        worker.send_signal(signal.SIGHUP)
        time.sleep(0.1)
    time.sleep(1)
    counts = services.stop()
    assert names(path) == ["audit.jsonl", "audit.jsonl.000001", "audit.jsonl.head"]
    assert verify(path, key=keyring).count == sum(counts) + 2 * 2 + 3
    assert len({line["pid"] for line in lines(path) if line["action"] == "transform"}) == 2


@POSIX
def test_another_process_rotates_under_writers(path, keyring, services):
    """While others write, a log is rotated again and again from this process, and nothing is lost."""
    for _ in range(2):
        services.start()
    for _ in range(20):
        AuditLog(path, key=keyring).rotate()
        time.sleep(0.05)
    counts = services.stop()
    assert verify(path, key=keyring).count == sum(counts) + 2 * 2 + 1 + 2 * 20


def test_a_fork_rotates(path, keyring):
    """A forked child rotates, and its parent goes on in the new file."""
    with AuditLog(path, key=keyring) as log:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = multiprocessing.get_context("fork").Process(target=log.rotate)
            child.start()
            child.join()
        act()
    assert child.exitcode == 0
    assert [line["action"] for line in lines(path)] == ["open", "transform", "stop"]
    assert verify(path, key=keyring).count == 6


def test_writers_do_not_wait_for_a_reader(path, keyring, monkeypatch):
    """While a log is verified others write and rotate; what they add meanwhile is left out."""
    from modelpriv.audit import verification  # noqa: PLC0415 - its one call that is followed

    check_line, counted = verification.check_line, []

    def slowly(*given):
        if not counted:
            act()
            log.rotate()
            act()
        counted.append(given[1])
        return check_line(*given)

    with AuditLog(path, key=keyring) as log:
        act()
        monkeypatch.setattr(verification, "check_line", slowly)
        assert verify(path, key=keyring).count == 3
        assert verify(path, key=keyring).count == 7


def test_files_under_a_new_key_alone(path, keyring):
    """Once a log was rotated under a new key, its newer files are verified by a ring that retired the older one."""
    AuditLog(path, key=keyring).start().stop()
    newer = keyring.rotate()
    with AuditLog(path, key=newer) as log:
        log.rotate()
        act()
    retired = newer.retire(keyring.primary)
    assert verify(path, key=retired, first_file=2) == verify(path, key=newer)
    with pytest.raises(KeyUnavailableError, match=keyring.primary):
        verify(path, key=retired)


def test_the_log_of_a_scope_rotates(path, keyring):
    """The log of a grant's holder rotates, and the ring's owner verifies all of it by the grant's id."""
    scoped = keyring.scoped(["email"])
    with AuditLog(path, key=scoped) as log:
        log.rotate()
        act()
    assert verify(path.parent, key=keyring, grant=scoped.scope.id) == verify(path, key=scoped)
    with pytest.raises(KeyUnavailableError):
        verify(path, key=keyring)
