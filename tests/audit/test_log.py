"""The audit log: every use of a key is a line, no line can be changed unseen, and nothing secret stands in one."""

import copy
import gc
import json
import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

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
from modelpriv.audit import AuditLog, Head, chain, place, verify
from modelpriv.audit import head as head_module
from modelpriv.audit.keys import LineKeys
from modelpriv.errors import (
    DecryptionError,
    InputError,
    KeyUnavailableError,
    ParameterError,
    ParameterTypeError,
    SealedFileError,
)
from modelpriv.keys import Keyring, SigningKey
from modelpriv.keys.text import from_base64

TABLE = pd.DataFrame({"email": ["canary@example.org", None], "age": [36, 41]})
LINES = 1000


@pytest.fixture
def path(tmp_path):
    """Where the log is to stand."""
    return tmp_path / "audit.jsonl"


@pytest.fixture(scope="module")
def thousand(tmp_path_factory):
    """A log of a thousand lines: its keyring, its lines and its head."""
    path, keys = tmp_path_factory.mktemp("log") / "audit.jsonl", Keyring.generate()
    with AuditLog(path, key=keys):
        for number in range(LINES - 3):
            with events.event("transform", "FieldEncryptor", rows=number):
                pass
    return keys, path.read_bytes().splitlines(keepends=True), path.with_name("audit.jsonl.head").read_bytes()


@pytest.fixture
def attacked(thousand, path):
    """Verify a log whose lines (and head) an attacker has changed, and give what is said."""
    keys, lines, head = thousand

    def attack(changed, changed_head=head):
        path.write_bytes(b"".join(changed))
        path.with_name("audit.jsonl.head").write_bytes(changed_head)
        with pytest.raises((SealedFileError, KeyUnavailableError)) as raised:
            verify(path, key=keys)
        return str(raised.value)

    return attack, lines, head


@pytest.fixture
def attacked_anywhere(attacked, thousand):
    """Put other lines in the place of some, and give what is said: of all lines in turn, and now and then of the file.

    Verifying reads line by line, so what comes before an attacked line is as it was: for most lines it is skipped.
    """
    attack, lines, _ = attacked
    keys = LineKeys(thousand[0], "")

    def attack_at(number, others):
        if number % 50 == 0:
            return attack([*lines[:number], *others])
        before = from_base64(json.loads(lines[number - 1])["mac"])
        try:
            for count, line in enumerate(others, number + 1):
                before = chain.check_line(line, count, before, keys, f"line {count}").mac
        except (SealedFileError, KeyUnavailableError) as error:
            return str(error)
        return "nothing"

    return attack_at, lines


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
    """Keys that tokens name and the ring does not hold are counted; their ids are not repeated, as cells may be."""
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


def test_nothing_secret_stands_in_a_line(keyring, path, tmp_path):
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
    """Without a log nobody is told anything, and no record is made."""
    assert not events.recording()
    FieldEncryptor(columns=["email"], key=keyring).fit(TABLE)
    assert not caplog.records


def test_the_logger_can_be_used_alone(keyring, caplog):
    """A handler of one's own on the logger gets the events, as a record with its facts."""
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


def test_a_wide_table(keyring, path, monkeypatch):
    """An event that names a hundred thousand columns is a line as any other; one that is too long is not done."""
    with AuditLog(path, key=keyring):
        with events.event("transform", "KeyedProjection"):
            events.note_columns([f"column {number}" for number in range(100_000)], 1)
        monkeypatch.setattr(place, "LONGEST_LINE", 1000)
        with pytest.raises(ParameterError, match="too long"), events.event("transform", "KeyedProjection"):
            events.note_columns(["x" * 1000], 1)
    monkeypatch.undo()
    assert verify(path, key=keyring).count == 4
    assert len(entries(path)[0]["columns"]) == 100_000


def test_somebody_elses_record(keyring, path):
    """A record on the same logger that is no event is left alone."""
    with AuditLog(path, key=keyring):
        logging.getLogger("modelpriv.audit").info("canary")
    assert entries(path) == []


