"""The command ``inspect`` shows a file by what it is, without a key, and says that nothing of it is verified."""

import json

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from modelpriv import AccessPolicy, EncryptedEstimator, FieldEncryptor, Identity, SigningKey, dump


@pytest.fixture
def files(run, keyring):
    """A file of each kind, with a word that is shown of it."""
    model = EncryptedEstimator(Ridge(), key=keyring, policy=AccessPolicy(methods=["predict"]))
    dump(model.fit([[1.0], [2.0]], [1, 2]), "model")
    keyring.save("keys", passphrase="canary words")
    identity, signing_key = Identity.generate("x25519"), SigningKey.generate()
    identity.save("identity", passphrase="canary words")
    signing_key.save("signing", passphrase="canary words")
    grant = keyring.grant(["email"], recipient=identity.recipient, sign_with=signing_key)
    grant.save("grant")
    identity.recipient.save("recipient")
    signing_key.signer.save("signer")
    FieldEncryptor(key=keyring).fit_transform(pd.DataFrame({"a": ["x", "y"]})).to_parquet("table")
    return {
        "model": ("sealed model", keyring.primary),
        "keys": ("keyring", keyring.primary),
        "identity": ("identity", str(identity.recipient)),
        "signing": ("signing key", str(signing_key.signer)),
        "grant": ("grant", grant.id),
        "recipient": ("recipient", identity.recipient.id),
        "signer": ("signer", signing_key.signer.id),
        "table": ("key ids", keyring.primary),
    }


def test_each_kind(run, files):
    """Models, keyring files, identities, signing keys, lines, grants and tables are shown by what they are."""
    for file, (_, word) in files.items():
        code, said = run("inspect", file)
        assert (code, word in said) == (0, True), said
        assert ("unverified" in said) == (file != "table")


def test_json(ask, files):
    """As JSON there is the kind, what the file claims, and that it is not verified."""
    for file, (kind, word) in files.items():
        found = ask("inspect", file)
        assert set(found) == {"kind", "verified", "claims"}
        assert (found["kind"], found["verified"]) == (kind, False)
        assert word in json.dumps(found["claims"])
    assert ask("inspect", "model")["claims"]["policy"] == {"methods": ["predict"]}


def test_a_folder(ask, keyring, tmp_path):
    """The folder of a registry is shown by the sealed file in it."""
    (tmp_path / "run").mkdir()
    dump(Ridge(), tmp_path / "run" / "model.mpriv", key=keyring)
    assert ask("inspect", "run")["kind"] == "sealed model"


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", 3), (b"{}", 3), (b'{"format":"modelpriv keyring"}', 1), (b"\x8fmpriv\r\n", 1), (b"canary", 3)],
)
def test_other_files(run, tmp_path, content, code):
    """A broken file of ours is refused with 1; one of another kind has no answer: 3, like one that is not there."""
    (tmp_path / "file").write_bytes(content)
    assert run("inspect", "file")[0] == code
    assert run("inspect", "nowhere")[0] == 3
