"""EncryptedEstimator where it is written, read, copied and shown: ciphertext outside, locked without the key."""

import concurrent.futures
import copy
import copyreg
import gc
import io
import multiprocessing
import os
import pickle
import pickletools
import struct
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree
from sklearn.utils import estimator_html_repr

from modelpriv import sealing
from modelpriv.errors import (
    KeyUnavailableError,
    LockedError,
    ModelprivError,
    ParameterError,
    ParameterTypeError,
    SealedFileError,
    UntrustedError,
)
from modelpriv.keys import Identity, KeyReference, Keyring, SigningKey
from modelpriv.models.wrapper import EncryptedEstimator

RNG = np.random.default_rng(0)
X = RNG.random((60, 4))
Y = (X[:, 0] + 0.2 * RNG.random(60) > 0.6).astype(int)
CANARY = "canary-b6ac18d3"


class Marked(TransformerMixin, BaseEstimator):
    """A transformer of the user's own, with a text among its parameters and one that it learnt."""

    def __init__(self, note=CANARY):
        self.note = note

    def fit(self, X, y=None):
        """Learn the note."""
        self.learnt_ = {self.note: [self.note.upper()]}
        return self

    def transform(self, X):
        """Give back what came."""
        return np.asarray(X)


INNER = [
    LogisticRegression(C=0.7310585786300049),
    RandomForestClassifier(3, random_state=0),
    KNeighborsClassifier(),
    KMeans(2, n_init=1, random_state=0),
    IsolationForest(n_estimators=3, random_state=0),
    make_pipeline(Marked(), StandardScaler(), Ridge()),
]


def name_of(estimator):
    return type(estimator).__name__


@pytest.fixture(params=INNER, ids=name_of)
def fitted(request, keyring):
    """A fitted wrapper around each inner estimator in turn."""
    return EncryptedEstimator(request.param, key=keyring).fit(X, Y)


@pytest.fixture
def model(keyring):
    return EncryptedEstimator(LogisticRegression(), key=keyring).fit(X, Y)


# --- serialisers: functions from an object to bytes and back, and all that those bytes say ---


def through_joblib(compress):
    def dumps(obj):
        file = io.BytesIO()
        joblib.dump(obj, file, compress=compress)
        return file.getvalue()

    return dumps, lambda data: joblib.load(io.BytesIO(data)), zlib.decompress if compress else bytes


def unzip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(name.encode() + archive.read(name) for name in archive.namelist())


def through_skops():
    def loads(data):
        return skops.io.loads(data, trusted=["modelpriv.EncryptedEstimator"])

    return skops.io.dumps, loads, unzip


def through_copyreg():
    def dumps(obj):
        function, arguments, state = copyreg._reduce_ex(obj, 1)
        return pickle.dumps((function, arguments, state))

    def loads(data):
        function, arguments, state = pickle.loads(data)
        made = function(*arguments)
        made.__setstate__(state)
        return made

    return dumps, loads, bytes


SERIALISERS = {
    **{f"pickle {p}": (lambda obj, p=p: pickle.dumps(obj, p), pickle.loads, bytes) for p in range(6)},
    "pickle in Python": (pickle._dumps, pickle._loads, bytes),
    "joblib": through_joblib(0),
    "joblib compressed": through_joblib(("zlib", 3)),
    "cloudpickle": (cloudpickle.dumps, cloudpickle.loads, bytes),
    "skops": through_skops(),
    "copyreg": through_copyreg(),
}


@pytest.fixture(params=SERIALISERS)
def serialiser(request):
    return SERIALISERS[request.param]


def needles(estimator):
    """What must not be found: names of classes and modules, texts, and the bytes of every array inside."""
    texts, arrays = {CANARY, CANARY.upper(), "sklearn", "ndarray", "0.7310585786300049"}, []

    def walk(obj):
        if isinstance(obj, np.ndarray) and obj.dtype != object:
            arrays.append(obj)
        elif isinstance(obj, dict):
            list(map(walk, obj.values()))
        elif isinstance(obj, (list, tuple)):
            list(map(walk, obj))
        elif isinstance(obj, BaseEstimator):
            texts.add(type(obj).__name__)
            walk(vars(obj))

    walk(estimator)
    found = {text.encode(coding) for text in texts for coding in ("utf-8", "utf-16-le")}
    for array in arrays:
        values = np.ascontiguousarray(array).ravel()
        found |= {value.tobytes() for value in values[:20] if value.itemsize == 8 and value not in range(1000)}
        found |= {repr(value.item()).encode() for value in values[:20] if value.dtype.kind == "f" and value % 1}
    return found


def test_nothing_in_clear(fitted, serialiser):
    """Under every serialiser the bytes hold no class, module, parameter, text or learnt number."""
    dumps, _, unpack = serialiser
    said = unpack(dumps(fitted))
    assert b"EncryptedEstimator" in said
    hidden = needles(fitted.estimator_) | needles(fitted.estimator)
    assert len(hidden) > 10
    assert not [needle for needle in hidden if needle in said]


def test_the_search_finds_what_is_in_clear(fitted, serialiser):
    """The same search finds the estimator when it is not wrapped."""
    dumps, _, unpack = serialiser
    said = unpack(dumps(fitted.estimator_))
    assert sum(needle in said for needle in needles(fitted.estimator_)) >= 3


def test_round_trip(fitted, serialiser):
    """Read back where the keyring lives, it is the same model, opened at its first use."""
    dumps, loads, _ = serialiser
    back = loads(dumps(fitted))
    assert "sealed" in repr(back)
    method = "predict" if hasattr(back, "predict") else "transform"
    np.testing.assert_array_equal(getattr(back, method)(X), getattr(fitted, method)(X))
    assert "locked" not in repr(back)
    assert back.key is fitted.key


