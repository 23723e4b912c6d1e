"""Another log, an older state, or a link in the place of a log."""

import os
import shutil
from pathlib import Path

import pytest
from rotated_logs import POSIX, act

from modelpriv.audit import AuditLog, verify
from modelpriv.errors import ParameterError, SealedFileError


def head_of(path):
    return path.with_name(path.name + ".head")


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
    """Text that is not an id is refused, and not shown."""
    for attempt in (
        lambda: verify(path, key=keyring, expected_id=expected),
        lambda: AuditLog(path, key=keyring, expected_id=expected),
    ):
        with pytest.raises(ParameterError, match="32 hexadecimal digits") as raised:
            attempt()
        assert "canary" not in str(raised.value)


def test_an_expected_log_that_is_not_there(path, keyring):
    """If the log that you expect does not exist, no new one is begun."""
    with pytest.raises(SealedFileError, match="empty or missing"):
        AuditLog(path, key=keyring, expected_id="0" * 32).start()
    assert not path.exists()


@POSIX
def test_permissions_of_the_next_file(path, keyring):
    """The next file has the permissions of the head: whom you let read the log can read on."""
    with AuditLog(path, key=keyring) as log:
        head_of(path).chmod(0o640)
        log.rotate()
    assert path.stat().st_mode & 0o777 == 0o640


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


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="gives files to others, as root can")
def test_root_rotates_for_a_service(path, keyring):
    """The next file belongs to the owner of the head, so that a service goes on when root rotated its log."""
    with AuditLog(path, key=keyring) as log:
        for file in (path, head_of(path)):
            os.chown(file, 12345, 12346)
        log.rotate()
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)
