"""key_usage in files of every kind and in folders of them: what needs a key counts, what cannot be read is listed."""

import base64
import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import zipfile
import zlib

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from modelpriv import AuditLog, EncryptedEstimator, FieldEncryptor, Keyring, dump, key_usage
from modelpriv.errors import InputError, InputTypeError, ParameterError
from modelpriv.evidence.usage import scan

MIB = 2**20


@pytest.fixture
def tokens(keyring):
    """Thirty tokens in a column of a table."""
    people = pd.DataFrame({"email": [f"person {number}" for number in range(30)], "age": range(30)})
    return FieldEncryptor(columns=["email"], key=keyring).fit_transform(people).astype({"email": object})


@pytest.fixture
def step(keyring):
    """A fitted step."""
    return FieldEncryptor(key=keyring).fit(pd.DataFrame({"email": ["a", "b"]}))


def sqlite(table, path):
    with sqlite3.connect(path) as connection:
        table.to_sql("people", connection)


def database(table):
    connection = sqlite3.connect(":memory:")
    table.to_sql("people", connection)
    return connection.serialize()


def saved(save, array):
    file = io.BytesIO()
    save(file, array)
    return file.getvalue()


WRITERS = {
    "csv": lambda table, path: table.to_csv(path),
    "csv.gz": lambda table, path: table.to_csv(path, compression="gzip"),
    "csv.bz2": lambda table, path: table.to_csv(path, compression="bz2"),
    "csv.xz": lambda table, path: table.to_csv(path, compression="xz"),
    "json": lambda table, path: table.to_json(path),
    "jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
    "html": lambda table, path: path.write_text(table.to_html()),
    "sqlite": sqlite,
    "pickle": lambda table, path: path.write_bytes(pickle.dumps(table["email"].tolist())),
    "pickle2": lambda table, path: path.write_bytes(pickle.dumps(table["email"].tolist(), 2)),
    "pickle0": lambda table, path: path.write_bytes(b"\x80\x02" + pickle.dumps(table["email"].tolist(), 0)),
    "objects": lambda table, path: joblib.dump(table["email"].to_numpy(object), path),
    "zlib": lambda table, path: joblib.dump(table["email"].to_numpy(object), path, compress=3),
    "npy": lambda table, path: path.write_bytes(saved(np.save, table["email"].to_numpy("U"))),
    "npy of objects": lambda table, path: path.write_bytes(saved(np.save, table["email"].to_numpy(object))),
    "npy of bytes": lambda table, path: path.write_bytes(saved(np.save, table["email"].to_numpy("S"))),
    "csv.zip": lambda table, path: table.to_csv(path, compression="zip"),
    "sqlite.gz": lambda table, path: path.write_bytes(gzip.compress(database(table))),
    "bytes in Parquet": lambda table, path: table.assign(email=table["email"].str.encode("ascii")).to_parquet(path),
    "pickle in Parquet": lambda table, path: pd.DataFrame({"a": [pickle.dumps(table["email"].tolist())]}).to_parquet(
        path
    ),
    "old pickle": lambda table, path: path.write_bytes(pickle.dumps(table["email"].tolist(), 0)),
    "csv in a pickle": lambda table, path: path.write_bytes(pickle.dumps({"csv": table.to_csv()})),
    "lines in JSON": lambda table, path: path.write_text(json.dumps("\n".join(table["email"]))),
    "npz": lambda table, path: path.write_bytes(saved(np.savez_compressed, table["email"].to_numpy("U"))),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_tokens_in_a_file(keyring, tokens, tmp_path, kind):
    """Each token in a file of any kind counts once."""
    path = tmp_path / "people"
    WRITERS[kind](tokens, path)
    assert key_usage(path) == {keyring.primary: 30}


@pytest.mark.parametrize("rows", [["Ada", None], [None, "x" * 26], ["Ada", "Lovelace"]])
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16"])
def test_cells_around_a_token_in_a_database(keyring, tokens, tmp_path, rows, encoding):
    """A token in a database counts whatever is in the columns next to it, which SQLite writes without a gap."""
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute(f"PRAGMA encoding = '{encoding}'")
        connection.execute("CREATE TABLE t (before, token, behind)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", [(rows[0], one, rows[1]) for one in tokens["email"]])
    assert key_usage(tmp_path / "a.db") == {keyring.primary: 30}


def test_bytes_in_a_database(keyring, tmp_path):
    """A sealed model, a pickle and a token in cells of bytes count; what is of no known kind is refused."""
    dump(Ridge().fit([[1.0], [2.0]], [1, 2]), tmp_path / "model.mpriv", key=keyring)
    (token,) = FieldEncryptor(key=keyring).fit_transform(pd.DataFrame({"a": ["x"]}))["a"]
    cells = [(tmp_path / "model.mpriv").read_bytes(), pickle.dumps([token]), token.encode(), bytes(range(32)), None]
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("CREATE TABLE t (a BLOB)")
        connection.executemany("INSERT INTO t VALUES (?)", [(cell,) for cell in cells])
    assert key_usage(tmp_path / "a.db") == {keyring.primary: 3}
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("INSERT INTO t VALUES (?)", (bytes(range(256)) * 2,))
    with pytest.raises(InputTypeError, match=r"t\.a"):
        key_usage(tmp_path / "a.db")


def test_changes_that_wait_are_not_overlooked(keyring, tokens, tmp_path):
    """A database whose newest rows are still in its write-ahead log is not read without them."""
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.executemany("INSERT INTO t VALUES (?)", [(one,) for one in tokens["email"]])
    connection.commit()
    with pytest.raises(InputError, match=r"a\.db-wal"):
        key_usage(tmp_path / "a.db")
    connection.close()
    assert key_usage(tmp_path / "a.db") == {keyring.primary: 30}


@pytest.mark.parametrize("length", [28, 40, 65, 66, 90, 100, 120])
def test_a_length_that_looks_like_a_character(keyring, length, tmp_path):
    """In a pickle, the byte before a text is its length, and may be a character of tokens itself."""
    (token,) = FieldEncryptor(key=keyring).fit_transform(pd.DataFrame({"a": ["x" * max(1, length - 45)]}))["a"]
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps([token]))
    assert key_usage(path) == {keyring.primary: 1}


