"""key_usage counts what needs a key, wherever it is, and retire refuses by it."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from pyarrow import feather
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from modelpriv import EncryptedEstimator, FieldEncryptor, Pseudonymizer, dump, key_usage
from modelpriv.errors import InputError, InputTypeError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Keyring

PEOPLE = {"id": ["C-1", "C-2", "C-3"], "email": ["a@b.org", None, "e@f.org"], "age": [36, 41, 55]}


@pytest.fixture
def step(keyring):
    """Encrypts both columns of text."""
    return FieldEncryptor("deterministic", columns=["id", "email"], key=keyring)


@pytest.fixture
def released(step):
    """Five tokens under one key."""
    return step.fit_transform(pd.DataFrame(PEOPLE))


def test_tables_of_every_kind(keyring, container):
    """The tokens of every column are counted in every kind of table; nulls, numbers and other text are not."""
    table = container(PEOPLE)
    columns = ["id", "email"] if hasattr(table, "columns") else [0, 1]
    released = FieldEncryptor(columns=columns, context={0: "id", 1: "email"}, key=keyring).fit_transform(table)
    assert key_usage(released) == {keyring.primary: 5}
    assert key_usage(table) == {}


@pytest.mark.parametrize("levels", [["email"], ["id", "email"]])
def test_an_index(keyring, released, levels):
    """Tokens in a pandas index count, on any of its levels."""
    assert key_usage(released.set_index(levels)) == {keyring.primary: 5}


def test_keys_are_told_apart(keyring, released):
    """Tokens of two keys in one column count for each."""
    newer = keyring.rotate()
    other = FieldEncryptor("deterministic", columns=["id", "email"], key=newer).fit_transform(pd.DataFrame(PEOPLE))
    assert key_usage(pd.concat([released, other, other])) == {keyring.primary: 5, newer.primary: 10}


@pytest.mark.parametrize("dtype", ["category", "string[pyarrow]", object])
def test_text_of_every_dtype(keyring, released, dtype):
    """Tokens count however their column holds them."""
    assert key_usage(released.astype({"email": dtype})) == {keyring.primary: 5}


@pytest.mark.parametrize("write", [pd.DataFrame.to_parquet, pd.DataFrame.to_feather], ids=["parquet", "arrow"])
def test_files_of_tables(keyring, released, tmp_path, write):
    """A Parquet or Arrow file is read in parts and counted; a column of categories too."""
    write(released.astype({"id": "category"}), tmp_path / "table")
    assert key_usage(tmp_path / "table") == key_usage(str(tmp_path / "table")) == {keyring.primary: 5}


def test_a_folder_of_parquet(keyring, released, tmp_path):
    """A folder of Parquet files is one table."""
    for name in "ab":
        released.to_parquet(tmp_path / f"{name}.parquet")
    assert key_usage(tmp_path) == {keyring.primary: 10}


def test_large_text_in_files(keyring, released, tmp_path):
    """Large text of Arrow files counts too."""
    table = pa.table(released)
    large = pa.schema(
        [field.with_type(pa.large_string()) if pa.types.is_string(field.type) else field for field in table.schema]
    )
    feather.write_feather(table.cast(large), tmp_path / "t")
    assert key_usage(tmp_path / "t") == {keyring.primary: 5}


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
def test_files_of_polars(keyring, released, tmp_path, dtype):
    """Polars writes text to Arrow files as views, and these count too."""
    pl.from_pandas(released).with_columns(pl.col("email").cast(dtype)).write_ipc(tmp_path / "t.arrow")
    assert key_usage(tmp_path / "t.arrow") == {keyring.primary: 5}


def test_keyrings(keyring, tmp_path):
    """A keyring, its scope and its file count each key once; the file needs no passphrase for it."""
    newer = keyring.rotate()
    newer.save(tmp_path / "keys.json", passphrase="an example")
    wanted = {keyring.primary: 1, newer.primary: 1}
    assert key_usage(newer) == key_usage(tmp_path / "keys.json") == key_usage(newer.scoped(["email"])) == wanted


def test_fitted_objects(keyring, step):
    """Each transformer in a pipeline counts for the key that it is pinned to, and one that is not fitted for none."""
    protect = make_column_transformer((step, ["id", "email"]), (Pseudonymizer(key=keyring.rotate()), ["id"]))
    pipeline = make_pipeline(protect)
    assert key_usage(pipeline) == {}
    pipeline.fit(pd.DataFrame(PEOPLE))
    newer = pipeline[0].transformers_[1][1].key_id_
    assert key_usage(pipeline) == {keyring.primary: 1, newer: 1}


def test_sealed_models(keyring, tmp_path):
    """A sealed file, and an object that is locked, count for the keys that open them."""
    dump(Ridge(), tmp_path / "model", key=keyring)
    assert key_usage(tmp_path / "model") == {keyring.primary: 1}
    other = Keyring.generate()
    pickled, key_id = pickle.dumps(EncryptedEstimator(Ridge(), key=other)), other.primary
    del other
    assert key_usage(pickle.loads(pickled)) == {key_id: 1}


def test_what_it_does_not_know(tmp_path, keyring):
    """A file of another kind, a cut one, a mixed column and a lazy table are refused, never counted as nothing."""
    (tmp_path / "other").write_bytes(b"\x1f\x00\x02")
    (tmp_path / "json").write_text('{"format":"modelpriv keyring"}')
    with pytest.raises(InputTypeError, match="does not read"):
        key_usage(tmp_path / "other")
    with pytest.raises(SealedFileError):
        key_usage(tmp_path / "json")
    with pytest.raises(InputError, match="mixed"):
        key_usage(pd.DataFrame({"mixed": ["canary", 5, object()]}))
    with pytest.raises(InputTypeError):
        key_usage(pl.LazyFrame({"a": ["b"]}))
    with pytest.raises(OSError, match="nowhere"):
        key_usage(tmp_path / "nowhere")


def test_retire_refuses_what_is_needed(keyring, step, released, tmp_path):
    """Retire names each thing in check that needs the key, how often, and says that it saw only these."""
    newer = keyring.rotate()
    released.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ParameterError) as raised:
        newer.retire(keyring.primary, check=[pd.DataFrame(PEOPLE), released, tmp_path / "t.parquet", step])
    said = str(raised.value)
    assert "check[1] (DataFrame), 5 times" in said
    assert "t.parquet'), 5 times" in said
    assert "check[3] (FieldEncryptor), once" in said
    assert "check[0]" not in said
    assert "Only the 4 things" in said


@pytest.mark.parametrize("check", ["file.parquet", b"file", {"a": 1}, 5])
def test_check_is_a_list(keyring, check):
    """A single path or table given as check is refused: it would be looked at in pieces, or not at all."""
    newer = keyring.rotate()
    with pytest.raises(ParameterTypeError, match="check must be a list"):
        newer.retire(keyring.primary, check=check)


def test_a_life(tmp_path):
    """Two tables live through a rotation: joins hold, retire waits for the second one, and then the old key is gone."""
    keys = Keyring.generate()
    customers = pd.DataFrame({"customer": ["C-1", "C-2", "C-3"], "city": ["Turin", "Utrecht", None]})
    orders = pd.DataFrame({"customer": ["C-2", "C-1", "C-2"], "amount": [9.5, 20.0, 3.25]})
    step = FieldEncryptor("deterministic", columns=["customer"], key=keys)
    customers_out, orders_out = step.fit_transform(customers), step.fit_transform(orders)
    wanted = customers.merge(orders, on="customer")

    def joined(key):
        opener = FieldEncryptor("deterministic", columns=["customer"], key=key)
        return opener.inverse_transform(customers_out.merge(orders_out, on="customer"))

    pd.testing.assert_frame_equal(joined(keys), wanted)
    newer = keys.rotate()
    pd.testing.assert_frame_equal(joined(newer), wanted)

    mover = FieldEncryptor("deterministic", columns=["customer"], key=newer)
    moved = mover.rewrap(customers_out)
    with pytest.raises(ParameterError, match=rf"{keys.primary} is still needed by check\[1\] \(DataFrame\), 3 times"):
        newer.retire(keys.primary, check=[moved, orders_out])
    # Until the second table is moved, tokens of both keys find a value in it, and what is opened joins.
    opened = [mover.inverse_transform(table) for table in (moved, orders_out)]
    pd.testing.assert_frame_equal(opened[0].merge(opened[1], on="customer"), wanted)
    searcher = mover.tokens_for(["C-2"], column="customer")
    assert orders_out["customer"].isin(searcher).sum() == 2

    customers_out, orders_out = moved, mover.rewrap(orders_out)
    pd.testing.assert_frame_equal(joined(newer), wanted)
    newest = newer.retire(keys.primary, check=[customers_out, orders_out])
    assert newest.key_ids == (newer.primary,)
    pd.testing.assert_frame_equal(joined(newest), wanted)


# --- what must not be overlooked before a key is retired ---


def test_each_file_of_a_folder_has_its_own_schema(keyring, released, tmp_path):
    """Tokens count in a folder whose first file lacks their column, or holds only nulls in it."""
    pd.DataFrame({"age": [1]}).to_parquet(tmp_path / "a.parquet")
    pa.parquet.write_table(pa.table({"name": pa.nulls(2)}), tmp_path / "b.parquet")
    (tmp_path / "deeper").mkdir()
    released.to_parquet(tmp_path / "deeper" / "_c.parquet")
    (tmp_path / "_SUCCESS").touch()
    assert key_usage(tmp_path) == key_usage(released)


def test_tokens_that_name_partitions_count(keyring, released, tmp_path):
    """A folder that is partitioned by a column of tokens holds them in its names."""
    name = next(column for column in released if key_usage(released[[column]]))
    table = pa.table({name: released[name].dropna().astype(str).tolist()[:2], "age": [1, 2]})
    pa.parquet.write_to_dataset(table, tmp_path, partition_cols=[name])
    assert key_usage(tmp_path) == {keyring.primary: 2}


def test_an_empty_folder_is_refused(tmp_path):
    """A folder without files, or with empty ones, is no evidence that a key is unused."""
    with pytest.raises(InputTypeError, match="holds no file"):
        key_usage(tmp_path)


def test_nested_columns_are_refused(tmp_path):
    """A column of lists may hold tokens, so it is named and not skipped."""
    pa.parquet.write_table(pa.table({"tags": [["a"], ["b"]]}), tmp_path / "a.parquet")
    with pytest.raises(InputTypeError, match="'tags'"):
        key_usage(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    "hold", [lambda step: {step}, lambda step: np.array([step, None], object), lambda step: step.transform]
)
def test_steps_held_otherwise_count(keyring, step, released, hold):
    """A fitted step counts in a set, in an array of objects and behind one of its methods."""
    assert key_usage(released)  # so that the step is fitted
    holder = FunctionTransformer(kw_args={"held": hold(step)})
    assert key_usage(holder) == {keyring.primary: 1}
