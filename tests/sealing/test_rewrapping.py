"""Rewrap and rekey: other keys around the same body, or the same content under a fresh one; no file is lost."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError, SealedFileWarning
from modelpriv.keys import Keyring, stanzas
from modelpriv.sealing import rewrapping
from modelpriv.sealing.format import floe, layout, slots

CONTENT = [np.arange(300_000), "text"]


@pytest.fixture
def other():
    return Keyring.generate()


@pytest.fixture
def path(tmp_path, keyring):
    """A sealed file of origin "shared" that at first the keyring alone opens."""
    path = tmp_path / "model.mpriv"
    sealing.dump(CONTENT, path, key=keyring, passphrase="the first", metadata={"stage": "trial"})
    sealing.rewrap(path, key=keyring, remove="passphrase")
    return path


def opens(path, **given):
    try:
        back = sealing.load(path, **given)
    except KeyUnavailableError:
        return False
    np.testing.assert_array_equal(back[0], CONTENT[0])
    return True


# --- rewrap ---


def test_add_and_remove(path, keyring, other, split):
    """What was added opens the file and what was removed does not; nothing else in it changes."""
    before = split(path.read_bytes())
    sealing.rewrap(path, key=keyring, add=other)
    assert opens(path, key=other)
    assert opens(path, key=keyring)
    sealing.rewrap(path, key=other, remove=keyring.primary, add_passphrase="an example")
    assert not opens(path, key=keyring)
    assert opens(path, key=other)
    assert opens(path, passphrase="an example")
    sealing.rewrap(path, passphrase="an example", remove=["passphrase"])
    assert not opens(path, passphrase="an example")
    after = split(path.read_bytes())
    assert [after[0], after[1], after[4]] == [before[0], before[1], before[4]]


def test_after_a_rotation(path, keyring):
    """A rotated keyring takes the older key's place."""
    later = keyring.rotate()
    sealing.rewrap(path, key=later, add=later, remove=keyring.primary)
    assert opens(path, key=later.retire(keyring.primary))
    assert not opens(path, key=keyring)


def test_both_slots_say_the_same(path, keyring, other, split):
    """Afterwards both slots are alike, with a higher number than before."""
    sealing.rewrap(path, key=keyring, add=other)
    _, _, first, second, _ = split(path.read_bytes())
    assert first == second
    assert slots.read(first)[0] == 3


@pytest.mark.parametrize("torn", [0, 1])
def test_a_torn_slot_is_mended(path, keyring, split, torn):
    """A file whose one slot was left half written opens, and rewrap makes both whole."""
    parts = split(path.read_bytes())
    parts[2 + torn] = parts[2 + torn][:100] + bytes(len(parts[2]) - 100)
    path.write_bytes(b"".join(parts))
    with pytest.warns(SealedFileWarning, match="rewrap"):
        assert opens(path, key=keyring)
    sealing.rewrap(path, key=keyring)
    assert len(set(split(path.read_bytes())[2:4])) == 1
    assert opens(path, key=keyring)


@pytest.mark.parametrize("older", [0, 1])
def test_an_older_slot_put_back(path, keyring, other, split, older):
    """An older slot beside the newer one does not count; in place of both it does, and no reader can know."""
    before = split(path.read_bytes())[2]
    sealing.rewrap(path, key=keyring, add=other, remove=keyring.primary)
    parts = split(path.read_bytes())
    parts[2 + older] = before
    path.write_bytes(b"".join(parts))
    assert sealing.inspect(path).stanzas == ({"type": "keyring", "key_id": other.primary},)
    parts[2] = parts[3] = before
    path.write_bytes(b"".join(parts))
    assert opens(path, key=keyring)
    assert not opens(path, key=other)


def test_a_slot_of_another_file(path, keyring, tmp_path, split):
    """The slots of another file under the same key open nothing."""
    sealing.dump(CONTENT, tmp_path / "other.mpriv", key=keyring, metadata={"stage": "trial"})
    parts, others = split(path.read_bytes()), split((tmp_path / "other.mpriv").read_bytes())
    parts[2:4] = others[2:4]
    with pytest.raises((SealedFileError, KeyUnavailableError), match="altered"):
        sealing.loads(b"".join(parts), key=keyring)


def test_a_key_is_added_once(path, keyring):
    """A key that opens the file already does not get a second stanza."""
    sealing.rewrap(path, key=keyring, add=keyring)
    assert len(sealing.inspect(path).stanzas) == 1


