"""FieldEncryptor: what opens, what does not, what joins, and what is never seen."""

import base64
import copy
import itertools
import json
import pickle
import re
import subprocess
import sys
import traceback
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from fixed_keys import KEYS
from numeric_twin import sklearn_checks
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline

from modelpriv import FieldEncryptor, Keyring
from modelpriv.errors import DecryptionError, InputError, KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import Identity, Recipient
from modelpriv.keys.derivation import context_key, enc, working_key
from modelpriv.testing import check_privacy_transformer

MODES = ["randomized", "deterministic"]


@pytest.fixture
def people():
    return pd.DataFrame({"id": [7, 8, 9], "email": ["ada@example.org", None, "grace@example.org"], "age": [36, 85, 41]})


@sklearn_checks(FieldEncryptor, mode="deterministic", key=KEYS, context="x")
def test_scikit_learn_checks_deterministic(estimator, check):
    """Every check of scikit-learn's passes in deterministic mode."""
    check(estimator)


@sklearn_checks(FieldEncryptor, key=KEYS, context="x")
def test_scikit_learn_checks_randomized(estimator, check):
    """Every check of scikit-learn's passes in randomized mode, on what the tokens open to."""
    check(estimator)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("more", [{}, {"pad": 32}, {"bind": [0]}], ids=str)
def test_contract(mode, more):
    """The contract of a privacy transformer holds in every mode, on every kind of table."""
    check_privacy_transformer(FieldEncryptor(mode, key=KEYS, **more))


def test_token_is_the_documented_one(people):
    """A token opens with nothing but `cryptography`, by the documented format."""
    token = FieldEncryptor("deterministic", key=KEYS, columns=["email"]).fit_transform(people)["email"][0]
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    (secret,) = KEYS._keys.values()
    key = working_key(context_key(secret, "email"), "siv-deterministic", 64)
    assert raw[1:5].hex() == KEYS.primary
    assert AESSIV(key).decrypt(raw[5:], [raw[:5], b"email", b""]) == b"\x01ada@example.org"


def test_bound_token_is_the_documented_one(people):
    """A bound, randomized, padded token has the bind cells and the nonce as associated data, in that order."""
    step = FieldEncryptor(key=KEYS, columns=["email"], bind=["id", "age"], pad=16)
    token = step.fit_transform(people)["email"][0]
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    (secret,) = KEYS._keys.values()
    key = working_key(context_key(secret, "email"), "siv-randomized", 64)
    bound = enc("id", b"\x02" + (7).to_bytes(8, "big"), "age", b"\x02" + (36).to_bytes(8, "big"))
    plain = AESSIV(key).decrypt(raw[21:], [raw[:5], b"email", bound, raw[5:21]])
    assert plain == b"\x01ada@example.org\x80" + bytes(15)


def test_randomized_hides_equality(people):
    """Equal cells have different tokens in randomized mode, and every call gives new ones."""
    table = pd.DataFrame({"email": ["a@example.org"] * 50})
    step = FieldEncryptor(key=KEYS)
    assert len(set(step.fit_transform(table)["email"]) | set(step.transform(table)["email"])) == 100


def test_deterministic_tokens_join(people):
    """Two tables that share key, context and mode join on their tokens as they did on their values."""
    visits = pd.DataFrame({"id": [9, 7, 7, 1], "day": list("abcd")})
    one = FieldEncryptor("deterministic", columns=["id"], key=KEYS).fit_transform(people)
    two = FieldEncryptor("deterministic", columns=["id"], key=KEYS).fit_transform(pl.from_pandas(visits)).to_pandas()
    joined = one.merge(two, on="id")[["age", "day"]].sort_values("day").to_numpy().tolist()
    assert joined == people.merge(visits, on="id")[["age", "day"]].sort_values("day").to_numpy().tolist()


def test_integers_join_whatever_their_width():
    """An int32 joins an int64 on tokens, and a 5 does not join a "5"."""
    step = FieldEncryptor("deterministic", key=KEYS)
    tokens = [
        step.fit_transform(pd.DataFrame({"id": pd.Series([5], dtype=dtype)}))["id"][0]
        for dtype in ("int8", "int32", "int64", "uint64", "Int16", "object", "str")
    ]
    assert len(set(tokens[:-1])) == 1
    assert tokens[-1] != tokens[0]


def test_contexts_keep_apart(people):
    """Columns of different contexts share no token, and a dict gives each its own."""
    table = pd.DataFrame({"a": ["x"], "b": ["x"], "c": ["x"]})
    row = FieldEncryptor("deterministic", key=KEYS, context={"a": "people.a", "c": "people.a"}).fit_transform(table)
    assert row["a"][0] == row["c"][0] != row["b"][0]


