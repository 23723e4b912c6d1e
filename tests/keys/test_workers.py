"""Keys reach the worker processes of this one, both ways, and nothing else."""

import copy
import gc
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Client, Listener
from multiprocessing.reduction import ForkingPickler
from threading import Thread
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from joblib.externals.loky.backend import reduction as loky

from modelpriv._core import compat
from modelpriv.errors import KeyUnavailableError
from modelpriv.keys import KeyReference, Keyring, workers

# What runs in a worker is importable there or has no name: a test module is neither.
USE = {"context": "a", "length": 32}


@pytest.fixture
def spawned():
    """A pool of one spawned process, which has nothing of this one's memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


@pytest.fixture
def reference():
    """A reference whose keyring is not alive."""
    keyring = Keyring.generate()
    pickled = pickle.dumps(keyring)
    del keyring
    gc.collect()
    return pickle.loads(pickled)


def secret_part(keyring):
    return keyring.export_secret().encode()[30:60]


def test_loky_receives_the_keys(keyring):
    """A keyring that lives in memory only derives the same keys in joblib's workers."""
    tasks = (delayed(Keyring.working_key)(keyring, "ff1", context=context, length=32) for context in "abcd")
    assert Parallel(n_jobs=2)(tasks) == [keyring.working_key("ff1", context=context, length=32) for context in "abcd"]


def test_loky_gives_the_keyring_back(keyring):
    """A keyring that comes back from joblib's workers is the one that went out."""
    rotated = keyring.rotate()
    came = Parallel(n_jobs=2)(delayed(copy.copy)(ring) for ring in (keyring, rotated, keyring))
    assert [ring is sent for ring, sent in zip(came, (keyring, rotated, keyring), strict=True)] == [True] * 3


def test_a_keyring_born_in_a_worker():
    """A keyring that a worker made, and that only the worker knew, reaches the parent with its keys."""
    first, second = Parallel(n_jobs=2)(delayed(Keyring.generate)() for _ in range(2))
    assert isinstance(first, Keyring)
    assert first.working_key("ff1", **USE) != second.working_key("ff1", **USE)


def test_keyrings_deep_inside_and_in_closures(keyring):
    """A keyring crosses wherever it stands in what is sent: in containers, objects and functions' closures."""
    inside = SimpleNamespace(keys={"a": [keyring]})
    tasks = [delayed(lambda: keyring.primary)(), delayed(lambda x: x.keys["a"][0].primary)(inside)]
    assert Parallel(n_jobs=2)(tasks) == [keyring.primary] * 2


def test_the_uri_crosses_too(keyring, monkeypatch):
    """A keyring keeps its URI on the way, and the worker need not be able to read what is there."""
    monkeypatch.setenv("MODELPRIV_KEYRING", keyring.export_secret())
    ring = Keyring.from_uri("env:MODELPRIV_KEYRING")
    monkeypatch.delenv("MODELPRIV_KEYRING")
    (came, uri) = Parallel(n_jobs=2)([delayed(copy.copy)(ring), delayed(getattr)(ring, "uri")])
    assert came is ring
    assert uri == ring.uri


def test_a_reference_that_is_resolved_crosses_as_its_keyring(keyring):
    """A worker receives the keyring that a reference has found."""
    resolved = KeyReference(keyring.key_ids, tuple(check for _, check in keyring.fingerprints))
    assert resolved.resolve() is keyring
    came = Parallel(n_jobs=2)(delayed(Keyring.working_key)(ref, "ff1", **USE) for ref in (resolved, resolved))
    assert came == [keyring.working_key("ff1", **USE)] * 2


def test_a_locked_reference_passes_through(reference):
    """A reference without a keyring arrives, and comes back, as what it is."""
    came, other = Parallel(n_jobs=2)(delayed(copy.copy)(ref) for ref in (reference, reference))
    assert isinstance(came, KeyReference)
    assert came.key_ids == other.key_ids == reference.key_ids


def test_pickles_made_by_a_worker_hold_no_key(keyring):
    """What a worker pickles to keep is by reference, as in the parent."""
    for pickled in Parallel(n_jobs=2)(delayed(pickle.dumps)(ring) for ring in (keyring, keyring)):
        assert secret_part(keyring) not in pickled
        assert pickle.loads(pickled) is keyring


def test_a_worker_has_no_keys_but_those_it_was_sent(spawned):
    """A process that received only an ordinary pickle has a locked reference."""
    came = spawned.apply(pickle.loads, (pickle.dumps(Keyring.generate()),))
    assert isinstance(came, KeyReference)


