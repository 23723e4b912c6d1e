"""The commands ``policy`` and ``protect``: a policy checked, shown, compared, and a table released by it."""

import json

import pandas as pd
import pytest

from modelpriv import Deidentifier, Keyring
from modelpriv._columns.files import read_table, write_table
from modelpriv.errors import InputError, ParameterError

CSV = "id,name,postcode,age,vip,note\nP-1,Ada Canary,02138,36,True,canary\nP-2,Bo Canary,10001,41,False,canary\n"
POLICY = """
version = 1

[columns]
id = { transformer = "FieldEncryptor", mode = "deterministic" }
name = { transformer = "Masker", format = "name" }
postcode = { transformer = "Masker", keep_first = 2 }
age = "keep"
vip = "keep"
note = "drop"
"""


@pytest.fixture
def keys(run, tmp_path, monkeypatch):
    """A keyring under ``env:KEYS``, a table and its policy."""
    made = Keyring.generate()
    monkeypatch.setenv("KEYS", made.export_secret())
    (tmp_path / "people.csv").write_text(CSV)
    (tmp_path / "people.toml").write_text(POLICY)
    return made


def test_protect(ask, keys, tmp_path):
    """A table is written protected, whole; codes with leading zeros stay codes, and the summary counts."""
    found = ask("protect", "people.csv", "out.parquet", "--policy", "people.toml", "--key", "env:KEYS")
    assert (found["rows"], found["kept"], found["dropped"]) == (2, ["age", "vip"], ["note"])
    released = pd.read_parquet("out.parquet")
    assert released["postcode"].tolist() == ["02***", "10***"]
    assert released["age"].tolist() == [36, 41]
    assert "canary" not in (tmp_path / "out.parquet").read_bytes().decode(errors="replace").lower().replace(
        "c*****", ""
    )
    step = Deidentifier.from_policy("people.toml", key=keys).fit(read_table("people.csv"))
    assert step.inverse_transform(released)["id"].tolist() == ["P-1", "P-2"]
    assert found["policy"] == ask("policy", "check", "people.toml")["digest"]


def test_protect_refuses_what_is_not_named(run, keys, tmp_path):
    """A column that the policy does not name stops the command, and no file is written."""
    (tmp_path / "more.csv").write_text(CSV.replace("note", "ssn", 1))
    code, said = run("protect", "more.csv", "out.csv", "--policy", "people.toml", "--key", "env:KEYS")
    assert code == 1
    assert "'ssn'" in said
    assert not (tmp_path / "out.csv").exists()
    assert run("protect", "people.csv", "out.txt", "--policy", "people.toml", "--key", "env:KEYS")[0] == 1
    assert run("protect", "people.csv", "out.csv", "--policy", "people.toml")[0] == 1
    assert run("protect", "nowhere.csv", "out.csv", "--policy", "people.toml")[0] == 3


@pytest.mark.parametrize("row", ["36,Canary,", "36,Canary,more"])
def test_protect_refuses_cells_without_a_name(run, tmp_path, row):
    """Rows that are longer than the header are refused: their cells would be under the names of other columns."""
    (tmp_path / "long.csv").write_text(f"age,name\n{row}\n{row}\n")
    (tmp_path / "kept.json").write_text('{"version": 1, "columns": {"age": "keep", "name": "drop"}}')
    code, said = run("protect", "long.csv", "out.csv", "--policy", "kept.json")
    assert code == 3
    assert "more cells than its header" in said
    assert "Canary" not in said
    assert not (tmp_path / "out.csv").exists()


def test_an_index_in_parquet_is_a_column(run, tmp_path):
    """What pandas wrote as an index is a column of the file, which the policy has to name."""
    pd.DataFrame({"id": ["canary"], "age": [36]}).set_index("id").to_parquet(tmp_path / "in.parquet")
    (tmp_path / "kept.json").write_text('{"version": 1, "columns": {"age": "keep"}}')
    code, said = run("protect", "in.parquet", "out.parquet", "--policy", "kept.json")
    assert code == 1
    assert "'id'" in said
    (tmp_path / "kept.json").write_text('{"version": 1, "columns": {"age": "keep", "id": "drop"}}')
    assert run("protect", "in.parquet", "out.parquet", "--policy", "kept.json")[0] == 0
    assert b"canary" not in (tmp_path / "out.parquet").read_bytes()


def test_check(run, ask, keys, tmp_path):
    """A policy that can be used is said to be so; a fault is shown with its line."""
    assert ask("policy", "check", "people.toml", "--data", "people.csv")["columns"] == 6
    (tmp_path / "bad.toml").write_text(POLICY.replace("Masker", "Maskr", 1))
    code, said = run("policy", "check", "bad.toml")
    assert code == 1
    assert "line 6" in said
    assert "Did you mean 'Masker'" in said
    (tmp_path / "few.csv").write_text("id\nP-1\n")
    assert run("policy", "check", "people.toml", "--data", "few.csv")[0] == 1
    (tmp_path / "cut.parquet").write_bytes(b"PAR1canary")
    assert run("policy", "check", "people.toml", "--data", "cut.parquet")[0] == 3


