"""A log that is not in its place: renamed, emptied, replaced by an empty file, or gone."""

import gzip
import os
import shutil
import warnings

import pytest

from modelpriv._core import events
from modelpriv.audit import AuditLog, verify
from modelpriv.errors import AuditWarning, SealedFileError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="moves files that are open, which only POSIX can")


@pytest.fixture
def path(tmp_path):
    """Where the log is."""
    return tmp_path / "audit.jsonl"


def act():
    with events.event("transform", "FieldEncryptor"):
        pass


def created(path):
    """Rename the log and put an empty file in its place, as logrotate's create does."""
    path.rename(path.with_name("audit.jsonl.1"))
    path.touch()


def copied_and_truncated(path):
    """Copy the log and empty it, as logrotate's copytruncate does."""
    shutil.copy(path, path.with_name("audit.jsonl.1"))
    os.truncate(path, 0)


WRONG = pytest.mark.parametrize("disturb", [created, copied_and_truncated])


@WRONG
def test_it_goes_on_in_memory(path, keyring, disturb):
    """Events wait in memory, with one warning that says what to write in the stanza, and none is lost after rotate."""
    with AuditLog(path, key=keyring) as log:
        act()
        disturb(path)
        with pytest.warns(AuditWarning, match="write 'nocreate' in its stanza"):
            act()
        act()  # a second warning would be an error
        assert path.stat().st_size == 0
        AuditLog(path, key=keyring).rotate()
        act()
        assert verify(path, key=keyring).count == log.head().count == 8
    assert verify(path.parent, key=keyring).count == 9
    assert path.read_text().count('"transform"') == 3


@WRONG
def test_what_shows_the_warning_may_use_keys(path, keyring, disturb, monkeypatch):
    """The warning is shown without the log's lock, so that a program's own way to show it can be recorded too."""
    monkeypatch.setattr(warnings, "showwarning", lambda *given, **also: act())
    with AuditLog(path, key=keyring) as log, warnings.catch_warnings():
        warnings.simplefilter("always")
        disturb(path)
        act()
        log.rotate()
    assert verify(path, key=keyring).count == 7


@WRONG
def test_its_own_rotate_puts_it_right(path, keyring, disturb):
    """The program's own log puts it right too."""
    with AuditLog(path, key=keyring) as log:
        disturb(path)
        with pytest.warns(AuditWarning):
            act()
        log.rotate()
        act()
    assert verify(path, key=keyring).count == 7


@WRONG
def test_it_fails_beyond_the_buffer(path, keyring, disturb):
    """More events than the buffer takes are refused, and what they were for is not done."""
    with AuditLog(path, key=keyring, buffer=2):
        disturb(path)
        with pytest.warns(AuditWarning, match="up to 2 events"):
            act()
        act()
        for attempt in (act, keyring.export_secret):
            with pytest.raises(SealedFileError, match="is empty, but its head counts 2 lines"):
                attempt()
        AuditLog(path, key=keyring).rotate()
        act()
    assert verify(path, key=keyring).count == 8


@WRONG
def test_without_a_buffer(path, keyring, disturb):
    """With a buffer of none the first event is refused."""
    with AuditLog(path, key=keyring, buffer=0) as log:
        disturb(path)
        with pytest.raises(SealedFileError, match="nocreate"):
            act()
        log.rotate()


@WRONG
def test_stopping_with_events_in_memory(path, keyring, disturb):
    """Stopping says how many events are in memory only; starting it after the repair writes them."""
    log = AuditLog(path, key=keyring).start()
    disturb(path)
    with pytest.warns(AuditWarning):
        act()
    with pytest.raises(SealedFileError, match="2 events are in memory only"):
        log.stop()
    AuditLog(path, key=keyring).rotate()
    log.start()
    log.stop()
    assert path.read_text().count('"transform"') == 1
    assert verify(path, key=keyring).count == 8


@WRONG
def test_a_log_is_not_started_there(path, keyring, disturb):
    """A program that starts now gets the warning too, and its events are not lost."""
    AuditLog(path, key=keyring).start().stop()
    disturb(path)
    log = AuditLog(path, key=keyring)
    with pytest.warns(AuditWarning):
        log.start()
    log.rotate()
    log.stop()
    assert verify(path, key=keyring).count == 7


def test_a_fork_does_not_write_what_waits(path, keyring):
    """What waits in memory is written by the process that it happened in, once."""
    with AuditLog(path, key=keyring):
        created(path)
        with pytest.warns(AuditWarning):
            act()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            code = 1
            try:
                AuditLog(path, key=keyring).rotate()
                act()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        act()
    assert path.read_text().count('"transform"') == 3
    assert verify(path, key=keyring).count == 8


def test_copied_lines_that_are_lost(path, keyring):
    """Lines that were written between copy and truncation are lost, and verifying names the first of them."""
    with AuditLog(path, key=keyring) as log:
        act()
        copied = path.read_bytes()
        act()
        os.truncate(path, 0)
        path.with_name("audit.jsonl.1").write_bytes(copied)
        log.rotate()
        act()
    with pytest.raises(SealedFileError, match="line 4: the log ends before it, but file 2 follows line 4"):
        verify(path, key=keyring)


def test_a_renamed_log_is_written_on(path, keyring):
    """After a rename events go into the renamed file, also those of a program that starts now."""
    with AuditLog(path, key=keyring):
        path.rename(path.with_name("audit.jsonl.1"))
        act()
        with AuditLog(path, key=keyring):
            act()
        assert not path.exists()
        AuditLog(path, key=keyring).rotate()
        act()
    assert sorted(file.name for file in path.parent.iterdir()) == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.head"]
    assert verify(path, key=keyring).count == 11


def test_a_renamed_log_that_was_compressed(path, keyring):
    """Where a renamed file was compressed at once, events go on in a new file of the chain."""
    with AuditLog(path, key=keyring):
        act()
        path.with_name("audit.jsonl.1.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        act()
    assert verify(path, key=keyring).count == 6


def test_a_removed_log(path, keyring):
    """A log that was removed takes no event: nothing is done; rotate goes on, and verifying names the missing file."""
    with AuditLog(path, key=keyring) as log:
        path.unlink()
        for _ in range(2):
            with pytest.raises(SealedFileError, match="is missing, but its head is there"):
                act()
        log.rotate()
        act()
    with pytest.raises(SealedFileError, match="file 1 of the log is missing, which begins with line 1"):
        verify(path, key=keyring)
    assert verify(path, key=keyring, first_file=2).count == 5


def test_an_emptied_log_is_no_way_to_lose_events(path, keyring):
    """Emptying the log after the fact is found, before and after it goes on."""
    with AuditLog(path, key=keyring):
        act()
    os.truncate(path, 0)
    with pytest.raises(SealedFileError, match="line 1: the log ends before it"):
        verify(path, key=keyring)
    AuditLog(path, key=keyring).rotate()
    with pytest.raises(SealedFileError, match="file 1 of the log is missing"):
        verify(path, key=keyring)
