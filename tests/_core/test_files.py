"""Files that are written whole or not at all."""

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from modelpriv._core import events, files
from modelpriv.errors import ParameterError

OLD, NEW = b"old " * 100, b"new, and longer " * 10_000

posix = pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX")


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path):
    """A file with the old content, alone in its directory."""
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


@pytest.mark.parametrize("durable", [False, True])
def test_the_new_content_takes_the_old_ones_place(path, durable):
    """After the block the file is the new one, and nothing else is left beside it."""
    with files.replacing(path, durable=durable) as file:
        file.write(NEW)
        assert path.read_bytes() == OLD
    assert path.read_bytes() == NEW
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_was_not_there(tmp_path):
    """A path where nothing is gets a file."""
    with files.replacing(str(tmp_path / "fresh")) as file:
        file.write(NEW)
    assert (tmp_path / "fresh").read_bytes() == NEW


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_leaves_the_old_file(path, error):
    """When the block raises, whatever it raises, the old file is whole and alone."""
    writing = files.replacing(path)
    writing.__enter__().write(NEW)
    assert not writing.__exit__(error, error(), None)
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_the_event_is_recorded_before_the_rename(path):
    """Where the event that is going on cannot be recorded, the old file stays; else it is recorded once, as done."""
    heard = []

    def hear(facts, created):
        heard.append((path.read_bytes() == OLD, facts["result"]))
        if len(heard) == 1:
            raise OSError(errno.ENOSPC, "the log is full")

    listener = events.Listener(hear)
    listener.attach()
    try:
        with pytest.raises(OSError, match="the log is full"), events.event("save", "test"):
            replace_with_new(path)
        assert path.read_bytes() == OLD
        assert list(path.parent.iterdir()) == [path]
        with events.event("save", "test"):
            replace_with_new(path)
    finally:
        listener.detach()
    assert path.read_bytes() == NEW
    assert heard == [(True, "ok"), (True, "OSError"), (True, "ok")]


def replace_with_new(path):
    with files.replacing(path) as file:
        file.write(NEW)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    """When the disk is full, the error comes out and the old file is whole and alone."""
    fdopen = os.fdopen

    def full(descriptor, mode):
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
        return fdopen(descriptor, mode)

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OSError, match="No space left") as raised, files.replacing(path) as file:
        file.write(NEW)
    assert raised.value.errno == errno.ENOSPC
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


@posix
def test_permissions_as_asked(path):
    """The permissions that are asked for hold, whatever the umask and the old file's."""
    path.chmod(0o644)
    with files.replacing(path, mode=0o600) as file:
        file.write(NEW)
        (temporary,) = set(path.parent.iterdir()) - {path}
        assert permissions(temporary) == 0o600
    assert permissions(path) == 0o600


@posix
def test_permissions_are_kept(path):
    """Without being asked, the permissions of the file that is replaced stay."""
    path.chmod(0o640)
    with files.replacing(path) as file:
        file.write(NEW)
    assert permissions(path) == 0o640


@posix
def test_permissions_of_a_fresh_file(tmp_path):
    """A file that was not there gets what the umask gives, as from ``open``."""
    with files.replacing(tmp_path / "fresh") as file:
        file.write(NEW)
    (tmp_path / "plain").write_bytes(NEW)
    assert permissions(tmp_path / "fresh") == permissions(tmp_path / "plain")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_followed(path):
    """Written through a symbolic link, the link stays and what it points to is replaced."""
    link = path.with_name("link")
    link.symlink_to(path)
    with files.replacing(link) as file:
        file.write(NEW)
    assert link.is_symlink()
    assert path.read_bytes() == NEW


@pytest.mark.parametrize("place", ["directory", os.devnull])
def test_what_is_no_file_is_refused(tmp_path, place):
    """A directory or a device is refused before anything is written, and is still there."""
    (tmp_path / "directory").mkdir()
    with pytest.raises(ParameterError, match="not a regular file"), files.replacing(tmp_path / place):
        pytest.fail("the block ran")
    assert [path.name for path in tmp_path.iterdir()] == ["directory"]


@pytest.mark.parametrize("durable", [False, True])
def test_death_at_every_step(path, interrupt_everywhere, durable):
    """A process that dies at any step leaves the old file or the new one, whole."""

    def save():
        with files.replacing(path, durable=durable) as file:
            file.write(NEW)
            file.write(NEW)

    def whole():
        return {OLD: "old", NEW + NEW: "new"}[path.read_bytes()]

    outcomes = interrupt_everywhere(lambda: path.write_bytes(OLD), save, whole)
    states = [state for _, state in outcomes]
    assert states == sorted(states, reverse=True)  # old, and from the rename on new
    assert dict(outcomes)["before replace"] == "old"
    assert dict(outcomes)["after replace"] == "new"
    assert ("after fsync" in dict(outcomes)) is durable
    assert outcomes[-1] == (None, "new")


def test_a_save_in_place_is_found_out(path, interrupt_everywhere):
    """The deaths are real: a file that is written in place is found torn."""

    def whole():
        return {OLD: "old", NEW: "new"}.get(path.read_bytes(), "torn")

    outcomes = interrupt_everywhere(lambda: path.write_bytes(OLD), lambda: path.write_bytes(NEW), whole)
    assert {state for _, state in outcomes} == {"old", "torn", "new"}
