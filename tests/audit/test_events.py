"""Every use of a key is a line, with who, what and which key, and without a cell or a key."""

import copy
import gc
import json
import logging
import os
import pickle

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from modelpriv import (
    EncryptedEstimator,
    FieldEncryptor,
    Identity,
    KeyedProjection,
    Pseudonymizer,
    Replacer,
    dump,
    load,
)
from modelpriv._core import events
from modelpriv.audit import AuditLog, verify
from modelpriv.errors import (
    DecryptionError,
    InputError,
    KeyUnavailableError,
)
from modelpriv.keys import Keyring, SigningKey

TABLE = pd.DataFrame({"email": ["canary@example.org", None], "age": [36, 41]})


@pytest.fixture
def path(tmp_path):
    """Where the log is."""
    return tmp_path / "audit.jsonl"


def entries(path):
    """The events of a log, without where it was started and stopped."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return [entry for entry in found if entry["subject"] != "AuditLog"]


def test_a_call_is_a_line(keyring, path):
    """A transformer's call is written with what, columns, rows, key id, who and result."""
    with AuditLog(path, key=keyring):
        FieldEncryptor(columns=["email"], key=keyring).fit_transform(TABLE)
    (entry,) = entries(path)
    wanted = {"action": "fit_transform", "subject": "FieldEncryptor", "columns": ["email"], "rows": 2, "result": "ok"}
    assert wanted.items() <= entry.items()
    assert entry["key_ids"] == [keyring.primary]
    assert entry["pid"] == os.getpid()
    assert {"user", "host", "time", "seq", "by", "mac"} <= entry.keys()


@pytest.mark.parametrize(
    "make", [Pseudonymizer, lambda **given: Replacer("name", pool_size=50, **given), FieldEncryptor]
)
def test_every_transformer_is_recorded(keyring, path, make):
    """Fit and transform of each transformer with a key are recorded with its id."""
    with AuditLog(path, key=keyring):
        make(columns=["email"], key=keyring).fit(TABLE).transform(TABLE)
    assert [entry["action"] for entry in entries(path)] == ["fit", "transform"]
    assert all(entry["key_ids"] == [keyring.primary] and entry["columns"] == ["email"] for entry in entries(path))


def test_a_projection_is_recorded(keyring, path):
    """A projection is recorded with its columns and key."""
    with AuditLog(path, key=keyring):
        step = KeyedProjection(key=keyring).fit([[1.0, 2.0], [3.0, 5.0]])
        step.inverse_transform(step.transform([[1.0, 2.0]]))
    assert [entry["action"] for entry in entries(path)] == ["fit", "transform", "inverse_transform"]
    assert all(entry["key_ids"] == [keyring.primary] for entry in entries(path))


def test_reading_names_the_keys_of_the_tokens(keyring, path):
    """Decryption is recorded with the keys that the tokens were really made under."""
    newer = keyring.rotate()
    released = FieldEncryptor(columns=["email"], key=keyring).fit_transform(TABLE)
    with AuditLog(path, key=newer):
        FieldEncryptor(columns=["email"], key=newer).inverse_transform(released)
        FieldEncryptor(columns=["email"], key=newer).rewrap(released)
    opened, rewrapped = entries(path)
    assert (opened["action"], opened["key_ids"], opened["rows"]) == ("inverse_transform", [keyring.primary], 2)
    assert rewrapped["key_ids"] == sorted(newer.key_ids)


def test_keys_that_are_not_there(keyring, path):
    """Keys that tokens name and the ring lacks are counted; their ids are not shown, since they may be cells."""
    rings = [Keyring.generate() for _ in range(5)]
    released = pd.concat([FieldEncryptor(key=one).fit_transform(TABLE[["email"]]) for one in (keyring, *rings)])
    with AuditLog(path, key=keyring), pytest.raises(DecryptionError):
        FieldEncryptor(key=keyring).inverse_transform(released)
    (entry,) = entries(path)
    assert entry["key_ids"] == [keyring.primary]
    assert entry["unknown_keys"] == len(rings)
    assert not any(ring.primary in str(entry) for ring in rings)


def test_a_format_is_recorded(keyring, path):
    """Format-preserving encryption is recorded both ways."""
    table = pd.DataFrame({"card": ["4111111111111111"]})
    with AuditLog(path, key=keyring):
        step = FieldEncryptor("format-preserving", alphabet="digits", key=keyring)
        step.inverse_transform(step.fit_transform(table))
    assert [entry["columns"] for entry in entries(path)] == [["card"], ["card"]]
    assert all(entry["key_ids"] == [keyring.primary] for entry in entries(path))


