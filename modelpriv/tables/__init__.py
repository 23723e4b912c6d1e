"""Whole tables: rules for every column, in Python or in a file, and what they still show."""

from modelpriv._core.public import make_public
from modelpriv.tables.deidentifier import Deidentifier
from modelpriv.tables.plan import Plan, PlannedColumn
from modelpriv.tables.summary import Summary

__all__ = ["Deidentifier", "Plan", "PlannedColumn", "Summary"]

make_public("modelpriv.tables", globals(), __all__)