STEPS = {
    "pickle": lambda step, path: path.write_bytes(pickle.dumps(step)),
    "pickle 2": lambda step, path: path.write_bytes(pickle.dumps(step, 2)),
    "joblib": joblib.dump,
    "joblib, packed": lambda step, path: joblib.dump(step, path, compress=("gzip", 3)),
    "cloudpickle": lambda step, path: path.write_bytes(cloudpickle.dumps(step)),
}


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_in_a_pickle(keyring, step, tmp_path, kind):
    """The key that a pickled step is pinned to counts, without loading the pickle."""
    STEPS[kind](step, tmp_path / "step")
    assert set(key_usage(tmp_path / "step")) == {keyring.primary}


@pytest.mark.parametrize("kind", ["sealed", *(kind for kind in STEPS if kind != "pickle 2"), "skops"])
def test_steps_in_a_model(keyring, tmp_path, kind):
    """Of a sealed model, in a file of its own or in a pickle, what opens it and what the steps inside need counts."""
    other = keyring.rotate()
    protect = make_column_transformer((FieldEncryptor(key=keyring), ["email"]), remainder="passthrough")
    model = make_pipeline(protect, make_column_transformer(("passthrough", [1])), Ridge())
    model.fit(pd.DataFrame({"email": ["a", "b"], "age": [1, 2]}), [1, 2])
    wrapped, path = EncryptedEstimator(model, key=other), tmp_path / "model"
    writers = STEPS | {"sealed": dump, "skops": skops.io.dump}
    writers[kind](wrapped, path)
    found = key_usage(path)
    assert set(found) == {keyring.primary, other.primary}
    assert any(use.what == "steps in a sealed model" and use.key_id == keyring.primary for use in found.uses)


