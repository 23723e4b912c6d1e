"""detect: what each column of a table is, by its header and its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelpriv._columns.frame import open_frame
from modelpriv._columns.sampling import spread, take_rows
from modelpriv.detection.answer import DetectedColumn, Detection
from modelpriv.detection.cells import MOST, CellSample, read_sample
from modelpriv.detection.deciding import Decision, decide
from modelpriv.detection.headers import Said, read_header
from modelpriv.detection.kinds import DIRECT, OTHER, QUASI, ROLES, SENSITIVE, Proposal, propose
from modelpriv.errors import ModelprivError

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Table
    from modelpriv._columns.frame import Frame

__all__ = ["detect"]


def detect(X: Table) -> Detection:
    """Find out what each column of a table is, and propose what to do with it.

    It looks at 4,000 rows that are spread over the table, always the same ones, and at the headers: English, German,
    French, Spanish and Chinese. Nothing leaves the process, and no cell is in the answer.

    Parameters
    ----------
    X : pandas, polars or pyarrow table, numpy array or list of rows
        The table.

    Returns
    -------
    detection : Detection
        One entry for each column, in their order. Print it, or take `frame` or `to_json`.

    Raises
    ------
    InputError, InputTypeError
        `X` is no table, or two columns have one name.

    Notes
    -----
    A form that speaks for itself counts most: an e-mail address, or a number with right check digits. Then comes the
    header, if the cells may be what it says; then lists of common names and places; then how many different cells there
    are. Only measurements and flags are proposed as ``"keep"``, and only where nothing speaks for a person.

    It *cannot* find what occurs in few cells of a column of something else, nor know that a column of plain numbers
    tells people apart.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv.detection import detect
    >>> people = pd.DataFrame({"Vorname": ["Anna", "Jonas"], "PLZ": ["10115", "80331"], "bmi": [22.5, 24.1]})
    >>> [(column.name, column.kind) for column in detect(people)]
    [('Vorname', 'given_name'), ('PLZ', 'postcode'), ('bmi', 'measurement')]
    """
    frame = open_frame(X)
    sample = take_rows(frame, spread(frame.n_rows, MOST))
    return Detection(tuple(_column(frame, sample, position) for position in range(len(frame.names))))


def _column(frame: Frame, sample: Frame, position: int) -> DetectedColumn:
    name = frame.names[position]
    said = read_header(name)
    try:
        dtype, cells = read_sample(frame, sample, position)
    except ModelprivError:
        return _unreadable(name, said)
    decision = decide(cells, said)
    kind = decision.kind
    proposal, review = _safe(propose(kind, cells, said), decision)
    return DetectedColumn(
        name, dtype, kind, _role(kind, said), decision.confidence, _evidence(cells, said, decision), review, proposal
    )


def _safe(proposal: Proposal, decision: Decision) -> tuple[Proposal, bool]:
    """Return what is proposed; where it is not sure that a column may stay, that is to review it."""
    if decision.review and proposal == "keep":
        proposal = "review"
    return proposal, decision.review or proposal == "review"


def _role(kind: str, said: Said) -> str:
    """Return the role of a kind, or, of a column without a kind of its own, the one that the header gives it."""
    if kind in {"category", "text", "measurement", "flag"} and said.kind in {"quasi", "sensitive"}:
        return {"quasi": QUASI, "sensitive": SENSITIVE}[str(said.kind)]
    return ROLES[kind]


def _evidence(cells: CellSample, said: Said, decision: Decision) -> dict[str, Any]:
    return {
        "fits": round(decision.fits, 4),
        "header": said.phrase,
        "distinct": round(cells.distinct, 4),
        "nulls": round(cells.nulls, 4),
        "cells": cells.looked_at,
        "why": decision.why,
    }


def _unreadable(name: Any, said: Said) -> DetectedColumn:
    why = "cells of several types, or of a type that is not read"
    evidence = {"fits": 0.0, "header": said.phrase, "distinct": 0.0, "nulls": 0.0, "cells": 0, "why": why}
    role = ROLES.get(said.kind or "", DIRECT)
    role = DIRECT if role == OTHER else role
    return DetectedColumn(name, "mixed", "unreadable", role, 0.0, evidence, True, "review")
