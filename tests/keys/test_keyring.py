"""The keyring: made, turned, taken apart, and never in sight."""

import copy
import gc
import os
import pickle
import stat
import traceback
from hashlib import sha256
from pathlib import Path

import cloudpickle
import joblib
import pytest
import skops.io
from chained import carried
from sklearn.base import BaseEstimator, clone

from modelpriv import FieldEncryptor
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Identity, KeyReference, Keyring, SigningKey, container, derivation, opening
from modelpriv.keys.keyring import build
from modelpriv.keys.providers.passphrase import PassphraseProvider
from modelpriv.keys.secret_text import read as read_secret
from modelpriv.keys.text import to_line

PASSPHRASE = "an example, and no secret"


class Estimator(BaseEstimator):
    """An estimator with a key, as far as scikit-learn looks at it."""

    def __init__(self, key=None):
        self.key = key


def hidden(keyring, seen):
    """Whether none of a keyring's keys stands in some bytes or text, raw, in hexadecimal or as exported."""
    seen = seen.encode() if isinstance(seen, str) else seen
    secrets = read_secret(keyring.export_secret()).keys
    forms = [form for key in secrets for form in (key[:16], key[16:], key.hex().encode(), repr(key).encode())]
    return not any(form in seen for form in [*forms, keyring.export_secret().encode()[30:]])


def test_the_search_for_keys_can_find_one(keyring):
    """What looks for keys below does find them where they are."""
    assert not hidden(keyring, keyring.export_secret())
    assert not hidden(keyring, pickle.dumps(read_secret(keyring.export_secret()).keys))


def test_two_keyrings_differ(keyring):
    """Each generated keyring has one key, of its own."""
    other = Keyring.generate()
    assert len(keyring.key_ids) == 1
    assert keyring.working_key("ff1", context="a", length=32) != other.working_key("ff1", context="a", length=32)


def test_a_keyring_is_not_made_by_its_constructor():
    """The constructor refuses, and says what makes a keyring."""
    with pytest.raises(ParameterError, match=r"Keyring\.generate\(\)"):
        Keyring()


def test_key_ids(keyring):
    """A key's id is 8 hexadecimal digits, from the key alone."""
    (key,) = read_secret(keyring.export_secret()).keys
    assert keyring.key_ids == (derivation.key_id(key).hex(),)
    assert keyring.primary == keyring.key_ids[0]


def test_keys_are_the_derived_ones(keyring):
    """What a keyring gives is the derivation of its primary key."""
    (key,) = read_secret(keyring.export_secret()).keys
    context_key = derivation.context_key(key, "email")
    assert keyring.working_key("ff1", context="email", length=32) == derivation.working_key(context_key, "ff1", 32)
    assert keyring.ring_key("wrap", length=64) == derivation.ring_wide_key(key, "wrap", 64)


def test_rotation_keeps_the_old_keys(keyring):
    """A rotated keyring writes with a new key and still has the old one; the original is as it was."""
    before = keyring.working_key("ff1", context="a", length=32)
    rotated = keyring.rotate()
    assert rotated.key_ids == (rotated.primary, keyring.primary)
    assert rotated.working_key("ff1", context="a", length=32) != before
    assert rotated.working_key("ff1", context="a", length=32, key_id=keyring.primary) == before
    assert rotated.ring_key("wrap", length=64, key_id=keyring.primary) == keyring.ring_key("wrap", length=64)
    assert keyring.working_key("ff1", context="a", length=32) == before


def test_retiring_a_key(keyring):
    """A retired key is gone from the new keyring, and the others are there in their order."""
    ring = keyring.rotate().rotate()
    newest, middle, oldest = ring.key_ids
    assert ring.retire(middle).key_ids == (newest, oldest)
    assert ring.key_ids == (newest, middle, oldest)


def test_the_primary_is_not_retired(keyring):
    """The primary key cannot be retired: rotate first."""
    rotated = keyring.rotate()
    for ring in (keyring, rotated):
        with pytest.raises(ParameterError, match=rf"{ring.primary}.*rotate\(\)"):
            ring.retire(ring.primary)


