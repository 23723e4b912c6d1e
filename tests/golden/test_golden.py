"""What earlier versions wrote: each of their files opens, and holds what was put into it."""

import io
import json
import pickle
import runpy
import shutil
from pathlib import Path

import joblib
import pandas as pd
import pyarrow.parquet as pq
import pytest

from modelpriv import FieldEncryptor, Grant, Identity, Keyring, SigningKey, inspect, key_usage, load
from modelpriv.audit import AuditLog, verify

HERE = Path(__file__).parent
VERSIONS = sorted(path for path in HERE.iterdir() if path.is_dir() and not path.name.startswith("_"))
made = runpy.run_path(str(HERE / "make.py"))
KEYS, IDENTITY, PEOPLE, VALUES = made["KEYS"], made["IDENTITY"], made["PEOPLE"], made["VALUES"]
STEPS = made["steps"]()


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def folder(request, tmp_path):
    """A copy of the files of each version, which only their owner can read."""
    copy = tmp_path / "golden"
    shutil.copytree(request.param, copy)
    for path in copy.iterdir():
        path.chmod(0o600)
    return copy


def test_there_are_files():
    """The tests below have something to open."""
    assert VERSIONS


@pytest.mark.parametrize("mode", made["MODES"])
@pytest.mark.parametrize("fitted", [True, False])
def test_tokens_open(folder, mode, fitted):
    """Tokens of every mode and type open to the same cells, with the fitted object or with the key alone."""
    tokens = pq.read_table(folder / f"tokens-{mode}.parquet")
    if fitted:
        step = pickle.loads((folder / f"encryptor-{mode}.pickle").read_bytes())
    else:
        step = FieldEncryptor(**made["MODES"][mode], key=KEYS)
    opened = step.inverse_transform(tokens)
    for name, cells in VALUES.items():
        assert opened[name].to_pylist() == cells.to_pylist(), name


@pytest.mark.parametrize("mode", ["deterministic", "padded"])
def test_tokens_are_the_same(folder, mode):
    """Deterministic tokens of equal values are equal to those of earlier versions, so that joins go on working."""
    tokens = pq.read_table(folder / f"tokens-{mode}.parquet")
    assert (
        FieldEncryptor(**made["MODES"][mode], key=KEYS).fit_transform(made["TABLE"]).to_pydict() == tokens.to_pydict()
    )


@pytest.mark.parametrize("name", [name for name in STEPS if name != "bound"])
def test_fitted_transformers_go_on(folder, name):
    """A pickled transformer gives the same table as when it was pickled, and so does one that is fitted today."""
    step, table = STEPS[name]
    wanted = json.loads((folder / f"{name}.json").read_text())
    back = pickle.loads((folder / f"{name}.pickle").read_bytes())
    for protect in (back.transform, step.fit_transform):
        found = json.loads(pd.DataFrame(protect(table)).to_json(orient="split", index=False, date_format="iso"))
        assert found == wanted


def test_bound_cells_open(folder):
    """Cells that are bound to another column open with the pickled transformer."""
    _, table = STEPS["bound"]
    released = pd.read_json(io.StringIO((folder / "bound.json").read_text()), orient="split", dtype=False)
    back = pickle.loads((folder / "bound.pickle").read_bytes())
    assert back.inverse_transform(released)["phone"].tolist() == table["phone"].tolist()


def test_joblib_files_load(folder):
    """A transformer in a joblib file gives what it gave."""
    assert joblib.load(folder / "masker.joblib").transform(PEOPLE)["phone"][0].endswith("0143")


def test_keys_open(folder):
    """Files of keyrings, identities and signing keys, and lines of text, hold the keys that they held."""
    secret = {"passphrase": made["PASSPHRASE"]}
    lines = json.loads((folder / "lines.json").read_text())
    assert Keyring.load(folder / "keyring.json", **secret).fingerprints == KEYS.fingerprints
    assert Keyring.load(folder / "distrusting.json", **secret).distrusted == {KEYS.key_ids[1]}
    assert Keyring.from_secret(lines["keyring"]).fingerprints == KEYS.fingerprints
    assert str(Identity.load(folder / "identity.json", **secret).recipient) == lines["recipient"]
    assert str(SigningKey.load(folder / "signing-key.json", **secret).signer) == lines["signer"]


def test_a_grant_opens(folder):
    """A grant gives its holder the keys of its contexts."""
    grant = Grant.load(folder / "name.grant")
    keys = grant.open(identity=IDENTITY, trusted_signers=[made["SIGNING_KEY"].signer])
    tokens = FieldEncryptor("deterministic", columns=["name"], key=KEYS).fit_transform(PEOPLE)
    opened = FieldEncryptor("deterministic", columns=["name"], key=keys).inverse_transform(tokens[["name"]])
    assert opened["name"].dropna().tolist() == ["Ada", "Alan"]


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("sole", {"key": KEYS}),
        ("passphrase", {"passphrase": made["PASSPHRASE"]}),
        ("shared", {"key": KEYS}),
        ("shared", {"passphrase": made["PASSPHRASE"]}),
        ("signed", {"identity": IDENTITY, "trusted_signers": [made["SIGNING_KEY"].signer]}),
        ("wrapped", {"key": KEYS}),
    ],
)
def test_sealed_files_open(folder, name, ways):
    """A sealed file opens in each of its ways, and the model in it does what it did."""
    model = load(folder / f"{name}.mpriv", **ways)
    assert model.transform(PEOPLE)["phone"][0].endswith("0143")
    assert inspect(folder / f"{name}.mpriv").stanzas


def test_a_wrapped_pickle_opens(folder):
    """The pickle of a wrapped estimator opens with its keyring."""
    model = pickle.loads((folder / "wrapped.pickle").read_bytes()).unlock(key=KEYS)
    assert model.transform(PEOPLE)["phone"][0].endswith("0143")


def test_the_log_is_whole(folder):
    """The audit log verifies, over its two files, and goes on."""
    assert verify(folder / "audit.jsonl", key=KEYS).count >= 5
    with AuditLog(folder / "audit.jsonl", key=KEYS):
        pass
    assert verify(folder, key=KEYS).count >= 7


def test_usage_is_counted(folder):
    """What earlier versions wrote counts before a key is retired."""
    for name in ("tokens-deterministic.parquet", "sole.mpriv", "keyring.json"):
        assert key_usage(folder / name)[KEYS.primary] >= 1
