"""Replacer, Pseudonymizer and KeyedProjection against the dict, the Faker, the HMAC and the PCA they stand for."""

import hashlib
import hmac
import importlib.util

import numpy as np
import pandas as pd
import pyarrow as pa
from faker import Faker
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA

from benchmarks.harness import Contestant, Race, Row
from modelpriv import KeyedProjection, Keyring, Pseudonymizer, Replacer

CELLS, DIFFERENT, POOL = 1_000_000, 100_000, 10_000
FEW = 2_000  # different values for a peer that asks Faker for each of them
ROWS_AND_COLUMNS = (1_000_000, 50)
UNIQUE = [f"Fake {number}" for number in range(DIFFERENT)]
KEYS = Keyring.generate()


def names(cells: int = CELLS, different: int = DIFFERENT) -> pd.DataFrame:
    """A column of names, 12 to 24 characters long, each of which occurs ten times."""
    known = np.array([f"Person {number:0{5 + number % 13}}" for number in range(different)], dtype=object)
    return pd.DataFrame({"name": pd.Series(np.random.default_rng(0).choice(known, cells)).astype("str")})


def choose(**more: object) -> Race:
    """Fakes for a million names out of a pool that is there, against a dict of fakes that was made before."""
    table = names()
    step = Replacer("name", key=KEYS, **more).fit(table)
    places = np.random.default_rng(1).integers(0, POOL, CELLS)
    fakes = pa.array([f"Fake {number}" for number in range(POOL)], pa.large_string())
    chosen = dict(zip(table["name"].unique(), fakes.to_pylist() * (DIFFERENT // POOL), strict=False))
    return Race(
        ours=Contestant(lambda: step.transform(table), units=CELLS),
        peer=Contestant(lambda: table.assign(name=table["name"].map(chosen)), units=CELLS),
        floor=Contestant(lambda: fakes.take(pa.array(places)), units=CELLS),
    )


def choose_against_rdt() -> Race:
    """The same against RDT, which fits and transforms; its table is smaller, as it asks Faker for each value."""
    from rdt.transformers.pii import PseudoAnonymizedFaker  # noqa: PLC0415 - a peer that need not be there

    table, small = names(), names(10 * FEW, FEW).astype(object)
    step = Replacer("name", key=KEYS).fit(table)

    def rdt() -> object:
        peer = PseudoAnonymizedFaker(provider_name="person", function_name="name")
        peer.fit(small, "name")
        return peer.transform(small)

    return Race(ours=Contestant(lambda: step.transform(table), units=CELLS), peer=Contestant(rdt, units=len(small)))


def make_pool() -> Race:
    """A fit that has to make its pool, against one call of Faker for each different value."""
    table, faker = names(), Faker("en_US")
    return Race(
        # A new key each time: a pool that was made before would be found again.
        ours=Contestant(lambda: Replacer("name", key=Keyring.generate()).fit(table), units=DIFFERENT),
        peer=Contestant(lambda: [faker.name() for _ in range(FEW)], units=FEW),
    )


def pseudonyms(kind: str) -> Race:
    """Pseudonyms of a million names, against the HMAC of each."""
    table, key = names(), bytes(32)
    step = Pseudonymizer(kind, key=KEYS).fit(table)
    some = table["name"][: CELLS // 10]

    def hmacs() -> object:
        return pd.Series([hmac.new(key, cell.encode(), hashlib.sha256).hexdigest() for cell in some])

    return Race(ours=Contestant(lambda: step.transform(table), units=CELLS), peer=Contestant(hmacs, units=len(some)))


def project() -> Race:
    """A rotation at full rank, against PCA at full rank; the limit is the product of the matrices alone."""
    table = np.random.default_rng(0).standard_normal(ROWS_AND_COLUMNS)
    sample = table[:10_000]
    ours, peer = KeyedProjection(key=KEYS).fit(sample), PCA().fit(sample)
    weights = np.ascontiguousarray(peer.components_.T)
    return Race(
        ours=Contestant(lambda: ours.transform(table), units=len(table)),
        peer=Contestant(lambda: peer.transform(table), units=len(table)),
        floor=Contestant(lambda: table @ weights, units=len(table)),
    )


def against_fewer(step: BaseEstimator) -> Race:
    """The cost of a cell of text in a column of ten million, compared with one of a hundred thousand."""
    table, small = names(10 * CELLS), names(CELLS // 10)
    step.fit(small)
    return Race(
        ours=Contestant(lambda: step.transform(table), units=len(table)),
        floor=Contestant(lambda: [step.transform(small) for _ in range(10)], units=10 * len(small)),
    )


def project_more() -> Race:
    """The cost of a row of five numbers in a table of ten million, compared with one of a hundred thousand."""
    table = np.random.default_rng(0).standard_normal((10 * CELLS, 5))
    small = table[: CELLS // 10].copy()
    step = KeyedProjection(key=KEYS).fit(small)
    return Race(
        ours=Contestant(lambda: step.transform(table), units=len(table)),
        floor=Contestant(lambda: [step.transform(small) for _ in range(10)], units=10 * len(small)),
    )


LONG = (
    ("names, warm pool", Replacer("name", key=KEYS)),
    ("pseudonyms, text", Pseudonymizer(key=KEYS)),
    ("pseudonyms, int64", Pseudonymizer("int64", key=KEYS)),
)
# RDT asks for an older pandas than ours, though it runs with this one: pip install --no-deps rdt
RDT = (Row("the same; RDT fits and transforms", choose_against_rdt, "RDT"),) if importlib.util.find_spec("rdt") else ()
ROWS = (
    Row("names, warm pool", choose, "dict and Series.map", "take by number"),
    *RDT,
    Row("names, unique", lambda: choose(unique=True, values=UNIQUE), "dict and Series.map", "take by number"),
    Row("fit, cold pool", make_pool, "Faker a value", unit="different value", rounds=3),
    Row("pseudonyms, text", lambda: pseudonyms("text"), "hmac SHA-256 a cell"),
    Row("pseudonyms, uuid", lambda: pseudonyms("uuid"), "hmac SHA-256 a cell"),
    Row("pseudonyms, int64", lambda: pseudonyms("int64"), "hmac SHA-256 a cell"),
    Row("projection, 50 columns", project, "PCA.transform", "matrix product", unit="row"),
    *(
        Row(
            f"{work}, 10 million cells",
            lambda step=step: against_fewer(step),
            floor="100 thousand",
            rounds=3,
        )
        for work, step in LONG
    ),
    Row("projection, 10 million rows", project_more, floor="100 thousand", unit="row", rounds=3),
)
