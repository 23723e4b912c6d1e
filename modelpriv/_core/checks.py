"""Rules for parameters: declared once for each, checked by one function, and refused in one wording.

A class, or a function, declares rules for each parameter: a value must keep one of them, and None allows None. Check
the rules where the parameters are first used: in `fit`, as scikit-learn asks, or at the start of a function::

    RULES: Rules = {
        "mode": [OneOf("randomized", "deterministic")],
        "pad": [Whole(least=1), None],
        "context": [Text(), InstanceOf(dict, words="a dict of column names to texts"), None],
        "verbose": [Flag()],
    }

    def _check_parameters(self):
        check_parameters(self, RULES)       # the attributes of an object

    def dump(model, file, *, scope="estimator"):
        check("scope", scope, OneOf("estimator", "pipeline"))   # a single value

The error names the parameter, what is allowed, and what came::

    ParameterTypeError: pad must be a whole number of at least 1 or None, got str.
    ParameterError: pad must be a whole number of at least 1 or None, got 0.
    ParameterError: mode must be one of 'randomized', 'deterministic', got 'random'.

The error shows the type of a wrong value, but the value itself only if it is a number, or a short text where one of a
few words was expected: anything else may be a key, or hold cells. A rule is about one parameter. For combinations,
write an `if` after the rules, with a message of its own.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from modelpriv.errors import ParameterError, ParameterTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "Flag",
    "Function",
    "InstanceOf",
    "ListOf",
    "Number",
    "OneOf",
    "Rule",
    "Rules",
    "Satisfies",
    "Text",
    "Whole",
    "check",
    "check_parameters",
    "plural",
]


class Rule:
    """What a parameter may be: `words` say it, after "must be"."""

    words: str

    def __repr__(self) -> str:
        return f"<{self.words}>"

    def takes(self, value: object) -> bool:
        """Return whether a value has a type that the rule allows."""
        raise NotImplementedError  # pragma: no cover - every rule has its own

    def fault(self, value: object) -> str:  # noqa: ARG002 - for children
        """Return what is wrong with a value of the right type, in words that can be shown; "" if nothing is."""
        return ""


Rules: TypeAlias = "Mapping[str, Sequence[Rule | None]]"
"""The rules of several parameters, by their names."""


class OneOf(Rule):
    """One of a few texts or numbers."""

    def __init__(self, *choices: str | float) -> None:
        self.allowed = choices
        self._choices, self._types = frozenset(choices), tuple({type(choice) for choice in choices})
        shown = ", ".join(map(repr, choices))
        self.words = shown if len(choices) == 1 else f"one of {shown}"

    def takes(self, value: object) -> bool:
        return isinstance(value, self._types) and not (isinstance(value, bool) and bool not in self._types)

    def fault(self, value: object) -> str:
        return "" if value in self._choices else shown(value)


class Whole(Rule):
    """A whole number, of Python or numpy, within bounds; a bool is not a number."""

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        self._least, self._most = least, most
        self.words = "a whole number" + _bounds(least, most)

    def takes(self, value: object) -> bool:
        return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))

    def fault(self, value: object) -> str:
        return "" if _within(value, self._least, self._most) else shown(value)


class Number(Rule):
    """A number, of Python or numpy, within bounds; neither a bool nor NaN."""

    def __init__(self, least: float | None = None, most: float | None = None) -> None:
        self._least, self._most = least, most
        self.words = "a number" + _bounds(least, most)

    def takes(self, value: object) -> bool:
        return isinstance(value, Real) and not isinstance(value, bool)

    def fault(self, value: object) -> str:
        if value != value:  # noqa: PLR0124 - NaN alone
            return "NaN"
        return "" if _within(value, self._least, self._most) else shown(value)


class Text(Rule):
    """A text that can be written as UTF-8; it is never shown."""

    def __init__(self, *, empty: bool = False) -> None:
        self._empty = empty
        self.words = "a text" if empty else "a text that is not empty"

    def takes(self, value: object) -> bool:
        return isinstance(value, str)

    def fault(self, value: object) -> str:
        text: str = value  # type: ignore[assignment]  # `takes` looked
        if not text and not self._empty:
            return "an empty one"
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            return "one with half of a surrogate pair, which is not a character"
        return ""


class Flag(Rule):
    """True or False, of Python or numpy."""

    words = "True or False"

    def takes(self, value: object) -> bool:
        return isinstance(value, (bool, np.bool_))


class InstanceOf(Rule):
    """An object of some classes; `words` say which, where their names would not."""

    def __init__(self, *types: type, words: str = "") -> None:
        self._types = types
        self.words = words or " or ".join(f"a {type_.__name__}" for type_ in types)

    def takes(self, value: object) -> bool:
        return isinstance(value, self._types)


class Function(Rule):
    """Something that can be called; `words` say with what."""

    def __init__(self, words: str = "a callable") -> None:
        self.words = words

    def takes(self, value: object) -> bool:
        return callable(value)


class ListOf(Rule):
    """A list or tuple whose items each keep a rule; `words` say what they are."""

    def __init__(self, item: Rule, *, words: str, empty: bool = False) -> None:
        self._item, self._empty = item, empty
        self.words = words

    def takes(self, value: object) -> bool:
        return isinstance(value, (list, tuple)) and all(map(self._item.takes, value))

    def fault(self, value: object) -> str:
        items: list[object] = value  # type: ignore[assignment]  # `takes` looked
        if not items and not self._empty:
            return "an empty one"
        wrong = [(number, fault) for number, item in enumerate(items) if (fault := self._item.fault(item))]
        return f"{wrong[0][1]} as item {wrong[0][0]}" if wrong else ""


class Satisfies(Rule):
    """Whatever a test of the type accepts; `words` say what that is."""

    def __init__(self, test: Callable[[object], bool], words: str) -> None:
        self._test = test
        self.words = words

    def takes(self, value: object) -> bool:
        return self._test(value)


def check_parameters(owner: object, rules: Rules) -> None:
    """Check the attributes of an object against the rules of each.

    Raises
    ------
    ParameterTypeError
        An attribute has a type that none of its rules takes.
    ParameterError
        It has the right type and a value that is not allowed.
    """
    for parameter, allowed in rules.items():  # inline, as each call of a fitted object checks all its parameters
        value = getattr(owner, parameter)
        for rule in allowed:
            if value is None if rule is None else rule.takes(value) and not rule.fault(value):
                break
        else:
            raise _refusal(parameter, value, allowed)


def check(parameter: str, value: object, *allowed: Rule | None) -> None:
    """Check that a value keeps one of the rules; None among them allows None.

    Raises
    ------
    ParameterTypeError
        The value has a type that none of the rules takes.
    ParameterError
        It has the right type, but is not allowed.
    """
    for rule in allowed:
        if value is None if rule is None else rule.takes(value) and not rule.fault(value):
            return
    raise _refusal(parameter, value, allowed)


def plural(count: int, thing: str) -> str:
    """Return a number of things in words: 1 null, 2 nulls, 1,000 nulls."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def shown(value: object) -> str:
    """Return a number or a short text as it is, and the type of anything else."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if isinstance(value, (str, int, float, np.number)) and len(text) <= _SHOWN else _kind(value)


def _refusal(parameter: str, value: object, allowed: Sequence[Rule | None]) -> Exception:
    words = " or ".join("None" if rule is None else rule.words for rule in allowed)
    faults = [rule.fault(value) for rule in allowed if rule is not None and rule.takes(value)]
    if faults:
        return ParameterError(f"{parameter} must be {words}, got {faults[0]}.")
    return ParameterTypeError(f"{parameter} must be {words}, got {_kind(value)}.")


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def _within(value: object, least: float | None, most: float | None) -> bool:
    number: float = value  # type: ignore[assignment]  # `takes` looked
    return (least is None or number >= least) and (most is None or number <= most)


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is None and most is None:
        return ""
    return f" of at least {least}" if most is None else f" of at most {most}"


_SHOWN = 24  # characters: a longer text may be a key