@pytest.mark.parametrize(
    "call",
    [
        lambda ring: ring.retire("00000000"),
        lambda ring: ring.working_key("ff1", context="a", length=32, key_id="00000000"),
        lambda ring: ring.ring_key("wrap", length=64, key_id="00000000"),
    ],
)
def test_a_key_that_is_not_held(keyring, call):
    """An unknown key id is named, and so are those that are held."""
    with pytest.raises(KeyUnavailableError, match=f"00000000.*holds {keyring.primary}"):
        call(keyring)


def test_a_collision_of_ids_is_refused(keyring):
    """Two keys with one id do not come into one ring."""
    with pytest.raises(ParameterError, match="one key id"):
        build([bytes(32), bytes(range(32)), bytes(32)])


def test_rotation_avoids_a_collision(monkeypatch):
    """A new key whose id is taken is drawn again."""
    ring = build([bytes(32)])
    drawn = [bytes(32), bytes(32), bytes(range(32))]
    monkeypatch.setattr("secrets.token_bytes", lambda n: drawn.pop(0))
    assert ring.rotate().key_ids == (derivation.key_id(bytes(range(32))).hex(), ring.primary)


def test_export_and_back(keyring):
    """The exported text gives the keys back, in their order; it starts with words that can be searched for."""
    ring = keyring.rotate()
    text = ring.export_secret()
    assert text.startswith("modelpriv_secret_keyring_1_")
    assert Keyring.from_secret(text + "\n").fingerprints == ring.fingerprints


@pytest.mark.parametrize("place", [27, 40, 60, -1])
def test_a_mistyped_export_is_refused(keyring, place):
    """One wrong character in the exported text is noticed, and none of it shown."""
    text = list(keyring.export_secret())
    text[place] = "A" if text[place] != "A" else "B"
    with pytest.raises(ParameterError, match="cut or mistyped") as raised:
        Keyring.from_secret("".join(text))
    assert "".join(text)[30:40] not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("keys", [b"", bytes(31), bytes(33)])
def test_half_a_key_is_refused(keys):
    """A text without whole keys is refused even where its checksum is right."""
    with pytest.raises(ParameterError, match="whole keys"):
        Keyring.from_secret(to_line("modelpriv_secret_keyring_1_", keys))


@pytest.mark.parametrize("value", [None, 3, b"modelpriv_secret_keyring_1_"])
def test_a_secret_is_text(value):
    """What is no text is refused by its type."""
    with pytest.raises(ParameterTypeError, match=type(value).__name__):
        Keyring.from_secret(value)


def test_a_keyring_cannot_be_changed(keyring):
    """Nothing is set, deleted or added, and there is no dictionary to reach into."""
    for name in ("primary", "key_ids", "_keys", "anything"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(keyring, name, None)
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(keyring, name)
    with pytest.raises(AttributeError, match="cannot be changed"):
        keyring.__setstate__(Keyring.generate().__getstate__())
    assert not hasattr(keyring, "__dict__")


def test_repr_names_the_primary(keyring):
    """The repr says the primary's id and how many keys there are, and nothing else."""
    assert repr(keyring.rotate().rotate()).endswith("keys=3>")
    assert repr(keyring) == str(keyring) == f"<Keyring primary={keyring.primary} keys=1>"


def test_copies_are_the_keyring(keyring):
    """``copy`` and ``deepcopy`` give the keyring itself, and so does scikit-learn's ``clone``."""
    assert copy.copy(keyring) is keyring
    assert copy.deepcopy([keyring])[0] is keyring
    assert clone(Estimator(keyring)).key is keyring


SERIALISERS = {
    **{f"pickle {protocol}": (lambda x, p=protocol: pickle.dumps(x, p), pickle.loads) for protocol in range(6)},
    "cloudpickle": (cloudpickle.dumps, cloudpickle.loads),
    "skops": (skops.io.dumps, lambda data: skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))),
}


