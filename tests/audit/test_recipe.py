"""The script of the documentation that verifies a log from cron and notes its head."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelpriv.audit import AuditLog

PAGE = Path(__file__).parents[2] / "docs" / "keys" / "audit.md"


@pytest.fixture
def folder(tmp_path):
    """Where the log is."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.fixture
def cron(tmp_path, folder, keyring):
    """Run the script, and give its code, what it said and the head that is noted now."""
    script = PAGE.read_text().partition("```sh\n")[2].partition("```")[0]
    noted = tmp_path / "noted"
    here = {
        "/var/log/app": str(folder),
        "/mnt/noted/audit.head": str(noted),
        "file:/etc/app/keys.json": "env:MODELPRIV_KEYRING",
        "python -m": f"{sys.executable} -m",
    }
    for name, value in here.items():
        assert name in script
        script = script.replace(name, value)
    python_path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"MODELPRIV_KEYRING": keyring.export_secret(), "PYTHONPATH": python_path}

    def run(head=None):
        if head is not None:
            noted.write_text(head + "\n")
        done = subprocess.run(
            [shutil.which("sh"), "-c", script], check=False, capture_output=True, text=True, env=environment
        )
        return done.returncode, done.stderr, noted.read_text().strip()

    return run


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_script(cron, folder, keyring):
    """It notes each head, is silent while all is whole, and finds a log that was put back, also after a rotation."""
    path = folder / "audit.jsonl"
    log = AuditLog(path, key=keyring).start()
    older = {file: file.read_bytes() for file in folder.iterdir()}
    first = str(log.head())
    log.rotate()
    log.stop()
    assert cron(first) == (0, "", str(log.head()))
    log.start()
    log.stop()
    noted = str(log.head())
    assert cron() == (0, "", noted)
    for file in folder.iterdir():
        file.unlink()
    for file, content in older.items():
        file.write_bytes(content)
    code, said, still = cron()
    assert (code, "the log ends before it, but the expected head counts 7" in said, still) == (1, True, noted)
