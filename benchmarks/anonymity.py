"""KAnonymizer and the measures of k, l and t against packages that do the same, on tables like a census.

ADULT_CSV may name ARX's ``adult.csv``, and ``adult_hierarchy_<column>.csv`` lie next to it; else a table of the same
shape is made. anonypyx, anjana and pycanon work with a pandas before 3 only: to race them, install them with it.
"""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.harness import Contestant, Race, Row
from modelpriv import KAnonymizer
from modelpriv.evidence import k_of, l_of, t_of

ADULT, MILLION = 30_162, 1_000_000
COUNTS = {"sex": 2, "race": 5, "marital": 7, "education": 16, "country": 41, "work": 7, "job": 14}
K = 10


def census(rows: int, seed: int = 0) -> pd.DataFrame:
    """A table like a census: ages, and categories where a few values are frequent and most are rare."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {"age": np.clip(rng.gamma(7, 5.5, rows), 17, 90).astype(int)}
    for name, count in COUNTS.items():
        share = 1 / np.arange(1, count + 1) ** 1.2
        drawn = rng.choice(count, rows, p=share / share.sum())
        columns[name] = np.array([f"{name} {number}" for number in range(count)])[drawn]
    columns["income"] = np.array(["low", "high"])[(rng.random(rows) < 0.25).astype(int)]
    return pd.DataFrame(columns)


def adult() -> tuple[pd.DataFrame, list[str], str]:
    """ARX's Adult or a table of its shape, its quasi-identifiers, and its sensitive column."""
    path = Path(os.environ.get("ADULT_CSV", ""))
    table = pd.read_csv(path, sep=";") if path.is_file() else census(ADULT)
    return table, list(table.columns[:8]), str(table.columns[8])


def hierarchies(table: pd.DataFrame, quasi: list[str]) -> dict[str, pd.DataFrame]:
    """ARX's hierarchies where there are any; else ages by decades, and halves of the other columns."""
    folder, found = Path(os.environ.get("ADULT_CSV", "")).parent, {}
    for name in quasi:
        path = folder / f"adult_hierarchy_{name}.csv"
        if path.is_file():
            found[name] = pd.read_csv(path, sep=";", header=None, dtype=str)
            continue
        values = sorted(table[name].unique())
        above = [f"{value // 10}0s" if name == "age" else f"half {i % 2}" for i, value in enumerate(values)]
        found[name] = pd.DataFrame({0: list(map(str, values)), 1: above, 2: "*"})
    return found


def numbers(rows: int) -> pd.DataFrame:
    """Six columns of many different values."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({f"x{place}": rng.standard_normal(rows) for place in range(6)})


def coded(rows: int) -> tuple[pd.DataFrame, list[str], str]:
    """Six quasi-identifiers whose values several rows share, and a sensitive column."""
    table = census(rows)
    return table, ["age", "sex", "race", "marital", "education", "work"], "job"


def mondrian_on_adult() -> Race:
    """Mondrian, against Mondrian in Python's loops."""
    table, quasi, sensitive = adult()
    return Race(
        ours=Contestant(lambda: KAnonymizer(k=K, quasi=quasi).fit_transform(table)),
        peer=Contestant(lambda: anonypyx_mondrian(table, quasi, sensitive)) if has("anonypyx") else None,
    )


def anonypyx_mondrian(table: pd.DataFrame, quasi: list[str], sensitive: str) -> object:
    import anonypyx  # noqa: PLC0415 - a peer that need not be there

    typed = table.copy()
    for name in quasi:
        if not pd.api.types.is_numeric_dtype(typed[name]):
            typed[name] = typed[name].astype(object).astype("category")
    return anonypyx.Anonymiser(
        typed,
        k=K,
        algorithm="Mondrian",
        feature_columns=quasi,
        sensitive_column=sensitive,
        generalisation_strategy="human-readable",
    ).anonymise()


def full_domain_on_adult() -> Race:
    """The best levels of the hierarchies, against a greedy search."""
    table, quasi, _ = adult()
    known = hierarchies(table, quasi)
    step = KAnonymizer(k=5, quasi=quasi, hierarchies=known, method="full-domain", suppress=0.05)
    return Race(
        ours=Contestant(lambda: step.fit_transform(table)),
        peer=Contestant(lambda: anjana_levels(table, quasi, known)) if has("anjana") else None,
    )


def anjana_levels(table: pd.DataFrame, quasi: list[str], known: dict[str, pd.DataFrame]) -> object:
    from anjana.anonymity import k_anonymity  # noqa: PLC0415 - a peer that need not be there

    levels = {
        name: {level: one[level].to_numpy(object) for level in one.columns[1:]}
        | {0: one[0].astype(table[name].dtype).to_numpy(object)}
        for name, one in known.items()
    }
    return k_anonymity(table[quasi].astype(object), [], quasi, 5, 5, levels)


def mondrian_on_numbers(rows: int) -> Race:
    """Mondrian on many rows, compared with the sort that any method needs."""
    table = numbers(rows)
    return Race(
        ours=Contestant(lambda: KAnonymizer(k=K, output="mean").fit_transform(table)),
        floor=Contestant(lambda: np.lexsort([table[name].to_numpy() for name in table])),
    )


def mondrian_on_more_numbers() -> Race:
    """The cost of a row in a long table, compared with a table a tenth as long."""
    table, tenth = numbers(10 * MILLION), numbers(MILLION)
    step = KAnonymizer(k=K, output="mean")
    return Race(
        ours=Contestant(lambda: step.fit_transform(table), units=10 * MILLION),
        floor=Contestant(lambda: step.fit_transform(tenth), units=MILLION),
    )


def measure(ours: Callable[..., object], peer: str) -> Race:
    """A measure on a million rows, against pycanon on ten thousand."""
    table, quasi, sensitive = coded(MILLION)
    few, args = table[: MILLION // 100].astype({name: object for name in table if name != "age"}), ()
    if peer != "k_anonymity":
        args = ([sensitive],)

    def run() -> object:
        from pycanon import anonymity  # noqa: PLC0415 - a peer that need not be there

        return getattr(anonymity, peer)(few, quasi, *args)

    own = (lambda: ours(table, quasi)) if not args else (lambda: ours(table, quasi, sensitive))
    return Race(
        ours=Contestant(own, units=MILLION),
        peer=Contestant(run, units=len(few)) if has("pycanon") else None,
    )


def has(package: str) -> bool:
    """Whether a peer is installed, with a pandas that it works with."""
    return importlib.util.find_spec(package) is not None and pd.__version__ < "3"


ROWS = (
    Row("Mondrian, 30,162 x 8, k=10", mondrian_on_adult, "anonypyx", unit="table", rounds=1),
    Row("full domain, 30,162 x 8, k=5", full_domain_on_adult, "anjana", unit="table", rounds=3),
    Row("Mondrian, 1 million x 6", lambda: mondrian_on_numbers(MILLION), floor="np.lexsort", unit="table", rounds=3),
    Row("Mondrian, 10 million x 6", mondrian_on_more_numbers, floor="1 million", unit="row", rounds=1),
    Row("k of 1 million x 6", lambda: measure(k_of, "k_anonymity"), "pycanon", unit="row", rounds=3),
    Row("l of 1 million x 6", lambda: measure(l_of, "l_diversity"), "pycanon", unit="row", rounds=3),
    Row("t of 1 million x 6", lambda: measure(t_of, "t_closeness"), "pycanon", unit="row", rounds=3),
)
