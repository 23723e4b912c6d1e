"""The commands ``rewrap``, ``rekey`` and ``repin`` change sealed models, or leave them as they are."""

import json

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from modelpriv import FieldEncryptor, Identity, Keyring, SigningKey, dump, inspect, key_usage, load

X = pd.DataFrame({"email": [f"canary{n}@example.org" for n in range(6)], "age": [31.0, 45.0, 62.0, 27.0, 51.0, 39.0]})
Y = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


@pytest.fixture
def keys(run, monkeypatch):
    """A rotated keyring: the older state is ``env:OLD``, the newer one ``env:KEYS``."""
    older = Keyring.generate()
    newer = older.rotate()
    monkeypatch.setenv("OLD", older.export_secret())
    monkeypatch.setenv("KEYS", newer.export_secret())
    return newer


def sealed(name, key, **settings):
    dump(Ridge().fit(X[["age"]], Y), name, key=key, **settings)


def ways(name):
    return [way.get("key_id") or way.get("recipient") or way["type"] for way in inspect(name).stanzas]


def test_rewrap_to_the_primary_key(ask, keys):
    """With a keyring alone, files move to its primary key, and the answer lists them; again, nothing changes."""
    for name in ("a", "b"):
        sealed(name, Keyring.from_uri("env:OLD"))
    for _ in range(2):
        found = ask("rewrap", "a", "b", "--key", "env:KEYS")
        assert found["failed"] == []
        assert found["files"][0] == {
            "file": "a",
            "file_id": inspect("a").file_id,
            "opens": [keys.primary],
            "needs": [],
        }
    assert ways("b") == [keys.primary]
    assert load("a", key=keys.retire(keys.key_ids[1])).coef_.shape == (1,)


def test_rewrap_for_readers(run, keys, tmp_path, monkeypatch):
    """Readers are added by the file or line of a recipient and by the URI of a keyring, and removed by their ids."""
    ada, signing_key, other = Identity.generate("x25519"), SigningKey.generate(), Keyring.generate()
    ada.recipient.save(tmp_path / "ada.recipient")
    monkeypatch.setenv("OTHER", other.export_secret())
    monkeypatch.setenv("ADA", ada.export_secret())
    sealed("a", keys, recipients=[Identity.generate("x25519").recipient], sign_with=signing_key)
    assert run("rewrap", "a", "--key", "env:KEYS", "--add", "ada.recipient", "env:OTHER")[0] == 0
    assert {ada.recipient.id, other.primary} <= set(ways("a"))
    assert run("rewrap", "a", "--identity", "env:ADA", "--remove", keys.primary)[0] == 0
    assert keys.primary not in ways("a")


def test_passphrases_of_models(run, keys, monkeypatch):
    """A passphrase comes from the environment, a new one from another variable, and neither is shown."""
    sealed("a", keys)
    monkeypatch.setenv("MODELPRIV_NEW_PASSPHRASE", "canary new")
    assert run("rekey", "a", "--key", "env:KEYS", "--new-key", "env:KEYS", "--new-passphrase")[0] == 0
    assert load("a", passphrase="canary new").coef_.shape == (1,)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "canary new")
    assert run("rewrap", "a", "--passphrase", "--remove", "passphrase")[0] == 0
    assert ways("a") == [keys.primary]
    assert run("rewrap", "a", "--passphrase", "--remove", keys.primary)[0] == 3


def test_rekey(ask, run, keys, monkeypatch, tmp_path):
    """A file is written again for another keyring, or signed for recipients; it gets another id."""
    sealed("a", keys)
    before = inspect("a").file_id
    monkeypatch.setenv("OTHER", Keyring.generate().export_secret())
    found = ask("rekey", "a", "--key", "env:KEYS", "--new-key", "env:OTHER")
    assert found["files"][0]["file_id"] == inspect("a").file_id != before
    assert run("rewrap", "a", "--key", "env:KEYS")[0] == 3
    ada, signing_key = Identity.generate("x25519"), SigningKey.generate()
    monkeypatch.setenv("SIGN", signing_key.export_secret())
    code, said = run("rekey", "a", "--key", "env:OTHER", "--new-recipients", str(ada.recipient))
    assert (code, "pass --sign-with" in said) == (1, True)
    opening = ("--key", "env:OTHER", "--sign-with", "env:SIGN")
    assert run("rekey", "a", *opening, "--new-recipients", str(ada.recipient))[0] == 0
    assert load("a", identity=ada, trusted_signers=[signing_key.signer]).coef_.shape == (1,)