def test_an_unfitted_one_is_sealed_too(keyring, serialiser):
    """Hyper-parameters are sealed before anything is fitted."""
    dumps, loads, unpack = serialiser
    data = dumps(EncryptedEstimator(Ridge(alpha=0.7310585786300049), key=keyring))
    assert not [needle for needle in needles(Ridge()) if needle in unpack(data)]
    assert loads(data).get_params()["estimator__alpha"] == 0.7310585786300049


def test_it_never_seals_without_a_key():
    """Without a key, or with one that cannot be had, it is not written at all."""
    with pytest.raises(ParameterError, match="key"):
        pickle.dumps(EncryptedEstimator(Ridge()))
    with pytest.raises(KeyUnavailableError, match="NOWHERE"):
        pickle.dumps(EncryptedEstimator(Ridge(), key="env:NOWHERE"))


def test_the_sealed_bytes_are_a_file(model, keyring):
    """What stands in a pickle is a sealed file, which opens as one, and shows the public metadata."""
    model.set_params(metadata={"stage": "trial"})
    sealed = model.__getstate__()["sealed"]
    assert sealing.inspect(io.BytesIO(sealed)).metadata == {"stage": "trial"}
    np.testing.assert_array_equal(sealing.loads(sealed, key=keyring).coef_, model.coef_)


def test_inside_of_something_else(model):
    """Inside of a list, a dict or a pipeline it is sealed just as well."""
    data = pickle.dumps({"models": [model, Pipeline([("model", model)])]})
    assert model.coef_.tobytes()[:8] not in data
    opened = pickle.loads(data)["models"]
    np.testing.assert_array_equal(opened[1].predict(X), model.predict(X))


# --- locked ---


@dataclass
class Left:
    """A model that was read where its key is not, the secret that would bring the key back, and what it would say."""

    model: EncryptedEstimator
    data: bytes
    secret: str
    key_id: str
    predicted: np.ndarray


@pytest.fixture
def left():
    """A locked model: its keyring was alive in no place when it was read."""
    keys = Keyring.generate()
    model = EncryptedEstimator(LogisticRegression(C=3), key=keys).fit(X, Y)
    data, secret, key_id, predicted = pickle.dumps(model), keys.export_secret(), keys.primary, model.predict(X)
    del keys, model
    gc.collect()
    return Left(pickle.loads(data), data, secret, key_id, predicted)


USES = {
    "predict": lambda model: model.predict(X),
    "fit": lambda model: model.fit(X, Y),
    "score": lambda model: model.score(X, Y),
    "a method of the inner class": lambda model: model.densify(),
    "a fitted attribute": lambda model: model.coef_,
    "estimator": lambda model: model.estimator,
    "estimator_": lambda model: model.estimator_,
    "metadata": lambda model: model.metadata,
    "set_params": lambda model: model.set_params(estimator__C=1),
    "routing": lambda model: model.get_metadata_routing(),
}


@pytest.mark.parametrize("use", USES)
def test_locked_on_use(left, use):
    """Every use of a locked model says that it is locked and which key id opens it."""
    with pytest.raises(LockedError, match=f"locked.*unlock.*{left.key_id}"):
        USES[use](left.model)


def test_locked_is_an_attribute_error(left):
    """To hasattr a locked model has its methods, which say that it is locked, and no fitted attributes."""
    assert all(hasattr(left.model, method) for method in ("fit", "predict", "predict_proba", "transform", "score"))
    assert not hasattr(left.model, "coef_")
    assert not hasattr(left.model, "estimator_")


def test_locked_is_shown(left):
    """A locked model shows that it is locked, and its key id, as text and as HTML, alone and in a pipeline."""
    pipeline = Pipeline([("scale", StandardScaler()), ("model", left.model)])
    for shown in (repr(left.model), str(pipeline), left.model._repr_html_(), *left.model._repr_mimebundle_().values()):
        assert "locked" in shown
        assert left.key_id in shown
        assert "Logistic" not in shown
    for page in (estimator_html_repr(left.model), estimator_html_repr(pipeline)):
        assert "Logistic" not in page
    assert dir(left.model)
    assert not is_classifier(left.model)


def test_showing_does_not_unlock(model, monkeypatch):
    """Showing a model that could be opened does not open it."""
    read = pickle.loads(pickle.dumps(model))
    monkeypatch.setattr(sealing, "loads", lambda *args, **kwargs: pytest.fail("it was opened"))
    assert "sealed" in repr(read)
    assert "sealed" in read._repr_html_()


def test_locked_parameters_can_be_asked_for(left):
    """A pipeline with a locked model can be asked for its parameters, for it is how the key is handed on."""
    pipeline = Pipeline([("model", left.model)])
    assert "locked" in repr(pipeline.get_params()["model__estimator"])
    pipeline.set_params(model__key=Keyring.from_secret(left.secret))
    np.testing.assert_array_equal(pipeline.predict(X), left.predicted)


@pytest.mark.parametrize("how", ["unlock", "set_params", "alive", "reference"])
def test_unlocking(left, how):
    """It opens with the keyring by unlock or set_params, or by itself once the keyring is alive in the process."""
    keys = Keyring.from_secret(left.secret)
    if how == "unlock":
        assert left.model.unlock(key=keys) is left.model
    elif how == "set_params":
        left.model.set_params(key=keys)
    elif how == "reference":
        left.model.unlock()
    np.testing.assert_array_equal(left.model.predict(X), left.predicted)
    assert left.model.key is keys
    assert left.model.coef_.shape == (1, 4)
    assert is_classifier(left.model)


def test_another_key_does_not_unlock(left):
    """Another key is refused, naming both, and leaves the model locked and whole."""
    other = Keyring.generate()
    for attempt in (left.model.unlock, left.model.set_params):
        with pytest.raises(KeyUnavailableError, match=f"{left.key_id}.*{other.primary}"):
            attempt(key=other)
    with pytest.raises(KeyUnavailableError, match=left.key_id):
        left.model.unlock()
    left.model.unlock(key=Keyring.from_secret(left.secret))