@pytest.mark.parametrize("name", SERIALISERS)
def test_serialised_by_reference(keyring, name):
    """What a serialiser writes holds no key, and read in this process it means the same keys."""
    dumps, loads = SERIALISERS[name]
    ring = keyring.rotate()
    data = dumps(Estimator(ring))
    assert hidden(ring, data)
    assert loads(data).key.fingerprints == ring.fingerprints


def test_joblib_dump_is_by_reference(keyring, tmp_path):
    """A file of ``joblib.dump`` holds no key."""
    joblib.dump(Estimator(keyring), tmp_path / "estimator.joblib")
    assert hidden(keyring, (tmp_path / "estimator.joblib").read_bytes())
    assert joblib.load(tmp_path / "estimator.joblib").key is keyring


def test_joblib_hash_follows_the_keys(keyring):
    """``joblib.hash``, and so a pipeline's cache, is one for equal keyrings and another for others."""
    same = Keyring.from_secret(keyring.export_secret())
    assert joblib.hash(Estimator(keyring)) == joblib.hash(Estimator(same))
    assert joblib.hash(Estimator(keyring)) != joblib.hash(Estimator(keyring.rotate()))


def test_state_is_a_reference(keyring):
    """``__getstate__``, which serialisers call on their own, holds ids, check values and URI."""
    assert keyring.__getstate__() == (keyring.key_ids, (keyring.fingerprints[0][1],), None)


def test_skops_without_the_keyring():
    """Where a serialiser restores state, a keyring that is not at hand is an error that names the key id."""
    keyring = Keyring.generate()
    data, key_id, text = skops.io.dumps(keyring), keyring.primary, keyring.export_secret()
    trusted = skops.io.get_untrusted_types(data=data)
    del keyring
    gc.collect()
    with pytest.raises(KeyUnavailableError, match=key_id):
        skops.io.loads(data, trusted=trusted)
    with opening(Keyring.from_secret(text)):
        assert skops.io.loads(data, trusted=trusted).primary == key_id


def test_repr_of_an_estimator_hides_the_keys(keyring):
    """Neither an estimator's repr, nor its HTML, nor its parameters as text show a key."""
    estimator = Estimator(keyring)
    for seen in (repr(estimator), estimator._repr_html_(), str(estimator.get_params())):
        assert hidden(keyring, seen)
        assert keyring.primary in seen


def test_a_keyring_goes_when_nothing_holds_it():
    """The table of live keyrings does not keep them alive."""
    keyring = Keyring.generate()
    data = pickle.dumps(keyring)
    assert pickle.loads(data) is keyring
    del keyring
    gc.collect()
    assert isinstance(pickle.loads(data), KeyReference)


def test_save_and_load(keyring, tmp_path, cheap_argon2):
    """A saved keyring comes back, in its order, and has no URI."""
    ring = keyring.rotate()
    ring.save(tmp_path / "keys.json", passphrase=PASSPHRASE)
    loaded = Keyring.load(str(tmp_path / "keys.json"), passphrase=PASSPHRASE.encode())
    assert loaded.fingerprints == ring.fingerprints
    assert loaded.uri is None


def test_a_saved_file_hides_the_keys(keyring, tmp_path, cheap_argon2):
    """The file holds no key in clear, shows the key ids, and is its owner's alone."""
    path = tmp_path / "keys.json"
    keyring.save(path, passphrase=PASSPHRASE)
    assert hidden(keyring, path.read_bytes())
    assert keyring.primary in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_names_other_keys_is_refused(keyring, tmp_path, cheap_argon2):
    """A file whose key ids are not those of its keys is refused, though its passphrase is right."""
    public, secret = {"key_ids": ["00000000"]}, keyring.export_secret().encode()
    container.write(tmp_path / "keys.json", "keyring", public, secret, provider=PassphraseProvider(PASSPHRASE))
    with pytest.raises(SealedFileError, match="key ids"):
        Keyring.load(tmp_path / "keys.json", passphrase=PASSPHRASE)