@pytest.mark.parametrize("mode", MODES)
def test_nothing_but_its_own_place_opens_a_token(mode, people):
    """A token moved to another column, context, mode or keyring does not open."""
    token = FieldEncryptor(mode, key=KEYS, columns=["email"]).fit_transform(people)[["email"]]
    other = {"randomized": "deterministic", "deterministic": "randomized"}[mode]
    elsewhere = [
        FieldEncryptor(mode, key=KEYS, context="other"),
        FieldEncryptor(other, key=KEYS),
        FieldEncryptor(mode, key=Keyring.generate()),
        FieldEncryptor(mode, key=KEYS, columns=["email"], bind=["n"]),
    ]
    for step in elsewhere:
        with pytest.raises(DecryptionError, match="column 'email': 2 of 3 cells do not open"):
            step.inverse_transform(token.assign(n=[1, 2, 3]) if step.bind else token)
    with pytest.raises(DecryptionError, match="column 'phone'"):
        FieldEncryptor(mode, key=KEYS).inverse_transform(token.rename(columns={"email": "phone"}))


@pytest.mark.parametrize("mode", MODES)
def test_a_bound_token_opens_in_its_row_only(mode, people):
    """A token that is bound to a row's id does not open in another row, under another name, or without the id."""
    step = FieldEncryptor(mode, key=KEYS, columns=["email"], bind=["id"])
    tokens = step.fit_transform(people)
    assert step.inverse_transform(tokens).equals(people)
    moved = tokens.assign(email=tokens["email"].iloc[::-1].to_numpy())
    with pytest.raises(DecryptionError, match="2 of 3 cells do not open"):
        step.inverse_transform(moved)
    with pytest.raises(ParameterError, match="'id'"):
        step.inverse_transform(tokens[["email"]])


@pytest.mark.parametrize("mode", MODES)
def test_no_changed_character_opens(mode):
    """A token with any one character changed, dropped or doubled anywhere never opens."""
    token = FieldEncryptor(mode, key=KEYS).fit_transform(pd.DataFrame({"a": ["secret"]}))["a"][0]
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    altered = [
        token[:i] + letter + token[i + 1 :]
        for i, letter in itertools.product(range(len(token)), letters)
        if letter != token[i]
    ]
    altered += [token[:i] for i in range(len(token))] + [
        token[:i] + token[i:][:1] + token[i:] for i in range(len(token))
    ]
    altered += [token + "=", token + " ", " " + token, token + "\n", token + "A", "", "secret", "é" * 40]
    altered = [text for text in altered if text != token]
    step = FieldEncryptor(mode, key=KEYS, on_error="null")
    opened = step.inverse_transform(pd.DataFrame({"a": [*altered, token]}))["a"]
    assert opened.isna().tolist() == [True] * len(altered) + [False]


def test_errors_count_and_place_failures(people):
    """The error counts the bad cells by kind and names column and first rows, and holds no cell."""
    tokens = FieldEncryptor(key=KEYS).fit_transform(pd.DataFrame({"a": ["x"] * 12}))
    strange = FieldEncryptor(key=Keyring.generate()).fit_transform(pd.DataFrame({"a": ["x"]}))["a"][0]
    cells = tokens["a"].tolist()
    cells[1:8] = ["in clear"] * 7
    cells[9] = strange
    cells[10] = cells[10][:-2] + ("A" if cells[10][-2] != "A" else "B") + cells[10][-1]
    with pytest.raises(DecryptionError) as caught:
        FieldEncryptor(key=KEYS).inverse_transform(pd.DataFrame({"a": cells}))
    message = str(caught.value)
    assert "column 'a': 9 of 12 cells do not open: 7 not a token, or cut (rows 1, 2, 3, 4, 5, ...)" in message
    assert f"it holds {KEYS.primary}" in message
    assert "(row 9)" in message
    assert "(row 10)" in message
    assert "in clear" not in message
    assert caught.value.__cause__ is None


def test_failing_integers_become_nulls():
    """With on_error="null" a column of integers keeps those that open and takes a nullable dtype."""
    step = FieldEncryptor(key=KEYS, on_error="null")
    tokens = step.fit_transform(pd.DataFrame({"n": [1, 2, 3]}))
    tokens.loc[1, "n"] = "?"
    opened = step.inverse_transform(tokens)["n"]
    assert opened.tolist() == [1, pd.NA, 3]
    assert opened.dtype == "Int64"


def test_protected_nulls_show_neither_in_place_nor_length(people):
    """With null="protect" a null is a token as long as any other, and comes back as a null."""
    step = FieldEncryptor(key=KEYS, columns=["email"], null="protect", pad=32)
    tokens = step.fit_transform(people)
    assert len(set(tokens["email"].str.len())) == 1
    assert step.inverse_transform(tokens).equals(people)


@pytest.mark.parametrize("pad", [1, 7, 16, 64])
def test_padding_hides_lengths(pad):
    """Tokens of cells of up to pad - 2 bytes are of one length, and open exactly, whatever bytes the cells end with."""
    cells = ["", "\x80", "\x00", "\x80\x00\x00", "a" * max(pad - 2, 0)]
    step = FieldEncryptor("deterministic", key=KEYS, pad=pad)
    tokens = step.fit_transform(pd.DataFrame({"a": cells}))
    assert step.inverse_transform(tokens)["a"].tolist() == cells
    lengths = {len(token) for token, cell in zip(tokens["a"], cells, strict=True) if len(cell.encode()) <= pad - 2}
    assert len(lengths) <= 1


