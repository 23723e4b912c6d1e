"""Folders, tables, databases, archives and texts: each kind of file lists a canary in it, and no form shows it."""

import gzip
import io
import json
import os
import pickle
import sqlite3
import tarfile
import zipfile
from contextlib import closing

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather, parquet
from sklearn.linear_model import Ridge

from modelpriv import EncryptedEstimator, FieldEncryptor, Keyring, dump
from modelpriv.errors import SealedFileError
from modelpriv.sealing import leak_report

CANARY = "canary-b6ac18d3"
TABLE = pd.DataFrame({"name": [CANARY, "b", None], "n": [4111111111111111, 2, 3], CANARY: [0.5, 1.5, None]})
KEYS = Keyring.generate()
PROTECTED = FieldEncryptor("deterministic", columns=["name"], key=KEYS).fit_transform(TABLE[["name"]])


def write_sqlite(path, table=TABLE, *, then=""):
    with closing(sqlite3.connect(path)) as database:
        table.to_sql("people", database, index=False)
        database.executescript(then)
        database.commit()


def write_behind(path):
    write_sqlite(path, TABLE[:0])
    path.write_bytes(path.read_bytes() + CANARY.encode())


ROWLESS = """
    CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID;
    INSERT INTO t SELECT name FROM people WHERE name IS NOT NULL;
    DROP TABLE people;
"""


def database_of(path):
    write_sqlite(path.with_name("plain"))
    data = path.with_name("plain").read_bytes()
    path.with_name("plain").unlink()
    return data


def write_tar(path, name=CANARY, mode="w:gz", *, owner="", link="", comment=""):
    with tarfile.open(path, mode) as archive:
        info = tarfile.TarInfo(name)
        content = b"{}" if owner else CANARY.encode()
        info.size, info.uname, info.linkname = len(content), owner, link
        info.pax_headers = {"comment": comment} if comment else {}
        archive.addfile(info, io.BytesIO(content))


def write_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/model.pkl", pickle.dumps([CANARY]))
        archive.writestr("b.json", json.dumps({CANARY: 1}))


WRITERS = {
    "a.json": lambda path: path.write_text(json.dumps({"a": [{CANARY: 1}, {"b": CANARY}]})),
    "lines.jsonl": lambda path: path.write_text(f'{{"a": 1}}\n{{"a": "{CANARY}"}}\n'),
    "twice.json": lambda path: path.write_text(f'{{"a": "{CANARY}", "a": 1}}'),
    "cut.json": lambda path: path.write_text(f'{{"a": "{CANARY}'),
    "a.csv": lambda path: TABLE.to_csv(path, index=False),
    "a.tsv": lambda path: TABLE.to_csv(path, index=False, sep="\t"),
    "ragged.csv": lambda path: path.write_text(f"a\n1,2,3,{CANARY}\n"),
    "nul.csv": lambda path: path.write_text(f"a,b\n\0,{CANARY}\n"),
    "a.html": TABLE.to_html,
    "hidden.html": lambda path: path.write_text(f"<html><!-- {CANARY} --><p></p></html>"),
    "attribute.html": lambda path: path.write_text(f"<html><p title='{CANARY}'></p></html>"),
    "script.html": lambda path: path.write_text(f"<html><script>a = '{CANARY}' < 3</script></html>"),
    "cut.html": lambda path: path.write_text(f"<html><p title='{CANARY}"),
    "a.db": write_sqlite,
    "names.db": lambda path: write_sqlite(path, TABLE[["n"]], then=f"CREATE TABLE t(a DEFAULT '{CANARY}')"),
    "rows.db": lambda path: write_sqlite(path, TABLE[:0], then="INSERT INTO people(rowid) VALUES (4111111111111111)"),
    "version.db": lambda path: write_sqlite(path, TABLE[:0], then="PRAGMA user_version = 411111111"),
    "behind.db": write_behind,
    "owner.tar": lambda path: write_tar(path, "plain", "w", owner=CANARY),
    "pax.tar": lambda path: write_tar(path, "plain", "w", owner="a", comment=CANARY),
    "link.tar": lambda path: write_tar(path, "plain", "w", owner="a", link=CANARY),
    "a.db.gz": lambda path: path.write_bytes(gzip.compress(database_of(path))),
    "without.db": lambda path: write_sqlite(path, TABLE[["name"]], then=ROWLESS),
    "tag.html": lambda path: path.write_text(f"<html><{CANARY}>"),
    "nested.parquet": lambda path: parquet.write_table(pa.table({"a": [[{"b": CANARY}]]}), path),
    "names.parquet": lambda path: parquet.write_table(pa.table({CANARY: pa.array([], pa.int64())}), path),
    "a.parquet": TABLE.to_parquet,
    "a.arrow": lambda path: feather.write_feather(pa.Table.from_pandas(TABLE), str(path)),
    "MLmodel": lambda path: path.write_text(f"flavors:\n  sklearn: {{code: {CANARY}}}\n"),
    "params/alpha": lambda path: path.write_text(CANARY),
    "requirements.txt": lambda path: path.write_text(CANARY),
    "utf16.txt": lambda path: path.write_text(CANARY, encoding="utf-16"),
    "latin.txt": lambda path: path.write_bytes(b"Andr\xe9 " + CANARY.encode()),
    "a.npy": lambda path: np.save(path, np.array([CANARY])),
    "objects.npy": lambda path: np.save(path, np.array([CANARY, None], dtype=object)),
    "fields.npy": lambda path: np.save(path, np.zeros(2, np.dtype([(CANARY, "i4")]))),
    "a.npz": lambda path: np.savez_compressed(path, a=np.array([CANARY])),
    "a.zip": write_zip,
    "a.tar": lambda path: write_tar(path, "plain", "w"),
    "a.tar.gz": write_tar,
    "a.pkl.gz": lambda path: path.write_bytes(gzip.compress(pickle.dumps([CANARY]))),
    "a.csv.gz": lambda path: TABLE.to_csv(path, index=False),
    "a.skops": lambda path: skops.io.dump([CANARY], path),
    "a.pkl": lambda path: path.write_bytes(pickle.dumps({CANARY: TABLE})),
}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        WRITERS[name](folder / name)