def test_locked_passes_through(left, serialiser):
    """A locked model is written as the ciphertext that it is, and opens later."""
    dumps, loads, _ = serialiser
    back = loads(dumps(left.model))
    assert vars(back)["_locked"].sealed == vars(left.model)["_locked"].sealed
    np.testing.assert_array_equal(back.unlock(key=Keyring.from_secret(left.secret)).predict(X), left.predicted)


def test_locked_copies_and_clones(left):
    """Copies of a locked model open as it does, and a clone of one opens to something that was not fitted."""
    copies = [copy.copy(left.model), copy.deepcopy(left.model), pickle.loads(pickle.dumps(clone(left.model)))]
    keys = Keyring.from_secret(left.secret)
    for made in copies[:2]:
        np.testing.assert_array_equal(made.unlock(key=keys).predict(X), left.predicted)
    unfitted = copies[2].unlock(key=keys)
    assert not hasattr(unfitted, "coef_")
    assert unfitted.get_params()["estimator__C"] == 3
    np.testing.assert_array_equal(unfitted.fit(X, Y).predict(X), left.predicted)


def test_a_clone_of_a_locked_one_forgets_what_the_given_estimator_learnt():
    """A clone of a locked wrapper around a fitted estimator opens to one that is not fitted."""
    keys = Keyring.generate()
    data = pickle.dumps(EncryptedEstimator(Ridge().fit(X, Y), key=keys))
    assert not hasattr(clone(pickle.loads(data)), "coef_")
    assert hasattr(pickle.loads(data), "coef_")


@pytest.mark.parametrize(
    "state",
    [
        None,
        7,
        [],
        {},
        {"sealed": 7, "key": (("00000000",), (b"0",), None)},
        {"version": 1, "sealed": b"", "key": 3},
        {"key": ("x", "y", "z")},
    ],
)
def test_unpickling_never_raises(state):
    """Whatever state it is given, it is then locked, and only its use raises."""
    broken = EncryptedEstimator.__new__(EncryptedEstimator)
    broken.__setstate__(state)
    assert "locked" in repr(broken)
    assert not hasattr(broken, "coef_")
    with pytest.raises((LockedError, SealedFileError)):
        broken.predict(X)
    copy.deepcopy(broken)
    clone(broken)
    pickle.dumps(broken)
    estimator_html_repr(broken)


def test_damage(left):
    """A model whose ciphertext was changed opens with no key, and says so."""
    damaged = bytearray(left.data)
    damaged[-100] ^= 1
    keys = Keyring.from_secret(left.secret)
    broken = pickle.loads(bytes(damaged))
    with pytest.raises(SealedFileError, match="altered"):
        broken.predict(X)
    assert not hasattr(broken, "coef_")
    with pytest.raises(SealedFileError, match="altered"):
        broken.unlock(key=keys)


@pytest.mark.parametrize(
    ("version", "said"), [(None, "before 0.1.0"), ("1", "before 0.1.0"), (2, "upgrade modelpriv"), (0, "version 0")]
)
def test_state_of_another_version(keyring, version, said):
    """A pickle with the state of another version is refused at its first use, with what to do."""
    state = EncryptedEstimator(Ridge(), key=keyring).fit(X, Y).__getstate__() | {"version": version}
    read = EncryptedEstimator.__new__(EncryptedEstimator)
    read.__setstate__({name: value for name, value in state.items() if value is not None})
    with pytest.raises(SealedFileError, match=said):
        read.predict(X)


def test_asking_whether_it_is_open_decrypts_nothing(model, monkeypatch):
    """Whether an object is open is answered without opening it."""
    read = pickle.loads(pickle.dumps(model))
    monkeypatch.setattr(sealing, "loads", lambda *args, **kwargs: pytest.fail("it was opened"))
    assert not read._is_open()


def test_hasattr_follows_no_uri(monkeypatch):
    """A URI in a pickle is followed when the object is used, and not when it is asked for an attribute or shown."""
    keys = Keyring.generate()
    monkeypatch.setenv("MODEL_KEYRING", keys.export_secret())
    data = pickle.dumps(EncryptedEstimator(Ridge(), key="env:MODEL_KEYRING").fit(X, Y))
    del keys
    gc.collect()
    read = pickle.loads(data)
    with monkeypatch.context() as patched:
        patched.setattr(Keyring, "from_uri", lambda *_: pytest.fail("the URI was followed"))
        assert hasattr(read, "predict")
        assert "locked" in repr(read)
        assert "locked" in read._repr_html_()
        assert read.get_params()["key"].uri == "env:MODEL_KEYRING"
    assert read.predict(X).shape == (len(X),)


def test_a_sealed_file_that_holds_something_else(keyring):
    """Ciphertext of something that is no EncryptedEstimator does not become one."""
    odd = EncryptedEstimator.__new__(EncryptedEstimator)
    odd.__setstate__({"version": 1, "sealed": sealing.dumps(Ridge(), key=keyring), "key": keyring.__getstate__()})
    with pytest.raises(SealedFileError, match="not of the class EncryptedEstimator"):
        odd.predict(X)


def test_an_inner_class_that_is_not_there(keyring, monkeypatch):
    """Where the class inside cannot be imported, a use says that, and hasattr does not fall over it."""
    data = pickle.dumps(EncryptedEstimator(Marked(), key=keyring).fit(X))
    monkeypatch.delattr(sys.modules[Marked.__module__], "Marked")
    read = pickle.loads(data)
    assert not hasattr(read, "learnt_")
    with pytest.raises(AttributeError, match="Marked"):
        read.transform(X)