def test_multiprocessing_spawn(spawned, keyring):
    """A spawned pool of multiprocessing receives the keys and gives the keyring back."""
    assert spawned.apply(Keyring.working_key, (keyring, "ff1"), USE) == keyring.working_key("ff1", **USE)
    assert spawned.apply(copy.copy, (keyring,)) is keyring


def test_process_pool_executor(keyring):
    """So does the executor of the standard library."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(copy.copy, keyring).result() is keyring


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_joblib_multiprocessing(keyring):
    """The forking backend of joblib, whose pickler has no such table, finds the keyring in the forked memory."""
    came = Parallel(n_jobs=2, backend="multiprocessing")(delayed(copy.copy)(ring) for ring in (keyring, keyring))
    assert came == [keyring, keyring]


def test_threads_need_nothing(keyring):
    """Threads see the keyring itself."""
    tasks = [delayed(copy.copy)(keyring)] * 2
    assert Parallel(n_jobs=2, backend="threading")(tasks) == [keyring, keyring]


@pytest.fixture
def registered():
    """A class that crosses as bytes, and gives its dictionary where it arrives; the tables are put back."""
    compat.register_for_workers(SimpleNamespace, lambda value: (workers.loads, (workers.dumps(vars(value)),)))
    yield
    loky._dispatch_table.pop(SimpleNamespace)
    ForkingPickler._extra_reducers.pop(SimpleNamespace)


def large(keyring):
    """Something with a keyring and an array that joblib would write to a file."""
    return SimpleNamespace(array=np.zeros(1 << 20), key=keyring)


def array_type(value):
    """Say, in the worker, what kind of array arrived."""
    return [delayed(lambda x: type((x if isinstance(x, dict) else vars(x))["array"]).__name__)(value)] * 2


def test_joblib_shares_arrays_that_it_can_see(keyring):
    """Without a reducer of its own a large array goes to the worker through a file."""
    assert Parallel(n_jobs=2, max_nbytes=1000)(array_type(large(keyring))) == ["memmap"] * 2


@pytest.mark.usefixtures("registered")
def test_registered_state_goes_over_the_pipe(keyring, tmp_path):
    """What is registered crosses as bytes: its arrays are in no file, and its keyring arrives."""
    run = Parallel(n_jobs=2, max_nbytes=1000, temp_folder=tmp_path)
    assert run(array_type(large(keyring))) == ["ndarray"] * 2
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert run([delayed(lambda x: x["key"])(large(keyring))] * 2) == [keyring] * 2


@pytest.mark.usefixtures("registered")
def test_registered_state_over_multiprocessing(spawned, keyring):
    """What is registered crosses to a spawned pool too."""
    came = spawned.apply(dict, (large(keyring),))
    assert came["key"] is keyring
    assert came["array"].nbytes == 8 << 20


def test_other_picklers_do_not_know_the_table(keyring, tmp_path):
    """Registration changes neither pickle nor joblib's files."""
    for data in (pickle.dumps([keyring]), joblib.hash(keyring).encode()):
        assert secret_part(keyring) not in data
    joblib.dump([keyring], tmp_path / "file")
    assert secret_part(keyring) not in (tmp_path / "file").read_bytes()
    (crossed,) = workers.loads(workers.dumps([keyring]))
    assert crossed is keyring
    assert secret_part(keyring) not in workers.dumps([keyring])


def test_registration_imports_nothing_of_its_own():
    """Beside scikit-learn, the keys bring no module of joblib or multiprocessing that was not there."""
    code = """
import sys, sklearn.base
before = set(sys.modules)
import modelpriv.keys
print(*(name for name in set(sys.modules) - before if name.startswith(("joblib", "multiprocessing", "cloudpickle"))))
"""
    assert not subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.strip()


def test_a_stranger_gets_no_keys(keyring):
    """A connection to a process with another authkey carries no key, and its receiver is refused."""
    address = Listener(("localhost", 0), authkey=None)
    received = []

    def listen():
        with address.accept() as connection:
            received.append(connection.recv_bytes())

    listener = Thread(target=listen)
    listener.start()
    with Client(address.address) as connection:
        connection.send(keyring)
    listener.join()
    address.close()
    (data,) = received
    assert keyring.export_secret().encode() not in data
    assert not any(secret in data for secret in keyring._keys.values())
    own = multiprocessing.current_process().authkey
    multiprocessing.current_process().authkey = b"another program"
    try:
        with pytest.raises(KeyUnavailableError, match="did not start this one"):
            pickle.loads(data)
    finally:
        multiprocessing.current_process().authkey = own
    assert pickle.loads(data) is keyring
