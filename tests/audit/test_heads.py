"""What the head of a log finds: a log that was removed, put back, replaced, or is another writer's."""

import json

import pandas as pd
import pytest

from modelpriv import (
    FieldEncryptor,
)
from modelpriv.audit import AuditLog, Head, chain, verify
from modelpriv.audit import head as head_module
from modelpriv.errors import (
    KeyUnavailableError,
    ParameterError,
    SealedFileError,
)
from modelpriv.keys import Keyring
from modelpriv.keys.text import from_base64

TABLE = pd.DataFrame({"email": ["canary@example.org", None], "age": [36, 41]})


@pytest.fixture
def path(tmp_path):
    """Where the log is."""
    return tmp_path / "audit.jsonl"


def test_a_log_without_its_head(keyring, path):
    """A log whose head was removed is refused by name, for reading and for writing."""
    AuditLog(path, key=keyring).start().stop()
    path.with_name("audit.jsonl.head").unlink()
    with pytest.raises(SealedFileError, match=r"audit\.jsonl\.head"):
        verify(path, key=keyring)
    with pytest.raises(SealedFileError, match="head is empty"):
        AuditLog(path, key=keyring).start()


def test_a_head_without_its_log(keyring, path):
    """A log that was removed is not begun again behind its head."""
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
    """A log that a holder of the key wrote again does not fit a head that was noted before."""
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
    """A text that is not a head is refused, and not shown."""
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
    """The holder of a scope can put no log in the place of the ring's, and no lines behind its own."""
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
    """An id that no grant can have is refused, and not shown."""
    with pytest.raises(ParameterError, match="16 hexadecimal digits") as raised:
        verify(path, key=keyring, grant=grant)
    assert "canary" not in str(raised.value)


def test_a_hostile_key_id_is_not_shown(keyring, path):
    """A line's text in the place of a key id is not shown on the terminal."""
    AuditLog(path, key=keyring).start().stop()
    path.write_bytes(path.read_bytes().replace(keyring.primary.encode(), b"\\u001b[canary"))
    with pytest.raises(SealedFileError) as raised:
        verify(path, key=keyring)
    assert "canary" not in str(raised.value)


def test_a_log_that_does_not_begin_as_one(keyring, path):
    """A log whose first line was removed or altered is not written on."""
    AuditLog(path, key=keyring).start().stop()
    whole = path.read_bytes()
    for altered in (whole.replace(b'"open"', b'"opem"'), b"".join(whole.splitlines(keepends=True)[1:]), b"canary\n"):
        path.write_bytes(altered)
        with pytest.raises(SealedFileError) as raised:
            AuditLog(path, key=keyring).start()
        assert "canary" not in str(raised.value)


def test_an_older_file_in_the_place_of_the_log(keyring, path):
    """A file that was rotated away is not written on in the place of the current one."""
    with AuditLog(path, key=keyring) as log:
        log.rotate()
        log.rotate()
    path.write_bytes(path.with_name("audit.jsonl.000001").read_bytes())
    with pytest.raises(SealedFileError, match="older state"):
        AuditLog(path, key=keyring).start()