# --- another process ---


def elsewhere(code, *args, **environment):
    """Run some code in another process of this Python, and give the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, args)],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


READ = """
import sys, joblib, numpy as np
from modelpriv.sealing import set_trusted
set_trusted(keys=sys.argv[3:])
model = joblib.load(sys.argv[1])
print(repr(model))
try:
    print(model.predict(np.load(sys.argv[2])).tolist())
except Exception as error:
    print(type(error).__name__, error)
"""


def test_another_process(model, keyring, tmp_path):
    """Another process reads a locked model without the key; one made with a URI opens where that is named and set."""
    np.save(tmp_path / "x.npy", X)
    joblib.dump(model, tmp_path / "by key")
    os.environ["MODELPRIV_TEST_KEYRING"] = secret = keyring.export_secret()
    joblib.dump(clone(model).set_params(key="env:MODELPRIV_TEST_KEYRING").fit(X, Y), tmp_path / "by uri")
    del os.environ["MODELPRIV_TEST_KEYRING"]
    predicted = str(model.predict(X).tolist())

    shown, refused = elsewhere(READ, tmp_path / "by key", tmp_path / "x.npy")
    assert shown == f"EncryptedEstimator(<locked: key id {keyring.primary}>)"
    assert refused.startswith("LockedError")
    assert keyring.primary in refused

    arguments, uri = (tmp_path / "by uri", tmp_path / "x.npy"), "env:MODELPRIV_TEST_KEYRING"
    _, refused = elsewhere(READ, *arguments, uri)
    assert refused.startswith("LockedError")
    assert uri in refused
    _, refused = elsewhere(READ, *arguments, MODELPRIV_TEST_KEYRING=secret)
    assert "has not named" in refused
    _, opened = elsewhere(READ, *arguments, uri, MODELPRIV_TEST_KEYRING=secret)
    assert opened == predicted
    _, opened = elsewhere(READ, tmp_path / "by key", arguments[1], uri, MODELPRIV_TEST_KEYRING=secret)
    assert opened == predicted


LOAD = """
import sys, numpy as np
from modelpriv import sealing
from modelpriv.keys import Keyring
model = sealing.load(sys.argv[1], key=Keyring.from_secret(sys.argv[3]))
print(type(model).__name__, model.predict(np.load(sys.argv[2])).tolist())
"""


def test_a_sealed_file_in_another_process(model, keyring, tmp_path):
    """A dumped model is open, and an EncryptedEstimator, in another process that loads it with the key."""
    np.save(tmp_path / "x.npy", X)
    sealing.dump(model, tmp_path / "model.mpriv")
    (said,) = elsewhere(LOAD, tmp_path / "model.mpriv", tmp_path / "x.npy", keyring.export_secret())
    assert said == f"EncryptedEstimator {model.predict(X).tolist()}"


# --- the scope ---


@pytest.fixture
def readable():
    """A fitted model whose class and hyper-parameters are left readable, without and with its key."""
    keys = Keyring.generate()
    inner = make_pipeline(Marked(), StandardScaler(), LogisticRegression(C=0.7310585786300049, class_weight={0: 1.5}))
    return EncryptedEstimator(inner, key=keys, scope="parameters").fit(X, Y)


def test_class_and_hyper_parameters_are_readable(readable):
    """With scope="parameters" anyone can read class and hyper-parameters, of nested estimators too."""
    claims = sealing.inspect(io.BytesIO(readable.__getstate__()["sealed"])).estimator
    assert claims["class"] == "sklearn.pipeline.Pipeline"
    parameters = claims["parameters"]
    assert parameters["logisticregression__C"] == 0.7310585786300049
    assert parameters["logisticregression__class_weight"] == {"0": 1.5}
    assert parameters["marked__note"] == CANARY
    assert parameters["standardscaler"] == "<sklearn.preprocessing._data.StandardScaler>"


def test_what_was_learnt_is_not(readable, serialiser):
    """With scope="parameters" the bytes still hold nothing that was learnt."""
    dumps, loads, unpack = serialiser
    said = unpack(dumps(readable))
    assert b"LogisticRegression" in said
    learnt = {needle for step in readable.estimator_ for needle in needles(vars(step))} | {CANARY.upper().encode()}
    public = {CANARY.encode(), b"sklearn", b"ndarray", b"0.7310585786300049"}
    assert len(learnt - public) > 10
    assert not [needle for needle in learnt - public if needle in said]
    np.testing.assert_array_equal(loads(dumps(readable)).predict(X), readable.predict(X))


def test_a_locked_one_shows_them(readable):
    """A locked model shows what was left readable, as unverified, and gives it as parameters."""
    data = pickle.dumps(readable)
    readable.key = None
    gc.collect()
    locked = pickle.loads(data)
    assert "unverified: 'sklearn.pipeline.Pipeline'" in repr(locked)
    assert locked.get_params()["estimator__logisticregression__C"] == 0.7310585786300049
    assert set(locked.get_params(deep=False)) == set(readable.get_params(deep=False))
    with pytest.raises(LockedError):
        locked.set_params(estimator__logisticregression__C=1)
    assert "Pipeline" not in repr(
        pickle.loads(data.replace(b"sklearn.pipeline.Pipeline", b"sklearn.pipeline.Pipelin\x1b"))
    )


def test_hyper_parameters_that_json_cannot_say(keyring):
    """Of a hyper-parameter that is neither number nor text, only the class is shown, never the content."""
    odd = {
        "a": np.arange(3),
        "b": float("nan"),
        "c": len,
        "d": Ridge,
        "e": (1, None),
        "f": "\ud800",
        "g": keyring,
        3: {4},
    }
    model = EncryptedEstimator(Marked(odd), key=keyring, scope="parameters")
    shown = sealing.inspect(io.BytesIO(model.__getstate__()["sealed"])).estimator["parameters"]["note"]
    assert shown == {
        "a": "<numpy.ndarray>",
        "b": "nan",
        "c": "<builtins.len>",
        "d": "<sklearn.linear_model._ridge.Ridge>",
        "e": [1, None],
        "f": "\\ud800",
        "g": "<modelpriv.Keyring>",
        "3": "<builtins.set>",
    }


def test_an_estimator_that_is_frozen(keyring):
    """What a frozen estimator learnt is sealed, though it counts as a hyper-parameter of what holds it."""
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator(Ridge().fit(X, Y))
    data = pickle.dumps(EncryptedEstimator(make_pipeline(frozen), key=keyring, scope="parameters"))
    assert b"Ridge" in data
    assert frozen.coef_[:1].tobytes() not in data


def test_an_unknown_scope(keyring):
    """A scope that is not known is refused, by fit and when it is written."""
    model = EncryptedEstimator(Ridge(), key=keyring, scope="weights")
    for use in (lambda: model.fit(X, Y), lambda: pickle.dumps(model)):
        with pytest.raises(ParameterError, match="scope"):
            use()


# --- files ---


def test_dump_and_load(model, keyring, tmp_path):
    """Dumped without a key of its own it is sealed with its own, and is loaded open."""
    sealing.dump(model, tmp_path / "model.mpriv")
    back = sealing.load(tmp_path / "model.mpriv", key=keyring)
    assert isinstance(back, EncryptedEstimator)
    assert "Logistic" in repr(back)
    assert back.key is keyring
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    assert sealing.inspect(tmp_path / "model.mpriv").stanzas == ({"type": "keyring", "key_id": keyring.primary},)


def test_its_metadata_is_the_files(model, keyring):
    """Its metadata is the file's, unless the caller gives other."""
    model.set_params(metadata={"stage": "trial"})
    assert sealing.inspect(io.BytesIO(sealing.dumps(model))).metadata == {"stage": "trial"}
    assert sealing.inspect(io.BytesIO(sealing.dumps(model, metadata={"a": 1}))).metadata == {"a": 1}


