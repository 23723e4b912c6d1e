"""The command ``usage`` says which keys are needed, and by its exit code whether one key is."""

import json

import pytest
from sklearn.linear_model import Ridge

from modelpriv import dump


@pytest.fixture
def folder(run, tmp_path, keyring):
    """A folder with a sealed model."""
    (tmp_path / "models").mkdir()
    dump(Ridge(), tmp_path / "models" / "a.mpriv", key=keyring)
    return tmp_path / "models"


def test_a_table(run, folder, keyring):
    """What needs a key is listed, with its path and the number of times."""
    code, said = run("usage", "models")
    assert code == 0
    assert f"models/a.mpriv  opens a sealed model  {keyring.primary}  1" in said


def test_json(ask, folder, keyring):
    """As JSON it is the sums, the rows, and what could not be read; several paths are one answer."""
    found = ask("usage", "models", "models/a.mpriv")
    row = {"path": "models/a.mpriv", "what": "opens a sealed model", "key_id": keyring.primary, "count": 2}
    assert found == {"key_ids": {keyring.primary: 2}, "uses": [row], "unread": []}


def test_one_key(run, folder, keyring):
    """Asked for one key, the exit code says whether it is needed."""
    assert run("usage", "models", "--key-id", keyring.primary)[0] == 1
    code, said = run("usage", "models", "--key-id", keyring.rotate().primary)
    assert (code, said) == (0, "no key is used\n")


def test_what_cannot_be_read(run, folder):
    """What cannot be read is listed and gives 3, unless it is passed over; a path that is not there too."""
    (folder / "b.7z").write_bytes(b"7z\xbc\xaf canary")
    code, said = run("usage", "models", "--json")
    assert (code, json.loads(said)["unread"][0]["path"]) == (3, "models/b.7z")
    assert run("usage", "models", "--ignore", "*.7z")[0] == 0
    code, said = run("usage", "nowhere", "models/a.mpriv")
    assert (code, "not read: 'nowhere'" in said, "opens a sealed model" in said) == (3, True, True)


def test_progress(run, folder, monkeypatch):
    """Progress goes to standard error, if it is asked for."""
    monkeypatch.setattr("modelpriv.evidence.usage.counting._PAUSE", -1)
    assert "key_usage: 1 files" in run("usage", "models", "--progress")[1]
    assert "key_usage" not in run("usage", "models")[1]
