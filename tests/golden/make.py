"""Writes one file of every kind that modelpriv writes, for later versions to open.

Run it once for each released format, from the root of the repository::

    python tests/golden/make.py

Run it on the oldest versions that ``pyproject.toml`` names: numpy 1 does not know the names under which numpy 2 pickles
arrays, but numpy 2 knows those of numpy 1. It writes into ``tests/golden/VERSION``.

Until 0.1.0 is released, run it again when a format changes. From then on, the files of a released version stay as they
are: a version that cannot open them breaks what users have.

The keys are public, and protect nothing.
"""

import datetime as dt
import decimal
import json
import pickle
import sys
from pathlib import Path

import joblib
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import modelpriv
from modelpriv import (
    AuditLog,
    DateShifter,
    Deidentifier,
    EncryptedEstimator,
    FieldEncryptor,
    Generalizer,
    KAnonymizer,
    KeyedProjection,
    Masker,
    Pseudonymizer,
    Replacer,
    dump,
)
from modelpriv.keys.identity import build as build_identity
from modelpriv.keys.keyring import build
from modelpriv.keys.signing import _build as build_signing_key

KEYS = build([bytes(range(32)), bytes(range(32, 64))])
OTHER = build([bytes(range(64, 96))])
IDENTITY = build_identity("x25519", bytes(range(32)))
SIGNING_KEY = build_signing_key("ed25519", bytes(range(32)))
PASSPHRASE = "a passphrase that everybody knows"

# One column of each logical type; the second cell is null.
VALUES = {
    "text": pa.array(["Zoë 李小龙", None, ""], pa.large_string()),
    "int": pa.array([2**40, None, -1], pa.int64()),
    "large int": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "float": pa.array([1.5, None, -0.25], pa.float64()),
    "bool": pa.array([True, None, False]),
    "timestamp": pa.array([dt.datetime(1969, 12, 31, 23, 59, 59), None, dt.datetime(2024, 2, 29)], pa.timestamp("us")),  # noqa: DTZ001
    "instant": pa.array([0, None, 10**15], pa.timestamp("us", "UTC")),
    "date": pa.array([dt.date(2024, 2, 29), None, dt.date(1, 1, 1)], pa.date32()),
    "time": pa.array([dt.time(23, 59, 59), None, dt.time(0)], pa.time64("us")),
    "duration": pa.array([dt.timedelta(days=-1), None, dt.timedelta(0)], pa.duration("us")),
    "decimal": pa.array([decimal.Decimal("12.50"), None, decimal.Decimal(-3)], pa.decimal128(20, 2)),
    "bytes": pa.array([b"\x00\xff", None, b""], pa.binary()),
}
TABLE = pa.table(VALUES)
PEOPLE = pd.DataFrame(
    {
        "name": ["Ada", None, "Alan"],
        "phone": ["+1-202-555-0143", "+1-202-555-0178", None],
        "card": ["4111", None, "5500"],
    }
)
VISITS = pd.DataFrame(
    {
        "who": ["P-1", "P-2", "P-1"],
        "seen": pd.to_datetime(["2024-02-29", "2023-12-31", "2024-03-01"]),
        "zip": ["02138", "03601", "90210"],
        "score": [1.5, 2.5, 4.0],
    }
)
NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [0.0, 1.0, 1.0]})
RULES = {
    "who": FieldEncryptor("deterministic"),
    "seen": DateShifter(subject="who"),
    "zip": "drop",
    "area": ("zip", Generalizer("zip3")),
    "score": "keep",
}
MODES = {
    "randomized": {},
    "deterministic": {"mode": "deterministic"},
    "padded": {"mode": "deterministic", "pad": 64, "null": "protect"},
}


