"""The real logrotate, with the stanzas of the documentation, under services that write."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from modelpriv._core import events
from modelpriv.audit import AuditLog, verify
from modelpriv.errors import AuditWarning

IN_CI = bool(os.environ.get("MODELPRIV_CI"))  # read now: a fixture takes MODELPRIV_* away from each test
PAGE = Path(__file__).parents[2] / "docs" / "keys" / "audit.md"


@pytest.fixture(autouse=True)
def _needs_logrotate():
    """Skip where it is missing; in CI, fail."""
    if shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        words = "install logrotate"
        pytest.fail(words) if IN_CI else pytest.skip(words)


@pytest.fixture
def path(tmp_path):
    """Where the log is, in a folder of its own."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "audit.jsonl"


@pytest.fixture
def environment(keyring):
    """What programs need to use this package and this keyring."""
    python_path = os.pathsep.join(filter(None, sys.path))
    return os.environ | {"MODELPRIV_KEYRING": keyring.export_secret(), "PYTHONPATH": python_path}


@pytest.fixture
def logrotate(tmp_path, environment):
    """Run logrotate now, with a stanza for the log."""

    def run(stanza):
        configuration = tmp_path / "logrotate.conf"
        configuration.write_text(stanza)
        configuration.chmod(0o600)
        program = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        done = subprocess.run(
            [program, "--force", "--state", str(tmp_path / "state"), str(configuration)],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
        )
        assert (done.returncode, done.stderr) == (0, "")

    return run


def documented(number, path):
    """Return a stanza of the page, for this log."""
    stanza = PAGE.read_text().split("```text\n/var/log/app/audit.jsonl {")[number].partition("```")[0]
    stanza = f"{path} {{{stanza}".replace("/var/log/app/audit.jsonl", str(path))
    here = {
        "su app app": f"su {path.owner()} {path.group()}",
        "file:/etc/app/keys.json": "env:MODELPRIV_KEYRING",
        "python -m": f"{sys.executable} -m",
    }
    for name, value in here.items():
        stanza = stanza.replace(name, value)
    return stanza


def wrong(path, word):
    return f"{path} {{\n    daily\n    rotate 9\n    {word}\n}}\n"


def act():
    with events.event("transform", "FieldEncryptor"):
        pass


def test_the_documented_stanza(path, keyring, logrotate, services):
    """Renamed, rotated by the command and compressed, three times under two services: one chain, and nothing lost."""
    for _ in range(2):
        services.start()
    for _ in range(3):
        logrotate(documented(1, path).replace("delaycompress", ""))
    counts = services.stop()
    found = sorted(file.name for file in path.parent.iterdir())
    assert [name for name in found if name.endswith(".gz")] == [f"audit.jsonl.{number}.gz" for number in (1, 2, 3)]
    assert len(found) == 5
    assert verify(path.parent, key=keyring).count == sum(counts) + 2 * 2 + 1 + 3 * 2


def test_the_documented_stanza_with_a_signal(path, keyring, logrotate, services, tmp_path):
    """Renamed, and rotated by SIGHUP to the service: one chain, and nothing lost."""
    worker = services.start()
    (tmp_path / "app.pid").write_text(str(worker.pid))
    for number in (1, 2):
        logrotate(documented(2, path).replace("/run/app.pid", str(tmp_path / "app.pid")))
        while not path.exists():
            assert worker.poll() is None
        assert len(list(path.parent.glob("audit.jsonl.[0-9]*"))) == number
    (count,) = services.stop()
    assert verify(path.parent, key=keyring).count == count + 2 + 1 + 2 * 2


@pytest.mark.parametrize("word", ["create", "copytruncate"])
def test_what_is_refused(path, keyring, logrotate, environment, word):
    """With create and copytruncate the service goes on, says what to write instead, and after that loses nothing."""
    with AuditLog(path, key=keyring):
        act()
        logrotate(wrong(path, word))
        with pytest.warns(AuditWarning, match="write 'nocreate' in its stanza"):
            act()
        said = subprocess.run(
            [sys.executable, "-m", "modelpriv", "audit", "rotate", str(path), "--key", "env:MODELPRIV_KEYRING"],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        ).stdout
        assert "rotated; the new file begins with line 5" in said
        act()
        logrotate(documented(1, path))
        act()
    assert verify(path, key=keyring).count == 11


def test_a_signal_is_no_way_around(path, keyring, logrotate):
    """With create, SIGHUP warns and leaves the log as it is."""
    with AuditLog(path, key=keyring, rotate_on_sighup=True) as log:
        logrotate(wrong(path, "create"))
        from modelpriv.audit import hangup  # noqa: PLC0415 - what the signal starts, in this thread

        with pytest.warns(AuditWarning, match="not rotated: .*nocreate"):
            hangup._rotate_all()
        assert path.stat().st_size == 0
        log.rotate()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    assert verify(path, key=keyring).count == 5