def test_a_full_slot(path, keyring, split):
    """When a slot is full the whole file is written again with larger ones, around the same body."""
    before = split(path.read_bytes())
    others = [Keyring.generate() for _ in range(40)]
    for added in others:
        sealing.rewrap(path, key=keyring, add=added)
    assert all(opens(path, key=added) for added in (keyring, others[0], others[-1]))
    after = split(path.read_bytes())
    assert len(after[2]) == 4 * layout.SLOT
    assert (after[1], after[4]) == (before[1], before[4])


def test_no_more_stanzas_than_are_read(path, keyring, monkeypatch):
    """No more ways are added than a reader would accept."""
    monkeypatch.setattr(stanzas, "MOST_STANZAS", 2)
    sealing.rewrap(path, key=keyring, add=Keyring.generate())
    with pytest.raises(SealedFileError, match="more stanzas"):
        sealing.rewrap(path, key=keyring, add=Keyring.generate())
    assert opens(path, key=keyring)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"remove": "the last"}, ParameterError, "nothing would be left"),
        ({"remove": "ffffffff"}, KeyUnavailableError, "ffffffff.*cannot be removed"),
        ({"remove": ["passphrase"]}, KeyUnavailableError, "passphrase.*cannot be removed"),
        ({"remove": [7]}, ParameterTypeError, "key ids"),
        ({"add": 7}, ParameterTypeError, "add"),
        ({"add": "nonsense"}, ParameterError, "URI"),
        ({"add_passphrase": ""}, ParameterError, "passphrase"),
    ],
)
def test_what_is_refused(path, keyring, change, error, words):
    """A change that makes no sense is refused, and leaves the file as it was."""
    before = path.read_bytes()
    change = {name: keyring.primary if value == "the last" else value for name, value in change.items()}
    with pytest.raises(error, match=words):
        sealing.rewrap(path, key=keyring, **change)
    assert path.read_bytes() == before


@pytest.mark.parametrize("change", [sealing.rewrap, sealing.rekey])
def test_another_key(path, other, change):
    """Someone who cannot open the file cannot change it either."""
    before = path.read_bytes()
    new = {"add": other} if change is sealing.rewrap else {"new_key": other}
    with pytest.raises(KeyUnavailableError):
        change(path, key=other, **new)
    with pytest.raises(ParameterError, match="key="):
        change(path, **new)
    assert path.read_bytes() == before


def test_death_in_a_rewrap(path, keyring, other, interrupt_everywhere):
    """A rewrap that dies at any step leaves a file that opens as before or as after."""
    whole = path.read_bytes()

    def state():
        # Between its two slots it opens as both: the removed key's holder cannot tell the newer slot from a torn one.
        now = opens(path, key=keyring), opens(path, key=other)
        return {(True, False): "1 before", (True, True): "2 between", (False, True): "3 after"}[now]

    outcomes = interrupt_everywhere(
        lambda: path.write_bytes(whole),
        lambda: sealing.rewrap(path, key=keyring, add=other, remove=keyring.primary),
        state,
    )
    states = [state for _, state in outcomes]
    assert states == sorted(states)
    assert set(states) == {"1 before", "2 between", "3 after"}
    assert "after fsync" in dict(outcomes)


def test_death_in_a_rewrap_that_needs_room(path, keyring, interrupt_everywhere, monkeypatch):
    """A rewrap whose slot is full leaves the old file or the new one too."""
    many = [stanzas.wrap(bytes(32), context=b"", keyring=Keyring.generate())[0] for _ in range(30)]
    monkeypatch.setattr(rewrapping, "_with_added", lambda target, found, ways, added: ways + many)
    whole = path.read_bytes()

    def state():
        assert opens(path, key=keyring)
        return {1: "old", 31: "new"}[len(sealing.inspect(path).stanzas)]

    outcomes = interrupt_everywhere(
        lambda: path.write_bytes(whole), lambda: sealing.rewrap(path, key=keyring, add=keyring), state
    )
    assert {state for _, state in outcomes} == {"old", "new"}


# --- rekey ---


def test_rekey(path, keyring, other, split):
    """Rekeyed, the file opens with the new key alone, has nothing in common with the old one, and says the same."""
    before = path.read_bytes()
    sealing.rekey(path, key=keyring, new_key=other, new_passphrase="an example")
    assert opens(path, key=other)
    assert opens(path, passphrase="an example")
    assert not opens(path, key=keyring)
    claims, old = sealing.inspect(path), sealing.inspect(io.BytesIO(before))
    assert claims.file_id != old.file_id
    assert (claims.metadata, claims.versions) == (old.metadata, old.versions)
    body, old_body = split(path.read_bytes())[4], split(before)[4]
    assert len(body) == len(old_body)
    assert np.mean(np.frombuffer(body, np.uint8) == np.frombuffer(old_body, np.uint8)) < 0.01


