"""Sealed files: what is dumped comes back with the key, from any kind of file, and an interruption loses nothing."""

import importlib
import io
import pickle
import socket
import threading
import zipfile

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Keyring
from modelpriv.sealing.format import floe, layout

X, Y = np.random.default_rng(0).random((40, 3)), np.arange(40.0)
PASSPHRASE = "an example, and no secret"


@pytest.fixture
def model():
    return RandomForestRegressor(5, random_state=0).fit(X, Y)


def test_a_bare_estimator_comes_back_bare(model, keyring, tmp_path):
    """A dumped estimator is that estimator again, and predicts the same to the bit."""
    sealing.dump(model, tmp_path / "model.mpriv", key=keyring)
    back = sealing.load(tmp_path / "model.mpriv", key=keyring)
    assert type(back) is RandomForestRegressor
    np.testing.assert_array_equal(back.predict(X), model.predict(X))


@pytest.mark.parametrize("shape", [(0,), (1,), (2**17 - 100,), (2**17,), (300_000,), (3, 100_000)])
def test_arrays_of_any_size(shape, keyring):
    """Arrays that fill no segment, one, and several come back to the bit."""
    array = np.random.default_rng(0).random(shape)
    np.testing.assert_array_equal(sealing.loads(sealing.dumps(array, key=keyring), key=keyring), array)


def test_many_arrays_that_share_segments(keyring):
    """Arrays that begin and end anywhere in segments come back to the bit."""
    rng = np.random.default_rng(0)
    arrays = [rng.random(int(length)) for length in rng.integers(0, 400_000, 12)]
    for back, array in zip(sealing.loads(sealing.dumps(arrays, key=keyring), key=keyring), arrays, strict=True):
        np.testing.assert_array_equal(back, array)


def test_dumps_is_dump(model, keyring, tmp_path):
    """The bytes of dumps are those of a file, and a file's bytes are loaded by loads."""
    (tmp_path / "model.mpriv").write_bytes(sealing.dumps(model, key=keyring))
    assert sealing.load(tmp_path / "model.mpriv", key=keyring).get_params() == model.get_params()
    sealing.dump(model, tmp_path / "other.mpriv", key=keyring)
    assert sealing.loads((tmp_path / "other.mpriv").read_bytes(), key=keyring).get_params() == model.get_params()


def test_either_way_opens(keyring):
    """A file that was given a key and a passphrase opens with each, and with both."""
    data = sealing.dumps(Ridge(), key=keyring, passphrase=PASSPHRASE)
    for given in ({"key": keyring}, {"passphrase": PASSPHRASE}, {"key": keyring, "passphrase": PASSPHRASE}):
        assert sealing.loads(data, **given).alpha == 1.0
    other = Keyring.generate()
    assert sealing.loads(data, key=other, passphrase=PASSPHRASE).alpha == 1.0


def test_a_rotated_keyring_opens(keyring):
    """A file opens with any later keyring that still holds its key, and not when the key was retired."""
    data = sealing.dumps(Ridge(), key=keyring)
    later = keyring.rotate()
    assert sealing.loads(data, key=later).alpha == 1.0
    with pytest.raises(KeyUnavailableError, match=keyring.primary):
        sealing.loads(data, key=later.retire(keyring.primary))


def test_a_keyring_uri(keyring, monkeypatch):
    """The key may be the URI of a keyring, to write and to read."""
    monkeypatch.setenv("MODELPRIV_KEYRING", keyring.export_secret())
    data = sealing.dumps(Ridge(), key="env:MODELPRIV_KEYRING")
    assert sealing.loads(data, key="env:MODELPRIV_KEYRING").alpha == 1.0
    assert sealing.loads(data, key=keyring).alpha == 1.0


def test_another_key_is_refused_by_name(keyring):
    """Whoever has another key is told which key id is wanted and which ones were given."""
    other = Keyring.generate()
    with pytest.raises(KeyUnavailableError, match=f"{keyring.primary}.*{other.primary}"):
        sealing.loads(sealing.dumps(Ridge(), key=keyring), key=other)


def test_a_wrong_passphrase():
    """A wrong passphrase is refused, and not repeated."""
    data = sealing.dumps(Ridge(), passphrase=PASSPHRASE)
    with pytest.raises(KeyUnavailableError, match="passphrase") as refused:
        sealing.loads(data, passphrase="a wrong one")
    assert "a wrong one" not in str(refused.value)


