"""suggest_policy proposes a rule for every column, and leaves what is not sure to a person."""

import json

import numpy as np
import pandas as pd
import pytest

from modelpriv import Deidentifier, KAnonymizer, Keyring, suggest_policy
from modelpriv.errors import InputError, ParameterError
from modelpriv.evidence import k_of
from modelpriv.tables import policy_files

PEOPLE = pd.DataFrame(
    {
        "patient_id": [f"P-{number:04}" for number in range(60)],
        "name": ["Ada Canary", "Bo Canary", "Carla Canary"] * 20,
        "email": ["ada@canary.org", "bo@canary.org", "carla@canary.org"] * 20,
        "birth_date": ["1987-03-14", "1990-11-02", "1955-06-30"] * 20,
        "glucose": [5.4, 6.1, 7.9] * 20,
        "note": ["canary was seen in March", "canary moved to Rome", "call the canary at home"] * 20,
    }
)


def test_a_table_by_its_own_policy(tmp_path):
    """Once nothing is left to review, the policy protects the table: no identifying cell comes out."""
    policy = suggest_policy(PEOPLE)
    assert list(policy["columns"]) == list(policy["notes"]) == list(PEOPLE)
    policy["columns"] = {name: "drop" if rule == "review" else rule for name, rule in policy["columns"].items()}
    policy_files.write(tmp_path / "policy.toml", policy)
    released = Deidentifier.from_policy(tmp_path / "policy.toml", key=Keyring.generate()).fit_transform(PEOPLE)
    assert "canary" not in released.to_csv().lower()
    assert not set(released["patient_id"]) & set(PEOPLE["patient_id"])


def test_it_holds_no_value():
    """The evidence is shares and headers, never a cell."""
    assert "canary" not in json.dumps(suggest_policy(PEOPLE)).lower()


def test_what_is_not_sure_is_left_to_a_person():
    """A column that could be anything is to be reviewed, and such a policy is refused."""
    rng = np.random.default_rng(0)
    odd = PEOPLE.assign(x=["".join(rng.choice(list("abcdefgh"), 6)) for _ in range(60)])
    policy = suggest_policy(odd)
    assert policy["columns"]["x"] == "review"
    with pytest.raises(ParameterError, match=r"columns\.x is 'review'"):
        Deidentifier.from_policy(policy)


def test_names_are_text():
    """A table without names is refused, since a policy could not name its columns."""
    with pytest.raises(InputError, match="Name the columns first"):
        suggest_policy(np.array([["a", "b"]] * 30))


def test_k_anonymity_inside():
    """A KAnonymizer gets its own columns alone, and the others are not touched."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {"age": rng.integers(20, 80, 200), "zip": rng.integers(1, 60, 200), "score": rng.normal(size=200)}
    )
    step = Deidentifier({("age", "zip"): KAnonymizer(k=5), "score": "keep"})
    released = step.fit_transform(table)
    assert released["score"].equals(table["score"])
    assert k_of(released, quasi=["age", "zip"]) >= 5
    again = Deidentifier.from_policy(step.to_policy())
    assert again.fit_transform(table).equals(released)
