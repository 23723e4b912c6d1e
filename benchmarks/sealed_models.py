"""Sealing a model into a file and loading it again, against plain pickle and against what others encrypt files with."""

import atexit
import base64
import functools
import importlib.util
import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from cryptography.fernet import Fernet
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsRegressor

from benchmarks.harness import Contestant, Race, Row
from modelpriv import EncryptedEstimator, Identity, Keyring, SigningKey, dump, load, rewrap
from modelpriv.keys.providers import passphrase as passphrases

KEYS, AUTHOR, PARTNER = Keyring.generate(), SigningKey.generate(), Identity.generate()
FERNET = Fernet(Fernet.generate_key())
FOLDER = tempfile.TemporaryDirectory(prefix="modelpriv-benchmark-")  # emptied when the process ends
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory: disks differ fourfold
RNG_SEED = 0


def path(name: str) -> Path:
    return Path(FOLDER.name) / name


@functools.cache
def forest() -> RandomForestClassifier:
    """300 trees on 50,000 rows of 30 features; fitted once a day, as it takes a minute, and kept beside the files."""
    kept = Path(tempfile.gettempdir()) / f"modelpriv-benchmark-forest-{os.getuid()}.pickle"
    if not kept.exists():
        rng = np.random.default_rng(RNG_SEED)
        X = rng.random((50_000, 30))
        y = X[:, :5].sum(axis=1) + rng.normal(0, 0.25, len(X)) > 2.5
        fitted = RandomForestClassifier(300, max_features=1, min_samples_leaf=3, n_jobs=-1, random_state=0).fit(X, y)
        kept.write_bytes(pickle.dumps(fitted, 5))
    model: RandomForestClassifier = pickle.loads(kept.read_bytes())
    return model


@functools.cache
def neighbours() -> KNeighborsRegressor:
    """A model that is one array of 500 MB."""
    X = np.random.default_rng(RNG_SEED).random((500_000, 125))
    return KNeighborsRegressor(algorithm="brute").fit(X, np.zeros(len(X)))


@functools.cache
def logistic() -> LogisticRegression:
    rng = np.random.default_rng(RNG_SEED)
    return LogisticRegression().fit(rng.random((200, 10)), rng.integers(0, 2, 200))


@dataclass(frozen=True)
class Peer:
    """Something that writes a model to a file and reads it."""

    dump: Callable[[Any, Path], object]
    load: Callable[[Path], object]
    needs: str | None = None  # a module; without it its rows are left out


def pickle_dump(model: Any, file: Path) -> None:
    with file.open("wb") as target:
        pickle.dump(model, target, 5)


def pickle_load(file: Path) -> Any:
    with file.open("rb") as source:
        return pickle.load(source)


def skops_dump(model: Any, file: Path) -> None:
    import skops.io  # noqa: PLC0415 - a peer that need not be there

    skops.io.dump(model, file)


def skops_load(file: Path) -> Any:
    import skops.io  # noqa: PLC0415 - a peer that need not be there

    return skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))


@functools.cache
def age_identity() -> Any:
    import pyrage  # noqa: PLC0415 - a peer that need not be there

    return pyrage.x25519.Identity.generate()


def age_dump(model: Any, file: Path) -> None:
    import pyrage  # noqa: PLC0415 - a peer that need not be there

    file.write_bytes(pyrage.encrypt(pickle.dumps(model, 5), [age_identity().to_public()]))


def age_load(file: Path) -> Any:
    import pyrage  # noqa: PLC0415 - a peer that need not be there

    return pickle.loads(pyrage.decrypt(file.read_bytes(), [age_identity()]))