def test_a_sealed_model_behind_much_else(keyring, tmp_path):
    """A sealed model in a large pickle counts wherever it begins, and however the file is cut into pieces."""
    sealed = pickle.dumps(EncryptedEstimator(Ridge(), key=keyring))
    for ahead in (MIB - 60, MIB - 30, MIB - 4, 2 * MIB + 1):
        path = tmp_path / "file"
        path.write_bytes(pickle.dumps([b"x" * ahead], 5)[:-1] + sealed[2:])
        assert keyring.primary in key_usage(path), ahead


@pytest.mark.parametrize("size", [1, 7, 30, 64, 300, 1000])
def test_pieces(keyring, tokens, size):
    """However a file is cut into pieces, each token counts once."""
    text = tokens.to_csv().encode()
    cut = (text[start : start + size] for start in range(0, len(text), size))
    assert scan.scan(cut, pickled=False)[0] == {("tokens", keyring.primary): 30}


def test_a_folder(keyring, tokens, step, tmp_path):
    """A folder is walked to its last file, and each row says where, what and how often."""
    deep = tmp_path / "runs" / "1" / "artifacts"
    deep.mkdir(parents=True)
    tokens.to_csv(tmp_path / "people.csv")
    joblib.dump(step, deep / "step.joblib")
    keyring.save(tmp_path / "keys.json", passphrase="an example")
    (tmp_path / "plot.png").write_bytes(b"\x89PNG\r\n\x1a\n and more")
    (tmp_path / "empty").touch()
    found = key_usage(tmp_path)
    rows = {(use.path.removeprefix(str(tmp_path)), use.what) for use in found.uses}
    assert rows == {
        ("/people.csv", "tokens in text"),
        ("/runs/1/artifacts/step.joblib", "key ids in a pickle"),
        ("/keys.json", "keyring file"),
    }
    assert found.unread == ()


def test_an_audit_log(keyring, tmp_path):
    """An audit log needs each key that authenticates one of its lines, also in files that were rotated away."""
    newer = keyring.rotate()
    AuditLog(tmp_path / "audit.jsonl", key=keyring).start().stop()
    with AuditLog(tmp_path / "audit.jsonl", key=newer) as log:
        log.rotate()
    assert dict(key_usage(tmp_path / "audit.jsonl.000001")) == {keyring.primary: 3, newer.primary: 2}
    assert dict(key_usage(tmp_path / "audit.jsonl")) == {newer.primary: 2}
    with pytest.raises(ParameterError, match="still needed"):
        newer.retire(keyring.primary, check=[tmp_path])


def test_a_compressed_audit_log(keyring, tmp_path):
    """An audit log that logrotate compressed counts as one that it did not."""
    AuditLog(tmp_path / "audit.jsonl", key=keyring).start().stop()
    packed = tmp_path / "audit.jsonl.1.gz"
    packed.write_bytes(gzip.compress((tmp_path / "audit.jsonl").read_bytes()))
    assert dict(key_usage(packed)) == dict(key_usage(tmp_path / "audit.jsonl")) == {keyring.primary: 3}


def test_the_log_of_a_grants_holder(keyring, tmp_path):
    """The log of a scope needs the ring's key, from which the scope's comes."""
    AuditLog(tmp_path / "audit.jsonl", key=keyring.scoped(["email"])).start().stop()
    assert dict(key_usage(tmp_path / "audit.jsonl")) == {keyring.primary: 3}