def test_death_while_saving(keyring, tmp_path, cheap_argon2, interrupt_everywhere):
    """A process that dies at any step of a save leaves the old keyring or the new one, whole, and nothing readable."""
    path, new = tmp_path / "keys.json", keyring.rotate()
    keyring.save(path, passphrase=PASSPHRASE)
    old_file = path.read_bytes()

    def prepare():
        path.write_bytes(old_file)

    def whole():
        for left in tmp_path.iterdir():
            assert stat.S_IMODE(left.stat().st_mode) == 0o600
            assert hidden(new, left.read_bytes())
        names = {keyring.key_ids: "old", new.key_ids: "new"}
        return names[Keyring.load(path, passphrase=PASSPHRASE).key_ids]

    outcomes = interrupt_everywhere(prepare, lambda: new.save(path, passphrase=PASSPHRASE), whole)
    assert {state for _, state in outcomes} == {"old", "new"}
    steps = {step for step, _ in outcomes}
    assert {"before open", "within write", "after fsync", "before replace", "after replace", None} <= steps
    assert outcomes[-1] == (None, "new")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(keyring, tmp_path, monkeypatch, cheap_argon2):
    """When the disk is full the old keyring is whole, and nothing lies beside it."""
    path, fdopen = tmp_path / "keys.json", os.fdopen
    keyring.save(path, passphrase=PASSPHRASE)

    def full(descriptor, mode):
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)
        return fdopen(descriptor, mode)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", full)
        with pytest.raises(OSError, match="No space left"):
            keyring.rotate().save(path, passphrase=PASSPHRASE)
    assert list(tmp_path.iterdir()) == [path]
    assert Keyring.load(path, passphrase=PASSPHRASE).key_ids == keyring.key_ids


@pytest.mark.skipif(os.name != "posix", reason="permissions and links are POSIX")
def test_a_save_through_a_link_and_any_umask(keyring, tmp_path, cheap_argon2):
    """Whatever the umask, file and temporary file are their owner's alone; a link stays, and leads to the new file."""
    path, link = tmp_path / "keys.json", tmp_path / "link"
    link.symlink_to(path)
    before = os.umask(0)
    try:
        keyring.save(link, passphrase=PASSPHRASE)
        path.chmod(0o666)
        keyring.save(link, passphrase=PASSPHRASE)
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keyring.load(link, passphrase=PASSPHRASE).primary == keyring.primary


def test_saving_after_a_death(keyring, tmp_path, cheap_argon2):
    """What a dead process left beside the file does not hinder the next save."""
    (tmp_path / f".keys.json.{sha256(b'').hexdigest()[:16]}.tmp").write_bytes(b"half")
    keyring.save(tmp_path / "keys.json", passphrase=PASSPHRASE)
    assert Keyring.load(tmp_path / "keys.json", passphrase=PASSPHRASE).primary == keyring.primary


@pytest.mark.parametrize(
    ("passphrase", "error"),
    [("", ParameterError), (b"", ParameterError), (None, ParameterError), (5, ParameterTypeError)],
)
def test_saving_needs_a_passphrase(keyring, tmp_path, passphrase, error):
    """A keyring file is always wrapped: without a passphrase nothing is written."""
    with pytest.raises(error, match="passphrase"):
        keyring.save(tmp_path / "keys.json", passphrase=passphrase)
    assert not list(tmp_path.iterdir())


