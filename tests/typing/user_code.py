"""A program as a user writes it, for mypy: every public name has types that an editor can complete and check."""

from datetime import timedelta
from pathlib import Path
from typing import assert_type

import pandas as pd
from sklearn.linear_model import Ridge

import modelpriv
from modelpriv import (
    AccessPolicy,
    AuditLog,
    DateShifter,
    Deidentifier,
    EncryptedEstimator,
    FieldEncryptor,
    Generalizer,
    Grant,
    Identity,
    KeyedProjection,
    Keyring,
    Masker,
    Pseudonymizer,
    Recipient,
    Replacer,
    Signer,
    SigningKey,
)
from modelpriv.audit import Head, acting_as, verify
from modelpriv.evidence.usage import KeyUsage
from modelpriv.keys import ScopedKeyring, set_passphrase_callback
from modelpriv.sealing import LeakReport, Unverified, set_trusted
from modelpriv.serving import ModelHandle, Status

keys = Keyring.generate()
assert_type(keys, Keyring)
assert_type(keys.rotate(), Keyring)
assert_type(keys.primary, str)
assert_type(keys.key_ids, tuple[str, ...])
assert_type(keys.export_secret(), str)
assert_type(keys.scoped(["email"]), ScopedKeyring)
assert_type(Keyring.load(Path("keys.json"), passphrase="a passphrase"), Keyring)
assert_type(modelpriv.key_usage("table.parquet"), KeyUsage)
assert_type(modelpriv.key_usage("table.parquet")["0123abcd"], int)
assert_type(ModelHandle("model.mpriv", key=keys).status(), Status)
assert_type(Deidentifier.from_policy("people.toml", key=keys), Deidentifier)

identity = Identity.generate()
signing_key = SigningKey.generate(kind="ml-dsa-65")
assert_type(identity.recipient, Recipient)
assert_type(signing_key.signer, Signer)
assert_type(Recipient(str(identity.recipient)), Recipient)
assert_type(Recipient.load("ada.recipient"), Recipient)
grant = keys.grant(["email"], recipient=identity.recipient, sign_with=signing_key)
assert_type(grant, Grant)
assert_type(grant.open(identity=identity, trusted_signers=[signing_key.signer]), ScopedKeyring)

people = pd.DataFrame({"email": ["ada@example.org"], "phone": ["+1-202-555-0143"]})
encryptor = FieldEncryptor("deterministic", key=keys, columns=["email"]).fit(people)
assert_type(encryptor, FieldEncryptor)
assert_type(encryptor.tokens_for(["ada@example.org"], column="email"), list[str])
assert_type(Masker("phone", keep_last=4).fit(people), Masker)
assert_type(DateShifter(subject="email", key=keys).fit(people), DateShifter)
assert_type(Generalizer("interval", width=5, top=90).fit(people), Generalizer)
assert_type(Replacer("name", key=keys, locale="de_DE").fit(people), Replacer)
assert_type(Pseudonymizer("uuid", key="env:MODELPRIV_KEYRING").fit(people), Pseudonymizer)
assert_type(KeyedProjection(2, key=keys).fit([[1.0, 2.0], [2.0, 1.0]]), KeyedProjection)

policy = AccessPolicy(methods=["predict"])
model = EncryptedEstimator(Ridge(), key=keys, policy=policy, sign_with=signing_key).fit([[1.0], [2.0]], [1.0, 2.0])
assert_type(model, EncryptedEstimator)
assert_type(model.unlock(key=keys), EncryptedEstimator)
assert_type(modelpriv.dumps(model), bytes)
assert_type(modelpriv.inspect("model.mpriv"), Unverified)
assert_type(modelpriv.leak_report("model.joblib"), LeakReport)
modelpriv.dump(model, "model.mpriv", recipients=[identity.recipient], sign_with=signing_key)
modelpriv.rewrap("model.mpriv", key=keys.rotate())
set_trusted(signers=[signing_key.signer], keys=[keys])
set_passphrase_callback(lambda name: "a passphrase")

with AuditLog("audit.jsonl", key=keys, max_age=timedelta(days=1)) as log, acting_as("ada@example.org"):
    assert_type(log.head(), Head)
    assert_type(log.rotate(), Head)
    assert_type(log.id, str)
assert_type(verify("audit.jsonl", key=keys), Head)
