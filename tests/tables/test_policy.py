"""Policies: the rules of a table as plain data, in TOML, JSON and YAML, the same each way, refused with the line."""

import json
import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv import AuditLog, Deidentifier, FieldEncryptor, Generalizer, Keyring, Masker, Pseudonymizer
from modelpriv.errors import ParameterError
from modelpriv.tables import policy as policies
from modelpriv.tables import policy_files, policy_schema

ROOT = Path(__file__).parent.parent.parent
TABLE = pd.DataFrame(
    {
        "name": ["Ada Canary", "Bo Canary"],
        "postcode": ["90210", "10001"],
        "addr 1": ["a", "b"],
        "addr 2": ["c", "d"],
        "age": [36, 41],
        "sex": ["f", "m"],
    }
)
TOML = """
version = 1
unnamed = "raise"

[columns]
name = { transformer = "Masker", format = "name" }
postcode = { transformer = "FieldEncryptor", mode = "deterministic" }
area = { from = "postcode", transformer = "Generalizer", to = "zip3" }
age = [{ transformer = "Generalizer", to = "interval", width = 10 }]

[[groups]]
match = "addr .*"
rule = "drop"

[[groups]]
columns = ["sex"]
rule = "keep"
"""


@pytest.fixture(params=["toml", "json", "yaml"])
def path(request, tmp_path):
    """The same policy in each kind of file."""
    if request.param == "yaml":
        pytest.importorskip("yaml", reason="install pyyaml")
    found = tmp_path / f"policy.{request.param}"
    policy_files.write(found, tomllib.loads(TOML))
    return found


def test_a_table_by_a_policy(path, keyring):
    """A policy file of each kind protects a table by its rules."""
    step = Deidentifier.from_policy(path, key=keyring)
    released = step.fit_transform(TABLE)
    assert list(released) == ["name", "postcode", "area", "age", "sex"]
    assert released["area"].tolist() == ["902", "100"]
    assert released["age"].tolist() == ["[30, 40)", "[40, 50)"]
    assert step.inverse_transform(released)["postcode"].tolist() == TABLE["postcode"].tolist()


def test_there_and_back(path, tmp_path, keyring):
    """What is written says the same as what was read, and has the same digest, in whatever kind of file."""
    step = Deidentifier.from_policy(path, key=keyring)
    for suffix in ("toml", "json"):
        again = tmp_path / f"again.{suffix}"
        written = step.to_policy(again)
        assert Deidentifier.from_policy(again).to_policy() == written
        assert policies.digest(policy_files.read(again)[0]) == policies.digest(written)
    assert "key" not in json.dumps(written)
    assert keyring.primary not in json.dumps(written)


def test_the_digest_is_in_summary_and_log(path, tmp_path, keyring):
    """The digest of the policy is in every summary and audit event."""
    step = Deidentifier.from_policy(path, key=keyring)
    with AuditLog(tmp_path / "log", key=keyring):
        step.fit_transform(TABLE)
    wanted = policies.digest(step.to_policy())
    assert step.summary_.policy == wanted
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [event["policy"] for event in events if event["action"] == "fit_transform"] == [wanted]


def test_rules_in_python(keyring):
    """Rules that were written in Python become a policy if their columns have names."""
    rules = {
        "name": Masker("name"),
        ("addr 1", "addr 2"): "drop",
        re.compile("post.*"): [Masker(keep_first=1), FieldEncryptor()],
        "age": "keep",
        "sex": Pseudonymizer(),
    }
    document = Deidentifier(rules, key=keyring).to_policy()
    made = Deidentifier.from_policy(document, key=keyring).fit(TABLE)
    assert [name for name, _ in made.steps_] == [name for name, _ in Deidentifier(rules, key=keyring).fit(TABLE).steps_]
    for odd in ({lambda _: ["a"]: "keep"}, {"a": Own()}, {"a": Masker(keep_first=object())}):
        with pytest.raises(ParameterError, match="cannot"):
            Deidentifier(odd).to_policy()


class Own(Masker):
    """A transformer that no policy can name."""


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        st.sampled_from(["keep", "drop", {"transformer": "Masker", "char": "•"}, [{"transformer": "Masker"}]]),
        min_size=1,
    )
)
def test_any_column_names(tmp_path_factory, columns):
    """Whatever the names of columns, each kind of file gives the policy back."""
    document = {"version": 1, "unnamed": "raise", "missing": "raise", "columns": columns}
    for suffix in ("toml", "json"):
        path = tmp_path_factory.mktemp("policy") / f"p.{suffix}"
        policy_files.write(path, document)
        assert policy_files.read(path)[0] == document