def test_no_error_shows_a_key(keyring, tmp_path, monkeypatch, cheap_argon2):
    """Whatever goes wrong, no traceback holds a key or a passphrase, and nothing that the error came from has one."""
    path = tmp_path / "keys.json"
    keyring.save(path, passphrase=PASSPHRASE)
    monkeypatch.setenv("CUT", keyring.export_secret()[:-1])
    monkeypatch.setenv("BESIDE", keyring.export_secret() + "\udcff")
    (tmp_path / "raw").write_text("{" + keyring.export_secret())
    (tmp_path / "raw").chmod(0o600)
    calls = [
        lambda: Keyring.load(path, passphrase=PASSPHRASE + "\udcff"),
        lambda: Keyring.load(tmp_path / "raw", passphrase=PASSPHRASE),
        lambda: keyring.save(path, passphrase=PASSPHRASE + "\udcff"),
        lambda: Keyring.from_uri("env:CUT"),
        lambda: Keyring.from_uri("env:BESIDE"),
        lambda: Keyring.from_secret(keyring.export_secret() + "\udcff"),
        lambda: FieldEncryptor(key=keyring.export_secret()).fit([["a"]]),
        lambda: Keyring.load(path, passphrase="canary"),
        lambda: Keyring.from_uri(keyring.export_secret()),
        lambda: Keyring.from_secret(keyring.export_secret()[:-1]),
        lambda: keyring.retire(""),
        lambda: keyring.working_key("wrap", context="a", length=32),
    ]
    for call in calls:
        with pytest.raises(ModelprivError) as raised:
            call()
        seen = "".join(traceback.format_exception(raised.value)) + carried(raised.value)
        assert hidden(keyring, seen)
        assert PASSPHRASE not in seen


def test_what_is_looked_through_for_secrets():
    """What looks for secrets above does find them in what an error was raised beside."""

    def refuse():
        try:
            "canary\udcff".encode()
        except UnicodeEncodeError:
            raise ParameterError("another") from None

    with pytest.raises(ParameterError) as raised:
        refuse()
    assert "canary" in carried(raised.value)


