"""A key that leaked is distrusted: it opens tokens, so they can move, and no model that others can have written."""

import pickle

import joblib
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from modelpriv import EncryptedEstimator, FieldEncryptor, sealing
from modelpriv.errors import KeyUnavailableError, LockedError, ParameterError
from modelpriv.keys import Keyring, secret_text, workers

TABLE = pd.DataFrame({"email": ["a@example.org", "b@example.org"]})


@pytest.fixture
def leaked():
    """A keyring that somebody else has too."""
    return Keyring.generate()


@pytest.fixture
def newer(leaked):
    """What its owner has after the leak was found."""
    return leaked.rotate(distrust=True)


def test_tokens_open_and_move(leaked, newer):
    """What was written under the distrusted key opens, and is moved to the new one."""
    tokens = FieldEncryptor(key=leaked).fit_transform(TABLE)
    step = FieldEncryptor(key=newer).fit(TABLE)
    assert step.inverse_transform(tokens).equals(TABLE)
    moved = step.rewrap(tokens)
    alone = newer.retire(leaked.primary)
    assert FieldEncryptor(key=alone).inverse_transform(moved).equals(TABLE)


def test_models_do_not_open(leaked, newer, bomb):
    """A model under the distrusted key is not unpickled, rewrapped or rekeyed; the message says what to do."""
    data = sealing.dumps(bomb(), key=leaked)
    with pytest.raises(KeyUnavailableError, match=f"{leaked.primary}, which your keyring distrusts.*rekey"):
        sealing.loads(data, key=newer)
    assert not bomb.exploded


@pytest.mark.parametrize("ways", [{}, {"passphrase": "first"}])
def test_neither_rewrap_nor_rekey_vouches(leaked, newer, tmp_path, ways, cheap_argon2):
    """A file that may be a stranger's does not come under the new key, in no way."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=3), path, key=leaked, **ways)
    before = path.read_bytes()
    for change in (
        lambda: sealing.rewrap(path, key=newer, add=newer),
        lambda: sealing.rekey(path, key=newer, new_key=newer),
    ):
        with pytest.raises(KeyUnavailableError, match="distrusts"):
            change()
    assert path.read_bytes() == before


def test_the_steps_after_a_leak(leaked, newer, tmp_path):
    """What the message says works: the keyring as it was rekeys what is known to be one's own."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=3), path, key=leaked)
    sealing.rekey(path, key=leaked, new_key=newer)
    assert sealing.load(path, key=newer).alpha == 3


def test_a_model_of_the_thief(leaked, newer, tmp_path, bomb):
    """Whoever has the leaked key cannot put a model in the place of one that was rotated to the new key."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=3), path, key=leaked)
    rotated = leaked.rotate()
    sealing.rewrap(path, key=rotated, add=rotated)  # both keys open it
    owner = rotated.distrust(leaked.primary)
    assert sealing.load(path, key=owner).alpha == 3  # by the new one
    path.write_bytes(sealing.dumps(bomb(), key=leaked))
    with pytest.raises(KeyUnavailableError, match="distrusts"):
        sealing.load(path, key=owner)
    assert not bomb.exploded


def test_a_wrapper_stays_locked(leaked, newer):
    """A wrapper that refers to the leaked key stays locked, also where an older object of its keyring is alive."""
    model = EncryptedEstimator(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), key=leaked)
    back = pickle.loads(pickle.dumps(model))
    with pytest.raises((KeyUnavailableError, LockedError)):
        back.predict([[0.0]])


def kept(keys, tmp_path, monkeypatch):
    """The same keyring as it comes back from everywhere that it can be kept in."""
    keys.save(tmp_path / "keys.json", passphrase="an example")
    monkeypatch.setenv("KEYS", keys.export_secret())
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "an example")
    yield Keyring.load(tmp_path / "keys.json", passphrase="an example")
    yield Keyring.from_secret(keys.export_secret())
    yield Keyring.from_uri("env:KEYS")
    yield Keyring.from_uri(f"file:{tmp_path / 'keys.json'}")
    yield workers.loads(workers.dumps(keys))
    yield pickle.loads(pickle.dumps(keys))


@pytest.mark.usefixtures("cheap_argon2")
def test_the_mark_is_kept(newer, leaked, tmp_path, monkeypatch):
    """A file, the secret text, an environment variable, a worker's pipe and a pickle keep what is distrusted."""
    for again in kept(newer, tmp_path, monkeypatch):
        assert again.distrusted == {leaked.primary}
        assert again.key_ids == newer.key_ids


def test_a_worker_gets_the_keyring_that_distrusts(leaked, newer):
    """Where both objects are alive, a worker's pipe brings the one that was sent."""
    for keys in (leaked.rotate(), newer):
        assert workers.loads(workers.dumps(keys)).distrusted == keys.distrusted


def test_a_worker_process(newer, leaked):
    """The mark crosses to a process of joblib's."""
    (found,) = joblib.Parallel(n_jobs=2)([joblib.delayed(marks)(newer)])
    assert found == [leaked.primary]


def marks(keys):
    return sorted(keys.distrusted)


def test_later_keyrings_keep_the_mark(leaked, newer):
    """Rotating again keeps it; retiring the key ends it."""
    again = newer.rotate()
    assert again.distrusted == {leaked.primary}
    assert again.rotate(distrust=True).distrusted == set(again.key_ids)
    assert again.retire(leaked.primary).distrusted == set()
    assert again.distrust(newer.primary).distrusted == {leaked.primary, newer.primary}


def test_the_primary_key_is_not_distrusted(leaked):
    """The primary key protects what is written now: rotate(distrust=True) is the way."""
    with pytest.raises(ParameterError, match=r"rotate\(distrust=True\)"):
        leaked.distrust(leaked.primary)
    with pytest.raises(KeyUnavailableError, match="does not hold key id"):
        leaked.distrust("ffffffff")


def test_it_is_shown(leaked, newer):
    """The repr counts distrusted keys."""
    assert "distrusted" not in repr(leaked)
    assert repr(newer) == f"<Keyring primary={newer.primary} keys=2 distrusted=1>"


def test_a_keyring_without_marks_is_written_as_before(leaked):
    """Only a keyring with a distrusted key needs the newer text."""
    assert leaked.rotate().export_secret().startswith("modelpriv_secret_keyring_1_")
    assert leaked.rotate(distrust=True).export_secret().startswith("modelpriv_secret_keyring_2_")


@pytest.mark.parametrize("marks", [b"\0\2", b"\1\0", b"\xff\0"])
def test_marks_that_are_not_known(marks):
    """A text whose marks say something else, or distrust the primary key, is refused without being shown."""
    keys = [bytes(range(32)), bytes(32)]
    data = b"".join(key + marks[i : i + 1] for i, key in enumerate(keys))
    text = secret_text.to_line("modelpriv_secret_keyring_2_", data)
    with pytest.raises(ParameterError, match="marks its keys") as refused:
        Keyring.from_secret(text)
    assert text[-20:] not in str(refused.value)
