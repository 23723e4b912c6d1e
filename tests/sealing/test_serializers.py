"""How objects become bytes: with their own code only when that is asked for, and back only where it is allowed."""

import importlib
import io
import subprocess
import sys
import threading
from hashlib import sha256

import cloudpickle
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from modelpriv import _json, sealing
from modelpriv.errors import KeyUnavailableError, LockedError, UntrustedError
from modelpriv.keys import Identity, SigningKey
from modelpriv.keys import envelope as stanzas
from modelpriv.sealing import buffers, envelope, floe, layout, serializers

SOURCE = '''
from sklearn.linear_model import Ridge

FACTOR = 3.0


def times(y):
    return FACTOR * y


class Tripled(Ridge):
    """Ridge whose predictions are three times as large."""

    def predict(self, X):
        return times(super().predict(X))


class Broken:
    def __reduce__(self):
        raise RuntimeError("cannot be pickled")
'''
X, Y = np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0, 4.0])


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module of the user's own, imported from a folder that nothing is installed in."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "users_own_module.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path / "own")
    yield importlib.import_module("users_own_module")
    sys.modules.pop("users_own_module", None)


@pytest.fixture
def tripled(own):
    return own.Tripled().fit(X, Y)


ELSEWHERE = """
import importlib.util, sys
import numpy as np
from modelpriv import Keyring, load
assert importlib.util.find_spec("users_own_module") is None
model = load(sys.argv[1], key="env:KEYS", allow_code=True)
assert type(model).__name__ == "Tripled"
np.save(sys.argv[2], model.predict(np.arange(6.0).reshape(3, 2)))
"""


def test_where_the_module_is_not(tripled, keyring, tmp_path):
    """By value a model of the user's own class opens and works in a process where its module cannot be imported."""
    sealing.dump(tripled, tmp_path / "m", key=keyring, code="by-value")
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path / "m"), str(tmp_path / "out.npy")],
        env={"KEYS": keyring.export_secret(), "PATH": ""},
        cwd=str(importlib.import_module("modelpriv").__path__[0] + "/.."),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), tripled.predict(X))


def test_by_reference_it_does_not(tripled, keyring, monkeypatch):
    """By reference, the same model needs its module."""
    data = sealing.dumps(tripled, key=keyring)
    monkeypatch.delitem(sys.modules, "users_own_module")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if not str(entry).endswith("own")])
    with pytest.raises(ModuleNotFoundError, match="users_own_module"):
        sealing.loads(data, key=keyring)


def test_code_must_be_allowed(tripled, keyring):
    """Code is not run unless the loader says so, by argument or for the process."""
    data = sealing.dumps(tripled, key=keyring, code="by-value")
    with pytest.raises(UntrustedError, match="allow_code=True"):
        sealing.loads(data, key=keyring)
    assert sealing.loads(data, key=keyring, allow_code=True).alpha == 1.0
    sealing.set_trusted(allow_code=True)
    try:
        assert sealing.loads(data, key=keyring).alpha == 1.0
    finally:
        sealing.set_trusted()


def test_code_and_signature_are_two_questions(tripled):
    """A trusted signer's code is not run without allow_code, nor a stranger's with it."""
    ada, author = Identity.generate("x25519"), SigningKey.generate()
    data = sealing.dumps(tripled, recipients=[ada.recipient], sign_with=author, code="by-value")
    for trusting in ({"allow_code": True}, {"trusted_signers": [author.signer]}):
        with pytest.raises(UntrustedError):
            sealing.loads(data, identity=ada, **trusting)
    assert sealing.loads(data, identity=ada, trusted_signers=[author.signer], allow_code=True).alpha == 1.0


def test_another_python(bomb, keyring):
    """Code of another minor version is refused, by name, before anything is unpickled."""
    manifest = _json.load(layout.new_manifest(None, serializer=serializers.BY_VALUE))
    manifest["versions"]["python"] = "3.10"
    pieces = buffers.lay_out(*serializers.take_apart(bomb(), serializers.BY_REFERENCE))
    data = forge(_json.dump(manifest), pieces, keyring)
    with pytest.raises(LockedError, match=r"3\.10.*here is 3\."):
        sealing.loads(data, key=keyring, allow_code=True)
    assert not bomb.exploded


def forge(manifest, pieces, keyring):
    length = sum(map(len, pieces))
    file_key = bytes(32)
    prelude = layout.Prelude(len(manifest), floe.encrypted_length(length))
    ways = stanzas.wrap(file_key, context=envelope.wrap_context(manifest), keyring=keyring)
    out = io.BytesIO()
    out.write(bytes(prelude) + manifest + 2 * envelope.write(file_key, ways, prelude=prelude, manifest=manifest))
    message = floe.Message(envelope.derive(file_key, "body"), sha256(manifest).digest())
    with floe.Writer(message, length, out.write) as writer:
        for piece in pieces:
            writer.write(piece)
    return out.getvalue()


def test_the_registry_of_cloudpickle_is_as_it_was(own, tripled, keyring):
    """Cloudpickle's list of modules, which is one for the process, is restored, after a failure too."""
    cloudpickle.register_pickle_by_value(own)
    try:
        for before in ({"users_own_module"}, set()):
            sealing.dumps(tripled, key=keyring, code="by-value")
            with pytest.raises(RuntimeError, match="cannot be pickled"):
                sealing.dumps(own.Broken(), key=keyring, code="by-value")
            assert cloudpickle.list_registry_pickle_by_value() == before
            if before:
                cloudpickle.unregister_pickle_by_value(own)
    finally:
        assert not cloudpickle.list_registry_pickle_by_value()


def test_several_threads(tripled, keyring):
    """Threads that seal by value at once do not take each other's modules away."""
    errors = []

    def seal():
        try:
            for _ in range(10):
                data = sealing.dumps(tripled, key=keyring, code="by-value")
                assert b"users_own_module" not in data
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=seal) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert not cloudpickle.list_registry_pickle_by_value()


def test_only_ones_own_code_is_put_in(tripled, keyring):
    """Installed packages are named, and not put into the file: it stays small, and runs the reader's own of them."""
    stream, _ = serializers.take_apart(tripled, serializers.BY_VALUE)
    written = b"".join(map(bytes, stream))
    assert b"times" in written
    assert b"sklearn.linear_model._ridge" in written
    assert b"ravel" not in written
    assert len(written) < 20_000


def test_arrays_are_not_copied(own):
    """By value too, arrays stay where they lie."""
    model = own.Tripled()
    model.large_ = np.arange(1000.0)
    _, outside = serializers.take_apart(model, serializers.BY_VALUE)
    assert any(np.shares_memory(np.frombuffer(buffer, np.uint8), model.large_) for buffer in outside)


@pytest.mark.parametrize(
    ("module", "ways"),
    [
        ("cloudpickle", {"passphrase": "an example", "code": "by-value"}),
        ("skops.io", {"recipients": [Identity.generate("x25519").recipient]}),
    ],
    ids=["cloudpickle", "skops"],
)
def test_what_is_not_installed_is_named(module, ways, monkeypatch):
    """Without the package that is needed, the error says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(KeyUnavailableError, match=r"pip install 'modelpriv\[(cloudpickle|skops)\]'"):
        sealing.dumps(Ridge(), **ways)


def test_nothing_of_the_code_in_clear(tripled, keyring):
    """Names and constants of the user's code are ciphertext like everything else."""
    data = sealing.dumps(tripled, key=keyring, code="by-value")
    for word in (b"Tripled", b"times", b"FACTOR", b"users_own_module", b"cloudpickle.cloudpickle"):
        assert word not in data
