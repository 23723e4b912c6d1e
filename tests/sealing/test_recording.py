"""What cannot be recorded is not done: no sealed file is written or changed before its event is."""

import io

import pytest
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv._core import events
from modelpriv.errors import KeyUnavailableError
from modelpriv.keys import Identity, Keyring, SigningKey

AUTHOR, ADA, OTHER = SigningKey.generate(), Identity.generate("x25519"), Keyring.generate()


class FullError(OSError):
    """The disk of the log is full."""


@pytest.fixture
def heard():
    """The events that are recorded, as long as there is room for them."""
    found = []
    listener = events.Listener(lambda facts, created: found.append((facts["action"], facts["result"])))
    listener.attach()
    yield found
    listener.detach()


@pytest.fixture
def full():
    """A log that takes no more events; what it was asked to record."""
    asked = []

    def refuse(facts, created):
        asked.append((facts["action"], facts["result"]))
        raise FullError

    listener = events.Listener(refuse)
    yield lambda: (listener.attach(), asked)[1]
    if listener.attached:
        listener.detach()


@pytest.fixture
def path(tmp_path, keyring):
    sealing.dump(Ridge(alpha=3), tmp_path / "m", key=keyring, passphrase="first")
    return tmp_path / "m"


CHANGES = {
    "dump": lambda path, keys: sealing.dump(Ridge(alpha=4), path, key=keys),
    "dump shared": lambda path, keys: sealing.dump(Ridge(alpha=4), path, key=keys, passphrase="second"),
    "dump signed": lambda path, keys: sealing.dump(Ridge(alpha=4), path, key=keys, sign_with=AUTHOR),
    "rewrap": lambda path, keys: sealing.rewrap(path, key=keys, add=OTHER, remove="passphrase"),
    "rekey": lambda path, keys: sealing.rekey(path, key=keys, new_key=keys),
    "rekey durable": lambda path, keys: sealing.rekey(path, key=keys, new_key=keys, new_passphrase="x", durable=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_written_unrecorded(change, path, keyring, full):
    """Where the log takes no event, the file stays as it was to the byte, and nothing lies beside it."""
    before = path.read_bytes()
    asked = full()
    with pytest.raises(FullError):
        CHANGES[change](path, keyring)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    assert asked[0] == (change.partition(" ")[0], "ok")


def test_no_keyring_file_is_written_unrecorded(tmp_path, keyring, full):
    """The same holds for the file of a keyring."""
    full()
    with pytest.raises(FullError):
        keyring.save(tmp_path / "keys.json", passphrase="an example")
    assert not list(tmp_path.iterdir())


def test_larger_slots_are_not_written_unrecorded(tmp_path, keyring, full):
    """The same holds for a rewrap that writes the whole file again."""
    path = tmp_path / "m"
    sealing.dump(Ridge(), path, key=keyring, sign_with=AUTHOR)
    before, many = path.read_bytes(), [Identity.generate("x-wing").recipient for _ in range(8)]
    full()
    with pytest.raises(FullError):
        sealing.rewrap(path, key=keyring, add=many)
    assert path.read_bytes() == before


@pytest.mark.parametrize("ways", [{}, {"passphrase": "first"}, {"sign_with": AUTHOR}])
def test_no_byte_goes_to_a_file_object_unrecorded(ways, keyring, full):
    """Not one byte is passed on to a file that somebody else opened before the event is recorded."""

    class Raw(io.RawIOBase):
        def write(self, data):
            raise AssertionError("a byte was written")

    full()
    with pytest.raises(FullError):
        sealing.dump(Ridge(), Raw(), key=keyring, **ways)
    with pytest.raises(FullError):
        sealing.dumps(Ridge(), key=keyring, **ways)


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_one_event(change, path, keyring, heard):
    """A change that succeeds is recorded once."""
    CHANGES[change](path, keyring)
    assert heard == [(change.partition(" ")[0], "ok")]


def test_a_failure_before_the_change(path, keyring, heard):
    """A change that is refused is recorded as that alone."""
    with pytest.raises(KeyUnavailableError):
        sealing.rewrap(path, key=OTHER, add=keyring)
    assert heard == [("rewrap", "KeyUnavailableError")]


def test_a_failure_of_the_change_itself(path, keyring, heard, monkeypatch):
    """Where the last step fails after it was recorded, the failure is recorded too."""
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(PermissionError()))
    with pytest.raises(PermissionError):
        sealing.dump(Ridge(), path, key=keyring)
    assert heard == [("dump", "ok"), ("dump", "PermissionError")]


def test_the_event_holds_what_was_used(path, keyring):
    """What is recorded before the file is written names file, key ids and signer."""
    found = []
    listener = events.Listener(lambda facts, created: found.append(facts))
    listener.attach()
    try:
        sealing.dump(Ridge(), path, key=keyring, sign_with=AUTHOR)
        sealing.dump(Ridge(), path, key=keyring, passphrase="second")
    finally:
        listener.detach()
    signed, shared = found
    assert signed["signer"] == AUTHOR.signer.id
    assert signed["key_ids"] == shared["key_ids"] == [keyring.primary]
    assert signed["file"] == shared["file"] == str(path)
    assert shared["file_id"] == sealing.inspect(path).file_id


def test_rekey_names_both_files(path, keyring):
    """The event of rekey holds the id of the file as it was, and that of the new one."""
    facts, before = [], sealing.inspect(path).file_id
    listener = events.Listener(lambda found, created: facts.append(found))
    listener.attach()
    try:
        sealing.rekey(path, key=keyring, new_key=keyring)
    finally:
        listener.detach()
    (event,) = (one for one in facts if one["action"] == "rekey")
    assert (event["previous_file_id"], event["file_id"]) == (before, sealing.inspect(path).file_id)
