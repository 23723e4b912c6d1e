"""Services that write events while others rotate their log."""

import subprocess
import sys

import pytest
from rotated_logs import act

from modelpriv.audit import AuditLog

SERVICE = """
import os, sys, time
from modelpriv import Keyring
from modelpriv._core import events
from modelpriv.audit import AuditLog
keys, count = Keyring.from_secret(sys.stdin.readline().strip()), 0
with AuditLog(sys.argv[1], key=keys, rotate_on_sighup=True):
    print("ready", flush=True)
    while not os.path.exists(sys.argv[2]):
        with events.event("transform", "FieldEncryptor", rows=count):
            pass
        count += 1
        time.sleep(0.0005)
print(count)
"""


class Services:
    """Processes that write events until all are told to stop; any warning ends them."""

    def __init__(self, path, secret, stop):
        self.running, self._arguments, self._secret, self._stop = [], [str(path), str(stop)], secret, stop

    def start(self):
        """Start one, and wait until it writes."""
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SERVICE, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        process.stdin.write(self._secret + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        return process

    def stop(self):
        """Stop all, and give how many events each has done."""
        self._stop.touch()
        return [int(process.communicate(timeout=60)[0]) for process in self.running]


@pytest.fixture
def services(path, keyring, tmp_path):
    """Start services, and see that none is left."""
    started = Services(path, keyring.export_secret(), tmp_path / "stop")
    yield started
    for process in started.running:
        process.kill()
        process.communicate()


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
