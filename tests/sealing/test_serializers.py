"""Serialisers: the user's own code inside a sealed file, and skops where nobody vouches for a pickle."""

import io
import json
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from modelpriv import sealing
from modelpriv._core import json as canonical_json
from modelpriv.errors import LockedError, ParameterError, SealedFileError, UntrustedError
from modelpriv.keys import Identity, SigningKey
from modelpriv.models.wrapper import EncryptedEstimator
from modelpriv.sealing import serializers, writing
from modelpriv.sealing.access import to_ways
from modelpriv.sealing.format import buffers, layout

RNG = np.random.default_rng(0)
X = RNG.random((30, 3))
Y = X @ [1.0, 2.0, 3.0]

THEIR_MODULE = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

SHIFT = 0.25

def shifted(values):
    return np.asarray(values) + SHIFT

class Shifting(RegressorMixin, BaseEstimator):
    def __init__(self, helper=shifted):
        self.helper = helper

    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return self.helper(np.full(len(X), self.mean_))
"""


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A module of the user's own, which can be imported here and nowhere else."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "their_module_5c1e.py").write_text(THEIR_MODULE)
    monkeypatch.syspath_prepend(folder)
    import their_module_5c1e  # noqa: PLC0415 - it was just written

    yield their_module_5c1e
    del sys.modules["their_module_5c1e"]


class Bomb:
    """Makes a file when it is unpickled; by functions of Python's own, which no pickle brings along."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def bomb(tmp_path):
    return Bomb(tmp_path / "exploded")


@pytest.fixture(autouse=True)
def _trust_nobody():
    """What a test lets the process trust ends with it."""
    yield
    sealing.set_trusted()


LOAD = """
import importlib.util, sys
import numpy as np
from modelpriv import EncryptedEstimator, Keyring, sealing
assert importlib.util.find_spec("their_module_5c1e") is None
keys = Keyring.from_secret(sys.argv[2])
try:
    sealing.load(sys.argv[1], key=keys)
except Exception as error:
    print(type(error).__name__, error)
model = sealing.load(sys.argv[1], key=keys, allow_code=True)
print(model.predict(np.zeros((2, 3))).tolist())
again = sealing.loads(sealing.dumps(model, key=keys, code="by-value"), key=keys, allow_code=True)
print(again.predict(np.zeros((2, 3))).tolist())
"""


def elsewhere(code, *args):
    """Run some code in another process of this Python, and give the lines that it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELPRIV_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, args)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


# --- code by value ---


@pytest.mark.parametrize("wrapped", [False, True])
def test_opens_where_the_module_is_not(theirs, keyring, tmp_path, wrapped):
    """Class, function and constant of a user's module open where that cannot be imported, and can be sealed again."""
    model = theirs.Shifting().fit(X, Y)
    if wrapped:
        model = EncryptedEstimator(model, key=keyring, code="by-value")
        sealing.dump(model, tmp_path / "model.mpriv")
    else:
        sealing.dump(model, tmp_path / "model.mpriv", key=keyring, code="by-value")
    refused, opened, again = elsewhere(LOAD, tmp_path / "model.mpriv", keyring.export_secret())
    assert refused.startswith("UntrustedError")
    assert "allow_code=True" in refused
    assert opened == again == str(model.predict(np.zeros((2, 3))).tolist())


def test_by_reference_the_module_is_needed(theirs, keyring, monkeypatch):
    """Without it only the module's name is in the file, and the file does not open where that is not."""
    data = sealing.dumps(theirs.Shifting(), key=keyring)
    monkeypatch.setitem(sys.modules, "their_module_5c1e", None)
    with pytest.raises(ModuleNotFoundError, match="their_module_5c1e"):
        sealing.loads(data, key=keyring)


def test_code_is_only_run_if_it_may(bomb, keyring):
    """A file with code is refused unless the caller or the process allows it, and before any of it is unpickled."""
    data = sealing.dumps(bomb, key=keyring, code="by-value")
    with pytest.raises(UntrustedError, match="allow_code=True"):
        sealing.loads(data, key=keyring)
    assert not bomb.path.exists()
    sealing.loads(data, key=keyring, allow_code=True)
    assert bomb.path.exists()
    bomb.path.unlink()
    sealing.set_trusted(allow_code=True)
    sealing.loads(data, key=keyring)
    assert bomb.path.exists()


def test_a_wrapper_with_code_waits(theirs, keyring):
    """A wrapper with code is locked after a bare load, says what it wants, and opens by unlock or for the process."""
    model = EncryptedEstimator(theirs.Shifting(), key=keyring, code="by-value").fit(X, Y)
    file = io.BytesIO()
    joblib.dump(model, file)
    locked = joblib.load(io.BytesIO(file.getvalue()))
    with pytest.raises(LockedError, match=r"allow_code=True"):
        locked.predict(X)
    assert not hasattr(locked, "mean_")
    np.testing.assert_array_equal(locked.unlock(allow_code=True).predict(X), model.predict(X))
    assert locked.code == "by-value"
    sealing.set_trusted(allow_code=True)
    np.testing.assert_array_equal(joblib.load(io.BytesIO(file.getvalue())).predict(X), model.predict(X))