def test_a_refusal_is_a_line(keyring, path):
    """What is refused is recorded with the error's class, and never its words."""
    step = FieldEncryptor(columns=["email"], key=keyring)
    with AuditLog(path, key=keyring):
        with pytest.raises(DecryptionError):
            step.inverse_transform(TABLE)
        with pytest.raises(InputError):
            FieldEncryptor(columns=["email"], null="raise", key=keyring).fit(TABLE)
    assert [entry["result"] for entry in entries(path)] == ["DecryptionError", "InputError"]


def test_models_are_recorded(keyring, path, tmp_path):
    """Sealing and opening a model are recorded with file, its id and key, and so is a wrong key."""
    model, another = tmp_path / "model.mpriv", Keyring.generate()
    with AuditLog(path, key=keyring):
        dump(Ridge(), model, key=keyring)
        load(model, key=keyring)
        with pytest.raises(KeyUnavailableError):
            load(model, key=another)
        pickle.loads(pickle.dumps(EncryptedEstimator(Ridge(), key=keyring))).unlock()
    found = entries(path)
    assert [entry["action"] for entry in found] == ["dump", "load", "load", "dump", "load"]
    assert [entry["result"] for entry in found] == ["ok", "ok", "KeyUnavailableError", "ok", "ok"]
    assert found[0]["file"] == found[1]["file"] == str(model)
    assert len({entry["file_id"] for entry in found}) == 2
    assert all(entry["key_ids"] == [keyring.primary] for entry in (*found[:2], *found[3:]))


def test_keyrings_are_recorded(keyring, path, tmp_path, monkeypatch):
    """What is done with a keyring is recorded with key ids and where it came from or went to."""
    with AuditLog(path, key=keyring):
        newer = keyring.rotate()
        newer.retire(keyring.primary)
        newer.scoped(["email"])
        newer.save(tmp_path / "keys.json", passphrase="an example")
        Keyring.load(tmp_path / "keys.json", passphrase="an example")
        monkeypatch.setenv("MODELPRIV_KEYRING", newer.export_secret())
        Keyring.from_uri("env:MODELPRIV_KEYRING")
    found = entries(path)
    actions = ["rotate", "retire", "scoped", "save", "load", "export_secret", "load"]
    assert [entry["action"] for entry in found] == actions
    assert found[0]["new"] == newer.primary
    assert found[1]["retired"] == keyring.primary
    assert found[-1]["source"] == "env:MODELPRIV_KEYRING"
    assert all(entry["key_ids"] for entry in found)


@pytest.mark.parametrize("kind", [Identity, SigningKey])
def test_private_keys_are_recorded(keyring, path, tmp_path, kind):
    """Saving, loading and taking out an identity or a signing key is recorded, with its public key's id."""
    key = kind.generate()
    name = "recipient" if kind is Identity else "signer"
    with AuditLog(path, key=keyring):
        key.save(tmp_path / "private.json", passphrase="an example")
        kind.load(tmp_path / "private.json", passphrase="an example")
        kind.from_secret(key.export_secret())
    found = entries(path)
    assert [(entry["action"], entry["subject"]) for entry in found] == [
        (action, kind.__name__) for action in ("save", "load", "export_secret", "from_secret")
    ]
    assert all(entry[name] == getattr(key, name).id for entry in found)


def test_a_key_that_a_program_derives_is_recorded(keyring, path):
    """working_key is an event of its own with use, context and key id; within a transformer's call it is not."""
    with AuditLog(path, key=keyring):
        keyring.working_key("ff1", context="card", length=32)
        keyring.scoped(["card"]).working_key("ff1", context="card", length=32)
        FieldEncryptor(key=keyring).fit_transform(TABLE)
    found = [entry for entry in entries(path) if entry["action"] == "working_key"]
    assert [entry["subject"] for entry in found] == ["Keyring", "ScopedKeyring"]
    assert all((entry["use"], entry["context"]) == ("ff1", "card") for entry in found)
    assert all(entry["key_ids"] == [keyring.primary] for entry in found)


@pytest.mark.parametrize("kind", [Identity, SigningKey])
def test_crossing_private_keys_are_no_export(keyring, path, kind):
    """An identity or signing key that goes to a worker of this process is not recorded as taken out."""
    from modelpriv.keys import workers  # noqa: PLC0415 - only here

    key = kind.generate()
    with AuditLog(path, key=keyring):
        workers.loads(workers.dumps(key))
    assert entries(path) == []


