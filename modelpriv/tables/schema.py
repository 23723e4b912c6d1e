"""The JSON schema of policies, for editors that complete and check them."""

from __future__ import annotations

from typing import Any

from modelpriv._core.checks import OneOf
from modelpriv.tables.claims import CLAIMS
from modelpriv.tables.policy import CHOICES, VERSION, parameters_of, transformers
from modelpriv.tables.roles import ROLES

__all__ = ["policy_schema"]


def policy_schema() -> dict[str, Any]:
    """Return the JSON schema of a policy (draft 2020-12).

    It names every field, transformer and parameter, and the values of parameters that are one of a few words. What else
    a value has to be, `Deidentifier.from_policy` says.

    Returns
    -------
    schema : dict
        The schema.

    Examples
    --------
    >>> from modelpriv.tables import policy_schema
    >>> sorted(policy_schema()["properties"])[:3]
    ['claim', 'columns', 'groups']
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "modelpriv policy",
        "type": "object",
        "properties": {
            "version": {"const": VERSION},
            **{name: {"enum": list(allowed)} for name, allowed in CHOICES.items()},
            "claim": {"enum": list(CLAIMS)},
            "roles": {"type": "object", "additionalProperties": {"enum": sorted(ROLES)}},
            "columns": {"type": "object", "additionalProperties": {"$ref": "#/$defs/rule"}},
            "groups": {"type": "array", "items": {"$ref": "#/$defs/group"}},
            "text": {"type": "array", "items": {"type": "string"}},
            "notes": {"type": "object", "additionalProperties": {"type": "string"}},
        },
        "required": ["version"],
        "additionalProperties": False,
        "$defs": {
            "rule": {"anyOf": [{"enum": ["keep", "drop", "review"]}, _ref("step"), _ref("chain"), _ref("derived")]},
            "chain": {"type": "array", "items": _ref("step"), "minItems": 1},
            "step": {"oneOf": [_ref(name) for name in transformers()]},
            "derived": {"type": "object", "required": ["from"], "properties": {"from": {"type": "string"}}},
            "group": _GROUP,
            **{name: _transformer(name, cls) for name, cls in transformers().items()},
        },
    }


_GROUP = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "match": {"type": "string", "format": "regex"},
        "rule": {"$ref": "#/$defs/rule"},
    },
    "required": ["rule"],
    "oneOf": [{"required": ["columns"]}, {"required": ["match"]}],
    "additionalProperties": False,
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _transformer(name: str, cls: type) -> dict[str, Any]:
    rules = getattr(cls, "_parameter_rules", {})
    return {
        "type": "object",
        "properties": {"transformer": {"const": name}, **{one: _values(rules.get(one)) for one in parameters_of(name)}},
        "required": ["transformer"],
        "additionalProperties": False,
    }


def _values(rules: Any) -> dict[str, Any]:
    """Return the words that a parameter may be, where it is one of a few."""
    words = [value for rule in rules or () if isinstance(rule, OneOf) for value in rule.allowed]
    simple = rules and all(rule is None or isinstance(rule, OneOf) for rule in rules)
    return {"enum": [*words, *([None] if None in rules else [])]} if simple else {}