def test_whole_table_is_given_back_by_a_plain_pipeline(people):
    """A pipeline that encrypts columns bound to an id, and then the id, gives the whole table back."""
    pipeline = make_pipeline(
        FieldEncryptor(columns=["email", "age"], bind=["id"], key=KEYS),
        FieldEncryptor("deterministic", columns=["id"], key=KEYS),
    )
    released = pipeline.fit_transform(people)
    assert not set(released["id"]) & {7, 8, 9}
    assert pipeline.inverse_transform(released).equals(people)


def test_column_transformer_output_is_opened_by_name(people):
    """What a ColumnTransformer released is opened by name, in any order and any subset of columns."""
    step = FieldEncryptor(key=KEYS)
    protect = make_column_transformer(
        (step, ["email", "age"]), remainder="passthrough", verbose_feature_names_out=False
    )
    released = protect.set_output(transform="pandas").fit_transform(people)
    fitted = protect.named_transformers_["fieldencryptor"]
    assert fitted.inverse_transform(released[["age", "email"]]).equals(people[["age", "email"]])
    assert fitted.inverse_transform(released[["age"]]).equals(people[["age"]])


def test_prefixed_names_are_refused_with_a_hint(people):
    """Names that a ColumnTransformer put a prefix on are refused, and the error says how to leave it out."""
    step = FieldEncryptor(key=KEYS).fit(people[["email"]])
    with pytest.raises(InputError, match="verbose_feature_names_out=False"):
        step.inverse_transform(step.transform(people[["email"]]).add_prefix("fieldencryptor__"))


def test_tokens_open_without_the_fitted_object(tmp_path, people):
    """A Parquet file of tokens needs the key and nothing else, in another process too."""
    FieldEncryptor(key=KEYS, columns=["email", "age"]).fit_transform(people).to_parquet(tmp_path / "people.parquet")
    program = (
        "import pandas as pd; from modelpriv import FieldEncryptor\n"
        f"table = pd.read_parquet({str(tmp_path / 'people.parquet')!r})\n"
        "step = FieldEncryptor(columns=['age', 'email'], key='env:MODELPRIV_TEST_KEYS')\n"
        "print(step.inverse_transform(table).to_json(orient='split'))"
    )
    environment = {"MODELPRIV_TEST_KEYS": KEYS.export_secret(), "PATH": ""}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == people.to_json(orient="split")


def test_fit_pins_the_key(people):
    """After a rotation a fitted object goes on with the key it pinned, and a new fit moves to the new one."""
    step = FieldEncryptor("deterministic", key=KEYS, columns=["id"]).fit(people)
    before = step.transform(people)["id"][0]
    newer = KEYS.rotate()
    step.set_params(key=newer)
    assert step.key_id_ == KEYS.primary
    assert step.transform(people)["id"][0] == before
    assert step.inverse_transform(step.transform(people)).equals(people)
    assert step.fit(people).key_id_ == newer.primary
    assert step.transform(people)["id"][0] != before


def test_retired_key_is_named(people):
    """A fitted object whose key was retired says which key id it wants and which there are."""
    newer = KEYS.rotate()
    step = FieldEncryptor(key=KEYS, columns=["id"]).fit(people)
    tokens = step.transform(people)
    step.set_params(key=newer.retire(KEYS.primary))
    with pytest.raises(KeyUnavailableError, match=KEYS.primary):
        step.transform(people)
    with pytest.raises(DecryptionError, match=newer.primary):
        step.inverse_transform(tokens)


def test_a_pickle_is_locked_in_another_process(people):
    """Unpickled where the key is not, a fitted object says which key id it wants; with the key it opens its tokens."""
    step = FieldEncryptor(key=KEYS, columns=["email"]).fit(people)
    program = (
        "import os, pickle, sys; import pandas as pd; from modelpriv import Keyring\n"
        "step, tokens = pickle.load(sys.stdin.buffer)\n"
        "try: step.inverse_transform(tokens)\n"
        "except ValueError as error: print(error)\n"
        "step.set_params(key=Keyring.from_secret(os.environ['SECRET']))\n"
        "print(step.inverse_transform(tokens).to_json())"
    )
    data = pickle.dumps((step, step.transform(people)))
    environment = {"SECRET": KEYS.export_secret(), "PATH": ""}
    run = subprocess.run([sys.executable, "-c", program], input=data, env=environment, capture_output=True, check=True)
    refusal, opened = run.stdout.decode().splitlines()
    assert KEYS.primary in refusal
    assert opened == people.to_json()