def assert_nothing_is_shown(report):
    for shown in (repr(report), str(report), report._repr_html_(), report.to_json(), *map(repr, report)):
        assert CANARY not in shown
        assert "4111111111111111" not in shown


@pytest.mark.parametrize("name", WRITERS)
def test_each_kind_of_file(folder, name):
    """A file of this kind that holds a canary has a finding of high severity, and the report does not show it."""
    make(folder, name)
    for path in (folder / name, folder):
        report = leak_report(path)
        assert report.at_least("high")
        assert_nothing_is_shown(report)
        with pytest.raises(SealedFileError) as refused:
            leak_report(path, strict=True)
        assert CANARY not in str(refused.value)


@pytest.mark.parametrize("name", sorted(WRITERS.keys() - {"latin.txt", "nul.csv"}))
def test_each_kind_is_read(folder, name):
    """And all of it is read: nothing is put aside as unknown."""
    make(folder, name)
    assert leak_report(folder).unread == ()


def test_a_whole_folder(folder):
    """A folder lists the findings of each of its files by its path, in the order of the paths."""
    make(folder, *WRITERS)
    report = leak_report(folder)
    paths = list(dict.fromkeys(leak.path for leak in report))
    assert sorted(paths) == sorted(WRITERS)
    assert [path for path in paths if "/" not in path] == sorted(path for path in paths if "/" not in path)
    assert leak_report(folder).leaks == report.leaks
    assert_nothing_is_shown(report)
    assert CANARY in str(leak_report(folder, show=True))


def test_a_folder_of_sealed_models(folder):
    """A folder that holds only ciphertext shows nothing; empty files and folders are nothing either."""
    (folder / "deep" / "er").mkdir(parents=True)
    dump(Ridge(), folder / "deep" / "model.mpriv", key=KEYS)
    (folder / "model.pkl").write_bytes(pickle.dumps(EncryptedEstimator(Ridge(), key=KEYS)))
    (folder / "_SUCCESS").touch()
    assert leak_report(folder, strict=True).leaks == ()


def test_nothing_is_skipped_in_silence(folder):
    """Links, pipes, files of no known kind and files that may not be read are listed, each with the reason."""
    folder.mkdir()
    (folder / "target.txt").write_text("a")
    (folder / "link").symlink_to(folder / "target.txt")
    (folder / "nowhere").symlink_to(folder / "nothing")
    (folder / "round").symlink_to(folder)
    (folder / ".hidden").write_bytes(b"\x00\xff\xfe\x01")
    os.mkfifo(folder / "pipe")
    unread = {leak.path: leak.reason for leak in leak_report(folder).unread}
    assert unread.keys() == {"link", "nowhere", "round", ".hidden", "pipe"}
    assert all(unread.values())
    assert leak_report(folder / "pipe").unread


def test_a_file_that_cannot_be_opened(folder, monkeypatch):
    """A file that the system refuses is listed, and the others are still read."""
    make(folder, "a.json", "a.csv")
    opened = type(folder).open

    def refuse(path, *arguments, **options):
        if path.name == "a.csv":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(type(folder), "open", refuse)
    report = leak_report(folder)
    assert [(leak.path, leak.reason) for leak in report.unread] == [("a.csv", "Permission denied")]
    assert any(leak.path == "a.json" for leak in report)


def test_names_of_partitions(folder):
    """The values that name a table's partitions are a finding, and are not shown in a path."""
    pq = folder / f"name={CANARY}" / "n=3"
    pq.mkdir(parents=True)
    PROTECTED.to_parquet(pq / "part.parquet")
    report = leak_report(folder)
    assert [leak.path for leak in report.at_least("high") if "folder" in leak.place] == ["name=…/", "name=…/n=…/"]
    assert_nothing_is_shown(report)