def test_dumped_with_a_passphrase(left):
    """Dumped with a passphrase it opens with that; its own key is then still only referred to."""
    model = left.model.unlock(key=Keyring.from_secret(left.secret))
    data = sealing.dumps(model, passphrase="an example")
    model.key = None
    gc.collect()
    back = sealing.loads(data, passphrase="an example")
    np.testing.assert_array_equal(back.predict(X), left.predicted)
    assert isinstance(back.key, KeyReference)
    with pytest.raises(KeyUnavailableError, match=left.key_id):
        pickle.dumps(back)
    pickle.dumps(back.set_params(key=Keyring.from_secret(left.secret)))


def test_a_locked_one_is_dumped_as_it_is(left):
    """A locked model is dumped as the file that it came from, and not under another key."""
    data = sealing.dumps(left.model)
    np.testing.assert_array_equal(sealing.loads(data, key=Keyring.from_secret(left.secret)).predict(X), left.predicted)
    gc.collect()
    for given in ({"key": Keyring.generate()}, {"passphrase": "an example"}, {"metadata": {}}):
        with pytest.raises(LockedError, match="unlock"):
            sealing.dumps(left.model, **given)


def test_one_inside_of_a_sealed_pipeline(left, keyring):
    """A wrapper inside of a sealed file has its own key: the file's does not open it."""
    pipeline = Pipeline([("model", left.model.unlock(key=Keyring.from_secret(left.secret)))])
    data = sealing.dumps(pipeline, key=keyring)
    del pipeline
    left.model.key = None
    gc.collect()
    back = sealing.loads(data, key=keyring)
    with pytest.raises(LockedError, match=left.key_id):
        back.predict(X)
    both = sealing.loads(
        sealing.dumps(Pipeline([("model", EncryptedEstimator(Ridge(), key=keyring))]), key=keyring), key=keyring
    )
    both.fit(X, Y)


def test_a_rotated_keyring(model, keyring):
    """A rotated keyring opens what the older one sealed, and seals under its new key from then on."""
    data = pickle.dumps(model)
    later = keyring.rotate()
    back = pickle.loads(data).unlock(key=later)
    sealed = back.set_params(key=later).__getstate__()["sealed"]
    assert sealing.inspect(io.BytesIO(sealed)).stanzas[0]["key_id"] == later.primary


# --- in memory ---


def test_copies_and_clones_cost_no_cryptography(model, monkeypatch):
    """Copying and cloning an open model neither seals nor opens anything."""
    for name in ("dumps", "loads"):
        monkeypatch.setattr(sealing, name, lambda *args, **kwargs: pytest.fail("cryptography was used"))
    shallow, deep, unfitted = copy.copy(model), copy.deepcopy(model), clone(model)
    assert shallow.estimator_ is model.estimator_
    assert deep.estimator_ is not model.estimator_
    np.testing.assert_array_equal(deep.predict(X), model.predict(X))
    assert not hasattr(unfitted, "estimator_")
    assert shallow.key is deep.key is unfitted.key is model.key


def test_a_copy_needs_no_key():
    """A model without a key can be copied, though it cannot be written."""
    wrapped = EncryptedEstimator(Ridge().fit(X, Y))
    np.testing.assert_array_equal(copy.deepcopy(wrapped).predict(X), wrapped.predict(X))


def test_a_subclass(keyring):
    """A subclass is sealed, opened, hashed and sent to workers as the class itself."""
    made = Special(Ridge(), key=keyring).fit(X, Y)
    back = pickle.loads(pickle.dumps(made))
    assert back.special(X).shape == (60,)
    assert joblib.hash(back) == joblib.hash(made)


class Special(EncryptedEstimator):
    """A wrapper with a method of its own."""

    def special(self, X):
        """Predict."""
        return self.predict(X)