def test_fitted_objects_hold_no_value():
    """Neither cells nor categories stand in a fitted object, however it is written or printed."""
    table = pd.DataFrame({"a": pd.Categorical(["cAnArY one", "cAnArY two"], categories=["cAnArY two", "cAnArY one"])})
    for mode in MODES:
        step = FieldEncryptor(mode, key=KEYS).fit(table)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert b"cAnArY" not in pickle.dumps(step, protocol)
        assert "cAnArY" not in repr(vars(step))
        tokens = copy.deepcopy(step).transform(table)
        pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(step)).inverse_transform(tokens), table)


def test_transform_takes_any_width_of_the_fitted_type():
    """A column may come in another width or dtype of the type that was fitted, and goes back to the fitted dtype."""
    step = FieldEncryptor("deterministic", key=KEYS).fit(pd.DataFrame({"n": pd.Series([1], dtype="int16")}))
    tokens = step.transform(pd.DataFrame({"n": pd.array([1, None], dtype="Int64")}))
    assert step.inverse_transform(tokens[:1])["n"].dtype == "int16"
    with pytest.raises(InputError, match="held int at fit and now holds text"):
        step.transform(pd.DataFrame({"n": ["1"]}))


def test_too_large_a_value_is_not_cut():
    """A value that the fitted dtype cannot hold is refused, not cut, and not shown."""
    step = FieldEncryptor(key=KEYS).fit(pd.DataFrame({"n": pd.Series([1], dtype="int8")}))
    tokens = step.transform(pd.DataFrame({"n": [123456]}))
    with pytest.raises(InputError, match="does not fit int8") as caught:
        step.inverse_transform(tokens)
    assert "123456" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"key": None}, ParameterError, "key"),
        ({"key": 5}, ParameterTypeError, "key"),
        ({"mode": "ecb"}, ParameterError, "mode must be one of 'randomized', 'deterministic', 'format-preserving'"),
        ({"null": "drop"}, ParameterError, "null must be one of"),
        ({"on_error": "ignore"}, ParameterError, "on_error must be one of"),
        ({"null": "protect"}, ParameterError, "needs pad="),
        ({"pad": 0}, ParameterError, "pad must be a whole number of at least 1 or None, got 0"),
        ({"pad": 1.5}, ParameterTypeError, "pad must be a whole number of at least 1 or None, got float"),
        ({"pad": True}, ParameterTypeError, "got bool"),
        ({"context": ""}, ParameterError, "context must be .*, got an empty one"),
        ({"context": 5}, ParameterTypeError, "context must be"),
        ({"context": {"email": 5}}, ParameterTypeError, "'email'"),
        ({"columns": []}, ParameterError, "columns is empty"),
        ({"columns": "email"}, ParameterTypeError, "columns=\\['email'\\]"),
        ({"columns": ["emial"]}, ParameterError, "'emial'"),
        ({"columns": ["email", 1]}, ParameterError, "twice"),
        ({"bind": "id"}, ParameterTypeError, "bind must be a list"),
        ({"bind": {"id"}}, ParameterTypeError, "got set"),
        ({"bind": iter(["id"])}, ParameterTypeError, "got list_iterator"),
        ({"bind": ["id"]}, ParameterError, "columns=None protects every column"),
        ({"bind": ["id"], "columns": ["id"]}, ParameterError, "columns and bind both name 'id'"),
        ({"bind": ["no"], "columns": ["id"]}, ParameterError, "'no'"),
    ],
    ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", str(value)),
)
def test_parameters_are_refused_in_fit(parameters, error, words, people):
    """A parameter without meaning is refused in `fit`, by name, with what is allowed; never in the constructor."""
    step = FieldEncryptor(**({"key": KEYS} | parameters))
    with pytest.raises(error, match=words):
        step.fit(people)


def test_null_in_a_bound_column_is_refused(people):
    """A null in a column that cells are bound to is refused, with its row."""
    step = FieldEncryptor(key=KEYS, columns=["age"], bind=["email"])
    with pytest.raises(InputError, match="'email' has a null in row 1, but bind needs"):
        step.fit(people)


def test_raise_refuses_nulls(people):
    """With null="raise" a null is refused, with column, count and first row."""
    with pytest.raises(InputError, match="'email' has 1 null, the first in row 1"):
        FieldEncryptor(key=KEYS, null="raise").fit(people)


def test_failed_fit_leaves_the_last_one(people):
    """A fit that fails leaves the object as the last fit left it."""
    step = FieldEncryptor(key=KEYS, columns=["email"]).fit(people)
    tokens = step.transform(people)
    with pytest.raises(InputError):
        step.fit(people.assign(email=pd.Series([1, "a", None], dtype=object)))
    assert step.inverse_transform(tokens).equals(people)


def test_columns_may_be_found_by_a_callable(people):
    """A callable chooses the columns, as in a ColumnTransformer."""
    step = FieldEncryptor(key=KEYS, columns=lambda table: [name for name in table if name != "id"])
    released = step.fit_transform(people)
    assert released["id"].equals(people["id"])
    assert step.inverse_transform(released).equals(people)