def test_a_good_log(thousand, path):
    """A log that nobody touched is verified, with where it stands."""
    keys, lines, head = thousand
    path.write_bytes(b"".join(lines))
    path.with_name("audit.jsonl.head").write_bytes(head)
    found = verify(path, key=keys)
    assert found.count == LINES
    assert verify(path, key=keys, expected_head=str(found)) == found


def test_editing_any_line(attacked_anywhere):
    """A changed byte is found at its line, for each line of a thousand, at a place that wanders through the line."""
    attack, lines = attacked_anywhere
    for number, line in enumerate(lines):
        at = (number * 7) % (len(line) - 1)
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        assert f"line {number + 1}:" in attack(number, [changed, *lines[number + 1 : number + 3]])


def test_every_byte_of_a_line(attacked):
    """No byte of a line can be changed, its line break and MAC included."""
    attack, lines, _ = attacked
    for at in range(len(lines[2])):
        changed = lines[2][:at] + bytes([lines[2][at] ^ 1]) + lines[2][at + 1 :]
        assert "line 3:" in attack([*lines[:2], changed, *lines[3:5]])


def test_removing_any_line(attacked_anywhere):
    """A missing line is found where it stood, for each of a thousand but the last, which the head misses."""
    attack, lines = attacked_anywhere
    for number in range(LINES - 1):
        assert f"line {number + 1}:" in attack(number, lines[number + 1 : number + 3])


def test_adding_any_line(attacked_anywhere):
    """A line that is written twice, or copied from elsewhere, is found after each of a thousand."""
    attack, lines = attacked_anywhere
    for number in range(LINES):
        for added in (lines[number], lines[(number + 500) % LINES]):
            assert f"line {number + 2}:" in attack(number, [lines[number], added, *lines[number + 1 : number + 3]])


def test_swapping_any_line(attacked_anywhere):
    """Two neighbours that changed places are found at the first, for each of a thousand."""
    attack, lines = attacked_anywhere
    for number in range(LINES - 1):
        assert f"line {number + 1}:" in attack(
            number, [lines[number + 1], lines[number], *lines[number + 2 : number + 4]]
        )


def test_cutting_the_tail(attacked):
    """A tail of any length that is cut is found by the head, and so is half a line."""
    attack, lines, _ = attacked
    for number in range(0, LINES, 37):
        said = attack(lines[:number])
        assert f"line {number + 1}: the log ends before it" in said
        assert f"counts {LINES}" in said
    assert f"line {LINES}:" in attack([*lines[:-1], lines[-1][:-5]])


def test_a_renumbered_line(attacked):
    """A line whose number was mended after a removal is found by its MAC."""
    attack, lines, _ = attacked
    mended = lines[10].replace(b'"seq":11,', b'"seq":10,')
    assert "line 10: it was altered" in attack([*lines[:9], mended, *lines[11:13]])


def test_changing_the_head(attacked):
    """No byte of the head can be changed; without the head a cut could not be found, and is not overlooked."""
    attack, lines, head = attacked
    for at in range(0, len(head), 3):
        assert "head" in attack(lines, head[:at] + bytes([head[at] ^ 1]) + head[at + 1 :])
    assert "head" in attack(lines, head + b" ")
    assert "head" in attack(lines, b"")


def test_a_log_without_its_head(keyring, path):
    """A log whose head was removed is refused by name, for reading and for writing."""
    AuditLog(path, key=keyring).start().stop()
    path.with_name("audit.jsonl.head").unlink()
    with pytest.raises(SealedFileError, match=r"audit\.jsonl\.head"):
        verify(path, key=keyring)
    with pytest.raises(SealedFileError, match="head is empty"):
        AuditLog(path, key=keyring).start()


def test_a_head_without_its_log(keyring, path):
    """A log that was removed is not begun anew behind its head."""
    AuditLog(path, key=keyring).start().stop()
    path.unlink()
    with pytest.raises(SealedFileError, match="is missing, but its head is there"):
        AuditLog(path, key=keyring).start()
    with pytest.raises(SealedFileError, match="file 1 of the log is missing, which begins with line 1"):
        verify(path, key=keyring)