@pytest.fixture
def pipeline(keys):
    """A sealed pipeline whose first step is pinned to the older key, and a sample in two formats."""
    protect = make_column_transformer((FieldEncryptor(key="env:OLD"), ["email"]), remainder="passthrough")
    model = make_pipeline(protect, make_column_transformer(("passthrough", [1])), Ridge()).fit(X, Y)
    dump(model, "model.mpriv", key=Keyring.from_uri("env:OLD"))
    X.to_parquet("rows.parquet")
    X.to_csv("rows.csv", index=False)
    return model


@pytest.mark.parametrize("sample", ["rows.parquet", "rows.csv"])
def test_repin(ask, keys, pipeline, sample):
    """The steps inside move to the primary key, with the sample from a Parquet or CSV file."""
    found = ask("repin", "model.mpriv", "--key", "env:KEYS", "--sample", sample)
    assert (found["files"][0]["opens"], found["files"][0]["needs"]) == ([keys.primary], [keys.primary])
    assert set(key_usage("model.mpriv")) == {keys.primary}


def test_repin_what_learnt_from_tokens(run, keys, tmp_path):
    """A model whose predictions would change stays, and the exit code is 1; no cell is shown."""
    from sklearn.preprocessing import OrdinalEncoder  # noqa: PLC0415 - here alone

    protect = make_column_transformer((FieldEncryptor("deterministic", key="env:OLD"), ["email"]))
    dump(make_pipeline(protect, OrdinalEncoder(), Ridge()).fit(X, Y), "model.mpriv", key=Keyring.from_uri("env:OLD"))
    X.to_parquet("rows.parquet")
    before = (tmp_path / "model.mpriv").read_bytes()
    code, said = run("repin", "model.mpriv", "--key", "env:KEYS", "--sample", "rows.parquet")
    assert (code, "the FieldEncryptor at model" in said) == (1, True)
    assert (tmp_path / "model.mpriv").read_bytes() == before
    code, said = run("repin", "model.mpriv", "--key", "env:KEYS")
    assert (code, "sample is missing" in said) == (1, True)


@pytest.mark.parametrize("content", [b"PAR1canary", b"", b'"canary\n1,2\n1,2,3'])
def test_a_sample_that_is_no_table(run, keys, pipeline, tmp_path, content):
    """A sample that is no table, or not there, cannot be read: 3, and nothing of it is shown."""
    (tmp_path / "bad").write_bytes(content)
    assert run("repin", "model.mpriv", "--key", "env:KEYS", "--sample", "bad")[0] == 3
    assert run("repin", "model.mpriv", "--key", "env:KEYS", "--sample", "nowhere")[0] == 3


def test_a_sample_that_the_model_does_not_take(run, keys, pipeline, tmp_path):
    """Rows with other columns, and cells that are no numbers, end with 3 in words that show no cell."""
    before = (tmp_path / "model.mpriv").read_bytes()
    for wrong in (X[["email"]], X.assign(age="canary")):
        wrong.to_parquet("wrong.parquet")
        code, said = run("repin", "model.mpriv", "--key", "env:KEYS", "--sample", "wrong.parquet")
        assert (code, "--sample" in said) == (3, True)
    assert (tmp_path / "model.mpriv").read_bytes() == before


def test_one_of_several_files_fails(run, keys, tmp_path):
    """A file that fails does not keep the others from being moved; it is named, and the code is the worst."""
    sealed("a", Keyring.from_uri("env:OLD"))
    sealed("c", Keyring.generate())
    (tmp_path / "b").write_bytes(b"canary")
    code, said = run("rewrap", "b", "a", "c", "nowhere", "--key", "env:KEYS")
    assert code == 3
    assert ways("a") == [keys.primary]
    assert all(f"modelpriv: {name}: " in said for name in ("b", "c", "nowhere"))
    assert "nowhere: nowhere" not in said
    said = run("rewrap", "b", "a", "--key", "env:KEYS", "--json")[1]
    found = json.loads(said.splitlines()[0])
    assert [one["file"] for one in found["files"]] == ["a"]
    assert [one["file"] for one in found["failed"]] == ["b"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["rewrap", "a"],
        ["rewrap", "a", "--passphrase"],
        ["rekey", "a", "--key", "env:KEYS"],
        ["rekey", "a", "--new-key", "env:KEYS"],
        ["repin", "a"],
        ["rewrap", "a", "--passphrase=canary"],
        ["rewrap", "a", "--key", "canary"],
    ],
)
def test_wrong_calls(run, keys, arguments):
    """What opens the file, or what is to change, must be said; else the file stays, and the code is 2."""
    sealed("a", keys)
    before = inspect("a")
    assert run(*arguments)[0] == 2
    assert inspect("a") == before