def rewritten(data, keyring, obj, **changes):
    """What an insider makes of a file who has its key: the same fields but for some, around another object."""
    size = layout.PRELUDE + layout.Prelude.read(data, len(data)).manifest
    fields = layout.read_manifest(data[layout.PRELUDE : size]) | changes
    pieces = buffers.lay_out(*serializers.take_apart(obj, fields["serializer"]))
    file = io.BytesIO()
    draft = writing.draft(
        canonical_json.dump(fields), pieces, sum(map(len, pieces)), to_ways(keyring, None), sign_with=None
    )
    draft.write(file)
    return file.getvalue()


@pytest.mark.parametrize("python", ["3.10", "2.7", "3.99", "unknown"])
def test_code_of_another_python(bomb, keyring, python):
    """Code that another minor version wrote is refused before anything is unpickled; other pickles are not."""
    versions = {"python": python, "scikit-learn": "1.0", "numpy": "1.0"}
    data = sealing.dumps(1, key=keyring, code="by-value")
    altered = rewritten(data, keyring, bomb, versions=versions)
    with pytest.raises(LockedError, match=f"Python {python}"):
        sealing.loads(altered, key=keyring, allow_code=True)
    assert not bomb.path.exists()
    plain = rewritten(sealing.dumps(1, key=keyring), keyring, bomb, versions=versions)
    sealing.loads(plain, key=keyring)
    assert bomb.path.exists()


class Unwilling:
    """Cannot be pickled."""

    def __reduce__(self):
        raise RuntimeError("no")


def test_the_registry_is_as_before(theirs, keyring):
    """What cloudpickle puts into pickles is as before in the end, when pickling fails too, and what the user chose."""
    other = type(sys)("other_module_5c1e")
    other.__file__ = "/nowhere/other_module_5c1e.py"
    sys.modules[other.__name__] = other
    cloudpickle.register_pickle_by_value(other)
    try:
        before = cloudpickle.list_registry_pickle_by_value()
        sealing.dumps(theirs.Shifting(), key=keyring, code="by-value")
        assert cloudpickle.list_registry_pickle_by_value() == before
        with pytest.raises(RuntimeError):
            sealing.dumps(Unwilling(), key=keyring, code="by-value")
        assert cloudpickle.list_registry_pickle_by_value() == before == {other.__name__}
    finally:
        cloudpickle.unregister_pickle_by_value(other)
        del sys.modules[other.__name__]


def test_threads_take_turns(theirs, keyring):
    """Threads that write code at the same time all get it whole, and leave the registry empty."""
    made, barrier = [], threading.Barrier(4)

    def write():
        barrier.wait()
        made.extend(sealing.dumps(theirs.Shifting(), key=keyring, code="by-value") for _ in range(5))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 20
    assert not cloudpickle.list_registry_pickle_by_value()
    del sys.modules["their_module_5c1e"]
    try:
        for data in made:
            assert type(sealing.loads(data, key=keyring, allow_code=True)).__name__ == "Shifting"
    finally:
        sys.modules["their_module_5c1e"] = theirs


def stream_of(obj):
    """Everything that the pickle by value holds."""
    return b"".join(bytes(piece) for pieces in serializers.take_apart(obj, serializers.BY_VALUE) for piece in pieces)


def test_installed_packages_stay_outside(theirs):
    """The code of installed packages, of Python and of this library is named, and the user's own stands there."""
    model = make_pipeline(FunctionTransformer(theirs.shifted), StandardScaler())
    with serializers._own_modules_by_value(cloudpickle):
        own = cloudpickle.list_registry_pickle_by_value()
    assert "their_module_5c1e" in own
    tops = {name.partition(".")[0] for name in own}
    assert not tops & {"sklearn", "numpy", "scipy", "pandas", "joblib", "cloudpickle", "modelpriv", "json", "pytest"}
    assert b"_make_function" not in stream_of(make_pipeline(FunctionTransformer(np.log1p), StandardScaler()))
    assert b"_make_function" in stream_of(model)
    assert b"SHIFT" in stream_of(model)


@pytest.mark.parametrize("name", ["cloudpickle", "skops.io"])
def test_what_is_not_installed(keyring, monkeypatch, name):
    """Where cloudpickle or skops is missing, writing and reading say what to install."""
    author, reader = SigningKey.generate(), Identity.generate()
    if name == "cloudpickle":
        data = sealing.dumps(Ridge(), key=keyring, code="by-value")
        monkeypatch.setitem(sys.modules, name, None)
        uses = [
            lambda: sealing.dumps(Ridge(), key=keyring, code="by-value"),
            lambda: sealing.loads(data, key=keyring, allow_code=True),
        ]
    else:
        data = sealing.dumps(Ridge(), recipients=[reader.recipient])
        monkeypatch.setitem(sys.modules, name, None)
        uses = [
            lambda: sealing.dumps(Ridge(), recipients=[reader.recipient]),
            lambda: sealing.loads(data, identity=reader, trusted_types=["a.B"]),
        ]
    for use in uses:
        with pytest.raises(ParameterError, match=rf"{name.partition('.')[0]} is not installed: pip install"):
            use()
    sealing.dumps(Ridge(), recipients=[reader.recipient], sign_with=author)