WRONG = {
    "a misspelt field": ('unnammed = "drop"', "Did you mean 'unnamed'"),
    "a misspelt transformer": ('[columns]\na = { transformer = "Maskr" }', "Did you mean 'Masker'"),
    "a misspelt parameter": ('[columns]\na = { transformer = "Masker", fromat = "name" }', "Did you mean 'format'"),
    "a misspelt rule": ('[columns]\na = "kep"', "Did you mean 'keep'"),
    "a key": ('[columns]\na = { transformer = "FieldEncryptor", key = "env:X" }', "a policy never does"),
    "to be reviewed": ('[columns]\na = "review"', "decide what becomes"),
    "no transformer": ("[columns]\na = 5", "'keep', 'drop', or a table"),
    "no rules": ("", "no rules"),
    "a group without columns": ('[[groups]]\nrule = "keep"', "either columns or match"),
    "a bad pattern": ('[[groups]]\nmatch = "("\nrule = "keep"', "regular expression"),
    "a wrong value": ('[columns]\na = { transformer = "Masker", format = "emial" }', "format must be"),
    "a wrong choice": ('unnamed = "keep"\n[columns]\na = "keep"', "unnamed is 'keep'"),
    "columns that are none": ('[[groups]]\ncolumns = "a"\nrule = "keep"', "a list of names"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_refused_with_its_line(kind, tmp_path):
    """An unknown or misspelt field is refused with the file, the line and the nearest right one."""
    text, match = WRONG[kind]
    path = tmp_path / "policy.toml"
    path.write_text(f"version = 1\n{text}\n")
    with pytest.raises(ParameterError, match=re.escape(match)) as raised:
        Deidentifier.from_policy(path)
    assert "policy.toml'" in str(raised.value)
    if kind.startswith(("a misspelt", "a key", "to be")):
        assert f"line {2 if kind == 'a misspelt field' else 3}:" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("p.toml", 'version = 1\n[columns]\na = "keep"\na = "drop"', "is not TOML"),
        ("p.json", '{"version": 1, "columns": {"a": "drop", "a": "keep"}}', "there twice"),
        ("p.json", "{", "is not JSON"),
        ("p.json", "[]", "must be a table"),
        ("p.json", '{"version": 2}', "version is 2"),
        ("p.json", b"\xff", "is not JSON"),
        ("p.txt", "", "must end in"),
    ],
)
def test_files_that_are_no_policy(tmp_path, name, content, match):
    """A file that is cut, says something twice, or is of another version or kind is refused."""
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ParameterError, match=match):
        Deidentifier.from_policy(tmp_path / name)


def test_a_check_is_not_passed_over():
    """A policy that seems to ask for a check is refused: no file can hold one, and it would be released unchecked."""
    with pytest.raises(ParameterError, match="check="):
        Deidentifier.from_policy({"version": 1, "check": {"k": 5}, "columns": {"age": "keep"}})


@pytest.mark.parametrize("name", ["Generalizer", "DateShifter"])
def test_a_parameter_that_is_missing(name):
    """A transformer without a parameter that it must have is refused as a fault of the policy."""
    with pytest.raises(ParameterError, match=r"columns\.a lacks"):
        Deidentifier.from_policy({"version": 1, "columns": {"a": {"transformer": name}}})


def test_flags_of_a_pattern():
    """A pattern keeps its flags in a policy if they are in its text, and is refused if not: it would match others."""
    rule = re.compile("(?i)NAME")
    assert Deidentifier({rule: "drop"}).to_policy()["groups"][0]["match"] == "(?i)NAME"
    with pytest.raises(ParameterError, match=r"\(\?i\)"):
        Deidentifier({re.compile("NAME", re.IGNORECASE): "drop"}).to_policy()


def test_yaml_is_safe_and_strict(tmp_path):
    """YAML cannot make objects, nor say a field twice: an indentation slip does not turn a rule off."""
    pytest.importorskip("yaml", reason="install pyyaml")
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\ncolumns:\n  a: drop\n  a: keep\n")
    with pytest.raises(ParameterError, match="there twice"):
        Deidentifier.from_policy(path)
    path.write_text("version: 1\ncolumns:\n  a: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(ParameterError, match="is not YAML"):
        Deidentifier.from_policy(path)
    path.write_text("version: 1\ncolumns:\nname: drop\n")
    with pytest.raises(ParameterError, match="unknown field 'name'"):
        Deidentifier.from_policy(path)


def test_a_policy_is_written_whole(tmp_path, keyring):
    """A policy that cannot be written leaves the file that was there."""
    path = tmp_path / "p.json"
    path.write_text("before")
    with pytest.raises(ParameterError):
        Deidentifier({lambda _: []: "keep"}).to_policy(path)
    assert path.read_text() == "before"
    assert Path(path).parent.joinpath("p.json").exists()


def test_the_schema_is_published():
    """The documentation has the schema of this version, and it takes a policy and refuses a misspelt one."""
    published = json.loads((ROOT / "docs" / "tables" / "policy.schema.json").read_text())
    assert published == json.loads(json.dumps(policy_schema()))
    jsonschema = pytest.importorskip("jsonschema", reason="install jsonschema")
    validator = jsonschema.Draft202012Validator(published)
    good = tomllib.loads(TOML)
    assert not list(validator.iter_errors(good))
    for odd in (
        good | {"unnammed": "drop"},
        good | {"version": 2},
        good | {"columns": {"a": "kep"}},
        good | {"columns": {"a": {"transformer": "Maskr"}}},
        good | {"columns": {"a": {"transformer": "Masker", "format": "emial"}}},
        good | {"columns": {"a": {"transformer": "Masker", "key": "env:X"}}},
        good | {"groups": [{"rule": "keep"}]},
    ):
        assert list(validator.iter_errors(odd))


def test_every_transformer_can_be_named():
    """A policy can name every transformer of columns that the package has, with its own parameters."""
    for name, cls in policies.transformers().items():
        assert cls.__module__ == "modelpriv", name
        assert "key" not in policies.parameters_of(name)
    assert {"Masker", "Replacer", "Pseudonymizer", "FieldEncryptor", "Generalizer"} <= policies.transformers().keys()
    assert Generalizer in policies.transformers().values()
    assert Keyring not in policies.transformers().values()