def test_unnamed_columns_need_a_context():
    """A numpy column has no name, so it is refused until it has a context, and then comes back in its dtype."""
    table = np.array([[1, 2], [3, 4]], dtype="int32")
    with pytest.raises(ParameterError, match="needs a context"):
        FieldEncryptor(key=KEYS).fit(table)
    step = FieldEncryptor(key=KEYS, context={0: "t.a", 1: "t.b"})
    opened = step.inverse_transform(step.fit_transform(table))
    assert opened.dtype == "int32"
    assert opened.tolist() == table.tolist()


def test_another_container_gets_the_values_back(people):
    """Tokens that were made from pandas open in a polars or pyarrow table, to that container's own dtypes."""
    step = FieldEncryptor(key=KEYS).fit(people)
    tokens = step.transform(people)
    assert step.inverse_transform(pl.from_pandas(tokens)).equals(pl.from_pandas(people))
    opened = step.inverse_transform(pa.Table.from_pandas(tokens))
    assert opened.to_pylist() == pl.from_pandas(people).to_dicts()


def test_opening_what_was_never_encrypted_is_refused(people):
    """A column that is no text cannot hold tokens, and the error says so by dtype."""
    step = FieldEncryptor(key=KEYS).fit(people)
    with pytest.raises(DecryptionError, match="'age' has dtype int64, but tokens are text"):
        step.inverse_transform(people[["age"]])


def test_a_clone_is_unfitted_and_shares_the_key(people):
    """A clone has the same keyring, and nothing that was fitted."""
    step = FieldEncryptor(key=KEYS).fit(people)
    other = clone(step)
    assert other.key is KEYS
    assert not hasattr(other, "key_id_")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("more", [{}, {"bind": ["id"]}, {"pad": 16, "null": "protect"}], ids=str)
def test_rewrap_moves_to_the_primary_key(mode, more, people):
    """After a rotation, rewrap moves table and object to the new key, and the retired one is needed no more."""
    table = people.assign(kind=pd.Categorical(["a", None, "b"], categories=["b", "a", "c"]))
    step = FieldEncryptor(mode, key=KEYS, columns=["email", "age", "kind"], **more).fit(table)
    tokens = step.transform(table)
    newer = KEYS.rotate()
    step.set_params(key=newer)
    assert step.needs_rewrap(tokens)
    moved = step.rewrap(tokens)
    assert not step.needs_rewrap(moved)
    assert step.key_id_ == newer.primary
    step.set_params(key=newer.retire(KEYS.primary))
    pd.testing.assert_frame_equal(step.inverse_transform(moved), table)


def test_rewrap_without_the_fitted_object(people):
    """A table of tokens is rewrapped by names alone, and gives what encrypting under the new key gives."""
    newer = KEYS.rotate()
    tokens = FieldEncryptor("deterministic", key=KEYS, columns=["email", "age"]).fit_transform(people)
    moved = FieldEncryptor("deterministic", key=newer, columns=["email", "age"]).rewrap(tokens)
    assert moved.equals(FieldEncryptor("deterministic", key=newer, columns=["email", "age"]).fit_transform(people))


def test_rewrap_keeps_columns_of_several_types():
    """A column of tokens that hold several types, put together from several tables, keeps each cell's type."""
    step = FieldEncryptor("deterministic", key=KEYS)
    cells = [step.fit_transform(pd.DataFrame({"a": [value]}))["a"][0] for value in (5, "5", 5.0)]
    newer = KEYS.rotate()
    moved = FieldEncryptor("deterministic", key=newer).rewrap(pd.DataFrame({"a": cells}))
    other = FieldEncryptor("deterministic", key=newer)
    assert moved["a"].tolist() == [other.fit_transform(pd.DataFrame({"a": [value]}))["a"][0] for value in (5, "5", 5.0)]


def test_rewrap_is_all_or_nothing(people):
    """A token that does not open stops a rewrap, also where on_error="null", and the object stays where it was."""
    step = FieldEncryptor(key=KEYS, columns=["email"], on_error="null").fit(people)
    tokens = step.transform(people)
    tokens.loc[2, "email"] = "not a token"
    step.set_params(key=KEYS.rotate())
    with pytest.raises(DecryptionError, match="row 2"):
        step.rewrap(tokens)
    assert step.key_id_ == KEYS.primary


def test_tokens_for_finds_values_across_a_rotation(people):
    """A search by tokens_for finds rows that were encrypted before and after a rotation."""
    newer = KEYS.rotate()
    old = FieldEncryptor("deterministic", key=KEYS, columns=["email"]).fit_transform(people)
    step = FieldEncryptor("deterministic", key=newer, columns=["email"])
    both = pd.concat([old, step.fit_transform(people)])
    wanted = step.tokens_for(pd.Series(["ada@example.org", "nobody@example.org"]), column="email")
    assert len(wanted) == 4
    assert both["email"].isin(wanted).sum() == 2
    assert step.tokens_for([], column="email") == []


