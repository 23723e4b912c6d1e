"""Deidentifier on a table of people, against its own parts called alone and pandas functions that do the same job."""

import string
import time

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer

from benchmarks.harness import Contestant, Race, Row
from modelpriv import Deidentifier, FieldEncryptor, Generalizer, Keyring, Masker, Pseudonymizer

ROWS_OF_PEOPLE = 1_000_000
KEYS = Keyring.generate()


def people(rows: int = ROWS_OF_PEOPLE) -> pd.DataFrame:
    """A table of 20 columns: 8 that say who someone is, 12 that measure."""
    rng = np.random.default_rng(0)

    def texts(pattern: str, different: int) -> pd.Series:
        digits, letters = list(string.digits), list(string.ascii_lowercase)
        made = [
            "".join(rng.choice(digits if c == "9" else letters) if c in "9x" else c for c in pattern)
            for _ in range(different)
        ]
        return pd.Series(rng.choice(np.array(made, object), rows)).astype("str")

    table = pd.DataFrame(
        {
            "id": np.char.add("P-", np.arange(rows).astype(str)),
            "name": texts("Xxxxxx Xxxxxxxx", 20_000),
            "email": texts("xxxxxx@xxxxxxx.org", 20_000),
            "phone": texts("+1 999-555-9999", 20_000),
            "card": texts("9999 9999 9999 9999", 20_000),
            "postcode": texts("99999", 20_000),
            "birth": pd.Series(np.datetime64("1930-01-01") + rng.integers(0, 30_000, rows)),
            "age": rng.integers(0, 100, rows),
        }
    ).astype({"id": "str"})
    return table.assign(**{f"measure {number}": rng.normal(size=rows) for number in range(12)})


def rules() -> dict[str, object]:
    """A rule for each column."""
    return {
        "id": Pseudonymizer(),
        "name": Masker("name"),
        "email": FieldEncryptor(),
        "phone": Masker("phone"),
        "card": Masker("card"),
        "postcode": FieldEncryptor("deterministic"),
        "birth": Generalizer("year"),
        "age": Generalizer("interval", width=10),
    } | {f"measure {number}": "keep" for number in range(12)}


def alone_on(name: str, step: object) -> object:
    """The same transformer for one column."""
    given = step.get_params(deep=False) | {"columns": [name]}
    return type(step)(**given | ({"key": KEYS} if hasattr(step, "key") else {}))


def parts() -> Race:
    """The whole against the sum of its parts."""
    table = people()
    whole = Deidentifier(rules(), key=KEYS).fit(table)
    alone = [(alone_on(name, step), name) for name, step in rules().items() if not isinstance(step, str)]
    fitted = [(step.fit(table[[name]]), table[[name]]) for step, name in alone]
    return Race(
        Contestant(lambda: whole.transform(table), ROWS_OF_PEOPLE),
        Contestant(lambda: [step.transform(column) for step, column in fitted], ROWS_OF_PEOPLE),
    )


def grouped(column: pd.Series) -> pd.Series:
    return pd.cut(column, range(0, 101, 10), right=False).astype("str")


def functions() -> Race:
    """Masks, years and groups only, which pandas has functions for."""
    table = people()
    chosen = {name: rule for name, rule in rules().items() if not isinstance(rule, FieldEncryptor | Pseudonymizer)}
    ours = Deidentifier(chosen | dict.fromkeys(["id", "email", "postcode"], "drop")).fit(table)

    def shaped(function: object) -> FunctionTransformer:
        return FunctionTransformer(function, feature_names_out="one-to-one")

    def each(pattern: str, replacement: str) -> FunctionTransformer:
        return shaped(lambda X: X.apply(lambda column: column.str.replace(pattern, replacement, regex=True)))

    peer = ColumnTransformer(
        [
            ("name", each(r"(?<=\w)\w", "*"), ["name"]),
            ("phone", each(r"\d(?=(?:\D*\d){4})", "*"), ["phone"]),
            (
                "card",
                each(r"(?<=\d{4} \d{2})\d(?=(?:\D*\d){4})|(?<=\d{4} \d{3})\d|\d(?=\d{0,3} \d{4}$)", "*"),
                ["card"],
            ),
            ("birth", shaped(lambda X: X.apply(lambda one: one.dt.year.astype("str"))), ["birth"]),
            ("age", shaped(lambda X: X.apply(grouped)), ["age"]),
            ("drop", "drop", ["id", "email", "postcode"]),
        ],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    peer.fit(table.head(1000))
    return Race(
        Contestant(lambda: ours.transform(table), ROWS_OF_PEOPLE),
        Contestant(lambda: peer.transform(table), ROWS_OF_PEOPLE),
    )


ROWS = (
    Row(
        "20 columns, 8 protected, transform",
        parts,
        peer="the same transformers, a column each",
        unit="row",
        clock=time.process_time,
    ),
    Row(
        "20 columns, 5 masked or coarse",
        functions,
        peer="ColumnTransformer of pandas functions",
        unit="row",
        rounds=3,
        clock=time.process_time,
    ),
)
