"""The envelope under attack: equal key ids, damaged slots, high numbers, other processes at the wrong moment."""

import os
import runpy
import secrets
from pathlib import Path

import pytest
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError, SealedFileWarning
from modelpriv.keys import Identity, Keyring, SigningKey, derivation, stanzas
from modelpriv.keys.keyring import build
from modelpriv.sealing import file, rekeying, rewrapping
from modelpriv.sealing.format import layout, slots

Parts = runpy.run_path(str(Path(__file__).with_name("insider.py")))["Parts"]


@pytest.fixture(scope="module")
def twins():
    """Two keyrings whose primary keys have one id: any pair is found after some 2**16 keys."""
    seen = {}
    while (name := derivation.key_id(key := secrets.token_bytes(32))) not in seen:
        seen[name] = key
    return build([seen[name]]), build([key])


@pytest.fixture
def path(tmp_path, keyring):
    """A file that a keyring and a passphrase open."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=3), path, key=keyring, passphrase="first")
    return path


# --- equal ids ---


@pytest.mark.parametrize("first", [0, 1])
def test_equal_ids_shut_no_owner_out(twins, tmp_path, first):
    """A key with the owner's id is added beside the owner's key, not in its place, and both open the file."""
    owner, other = twins[first], twins[1 - first]
    sealing.dump(Ridge(alpha=3), tmp_path / "m", key=owner, passphrase="first")
    sealing.rewrap(tmp_path / "m", key=owner, add=other)
    for keys in (owner, other):
        assert sealing.load(tmp_path / "m", key=keys).alpha == 3
        sealing.rewrap(tmp_path / "m", key=keys, add=keys)
    assert len(sealing.inspect(tmp_path / "m").stanzas) == 3


def test_equal_ids_in_a_signed_file(twins, tmp_path):
    """The same holds for a signed file."""
    owner, other = twins
    author = SigningKey.generate()
    sealing.dump(Ridge(alpha=3), tmp_path / "m", key=owner, sign_with=author)
    sealing.rewrap(tmp_path / "m", key=owner, add=other)
    for keys in twins:
        assert sealing.load(tmp_path / "m", key=keys, trusted_signers=[author.signer]).alpha == 3


def test_an_equal_id_does_not_move_a_sole_file(twins, tmp_path):
    """A key that only has the owner's id is another secret, and does not join a file that one keyring opens."""
    owner, other = twins
    sealing.dump(Ridge(alpha=3), tmp_path / "m", key=owner)
    with pytest.raises(ParameterError, match="rekey"):
        sealing.rewrap(tmp_path / "m", key=owner, add=other)
    assert sealing.load(tmp_path / "m", key=owner).alpha == 3


def test_removing_an_equal_id_removes_the_other_key(twins, tmp_path):
    """Of two keys with the id that is removed, the one that opened the file stays."""
    owner, other = twins
    sealing.dump(Ridge(alpha=3), tmp_path / "m", key=owner, passphrase="first")
    sealing.rewrap(tmp_path / "m", key=owner, add=other)
    sealing.rewrap(tmp_path / "m", key=owner, remove=other.primary)
    assert sealing.load(tmp_path / "m", key=owner).alpha == 3
    with pytest.raises(KeyUnavailableError, match="another key than yours"):
        sealing.load(tmp_path / "m", key=other)


def test_a_recipient_that_is_added_again(tmp_path):
    """The stanza that opened the file stays when its own recipient is added once more."""
    ada, author = Identity.generate("x25519"), SigningKey.generate()
    sealing.dump(Ridge(alpha=3), tmp_path / "m", recipients=[ada.recipient], sign_with=author)
    before = Parts((tmp_path / "m").read_bytes(), identity=ada).stanzas
    sealing.rewrap(tmp_path / "m", identity=ada, add=ada.recipient)
    assert before[0] in Parts((tmp_path / "m").read_bytes(), identity=ada).stanzas
    assert sealing.load(tmp_path / "m", identity=ada, trusted_signers=[author.signer]).alpha == 3


# --- slots ---


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("how", ["random", "zero", "hidden", "padding", "other file"])
def test_a_damaged_slot_is_reported(path, keyring, split, number, how):
    """A file with one damaged slot opens with a warning, whichever it is, and rewrap writes both again."""
    parts = split(path.read_bytes())
    slot = parts[2]
    parts[2 + number] = {
        "random": secrets.token_bytes(len(slot)),
        "zero": bytes(len(slot)),
        "hidden": slot[:44] + b"[]" + slot[46:],
        "padding": slot[:-5] + b"hello",
        "other file": split(sealing.dumps(Ridge(), key=keyring, passphrase="first"))[2],
    }[how]
    path.write_bytes(b"".join(parts))
    with pytest.warns(SealedFileWarning, match=r"slots of the sealed file is damaged.*rewrap\(...\)"):
        assert sealing.load(path, key=keyring).alpha == 3
    sealing.rewrap(path, key=keyring)
    assert sealing.load(path, key=keyring).alpha == 3


def test_two_authentic_slots_are_not_reported(path, keyring, split):
    """A slot that an interrupted rewrap left behind is older, and no damage."""
    before = split(path.read_bytes())[2]
    sealing.rewrap(path, key=keyring, add=Keyring.generate())
    parts = split(path.read_bytes())
    parts[3] = before
    path.write_bytes(b"".join(parts))
    assert sealing.load(path, key=keyring).alpha == 3


def test_a_slot_that_is_being_written(path, keyring, split, monkeypatch):
    """A slot that was half written when it was read, and is whole at the end, is not reported."""
    whole = path.read_bytes()
    parts = split(whole)
    parts[2] = parts[2][:100] + bytes(len(parts[2]) - 100)
    path.write_bytes(b"".join(parts))
    original = file.finish

    def ends(*args):
        path.write_bytes(whole)
        return original(*args)

    monkeypatch.setattr(file, "finish", ends)
    assert sealing.load(path, key=keyring).alpha == 3


