"""Comparing two policies: what a change shows more of, or less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modelpriv.tables.plan import named
from modelpriv.tables.rules import label, pairs
from modelpriv.tables.shows import comes_back, shows

__all__ = ["Change", "compare"]


@dataclass(frozen=True)
class Change:
    """A rule that differs between two policies.

    It leaks names of columns. It protects nothing, and does not know the tables.

    Parameters
    ----------
    columns : str
        What the rule is for.
    before, after : str
        The rules; empty if a policy has no such rule.
    shows_before, shows_after : str
        What everyone sees.

    Examples
    --------
    >>> from modelpriv.tables.comparing import Change
    >>> print(Change("age", "drop", "keep", "nothing", "everything"))
    age: drop → keep; shows nothing → everything
    """

    columns: str
    before: str
    after: str
    shows_before: str
    shows_after: str

    def __str__(self) -> str:
        rules = f"{self.before or 'no rule'} → {self.after or 'no rule'}"
        return f"{self.columns}: {rules}; shows {self.shows_before} → {self.shows_after}"


def compare(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Return the differences between the parameters that two policies describe."""
    one, other = _said(before), _said(after)
    absent = ("", _unnamed(before)), ("", _unnamed(after))
    changes = []
    for name in dict.fromkeys([*one, *other]):
        (rule, seen), (new_rule, now_seen) = one.get(name, absent[0]), other.get(name, absent[1])
        if (rule, seen) != (new_rule, now_seen):
            changes.append(Change(name, rule, new_rule, seen, now_seen))
    return changes


def _said(parameters: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the rule for each key, and what it shows."""
    found = {}
    for key, value in pairs(parameters["rules"]):
        source, rule = value if isinstance(value, tuple) else (None, value)
        steps: Any = rule if isinstance(rule, str) else tuple(rule) if isinstance(rule, list) else (rule,)
        text = steps if isinstance(steps, str) else " → ".join(map(named, steps))
        back = "" if comes_back(steps) != "who has the key" else ", and all of it to who has the key"
        found[label(key)] = (text if source is None else f"{text} of {source}", shows(steps) + back)
    return found


def _unnamed(parameters: dict[str, Any]) -> str:
    return "nothing" if parameters.get("unnamed") == "drop" else "nothing: tables with it are refused"