@functools.cache
def tensor_keys() -> dict[str, Any]:
    """JWKs for cryptotensors: AES-256-GCM, and the Ed25519 signature that it always makes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - for a peer that need not be there

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    signing = Ed25519PrivateKey.generate()
    return {
        "enc_key": {"kty": "oct", "alg": "aes256gcm", "kid": "e", "k": text(os.urandom(32))},
        "sign_key": {
            "kty": "okp",
            "alg": "ed25519",
            "kid": "s",
            "x": text(signing.public_key().public_bytes_raw()),
            "d": text(signing.private_bytes_raw()),
        },
    }


def tensors_dump(model: Any, file: Path) -> None:
    """Write the array of the model; its class and parameters cannot be written."""
    from cryptotensors.numpy import save_file  # noqa: PLC0415 - a peer that need not be there

    save_file({"X": model._fit_X}, file, config=tensor_keys())  # noqa: SLF001 - the array is all that it can write


def tensors_load(file: Path) -> Any:
    import cryptotensors  # noqa: PLC0415 - a peer that need not be there
    from cryptotensors.numpy import load_file  # noqa: PLC0415 - a peer that need not be there

    cryptotensors.register_direct_key_provider(keys=list(tensor_keys().values()))
    return load_file(file)


PEERS = {
    "pickle, in clear": Peer(pickle_dump, pickle_load),
    "joblib, in clear": Peer(joblib.dump, joblib.load),
    "skops, in clear": Peer(skops_dump, skops_load, "skops"),
    "Fernet(pickle)": Peer(
        lambda model, file: file.write_bytes(FERNET.encrypt(pickle.dumps(model, 5))),
        lambda file: pickle.loads(FERNET.decrypt(file.read_bytes())),
    ),
    "pyrage(pickle)": Peer(age_dump, age_load, "pyrage"),
    "cryptotensors, signed": Peer(tensors_dump, tensors_load, "cryptotensors"),
}
SIGNED = {"key": KEYS, "sign_with": AUTHOR}


def dumping(build: Callable[[], Any], peer: str, **ours: Any) -> Race:
    """Dump a model; the limit is pickle, which writes the same bytes in clear."""
    model, other = build(), PEERS[peer]
    return Race(
        ours=Contestant(lambda: dump(model, path("sealed"), **(ours or {"key": KEYS}))),
        peer=Contestant(lambda: other.dump(model, path(f"peer {peer}"))),
        floor=Contestant(lambda: pickle_dump(model, path("floor"))),
    )


def loading(build: Callable[[], Any], peer: str, **ours: Any) -> Race:
    """Load what was dumped before."""
    race, other = dumping(build, peer, **ours), PEERS[peer]
    for contestant in (race.ours, race.peer, race.floor):
        if contestant is not None:
            contestant.run()
    trusted = {"trusted_signers": [AUTHOR.signer]} if ours else {}
    return Race(
        ours=Contestant(lambda: load(path("sealed"), key=KEYS, **trusted)),
        peer=Contestant(lambda: other.load(path(f"peer {peer}"))),
        floor=Contestant(lambda: pickle_load(path("floor"))),
    )


def in_memory(verb: str, origin: str) -> Race:
    """Dump or load the array of 500 MB on a file system in memory, by one key, by two secrets, or signed."""
    # What Argon2id costs is chosen, and the same for any size: these rows leave it out.
    passphrases._PASSES, passphrases._MEMORY_KIB = 1, 64  # noqa: SLF001 - no one sets it but for this
    ways: dict[str, Any] = {"sole": {}, "shared": {"passphrase": "an example"}, "signed": {"sign_with": AUTHOR}}[origin]
    trusted: dict[str, Any] = {"trusted_signers": [AUTHOR.signer]} if origin == "signed" else {}
    model, folder = neighbours(), memory_folder()
    ours, floor = folder / f"{verb} {origin}", folder / f"{verb} {origin} floor"
    writing = Contestant(lambda: dump(model, ours, key=KEYS, **ways)), Contestant(lambda: pickle_dump(model, floor))
    if verb == "dump":
        return Race(ours=writing[0], floor=writing[1])
    for contestant in writing:
        contestant.run()
    return Race(ours=Contestant(lambda: load(ours, key=KEYS, **trusted)), floor=Contestant(lambda: pickle_load(floor)))


@functools.cache
def memory_folder() -> Path:
    made = tempfile.TemporaryDirectory(prefix="modelpriv-benchmark-", dir=SHARED_MEMORY)
    atexit.register(made.cleanup)
    return Path(made.name)


def signing() -> Race:
    """Dump with a signature; the limit is the same without."""
    model = neighbours()
    return Race(
        ours=Contestant(lambda: dump(model, path("sealed"), **SIGNED)),
        floor=Contestant(lambda: dump(model, path("floor"), key=KEYS)),
    )


def small() -> Race:
    """A logistic regression for one recipient, signed: dumped and loaded."""
    model, recipients, signers = logistic(), [PARTNER.recipient], [AUTHOR.signer]
    files = [path(f"small {number}") for number in range(2)]

    def ours() -> object:
        dump(model, files[0], recipients=recipients, sign_with=AUTHOR)
        return load(files[0], identity=PARTNER, trusted_signers=signers)

    def floor() -> object:
        pickle_dump(model, files[1])
        return pickle_load(files[1])

    return Race(ours=Contestant(ours), floor=Contestant(floor))


def rewrapping() -> Race:
    """Add a key to a file of 500 MB and take it out again: two changes of the envelope, in place and synced."""
    dump(neighbours(), path("sealed"), key=KEYS, passphrase="an example")
    other = Keyring.generate()

    def ours() -> None:
        rewrap(path("sealed"), key=KEYS, add=other)
        rewrap(path("sealed"), key=KEYS, remove=other.primary)

    def floor() -> None:
        with path("floor").open("wb", buffering=0) as file:
            for _ in range(2):
                file.write(bytes(4096))
                os.fsync(file.fileno())

    return Race(ours=Contestant(ours, units=2), floor=Contestant(floor, units=2))


def predicting() -> Race:
    """One row through the wrapper, and through the bare estimator."""
    model = logistic()
    wrapped = EncryptedEstimator(model, key=KEYS)
    calls, row = 1000, np.zeros((1, 10))
    return Race(
        ours=Contestant(lambda: [wrapped.predict(row) for _ in range(calls)], units=calls),
        floor=Contestant(lambda: [model.predict(row) for _ in range(calls)], units=calls),
    )


def rows() -> list[Row]:
    """One row for each model, direction and peer that is installed; the slow ones run once."""
    found = []
    slow = {"Fernet(pickle)", "skops, in clear", "pyrage(pickle)"}
    for what, build in (("a forest of 300 trees", forest), ("k-NN, one array of 500 MB", neighbours)):
        for peer, it in PEERS.items():
            if it.needs and importlib.util.find_spec(it.needs) is None:
                continue
            if peer.startswith("cryptotensors") and build is forest:
                continue  # it writes arrays, not estimators
            ours = SIGNED if peer.startswith("cryptotensors") else {}
            for verb, race in (("dump", dumping), ("load", loading)):
                work = f"{verb} {what}" + (", signed" if ours else "")
                prepare = functools.partial(race, build, peer, **ours)
                rounds = 1 if peer in slow else 7
                found.append(Row(work, prepare, peer=peer, floor="pickle, in clear", unit="file", rounds=rounds))
    return found


def memory_rows() -> list[Row]:
    """One row for each origin and direction, where there is a file system in memory."""
    return [
        Row(
            f"{verb} k-NN, one array of 500 MB, origin {origin}, in memory",
            functools.partial(in_memory, verb, origin),
            floor="pickle, in clear",
            unit="file",
            rounds=9,
        )
        for origin in ("sole", "shared", "signed")
        for verb in ("dump", "load")
        if SHARED_MEMORY.is_dir()
    ]


ROWS = (
    *rows(),
    *memory_rows(),
    Row("sign k-NN, one array of 500 MB", signing, floor="dump without a signature", unit="file", rounds=7),
    Row(
        "dump and load a logistic regression, one recipient, signed",
        small,
        floor="pickle, in clear",
        unit="file",
        rounds=30,
    ),
    Row("rewrap a file of 500 MB", rewrapping, floor="one write of a slot, synced", unit="rewrap", rounds=10),
    Row("predict one row through the wrapper", predicting, floor="the bare estimator", unit="call"),
)
