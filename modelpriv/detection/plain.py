"""Columns that neither a form nor a header nor a list tells: codes, categories, prose and measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from modelpriv.detection.cells import CellSample
    from modelpriv.detection.headers import Said

__all__ = ["plain_kind"]

_Found = tuple[str, float, float, str]


def plain_kind(cells: CellSample, said: Said) -> _Found:
    """Return kind, share of cells that fit, confidence, and why a person is to look (empty if no one need)."""
    numeric = cells.family != "text" or cells.share(~np.isnan(cells.numbers)) >= _NEARLY
    if numeric and not _is_padded(cells):
        return _numbers(cells, said)
    return _texts(cells, said)


def _is_padded(cells: CellSample) -> bool:
    """Tell whether texts of digits begin with a zero: a measurement does not."""
    return cells.family == "text" and cells.like(r"^0[0-9]") > 0


# --- numbers ---------------------------------------------------------------------------------------------------------


def _numbers(cells: CellSample, said: Said) -> _Found:
    whole = cells.like(r"^[+-]?[0-9]+$") == 1
    if said.kind in {"quasi", "sensitive"}:
        return ("category" if whole and _few(cells) else "measurement"), 1.0, 0.6, _TELLING
    if not whole:
        return _fractions(cells, said)
    if said.kind == "measurement":
        doubtful = cells.length >= _NO_AMOUNT and _one_length(cells) and cells.distinct > _UNIQUE
        return "measurement", 1.0, 0.5 if doubtful else 0.9, _ONE_EACH if doubtful else ""
    if said.kind == "category" and _few(cells):
        return "category", 1.0, 0.9, ""
    return _integers(cells, said)


def _fractions(cells: CellSample, said: Said) -> _Found:
    values = cells.numbers[~np.isnan(cells.numbers)]
    precise = cells.like(r"\.[0-9]{4,}$") >= _NEARLY
    on_earth = bool(np.abs(values).max(initial=0) <= _DEGREES) and bool(np.ptp(values) > 1 if len(values) else False)
    if said.kind not in _NUMBERS and not said.weak:
        return "measurement", 1.0, 0.4, "the header says something else than numbers"
    if said.kind != "measurement" and precise and on_earth and np.abs(values).mean() > _NORMED:
        return "coordinates" if said.opaque else "measurement", 1.0, 0.4, "precise numbers up to 180 may be coordinates"
    return "measurement", 1.0, 0.9, ""


def _integers(cells: CellSample, said: Said) -> _Found:
    unique = cells.distinct > _UNIQUE and cells.filled > _SMALL
    if unique and (cells.rises or cells.length >= _LONG_CODE):
        return "record_id", 1.0, 0.6 if cells.rises else 0.4, _ONE_EACH
    if cells.length >= _LONG_CODE and _one_length(cells):
        return "record_id", 1.0, 0.4, "long numbers of one length may be an identifier"
    if said.kind is not None:
        return ("category" if _few(cells) else "measurement"), 1.0, 0.6, _CODES
    return _unexplained(cells, said)


def _unexplained(cells: CellSample, said: Said) -> _Found:
    """Return what whole numbers may be that no header explains; a person is to look at all of them."""
    if cells.length >= _POSTCODE and _one_length(cells):
        return _postcodes(cells)
    if _few(cells):
        return "category", 1.0, 0.5, "a few whole numbers may be codes for groups of people"
    values = cells.numbers[~np.isnan(cells.numbers)]
    if values.min(initial=0) >= 0 and values.max(initial=0) <= _OLDEST:
        years = said.opaque and values.max() >= _OLD and len(values) >= _YEARS
        return "age" if years else "measurement", 1.0, 0.4, "whole numbers up to 120 may be ages"
    return "measurement", 1.0, 0.5, _CODES


def _postcodes(cells: CellSample) -> _Found:
    """Numbers of four or five digits that are kept as text are no amounts; as numbers they may be years."""
    years = cells.like("^(?:19|20)[0-9]{2}$") == 1
    kind = "postcode" if cells.family == "text" and not years else "measurement"
    return (
        kind,
        1.0,
        0.4,
        "numbers of one length may be years of birth" if years else "numbers of one length may be postcodes",
    )


def _one_length(cells: CellSample) -> bool:
    return cells.like(f"^[0-9]{{{round(cells.length)}}}$") > _NEARLY


# --- text ------------------------------------------------------------------------------------------------------------


def _texts(cells: CellSample, said: Said) -> _Found:
    few = _few(cells)
    if (
        not few
        and said.kind != "quasi"
        and (cells.words >= _PROSE or (cells.length >= _LONG and cells.like(_SENTENCE) > _SOME))
    ):
        return "free_text", cells.like(_SENTENCE), 0.8, ""
    if few or (said.kind == "category" and (cells.distinct < _HALF or cells.filled <= _GROUPS)):
        known = said.kind in {"quasi", "sensitive", "category"}
        return "category", 1.0, 0.8 if known else 0.6, _GROUPED if not known and len(cells.counts) > _TOLD_APART else ""
    if said.kind in {"quasi", "sensitive"}:
        return "category", 1.0, 0.6, ""
    return _code(cells) or _TEXT


def _code(cells: CellSample) -> _Found | None:
    """Return what words with digits may be: postcodes, user names, or codes of any other sort."""
    if cells.like(r"^[0-9]{4,6}$") >= _NEARLY:
        return "postcode", 1.0, 0.4, "numbers of one length may be postcodes"
    if cells.like(_USER) >= _NEARLY and cells.distinct > _HALF and cells.like("[0-9_.]") > _SOME:
        return "user_name", 1.0, 0.4, "words with digits may be user names"
    if (share := cells.like(_CODE)) < _NEARLY:
        return None
    repeated = cells.distinct < _UNIQUE
    return "record_id", share, 0.5 if repeated else 0.7, _CODED if repeated else ""


def _few(cells: CellSample) -> bool:
    """Tell whether there are few different cells, each of them in many rows, or so few that they are groups."""
    different = len(cells.counts)
    return different <= _GROUPS and (cells.distinct <= _REPEATED or different <= _PAIR)


_NUMBERS = {None, "measurement", "category", "other"}
_ONE_EACH = "numbers that differ in every row may be an identifier"
_TELLING = "the header says something about people"
_CODES = "whole numbers that no header explains may be codes"
_TEXT = ("text", 1.0, 0.4, "text of many values and no known form")
_GROUPED = "values that no header explains and that repeat may be names"
_CODED = "codes that occur in several rows may belong to people or to things"
# One word with a digit in it, or in capitals only.
_SENTENCE = r"\s|[\x{3001}\x{3002}\x{FF0C}\x{FF1B}]"  # a space, or a mark of Chinese
_USER = "^[a-z][a-z0-9._-]{3,20}$"
_CODE = r"^[^\s]*[0-9][^\s]*$|^[A-Z]{2,8}$"
_NEARLY, _UNIQUE, _HALF, _SOME = 0.95, 0.9, 0.5, 0.2
_SMALL, _LONG_CODE, _NO_AMOUNT, _POSTCODE, _OLD, _YEARS, _OLDEST, _DEGREES, _NORMED = (
    20,
    5.5,
    8.5,
    4,
    60,
    30,
    120,
    180,
    3,
)
_PROSE, _LONG, _GROUPS, _TOLD_APART, _PAIR, _REPEATED = 5, 25, 50, 12, 2, 0.2
