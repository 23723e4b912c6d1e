"""ModelHandle opens at start or fails there, follows its file, and never answers with what it should not trust."""

import gc
import json
import os
import pickle
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import modelpriv
from modelpriv import AccessPolicy, AuditLog, EncryptedEstimator, FieldEncryptor, Keyring, SigningKey
from modelpriv.audit import acting_as
from modelpriv.errors import (
    KeyUnavailableError,
    LockedError,
    ModelprivError,
    ParameterError,
    ParameterTypeError,
    SealedFileError,
    UntrustedError,
)
from modelpriv.serving import ModelHandle

X = pd.DataFrame({"id": ["a", "b", "c"], "v": [1.0, 2.0, 3.0]})


def constant(value):
    """A model that says which version it is."""
    return Ridge().fit([[1.0], [2.0]], [value, value])


def keyed(key):
    """A model that carries a keyed step."""
    protect = make_column_transformer((FieldEncryptor(key=key), ["id"]), remainder="passthrough")
    return make_pipeline(protect, make_column_transformer(("passthrough", [1])), Ridge()).fit(X, [1.0, 2.0, 3.0])


def said(handle):
    return round(float(handle.predict([[1.0]])[0]), 6)


def until(true):
    """Wait for something that a thread does."""
    for _ in range(500):
        if true():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def path(tmp_path, keyring):
    """The file of the first version."""
    modelpriv.dump(constant(1), tmp_path / "model.mpriv", key=keyring)
    return tmp_path / "model.mpriv"


def test_it_predicts(path, keyring):
    """The methods of the model give what they give without a handle, also those that have no name here."""
    with ModelHandle(path, key=keyring, every=0) as handle:
        assert handle.ready()
        assert said(handle) == handle.model.predict([[1.0]])[0] == 1
        assert handle.call("score", [[1.0], [2.0]], y=[1.0, 1.0]) == 1
        assert handle.status().to_dict()["file_id"] == modelpriv.inspect(path).file_id
        with pytest.raises(AttributeError):
            handle.predict_proba([[1.0]])


def test_a_new_version_answers(path, keyring):
    """A new version takes the place of the old one when the file is looked at, by the thread or when told."""
    with ModelHandle(path, key=keyring, every=0) as told, ModelHandle(path, key=keyring, every=0.02) as watching:
        modelpriv.dump(constant(2), path, key=keyring)
        assert said(told) == 1
        assert told.reload()
        assert not told.reload()
        assert said(told) == 2
        assert until(lambda: said(watching) == 2)
        assert watching.status().reloads == told.status().reloads == 1


def without_key(path, keys):
    """Deploy a model with a step whose key is nowhere, not even in what waits for the garbage collector."""
    modelpriv.dump(keyed(Keyring.generate()), path.with_name("aside"), key=keys)
    gc.collect()
    path.with_name("aside").replace(path)