def numbered(data, sequence, **opening):
    """A file whose slots have a sequence number that a reader chose."""
    parts = Parts(data, **opening)
    prelude = layout.Prelude.read(data, len(data))
    start = layout.PRELUDE + prelude.manifest
    slot = slots.write(parts.file_key, parts.stanzas, prelude=prelude, manifest=parts.manifest, sequence=sequence)
    return data[:start] + 2 * slot + data[start + 2 * prelude.slot :]


def test_the_last_sequence_number(path, keyring):
    """At the highest number a file still opens; rewrap refuses and points to rekey, which works."""
    path.write_bytes(numbered(path.read_bytes(), slots.LAST, passphrase="first"))
    assert sealing.load(path, key=keyring).alpha == 3
    with pytest.raises(ParameterError, match="rekey"):
        sealing.rewrap(path, key=keyring, remove="passphrase")
    sealing.rekey(path, key=keyring, new_key=keyring)
    assert sealing.load(path, key=keyring).alpha == 3


@pytest.mark.parametrize("sequence", [2**32 + 1, 2**64 - 1])
def test_a_sequence_number_above_the_last(path, keyring, sequence, monkeypatch):
    """A slot with a number that no rewrap reaches is damaged."""
    monkeypatch.setattr(slots, "LAST", 2**64)
    data = numbered(path.read_bytes(), sequence, passphrase="first")
    monkeypatch.undo()
    with pytest.raises(SealedFileError, match="envelope"):
        sealing.loads(data, key=keyring)


def test_more_ways_than_any_slot_holds(path, keyring):
    """Stanzas that no slot can hold are refused before anything is written."""
    parts, data = Parts(path.read_bytes(), keyring=keyring), path.read_bytes()
    prelude = layout.Prelude.read(data, len(data))
    with pytest.raises(ParameterError, match="no room for so many ways"):
        slots.write(parts.file_key, 30 * parts.stanzas, prelude=prelude, manifest=parts.manifest)


# --- other processes ---


def replacing_at(monkeypatch, module, name, path, content):
    """Let another process put a file in place just when a function is called."""
    original = getattr(module, name)

    def call(*args, **kwargs):
        if content.exists():
            content.replace(path)
        return original(*args, **kwargs)

    monkeypatch.setattr(module, name, call)


@pytest.fixture
def newer(tmp_path, keyring):
    """What another process dumps meanwhile."""
    sealing.dump(Ridge(alpha=4), tmp_path / "newer", key=keyring)
    return tmp_path / "newer"


@pytest.mark.parametrize("name", ["_write_with_larger_slots", "hand_over"])
def test_a_dump_during_a_rewrap_that_needs_room(path, keyring, newer, name, monkeypatch):
    """A dump that lands during a rewrap is not lost, and not mixed with what was there before."""
    sealing.dump(Ridge(alpha=3), path, key=keyring, sign_with=SigningKey.generate())
    replacing_at(monkeypatch, rewrapping, name, path, newer)
    with pytest.raises(SealedFileError, match="another process replaced"):
        sealing.rewrap(path, key=keyring, add=[Identity.generate("x-wing").recipient for _ in range(8)])
    assert sealing.load(path, key=keyring).alpha == 4
    assert not list(path.parent.glob(".*.tmp"))


@pytest.mark.parametrize("name", ["open_head", "finish", "hand_over"])
def test_a_dump_during_a_rekey(path, keyring, newer, name, monkeypatch):
    """A dump that lands during a rekey is not lost."""
    replacing_at(monkeypatch, rekeying, name, path, newer)
    with pytest.raises(SealedFileError, match="another process replaced"):
        sealing.rekey(path, key=keyring, new_key=keyring)
    assert sealing.load(path, key=keyring).alpha == 4
    assert not list(path.parent.glob(".*.tmp"))


def test_a_rekey_while_a_rewrap_waits(path, keyring, monkeypatch):
    """A rewrap that waited for the lock of a file which was then replaced is refused, and changes neither."""
    sealing.rekey(path, key=keyring, new_key=keyring, new_passphrase="first")
    fresh = path.read_bytes()
    stale = path.with_name("stale")
    stale.write_bytes(fresh)
    original = Path.open

    def opens_the_old_one(self, *args, **kwargs):
        return original(stale if self == path else self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", opens_the_old_one)
    with pytest.raises(SealedFileError, match="another process replaced"):
        sealing.rewrap(path, key=keyring, add=Keyring.generate())
    monkeypatch.undo()
    assert path.read_bytes() == stale.read_bytes() == fresh


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the lock is flock's")
def test_rekey_takes_the_lock(path, keyring, monkeypatch):
    """Rekey holds the lock that rewrap takes, so that neither loses what the other does."""
    import fcntl  # noqa: PLC0415 - not on Windows

    held = []

    def look(*args):
        with path.open("rb") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)

    monkeypatch.setattr(rekeying, "hand_over", look)
    sealing.rekey(path, key=keyring, new_key=keyring)
    assert held == [True]


def test_stanzas_of_another_file_do_not_open(path, keyring):
    """A stanza is worthless in another file: it is bound to its manifest."""
    others = Parts(sealing.dumps(Ridge(), key=keyring, passphrase="first"), keyring=keyring)
    mine = Parts(path.read_bytes(), keyring=keyring)
    with pytest.raises(KeyUnavailableError, match="altered"):
        stanzas.unwrap(others.stanzas, context=mine.context, keyring=keyring)
