"""The page of the command, run as a new user types it: real processes, in a real shell."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "command.md").read_text().partition("## Tables")[0]
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
IDS = ("5e0c92d1", "90ab7f3c")  # as the page has them: the older key and the newer one
PASSPHRASE = "canary words"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="the page is written for a shell")
def test_the_page_runs(tmp_path):
    """Every call of the page, between its Python blocks, says what the page shows and never the passphrase."""
    folder = Path(sys.executable).parent
    environment = os.environ | {"MODELPRIV_PASSPHRASE": PASSPHRASE, "PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"

    def run(*arguments):
        return subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
        )

    ids, ran, program = [], 0, ""
    for kind, block in BLOCK.findall(PAGE):
        if kind == "python":
            program += block
            continue
        if program:
            assert run(sys.executable, "-c", program).returncode == 0
            program = ""
        for call, shown in CALL.findall(block):
            done = run("/bin/bash", "-c", named(call, ids))
            assert done.returncode == (1 if "opens a sealed model" in shown else 0), done.stderr
            assert "canary" not in done.stdout + done.stderr
            if re.search(" (keygen|rotate) keys.json", call):
                public = json.loads((tmp_path / "keys.json").read_text())["public"]
                ids = public["key_ids"][::-1]
            assert shown in {"", named(done.stdout, IDS, ids)}
            ran += 1
    assert ran > 15


def named(text, ids, instead=IDS):
    """The text with these key ids in the place of others."""
    for one, other in zip(instead, ids, strict=False):
        text = text.replace(one, other)
    return text
