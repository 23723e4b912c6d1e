"""Whole tables: rules for every column, in Python or in a file, and what they still show."""

from modelpriv._core.public import make_public
from modelpriv.tables.claims import Answered
from modelpriv.tables.deidentifier import Deidentifier
from modelpriv.tables.plan import Plan, PlannedColumn
from modelpriv.tables.release_note import ReleaseNote
from modelpriv.tables.schema import policy_schema
from modelpriv.tables.suggesting import suggest_policy
from modelpriv.tables.summary import Summary

__all__ = [
    "Answered",
    "Deidentifier",
    "Plan",
    "PlannedColumn",
    "ReleaseNote",
    "Summary",
    "policy_schema",
    "suggest_policy",
]

make_public("modelpriv.tables", globals(), __all__)
