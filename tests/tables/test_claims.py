"""Claims and profiles: rules that do not answer a clause are refused with it, and the note says what people decide."""

import json

import pandas as pd
import pytest

from modelpriv import DateShifter, Deidentifier, FieldEncryptor, Generalizer, Keyring, Masker, Pseudonymizer
from modelpriv.errors import ParameterError
from modelpriv.tables.claims import CLAIMS
from modelpriv.tables.roles import DIRECT, ROLES, SAFE_HARBOR

KEYS = Keyring.generate()
CELLS = {
    "postcode": ["90210", "03601", "10001"],
    "date_of_birth": ["1987-03-14", "1990-01-02", "1930-05-06"],
    "date": ["2024-03-14", "2024-01-02", "2024-05-06"],
    "age": [36, 41, 93],
    "card": ["4111111111111111", "378282246310005", "4000056655665556"],
    "measure": [1.5, 2.5, 3.5],
}


def table(*roles):
    """A table with a column for each role, named like it."""
    return pd.DataFrame({role: CELLS.get(role, [f"canary {role} {n}" for n in range(3)]) for role in roles})


def fit(claim, rules, **roles):
    """Fit rules under a claim; the roles are the names of the columns unless they are given."""
    sources = [name for name, rule in rules.items() if not isinstance(rule, tuple)]
    people = table(*(roles.get(name, name) for name in sources)).set_axis(sources, axis=1)
    roles = {name: roles.get(name, name) for name in sources}
    step = Deidentifier(rules, key=KEYS, claim=claim, roles=roles)
    return step, people, step.fit_transform(people)


SUPPORTED = {
    "dropped": ("hipaa-safe-harbor", {"name": "drop", "sex": "keep"}),
    "zip3": ("hipaa-safe-harbor", {"postcode": Generalizer("zip3")}),
    "a year": ("hipaa-safe-harbor", {"date": Generalizer("year")}),
    "a birth year with a bound": ("hipaa-safe-harbor", {"date_of_birth": Generalizer("year", bottom="1936-01-01")}),
    "90 or older": ("hipaa-safe-harbor", {"age": Generalizer("bounded", top=90)}),
    "limited": ("hipaa-limited", {"name": "drop", "postcode": "keep", "date_of_birth": "keep", "city": "keep"}),
    "one truncation": ("pci-dss", {"card": Masker("card"), "measure": "keep"}),
    "own truncation": ("pci-dss", {"card": Masker(keep_first=6, keep_last=4)}),
    "a token alone": ("pci-dss", {"card": FieldEncryptor("deterministic")}),
    "pseudonymised": ("gdpr-pseudonymised", {"email": Pseudonymizer(), "age": "keep"}),
    "chinese": ("gb-t-37964", {"name": "drop", "city": "keep"}),
}


@pytest.mark.parametrize("kind", SUPPORTED)
def test_rules_that_support_a_claim(kind):
    """Rules that answer every clause are fitted, and the note lists each answer and what a person decides."""
    claim, rules = SUPPORTED[kind]
    step, people, released = fit(claim, rules)
    note = step.release_note(people)
    assert {one.answer for one in note.answers} <= {"supported", "a person decides"}
    assert any(one.answer == "a person decides" for one in note.answers)
    assert len(released) == 3