@pytest.mark.parametrize("unit", ["s", "ns"])
@pytest.mark.parametrize("kind", [pd.Series, pd.Index, pl.Series, pa.array, list])
def test_tokens_for_takes_a_column_of_any_kind(kind, unit):
    """What is searched for may be a column itself, of times in a time zone too."""
    when = pd.Series(pd.to_datetime(["2026-01-05 08:00", "2026-01-06 09:30"]).as_unit(unit))
    if kind is not list:  # objects with a time zone are refused, here as in a table
        when = when.dt.tz_localize("Europe/Rome")
    step = FieldEncryptor("deterministic", key=KEYS)
    tokens = step.fit_transform(pd.DataFrame({"when": when}))
    assert step.tokens_for(kind(when[:1]), column="when") == tokens["when"][:1].tolist()


@pytest.mark.parametrize("values", [[np.int64(7)], {7}, (7.0,), np.array([7]), frozenset({np.uint8(7)})], ids=repr)
def test_tokens_for_takes_numbers_of_any_kind(values, people):
    """A number is found as a scalar of numpy, in a set, and as the float that equals it."""
    step = FieldEncryptor("deterministic", key=KEYS, columns=["id"])
    tokens = step.fit_transform(people)
    assert step.tokens_for(values, column="id") == [tokens["id"][0]]


def test_tokens_for_reads_an_array_as_a_table_does():
    """An array of instants is no array of numbers, also where nothing was fitted."""
    when = np.array(["2026-01-05"], "M8[ns]")
    tokens = FieldEncryptor("deterministic", key=KEYS).fit_transform(pd.DataFrame({"when": when}))
    assert FieldEncryptor("deterministic", key=KEYS).tokens_for(when, column="when") == tokens["when"].tolist()


@pytest.mark.parametrize(
    ("parameters", "values", "error", "words"),
    [
        ({"mode": "randomized"}, ["x"], ParameterError, "needs mode='deterministic'"),
        ({"bind": ["id"]}, ["x"], ParameterError, "no bind="),
        ({}, [5], InputError, "holds text, so no value of type int"),
        ({"columns": ["age"]}, [5], ParameterError, "'email'"),
        ({}, "ada@example.org", ParameterTypeError, "got str"),
        ({}, b"ada", ParameterTypeError, "got bytes"),
        ({}, 5, ParameterTypeError, "got int"),
    ],
    ids=str,
)
def test_tokens_for_refuses_what_would_find_nothing(parameters, values, error, words, people):
    """A search that could never find a row is refused instead of coming back empty."""
    step = FieldEncryptor(**({"mode": "deterministic", "key": KEYS, "columns": ["email"]} | parameters)).fit(people)
    with pytest.raises(error, match=words):
        step.tokens_for(values, column="email")


@pytest.mark.parametrize("kind", ["x-wing", "x25519", "p-256", "rsa"])
def test_an_identity_reads_what_a_process_with_public_keys_wrote(kind, tmp_path, people):
    """A process with public keys only protects and is pickled; another with the identity reads back."""
    identity, other = Identity.generate(kind), Identity.generate("x25519")
    people.to_parquet(tmp_path / "people.parquet")
    program = (
        "import pickle, sys; import pandas as pd; from modelpriv import FieldEncryptor\n"
        f"people = pd.read_parquet({str(tmp_path / 'people.parquet')!r})\n"
        "step = FieldEncryptor('deterministic', columns=['email', 'age'], recipients=sys.argv[1:])\n"
        "pickle.dump((step.fit(people), step.transform(people)), sys.stdout.buffer)"
    )
    lines = [str(identity.recipient), str(other.recipient)]
    run = subprocess.run([sys.executable, "-c", program, *lines], capture_output=True, check=True)
    step, tokens = pickle.loads(run.stdout)
    with pytest.raises(KeyUnavailableError, match="fit again"):
        step.transform(people)
    with pytest.raises(KeyUnavailableError, match=r"set_params\(key=identity\)"):
        step.inverse_transform(tokens)
    for reader in (identity, other):
        assert step.set_params(key=reader).inverse_transform(tokens).equals(people)
    with pytest.raises(KeyUnavailableError):
        step.set_params(key=Identity.generate("x25519")).inverse_transform(tokens)


def test_wrapped_keys_open_a_table_without_the_fitted_object(people):
    """A table of tokens and the wrapped keys that were stored with it, as JSON, are all that an identity needs."""
    identity = Identity.generate()
    step = FieldEncryptor(columns=["email", "age"], recipients=[identity.recipient])
    tokens = step.fit_transform(people)
    stored = json.dumps(step.wrapped_keys_)
    reader = FieldEncryptor(columns=["email", "age"], key=identity)
    with pytest.raises(KeyUnavailableError, match="wrapped_keys_"):
        reader.inverse_transform(tokens)
    reader.wrapped_keys_ = json.loads(stored)
    assert reader.inverse_transform(tokens).equals(people)