# --- skops ---


@pytest.fixture
def reader():
    return Identity.generate()


def unsigned(content, reader, monkeypatch):
    """A file for a recipient that nobody signed, which holds some bytes in place of what skops would write."""
    with monkeypatch.context() as patch:
        patch.setattr(serializers, "_skops_bytes", lambda _: content)
        return sealing.dumps(Ridge(), recipients=[reader.recipient])


def test_types_that_are_named(theirs, reader):
    """An unsigned file opens with the types that are named, and others are refused by their names."""
    data = sealing.dumps(theirs.Shifting().fit(X, Y), recipients=[reader.recipient])
    with pytest.raises(UntrustedError, match="trusted_types"):
        sealing.loads(data, identity=reader)
    with pytest.raises(UntrustedError, match=r"'their_module_5c1e\.Shifting', 'their_module_5c1e\.shifted'"):
        sealing.loads(data, identity=reader, trusted_types=["their_module_5c1e.Other"])
    types = ["their_module_5c1e.Shifting", "their_module_5c1e.shifted"]
    back = sealing.loads(data, identity=reader, trusted_types=types)
    np.testing.assert_array_equal(back.predict(X), theirs.Shifting().fit(X, Y).predict(X))
    sealing.set_trusted(types=types)
    assert type(sealing.loads(data, identity=reader)).__name__ == "Shifting"


def node(module, name, loader, content, **more):
    """A node of a skops file."""
    return {"__module__": module, "__class__": name, "__loader__": loader, "content": content, "__id__": 1, **more}


def skops_file(schema, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", members.pop("compression", zipfile.ZIP_STORED)) as archive:
        archive.writestr("schema.json", schema if isinstance(schema, bytes) else json.dumps(schema))
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def head(**found):
    return {"protocol": 2, "_skops_version": skops.__version__, **found}


def pickled_array(obj):
    """An .npy file that holds a pickle."""
    file = io.BytesIO()
    np.save(file, np.array([obj], dtype=object), allow_pickle=True)
    return file.getvalue()


def test_a_hostile_skops_file(bomb, reader, monkeypatch):
    """A function that would run is refused by its name; no pickle within is unpickled, and rubbish is refused."""
    call = head(**node("os", "system", "FunctionNode", {"module_path": "os", "function": "system"}))
    with pytest.raises((UntrustedError, SealedFileError), match=r"os\.system|posix\.system|skops"):
        sealing.loads(unsigned(skops_file(call), reader, monkeypatch), identity=reader, trusted_types=["a.B"])
    array = head(**node("numpy", "ndarray", "NdArrayNode", None, type="numpy", file="a.npy"))
    hidden = skops_file(array, **{"a.npy": pickled_array(bomb)})
    rubbish = [
        pickle.dumps(bomb),
        b"",
        b"PK",
        skops_file(b"{"),
        skops_file(b"[" * 100_000),
        skops_file([]),
        skops_file({}),
    ]
    for content in (hidden, *rubbish):
        with pytest.raises(SealedFileError, match="skops"):
            sealing.loads(unsigned(content, reader, monkeypatch), identity=reader, trusted_types=["a.B"])
    assert not bomb.path.exists()


def test_a_skops_file_that_unfolds(reader, monkeypatch, traced_peak):
    """A small file that would unfold into much memory is refused before it does."""
    big = b'{"x": "' + bytes(100 * 2**20).replace(b"\0", b"a") + b'"}'
    data = unsigned(skops_file(big, compression=zipfile.ZIP_DEFLATED), reader, monkeypatch)
    del big

    def load():
        with pytest.raises(SealedFileError, match="skops"):
            sealing.loads(data, identity=reader, trusted_types=["a.B"])

    load()
    assert traced_peak(load) < 16 * 2**20


def test_what_skops_cannot_write(reader):
    """What skops cannot write is refused without a word of what it holds, and the way out is named."""

    class Local(Ridge):
        def __getstate__(self):
            raise ValueError("secret 4711")

    with pytest.raises(ParameterError, match="sign_with") as refusal:
        sealing.dumps(Local(), recipients=[reader.recipient])
    assert "4711" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_a_wrapper_inside_of_a_wrapper(keyring):
    """A wrapper by value inside of a dump by value does not wait for itself."""
    inner = EncryptedEstimator(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), key=keyring, code="by-value")
    data = sealing.dumps([inner], key=keyring, code="by-value")
    assert len(sealing.loads(data, key=keyring, allow_code=True)) == 1
