"""Parameter rules: one wording for what is allowed and what came, the right error, and never a key or a cell."""

import numpy as np
import pandas as pd
import pytest

from modelpriv._core.checks import (
    Flag,
    Function,
    InstanceOf,
    ListOf,
    Number,
    OneOf,
    Satisfies,
    Text,
    Whole,
    check,
    check_parameters,
)
from modelpriv.errors import ParameterError, ParameterTypeError

CANARY = "cAnArY"
MODES = [OneOf("fast", "slow"), None]
COUNT = [Whole(least=1)]


@pytest.mark.parametrize(
    ("value", "rules"),
    [
        ("fast", MODES),
        (None, MODES),
        (2.5, [OneOf(1, 2.5)]),
        (7, COUNT),
        (np.int64(7), COUNT),
        (10**30, COUNT),
        (np.float32(0.5), [Number(0, 1)]),
        (1, [Number(0, 1)]),
        ("", [Text(empty=True)]),
        ("日本", [Text()]),
        (np.True_, [Flag()]),
        ({}, [InstanceOf(dict)]),
        (len, [Function()]),
        (["a", "b"], [ListOf(Text(), words="a list of names")]),
        ((), [ListOf(Text(), words="a list of names", empty=True)]),
        ([1], [Satisfies(lambda value: hasattr(value, "__len__"), "a sequence")]),
        ("x", [Whole(), Text()]),
    ],
    ids=str,
)
def test_what_a_rule_allows_passes(value, rules):
    """A value passes if one of the rules allows it."""
    check("p", value, *rules)


@pytest.mark.parametrize(
    ("value", "rules", "message"),
    [
        (3, MODES, "p must be one of 'fast', 'slow' or None, got int."),
        (True, [OneOf(0, 1)], "p must be one of 0, 1, got bool."),
        (True, COUNT, "p must be a whole number of at least 1, got bool."),
        (1.0, COUNT, "p must be a whole number of at least 1, got float."),
        (None, COUNT, "p must be a whole number of at least 1, got None."),
        ("1", [Number(0, 1)], "p must be a number from 0 to 1, got str."),
        (b"a", [Text()], "p must be a text that is not empty, got bytes."),
        (1, [Flag()], "p must be True or False, got int."),
        (
            [],
            [InstanceOf(dict, words="a dict of names to texts"), None],
            "p must be a dict of names to texts or None, ",
        ),
        (4, [Function("a function of a frame")], "p must be a function of a frame, got int."),
        ("ab", [ListOf(Text(), words="a list of names")], "p must be a list of names, got str."),
        ([1], [ListOf(Text(), words="a list of names")], "p must be a list of names, got list."),
    ],
    ids=str,
)
def test_a_wrong_type_is_refused_in_one_wording(value, rules, message):
    """A wrong type is a ParameterTypeError: the parameter, what is allowed, the type that came."""
    with pytest.raises(ParameterTypeError) as caught:
        check("p", value, *rules)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("value", "rules", "message"),
    [
        ("quick", MODES, "p must be one of 'fast', 'slow' or None, got 'quick'."),
        ("quick", [OneOf("fast")], "p must be 'fast', got 'quick'."),
        (0, COUNT, "p must be a whole number of at least 1, got 0."),
        (np.int8(-3), COUNT, "p must be a whole number of at least 1, got -3."),
        (9, [Whole(most=8)], "p must be a whole number of at most 8, got 9."),
        (1.5, [Number(0, 1)], "p must be a number from 0 to 1, got 1.5."),
        (float("nan"), [Number()], "p must be a number, got NaN."),
        ("", [Text()], "p must be a text that is not empty, got an empty one."),
        ("a\ud800", [Text()], "p must be a text that is not empty, got one with half of a surrogate pair"),
        ([], [ListOf(Text(), words="a list of names")], "p must be a list of names, got an empty one."),
        (
            ["a", ""],
            [ListOf(Text(), words="a list of names")],
            "p must be a list of names, got an empty one as item 1.",
        ),
    ],
    ids=repr,
)
def test_a_wrong_value_is_refused_in_one_wording(value, rules, message):
    """A wrong value of a right type is a ParameterError: the parameter, what is allowed, what came."""
    with pytest.raises(ParameterError) as caught:
        check("p", value, *rules)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "value",
    [
        f"{CANARY} and so on: as long as a key would be",
        pd.Series([CANARY]),
        [CANARY],
        np.array([CANARY, CANARY]),
        {CANARY: CANARY},
        CANARY.encode(),
        int.from_bytes(CANARY.encode() * 4),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("rule", [OneOf("a", "b"), Whole(most=1), Number(most=1), ListOf(Whole(), words="numbers")])
def test_neither_a_key_nor_a_cell_is_shown(rule, value):
    """What is not a number or a short word is shown by its type only."""
    with pytest.raises((ParameterError, ParameterTypeError)) as caught:
        check("p", value, rule)
    assert CANARY not in str(caught.value)
    assert str(value) not in str(caught.value)


def test_the_attributes_of_an_object_are_checked():
    """Every attribute that has rules is checked, by its name."""

    class Owner:
        mode = "fast"
        size = 0

    with pytest.raises(ParameterError, match="size must be"):
        check_parameters(Owner(), {"mode": MODES, "size": COUNT})
