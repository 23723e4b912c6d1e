"""What a service can say about its model to a health check."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Status"]


@dataclass(frozen=True)
class Status:
    """What a service can say about its model to a health check; it holds no secret.

    Parameters
    ----------
    ready : bool
        Whether a prediction can be made now.
    file_id : str
        The id of the sealed file that answers.
    signer : str or None
        Who signed it.
    loaded : float
        When it was opened, in seconds since 1970.
    reloads : int
        How often a new version took its place.
    error : str or None
        Why the newest version does not answer, or why no prediction can be made.

    Examples
    --------
    >>> from modelpriv.serving import Status
    >>> Status(True, "9b1c", None, 0.0, 0, None).to_dict()["ready"]
    True
    """

    ready: bool
    file_id: str
    signer: str | None
    loaded: float
    reloads: int
    error: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return asdict(self)
