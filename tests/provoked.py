"""Errors that a user of the package can provoke, each as a call on a `World`: with its secrets and its canary cells."""

import pickle
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline

import modelpriv
from modelpriv import (
    AuditLog,
    DateShifter,
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
from modelpriv.audit import verify
from modelpriv.kernels import ff1, siv
from modelpriv.keys import KeyReference, resolve, resolve_whole, restore_identity, set_passphrase_callback
from modelpriv.keys.derivation import WORKING_USES, context_key
from modelpriv.keys.private import secret_line
from modelpriv.keys.providers.passphrase import PassphraseProvider
from modelpriv.keys.ring_keys import keys_of
from modelpriv.sealing import set_trusted

CELL = "canary@example.org"
PASSPHRASE, WRONG = "canary swordfish", "canary salmon"
TABLE = pd.DataFrame({"email": [CELL, "canary@example.com"], "phone": ["canary 0170", "canary 0171"]})
NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 1.0]})
CANARIES = np.array([[31415926.5, 1.0], [2.0, 27182818.5]])
FORMAT = {"mode": "format-preserving", "alphabet": "digits"}


class World(SimpleNamespace):
    """Keys, files and fitted objects, and all that may be seen of them nowhere."""

    def __init__(self, folder):
        keys, other = Keyring.generate().rotate(), Keyring.generate()
        ada, olga = Identity.generate("x25519"), SigningKey.generate()
        super().__init__(folder=Path(folder), keys=keys, other=other, ada=ada, bob=Identity.generate(), olga=olga)
        self.grant = keys.grant(["email"], recipient=ada.recipient, sign_with=olga)
        self.scoped = keys.scoped(["email"])
        self.missing = self.folder / "missing" / "file"
        for name, thing in {"keyring": keys, "identity": ada, "signing": olga}.items():
            thing.save(self.path(name), passphrase=PASSPHRASE)
        self.grant.save(self.path("grant"))
        ada.recipient.save(self.path("recipient"))
        self.model = Ridge().fit(np.eye(2), [1.0, 2.0])
        modelpriv.dump(self.model, self.path("sole"), key=keys)
        modelpriv.dump(self.model, self.path("shared"), key=keys, passphrase=PASSPHRASE)
        modelpriv.dump(self.model, self.path("signed"), recipients=[ada.recipient], sign_with=olga)
        modelpriv.dump(self.model, self.path("unsigned"), recipients=[ada.recipient])
        for name in ("keyring", "identity", "signing", "grant", "sole", "shared", "signed"):
            data = bytearray(self.path(name).read_bytes())
            data[-40] ^= 1
            self.path(f"damaged-{name}").write_bytes(data)
            self.path(f"cut-{name}").write_bytes(data[: len(data) // 2])
        for path in self.folder.iterdir():
            path.chmod(0o600)
        self.encryptor = FieldEncryptor(key=keys).fit(TABLE)
        self.tokens = self.encryptor.transform(TABLE)
        self.same = FieldEncryptor("deterministic", key=keys, context={"email": "e", "phone": "p"}).fit(TABLE)
        self.lost = pickle.loads(pickle.dumps(FieldEncryptor(key=Keyring.generate()).fit(TABLE)))
        self.wrapped = EncryptedEstimator(Ridge(), key=keys).fit(CANARIES, [1.0, 2.0])
        self.locked = pickle.loads(pickle.dumps(EncryptedEstimator(self.model, key=Keyring.generate())))
        self.log = self.path("audit.jsonl")
        with AuditLog(self.log, key=keys):
            self.encryptor.transform(TABLE)
        self.altered_log = self.path("altered.jsonl")
        self.altered_log.write_bytes(self.log.read_bytes().replace(b"FieldEncryptor", b"fieldEncryptor"))
        self.path("altered.jsonl.head").write_bytes(self.path("audit.jsonl.head").read_bytes())

    def path(self, name):
        """The path of one of its files."""
        return self.folder / name

    def secret_bytes(self):
        """The keys of the ring, those derived from them, and the private keys."""
        yield bytes(range(64))
        for private in (self.ada, self.olga, self.bob):
            yield private._private
        for ring in (self.keys, self.other):
            for secret in keys_of(ring):
                yield secret
                yield from (context_key(secret, context) for context in ("email", "phone", "e", "p"))
            for key_id in ring.key_ids:
                yield ring.audit_key(key_id=key_id)
                for use in WORKING_USES:
                    for length in (32, 64):
                        yield ring.working_key(use, context="email", length=length, key_id=key_id)

    def secret_texts(self):
        """What is secret as a text: the canaries, and how keys are written down."""
        yield from ("canary", "31415926", "27182818")
        yield from (self.keys.export_secret(), secret_line(self.ada), secret_line(self.olga))


def typo(text):
    """A secret text with a letter changed in its middle."""
    at = len(text) // 2
    return text[:at] + ("q" if text[at] != "q" else "p") + text[at + 1 :]


def disk_is_full(*_args, **_kwargs):
    raise OSError(28, "No space left on device")


class Full:
    """A file that no byte can be written to."""

    write = disk_is_full
    seek = tell = flush = staticmethod(lambda *_: 0)


def unreadable(_name):
    raise RuntimeError("the program's own callback failed")


def with_callback(world, callback):
    set_passphrase_callback(callback)
    try:
        Keyring.from_uri(f"file:{world.path('keyring')}")
    finally:
        set_passphrase_callback(None)


def with_uri(world, monkeypatch, text):
    monkeypatch.setenv("CANARY_RING", text)
    Keyring.from_uri("env:CANARY_RING")


def on_a_full_disk(monkeypatch, save):
    monkeypatch.setattr("os.fsync", disk_is_full)
    save()


def while_handling(call):
    """Fail while the caller is handling an error of its own."""
    try:
        {}["of the caller"]
    except KeyError:
        call()


def heard(call):
    """Fail where an audit log cannot be written."""
    from modelpriv._core.events import Listener  # noqa: PLC0415 - what every exporter is built on

    listener = Listener(disk_is_full)
    listener.attach()
    try:
        call()
    finally:
        listener.detach()


def table(**columns):
    return pd.DataFrame(columns)


KEYRINGS = {
    "load, wrong passphrase": lambda w, _: Keyring.load(w.path("keyring"), passphrase=WRONG),
    "load, no passphrase": lambda w, _: Keyring.load(w.path("keyring")),
    "load, passphrase of another type": lambda w, _: Keyring.load(w.path("keyring"), passphrase=["canary"]),
    "load, expect": lambda w, _: Keyring.load(w.path("keyring"), passphrase=PASSPHRASE, expect="00000000"),
    "load, expect of another type": lambda w, _: Keyring.load(w.path("keyring"), passphrase=PASSPHRASE, expect=3),
    "load, damaged": lambda w, _: Keyring.load(w.path("damaged-keyring"), passphrase=PASSPHRASE),
    "load, cut": lambda w, _: Keyring.load(w.path("cut-keyring"), passphrase=PASSPHRASE),
    "load, another kind": lambda w, _: Keyring.load(w.path("identity"), passphrase=PASSPHRASE),
    "load, missing": lambda w, _: Keyring.load(w.missing, passphrase=PASSPHRASE),
    "load, folder": lambda w, _: Keyring.load(w.folder, passphrase=PASSPHRASE),
    "load, a provider and a passphrase": lambda w, _: Keyring.load(
        w.path("keyring"), passphrase=PASSPHRASE, provider=PassphraseProvider(WRONG)
    ),
    "save, missing folder": lambda w, _: w.keys.save(w.missing, passphrase=PASSPHRASE),
    "save, over another file": lambda w, _: w.keys.save(w.path("identity"), passphrase=PASSPHRASE),
    "save, over another ring": lambda w, _: w.other.save(w.path("keyring"), passphrase=PASSPHRASE),
    "save, empty passphrase": lambda w, _: w.keys.save(w.path("new"), passphrase=""),
    "save, two ways": lambda w, _: w.keys.save(
        w.path("new"), passphrase=PASSPHRASE, wrap_with=PassphraseProvider(PASSPHRASE)
    ),
    "save, full disk": lambda w, m: on_a_full_disk(m, lambda: w.keys.save(w.path("new"), passphrase=PASSPHRASE)),
    "save, no audit": lambda w, _: heard(lambda: w.keys.save(w.path("new"), passphrase=PASSPHRASE)),
    "export, no audit": lambda w, _: heard(w.keys.export_secret),
    "from_secret, mistyped": lambda w, _: Keyring.from_secret(typo(w.keys.export_secret())),
    "from_secret, cut": lambda w, _: Keyring.from_secret(w.keys.export_secret()[:-9]),
    "from_secret, an identity's": lambda w, _: Keyring.from_secret(w.ada.export_secret()),
    "from_secret, bytes": lambda w, _: Keyring.from_secret(w.keys.export_secret().encode()),
    "from_secret, of a file": lambda w, _: Keyring.from_secret("canary"),
    "from_uri, the secret": lambda w, _: Keyring.from_uri(w.keys.export_secret()),
    "from_uri, a PIN": lambda w, _: Keyring.from_uri("file:/keys?pin=canary"),
    "from_uri, mistyped": lambda w, m: with_uri(w, m, typo(w.keys.export_secret())),
    "from_uri, no keyring": lambda w, m: with_uri(w, m, "canary"),
    "from_uri, no passphrase": lambda w, _: Keyring.from_uri(f"file:{w.path('keyring')}"),
    "from_uri, wrong passphrase": lambda w, _: with_callback(w, lambda _: WRONG),
    "from_uri, failing callback": lambda w, _: with_callback(w, unreadable),
    "retire, unknown": lambda w, _: w.keys.retire("00000000"),
    "retire, primary": lambda w, _: w.keys.retire(w.keys.primary),
    "retire, in use": lambda w, _: w.keys.retire(w.keys.key_ids[1], check=[FieldEncryptor(key=w.keys), 3]),
    "distrust, primary": lambda w, _: w.keys.distrust(w.keys.primary),
    "working_key, no such use": lambda w, _: w.keys.working_key("unknown", context="email", length=32),
    "working_key, too long": lambda w, _: w.keys.working_key("ff1", context="email", length=10_000),
    "working_key, no text": lambda w, _: w.keys.working_key("ff1", context="\ud800", length=32),
    "working_key, no such key": lambda w, _: w.keys.working_key("ff1", context="email", length=32, key_id="0"),
    "ring_key, no such use": lambda w, _: w.keys.ring_key("unknown", length=32),
    "scoped, nothing": lambda w, _: w.keys.scoped([]),
    "scoped, another context": lambda w, _: w.scoped.working_key("ff1", context="phone", length=32),
    "scoped, the ring's audit": lambda w, _: w.scoped.audit_key(),
    "resolve, another type": lambda w, _: resolve(3),
    "resolve, a secret": lambda w, _: resolve(w.keys.export_secret()),
    "resolve_whole, scoped": lambda w, _: resolve_whole(w.scoped),
    "resolve, lost": lambda w, _: KeyReference(("00000000",), (bytes(16),)).resolve(),
    "audit_key, no such key": lambda w, _: w.keys.audit_key(key_id="0"),
    "deleted": lambda w, _: delattr(w.keys, "_keys"),
    "changed": lambda w, _: setattr(w.keys, "primary", "canary"),
}

OTHERS = {
    "identity, wrong passphrase": lambda w, _: Identity.load(w.path("identity"), passphrase=WRONG),
    "identity, damaged": lambda w, _: Identity.load(w.path("damaged-identity"), passphrase=PASSPHRASE),
    "identity, missing folder": lambda w, _: w.ada.save(w.missing, passphrase=PASSPHRASE),
    "identity, full disk": lambda w, m: on_a_full_disk(m, lambda: w.ada.save(w.path("new"), passphrase=PASSPHRASE)),
    "identity, mistyped": lambda w, _: Identity.from_secret(typo(w.ada.export_secret())),
    "identity, a keyring's": lambda w, _: Identity.from_secret(w.keys.export_secret()),
    "identity, no such kind": lambda w, _: Identity.generate("unknown"),
    "identity, another's stanza": lambda w, _: w.ada.unwrap(w.bob.recipient.wrap(bytes(32), b"c"), b"c"),
    "identity, another context": lambda w, _: w.ada.unwrap(w.ada.recipient.wrap(bytes(32), b"c"), b"d"),
    "identity, a bad stanza": lambda w, _: w.ada.unwrap({"type": "hpke", "recipient": w.ada.recipient.id}, b"d"),
    "recipient, a secret": lambda w, _: Recipient(w.ada.export_secret()),
    "recipient, mistyped": lambda w, _: Recipient(typo(str(w.ada.recipient))),
    "recipient, a bad key": lambda w, _: w.ada.recipient.wrap(b"canary", b"d").no_such,
    "recipient, restored": lambda w, _: restore_identity(w.ada.export_secret()),
    "signing key, wrong passphrase": lambda w, _: SigningKey.load(w.path("signing"), passphrase=WRONG),
    "signing key, damaged": lambda w, _: SigningKey.load(w.path("damaged-signing"), passphrase=PASSPHRASE),
    "signing key, mistyped": lambda w, _: SigningKey.from_secret(typo(w.olga.export_secret())),
    "signing key, over another": lambda w, _: SigningKey.generate().save(w.path("signing"), passphrase=PASSPHRASE),
    "signing key, no bytes": lambda w, _: w.olga.sign("canary"),
    "signer, a secret": lambda w, _: Signer(w.olga.export_secret()),
    "signer, a bad signature": lambda w, _: w.olga.signer.verify(bytes(64), b"canary"),
    "grant, another identity": lambda w, _: w.grant.open(identity=w.bob, trusted_signers=[w.olga.signer]),
    "grant, no signer": lambda w, _: w.grant.open(identity=w.ada, trusted_signers=[]),
    "grant, another signer": lambda w, _: w.grant.open(identity=w.ada, trusted_signers=[SigningKey.generate().signer]),
    "grant, damaged": lambda w, _: Grant.load(w.path("damaged-grant")).open(
        identity=w.ada, trusted_signers=[w.olga.signer]
    ),
    "grant, cut": lambda w, _: Grant.load(w.path("cut-grant")),
    "grant, a secret": lambda w, _: Grant(w.keys.export_secret().encode()),
    "grant, bad recipient": lambda w, _: w.keys.grant(["email"], recipient=w.ada.export_secret(), sign_with=w.olga),
    "grant, bad signing key": lambda w, _: w.keys.grant(["email"], recipient=w.ada.recipient, sign_with="canary"),
    "grant, no time zone": lambda w, _: w.keys.grant(
        ["email"],
        recipient=w.ada.recipient,
        sign_with=w.olga,
        expires=datetime(2020, 1, 1),  # noqa: DTZ001 - this is what is refused
    ),
    "grant, missing folder": lambda w, _: w.grant.save(w.missing),
    "provider, wrong passphrase": lambda w, _: PassphraseProvider(WRONG).unwrap(
        PassphraseProvider(PASSPHRASE).wrap(bytes(range(64))[:32], b"c"), b"c"
    ),
    "provider, a bad blob": lambda w, _: PassphraseProvider(PASSPHRASE).unwrap({"type": "passphrase"}, b"c"),
    "provider, empty": lambda w, _: PassphraseProvider(b""),
    "provider, another type": lambda w, _: PassphraseProvider(["canary"]),
    "audit log, altered": lambda w, _: verify(w.altered_log, key=w.keys),
    "audit log, another ring": lambda w, _: verify(w.log, key=w.other),
    "audit log, missing folder": lambda w, _: AuditLog(w.missing, key=w.keys).start(),
    "audit log, a secret": lambda w, _: AuditLog(w.path("new.jsonl"), key=w.keys.export_secret()).start(),
    "trusted, a secret": lambda w, _: set_trusted(keys=[w.keys.export_secret()]),
    "kernel, short key": lambda w, _: siv.seal(bytes(range(64))[:-1], pa.array([CELL])),
    "kernel, tokens": lambda w, _: siv.open_(bytes(range(64)), pa.array([b"canary" * 9])),
    "kernel, numerals": lambda w, _: ff1.encrypt(bytes(range(64))[:32], 10, np.full((1, 2), 3, np.uint16)),
}

SEALED = {
    "dump, missing folder": lambda w, _: modelpriv.dump(w.model, w.missing, key=w.keys, passphrase=PASSPHRASE),
    "dump, full disk": lambda w, _: modelpriv.dump(w.model, Full(), key=w.keys, passphrase=PASSPHRASE),
    "dump, a secret as recipient": lambda w, _: modelpriv.dumps(w.model, recipients=[w.ada.export_secret()]),
    "dump, a secret as key": lambda w, _: modelpriv.dumps(w.model, key=w.keys.export_secret()),
    "dump, nothing to open": lambda w, _: modelpriv.dumps(w.model),
    "dump, empty passphrase": lambda w, _: modelpriv.dumps(w.model, key=w.keys, passphrase=""),
    "dump, no pickle": lambda w, _: modelpriv.dumps(lambda: CELL, key=w.keys, passphrase=PASSPHRASE),
    "dump, bad metadata": lambda w, _: modelpriv.dumps(w.model, key=w.keys, metadata={"a": {CELL}}),
    "dump, no audit": lambda w, _: heard(lambda: modelpriv.dump(w.model, w.path("new"), passphrase=PASSPHRASE)),
    "load, wrong key": lambda w, _: modelpriv.load(w.path("sole"), key=w.other),
    "load, wrong passphrase": lambda w, _: modelpriv.load(w.path("shared"), passphrase=WRONG),
    "load, damaged": lambda w, _: modelpriv.load(w.path("damaged-sole"), key=w.keys),
    "load, damaged shared": lambda w, _: modelpriv.load(w.path("damaged-shared"), passphrase=PASSPHRASE),
    "load, cut": lambda w, _: modelpriv.load(w.path("cut-sole"), key=w.keys),
    "load, nothing": lambda w, _: modelpriv.load(w.path("sole")),
    "load, missing": lambda w, _: modelpriv.load(w.missing, passphrase=PASSPHRASE),
    "load, another file": lambda w, _: modelpriv.load(w.path("sole"), key=w.keys, file_id="0" * 32),
    "load, no trust": lambda w, _: modelpriv.load(w.path("unsigned"), identity=w.ada),
    "load, another signer": lambda w, _: modelpriv.load(
        w.path("signed"), identity=w.ada, trusted_signers=[SigningKey.generate().signer]
    ),
    "load, another identity": lambda w, _: modelpriv.load(
        w.path("signed"), identity=w.bob, trusted_signers=[w.olga.signer]
    ),
    "loads, no bytes": lambda w, _: modelpriv.loads("canary", passphrase=PASSPHRASE),
    "inspect, a keyring": lambda w, _: modelpriv.inspect(w.path("cut-sole")),
    "rewrap, wrong key": lambda w, _: modelpriv.rewrap(w.path("sole"), key=w.other),
    "rewrap, sole": lambda w, _: modelpriv.rewrap(w.path("sole"), key=w.keys, add_passphrase=PASSPHRASE),
    "rewrap, last one": lambda w, _: modelpriv.rewrap(w.path("sole"), key=w.keys, remove=w.keys.primary),
    "rewrap, wrong passphrase": lambda w, _: modelpriv.rewrap(w.path("shared"), passphrase=WRONG, add=w.other),
    "rekey, wrong passphrase": lambda w, _: modelpriv.rekey(
        w.path("shared"), passphrase=WRONG, new_passphrase="canary new"
    ),
    "rekey, damaged": lambda w, _: modelpriv.rekey(w.path("damaged-shared"), key=w.keys, new_passphrase="canary new"),
    "rekey, full disk": lambda w, m: on_a_full_disk(
        m, lambda: modelpriv.rekey(w.path("shared"), key=w.keys, new_passphrase="canary new", durable=True)
    ),
    "leak_report, damaged": lambda w, _: modelpriv.leak_report(b"\x80\x05canary", strict=True).no_such,
    "wrapped, bad cells": lambda w, _: w.wrapped.predict([["canary", CELL]]),
    "wrapped, bad shape": lambda w, _: w.wrapped.predict(CANARIES[:, :1]),
    "wrapped, bad fit": lambda w, _: EncryptedEstimator(Ridge(), key=w.keys).fit(CANARIES, [1.0]),
    "wrapped, one class": lambda w, _: EncryptedEstimator(LogisticRegression(), key=w.keys).fit(CANARIES, [1, 1]),
    "wrapped, pipeline": lambda w, _: EncryptedEstimator(make_pipeline(Masker("date"), Ridge()), key=w.keys).fit(
        TABLE, [1.0, 2.0]
    ),
    "wrapped, no key": lambda w, _: EncryptedEstimator(Ridge()).fit(CANARIES, [1.0, 2.0]),
    "wrapped, bad key": lambda w, _: EncryptedEstimator(Ridge(), key=w.keys.export_secret()).fit(CANARIES, [1.0, 2.0]),
    "wrapped, pickled with no key": lambda w, _: pickle.dumps(EncryptedEstimator(w.model)),
    "wrapped, pickled with a lost key": lambda w, _: pickle.dumps(EncryptedEstimator(w.model, key="env:CANARY_NONE")),
    "wrapped, a writer": lambda w, _: w.wrapped.save_model("x"),
    "locked": lambda w, _: w.locked.predict(CANARIES),
    "locked, a fitted attribute": lambda w, _: w.locked.coef_,
    "unlock, wrong key": lambda w, _: w.locked.unlock(key=w.other),
    "unlock, wrong identity": lambda w, _: w.locked.unlock(identity=w.ada),
}

TABLES = {
    "encryptor, mixed cells": lambda w, _: FieldEncryptor(key=w.keys).fit(table(email=[CELL, 3])),
    "encryptor, lists": lambda w, _: FieldEncryptor(key=w.keys).fit(table(email=[[CELL]])),
    "encryptor, no table": lambda w, _: FieldEncryptor(key=w.keys).fit(CELL),
    "encryptor, a missing column": lambda w, _: w.encryptor.transform(TABLE[["email"]]),
    "encryptor, another type": lambda w, _: w.encryptor.transform(TABLE.assign(email=[31415926, 27182818])),
    "encryptor, duplicate names": lambda w, _: w.encryptor.transform(TABLE[["email", "email"]]),
    "encryptor, nulls": lambda w, _: FieldEncryptor(key=w.keys, null="raise").fit(table(email=[CELL, None])),
    "encryptor, surrogates": lambda w, _: w.encryptor.transform(
        TABLE.assign(email=pd.Series(["canary\ud800"] * 2, dtype=object))
    ),
    "encryptor, polars": lambda w, _: FieldEncryptor(key=w.keys).fit(pl.DataFrame({"email": [[CELL]]})),
    "encryptor, arrow": lambda w, _: FieldEncryptor(key=w.keys).fit(pa.table({"email": [[CELL]]})),
    "encryptor, rows": lambda w, _: FieldEncryptor(key=w.keys).fit([[CELL], [CELL, CELL]]),
    "encryptor, array": lambda w, _: FieldEncryptor(key=w.keys).fit(np.array([CELL])),
    "encryptor, bad context": lambda w, _: FieldEncryptor(key=w.keys, context={"email": 3}).fit(TABLE),
    "encryptor, bad mode": lambda w, _: FieldEncryptor("unknown", key=w.keys).fit(TABLE),
    "encryptor, too long to pad": lambda w, _: FieldEncryptor(key=w.keys, pad=-1).fit(TABLE),
    "encryptor, lost key": lambda w, _: w.lost.transform(TABLE),
    "encryptor, not fitted": lambda w, _: FieldEncryptor(key=w.keys).transform(TABLE),
    "encryptor, scoped": lambda w, _: FieldEncryptor(key=w.scoped).fit_transform(TABLE),
    "encryptor, a null reference": lambda w, _: FieldEncryptor(key=w.keys, bind=["phone"], columns=["email"]).fit(
        TABLE.assign(phone=None)
    ),
    "open, plain text": lambda w, _: w.encryptor.inverse_transform(TABLE),
    "open, another ring": lambda w, _: FieldEncryptor(key=w.other).inverse_transform(w.tokens),
    "open, another context": lambda w, _: FieldEncryptor(
        key=w.keys, context={"email": "x", "phone": "y"}
    ).inverse_transform(w.tokens),
    "open, swapped": lambda w, _: w.encryptor.inverse_transform(w.tokens.rename(columns={"email": "phone"})),
    "open, altered": lambda w, _: w.encryptor.inverse_transform(
        w.tokens.assign(email=w.tokens["email"].str[:-2] + "AQ")
    ),
    "open, while handling": lambda w, _: while_handling(lambda: w.encryptor.inverse_transform(TABLE)),
    "rewrap, plain text": lambda w, _: w.encryptor.rewrap(TABLE),
    "rewrap, another ring": lambda w, _: FieldEncryptor(key=w.other).rewrap(w.tokens),
    "needs_rewrap, plain text": lambda w, _: w.encryptor.needs_rewrap(CELL),
    "tokens_for, another type": lambda w, _: w.same.tokens_for([31415926], column="email"),
    "tokens_for, mixed": lambda w, _: w.same.tokens_for([CELL, 3], column="email"),
    "tokens_for, no column": lambda w, _: w.same.tokens_for([CELL], column="nowhere"),
    "tokens_for, randomized": lambda w, _: w.encryptor.tokens_for([CELL], column="email"),
    "format, letters": lambda w, _: FieldEncryptor(**FORMAT, key=w.keys).fit_transform(TABLE),
    "format, too short": lambda w, _: FieldEncryptor(**FORMAT, key=w.keys).fit_transform(table(email=["31"])),
    "format, numbers": lambda w, _: FieldEncryptor(**FORMAT, key=w.keys).fit_transform(table(email=[31415926])),
    "masker, lists": lambda w, _: Masker().fit_transform(table(email=[[CELL]])),
    "masker, bad regex": lambda w, _: Masker(regex="(").fit_transform(TABLE),
    "masker, bad format": lambda w, _: Masker("unknown").fit_transform(TABLE),
    "masker, nulls": lambda w, _: Masker(null="raise").fit_transform(table(email=[CELL, None])),
    "masker, mixed": lambda w, _: Masker().fit_transform(table(email=[CELL, 3])),
    "replacer, unseen": lambda w, _: (
        Replacer(values=["x", "y"], unique=True, key=w.keys)
        .fit(TABLE)
        .transform(TABLE.assign(email=["canary new", "canary newer"]))
    ),
    "replacer, too few": lambda w, _: Replacer(values=["x"], unique=True, key=w.keys).fit(TABLE),
    "replacer, no key": lambda w, _: Replacer(values=["x"]).fit(TABLE),
    "replacer, mixed": lambda w, _: Replacer(values=["x", "y"], key=w.keys).fit(table(email=[CELL, 3])),
    "replacer, bad subject": lambda w, _: Replacer(values=["x", "y"], key=w.keys, subject="nowhere").fit(TABLE),
    "pseudonymizer, lists": lambda w, _: Pseudonymizer(key=w.keys).fit_transform(table(email=[[CELL]])),
    "pseudonymizer, bad kind": lambda w, _: Pseudonymizer("unknown", key=w.keys).fit_transform(TABLE),
    "pseudonymizer, a secret": lambda w, _: Pseudonymizer(key=w.keys.export_secret()).fit_transform(TABLE),
    "pseudonymizer, fit parameters": lambda w, _: Pseudonymizer(key=w.keys).fit_transform(TABLE, sample_weight=CELL),
    "generalizer, lists": lambda w, _: Generalizer("year").fit_transform(table(email=[[CELL]])),
    "generalizer, numbers": lambda w, _: Generalizer("interval", width=1).fit_transform(TABLE),
    "generalizer, no key": lambda w, _: Generalizer("frequent", min_count=2).fit_transform(TABLE),
    "generalizer, another ring": lambda w, _: (
        Generalizer("frequent", min_count=2, key=w.keys).fit(TABLE).set_params(key=w.other).transform(TABLE)
    ),
    "generalizer, bad hierarchy": lambda w, _: Generalizer(
        "hierarchy", hierarchy=pd.DataFrame({"a": [CELL, CELL], "b": ["x", "y"]})
    ).fit(TABLE),
    "shifter, text": lambda w, _: DateShifter(subject="phone", key=w.keys).fit(TABLE),
    "shifter, no subject": lambda w, _: DateShifter(subject="nowhere", key=w.keys).fit(TABLE),
    "shifter, null subject": lambda w, _: DateShifter(subject="phone", key=w.keys).fit(TABLE.assign(phone=None)),
    "shifter, far off": lambda w, _: DateShifter(subject="phone", max_days=365_000, key=w.keys).fit_transform(
        TABLE.assign(email=pd.to_datetime(["2250-01-01", "1690-01-01"]).as_unit("ns"))
    ),
    "projection, text": lambda w, _: KeyedProjection(2, key=w.keys).fit(TABLE),
    "projection, not a number": lambda w, _: KeyedProjection(2, key=w.keys).fit(CANARIES * np.nan),
    "projection, a missing column": lambda w, _: KeyedProjection(2, key=w.keys).fit(NUMBERS).transform(CANARIES[:, :1]),
    "projection, bad inverse": lambda w, _: (
        KeyedProjection(2, key=w.keys).fit(NUMBERS).inverse_transform(np.full((1, 3), 31415926.5))
    ),
    "projection, one component": lambda w, _: KeyedProjection(1, key=w.keys).fit(CANARIES),
    "key_usage, no table": lambda w, _: modelpriv.key_usage(w.missing),
}

CALLS = {
    f"{room}: {name}": call
    for room, calls in {"keyrings": KEYRINGS, "keys": OTHERS, "sealing": SEALED, "tables": TABLES}.items()
    for name, call in calls.items()
}