# --- workers: the key lives only in this process ---


def test_grid_search_in_workers(keyring):
    """A grid search in two workers works with a keyring that lives only here, and gives what one process gives."""
    grid = {"estimator__C": [0.1, 1.0]}
    searches = [
        GridSearchCV(EncryptedEstimator(LogisticRegression(), key=keyring), grid, cv=3, n_jobs=jobs).fit(X, Y)
        for jobs in (2, None)
    ]
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(*(search.cv_results_[name] for search in searches))
    assert searches[0].best_estimator_.key is keyring


def test_estimators_come_back_from_workers(keyring):
    """Estimators fitted in workers come back open, with the keyring of this process."""
    model = EncryptedEstimator(make_pipeline(StandardScaler(), LogisticRegression()), key=keyring)
    for estimator in cross_validate(model, X, Y, cv=2, n_jobs=2, return_estimator=True)["estimator"]:
        assert "_locked" not in vars(estimator)
        assert estimator.key is keyring
        assert estimator.predict(X).shape == (60,)
    np.testing.assert_array_equal(cross_val_predict(model, X, Y, cv=2, n_jobs=2), cross_val_predict(model, X, Y, cv=2))


def test_other_pools(model):
    """A process pool of the standard library gets an open model too."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(model.predict, X).result(60), model.predict(X))


def search_folder(estimator, folder, needle):
    """Look, from inside of a worker, for some bytes in the files that joblib shares arrays through."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return sum(needle in path.read_bytes() for path in files), hasattr(estimator, "predict")


def test_no_plaintext_in_shared_memory(keyring, tmp_path):
    """On its way to a worker a bare estimator's large array stands in a file in clear, and a wrapped one's does not."""
    bare = KNeighborsClassifier(algorithm="brute").fit(RNG.random((40_000, 8)), np.zeros(40_000))
    needle = bare._fit_X[1000:1010].tobytes()
    found = {}
    for name, estimator in (("bare", bare), ("wrapped", EncryptedEstimator(bare, key=keyring))):
        folder = tmp_path / name
        folder.mkdir()
        run = Parallel(n_jobs=2, temp_folder=folder, max_nbytes="100K")
        found[name] = run(delayed(search_folder)(estimator, folder, needle) for _ in range(2))
    assert found["bare"][0] == (1, True)
    assert found["wrapped"] == [(0, True), (0, True)]


def test_locked_in_workers(left):
    """A locked model goes to a worker and comes back, locked."""
    for back in Parallel(n_jobs=2)(delayed(copy.copy)(left.model) for _ in range(2)):
        assert left.key_id in repr(back)
        np.testing.assert_array_equal(back.unlock(key=Keyring.from_secret(left.secret)).predict(X), left.predicted)


# --- caches ---


def test_hash(keyring):
    """Joblib's hash is the same for the same content and key, another for another, and not the bare estimator's."""
    model = EncryptedEstimator(Ridge(), key=keyring)
    again = EncryptedEstimator(Ridge(), key=keyring)
    assert (
        joblib.hash(model)
        == joblib.hash(again)
        == joblib.hash(clone(model))
        == joblib.hash(pickle.loads(pickle.dumps(model)))
    )
    different = [
        EncryptedEstimator(Ridge(alpha=2), key=keyring),
        EncryptedEstimator(Ridge(), key=Keyring.generate()),
        EncryptedEstimator(Ridge(), key=keyring, metadata={"a": 1}),
        EncryptedEstimator(Ridge(), key=keyring).fit(X, Y),
        Ridge(),
    ]
    assert len({joblib.hash(model), *map(joblib.hash, different)}) == 6


def test_the_hash_of_a_locked_one(left):
    """A locked model is hashed by its ciphertext, which does not change."""
    assert joblib.hash(left.model) == joblib.hash(pickle.loads(left.data))


class Counting(TransformerMixin, BaseEstimator):
    """A transformer that counts, in the class, how often one was fitted."""

    fits = 0

    def fit(self, X, y=None):
        """Count."""
        Counting.fits += 1
        self.fitted_ = True
        return self

    def transform(self, X):
        """Give back what came."""
        return X


def test_a_cache_hits(keyring, tmp_path, monkeypatch):
    """A pipeline with a memory fits its steps once, with a keyring that lives only here; the cache is ciphertext."""
    monkeypatch.setattr(Counting, "fits", 0)
    steps = [("step", EncryptedEstimator(Counting(), key=keyring)), ("model", Ridge())]
    for _ in range(2):
        pipeline = Pipeline(steps, memory=str(tmp_path)).fit(X, Y)
        assert pipeline.predict(X).shape == (60,)
    assert Counting.fits == 1
    assert "Counting" in repr(pipeline[0].estimator_)
    assert not [path for path in tmp_path.rglob("*.pkl") if b"Counting" in path.read_bytes()]


def test_the_main_job_shape(keyring):
    """A sealed pipeline around a real table scores as the bare one does, across a pickle."""
    data, target = load_diabetes(return_X_y=True)
    bare = make_pipeline(StandardScaler(), Ridge()).fit(data, target)
    wrapped = EncryptedEstimator(make_pipeline(StandardScaler(), Ridge()), key=keyring).fit(data, target)
    assert pickle.loads(pickle.dumps(wrapped)).score(data, target) == bare.score(data, target)


def test_what_a_pickle_shows(model):
    """Read without unpickling, the pickle names one class of this library and nothing else."""
    opcodes = list(pickletools.genops(pickle.dumps(model)))
    texts = {argument for _, argument, _ in opcodes if isinstance(argument, str)}
    assert texts - {model.key.primary} == {
        "modelpriv",
        "EncryptedEstimator",
        "version",
        "sealed",
        "key",
        "cloned",
    }


