"""KAnonymizer as the rule of a Deidentifier, whose release KAnonymity checks."""

import pandas as pd
import pytest

from modelpriv import Deidentifier, KAnonymizer
from modelpriv.errors import ParameterError, PrivacyCheckError
from modelpriv.evidence import KAnonymity

PEOPLE = pd.DataFrame(
    {
        "age": [23, 29, 31, 47, 52, 58],
        "zip": ["021", "021", "021", "100", "945", "100"],
        "ill": ["flu", "cold", "flu", "gout", "flu", "cold"],
    }
)


def test_a_deidentifier_releases_and_checks_it():
    """The rule names the quasi-identifiers, and the check sees the released table."""
    rules = {("age", "zip"): KAnonymizer(k=3), "ill": "keep"}
    job = Deidentifier(rules, check=KAnonymity(3, ["age", "zip"], "ill", l=2))
    released = job.fit_transform(PEOPLE)
    assert released.equals(KAnonymizer(k=3, quasi=["age", "zip"]).fit_transform(PEOPLE))
    assert job.transform(PEOPLE).equals(released)


def test_a_release_that_breaks_the_limit_is_refused():
    """A table that is less anonymous than the check asks for is not given out."""
    job = Deidentifier({("age", "zip"): KAnonymizer(k=2), "ill": "keep"}, check=KAnonymity(4, ["age", "zip"]))
    with pytest.raises(PrivacyCheckError, match="not 4-anonymous"):
        job.fit_transform(PEOPLE)


def test_the_rule_says_which_columns():
    """A transformer that names quasi-identifiers itself is refused as a rule."""
    with pytest.raises(ParameterError, match="has quasi=: leave it out"):
        Deidentifier({("age", "zip"): KAnonymizer(k=2, quasi=["age"]), "ill": "keep"}).fit(PEOPLE)