def test_plan(run, ask, keys):
    """The plan shows each column, and no value."""
    code, said = run("policy", "plan", "people.toml", "--data", "people.csv")
    assert code == 0
    assert "who has the key" in said
    assert [one["column"] for one in ask("policy", "plan", "people.toml", "--data", "people.csv")][:2] == ["id", "name"]


def test_diff(run, ask, keys, tmp_path):
    """The difference between two policies says what a change shows more of."""
    assert ask("policy", "diff", "people.toml", "people.toml") == []
    changed = POLICY.replace('note = "drop"', 'note = "keep"').replace("version = 1", 'version = 1\nunnamed = "drop"')
    (tmp_path / "new.toml").write_text(changed.replace('vip = "keep"\n', ""))
    code, said = run("policy", "diff", "people.toml", "new.toml")
    assert code == 1
    assert "note: drop → keep; shows nothing → everything" in said
    assert "vip: keep → no rule; shows everything" in said
    assert {one["columns"] for one in json.loads(run("policy", "diff", "people.toml", "new.toml", "--json")[1])} == {
        "note",
        "vip",
    }


def test_tables_in_files(tmp_path):
    """A CSV column becomes numbers only if all of its cells are written so; what is written comes back."""
    (tmp_path / "a.csv").write_text("a,b,c,d,e\n007,1,1.5,,True\n8,,2,x,False\n")
    table = read_table(tmp_path / "a.csv")
    assert table["a"].tolist() == ["007", "8"]
    assert str(table["b"].dtype) == "Int64"
    assert table["c"].tolist() == [1.5, 2.0]
    assert table["e"].tolist() == [True, False]
    for suffix in ("csv", "parquet"):
        write_table(table, tmp_path / f"b.{suffix}")
        pd.testing.assert_frame_equal(read_table(tmp_path / f"b.{suffix}"), table)
    with pytest.raises(ParameterError, match="must end in"):
        write_table(table, tmp_path / "b.txt")
    (tmp_path / "c.csv").write_bytes(b"\x00\xff,\xff")
    with pytest.raises(InputError, match="neither a whole Parquet"):
        read_table(tmp_path / "c.csv")


def test_suggest(run, ask, keys):
    """A policy to begin with is written once, lists what a person decides, and is checked like any other."""
    found = ask("policy", "suggest", "people.csv", "new.toml")
    assert found["columns"] == 6
    assert run("policy", "check", "new.toml")[0] == (1 if found["review"] else 0)
    assert run("policy", "suggest", "people.csv", "new.toml")[0] == 1


def test_protect_replaces_nothing_unasked(run, keys, tmp_path):
    """OUT is not replaced without --force, and never TABLE itself, under whatever name."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "people.csv")
    (tmp_path / "out.csv").write_text("before")
    common = ("--policy", "people.toml", "--key", "env:KEYS")
    for out, force in (("people.csv", ()), ("people.csv", ("--force",)), ("link.csv", ("--force",)), ("out.csv", ())):
        code, said = run("protect", "people.csv", out, *common, *force)
        assert (code, "not replaced" in said) == (1, True), said
    assert (tmp_path / "people.csv").read_text() == CSV
    assert (tmp_path / "out.csv").read_text() == "before"
    assert run("protect", "people.csv", "out.csv", *common, "--force")[0] == 0


@pytest.mark.parametrize(
    "rule", ['{ transformer = "Masker", format = "emial" }', '{ transformer = "Generalizer", to = "interval" }']
)
def test_check_looks_at_values(run, keys, tmp_path, rule):
    """A parameter with a wrong value, and one that is missing, are found by check, without a table."""
    (tmp_path / "bad.toml").write_text(POLICY.replace('"keep"', rule, 1))
    code, said = run("policy", "check", "bad.toml")
    assert code == 1
    assert "columns.age" in said


def test_check_tries_the_rules(run, keys, tmp_path):
    """With a table, a rule that does not fit its column is found."""
    (tmp_path / "bools.toml").write_text(POLICY.replace('vip = "keep"', 'vip = { transformer = "Masker" }'))
    assert run("policy", "check", "bools.toml")[0] == 0
    assert run("policy", "check", "bools.toml", "--data", "people.csv")[0] in {1, 3}


@pytest.mark.filterwarnings("default::modelpriv.errors.ProtectionWarning")
def test_columns_that_stay_text(run, ask, keys, tmp_path):
    """What a policy lists as text joins over files, also where one of them could be numbers; warnings are sentences."""
    (tmp_path / "a.csv").write_text("zip, phone\n1234,none\n")
    (tmp_path / "b.csv").write_text("zip, phone\n1234,none\n0042,none\n")
    rules = [
        'zip = { transformer = "FieldEncryptor", mode = "deterministic" }',
        'phone = { transformer = "Masker", format = "phone" }',
    ]
    (tmp_path / "p.toml").write_text("\n".join(["version = 1", 'text = ["zip"]', "[columns]", *rules]))
    for name in "ab":
        code, said = run("protect", f"{name}.csv", f"{name}.parquet", "--policy", "p.toml", "--key", "env:KEYS")
        assert code == 0
        assert "modelpriv: note: Column 'phone'" in said
        assert "__main__" not in said
    assert len(pd.read_parquet("a.parquet").merge(pd.read_parquet("b.parquet"), on="zip")) == 1
