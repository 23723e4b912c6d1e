"""Policies: the rules of a Deidentifier as plain data, in files that people read, compare and sign off."""

from __future__ import annotations

import difflib
import inspect
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from modelpriv._core import json
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.tables.rules import label, pairs
from modelpriv.transformers import (
    date_shifter,
    field_encryptor,
    generalizer,
    k_anonymizer,
    masker,
    projection,
    pseudonymizer,
    replacer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CHOICES", "VERSION", "PolicyError", "describe", "digest", "parameters_of", "parse", "transformers"]

VERSION = 1
_SOME_URI = "env:MODELPRIV_KEYRING"  # of the right form; it is not read
_FIELDS = ("version", "unnamed", "missing", "claim", "roles", "columns", "groups", "notes", "text")
CHOICES = {"unnamed": ("raise", "drop"), "missing": ("raise", "ignore")}
_NEVER = {"key", "columns", "verbose"}  # a policy says what is done, never with which key


class PolicyError(ParameterError):
    """A policy that cannot be used: it knows the place of the fault, and the word there, for `policy_files`.

    It leaks names of fields and columns. It protects nothing and says nothing of a table.

    Parameters
    ----------
    message : str
        What is wrong.
    place : str
        The path of fields that leads to it.
    word : str
        What is written there.

    Examples
    --------
    >>> from modelpriv import Deidentifier
    >>> Deidentifier.from_policy({"version": 1, "columns": {"name": "kep"}})
    Traceback (most recent call last):
    modelpriv.tables.policy.PolicyError: columns.name is 'kep', which is no rule. Did you mean 'keep'?
    """

    def __init__(self, message: str, place: str = "", word: str = "") -> None:
        super().__init__(message)
        self.place, self.word = place, word


def transformers() -> dict[str, type]:
    """Return the transformers that a policy can name."""
    found = [
        date_shifter.DateShifter,
        field_encryptor.FieldEncryptor,
        generalizer.Generalizer,
        k_anonymizer.KAnonymizer,
        masker.Masker,
        projection.KeyedProjection,
        pseudonymizer.Pseudonymizer,
        replacer.Replacer,
    ]
    return {cls.__name__: cls for cls in found}


def parameters_of(name: str) -> list[str]:
    """Return the parameters that a policy can give to a transformer."""
    return [one for one in inspect.signature(transformers()[name]).parameters if one not in _NEVER]


def parse(document: Any) -> dict[str, Any]:
    """Return the parameters of the Deidentifier that a policy describes.

    Raises
    ------
    ParameterError
        A field is unknown, missing or of the wrong kind; the message names it, and the nearest right one.
    """
    if isinstance(document, dict) and "check" in document:
        raise PolicyError(
            "the policy has a check, which a file cannot hold. Pass it to from_policy: check=KAnonymity(...).",
            "",
            "check",
        )
    _check_fields(document, _FIELDS, "the policy")
    if document.get("version") != VERSION:
        raise PolicyError(
            f"version is {document.get('version')!r}: write version = {VERSION}, which this modelpriv reads."
        )
    _table(document, "notes")  # for people
    if not all(isinstance(name, str) for name in _list(document, "text")):  # for those who read CSV files
        raise PolicyError("text must be a list of the columns that stay text.", "text")
    rules = [(name, _value(f"columns.{name}", value)) for name, value in _table(document, "columns").items()]
    rules += [_group(number, group) for number, group in enumerate(_list(document, "groups"))]
    if not rules:
        raise PolicyError("the policy has no rules: give each column one under columns.")
    for name, allowed in CHOICES.items():
        if document.get(name, allowed[0]) not in allowed:
            raise PolicyError(f"{name} is {document[name]!r}.{_nearest(str(document[name]), allowed)}", name)
    given = {name: document[name] for name in ("unnamed", "missing", "claim", "roles") if name in document}
    return given | {"rules": rules}


def describe(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy that has these parameters of a Deidentifier; `parse` reads it.

    Raises
    ------
    ParameterError
        A rule cannot be written down: a selector that is a function, or a transformer that a policy cannot name.
    """
    document: dict[str, Any] = {"version": VERSION}
    document |= {name: parameters[name] for name in ("unnamed", "missing")}
    document |= {name: parameters[name] for name in ("claim", "roles") if parameters.get(name)}
    columns, groups = dict[str, Any](), list[dict[str, Any]]()
    for key, value in pairs(parameters["rules"]):
        rule = _written(key, value)
        if isinstance(key, re.Pattern):
            if re.compile(key.pattern).flags != key.flags:
                raise PolicyError(f"the rule for {label(key)} has flags: write them into the pattern, such as (?i).")
            groups.append({"match": key.pattern, "rule": rule})
        elif isinstance(key, tuple):
            groups.append({"columns": list(key), "rule": rule})
        elif isinstance(key, str):
            columns[key] = rule
        else:
            raise PolicyError(f"the rule for {label(key)} cannot be written: name its columns, or use a pattern.")
    return document | {"columns": columns} | ({"groups": groups} if groups else {})


def digest(document: Any) -> str:
    """Return the SHA-256 digest of a policy: of its canonical JSON, whatever kind of file it came from."""
    return sha256(json.dump(document)).hexdigest()


def _group(number: int, group: Any) -> tuple[Any, Any]:
    place = f"groups[{number}]"
    _check_fields(group, ("columns", "match", "rule"), place)
    if ("columns" in group) == ("match" in group) or "rule" not in group:
        raise PolicyError(f"{place} needs rule, and either columns or match.")
    value = _value(f"{place}.rule", group["rule"])
    if "columns" in group:
        names = group["columns"]
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise PolicyError(f"{place}.columns must be a list of names.", place, "columns")
        return tuple(names), value
    try:
        return re.compile(group["match"]), value
    except (re.error, TypeError):
        raise PolicyError(f"{place}.match must be a regular expression.", place, "match") from None


def _value(place: str, value: Any) -> Any:
    """Return the right side of a rule."""
    if isinstance(value, str):
        if value in {"keep", "drop"}:
            return value
        if value == "review":
            raise PolicyError(
                f"{place} is 'review': decide what becomes of the column before you use the policy.", place, "review"
            )
        raise PolicyError(f"{place} is {value!r}, which is no rule.{_nearest(value, ('keep', 'drop'))}", place, value)
    if isinstance(value, list):
        return [_transformer(f"{place}[{number}]", one) for number, one in enumerate(value)]
    if isinstance(value, dict) and "from" in value:
        inner = {name: one for name, one in value.items() if name != "from"}
        steps = inner.pop("rule") if set(inner) == {"rule"} else inner
        return value["from"], _value(place, steps)
    return _transformer(place, value)


def _transformer(place: str, value: Any) -> Any:
    """Make the transformer that a table of a policy describes."""
    if not isinstance(value, dict) or not isinstance(value.get("transformer"), str):
        raise PolicyError(f"{place} must be 'keep', 'drop', or a table with a transformer.", place)
    name = value["transformer"]
    if name not in transformers():
        raise PolicyError(
            f"{place}.transformer is {name!r}, which does not exist.{_nearest(name, transformers())}", place, name
        )
    given = {key: one for key, one in value.items() if key != "transformer"}
    if "key" in given:
        raise PolicyError(f"{place} has a key: a policy never does. Pass it to from_policy, or as --key.", place, "key")
    _check_fields(given, parameters_of(name), place)
    described = inspect.signature(transformers()[name]).parameters
    if lacking := [one for one in described if described[one].default is inspect.Parameter.empty and one not in given]:
        raise PolicyError(f"{place} lacks {lacking[0]!r}, without which there is no {name}.", place, name)
    return _checked(place, transformers()[name](**given))


def _checked(place: str, step: Any) -> Any:
    """Refuse a transformer whose parameters make no sense, before it meets a table."""
    probe = clone(step)
    parameters = probe.get_params(deep=False)
    if "key" in parameters and not parameters.get("recipients"):
        probe.set_params(key=_SOME_URI)
    try:
        getattr(probe, "_check", probe._check_parameters)()  # noqa: SLF001 - of our own transformers
    except (ParameterError, ParameterTypeError) as error:
        raise PolicyError(f"{place}: {error}", place) from None
    return step


def _written(key: Any, value: Any) -> Any:
    """Write the right side of a rule."""
    if isinstance(value, tuple):
        source, steps = value
        rule = _written(key, steps)
        return {"from": source} | (rule if isinstance(rule, dict) else {"rule": rule})
    if isinstance(value, list):
        return [_written(key, one) for one in value]
    if isinstance(value, str):
        return value
    name = type(value).__name__
    if type(value) is not transformers().get(name):
        raise PolicyError(f"the rule for {label(key)} is a {name}, which a policy cannot name.")
    defaults = inspect.signature(type(value)).parameters
    given = {one: getattr(value, one) for one in parameters_of(name) if getattr(value, one) != defaults[one].default}
    try:
        json.dump(given)
    except (TypeError, ValueError):
        raise PolicyError(
            f"the rule for {label(key)} has a parameter that a policy cannot hold: use text, numbers, lists and dicts."
        ) from None
    return {"transformer": name} | given


def _check_fields(table: Any, allowed: Iterable[str], place: str) -> None:
    if not isinstance(table, dict):
        raise PolicyError(f"{place} must be a table of fields, got {type(table).__name__}.")
    known = list(allowed)
    for name in table:
        if name not in known:
            raise PolicyError(f"{place} has the unknown field {name!r}.{_nearest(str(name), known)}", place, str(name))


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise PolicyError(f"{name} must be a table of columns and their rules.")
    return found


def _list(document: dict[str, Any], name: str) -> list[Any]:
    found = document.get(name, [])
    if not isinstance(found, list):
        raise PolicyError(f"{name} must be a list of tables.")
    return found


def _nearest(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1, 0.5)
    return f" Did you mean {close[0]!r}?" if close else f" Allowed are {', '.join(map(repr, known))}."