def test_rekey_shuts_out_who_kept_the_file_key(path, keyring, split):
    """Whoever kept the key of the file before cannot open it after, with the new envelope or the old one."""
    before = split(path.read_bytes())
    sealing.rekey(path, key=keyring, new_key=keyring)
    after = split(path.read_bytes())
    for pair in (before[2:4], after[2:4]):
        for manifest, body in itertools.product((before[1], after[1]), (before[4], after[4])):
            data = b"".join([before[0], manifest, *pair, body])
            whole = (
                (manifest, body) == (before[1], before[4])
                if pair == before[2:4]
                else (manifest, body) == (after[1], after[4])
            )
            if not whole:
                with pytest.raises((SealedFileError, KeyUnavailableError)):
                    sealing.loads(data, key=keyring)


def test_rekey_unpickles_nothing(keyring, tmp_path, bomb):
    """The content is moved as it is, and not unpickled."""
    sealing.dump(bomb(), tmp_path / "model.mpriv", key=keyring)
    sealing.rekey(tmp_path / "model.mpriv", key=keyring, new_passphrase="an example")
    assert not bomb.exploded
    sealing.load(tmp_path / "model.mpriv", passphrase="an example")
    assert bomb.exploded == 1


def test_rekey_of_damage(path, keyring, other):
    """A file that is damaged to its last segment is refused, and stays as it was."""
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(SealedFileError, match="segment"):
        sealing.rekey(path, key=keyring, new_key=other)
    assert path.read_bytes() == damaged
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("size", [0, 1, floe.SEGMENT, 3 * floe.SEGMENT + 5])
def test_rekey_of_any_size(tmp_path, keyring, size):
    """Files of any number of segments are rekeyed."""
    sealing.dump(bytes(size), tmp_path / "model.mpriv", key=keyring)
    sealing.rekey(tmp_path / "model.mpriv", key=keyring, new_key=keyring)
    assert sealing.load(tmp_path / "model.mpriv", key=keyring) == bytes(size)


def test_rekey_needs_a_new_key(path, keyring):
    """The new key or passphrase has to be given."""
    with pytest.raises(ParameterError, match="key"):
        sealing.rekey(path, key=keyring)
    assert opens(path, key=keyring)


def test_death_in_a_rekey(path, keyring, other, interrupt_everywhere):
    """A rekey that dies at any step leaves the old file or the new one, whole."""
    whole = path.read_bytes()
    outcomes = interrupt_everywhere(
        lambda: path.write_bytes(whole),
        lambda: sealing.rekey(path, key=keyring, new_key=other, durable=True),
        lambda: {(True, False): "old", (False, True): "new"}[opens(path, key=keyring), opens(path, key=other)],
    )
    assert {state for _, state in outcomes} == {"old", "new"}


def test_memory_of_a_rekey(tmp_path, keyring, traced_peak):
    """A rekey takes little memory, whatever the size of the file."""
    path = tmp_path / "model.mpriv"
    sealing.dump(np.zeros(4_000_000), path, key=keyring)
    assert traced_peak(lambda: sealing.rekey(path, key=keyring, new_key=keyring)) < 8 * floe.SEGMENT


def test_a_model_after_both(keyring, other, tmp_path):
    """A model is the same after it was rewrapped and rekeyed."""
    path = tmp_path / "model.mpriv"
    sealing.dump(Ridge(alpha=2.5), path, key=keyring, passphrase="an example")
    sealing.rewrap(path, key=keyring, add=other)
    sealing.rekey(path, key=other, new_key=keyring)
    assert sealing.load(path, key=keyring).alpha == 2.5


def moved(path, change):
    """How many bytes this process reads and writes while it changes a file."""
    before = bytes_moved()
    change(path)
    return bytes_moved() - before


def bytes_moved():
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counts["rchar"]) + int(counts["wchar"])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts the bytes of a process")
def test_a_rewrap_does_not_read_the_body(tmp_path, keyring):
    """A rewrap reads and writes as much of a file of 20 MB as of a short one."""
    for name, size in (("short", 10), ("long", 20_000_000)):
        sealing.dump(np.zeros(size, np.uint8), tmp_path / name, key=keyring, passphrase="an example")

    def add(path):
        sealing.rewrap(path, key=keyring, add=keyring.rotate())

    assert abs(moved(tmp_path / "long", add) - moved(tmp_path / "short", add)) < 1000
