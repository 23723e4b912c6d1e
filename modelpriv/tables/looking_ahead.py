"""What a Deidentifier is going to do: a plan, a preview, and the note that goes with the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelpriv._columns.families import families
from modelpriv._columns.frame import open_frame
from modelpriv.tables.plan import Plan, planned
from modelpriv.tables.protecting import ProtectingTables
from modelpriv.tables.release_note import ReleaseNote

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Table

__all__ = ["LookingAhead"]


class LookingAhead(ProtectingTables):
    """Says what becomes of a table before it is released."""

    def plan(self, X: Table) -> Plan:
        """Say what becomes of each column of a table, and what it still shows; nothing is protected.

        Parameters
        ----------
        X : table
            The table.

        Returns
        -------
        plan : Plan
            A row for each column. It holds no value.
        """
        frame = open_frame(X)
        return planned(self._resolved(frame), frame.names, families(frame))

    def release_note(self, X: Table) -> ReleaseNote:
        """Return the note for the release of a table: what becomes of each column, and what answers the clauses.

        Parameters
        ----------
        X : table
            The table.

        Returns
        -------
        note : ReleaseNote
            In Markdown or JSON. It holds no value.
        """
        frame = open_frame(X)
        return ReleaseNote(self.claim, self._digest(), self.plan(X), tuple(self._answers(self._resolved(frame), frame)))

    def preview(self, X: Table, n: int = 5) -> dict[str, Table]:
        """Show the first rows before and after. The one half holds originals: show it to no one who may not see them.

        Parameters
        ----------
        X : table
            The table.
        n : int, default=5
            How many rows.

        Returns
        -------
        dict of str to table
            ``"originals"`` and ``"released"``.
        """
        head = open_frame(X).native[:n]
        fresh = type(self)(**self.get_params(deep=False)).set_params(check=None)
        return {"originals": head, "released": fresh.fit_transform(head)}
