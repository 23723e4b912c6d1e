"""Pseudonymizer: which values get which pseudonyms, in which form, and how many collisions are too many."""

import datetime as dt
import pickle
import re
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fixed_keys import KEYS
from numeric_twin import sklearn_checks

from modelpriv import Keyring, Pseudonymizer
from modelpriv.errors import InputError, KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.kernels.aes.siv import prf
from modelpriv.testing import check_privacy_transformer

FORMS = [{}, {"kind": "uuid"}, {"kind": "int64"}, {"length": 12, "alphabet": "0123456789", "prefix": "P-"}]


def pseudonyms(cells, **more):
    """Replace one column named `x` and give its new cells as a list."""
    return Pseudonymizer(**({"key": KEYS} | more)).fit_transform(pd.DataFrame({"x": cells}))["x"].tolist()


@sklearn_checks(Pseudonymizer, key=KEYS, context="x")
def test_scikit_learn_checks(estimator, check):
    """Every check of scikit-learn's passes."""
    check(estimator)


@pytest.mark.parametrize("more", FORMS, ids=str)
def test_contract(more):
    """The contract of a privacy transformer holds in every form, on every kind of table."""
    check_privacy_transformer(Pseudonymizer(key=KEYS, **more))


def test_the_pseudonym_is_the_documented_one():
    """A pseudonym is the PRF of the typed cell under the context's key, and UUID and integer are forms of the same."""
    key = KEYS.working_key("pseudonym", context="x", length=64)
    tag = bytes(prf(key, pa.array([b"Ada"]), [b"\x01"])[0])
    (identifier,) = pseudonyms(["Ada"], kind="uuid")
    assert uuid.UUID(identifier).version == 8
    assert uuid.UUID(identifier).bytes[:6] == tag[:6]
    assert pseudonyms(["Ada"], kind="int64") == [int.from_bytes(tag[:8], "little") >> 1]


@pytest.mark.parametrize("more", FORMS, ids=str)
def test_equal_values_have_equal_pseudonyms(more):
    """The same value has the same pseudonym in another row, another table and another kind of table."""
    step = Pseudonymizer(key=KEYS, **more)
    first = step.fit_transform(pd.DataFrame({"x": ["Ada", "Alan", "Ada"]}))["x"].tolist()
    second = step.fit_transform(pl.DataFrame({"x": ["Alan", "Ada"]}))["x"].to_list()
    assert first == [second[1], second[0], second[1]]
    assert second[0] != second[1]


def test_exactly_the_joins_that_there_were():
    """Two tables of generated people, some of them spelled alike, join on exactly the rows on which they joined."""
    rng = np.random.default_rng(0)
    names = [f"{first} {last}" for first in range(60) for last in range(60)]
    tables = [pd.DataFrame({"name": rng.choice(names, 2000), "row": range(2000)}) for _ in range(2)]
    hidden = [Pseudonymizer(columns=["name"], key=KEYS).fit_transform(table) for table in tables]
    rows = [
        set(map(tuple, one.merge(two, on="name")[["row_x", "row_y"]].to_numpy().tolist()))
        for one, two in (tables, hidden)
    ]
    assert rows[0] == rows[1]


def test_the_key_and_the_context_decide():
    """Another key, and another context, give other pseudonyms; columns of one context agree."""
    assert pseudonyms(["Ada"]) != pseudonyms(["Ada"], key=Keyring.generate())
    assert pseudonyms(["Ada"]) != pseudonyms(["Ada"], context="people.x")
    frame = pd.DataFrame({"y": ["Ada"]})
    assert Pseudonymizer(key=KEYS, context="x").fit_transform(frame)["y"].tolist() == pseudonyms(["Ada"])


def test_an_older_key_stays_pinned():
    """A fitted object goes on with its key when the keyring is rotated, and wants it when it is gone."""
    frame = pd.DataFrame({"x": ["Ada"]})
    step = Pseudonymizer(key=KEYS).fit(frame)
    before = step.transform(frame)
    assert step.set_params(key=KEYS.rotate()).transform(frame).equals(before)
    with pytest.raises(KeyUnavailableError, match=KEYS.primary):
        step.set_params(key=Keyring.generate()).transform(frame)


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(["a", "b"], dtype="category"),
        pd.Series([1, 2]),
        pd.Series([1.5, np.nan]),
        pd.Series([True, False]),
        pd.Series([dt.date(2000, 1, 1), None], dtype=object),
        pd.to_datetime(pd.Series(["2000-01-01", None])),
        pd.Series([Decimal("1.5"), None], dtype=object),
        pd.Series([b"a", None], dtype=object),
        pd.Series([None, None], dtype=object),
        pd.Series([None, None], dtype=pd.ArrowDtype(pa.null())),
    ],
    ids=lambda cells: str(cells.dtype),
)
@pytest.mark.parametrize("more", FORMS, ids=str)
def test_every_type_of_cell(cells, more):
    """Cells of every type get pseudonyms, and their nulls stay."""
    out = Pseudonymizer(key=KEYS, **more).fit_transform(pd.DataFrame({"x": cells}))["x"]
    assert out.isna().tolist() == cells.isna().tolist()
    assert out.nunique() == cells.nunique()


def test_another_type_than_at_fit_is_refused():
    """A column whose type has changed since fit is refused: its equal values would get other pseudonyms."""
    step = Pseudonymizer(key=KEYS).fit(pd.DataFrame({"x": [1, 2]}))
    with pytest.raises(InputError, match="'x' held int at fit and now holds text"):
        step.transform(pd.DataFrame({"x": ["1", "2"]}))


def test_text_has_the_form_that_was_asked_for():
    """Text has its prefix, its length and no character outside its alphabet."""
    (text,) = pseudonyms(["Ada"], length=9, alphabet="ACGT", prefix="dna:")
    assert text.startswith("dna:")
    assert len(text) == 13
    assert set(text[4:]) <= set("ACGT")