REFUSED = {
    "a name": ("hipaa-safe-harbor", {"name": Masker("name")}, r"164\.514\(b\)\(2\)\(i\)\(A\)"),
    "a token": ("hipaa-safe-harbor", {"record_id": FieldEncryptor("deterministic")}, r"164\.514\(c\)"),
    "a pseudonym": ("hipaa-safe-harbor", {"ssn": Pseudonymizer()}, r"164\.514\(c\)"),
    "last 4": ("hipaa-safe-harbor", {"ssn": Masker("ssn")}, r"\(G\)"),
    "a shifted date": (
        "hipaa-safe-harbor",
        {"other_id": "drop", "date": DateShifter(subject="other_id")},
        r"164\.514\(c\)",
    ),
    "a postcode": ("hipaa-safe-harbor", {"postcode": Generalizer("prefix", length=3)}, "zip3"),
    "a month": ("hipaa-safe-harbor", {"date": Generalizer("month")}, r"\(C\)"),
    "a birth year": ("hipaa-safe-harbor", {"date_of_birth": Generalizer("year")}, "bottom="),
    "an age": ("hipaa-safe-harbor", {"age": "keep"}, "top=90"),
    "an age group": ("hipaa-safe-harbor", {"age": Generalizer("interval", width=10)}, "top=90"),
    "a birth year with an age": (
        "hipaa-safe-harbor",
        {"date_of_birth": Generalizer("year", bottom="1936-01-01"), "age": Generalizer("bounded", top=90)},
        "next to an age",
    ),
    "a street": ("hipaa-limited", {"street": "keep", "city": "keep"}, r"164\.514\(e\)"),
    "a card": ("pci-dss", {"card": "keep"}, r"3\.5\.1"),
    "too many digits": ("pci-dss", {"card": Masker(keep_first=8, keep_last=4)}, r"3\.5\.1"),
    "two truncations": ("pci-dss", {"card": Masker("card"), "end": ("card", Masker(keep_last=4))}, "side by side"),
    "a truncation with a token": (
        "pci-dss",
        {"card": FieldEncryptor(), "end": ("card", Masker("card"))},
        "side by side",
    ),
    "no card": ("pci-dss", {"measure": "keep"}, "roles="),
    "an e-mail address": ("gdpr-pseudonymised", {"email": "keep"}, r"Article 4\(5\)"),
    "a phone": ("gb-t-37964", {"phone": "keep"}, "37964"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_rules_that_do_not(kind):
    """Rules that leave a clause without an answer are refused, with the clause, and nothing comes out."""
    claim, rules, match = REFUSED[kind]
    with pytest.raises(ParameterError, match=match) as raised:
        fit(claim, rules)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("claim", ["hipaa-safe-harbor", "hipaa-limited", "gdpr-pseudonymised", "gb-t-37964"])
def test_a_column_of_unknown_content(claim):
    """A column is refused if you did not say what it holds, unless it is dropped."""
    people = table("sex", "measure")
    step = Deidentifier({"sex": "keep", "measure": "keep"}, claim=claim, roles={"sex": "sex"})
    with pytest.raises(ParameterError, match=r"'measure': say in roles="):
        step.fit(people)
    assert len(step.set_params(rules={"sex": "keep", "measure": "drop"}).fit_transform(people)) == 3


@pytest.mark.parametrize("profile", CLAIMS)
def test_a_profile_supports_its_claim(profile, tmp_path):
    """The rules of a profile for every role answer all clauses of its claim, and are a policy."""
    roles = {role: role for role in sorted(ROLES) if not (profile == "hipaa-safe-harbor" and role == "date_of_birth")}
    people = table(*roles)
    step = Deidentifier.from_profile(profile, roles, key=KEYS)
    released = step.fit_transform(people)
    assert len(released) == 3
    again = Deidentifier.from_policy(step.to_policy(tmp_path / "policy.toml"), key=KEYS)
    assert list(again.fit_transform(people)) == list(released)
    assert again.claim == profile
    if profile == "hipaa-safe-harbor":
        assert released["postcode"].tolist() == ["902", "000", "100"]
        assert "canary name" not in released.to_csv()


def test_the_note():
    """The note says what was done and what a person decides, never that anyone complies, and holds no value."""
    roles = {"name": "name", "age": "age", "postcode": "postcode"}
    step = Deidentifier.from_profile("hipaa-safe-harbor", roles)
    people = table(*roles)
    note = step.fit(people).release_note(people)
    assert json.loads(note.to_json())["claim"] == "hipaa-safe-harbor"
    for text in (note.to_markdown(), note.to_json(), note._repr_markdown_()):
        assert "canary" not in text
        assert "no legal advice" in text
        assert "compliant" not in text
    assert "| 45 CFR 164.514(b)(2)(ii) |" in note.to_markdown()
    plain = Deidentifier({"name": "drop", "age": "keep", "postcode": "drop"}).release_note(people)
    assert "No claim is made." in plain.to_markdown()


def test_roles():
    """An unknown role, claim or profile is refused with the nearest one; the letters are those of the law."""
    with pytest.raises(ParameterError, match="did you mean 'postcode'"):
        Deidentifier.from_profile("hipaa-limited", {"zip": "postcod"})
    with pytest.raises(ParameterError, match="profile is 'hipaa'"):
        Deidentifier.from_profile("hipaa", {})
    with pytest.raises(ParameterError, match="claim must be"):
        Deidentifier({"a": "keep"}, claim="hipaa").fit(pd.DataFrame({"a": [1]}))
    assert len(set(SAFE_HARBOR.values())) == 18
    assert DIRECT < ROLES
