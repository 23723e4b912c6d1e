"""Sealing a model into a file and loading it again, against plain pickle, joblib, and Fernet around a pickle."""

import functools
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from cryptography.fernet import Fernet
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor

from benchmarks.harness import Contestant, Race, Row
from modelpriv import EncryptedEstimator, Keyring, dump, load

KEYS = Keyring.generate()
FERNET = Fernet(Fernet.generate_key())
FOLDER = tempfile.TemporaryDirectory(prefix="modelpriv-benchmark-")  # emptied when the process ends
RNG_SEED = 0


def path(name: str) -> Path:
    return Path(FOLDER.name) / name


@functools.cache
def forest() -> ExtraTreesRegressor:
    """300 trees of about 7,000 nodes each, in 600 arrays; random splits, so that it is quick to fit."""
    rng = np.random.default_rng(RNG_SEED)
    X, y = rng.random((20_000, 30)), rng.random(20_000)
    return ExtraTreesRegressor(300, max_features=1, min_samples_leaf=2, random_state=0).fit(X, y)


@functools.cache
def neighbours() -> KNeighborsRegressor:
    """A model that is one array of 500 MB."""
    X = np.random.default_rng(RNG_SEED).random((500_000, 125))
    return KNeighborsRegressor(algorithm="brute").fit(X, np.zeros(len(X)))


def pickle_dump(model: Any) -> None:
    with path("pickle").open("wb") as file:
        pickle.dump(model, file, 5)


def pickle_load() -> Any:
    with path("pickle").open("rb") as file:
        return pickle.load(file)


def fernet_dump(model: Any) -> None:
    path("fernet").write_bytes(FERNET.encrypt(pickle.dumps(model, 5)))


def fernet_load() -> Any:
    return pickle.loads(FERNET.decrypt(path("fernet").read_bytes()))


PEERS: dict[str, tuple[Callable[[Any], object], Callable[[], object]]] = {
    "joblib": (lambda model: joblib.dump(model, path("joblib")), lambda: joblib.load(path("joblib"))),
    "Fernet(pickle)": (fernet_dump, fernet_load),
}


def dumping(build: Callable[[], Any], peer: str) -> Race:
    """Dump a model; the limit is pickle, which writes the same bytes in clear."""
    model = build()
    return Race(
        ours=Contestant(lambda: dump(model, path("sealed"), key=KEYS)),
        peer=Contestant(lambda: PEERS[peer][0](model)),
        floor=Contestant(lambda: pickle_dump(model)),
    )


def loading(build: Callable[[], Any], peer: str) -> Race:
    """Load what was dumped before."""
    dumping_race = dumping(build, peer)
    for contestant in (dumping_race.ours, dumping_race.peer, dumping_race.floor):
        if contestant is not None:
            contestant.run()
    return Race(
        ours=Contestant(lambda: load(path("sealed"), key=KEYS)),
        peer=Contestant(PEERS[peer][1]),
        floor=Contestant(pickle_load),
    )


def small() -> Race:
    """A logistic regression, dumped and loaded."""
    rng = np.random.default_rng(RNG_SEED)
    model = LogisticRegression().fit(rng.random((200, 10)), rng.integers(0, 2, 200))

    def ours() -> object:
        dump(model, path("sealed"), key=KEYS)
        return load(path("sealed"), key=KEYS)

    def peer() -> object:
        fernet_dump(model)
        return fernet_load()

    def floor() -> object:
        pickle_dump(model)
        return pickle_load()

    return Race(ours=Contestant(ours), peer=Contestant(peer), floor=Contestant(floor))


def predicting() -> Race:
    """One row through the wrapper, and through the bare estimator."""
    rng = np.random.default_rng(RNG_SEED)
    X = rng.random((200, 10))
    model = LogisticRegression().fit(X, rng.integers(0, 2, 200))
    wrapped = EncryptedEstimator(model, key=KEYS)
    calls, row = 1000, X[:1]
    return Race(
        ours=Contestant(lambda: [wrapped.predict(row) for _ in range(calls)], units=calls),
        floor=Contestant(lambda: [model.predict(row) for _ in range(calls)], units=calls),
    )


ROWS = (
    *(
        Row(
            f"{verb} {what}",
            functools.partial(race, build, peer),
            peer=peer,
            floor="pickle, in clear",
            unit="file",
            rounds=rounds,
        )
        for what, build, peer, rounds in (
            ("a forest of 300 trees", forest, "joblib", 5),
            ("a forest of 300 trees", forest, "Fernet(pickle)", 1),
            ("k-NN, one array of 500 MB", neighbours, "joblib", 5),
        )
        for verb, race in (("dump", dumping), ("load", loading))
    ),
    Row("dump and load a logistic regression", small, peer="Fernet(pickle)", floor="pickle, in clear", unit="file"),
    Row("predict one row through the wrapper", predicting, floor="the bare estimator", unit="call"),
)