def test_wrapped_keys_do_not_open_under_another_name(people):
    """A wrapped data key that is stored under the id of another one is refused."""
    identity = Identity.generate("x25519")
    step = FieldEncryptor(columns=["email"], recipients=[identity.recipient]).fit(people)
    reader = FieldEncryptor(columns=["email"], key=identity)
    reader.wrapped_keys_ = {"00000000": next(iter(step.wrapped_keys_.values()))}
    with pytest.raises(KeyUnavailableError):
        reader.inverse_transform(step.transform(people))


def test_every_fit_has_a_data_key_of_its_own(people):
    """Joins hold within one fit to recipients, and not across two."""
    step = FieldEncryptor("deterministic", columns=["id"], recipients=[Identity.generate("x25519").recipient])
    first, again = step.fit_transform(people), step.transform(people)
    assert first.equals(again)
    assert not set(first["id"]) & set(step.fit_transform(people)["id"])


def test_the_data_key_is_not_in_the_pickle(people):
    """A pickled object holds the data key wrapped to its recipients, and not the key."""
    identity = Identity.generate()
    step = FieldEncryptor(recipients=[identity.recipient]).fit(people)
    (secret,) = step._data_keys._keys.values()
    (private,) = {identity._private}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(step.set_params(key=identity), protocol)
        assert secret not in data
        assert private not in data


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"recipients": []}, ParameterError, "no one could ever read"),
        ({"recipients": "x"}, ParameterTypeError, "list of Recipient objects"),
        ({"recipients": [Identity.generate("x25519")]}, ParameterTypeError, "identity.recipient"),
        ({"recipients": ["modelpriv_recipient_x"]}, ParameterError, "recipient"),
        ({"recipients": [Identity.generate("x25519").recipient], "key": KEYS}, ParameterError, "both given"),
        ({"key": Identity.generate("x25519")}, KeyUnavailableError, "recipients="),
        ({"key": Identity.generate("x25519").recipient}, ParameterTypeError, "key"),
    ],
    ids=lambda value: None,
)
def test_recipients_are_refused_in_fit(parameters, error, words, people):
    """Recipients that are none, or that come with a key, are refused, with what to pass instead."""
    with pytest.raises(error, match=words):
        FieldEncryptor(**parameters).fit(people)


def test_contract_with_recipients():
    """The contract of a privacy transformer holds when cells are encrypted to public keys."""
    check_privacy_transformer(FieldEncryptor(recipients=[Recipient(str(Identity.generate().recipient))]))


@pytest.mark.parametrize("dtype", ["float32", "int16", "datetime64[ms]", "<U5", "bool"])
def test_an_array_that_was_encrypted_in_part_comes_back_in_its_dtype(dtype):
    """An array that was encrypted in part becomes one of objects or text, and takes its own dtype again when opened."""
    table = np.array([[1, 0], [0, 1]]).astype(dtype)
    step = FieldEncryptor(key=KEYS, columns=[1], context="t.b")
    tokens = step.fit_transform(table)
    opened = step.inverse_transform(tokens)
    assert tokens.dtype.kind in "OU"
    assert opened.dtype == table.dtype
    assert (opened == table).all()


def test_columns_without_text_names_are_matched_by_name():
    """Columns whose names are numbers or tuples are opened by their names, in any order and any subset."""
    table = pd.DataFrame({10: ["a", "b"], ("x", 1): ["c", "d"], 30: [1, 2]})
    step = FieldEncryptor(key=KEYS, columns=[10, ("x", 1)], context={10: "t.a", ("x", 1): "t.b"})
    tokens = step.fit_transform(table)
    assert step.inverse_transform(tokens[[30, ("x", 1)]]).equals(table[[30, ("x", 1)]])
    with pytest.raises(InputError, match="11"):
        step.inverse_transform(tokens.rename(columns={10: 11}))


def test_a_series_as_bind_is_refused_without_its_cells(people):
    """A series in the place of column names holds cells: it is refused by its type."""
    with pytest.raises(ParameterTypeError, match="got Series") as caught:
        FieldEncryptor(key=KEYS, columns=["age"], bind=people["email"]).fit(people)
    assert "ada@" not in str(caught.value)


def test_padding_need_not_be_told(people):
    """Tokens say that they are padded: they open whatever `pad` the opener has, bytes that look like padding too."""
    table = people.assign(raw=[b"abc", b"\x80\x00", None])
    tokens = FieldEncryptor(key=KEYS, pad=16, columns=["email", "raw", "age"]).fit_transform(table)
    for pad in (None, 16, 64):
        opened = FieldEncryptor(key=KEYS, pad=pad, columns=["email", "raw", "age"]).inverse_transform(tokens)
        pd.testing.assert_frame_equal(opened, table)


def test_rewrap_does_not_take_padding_off(people):
    """A rewrap that would let the lengths of padded tokens show is refused."""
    tokens = FieldEncryptor(key=KEYS, pad=16, columns=["email"]).fit_transform(people)
    with pytest.raises(ParameterError, match="Pass pad="):
        FieldEncryptor(key=KEYS.rotate(), columns=["email"]).rewrap(tokens)