def test_a_rollback_is_found_by_a_noted_head(keyring, path):
    """Log and head that were both put back look whole, and a head that was noted elsewhere finds it."""
    head_path = path.with_name("audit.jsonl.head")
    log = AuditLog(path, key=keyring).start()
    log.stop()
    before = path.read_bytes(), head_path.read_bytes()
    with log:
        noted = log.head()
    path.write_bytes(before[0])
    head_path.write_bytes(before[1])
    assert verify(path, key=keyring).count == 3
    with pytest.raises(SealedFileError, match="line 4: the log ends before it, but the expected head counts 4"):
        verify(path, key=keyring, expected_head=noted)


@pytest.mark.parametrize("other", ["another log", "an older state"])
def test_nothing_is_written_to_a_log_in_the_place_of_this_one(keyring, path, tmp_path, other):
    """While a program writes, another log of its keyring, or an earlier state of log and head, is refused."""
    head = path.with_name("audit.jsonl.head")
    with AuditLog(tmp_path / "other", key=keyring), AuditLog(path, key=keyring):
        older = path.read_bytes(), head.read_bytes()
        for _ in range(3):
            FieldEncryptor(key=keyring).fit(TABLE)
        now = path.read_bytes(), head.read_bytes()
        if other == "another log":
            FieldEncryptor(key=keyring).fit(TABLE)
            older = (tmp_path / "other").read_bytes(), (tmp_path / "other.head").read_bytes()
            now = path.read_bytes(), head.read_bytes()
        path.write_bytes(older[0])
        head.write_bytes(older[1])
        for _ in range(2):
            with pytest.raises(SealedFileError, match="that was written here before"):
                keyring.export_secret()
        path.write_bytes(now[0])
        head.write_bytes(now[1])
    assert verify(path, key=keyring).count >= 5


def test_another_history_is_found_by_a_noted_head(keyring, path):
    """A log that a holder of the key wrote anew does not fit a head that was noted before."""
    log = AuditLog(path, key=keyring).start()
    log.stop()
    noted = str(log.head())
    path.unlink()
    path.with_name("audit.jsonl.head").unlink()
    AuditLog(path, key=keyring).start().stop()
    with pytest.raises(SealedFileError, match="which you expected"):
        verify(path, key=keyring, expected_head=noted)


ID, MAC = "0" * 32, "A" * 43


@pytest.mark.parametrize(
    "text",
    [
        "",
        "canary",
        "5",
        f"5:{MAC}",
        f"{ID}:5:",
        f"{ID}:-1:{MAC}",
        f"{ID}:5:{MAC[1:]}",
        f"{ID}:x:{MAC}",
        f"{ID[1:]}:5:{MAC}",
        f"{ID}:5:{MAC}:",
    ],
)
def test_what_is_no_head(keyring, path, text):
    """A text that is no head is refused, and not shown."""
    AuditLog(path, key=keyring).start().stop()
    with pytest.raises(ParameterError, match="ID:COUNT:MAC") as raised:
        verify(path, key=keyring, expected_head=text)
    assert "canary" not in str(raised.value)


def test_the_text_of_a_head(keyring, path):
    """The text of a head gives the head."""
    with AuditLog(path, key=keyring) as log:
        head = log.head()
    assert Head.read(str(head)) == head


def test_another_keyring(keyring, path):
    """A log that was written under another key is refused by the key's id, for reading and for writing."""
    AuditLog(path, key=keyring).start().stop()
    for attempt in (lambda key: verify(path, key=key), lambda key: AuditLog(path, key=key).start()):
        with pytest.raises(KeyUnavailableError, match=keyring.primary):
            attempt(Keyring.generate())


def test_it_goes_on_after_a_rotation(keyring, path):
    """A log goes on under the new key, and the ring that holds both verifies all of it."""
    newer = keyring.rotate()
    for key in (keyring, newer):
        AuditLog(path, key=key).start().stop()
    assert [json.loads(line)["by"] for line in path.read_text().splitlines()] == [keyring.primary] * 3 + [
        newer.primary
    ] * 2
    assert verify(path, key=newer).count == 5


