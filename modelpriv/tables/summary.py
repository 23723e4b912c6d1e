"""What one call of a Deidentifier did, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Summary"]


@dataclass(frozen=True)
class Summary:
    """What one call did, without a value of the table.

    It leaks counts and column names, to whom you show it.

    Parameters
    ----------
    rows : int
        The number of rows.
    protected, kept, dropped : tuple of str
        The columns of the input by what became of them.
    made : tuple of str
        Further columns that come out.
    whole : dict of str to int
        How many cells of a column did not fit its format or pattern, and were masked or covered whole.
    seconds : float
        How long it took.
    policy : str or None
        The digest of the rules as a policy: that of the file they came from. None if no policy can say them.

    Examples
    --------
    >>> from modelpriv.tables import Summary
    >>> Summary(3, ("name",), ("age",), (), (), {}, 0.01, None).to_dict()["rows"]
    3
    """

    rows: int
    protected: tuple[str, ...]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    made: tuple[str, ...]
    whole: dict[str, int]
    seconds: float
    policy: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)