def test_no_keyring_over_another(keyring, tmp_path):
    """A file that holds another keyring is not replaced, and one that shares a key is."""
    path = tmp_path / "keys.json"
    keyring.save(path, passphrase=PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(ParameterError, match=keyring.primary):
        Keyring.generate().save(path, passphrase=PASSPHRASE)
    assert path.read_bytes() == before
    rotated = keyring.rotate()
    rotated.save(path, passphrase=PASSPHRASE)
    rotated.retire(keyring.primary).save(path, passphrase=PASSPHRASE)


# --- files that must not be lost, or put back ---

PASSPHRASE = "correct horse battery staple"


def test_a_newer_file_is_not_replaced(tmp_path):
    """A file with a key that the keyring does not hold is not replaced: what only that key opens would be lost."""
    older, path = Keyring.generate(), tmp_path / "keys.json"
    newer = older.rotate()
    newer.save(path, passphrase=PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(ParameterError, match=rf"{newer.primary}.*may be newer"):
        older.save(path, passphrase=PASSPHRASE)
    assert path.read_bytes() == before


def test_an_older_file_is_replaced(tmp_path):
    """After a rotation, or after a key was retired, the keyring is saved over its older state."""
    keys, path = Keyring.generate(), tmp_path / "keys.json"
    keys.save(path, passphrase=PASSPHRASE)
    rotated = keys.rotate()
    rotated.save(path, passphrase=PASSPHRASE)
    rotated.retire(keys.primary).save(path, passphrase=PASSPHRASE)
    assert Keyring.load(path, passphrase=PASSPHRASE).key_ids == (rotated.primary,)


def test_a_retired_key_stays_retired_through_rotations(tmp_path):
    """What was retired before a rotation may still be dropped from the file after it."""
    keys, path = Keyring.generate().rotate(), tmp_path / "keys.json"
    keys.save(path, passphrase=PASSPHRASE)
    kept = keys.retire(keys.key_ids[1]).rotate().distrust(keys.primary)
    kept.save(path, passphrase=PASSPHRASE)
    assert keys.key_ids[1] not in Keyring.load(path, passphrase=PASSPHRASE).key_ids


@pytest.mark.parametrize("kind", ["signing key", "identity", "text"])
def test_a_file_of_another_kind_is_not_replaced(tmp_path, kind):
    """A file that is not a keyring is not replaced, and the message names what it is where that is known."""
    path = tmp_path / "file"
    if kind == "signing key":
        SigningKey.generate().save(path, passphrase=PASSPHRASE)
    elif kind == "identity":
        Identity.generate("x25519").save(path, passphrase=PASSPHRASE)
    else:
        path.write_text("a novel")
    before = path.read_bytes()
    with pytest.raises(ParameterError, match="another kind" if kind == "text" else kind):
        Keyring.generate().save(path, passphrase=PASSPHRASE)
    assert path.read_bytes() == before


def test_an_empty_file_is_replaced(tmp_path):
    """An empty file, as tempfile makes it, holds nothing that could be lost."""
    path = tmp_path / "keys.json"
    path.touch(mode=0o600)
    keys = Keyring.generate()
    keys.save(path, passphrase=PASSPHRASE)
    assert Keyring.load(path, passphrase=PASSPHRASE).key_ids == keys.key_ids


def test_an_older_file_that_was_put_back_is_noticed(tmp_path):
    """Loading with the newest key's id refuses an older file, and takes the newest."""
    keys, path = Keyring.generate(), tmp_path / "keys.json"
    keys.save(path, passphrase=PASSPHRASE)
    newer = keys.rotate()
    with pytest.raises(KeyUnavailableError, match=f"does not hold key id {newer.primary}, which you expect"):
        Keyring.load(path, passphrase=PASSPHRASE, expect=newer.primary)
    newer.save(path, passphrase=PASSPHRASE)
    assert Keyring.load(path, passphrase=PASSPHRASE, expect=newer.key_ids).primary == newer.primary


@pytest.mark.parametrize("expect", ["3fa1c2", 5, [b"3fa1c2d4"], ["canary-canary"]])
def test_what_is_expected_must_be_key_ids(tmp_path, expect):
    """Anything but key ids is refused, and not repeated."""
    Keyring.generate().save(tmp_path / "keys.json", passphrase=PASSPHRASE)
    with pytest.raises(ParameterError, match="8 hexadecimal digits") as raised:
        Keyring.load(tmp_path / "keys.json", passphrase=PASSPHRASE, expect=expect)
    assert "canary" not in str(raised.value)


NEW = {
    "keyring": Keyring.generate,
    "identity": lambda: Identity.generate("x25519"),
    "signing key": SigningKey.generate,
}


@pytest.mark.parametrize("there", [*NEW, "text"])
@pytest.mark.parametrize("saved", NEW)
def test_no_save_loses_a_key(tmp_path, there, saved):
    """No private key or keyring is saved over another one, nor over any other file."""
    path = tmp_path / "file"
    if there == "text":
        path.write_text("a novel")
    else:
        NEW[there]().save(path, passphrase=PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(ParameterError, match="not replaced"):
        NEW[saved]().save(path, passphrase=PASSPHRASE)
    assert path.read_bytes() == before


@pytest.mark.parametrize("saved", NEW)
def test_the_same_key_is_saved_again(tmp_path, saved):
    """A key is saved over its own file, so that its passphrase can change."""
    key, path = NEW[saved](), tmp_path / "file"
    for passphrase in (PASSPHRASE, f"another {PASSPHRASE}"):
        key.save(path, passphrase=passphrase)
        assert type(key).load(path, passphrase=passphrase).__getstate__() == key.__getstate__()


@pytest.mark.parametrize("there", [*NEW, "text"])
def test_a_grant_replaces_only_a_grant(tmp_path, there):
    """A grant is saved over an older grant, and over nothing else."""
    path, ada, owner = tmp_path / "file", Identity.generate("x25519"), SigningKey.generate()
    made = Keyring.generate().grant(["a"], recipient=ada.recipient, sign_with=owner)
    if there == "text":
        path.write_text("a novel")
    else:
        NEW[there]().save(path, passphrase=PASSPHRASE)
    before = path.read_bytes()
    with pytest.raises(ParameterError, match="not replaced"):
        made.save(path)
    assert path.read_bytes() == before
    path.unlink()
    for _ in range(2):
        made.save(path)