def test_neither_key_nor_passphrase(keyring, tmp_path):
    """Without key and passphrase nothing is written or read, and the error says what to give."""
    for call in (lambda: sealing.dump(Ridge(), tmp_path / "x"), lambda: sealing.loads(b"")):
        with pytest.raises(ParameterError, match="key="):
            call()
    with pytest.raises(ParameterTypeError, match="int"):
        sealing.dump(Ridge(), tmp_path / "x", key=7)
    assert not list(tmp_path.iterdir())


def test_two_dumps_differ(keyring):
    """The same model sealed twice gives different bytes from the manifest on."""
    first, second = sealing.dumps(Ridge(), key=keyring), sealing.dumps(Ridge(), key=keyring)
    assert len(first) == len(second)
    same = np.frombuffer(first, np.uint8)[-200:] == np.frombuffer(second, np.uint8)[-200:]
    assert same.mean() < 0.1


def test_references_inside_are_served_by_the_opening_keyring(keyring):
    """A keyring that the model holds is there again when the file's keyring has its key, as in another process."""
    secret = keyring.export_secret()
    data = sealing.dumps({"key": keyring}, key=keyring)
    del keyring
    again = Keyring.from_secret(secret)
    assert sealing.loads(data, key=again)["key"] is again


def test_a_file_object_from_where_it_stands(keyring):
    """A file object is written and read from where it stands to its end."""
    file = io.BytesIO()
    file.write(b"before")
    sealing.dump(Ridge(), file, key=keyring)
    file.seek(6)
    assert sealing.load(file, key=keyring).alpha == 1.0


def test_a_member_of_an_archive(model, keyring, tmp_path):
    """A sealed file can be written into an archive, and read out of it."""
    with zipfile.ZipFile(tmp_path / "models.zip", "w") as archive, archive.open("model.mpriv", "w") as member:
        sealing.dump(model, member, key=keyring)
    with zipfile.ZipFile(tmp_path / "models.zip") as archive, archive.open("model.mpriv") as member:
        assert sealing.load(member, key=keyring).get_params() == model.get_params()


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_socket(keyring, buffering):
    """A sealed file can be sent over a socket, which cannot seek and, raw, takes and gives a little at a time."""
    array = np.random.default_rng(0).random(500_000)
    here, there = socket.socketpair()
    here.settimeout(60)

    def send():
        with here, here.makefile("wb", buffering=buffering) as file:
            sealing.dump(array, file, key=keyring)

    sender = threading.Thread(target=send)
    sender.start()
    with there, there.makefile("rb", buffering=buffering) as file:
        back = sealing.load(file, key=keyring)
    sender.join()
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("file", [7, None, io.StringIO()])
def test_what_is_no_file(file, keyring):
    """What is neither a path nor a binary file is refused by its type."""
    with pytest.raises(ParameterTypeError, match=type(file).__name__):
        sealing.dump(Ridge(), file, key=keyring)
    with pytest.raises(ParameterTypeError, match=type(file).__name__):
        sealing.load(file, key=keyring)


def test_durable_is_for_paths(keyring, tmp_path):
    """A path can be made durable; a file object is for its owner to sync."""
    sealing.dump(Ridge(), tmp_path / "model.mpriv", key=keyring, durable=True)
    with pytest.raises(ParameterError, match="durable"):
        sealing.dump(Ridge(), io.BytesIO(), key=keyring, durable=True)


def test_a_missing_file(keyring, tmp_path):
    """A file that is not there is the system's own error."""
    with pytest.raises(FileNotFoundError):
        sealing.load(tmp_path / "nothing", key=keyring)


def test_what_cannot_be_pickled_leaves_the_old_file(keyring, tmp_path):
    """A model that cannot be pickled does not touch the file."""
    (tmp_path / "model.mpriv").write_bytes(b"old")
    with pytest.raises((pickle.PicklingError, AttributeError)):
        sealing.dump(Ridge(alpha=lambda: 1), tmp_path / "model.mpriv", key=keyring)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("model.mpriv", b"old")]


