"""A log that rotates: one chain over all its files, by whatever program, and whole whenever its writer dies."""

import gzip
import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelpriv._core import events
from modelpriv.audit import AuditLog, hangup, verify
from modelpriv.audit import writer as writer_module
from modelpriv.errors import AuditWarning, KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Keyring

POSIX = pytest.mark.skipif(os.name != "posix", reason="renames files that are open, which only POSIX can")


@pytest.fixture
def path(tmp_path):
    """Where the log is, in a folder of its own."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "audit.jsonl"


@pytest.fixture
def rotated(path, keyring):
    """A log of three files, and its id."""
    with AuditLog(path, key=keyring) as log:
        for _ in range(2):
            act()
            log.rotate()
        act()
        return log.id


def act(**facts):
    with events.event("transform", "FieldEncryptor", **facts):
        pass


def head_of(path):
    return path.with_name(path.name + ".head")


def names(path):
    return sorted(file.name for file in path.parent.iterdir())


def lines(*paths):
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def parts(path):
    return [*sorted(path.parent.glob("audit.jsonl.0*")), path]


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


# Another log in its place


@pytest.fixture
def two_logs(tmp_path, keyring):
    """Two logs of one keyring, in one folder."""
    for name in ("one", "two"):
        with AuditLog(tmp_path / name, key=keyring):
            act(name=name)
    return tmp_path


def put_in_place(source, target):
    for suffix in ("", ".head"):
        shutil.copy(f"{source}{suffix}", f"{target}{suffix}")


def test_another_log_of_the_keyring(two_logs, keyring):
    """Another log of the keyring in the place of one that is stopped is refused, for reading and for writing."""
    put_in_place(two_logs / "two", two_logs / "one")
    for attempt in (
        lambda: verify(two_logs / "one", key=keyring),
        lambda: AuditLog(two_logs / "one", key=keyring).start(),
    ):
        with pytest.raises(SealedFileError, match="was written as 'two'"):
            attempt()


def test_another_log_of_the_same_name(two_logs, keyring):
    """A log of the same name from another folder is refused where you pass the id that you expect, or a head."""
    wanted, elsewhere = verify(two_logs / "one", key=keyring), two_logs / "elsewhere"
    elsewhere.mkdir()
    with AuditLog(elsewhere / "one", key=keyring):
        act()
    put_in_place(elsewhere / "one", two_logs / "one")
    for expected in ({"expected_id": wanted.log_id}, {"expected_head": str(wanted)}):
        with pytest.raises(SealedFileError, match="which you expected"):
            verify(two_logs / "one", key=keyring, **expected)
    with pytest.raises(SealedFileError, match="was written here before"):
        AuditLog(two_logs / "one", key=keyring, expected_id=wanted.log_id).start()


def test_a_log_that_was_renamed_on_purpose(two_logs, keyring):
    """A log with another name is read and continued by its id."""
    wanted, moved = verify(two_logs / "one", key=keyring), two_logs / "moved"
    for suffix in ("", ".head"):
        Path(f"{two_logs / 'one'}{suffix}").rename(f"{moved}{suffix}")
    assert verify(moved, key=keyring, expected_id=wanted.log_id) == wanted
    with AuditLog(moved, key=keyring, expected_id=wanted.log_id):
        act()
    assert verify(moved, key=keyring, expected_id=wanted.log_id).count == wanted.count + 3


@pytest.mark.parametrize("swapped", ["", ".head"])
def test_half_of_another_log(two_logs, keyring, swapped):
    """The file of one log with the head of another is refused."""
    shutil.copy(f"{two_logs / 'two'}{swapped}", f"{two_logs / 'one'}{swapped}")
    for attempt in (
        lambda: verify(two_logs / "one", key=keyring),
        lambda: AuditLog(two_logs / "one", key=keyring).start(),
    ):
        with pytest.raises(SealedFileError):
            attempt()


def test_the_file_of_another_log_while_it_is_written(two_logs, keyring):
    """A file of another log that takes the place of the open one gets no line, however often it is tried."""
    with AuditLog(two_logs / "one", key=keyring):
        kept = (two_logs / "one").read_bytes()
        (two_logs / "one").unlink()
        shutil.copy(two_logs / "two", two_logs / "one")
        for _ in range(3):
            with pytest.raises(SealedFileError):
                act()
        (two_logs / "one").unlink()
        (two_logs / "one").write_bytes(kept)
    assert verify(two_logs / "one", key=keyring).count == 6


@pytest.mark.parametrize("expected", ["", "canary", "0" * 31, 5])
def test_what_is_no_id(path, keyring, expected):
    """An id that is none is refused, and not shown."""
    for attempt in (
        lambda: verify(path, key=keyring, expected_id=expected),
        lambda: AuditLog(path, key=keyring, expected_id=expected),
    ):
        with pytest.raises(ParameterError, match="32 hexadecimal digits") as raised:
            attempt()
        assert "canary" not in str(raised.value)


def test_an_expected_log_that_is_not_there(path, keyring):
    """A log that you expect is not begun where there is none."""
    with pytest.raises(SealedFileError, match="empty or missing"):
        AuditLog(path, key=keyring, expected_id="0" * 32).start()
    assert not path.exists()


# When it rotates


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


@POSIX
def test_one_signal_to_all_processes_rotates_once(path, keyring, service):
    """Processes of one service that all get the signal rotate once, lose no event, and keep one chain."""
    workers = [service(4) for _ in range(2)]
    for worker in workers:
        worker.send_signal(signal.SIGHUP)
        time.sleep(0.1)
    counts = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert names(path) == ["audit.jsonl", "audit.jsonl.000001", "audit.jsonl.head"]
    assert verify(path, key=keyring).count == sum(counts) + 2 * 2 + 3
    assert len({line["pid"] for line in lines(path) if line["action"] == "transform"}) == 2


@POSIX
def test_another_process_rotates_under_writers(path, keyring, service):
    """While others write, a log is rotated again and again from this process, and nothing is lost."""
    workers = [service(3) for _ in range(2)]
    for _ in range(20):
        AuditLog(path, key=keyring).rotate()
        time.sleep(0.05)
    counts = [int(worker.communicate(timeout=60)[0]) for worker in workers]
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


@POSIX
def test_permissions_of_the_next_file(path, keyring):
    """The next file has the permissions of the head: whom you let read the log can read on."""
    with AuditLog(path, key=keyring) as log:
        head_of(path).chmod(0o640)
        log.rotate()
    assert path.stat().st_mode & 0o777 == 0o640


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


def test_an_older_state_that_was_rotated(path, keyring):
    """A log that was put back, written on and rotated by another program is refused by the one that wrote it before."""
    with AuditLog(path, key=keyring) as log:
        act()
        kept = {file: file.read_bytes() for file in (path, head_of(path))}
        act()
        for file, content in kept.items():
            file.write_bytes(content)
        other = AuditLog(path, key=keyring)
        for _ in range(3):
            other.rotate()
        for _ in range(2):
            with pytest.raises(SealedFileError, match="older state"):
                act()
        with pytest.raises(SealedFileError, match="older state"):
            log.head()
        for file in path.parent.iterdir():
            file.unlink()
        for file, content in kept.items():
            file.write_bytes(content)
        with pytest.raises(SealedFileError, match="older state"):
            log.stop()


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


@POSIX
@pytest.mark.parametrize("name", ["audit.jsonl", "audit.jsonl.head"])
def test_a_link_in_the_place_of_a_file(path, keyring, name):
    """A symbolic link in the place of log or head is not followed, so that root writes into no other file."""
    target = path.with_name("target")
    target.write_text("canary")
    (path.parent / name).symlink_to(target)
    with pytest.raises(SealedFileError, match="symbolic link"):
        AuditLog(path, key=keyring).start()
    assert target.read_text() == "canary"


@POSIX
def test_a_link_in_the_place_of_the_next_file(path, keyring):
    """A link where the next file is written before it is renamed is removed, and not followed."""
    target = path.with_name("target")
    target.write_text("canary")
    with AuditLog(path, key=keyring) as log:
        path.with_name(".audit.jsonl.next").symlink_to(target)
        log.rotate()
    assert target.read_text() == "canary"
    assert not path.is_symlink()
    assert verify(path, key=keyring).count == 5


@POSIX
def test_the_next_file_runs_as_no_one(path, keyring):
    """Bits of the head that would make a file run as its owner are not taken over."""
    with AuditLog(path, key=keyring) as log:
        head_of(path).chmod(0o6777)
        log.rotate()
    assert path.stat().st_mode & 0o7777 == 0o666


@POSIX
def test_killed_while_it_rotates(path, keyring):
    """A writer that is killed at any moment, again and again, loses no event that was done, and leaves one chain."""
    done, reading, writing = 0, *os.pipe()
    for round_ in range(25):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            with AuditLog(path, key=keyring) as log:
                while True:
                    act()
                    os.write(writing, b".")
                    log.rotate()
        time.sleep(0.01 + 0.002 * round_)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        done = len(pipe.read())
    AuditLog(path, key=keyring).head()
    head = verify(path, key=keyring)
    recorded = sum(line["action"] == "transform" for line in lines(*parts(path)))
    assert done > 25
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