BAD = {
    "half written": lambda path, keys: path.write_bytes(path.read_bytes()[:-10]),
    "altered": lambda path, keys: path.write_bytes(path.read_bytes()[:-1] + b"\0"),
    "another key": lambda path, keys: modelpriv.dump(constant(2), path, key=Keyring.generate()),
    "a step without its key": without_key,
    "no model": lambda path, keys: path.write_text("not a model"),
    "gone": lambda path, keys: path.unlink(),
    "forbidden now": lambda path, keys: modelpriv.dump(
        EncryptedEstimator(constant(2), key=keys, policy=AccessPolicy(not_after=datetime.now(UTC) - timedelta(days=1))),
        path,
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_the_old_version_goes_on(path, keyring, kind):
    """A new version that cannot be used is refused with its reason, and the old one goes on answering."""
    with ModelHandle(path, key=keyring, every=0.02) as handle:
        BAD[kind](path, keyring)
        gc.collect()
        with pytest.raises((ModelprivError, OSError)):
            handle.reload()
        assert said(handle) == 1
        assert handle.ready()
        assert handle.status().error
        modelpriv.dump(constant(3), path, key=keyring)
        assert until(lambda: said(handle) == 3)
        assert until(lambda: handle.status().error is None)


@pytest.mark.parametrize("kind", BAD)
def test_it_fails_at_start(path, keyring, kind):
    """What could not answer is refused when the handle is made, before a server says that it is ready."""
    BAD[kind](path, keyring)
    gc.collect()
    with pytest.raises((ModelprivError, OSError)):
        ModelHandle(path, key=keyring)


def test_the_step_without_a_key_is_named(path, keyring):
    """The message names the step and the key id that it needs."""
    other = Keyring.generate()
    modelpriv.dump(keyed(other), path, key=keyring)
    wanted = other.primary
    del other
    gc.collect()
    with pytest.raises(KeyUnavailableError, match=rf"FieldEncryptor at model\.steps\[0\].*{wanted}"):
        ModelHandle(path, key=keyring)


def test_a_retired_key_is_noticed(path, keyring):
    """A model whose step is pinned to a key that the ring retired is not ready, though the file opens."""
    newer = keyring.rotate()
    model = keyed(newer)
    model[0].transformers_[0][1].key_id_ = keyring.primary
    modelpriv.dump(model, path, key=newer)
    with pytest.raises(KeyUnavailableError, match=f"pinned to key id {keyring.primary}"):
        ModelHandle(path, key=newer.retire(keyring.primary))


def test_signers(tmp_path, keyring):
    """Only versions of a trusted signer answer."""
    path, author, stranger = tmp_path / "model", SigningKey.generate(), SigningKey.generate()
    modelpriv.dump(constant(1), path, key=keyring, sign_with=author)
    with ModelHandle(path, key=keyring, trusted_signers=[author.signer], every=0) as handle:
        assert handle.status().signer == author.signer.id
        modelpriv.dump(constant(2), path, key=keyring, sign_with=stranger)
        with pytest.raises(UntrustedError):
            handle.reload()
        assert said(handle) == 1


def test_file_ids(path, keyring):
    """With file_ids, no other file answers, also an older one of the same author."""
    known = modelpriv.inspect(path).file_id
    with ModelHandle(path, key=keyring, file_ids=[known], every=0) as handle:
        modelpriv.dump(constant(2), path, key=keyring)
        with pytest.raises(SealedFileError, match="not among file_ids"):
            handle.reload()
        assert said(handle) == 1


def test_a_sample_is_predicted(path, keyring):
    """A version that cannot predict the sample does not answer."""
    with pytest.raises(ValueError, match="features"):
        ModelHandle(path, key=keyring, sample=[[1.0, 2.0]])
    ModelHandle(path, key=keyring, sample=[[1.0]]).close()


@pytest.mark.parametrize("every", [0, 0.02])
def test_a_status_quotes_no_cell(path, keyring, every):
    """A version that fails on the sample is refused by the class of its error, whose words may quote a cell."""
    modelpriv.dump(keyed(keyring), path, key=keyring)
    with ModelHandle(path, key=keyring, sample=X.replace("a", "canary"), every=every) as handle:
        modelpriv.dump(Ridge().fit(X.assign(id=1.0), [1.0, 2.0, 3.0]), path, key=keyring)
        if not every:
            with pytest.raises(ValueError, match="canary"):
                handle.reload()
        assert until(lambda: handle.status().error)
        assert "canary" not in handle.status().error
        assert handle.status().error.startswith("ValueError")


def test_a_file_that_comes_back(path, keyring):
    """While the file is away the status says so, and no longer than that."""
    with ModelHandle(path, key=keyring, every=0.02) as handle:
        path.rename(path.with_name("away"))
        assert until(lambda: handle.status().error)
        path.with_name("away").rename(path)
        assert until(lambda: handle.status().error is None)


def test_a_key_that_comes_later(path, keyring, monkeypatch):
    """A key that a URI names is fetched again, so that a version under a newer key answers once the key is there."""
    monkeypatch.setenv("RING", keyring.export_secret())
    newer = keyring.rotate()
    secret = newer.export_secret()
    with ModelHandle(path, key="env:RING", every=0.02) as handle:
        modelpriv.dump(constant(2), path, key=newer)
        assert until(lambda: handle.status().error)
        assert said(handle) == 1
        monkeypatch.setenv("RING", secret)
        assert until(lambda: said(handle) == 2)


def test_rewrap_is_no_new_version(path, keyring):
    """A file whose keys alone changed goes on answering without being read again."""
    newer = keyring.rotate()
    with ModelHandle(path, key=newer, every=0) as handle:
        model = handle.model
        modelpriv.rewrap(path, key=newer, add=newer, remove=keyring.primary)
        assert not handle.reload()
        assert handle.model is model
        assert handle.status().error is None


def test_a_policy_that_ends(path, keyring):
    """When the policy's time is over, the handle is not ready, and says why."""
    ends = datetime.now(UTC) + timedelta(seconds=0.4)
    model = EncryptedEstimator(constant(1), key=keyring, policy=AccessPolicy(not_after=ends))
    modelpriv.dump(model, path)
    with ModelHandle(path, key=keyring, every=0) as handle:
        assert until(lambda: not handle.ready())
        assert "policy" in handle.status().error
        with pytest.raises(LockedError):
            handle.predict([[1.0]])


def test_threads(path, keyring):
    """While versions change, each thread gets whole answers, of one version or another."""
    answers, stop = set(), threading.Event()

    def ask(handle):
        while not stop.is_set():
            answers.update(np.round(handle.predict(np.ones((50, 1))), 6).tolist())

    with ModelHandle(path, key=keyring, every=0.005) as handle:
        threads = [threading.Thread(target=ask, args=(handle,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for value in range(2, 8):
            modelpriv.dump(constant(value), path, key=keyring)
            assert until(lambda value=value: value in answers)
        stop.set()
        for thread in threads:
            thread.join()
    assert answers <= set(range(1, 8))


def test_a_handle_that_is_gone_is_not_watched(path, keyring):
    """The thread ends with its handle."""
    handle = ModelHandle(path, key=keyring, every=0.01)
    before = threading.active_count()
    del handle
    gc.collect()
    assert until(lambda: threading.active_count() < before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_after_a_fork(path, keyring):
    """A worker that was forked follows the file with a thread of its own."""
    with ModelHandle(path, key=keyring, every=0.02) as handle:
        read, write = os.pipe()
        if (child := os.fork()) == 0:  # pragma: no cover - in the child
            os.write(write, b"1" if until(lambda: said(handle) == 2) else b"0")
            os._exit(0)
        modelpriv.dump(constant(2), path, key=keyring)
        os.waitpid(child, 0)
        assert os.read(read, 1) == b"1"
        os.close(read)
        os.close(write)


def test_events(path, keyring, tmp_path):
    """Each use is one event, with the model, the rows, the key ids of the steps, for whom, and the result."""
    modelpriv.dump(keyed(keyring), path, key=keyring)
    with ModelHandle(path, key=keyring, every=0) as handle, AuditLog(tmp_path / "log", key=keyring):
        with acting_as("ada@example.org"):
            handle.predict(X)
            with pytest.raises(ValueError, match="column"):
                handle.predict(X[["v"]])
        modelpriv.dump(constant(2), path, key=keyring)
        handle.reload()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    first, second = (line for line in lines if line["action"] == "predict")
    assert {"subject": "ModelHandle", "rows": 3, "who": "ada@example.org", "result": "ok"}.items() <= first.items()
    assert first["key_ids"] == [keyring.primary]
    assert len(first["model"]) == 32
    assert second["result"] == "ValueError"
    assert [line["action"] for line in lines if line["subject"] == "ModelHandle"] == ["predict", "predict", "reload"]
    assert not [line for line in lines if line["action"] == "transform"]


def test_a_failed_reload_is_recorded(path, keyring, tmp_path):
    """A version that is refused is in the log."""
    with ModelHandle(path, key=keyring, every=0) as handle, AuditLog(tmp_path / "log", key=keyring):
        path.write_text("nothing")
        with pytest.raises(SealedFileError):
            handle.reload()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["result"] for line in lines if line["action"] == "reload"] == ["SealedFileError"]


def test_it_is_not_pickled(path, keyring):
    """A handle is refused by pickle in words, and its repr shows no more than its place and id."""
    with ModelHandle(path, key=keyring, every=0) as handle:
        with pytest.raises(TypeError, match="make one in each process"):
            pickle.dumps(handle)
        assert repr(handle) == f"<ModelHandle {str(path)!r} file_id={handle.status().file_id}>"


def test_urls(path, keyring, tmp_path):
    """A URL of a file system that fsspec knows is followed like a file."""
    pytest.importorskip("fsspec")
    url = f"file://{path}"
    with ModelHandle(url, key=keyring, every=0) as handle:
        assert said(handle) == 1
        modelpriv.dump(constant(2), path, key=keyring)
        assert handle.reload()


@pytest.mark.parametrize(("parameters", "error"), [({"path": 5}, ParameterTypeError), ({"every": -1}, ParameterError)])
def test_parameters(path, keyring, parameters, error):
    """What is no path and no time is refused by name."""
    with pytest.raises(error, match=next(iter(parameters))):
        ModelHandle(**{"path": path, "key": keyring} | parameters)


def test_shared_memory(path, keyring):
    """With mmap, the model predicts the same, from arrays that no one can write to; without, they stay writable."""
    model = Ridge().fit(np.eye(3), np.arange(3.0))
    modelpriv.dump(model, path, key=keyring)
    for shared in (True, False):
        with ModelHandle(path, key=keyring, every=0, mmap=shared) as handle:
            assert handle.model.coef_.flags.writeable != shared
            np.testing.assert_array_equal(handle.predict(np.eye(3)), model.predict(np.eye(3)))


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is counted by Linux only")
def test_forked_workers_share_the_model(path, keyring):
    """A forked worker that predicts has a small part of a large model in memory of its own."""
    size = 64 * 2**20
    model = Ridge().fit(np.eye(2), [1.0, 2.0])
    model.large_ = np.random.default_rng(0).random(size // 8)
    modelpriv.dump(model, path, key=keyring)
    with ModelHandle(path, key=keyring, every=0, mmap=True) as handle:
        read, write = os.pipe()
        if (child := os.fork()) == 0:  # pragma: no cover - in the child
            before = own_memory()
            handle.predict(np.eye(2))
            assert handle.model.large_.sum() > 0
            os.write(write, str(own_memory() - before).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert int(os.read(read, 20)) < size // 4
        os.close(read)
        os.close(write)


def own_memory():
    """Bytes that this process shares with no other."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private"))