def test_crossing_to_a_worker_is_no_export(keyring, path):
    """Keys that go to a worker of this process are not recorded as taken out."""
    from modelpriv.keys import workers  # noqa: PLC0415 - only here

    with AuditLog(path, key=keyring):
        workers.loads(workers.dumps(keyring))
        copy.deepcopy(keyring)
    assert entries(path) == []


def test_nothing_secret_is_in_a_line(keyring, path, tmp_path):
    """No cell, no key and no passphrase is in log, head or repr, whatever fails."""
    step = FieldEncryptor("deterministic", columns=["email"], key=keyring)
    log = AuditLog(path, key=keyring)
    with log:
        released = step.fit_transform(TABLE)
        step.inverse_transform(released)
        step.tokens_for(["canary@example.org"], column="email")
        keyring.save(tmp_path / "k", passphrase="canary words")
        secret = keyring.export_secret()
        for broken in (released.assign(email="canary"), TABLE.assign(email=["canary", 5])):
            with pytest.raises((DecryptionError, InputError)):
                step.inverse_transform(broken)
    written = path.read_text() + path.with_name("audit.jsonl.head").read_text() + repr(log)
    assert "canary" not in written
    assert secret[27:60] not in written
    assert keyring.audit_key().hex() not in written
    assert repr(keyring.audit_key()) not in repr(vars(log))


def test_names_that_json_cannot_say(keyring, path):
    """A column's name is recorded whatever it is made of."""
    with AuditLog(path, key=keyring), events.event("load", "model", file="m\udcff\n"):
        events.note_columns(["a\udcff\n", 7], 1)
    assert entries(path)[0]["columns"] == ["a\\udcff\n", "7"]
    assert entries(path)[0]["file"] == "m\\udcff\n"
    assert verify(path, key=keyring).count == 4


def test_it_is_off_by_default(keyring, caplog):
    """Without a log no record is made."""
    assert not events.recording()
    FieldEncryptor(columns=["email"], key=keyring).fit(TABLE)
    assert not caplog.records


def test_the_logger_can_be_used_alone(keyring, caplog):
    """A handler that you add to the logger gets each event as a record with its facts."""
    with caplog.at_level(logging.INFO, logger="modelpriv.audit"):
        FieldEncryptor(columns=["email"], key=keyring).fit(TABLE)
    (record,) = caplog.records
    assert record.getMessage() == "fit FieldEncryptor: ok"
    assert record.event["columns"] == ["email"]


def test_starting_and_stopping(keyring, path, tmp_path):
    """Two logs can run at once, each for itself; after the last one is stopped it is off again."""
    one, two = AuditLog(path, key=keyring), AuditLog(tmp_path / "two", key=keyring)
    step = FieldEncryptor(columns=["email"], key=keyring)
    with one:
        with two:
            one.start()
            step.fit(TABLE)
        step.fit(TABLE)
        two.start()
    assert events.recording()
    step.fit(TABLE)
    two.stop()
    two.stop()
    assert not events.recording()
    assert [len(entries(log)) for log in (path, tmp_path / "two")] == [2, 2]
    assert verify(path, key=keyring).count == 5


@pytest.mark.parametrize("turn_off", ["disabled", "level", "everything"])
def test_it_records_whatever_the_programs_logging_is(keyring, path, monkeypatch, turn_off):
    """A log that was started does not fall silent where the program turns loggers off, as logging.config does."""
    if turn_off == "disabled":
        monkeypatch.setattr(events.LOGGER, "disabled", True)
    elif turn_off == "level":
        monkeypatch.setattr(events.LOGGER, "level", logging.CRITICAL)
    else:
        monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    with AuditLog(path, key=keyring):
        FieldEncryptor(columns=["email"], key=keyring).fit(TABLE)
    assert [entry["action"] for entry in entries(path)] == ["fit"]


def test_another_record(keyring, path):
    """A record on the same logger that is not an event is left alone."""
    with AuditLog(path, key=keyring):
        logging.getLogger("modelpriv.audit").info("canary")
    assert entries(path) == []


def test_an_identity_opens_a_model_by_name(keyring, path):
    """A key that is unwrapped by an identity is recorded by its recipient."""
    identity = Identity.generate("x25519")
    step = FieldEncryptor(columns=["email"], recipients=[identity.recipient])
    released = step.fit_transform(TABLE)
    opener = FieldEncryptor(columns=["email"], key=identity)
    opener.wrapped_keys_ = step.wrapped_keys_
    gc.collect()
    with AuditLog(path, key=keyring):
        opener.inverse_transform(released)
    (entry,) = entries(path)
    assert entry["recipient"] == identity.recipient.id
    assert entry["key_ids"] == list(step.wrapped_keys_)
