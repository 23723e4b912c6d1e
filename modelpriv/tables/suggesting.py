"""suggest_policy: a policy to begin with, from what detection finds in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelpriv.detection import detect
from modelpriv.errors import InputError
from modelpriv.tables.policy import VERSION

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Table
    from modelpriv.detection import DetectedColumn

__all__ = ["suggest_policy"]


def suggest_policy(X: Table) -> dict[str, Any]:
    """Propose a policy for a table: a rule for every column, and what speaks for it.

    *Protects against* a column that you forget. *Leaks* names of columns and shares of cells, and no value. It *cannot*
    know what you release the table for: read each rule, and decide where it says ``"review"``. A policy that still says
    so is refused.

    Parameters
    ----------
    X : pandas, polars or pyarrow table
        The table. It is looked at in samples, by position.

    Returns
    -------
    policy : dict
        For `Deidentifier.from_policy`, once nothing is left to review. Under ``"notes"`` is the evidence.

    Raises
    ------
    InputError, InputTypeError
        `X` is no table whose columns have text for names.

    See Also
    --------
    modelpriv.detection.detect : What the columns are, with all evidence.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import suggest_policy
    >>> policy = suggest_policy(pd.DataFrame({"email": ["ada@example.org", "bo@example.org"], "glucose": [5.4, 6.1]}))
    >>> policy["columns"]["email"]
    {'transformer': 'FieldEncryptor', 'mode': 'deterministic'}
    """
    found = detect(X).columns
    if odd := [column.name for column in found if not isinstance(column.name, str)]:
        raise InputError(f"Column {odd[0]!r} has no text for a name, which a policy needs. Name the columns first.")
    return {
        "version": VERSION,
        "unnamed": "raise",
        "columns": {column.name: _rule(column) for column in found},
        "notes": {column.name: _note(column) for column in found},
    }


def _rule(column: DetectedColumn) -> Any:
    if column.review:
        return "review"
    if isinstance(column.proposal, str):
        return column.proposal
    return {"transformer": column.proposal["transformer"], **column.proposal["parameters"]}


def _note(column: DetectedColumn) -> str:
    """Say what a column was taken for, and why."""
    evidence = column.evidence
    said = [f"{column.kind} ({column.role}), {column.confidence:.0%} sure"]
    said += [f"the header says {evidence['header']!r}"] if evidence["header"] else []
    said += [f"{evidence['fits']:.0%} of {evidence['cells']} cells fit", f"{evidence['distinct']:.0%} distinct"]
    said += [f"to review: {evidence['why']}"] if column.review and evidence["why"] else []
    return "; ".join(said)
