"""The commands ``keygen``, ``rotate`` and ``retire`` change a keyring file, or nothing."""

from types import SimpleNamespace

import pandas as pd
import pytest

from modelpriv import FieldEncryptor, Keyring


def held():
    return Keyring.from_uri("file:keys.json")


def test_keygen_and_rotate(run, ask):
    """A keyring file is made, opened by its URI, and rotated in place."""
    assert ask("keygen", "keys.json") == {"to": "keys.json", "key_id": held().primary}
    older = held().primary
    code, said = run("rotate", "keys.json")
    assert held().key_ids[1:] == (older,)
    assert (code, f"new key id {held().primary}; older: {older}" in said) == (0, True)


def test_rotate_and_distrust(run, ask):
    """A keyring that leaked is rotated so that its older keys are distrusted, and the answer says so."""
    run("keygen", "keys.json")
    older = held().primary
    found = ask("rotate", "file:keys.json", "--distrust")
    assert found == {"file": "keys.json", "key_id": held().primary, "older": [older], "distrusted": [older]}
    assert held().distrusted == {older}


def test_keygen_replaces_nothing(run):
    """A file that is there is left as it is, with 1."""
    run("keygen", "keys.json")
    keys = held()
    code, said = run("keygen", "keys.json")
    assert (code, "is there already" in said) == (1, True)
    assert held().key_ids == keys.key_ids


def test_keygen_in_a_folder_that_is_not_there(run):
    """A folder that is missing is named, with 3, and not a file that was never there."""
    code, said = run("keygen", "nowhere/keys.json")
    assert (code, said.startswith("modelpriv: nowhere: there is no such folder.")) == (3, True)


def test_keygen_takes_the_words_of_a_uri(run, tmp_path):
    """The URI of a file names that file, and a variable of the environment is refused: nothing could set it."""
    assert run("keygen", "file:keys.json")[0] == 0
    assert held().primary
    code, said = run("keygen", "env:MODELPRIV_KEYRING")
    assert (code, "cannot be set from here" in said) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_keygen_into_the_systems_keyring(run, monkeypatch):
    """A keyring is stored in the system's keyring, once; it is rotated in Python."""
    keyring = pytest.importorskip("keyring", reason="install keyring")
    entries = {}
    backend = SimpleNamespace(
        get_password=lambda service, user: entries.get((service, user)),
        set_password=lambda service, user, text: entries.update({(service, user): text}),
    )
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    assert run("keygen", "keyring:modelpriv/ada")[0] == 0
    assert Keyring.from_uri("keyring:modelpriv/ada").export_secret() == entries["modelpriv", "ada"]
    code, said = run("keygen", "keyring:modelpriv/ada")
    assert (code, "holds something under modelpriv/ada already" in said) == (1, True)
    assert run("rotate", "keyring:modelpriv/ada")[0] == 1


def test_a_wrong_passphrase(run, monkeypatch):
    """A key that cannot be had ends with 3: a wrong passphrase, a missing file; nothing is shown."""
    run("keygen", "keys.json")
    assert run("rotate", "nowhere.json")[0] == 3
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "canary too")
    code, said = run("rotate", "keys.json")
    assert (code, "passphrase is wrong" in said) == (3, True)


def test_an_altered_keyring(run, tmp_path):
    """A keyring file that was altered is refused with 1."""
    run("keygen", "keys.json")
    path = tmp_path / "keys.json"
    path.write_bytes(path.read_bytes()[:-9] + b"\n")
    assert run("rotate", "keys.json")[0] == 1


@pytest.fixture
def table(run, tmp_path):
    """A folder with a table under the older key of a rotated keyring, and that key's id."""
    run("keygen", "keys.json")
    (tmp_path / "tables").mkdir()
    step = FieldEncryptor("deterministic", key="file:keys.json")
    step.fit_transform(pd.DataFrame({"a": ["x", "y"]})).to_parquet(tmp_path / "tables" / "a.parquet")
    run("rotate", "keys.json")
    return held().key_ids[1]


def test_retire_what_is_needed(run, table):
    """A key that something needs stays, and the exit code is 1; the message names the file."""
    code, said = run("retire", "keys.json", table, "--check", "tables")
    assert (code, "still needed by check[0] ('tables'), 2 times in 'tables/a.parquet'" in said) == (1, True)
    assert table in held().key_ids


def test_retire_what_cannot_be_read(run, table, tmp_path):
    """A file that cannot be read keeps the key, and the message names the option to pass over it."""
    (tmp_path / "tables" / "a.parquet").unlink()
    (tmp_path / "tables" / "b.7z").write_bytes(b"7z\xbc\xaf canary")
    code, said = run("retire", "keys.json", table, "--check", "tables")
    assert (code, "pass --ignore with" in said, "b.7z" in said) == (1, True, True)
    assert table in held().key_ids
    assert run("retire", "keys.json", table, "--check", "tables", "--ignore", "*.7z")[0] == 0
    assert table not in held().key_ids


def test_retire(ask, table, tmp_path):
    """A key that nothing needs is taken out, and the answer says which are left."""
    path = tmp_path / "tables" / "a.parquet"
    FieldEncryptor("deterministic", key="file:keys.json").fit(pd.DataFrame({"a": ["x"]})).rewrap(
        pd.read_parquet(path)
    ).to_parquet(path)
    found = ask("retire", "keys.json", table, "--check", "tables")
    assert found == {"file": "keys.json", "retired": table, "key_ids": list(held().key_ids)}
    assert table not in held().key_ids


def test_retire_says_what_to_check(run, table):
    """Without a word on what may need the key, or with both, the call is wrong."""
    assert run("retire", "keys.json", table)[0] == 2
    assert run("retire", "keys.json", table, "--no-check", "--check", "tables")[0] == 2
    assert table in held().key_ids
    assert run("retire", "keys.json", table, "--no-check")[0] == 0


def test_retire_passes_over_the_keyring_itself(run, table, tmp_path):
    """The keyring in a checked folder names its own keys and does not count; a copy of it elsewhere does."""
    (tmp_path / "tables" / "a.parquet").unlink()
    (tmp_path / "tables" / "keys.json").write_bytes((tmp_path / "keys.json").read_bytes())
    code, said = run("retire", "keys.json", table, "--check", ".")
    assert (code, "once in" in said, "tables/keys.json" in said) == (1, True, True)
    (tmp_path / "tables" / "keys.json").unlink()
    assert run("retire", "keys.json", table, "--check", ".")[0] == 0


@pytest.mark.parametrize("key_id", ["5E0C92D1", "5e0c92d", "canary12"])
def test_what_is_no_key_id(run, table, key_id):
    """A mistyped key id is a wrong call: it would otherwise be looked for in vain."""
    assert run("retire", "keys.json", key_id, "--no-check")[0] == 2
    assert run("usage", "tables", "--key-id", key_id)[0] == 2
    assert table in held().key_ids


def test_retire_the_newest(run, table):
    """The primary key is refused, and a key that the ring does not hold cannot be had."""
    assert run("retire", "keys.json", held().primary, "--no-check")[0] == 1
    assert run("retire", "keys.json", "00000000", "--no-check")[0] == 3
    assert table in held().key_ids
