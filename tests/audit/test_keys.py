"""A log whose key is a URI follows the keyring: a rotation of the key, and then of the log, does not stop a service."""

import json

import pytest

from modelpriv import AuditLog
from modelpriv.audit import verify
from modelpriv.errors import KeyUnavailableError


def actions(folder):
    """What the lines of all files of a log say."""
    files = [file for file in sorted(folder.glob("log*")) if ".head" not in file.name]
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [line["action"] for line in lines]


def test_a_rotated_key_and_then_a_rotated_log(keyring, tmp_path, monkeypatch):
    """A writer goes on when another process rotated the log under a newer key that its URI names by then."""
    path, newer = tmp_path / "log", keyring.rotate()
    monkeypatch.setenv("RING", keyring.export_secret())
    with AuditLog(path, key="env:RING"):
        keyring.scoped(["a"])
        monkeypatch.setenv("RING", newer.export_secret())
        AuditLog(path, key=newer).rotate()
        for _ in range(3):
            keyring.scoped(["a"])
    assert actions(tmp_path).count("scoped") == 4
    verify(path, key=newer)


def test_without_the_newer_key(keyring, tmp_path):
    """Without a URI that names the newer key, nothing is done that cannot be recorded."""
    path, newer = tmp_path / "log", keyring.rotate()
    log = AuditLog(path, key=keyring).start()
    AuditLog(path, key=newer).rotate()
    with pytest.raises(KeyUnavailableError):
        keyring.scoped(["a"])
    with pytest.raises(KeyUnavailableError):
        log.stop()