@pytest.mark.parametrize("durable", [False, True])
def test_death_at_every_step(keyring, tmp_path, interrupt_everywhere, durable):
    """A dump that dies at any step leaves the old file or the new one, whole."""
    path = tmp_path / "model.mpriv"
    old, new = Ridge(alpha=1), [Ridge(alpha=2), np.zeros(300_000)]

    def whole():
        back = sealing.load(path, key=keyring)
        return "old" if isinstance(back, Ridge) else "new"

    def save():
        sealing.dump(new, path, key=keyring, durable=durable)

    outcomes = interrupt_everywhere(lambda: sealing.dump(old, path, key=keyring), save, whole)
    assert {state for _, state in outcomes} == {"old", "new"}
    assert outcomes[-1] == (None, "new")


@pytest.mark.parametrize("ways", [{}, {"passphrase": PASSPHRASE}])
def test_a_pinned_file(keyring, tmp_path, ways):
    """A file loads under its own id, also after a rewrap, and neither an older nor a rekeyed one passes for it."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=2), path, key=keyring, **ways)
    pinned, newer = sealing.inspect(path).file_id, keyring.rotate()
    sealing.rewrap(path, key=newer, add=newer)
    assert sealing.load(path, key=newer, file_id=pinned).alpha == 2
    assert sealing.loads(path.read_bytes(), key=newer, file_id=pinned).alpha == 2
    older = sealing.dumps(Ridge(alpha=1), key=keyring)
    with pytest.raises(SealedFileError, match="older or another model"):
        sealing.loads(older, key=keyring, file_id=pinned)
    sealing.rekey(path, key=newer, new_key=newer)
    with pytest.raises(SealedFileError, match="older or another model"):
        sealing.load(path, key=newer, file_id=pinned)


def test_a_pinned_id_that_is_no_text(keyring):
    """An id of another type is refused by its type."""
    with pytest.raises(ParameterTypeError, match="file_id must be a str or None, got int"):
        sealing.loads(sealing.dumps(Ridge(), key=keyring), key=keyring, file_id=7)


def test_size(keyring):
    """A sealed file is no more than 24 KiB and one part in a thousand longer than the pickle."""
    for obj in (Ridge(), np.zeros(1_000_000)):
        sealed, plain = len(sealing.dumps(obj, key=keyring)), len(pickle.dumps(obj, 5))
        assert sealed <= plain * 1.001 + 24 * 1024


def test_memory_is_not_doubled(keyring, tmp_path, traced_peak):
    """Writing and reading a large array takes little memory beyond the array itself."""
    array = np.zeros(4_000_000)
    path = tmp_path / "array.mpriv"
    assert traced_peak(lambda: sealing.dump(array, path, key=keyring)) < 4 * floe.SEGMENT
    assert traced_peak(lambda: sealing.load(path, key=keyring)) < array.nbytes + 4 * floe.SEGMENT


def test_the_file_is_what_is_documented(keyring, tmp_path):
    """The first bytes and the length of a file follow from the layout."""
    data = sealing.dumps(Ridge(), key=keyring)
    assert data[:8] == b"\x8fmpriv\r\n"
    assert int.from_bytes(data[8:12], "little") == 2
    manifest, slot = int.from_bytes(data[12:16], "little"), int.from_bytes(data[16:20], "little")
    body, trailer = int.from_bytes(data[24:32], "little"), int.from_bytes(data[32:40], "little")
    assert len(data) == layout.PRELUDE + manifest + 2 * slot + body + trailer
    assert data[40 : 40 + manifest].startswith(b'{"file_id":')
    assert trailer == 0


def test_error_types_are_the_librarys(keyring):
    """What is wrong with a file is one class of error, which is also a ValueError."""
    with pytest.raises(SealedFileError) as refused:
        sealing.loads(b"", key=keyring)
    assert isinstance(refused.value, ValueError)


def test_other_versions_are_named(keyring, monkeypatch):
    """Where what was written with other versions cannot be unpickled, the error names both."""
    monkeypatch.setattr(layout, "VERSIONS", layout.VERSIONS | {"scikit-learn": "1.2.3"})
    data = sealing.dumps(Gone(), key=keyring)
    monkeypatch.undo()
    with pytest.raises(ModuleNotFoundError) as raised:
        sealing.loads(data, key=keyring)
    assert "scikit-learn 1.2.3" in raised.value.__notes__[-1]
    with pytest.raises(ModuleNotFoundError) as raised:
        sealing.loads(sealing.dumps(Gone(), key=keyring), key=keyring)
    (note,) = raised.value.__notes__  # that of a class which is not here
    assert "by-value" in note


class Gone:
    """Something whose module is not here when it is unpickled."""

    def __reduce__(self):
        return importlib.import_module, ("a_module_that_is_not_here",)