def test_two_threads_unlock_at_once(model, monkeypatch):
    """A thread that opens a model which another one just opened finds it open, and a clone stays one."""
    data, real = pickle.dumps(model), sealing.loads
    for read, expected in ((pickle.loads(data), True), (clone(pickle.loads(data)), False)):
        other = copy.copy(read).unlock()

        def meanwhile(*args, read=read, other=other, **kwargs):
            read.__dict__ = vars(other).copy()
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(sealing, "loads", meanwhile)
            read.unlock()
        assert hasattr(read, "coef_") is expected


# --- recipients and signatures: what only others open, and what waits until its signer is trusted ---


@pytest.fixture
def reader():
    return Identity.generate()


@pytest.fixture
def author():
    return SigningKey.generate()


@pytest.fixture(params=["write-only", "write-only, signed", "key, signed", "key and recipients, signed"])
def vouched(request, keyring, reader, author):
    """A wrapper in each state in which not its key alone decides who reads it."""
    params = {"key": keyring} if "key" in request.param else {}
    params |= {"recipients": [reader.recipient]} if request.param != "key, signed" else {}
    params |= {"sign_with": author} if "signed" in request.param else {}
    return EncryptedEstimator(LogisticRegression(C=0.7310585786300049), **params).fit(X, Y)


@pytest.fixture(autouse=True)
def _trust_nobody():
    """What a test lets the process trust ends with it."""
    yield
    sealing.set_trusted()


TYPES = ["sklearn.linear_model._logistic.LogisticRegression"]


def test_nothing_in_clear_for_recipients(vouched, serialiser):
    """For recipients, and signed, the bytes hold no more under any serialiser than for a key."""
    dumps, _, unpack = serialiser
    said = unpack(dumps(vouched))
    assert not [needle for needle in needles(vouched.estimator_) if needle in said]


def test_opens_by_who_reads_it(vouched, serialiser, reader, author):
    """It is locked after a bare load, says what it waits for, and passes through locked; then its reader opens it."""
    dumps, loads, _ = serialiser
    back = loads(dumps(loads(dumps(vouched))))
    signed = vouched.sign_with is not None
    with pytest.raises(LockedError, match=f"set_trusted.*{'trusted_signers' if signed else 'trusted_types'}"):
        back.predict(X)
    assert not hasattr(back, "coef_")
    assert "sealed" in repr(back)
    back.unlock(**{"trusted_signers": [author.signer]} if signed else {"trusted_types": TYPES})
    np.testing.assert_array_equal(back.predict(X), vouched.predict(X))
    assert not isinstance(back.sign_with, SigningKey)


def test_opens_for_a_process_that_trusts(vouched, serialiser, reader, author):
    """Once the process trusts the signer, or names the types, a bare load opens at its first use."""
    dumps, loads, _ = serialiser
    sealing.set_trusted(signers=[author.signer], types=TYPES)
    np.testing.assert_array_equal(loads(dumps(vouched)).predict(X), vouched.predict(X))


def test_a_stranger_does_not_open_it(vouched, author):
    """A stranger's trust opens nothing, and an identity that it was not sealed to does not either."""
    with pytest.raises(UntrustedError):
        pickle.loads(pickle.dumps(vouched)).unlock(trusted_signers=[SigningKey.generate().signer])
    with pytest.raises(ModelprivError):
        pickle.loads(pickle.dumps(vouched)).unlock(identity=Identity.generate(), trusted_signers=[author.signer])


def test_write_only(author):
    """Where no identity is alive, what was written is locked and names the recipient, while its writer goes on."""
    reader = Identity.generate()
    model = EncryptedEstimator(Ridge(), recipients=[str(reader.recipient)], sign_with=author).fit(X, Y)
    data, recipient, secret = pickle.dumps(model), reader.recipient.id, reader.export_secret()
    del reader
    gc.collect()
    locked = pickle.loads(data)
    sealing.set_trusted(signers=[author.signer])
    with pytest.raises(LockedError, match=f"identity of recipient {recipient}"):
        locked.predict(X)
    assert recipient in repr(locked)
    assert pickle.dumps(model.fit(X, Y)) != data
    identity = Identity.from_secret(secret)
    np.testing.assert_array_equal(locked.predict(X), model.predict(X))
    assert identity.recipient.id == recipient


def test_in_memory_nobody_needs_to_vouch(vouched):
    """Copies, clones, hashes and workers need no reader: they are this process."""
    for made in (copy.copy(vouched), copy.deepcopy(vouched), clone(vouched).fit(X, Y)):
        np.testing.assert_array_equal(made.predict(X), vouched.predict(X))
        assert made.sign_with is vouched.sign_with
    assert joblib.hash(vouched) == joblib.hash(copy.copy(vouched))
    assert joblib.hash(clone(vouched)) == joblib.hash(clone(vouched)) != joblib.hash(vouched)
    results = cross_validate(clone(vouched), X, Y, cv=2, n_jobs=2, return_estimator=True)
    for estimator in results["estimator"]:
        assert estimator.predict(X).shape == (60,)
        pickle.dumps(estimator)


def test_a_cache_of_what_others_read(vouched, author, tmp_path):
    """A pipeline's cache is ciphertext, and hits where the process trusts its own signer, or names the types."""
    step = clone(vouched).set_params(estimator=StandardScaler())
    types = ["sklearn.preprocessing._data.StandardScaler"]
    first = Pipeline([("step", step), ("model", Ridge())], memory=str(tmp_path)).fit(X, Y).predict(X)
    assert not [path for path in tmp_path.rglob("*.pkl") if b"StandardScaler" in path.read_bytes()]
    again = Pipeline([("step", step), ("model", Ridge())], memory=str(tmp_path)).fit(X, Y)
    with pytest.raises(LockedError, match="set_trusted"):
        again.predict(X)
    sealing.set_trusted(signers=[author.signer], types=types)
    np.testing.assert_array_equal(again.predict(X), first)