def test_paths_cannot_write_to_the_terminal(folder):
    """Control characters in the name of a file are shown escaped."""
    folder.mkdir()
    (folder / "a\x1b[2J.txt").write_text("a")
    report = leak_report(folder)
    assert "\x1b" not in str(report) + report.to_json()
    assert "x1b" in report.leaks[0].path


# --- tables ---


@pytest.mark.parametrize("name", ["protected.csv", "protected.parquet", "protected.csv.gz"])
def test_a_column_of_tokens(folder, name):
    """A column all of whose cells are tokens is of low severity; with another cell in it, or of another key, high."""
    folder.mkdir()

    def kinds(table):
        if "csv" in name:
            table.to_csv(folder / name, index=False)
        else:
            table.to_parquet(folder / name)
        return {leak.kind for leak in leak_report(folder) if "column[0]" in leak.place}

    assert kinds(PROTECTED) == {"tokens"}
    assert kinds(pd.concat([PROTECTED, TABLE[["name"]]])) == {"text"}
    other = FieldEncryptor(columns=["name"], key=Keyring.generate()).fit_transform(TABLE[["name"]])
    assert kinds(pd.concat([PROTECTED, other])) == {"text"}


def test_cells_are_counted(folder):
    """A table's columns have the number of their cells and their kind, by the column's number."""
    make(folder, "a.csv", "a.parquet", "a.db")
    report = leak_report(folder)
    for path, place in (("a.csv", "column"), ("a.parquet", "column"), ("a.db", "table[0] column")):
        found = {leak.place: (leak.kind, leak.count) for leak in report if leak.path == path}
        assert found[f"{place}[0]"] == ("text", 2)
        assert found[f"{place}[1]"] == ("numbers", 3)


EMPTIED = """
    DELETE FROM people;
    CREATE VIEW v AS SELECT a FROM nowhere;
    CREATE TRIGGER t AFTER INSERT ON people BEGIN SELECT 1; END;
"""


def test_what_a_database_holds_besides(tmp_path):
    """The statements that made a database, and pages that are free, are findings; views are not run."""
    path = tmp_path / "a.db"
    many = pd.DataFrame({"a": ["x" * 1000] * 50})
    write_sqlite(path, many, then=EMPTIED)
    found = {leak.place for leak in leak_report(path)}
    assert found == {"schema", "free pages"}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.db"]


@pytest.mark.parametrize("name", ["a.db", "a.parquet", "a.arrow", "a.npy", "a.zip", "a.tar.gz", "a.skops"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_is_cut(folder, name, share):
    """A file that is cut is reported, whatever of it could be read."""
    make(folder, name)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * share)])
    assert leak_report(folder).leaks
    assert leak_report(folder / name).leaks


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A small file of each kind but those of Parquet and Arrow, where pyarrow may end the process."""
    folder = tmp_path_factory.mktemp("samples")
    names = [name for name in WRITERS if not name.endswith((".parquet", ".arrow"))]
    make(folder, *names)
    return {name: (folder / name).read_bytes() for name in names}


@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_damage(samples, tmp_path_factory, data):
    """Whatever is done to a file, a report comes, and no error."""
    name = data.draw(st.sampled_from(list(samples)))
    damaged = bytearray(samples[name])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged)))
        end = data.draw(st.integers(start, min(len(damaged), start + 16)))
        damaged[start:end] = data.draw(st.binary(max_size=16))
    path = tmp_path_factory.getbasetemp() / f"damaged{name.replace('/', '_')}"
    path.write_bytes(damaged)
    leak_report(path)


def test_a_name_that_is_no_text(tmp_path):
    """Names in a database that are not UTF-8 do not end the report."""
    path = tmp_path / "a.db"
    write_sqlite(path)
    path.write_bytes(path.read_bytes().replace(CANARY.encode(), b"\xff" * len(CANARY)))
    assert leak_report(path).leaks


def test_parquet_metadata(tmp_path):
    """What a Parquet or Arrow file says beyond its cells is a finding."""
    table = pa.table({"a": [1]}).replace_schema_metadata({"note": CANARY})
    parquet.write_table(table, tmp_path / "a.parquet")
    feather.write_feather(table, str(tmp_path / "a.arrow"))
    field = pa.schema([pa.field("a", pa.int64(), metadata={"note": CANARY})])
    parquet.write_table(pa.table({"a": [1]}, schema=field), tmp_path / "b.parquet")
    for name in ("a.parquet", "a.arrow", "b.parquet"):
        assert CANARY in str(leak_report(tmp_path / name, show=True))


def test_an_encrypted_member(tmp_path):
    """A member that zip encrypted is listed as not read."""
    path = tmp_path / "a.zip"
    write_zip(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "encrypted" in leak_report(path).unread[0].reason
