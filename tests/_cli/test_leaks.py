"""The command ``leaks`` tells by its exit code whether a folder may be handed on, and shows no value."""

import json
import pickle

import pytest
from sklearn.linear_model import Ridge

from modelpriv import EncryptedEstimator, Keyring, dump
from modelpriv.__main__ import main

CANARY = "canary-b6ac18d3"


@pytest.fixture
def run(capsys):
    """Runs the command, and gives its code and what it wrote."""

    def command(*arguments):
        code = main(["leaks", *map(str, arguments)])
        written = capsys.readouterr()
        assert CANARY not in written.out + written.err
        return code, written.out + written.err

    return command


@pytest.fixture
def folder(tmp_path):
    """A folder that holds a sealed model."""
    dump(Ridge(), tmp_path / "model.mpriv", key=Keyring.generate())
    return tmp_path


def test_nothing(run, folder):
    """A folder of sealed models gives 0."""
    assert run(folder) == (0, f"{folder.name}: nothing in plain text\n")


def test_findings(run, folder):
    """Anything readable gives 1, and its place is written."""
    (folder / "notes.txt").write_text(CANARY)
    code, said = run(folder)
    assert code == 1
    assert "notes.txt" in said


@pytest.mark.parametrize("content", [b"\x80\x05\x8c", b"\x00\xff\x00\xff"])
def test_what_cannot_be_read(run, folder, content):
    """A file that is cut or of no known kind gives 3, whatever else is found."""
    (folder / "notes.txt").write_text(CANARY)
    (folder / "other.bin").write_bytes(content)
    code, said = run(folder)
    assert code == 3
    assert "other.bin" in said
    assert "unread" in said


def test_a_missing_path(run, tmp_path):
    """So does a path that is not there, with the reason."""
    code, said = run(tmp_path / "nothing")
    assert code == 3
    assert "No such file" in said


def test_the_severity(run, tmp_path, monkeypatch):
    """Where a key is kept fails only if that is asked for."""
    monkeypatch.setenv("MODEL_KEYS", Keyring.generate().export_secret())
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(EncryptedEstimator(Ridge(), key="env:MODEL_KEYS")))
    assert run(path)[0] == 0
    assert run(path, "--fail-on", "low")[0] == 1
    path.write_bytes(pickle.dumps(Ridge))
    assert run(path)[0] == 1
    assert run(path, "--fail-on", "high")[0] == 0


def test_json(run, folder):
    """With --json it writes one JSON text, with the same code."""
    (folder / "notes.txt").write_text(CANARY)
    code, said = run(folder, "--json")
    assert code == 1
    (leak,) = json.loads(said)["leaks"]
    assert (leak["path"], leak["place"], leak["kind"], leak["severity"]) == ("notes.txt", "text", "text", "high")
    assert leak["content"] is None
