"""Die at every step that a save takes on the disk, and see what is left.

Each death is a forked child that ends by ``os._exit`` before, within or after one call that opens, writes, truncates,
syncs, renames, removes or changes permissions. The parent is warm: the child repeats only the save.
"""

import builtins
import io
import os
import time
import traceback
import warnings

import pytest

DIED, FAILED = 77, 78
PATIENCE = 60.0
CALLS = [
    "open",
    "write",
    "pwrite",
    "writev",
    "pwritev",
    "sendfile",
    "truncate",
    "ftruncate",
    "posix_fallocate",
    "fsync",
    "fdatasync",
    "rename",
    "replace",
    "link",
    "unlink",
    "remove",
    "chmod",
    "fchmod",
    "mkdir",
    "rmdir",
]


def interrupt_everywhere(prepare, save, whole):
    """Let ``save`` die at each of its steps in turn, and last of all finish.

    Parameters
    ----------
    prepare : callable
        Called before each time, in this process: puts the old state in place.
    save : callable
        What is interrupted; it runs in a child and gets no arguments.
    whole : callable
        Called after each time, in this process: reads the state and gives what it is (say "old" or "new"); it raises
        if it is neither.

    Returns
    -------
    outcomes : list of tuple
        For each time the step at which it died (None for the last, when it did not) and what ``whole`` gave.
    """
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    outcomes = []
    while not outcomes or outcomes[-1][0] is not None:
        prepare()
        step = _run(save, len(outcomes))
        outcomes.append((step, whole()))
    return outcomes


def _run(save, deadline):
    """Run a save in a child until its step number ``deadline``; give the name of that step, None if there is none."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns of a fork beside threads; the child calls the save and nothing that waits for one.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _child(save, deadline, writing)
    os.close(writing)
    status = _wait(pid)
    with os.fdopen(reading, "rb") as pipe:
        step = pipe.read().decode()
    assert status in {0, DIED}, f"the save itself failed ({status}):\n{step}"
    return step if status == DIED else None


def _child(save, deadline, pipe):
    """Run the save in this process, which does not come back from it."""
    end, tell = os._exit, os.write
    count = 0

    def step(name):
        nonlocal count
        if count == deadline:
            tell(pipe, name.encode())
            end(DIED)
        count += 1

    try:
        _watch(step)
        save()
        end(0)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent reports it and this child ends
        tell(pipe, traceback.format_exc().encode())
        end(FAILED)


def _wait(pid):
    """Give the exit status of a child; one that hangs is ended."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    raise AssertionError(f"the save hangs: it was ended after {PATIENCE} s")


def _watch(step):
    """Put a step before and after each call that touches the disk; for a forked child, so nothing is put back."""

    def around(name, call):
        def stepping(*args, **kwargs):
            step(f"before {name}")
            result = call(*args, **kwargs)
            step(f"after {name}")
            return result

        return stepping

    open_file = io.open

    def opening(file, mode="r", *args, **kwargs):
        if not set(mode) & set("wax+"):
            return open_file(file, mode, *args, **kwargs)
        opener = open_file if isinstance(file, int) else around("open", open_file)
        return _File(opener(file, mode, *args, **kwargs), step)

    builtins.open = io.open = opening
    for name in CALLS:
        if hasattr(os, name):
            setattr(os, name, around(name, getattr(os, name)))


class _File:
    """A file that can die before, within and after each write: what was written until then is on the disk."""

    def __init__(self, file, step):
        self._file, self._step = file, step

    def write(self, data):
        view = memoryview(data).cast("B") if not isinstance(data, str) else data
        self._step("before write")
        half = len(view) // 2
        for part, name in ((view[:half], "within write"), (view[half:], "after write")):
            left = part
            while len(left):
                left = left[self._file.write(left) :]
            self._file.flush()
            self._step(name)
        return len(view)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def truncate(self, size=None):
        self._step("before truncate")
        result = self._file.truncate(size)
        self._step("after truncate")
        return result

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __iter__(self):
        return iter(self._file)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()