def test_what_was_read_cannot_be_signed_again(keyring, author):
    """What was read has the signer's public key, so writing it asks for the private one, or for none."""
    sealing.set_trusted(signers=[author.signer])
    read = pickle.loads(pickle.dumps(EncryptedEstimator(Ridge(), key=keyring, sign_with=author).fit(X, Y)))
    assert read.sign_with == author.signer
    with pytest.raises(ParameterTypeError, match="sign_with"):
        pickle.dumps(read)
    pickle.dumps(read.set_params(sign_with=None))


# --- the search for what a scope seals, in the twelve estimators that scikit-learn's checks run around ---

TABLE = pd.DataFrame(X, columns=[f"column-{CANARY}-{number}" for number in range(4)])
LABELS = np.array([f"label-{CANARY}-{number}" for number in (0, 1)])[Y]
NUMBER = 0.7310585786300049
SEARCHED = [
    (LogisticRegression(C=NUMBER), LABELS),
    (Ridge(alpha=NUMBER), Y),
    (GaussianNB(var_smoothing=NUMBER), LABELS),
    (KNeighborsRegressor(metric="minkowski", p=NUMBER + 1), X[:, 1]),
    (DecisionTreeClassifier(min_impurity_decrease=NUMBER / 1000, random_state=0), LABELS),
    (ExtraTreesClassifier(3, min_impurity_decrease=NUMBER / 1000, random_state=0), LABELS),
    (StandardScaler(with_mean=False), None),
    (PCA(2, tol=NUMBER, random_state=0), None),
    (LocalOutlierFactor(novelty=True, contamination=NUMBER / 2), None),
    (AgglomerativeClustering(linkage="complete", distance_threshold=NUMBER, n_clusters=None), None),
    (make_pipeline(StandardScaler(), Marked(), LogisticRegression(C=NUMBER)), LABELS),
    (MultiOutputRegressor(Ridge(alpha=NUMBER)), X[:, :2]),
]


def learnt(estimator):
    """Texts and numbers that an estimator learnt, as they could stand somewhere."""
    texts, numbers = set(), []

    def walk(obj):
        if isinstance(obj, np.ndarray) and obj.dtype.kind in "OU":
            walk(obj.tolist())
        elif isinstance(obj, np.ndarray) and obj.dtype.kind == "f":
            numbers.extend(obj.ravel()[:50].tolist())
        elif isinstance(obj, str):
            texts.update({obj} if CANARY in obj.lower() else ())
        elif isinstance(obj, float):
            numbers.append(obj)
        elif isinstance(obj, dict):
            walk([*obj, *obj.values()])
        elif isinstance(obj, (list, tuple)):
            list(map(walk, obj))
        elif isinstance(obj, Tree):
            walk([obj.threshold, obj.impurity])
        elif isinstance(obj, BaseEstimator):
            parameters = obj.get_params(deep=False)
            walk([value for name, value in vars(obj).items() if name not in parameters])
            walk([step for _, step in getattr(obj, "steps", ())])

    walk(estimator)
    return as_bytes(texts | {number for number in numbers if number % 1 and len(repr(number)) > 8})


def chosen(estimator):
    """Names and values of hyper-parameters, and names of classes, as they could stand somewhere."""
    steps, parameters = [estimator, *getattr(estimator, "named_steps", {}).values()], estimator.get_params()
    texts = {part for name in parameters for part in name.split("__") if len(part) > 4}
    texts |= {value for value in parameters.values() if isinstance(value, str) and len(value) > 4}
    texts |= {value for value in parameters.values() if isinstance(value, float) and len(repr(value)) > 8}
    texts |= {part for step in steps for part in (name_of(step), type(step).__module__)}
    return as_bytes(texts - {"estimator"})  # which is part of our own class's name


def as_bytes(values):
    numbers = {value for value in values if isinstance(value, float)}
    found = {str(value).encode(coding) for value in values for coding in ("utf-8", "utf-16-le")}
    return found | {struct.pack(order + "d", number) for number in numbers for order in "<>"}


@pytest.mark.parametrize("scope", ["estimator", "parameters"])
@pytest.mark.parametrize(
    ("inner", "target"), SEARCHED, ids=lambda value: name_of(value) if hasattr(value, "fit") else ""
)
def test_a_search_for_what_the_scope_seals(keyring, inner, target, scope):
    """No serialiser's bytes hold a text or number that the scope seals; the bare estimator's do, and public ones."""
    model = EncryptedEstimator(inner, key=keyring, scope=scope).fit(TABLE, target)
    kept, told = learnt(model.estimator_), chosen(inner)
    assert len(kept) >= 12
    assert len(told) >= 4
    for name, (dumps, _, unpack) in SERIALISERS.items():
        said, bare = unpack(dumps(model)), unpack(dumps(model.estimator_))
        assert not [needle for needle in kept - told if needle in said], name
        assert any(needle in bare for needle in kept - told), name
        found = [needle for needle in told if needle in said]
        assert bool(found) == (scope == "parameters"), (name, found)


def test_the_class_outside_is_the_class_inside(keyring, reader):
    """Ciphertext of one class does not become an object of another; a subclass that skops wrote has its defaults."""
    state = EncryptedEstimator(Ridge(), key=keyring).fit(X, Y).__getstate__()
    odd = Special.__new__(Special)
    odd.__setstate__(state)
    with pytest.raises(SealedFileError, match="not of the class Special"):
        odd.predict(X)
    model = Special(Ridge(), recipients=[reader.recipient]).fit(X, Y)
    back = pickle.loads(pickle.dumps(model)).unlock(trusted_types=["a.B"])
    assert type(back) is Special
    np.testing.assert_array_equal(back.special(X), model.special(X))