def test_nulls_can_have_a_pseudonym():
    """With null='protect' all nulls get one pseudonym, as if null were a value."""
    out = pseudonyms([None, "Ada", None], null="protect")
    assert out[0] == out[2] != out[1]


@pytest.mark.parametrize(
    ("more", "pairs", "enough"),
    [
        ({"length": 3}, "1.91", 5),
        ({"length": 4}, "0.0298", 5),
        ({"length": 6, "alphabet": "0123456789"}, "0.5", 9),
        ({"length": 2, "alphabet": "01"}, "1.25e+05", 29),
    ],
)
def test_collisions_are_refused_in_numbers(more, pairs, enough):
    """A form in which values probably collide is refused at fit, with numbers and the length that is enough."""
    frame = pd.DataFrame({"x": [f"value {number}" for number in range(1000)] * 2})
    words = rf"'x' has 1,000 different values.* about {re.escape(pairs)} pairs .* length={enough} or more"
    with pytest.raises(ParameterError, match=words):
        Pseudonymizer(key=KEYS, **more).fit(frame)
    with pytest.raises(ParameterError, match=words.replace(re.escape(pairs), ".*")):
        Pseudonymizer(key=KEYS, **(more | {"length": enough - 1})).fit(frame)
    Pseudonymizer(key=KEYS, **(more | {"length": enough})).fit(frame)


def test_few_values_may_be_short():
    """What counts are the different values, and not the rows or the nulls."""
    assert len(pseudonyms([*["Ada"] * 5000, None], length=1)) == 5001


def test_nothing_of_the_originals_is_kept():
    """No original is in the pickle of a fitted object, and the object works on from the pickle."""
    frame = pd.DataFrame({"x": pd.Series(["original 1", "original 2"], dtype="category")})
    step = Pseudonymizer(key=KEYS).fit(frame)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        kept = pickle.dumps(step, protocol)
        assert b"original" not in kept
        assert pickle.loads(kept).transform(frame).equals(step.transform(frame))


def test_there_is_no_way_back():
    """Pseudonymizer has no inverse_transform."""
    assert not hasattr(Pseudonymizer(key=KEYS), "inverse_transform")


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"key": None}, ParameterError, "key"),
        ({"kind": "hex"}, ParameterError, "kind must be one of 'text', 'uuid', 'int64', got 'hex'"),
        ({"length": 0}, ParameterError, "length must be a whole number of at least 1, got 0"),
        ({"length": 23}, ParameterError, "length must be between 1 and 22"),
        ({"length": 40, "alphabet": "0123456789"}, ParameterError, "length must be between 1 and 39"),
        ({"length": True}, ParameterTypeError, "length must be a whole number of at least 1, got bool"),
        ({"length": 9.0}, ParameterTypeError, "length must be a whole number of at least 1, got float"),
        ({"alphabet": "a"}, ParameterError, "alphabet must have at least two characters"),
        ({"alphabet": "aba"}, ParameterError, "alphabet must have at least two characters, each of them once"),
        ({"alphabet": ""}, ParameterError, "alphabet must have at least two characters"),
        ({"alphabet": "äb"}, ParameterError, "alphabet must consist of printable ASCII"),
        ({"alphabet": "a\n"}, ParameterError, "alphabet must consist of printable ASCII"),
        ({"alphabet": ["a", "b"]}, ParameterTypeError, "alphabet must be a text or None, got list"),
        ({"prefix": None}, ParameterTypeError, "prefix must be a text, got None"),
        ({"prefix": "Ü"}, ParameterError, "prefix must consist of printable ASCII"),
        ({"kind": "uuid", "prefix": "P"}, ParameterError, "prefix works only with kind='text'"),
        ({"kind": "int64", "length": 9}, ParameterError, "length works only with kind='text'"),
        ({"kind": "uuid", "alphabet": "ab"}, ParameterError, "alphabet works only with kind='text'"),
        ({"null": "drop"}, ParameterError, "null must be one of 'keep', 'protect', 'raise'"),
        ({"context": ""}, ParameterError, "context must be .*, got an empty one"),
    ],
    ids=str,
)
def test_parameters_are_checked_at_fit(more, error, words):
    """A parameter, or a combination, without meaning is refused by fit in clear words, and by nothing before."""
    step = Pseudonymizer(**({"key": KEYS} | more))
    with pytest.raises(error, match=words):
        step.fit(pd.DataFrame({"x": ["Ada"]}))


@pytest.mark.parametrize(
    "parameters",
    [{}, {"alphabet": "ab-+=@", "prefix": "p"}, {"kind": "uuid"}, {"length": 21}, {"prefix": "A-"}],
    ids=str,
)
def test_no_pseudonym_is_a_formula(parameters):
    """No pseudonym begins with a character that a spreadsheet takes for the begin of a formula."""
    table = pd.DataFrame({"x": range(2000)})
    written = Pseudonymizer(**({"key": KEYS} | parameters)).fit_transform(table)["x"]
    assert not written.str.startswith(("-", "=", "+", "@")).any()


@pytest.mark.parametrize("character", list("-=+@"))
def test_what_could_begin_a_formula_is_refused(character):
    """An alphabet or a prefix that could make a formula is refused, with the way out."""
    table = pd.DataFrame({"x": ["a"]})
    for parameters in ({"prefix": character}, {"alphabet": "0123456789" + character}):
        with pytest.raises(ParameterError, match=r"formula\. Let prefix begin with a letter"):
            Pseudonymizer(key=KEYS, **parameters).fit(table)
    Pseudonymizer(key=KEYS, alphabet="0123456789abcdef" + character, prefix="P").fit(table)