def steps():
    """The fitted transformers, each with a table that it protects."""
    digits = {"alphabet": "digits", "context": "card"}
    named = PEOPLE.astype({"name": "category"})
    return {
        "masker": (Masker("phone", columns=["phone"]), PEOPLE),
        "replacer": (Replacer(values=["x", "y", "z"], columns=["name"], key=KEYS), PEOPLE),
        "pseudonymizer": (Pseudonymizer(columns=["name"], key=KEYS), PEOPLE),
        "projection": (KeyedProjection(2, key=KEYS), NUMBERS),
        "formats": (FieldEncryptor("format-preserving", columns=["phone"], key=KEYS, keep="+-", **digits), PEOPLE),
        "categories": (
            FieldEncryptor("deterministic", columns=["name"], key=KEYS),
            named,
        ),
        "generalizer": (Generalizer("prefix", length=2, columns=["zip"]), VISITS),
        "frequent": (Generalizer("frequent", min_count=2, columns=["who"], key=KEYS), VISITS),
        "shifter": (DateShifter(subject="who", columns=["seen"], key=KEYS), VISITS),
        "k_anonymizer": (KAnonymizer(k=2, quasi=["score"]), VISITS),
        "deidentifier": (Deidentifier(RULES, key=KEYS), VISITS),
        "bound": (FieldEncryptor(columns=["phone"], bind=["card"], key=KEYS), PEOPLE.fillna("-")),
    }


def write_tables(folder):
    """Tokens of every mode and type, and what the deterministic transformers make of their tables."""
    for name, parameters in MODES.items():
        step = FieldEncryptor(**parameters, key=KEYS).fit(TABLE)
        pq.write_table(step.transform(TABLE), folder / f"tokens-{name}.parquet")
        (folder / f"encryptor-{name}.pickle").write_bytes(pickle.dumps(step, 4))
    for name, (step, table) in steps().items():
        released = step.fit_transform(table)
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(step, 4))
        (folder / f"{name}.json").write_text(
            pd.DataFrame(released).to_json(orient="split", index=False, date_format="iso")
        )
    joblib.dump(steps()["masker"][0].fit(PEOPLE), folder / "masker.joblib")


def write_keys(folder):
    """A keyring, an identity, a signing key and a grant."""
    KEYS.save(folder / "keyring.json", passphrase=PASSPHRASE)
    KEYS.distrust(KEYS.key_ids[1]).save(folder / "distrusting.json", passphrase=PASSPHRASE)
    IDENTITY.save(folder / "identity.json", passphrase=PASSPHRASE)
    SIGNING_KEY.save(folder / "signing-key.json", passphrase=PASSPHRASE)
    grant = KEYS.grant(["name"], recipient=IDENTITY.recipient, sign_with=SIGNING_KEY)
    grant.save(folder / "name.grant")
    lines = {"keyring": KEYS.export_secret(), "recipient": str(IDENTITY.recipient), "signer": str(SIGNING_KEY.signer)}
    (folder / "lines.json").write_text(json.dumps(lines, indent=1))


def write_models(folder):
    """Sealed files of every origin and serializer, and a wrapped estimator's pickle."""
    model = Masker("phone", columns=["phone"]).fit(PEOPLE)
    dump(model, folder / "sole.mpriv", key=KEYS)
    dump(model, folder / "passphrase.mpriv", passphrase=PASSPHRASE)
    dump(model, folder / "shared.mpriv", key=KEYS, passphrase=PASSPHRASE)
    dump(model, folder / "signed.mpriv", recipients=[IDENTITY.recipient], sign_with=SIGNING_KEY)
    wrapped = EncryptedEstimator(model, key=KEYS, metadata={"made": "for later versions"})
    dump(wrapped, folder / "wrapped.mpriv")
    (folder / "wrapped.pickle").write_bytes(pickle.dumps(wrapped, 4))


def write_log(folder):
    """An audit log of two files."""
    with AuditLog(folder / "audit.jsonl", key=KEYS) as log:
        FieldEncryptor("deterministic", columns=["name"], key=KEYS).fit_transform(PEOPLE)
        log.rotate()


def main(folder):
    """Write everything into a new folder."""
    folder.mkdir()
    for write in (write_tables, write_keys, write_models, write_log):
        write(folder)


if __name__ == "__main__":
    target = Path(__file__).parent / modelpriv.__version__
    if target.exists():
        sys.exit(f"{target} is there: remove it if its version is not released.")
    main(target)
