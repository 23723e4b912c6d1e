"""What every transformer with a key shares: what a cache knows it by, and what a pickle says of its key."""

import joblib
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline

from modelpriv import (
    DateShifter,
    FieldEncryptor,
    Generalizer,
    KeyedProjection,
    Pseudonymizer,
    Replacer,
    dumps,
    inspect,
    rekey,
)

NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 2.0]})
TEXTS = NUMBERS.astype(str)
DATES = NUMBERS.assign(b=pd.to_datetime(["2024-01-01", "2024-02-02", "2024-03-03"]))

STEPS = {
    "encryptor": (lambda key: FieldEncryptor("deterministic", key=key), TEXTS),
    "pseudonymizer": (lambda key: Pseudonymizer(key=key), TEXTS),
    "frequent": (lambda key: Generalizer("frequent", min_count=2, key=key), TEXTS),
    "shifter": (lambda key: DateShifter(subject="a", key=key), DATES),
    "replacer": (lambda key: Replacer(values=["x", "y"], key=key), TEXTS),
    "projection": (lambda key: KeyedProjection(key=key), NUMBERS),
    "inside": (lambda key: make_column_transformer((FieldEncryptor(key=key), ["a", "b"])), TEXTS),
}


def pinned(model):
    step = model[0]
    return getattr(step, "transformers_", [("", step)])[0][1].key_id_


@pytest.mark.parametrize("kind", STEPS)
def test_a_cache_moves_on_after_a_rotation(kind, keyring, tmp_path, monkeypatch):
    """A pipeline with memory= fits a step again when the URI of its key names a newer key, and only then."""
    make, table = STEPS[kind]
    for ring in (keyring, keyring.rotate(), keyring):
        monkeypatch.setenv("RING", ring.export_secret())
        model = make_pipeline(make("env:RING"), "passthrough", "passthrough", memory=joblib.Memory(tmp_path, verbose=0))
        assert pinned(model.fit(table)) == ring.primary


@pytest.mark.parametrize("kind", STEPS)
def test_a_cache_finds_an_equal_step(kind, keyring, monkeypatch):
    """Equal steps have one hash, and steps of another keyring or URI another."""
    make, _ = STEPS[kind]
    monkeypatch.setenv("RING", keyring.export_secret())
    for key in (keyring, "env:RING"):
        assert joblib.hash(make(key)) == joblib.hash(clone(make(key)))
    assert len({joblib.hash(make(key)) for key in (keyring, keyring.rotate(), "env:RING", "env:NONE")}) == 4


@pytest.mark.parametrize("kind", STEPS)
def test_a_sealed_file_names_the_keys_of_its_steps(kind, keyring, tmp_path):
    """The manifest names each key that steps inside need, with its check value, also after rekey."""
    make, table = STEPS[kind]
    newer = keyring.rotate()
    (tmp_path / "model").write_bytes(dumps(make(keyring).fit(table), key=newer))
    for _ in range(2):
        (need,) = inspect(tmp_path / "model").needs
        assert (need["key_id"], need["check"]) == (keyring.primary, keyring.fingerprints[0][1].hex())
        assert need["steps"] >= 1
        rekey(tmp_path / "model", key=newer, new_key=newer)


def test_a_model_without_keys_names_none(keyring, tmp_path):
    """A model without keyed steps needs no key, and its file says so."""
    (tmp_path / "model").write_bytes(dumps(make_pipeline("passthrough"), key=keyring))
    assert inspect(tmp_path / "model").needs == ()