def archived(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", data)
    return file.getvalue()


UNREADABLE = {
    "unknown": b"\x00\x01\x02\x03",
    "cut gzip": gzip.compress(b"text" * 1000)[:-20],
    "cut xz": lzma.compress(b"text" * 1000)[:-20],
    "cut zlib": zlib.compress(bytes(range(256)) * 9)[:-20],
    "twice packed": gzip.compress(bz2.compress(b"text")),
    "lz4": b"\x04\x22\x4d\x18 and more",
    "zstd": b"\x28\xb5\x2f\xfd and more",
    "broken archive": b"PK\x03\x04 and more",
    "broken Parquet": b"PAR1 and more",
    "broken sealed model": b"\x8fmpriv\r\n and more",
    "UTF-16": "text".encode("utf-16"),
    "old pickle": pickle.dumps(EncryptedEstimator(Ridge(), key=Keyring.generate()), 2),
    "array in a pickle": pickle.dumps(np.array(["E" * 30])),
    "bytes in a pickle": pickle.dumps(np.array([b"E" * 30])),
    "polars in a pickle": pickle.dumps(pl.DataFrame({"a": ["E" * 30]})),
    "bytes in an old pickle": pickle.dumps([b"E" * 30], 0),
    "sealed in text": b'{"model": "' + base64.b64encode(b"\x8fmpriv\r\n and more") + b'"}',
    "Parquet in an archive": archived(b"PAR1 and more"),
    "archives in archives": archived(archived(archived(archived(b"text")))),
    "broken database": b"SQLite format 3\0 and more",
    "structured array": saved(np.save, np.zeros(1, [("a", "U3")])),
    "table in a pickle": pickle.dumps(pd.Series(["a"], dtype="string[pyarrow]")),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_listed(keyring, tmp_path, kind):
    """A file of a folder that cannot be read is listed, and blocks retire until it is named in ignore."""
    (tmp_path / "file").write_bytes(UNREADABLE[kind])
    (tmp_path / "text").write_text("text")
    ((path, why),) = key_usage(tmp_path).unread
    assert path == str(tmp_path / "file")
    assert why
    newer = keyring.rotate()
    with pytest.raises(ParameterError, match=r"could not be read.*file"):
        newer.retire(keyring.primary, check=[tmp_path])
    assert newer.retire(keyring.primary, check=[tmp_path], ignore=["file"]).key_ids == (newer.primary,)


def test_an_encrypted_archive_is_listed(tmp_path):
    """An archive whose members need a password is not read as if it held nothing."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", "text")
    data = bytearray(file.getvalue())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "file").write_bytes(data)
    assert len(key_usage(tmp_path).unread) == 1


def test_a_pipe_is_listed(tmp_path):
    """What is no file is not opened: a pipe would wait for ever."""
    import os  # noqa: PLC0415 - not on Windows

    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("text")
    assert len(key_usage(tmp_path).unread) == 1
    with pytest.raises(InputTypeError, match="neither a file nor a folder"):
        key_usage(tmp_path / "pipe")


def test_answers(keyring, tokens, tmp_path):
    """The answer prints as a table, and comes as a frame and as JSON."""
    tokens.to_csv(tmp_path / "people.csv")
    (tmp_path / "\x1b[31m").write_bytes(b"\x00")
    found = key_usage(tmp_path)
    assert found.frame()[["what", "key_id", "count"]].to_numpy().tolist() == [["tokens in text", keyring.primary, 30]]
    assert json.loads(found.to_json())["key_ids"] == {keyring.primary: 30}
    assert "tokens in text" in repr(found)
    assert "not read" in repr(found)
    assert "\x1b" not in repr(found)
    assert "<td>tokens in text</td>" in found._repr_html_()


def test_progress(tokens, tmp_path, capsys):
    """The progress is written only if it is asked for."""
    tokens.to_csv(tmp_path / "people.csv")
    key_usage(tmp_path)
    assert capsys.readouterr().err == ""
    key_usage(tmp_path, verbose=True)
    assert "1 files" in capsys.readouterr().err


def test_a_model_is_not_bricked(tmp_path):
    """A key that only the steps inside a sealed model need is not retired."""
    keys = Keyring.generate()
    people = pd.DataFrame({"id": ["a", "b", "c"], "v": [1.0, 2.0, 3.0]})
    protect = make_column_transformer((FieldEncryptor("deterministic", key=keys), ["id"]), remainder="passthrough")
    model = make_pipeline(protect, make_column_transformer(("passthrough", [1])), Ridge()).fit(people, [1, 2, 3])
    newer = keys.rotate()
    dump(model, tmp_path / "model.mpriv", key=newer)
    with pytest.raises(ParameterError, match="is still needed by"):
        newer.retire(keys.primary, check=[tmp_path / "model.mpriv"])
