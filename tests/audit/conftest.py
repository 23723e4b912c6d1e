"""A service that writes events while others rotate its log."""

import subprocess
import sys

import pytest

SERVICE = """
import sys, time
from modelpriv import Keyring
from modelpriv._core import events
from modelpriv.audit import AuditLog
keys = Keyring.from_secret(sys.stdin.readline().strip())
with AuditLog(sys.argv[1], key=keys, rotate_on_sighup=True):
    print("ready", flush=True)
    until = time.monotonic() + float(sys.argv[2])
    count = 0
    while time.monotonic() < until:
        with events.event("transform", "FieldEncryptor", rows=count):
            pass
        count += 1
        time.sleep(0.0005)
print(count)
"""


@pytest.fixture
def service(path, keyring):
    """Start a service that writes events for some seconds, and wait until it writes; any warning ends it."""
    started = []

    def start(seconds):
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SERVICE, str(path), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        process.stdin.write(keyring.export_secret() + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