def test_the_log_of_a_scope(keyring, path):
    """A scoped keyring writes a log that it and the ring verify, and cannot write or read that of the ring."""
    scoped = keyring.scoped(["email"])
    with AuditLog(path, key=scoped):
        FieldEncryptor(columns=["email"], key=scoped).fit(TABLE)
    assert verify(path, key=scoped).count == verify(path, key=keyring, grant=scoped.scope.id).count == 4
    ours = path.with_name("ours")
    AuditLog(ours, key=keyring).start().stop()
    for attempt in (lambda: verify(ours, key=scoped), lambda: AuditLog(ours, key=scoped).start()):
        with pytest.raises(KeyUnavailableError, match="audit log of the ring"):
            attempt()
    with pytest.raises(KeyUnavailableError, match="another scope"):
        verify(path, key=keyring.scoped(["email"]))


def test_the_holder_of_a_grant_writes_nothing_in_the_owners_log(keyring, path):
    """Whoever holds a scope cannot put a log of their own in the place of the ring's, nor lines behind its own."""
    scoped = keyring.scoped(["email"])
    with AuditLog(path, key=keyring):
        FieldEncryptor(columns=["email"], key=keyring).fit(TABLE)
    ours, head_path = path.read_bytes().splitlines(keepends=True), path.with_name("audit.jsonl.head")
    whole_head = head_path.read_bytes()

    def forged(count):
        """The first lines of the ring's log, one under the scope's own key, and a head that fits."""
        before = from_base64(json.loads(ours[count - 1])["mac"]) if count else bytes(32)
        by = f"{scoped.primary}/{scoped.scope.id}"
        key = scoped.audit_key(scope_id=scoped.scope.id)
        first = json.loads(ours[0])
        facts = {"action": "open", "after": first["after"], "by": by, "file": 1, "log": first["log"]}
        facts |= {"name": path.name, "seq": count + 1, "time": first["time"]}
        body = json.dumps(facts, separators=(",", ":")).encode()
        mac = chain.line_mac(key, before, body)
        lines = [*ours[:count], chain.with_mac(body, mac)]
        state = head_module.ChainState(first["log"], 1, count + 1, len(b"".join(lines)), mac, by)
        head_path.write_bytes(state.write(key))
        path.write_bytes(b"".join(lines))

    for count in range(len(ours) + 1):
        forged(count)
        for attempt in (lambda: verify(path, key=keyring), lambda: AuditLog(path, key=keyring).start()):
            with pytest.raises(KeyUnavailableError, match=f"by the holder of grant {scoped.scope.id}"):
                attempt()
        head_path.write_bytes(whole_head)
        with pytest.raises((KeyUnavailableError, SealedFileError)):
            verify(path, key=keyring)
    path.write_bytes(b"".join(ours))
    assert verify(path, key=keyring).count == 4
    with pytest.raises(KeyUnavailableError, match="by the owner of the whole ring"):
        verify(path, key=keyring, grant=scoped.scope.id)


@pytest.mark.parametrize("grant", ["", "canary", "0" * 15, 5])
def test_what_is_no_grant(keyring, path, grant):
    """A grant's id that is none is refused, and not shown."""
    with pytest.raises(ParameterError, match="16 hexadecimal digits") as raised:
        verify(path, key=keyring, grant=grant)
    assert "canary" not in str(raised.value)


def test_a_hostile_key_id_is_not_shown(keyring, path):
    """What stands in a line where a key id belongs is not put on the terminal."""
    AuditLog(path, key=keyring).start().stop()
    path.write_bytes(path.read_bytes().replace(keyring.primary.encode(), b"\\u001b[canary"))
    with pytest.raises(SealedFileError) as raised:
        verify(path, key=keyring)
    assert "canary" not in str(raised.value)


WRITER = """
import sys
from modelpriv import Keyring
from modelpriv._core import events
from modelpriv.audit import AuditLog
keys = Keyring.from_secret(sys.stdin.read())
with AuditLog(sys.argv[1], key=keys):
    for row in range(100):
        with events.event("transform", "FieldEncryptor", rows=row):
            pass
"""


