"""The note that goes with a released table: what was done, which clauses it answers, what a person has to decide."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelpriv.tables.claims import Answered
    from modelpriv.tables.plan import Plan

__all__ = ["ReleaseNote"]

_ADVICE = (
    "This note says which rules were applied and which clauses they answer. It is no legal advice, and does not say "
    "that anyone complies with anything."
)


@dataclass(frozen=True)
class ReleaseNote:
    """What was done to a table, clause by clause where a claim was made.

    It leaks names of columns, and no value. It protects nothing, and decides nothing.

    Parameters
    ----------
    claim : str or None
        The claim that the rules support.
    policy : str or None
        The digest of the rules as a policy.
    plan : Plan
        What became of each column.
    answers : tuple of Answered
        The clauses of the claim.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import Deidentifier
    >>> people = pd.DataFrame({"name": ["Ada Lovelace"], "sex": ["f"]})
    >>> step = Deidentifier.from_profile("hipaa-safe-harbor", {"name": "name", "sex": "sex"}).fit(people)
    >>> print(step.release_note(people).to_markdown().splitlines()[0])
    # Release note
    """

    claim: str | None
    policy: str | None
    plan: Plan
    answers: tuple[Answered, ...]

    def to_json(self) -> str:
        """Return the note as JSON."""
        return json.dumps(
            {
                "claim": self.claim,
                "policy": self.policy,
                "columns": [asdict(column) for column in self.plan.columns],
                "answers": [asdict(one) for one in self.answers],
                "advice": _ADVICE,
            }
        )

    def to_markdown(self) -> str:
        """Return the note as Markdown."""
        parts = ["# Release note", "", _ADVICE, ""]
        parts += [f"Claim: {self.claim}" if self.claim else "No claim is made.", ""]
        parts += [f"Digest of the policy: `{self.policy}`", ""] if self.policy else []
        parts += ["## Columns", "", *_table(("column", "rule", "still shows", "comes back"), self._columns()), ""]
        if self.answers:
            rows = [(one.clause, ", ".join(one.columns), one.answer, one.why) for one in self.answers]
            parts += ["## Clauses", "", *_table(("clause", "columns", "answer", "why"), rows), ""]
        return "\n".join(parts)

    def _columns(self) -> list[tuple[str, ...]]:
        return [(one.column, one.rule, one.shows, one.comes_back) for one in self.plan.columns]

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    def line(cells: tuple[str, ...]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in cells)} |"

    return [line(head), f"|{'---|' * len(head)}", *map(line, rows)]
