"""What tests of the command share: running it where a passphrase is set, with canaries in all that it writes."""

import json
import re

import pytest

from modelpriv.__main__ import main
from modelpriv.keys.providers import passphrase

PASSPHRASE = "canary words"


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    """Let what a test writes cost next to nothing to open."""
    monkeypatch.setattr(passphrase, "_PASSES", 1)
    monkeypatch.setattr(passphrase, "_MEMORY_KIB", 64)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command in an empty folder, and give its code and what it wrote, out and err as one text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)

    def command(*arguments):
        code = main(list(map(str, arguments)))
        written = capsys.readouterr()
        assert "canary" not in written.out + written.err
        assert not re.search(r"modelpriv_secret_\w+_1_[\w-]{8}", written.out + written.err)
        assert "Traceback" not in written.err
        return code, written.out + written.err

    return command


@pytest.fixture
def ask(run):
    """Run the command with ``--json``, and give what it answers; it must be done."""

    def command(*arguments):
        code, said = run(*arguments, "--json")
        assert code == 0, said
        return json.loads(said)

    return command