def test_two_processes_write_one_log(keyring, path):
    """Lines of several processes stand in one unbroken chain, and none is lost."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, text=True) for _ in "ab"
    ]
    for writer in writers:
        writer.stdin.write(keyring.export_secret())
        writer.stdin.close()
    assert [writer.wait() for writer in writers] == [0, 0]
    assert verify(path, key=keyring).count == 205
    assert len({entry["pid"] for entry in entries(path)}) == 2


def test_threads_and_forks_write_one_log(keyring, path):
    """Threads of a process, and a fork of it, write on without a gap."""
    with AuditLog(path, key=keyring):

        def work():
            for _ in range(50):
                with events.event("transform", "FieldEncryptor"):
                    pass

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        work()
        child.join()
    assert child.exitcode == 0
    assert verify(path, key=keyring).count == 253


def test_a_writer_that_died_between_line_and_head(keyring, path):
    """A whole line behind the head counts, half a line is dropped, and the log goes on."""
    head_path = path.with_name("audit.jsonl.head")
    log = AuditLog(path, key=keyring).start()
    before = head_path.read_bytes()
    log.stop()
    head_path.write_bytes(before)
    assert verify(path, key=keyring).count == 3
    with path.open("ab") as file:
        file.write(b'{"action":"trans')
    AuditLog(path, key=keyring).start().stop()
    assert verify(path, key=keyring).count == 5


def test_a_forged_line_behind_the_head(keyring, path):
    """A line that somebody added behind the head is not taken up by the next writer."""
    AuditLog(path, key=keyring).start().stop()
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines(keepends=True)[1].replace(b'"seq":2', b'"seq":4'))
    with pytest.raises(SealedFileError, match="line 4: it was altered"):
        AuditLog(path, key=keyring).start()


def test_a_cut_log_is_not_written_on(keyring, path):
    """A log that is shorter than its head says is not written on."""
    AuditLog(path, key=keyring).start().stop()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SealedFileError, match="shorter than its head says"):
        AuditLog(path, key=keyring).start()


FULL = """
import resource, signal, sys
import pandas as pd
from pathlib import Path
from modelpriv import FieldEncryptor, Keyring
from modelpriv.audit import AuditLog, verify
path, keys = Path(sys.argv[1]), Keyring.generate()
step, table = FieldEncryptor(key=keys), pd.DataFrame({"email": ["canary"]})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with AuditLog(path, key=keys):
    step.fit(table)
    size = path.stat().st_size
    for room in (0, 20, 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
        try:
            print(step.transform(table))
        except OSError as error:
            print(type(error).__name__, path.stat().st_size - size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    step.transform(table)
print(verify(path, key=keys).count)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files, which only POSIX can")
def test_a_full_disk(path):
    """What cannot be recorded is not done: the call fails, the log stays whole, and goes on when there is room."""
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["OSError", "0"] * 3 + ["5"]


def test_dying_while_a_line_is_written(keyring, path, interrupt_everywhere):
    """Whatever step a writer dies at, the log verifies, with the line or without it."""
    log = AuditLog(path, key=keyring)
    log.start().stop()
    whole_log, whole_head = path.read_bytes(), path.with_name("audit.jsonl.head").read_bytes()

    def prepare():
        path.write_bytes(whole_log)
        path.with_name("audit.jsonl.head").write_bytes(whole_head)

    def save():
        AuditLog(path, key=keyring).start()

    def whole():
        AuditLog(path, key=keyring).head()  # takes up, or drops, what is behind the head
        return {3: "old", 4: "new"}[verify(path, key=keyring).count]

    outcomes = interrupt_everywhere(prepare, save, whole)
    assert {state for _, state in outcomes} == {"old", "new"}


def test_permissions(keyring, path):
    """Log and head are for their owner only."""
    AuditLog(path, key=keyring).start().stop()
    assert [file.stat().st_mode & 0o777 for file in (path, path.with_name("audit.jsonl.head"))] == [0o600] * 2


def test_a_copy_for_an_auditor(keyring, path):
    """Log and head that can only be read are verified."""
    AuditLog(path, key=keyring).start().stop()
    for file in (path, path.with_name("audit.jsonl.head")):
        file.chmod(0o400)
    assert verify(path, key=keyring).count == 3


def test_it_is_not_pickled(keyring, path):
    """A log is not carried into another process: it would not be started there."""
    with pytest.raises(ParameterTypeError, match="start one in each process"):
        pickle.dumps(AuditLog(path, key=keyring))


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