def test_a_context_for_no_column_is_refused(people):
    """A context that is given for a column which is not there is refused: it would keep tables from joining."""
    with pytest.raises(ParameterError, match="context names 'emial'"):
        FieldEncryptor(key=KEYS, columns=["email"], context={"emial": "people.email"}).fit(people)


def test_a_context_may_be_given_by_position(people):
    """A context that is given by a column's position is that of the column there."""
    one = FieldEncryptor("deterministic", key=KEYS, columns=["email"], context={1: "x"}).fit_transform(people)
    two = FieldEncryptor("deterministic", key=KEYS, columns=["email"], context="x").fit_transform(people)
    assert one.equals(two)


@pytest.mark.parametrize("mode", ["randomized", "deterministic"])
@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([Decimal("9.00"), Decimal("1200.50"), Decimal("-1250000.75"), Decimal("1E-60")], dtype=object),
        pd.Series([1, 2**63, 2**64 - 1], dtype="uint64"),
        pd.Series([0.5, 1e300, 7.0, -0.0]),
        pd.Series(np.array(["1700-01-01", "2262-01-01"], "datetime64[ns]")),
    ],
    ids=lambda cells: str(cells.dtype),
)
def test_tokens_of_numbers_and_times_do_not_show_their_size(cells, mode):
    """All numbers, and all times, of a column have tokens of one length."""
    step = FieldEncryptor(mode, key=KEYS, context="c")
    tokens = step.fit_transform(cells.to_frame("c"))
    assert len(set(tokens["c"].str.len())) == 1
    assert step.inverse_transform(tokens)["c"].tolist() == cells.tolist()


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (5, 5.0), (2**63, 2.0**63), (0.0, 0), (-7.0, -7)])
def test_equal_numbers_have_equal_deterministic_tokens(one, other):
    """Numbers that are equal join, whatever the sign of a zero and whether they came as integers or as floats."""
    tokens = [
        FieldEncryptor("deterministic", key=KEYS, context="c").fit_transform(pd.DataFrame({"c": cells}))["c"][0]
        for cells in ([one], [other], [other, 0.25], [one, None])
    ]
    assert len(set(tokens)) == 1


def test_a_randomized_token_keeps_the_sign_of_zero():
    """Randomized tokens give -0.0 back with its sign."""
    step = FieldEncryptor(key=KEYS, context="c")
    table = pd.DataFrame({"c": [-0.0]})
    assert np.signbit(step.inverse_transform(step.fit_transform(table))["c"][0])


@pytest.mark.parametrize("cells", [[4111111111111111], [4111111111111111.0], [True], pd.to_datetime(["2024-01-01"])])
def test_formats_are_for_text_only(cells):
    """What is not text has no format, and is refused in fit, with its dtype and without a cell."""
    step = FieldEncryptor("format-preserving", alphabet="digits", keep=" ", key=KEYS, context="card")
    table = pd.DataFrame({"card": cells})
    with pytest.raises(
        InputError, match=r"Column 'card' has dtype .*, but mode='format-preserving' takes text"
    ) as caught:
        step.fit(table)
    assert "4111" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "cell", ["EVEpassw0rd_of_the_production_db", "EmEpassw0rd_of_the_production_db_2024_and_more_0"]
)
def test_a_cell_that_looks_like_a_token_is_not_repeated(cell, mode):
    """A text that reads as a token of an unknown key is refused, and no part of it is shown as a key id."""
    step = FieldEncryptor(mode, key=KEYS)
    with pytest.raises(DecryptionError, match="column 'note'") as caught:
        step.inverse_transform(pd.DataFrame({"note": [cell]}))
    seen = "".join(traceback.format_exception_only(caught.value))
    raw = base64.urlsafe_b64decode(cell + "=" * (-len(cell) % 4))
    assert raw[1:5].hex() not in seen
    assert cell[2:8] not in seen


OUT_OF_RANGE = {
    "date": pa.array([2**31 - 1], pa.int32()).view(pa.date32()),
    "time": pa.array([777_777_777_777_777_777], pa.int64()).view(pa.time64("us")),
    "date64": pa.array([2**62], pa.int64()).view(pa.date64()),
}


@pytest.mark.parametrize("kind", OUT_OF_RANGE)
def test_a_value_that_is_out_of_range_is_refused_and_not_shown(kind):
    """A value that Arrow, or the container that it goes to, cannot hold is refused, and no error shows it."""
    step = FieldEncryptor(key=KEYS, context="c")

    def there_and_back():
        tokens = step.fit_transform(pa.table({"c": OUT_OF_RANGE[kind]}))
        return FieldEncryptor(key=KEYS, context="c").inverse_transform(tokens.to_pandas())

    with pytest.raises(InputError) as caught:
        there_and_back()
    seen = "".join(traceback.format_exception(caught.value))
    assert not any(number in seen for number in ("2147483647", "777777777", str(2**62)))
