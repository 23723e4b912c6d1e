"""From what a header says and what the cells look like to the kind of a column, with a confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv._columns.arrow import pc
from modelpriv.detection.forms import clear_forms, fits, person_words
from modelpriv.detection.plain import plain_kind

if TYPE_CHECKING:
    from modelpriv.detection.cells import CellSample
    from modelpriv.detection.headers import Said

__all__ = ["Decision", "decide"]


@dataclass(frozen=True)
class Decision:
    """The kind of a column, the share of cells that fit it, how sure that is, and whether a person is to look."""

    kind: str
    fits: float
    confidence: float
    review: bool = False
    why: str = ""


def decide(cells: CellSample, said: Said) -> Decision:
    """Decide on a column: by a form that is clear, else by its header where the cells fit, else by its cells alone."""
    if not cells.filled:
        return _without_cells(said)
    if cells.family == "other":
        return Decision("text", 0.0, 0.2, review=True, why="cells of a type that is not looked into")
    if cells.family == "date":
        return _date(cells, said)
    if cells.family == "flag":
        return Decision("sex", 1.0, 0.8) if said.kind == "sex" else Decision("flag", 1.0, 0.9)
    forms = clear_forms(cells) if _may_have_form(cells) else {}
    return _by_form(cells, said, forms) or _by_header(cells, said) or _by_cells(cells, said)


def _may_have_form(cells: CellSample) -> bool:
    """Tell whether a form can say anything: fractions, and whole numbers of up to five digits, have none."""
    return cells.family == "text" or (cells.family == "integer" and cells.length > _SHORT_NUMBER)


def _without_cells(said: Said) -> Decision:
    if said.kind is None or said.kind in _NO_KIND:
        return Decision("empty", 0.0, 0.5, review=True, why="no cell to look at")
    kind = "coordinates" if said.kind in {"latitude", "longitude"} else said.kind
    return Decision(kind, 0.0, 0.5, review=True, why="no cell to look at; by the header alone")


def _date(cells: CellSample, said: Said) -> Decision:
    if said.kind == "birth_date":
        return Decision("birth_date", 1.0, 0.98)
    born = said.kind not in {"date", "category"} and not cells.zoned and _years(cells) > _LIFETIME
    if born:
        return Decision("birth_date", 1.0, 0.5, review=True, why="dates over many years may be dates of birth")
    return Decision("date", 1.0, 0.95 if said.kind == "date" else 0.8)


def _years(cells: CellSample) -> float:
    """Return how many years nearly all dates of a column lie in."""
    found: Any = pc.extract_regex(cells.texts, r"(?P<year>(?:1[5-9]|20)[0-9]{2})").field("year").drop_null()
    years = found.cast("float64").to_numpy(zero_copy_only=False)
    return float(np.subtract(*np.quantile(years, [0.95, 0.05]))) if len(years) else 0.0


# --- by the form of the cells ----------------------------------------------------------------------------------------


def _by_form(cells: CellSample, said: Said, forms: dict[str, float]) -> Decision | None:
    """Take the kind that most cells have the form of, unless that form is also the one of what the header says."""
    clear = {kind: share for kind, share in forms.items() if share >= _LEAST.get(kind, _CLEAR)}
    clear = {kind: share for kind, share in clear.items() if _holds(kind, cells, said)}
    if not clear:
        return None
    if said.kind in clear and said.kind is not None:
        return Decision(said.kind, clear[said.kind], 0.99)
    kind = min(clear, key=_ORDER.index)
    share = clear[kind]
    if kind == "date":
        return _written_date(cells, said, share)
    if said.kind in _SAME.get(kind, ()) and not said.weak:
        return Decision(str(said.kind), share, 0.95)
    contradicted = said.kind is not None and not said.weak and said.kind not in _NO_KIND
    return Decision(kind, share, 0.6 if contradicted else 0.9, review=contradicted, why=_OTHERWISE * contradicted)


def _holds(kind: str, cells: CellSample, said: Said) -> bool:
    """Tell whether a form is enough for a kind: a few digits that fit by chance are not."""
    if kind in {"nhs_number", "card", "national_id"}:
        return cells.filled >= _FEW or said.kind == kind
    if kind in {"postcode", "street"}:  # these forms say too little against a header that says something else
        return said.kind in {kind, None} or said.weak or said.kind == "other"
    if kind == "country":
        return said.kind not in {"category", "measurement", "other", "full_name", "given_name", "family_name"}
    if kind == "phone":
        return said.kind not in {*_NUMBERED, "date", "birth_date", "record_id"} or said.weak
    return True


def _written_date(cells: CellSample, said: Said, share: float) -> Decision | None:
    if said.kind in {"birth_date", "date"}:
        return Decision(said.kind, share, 0.98)
    if said.kind in _NUMBERED | {"phone", "record_id"} and not said.weak:
        return None
    if cells.like(r"[0-9]:[0-9]") < _CLEAR and _years(cells) > _LIFETIME:
        return Decision("birth_date", share, 0.5, review=True, why="dates over many years may be dates of birth")
    return Decision("date", share, 0.8)


# --- by the header ---------------------------------------------------------------------------------------------------


def _by_header(cells: CellSample, said: Said) -> Decision | None:
    """Take what the header says if the cells may be that; if it is sure and they are not, let a person look."""
    kind = said.kind
    if kind is None or kind in _NO_KIND:
        return None
    if kind in {"latitude", "longitude"}:
        return Decision("coordinates", 1.0, 0.95)
    if kind in {"given_name", "family_name", "full_name"} and said.weak:
        return _weak_name(cells, kind)
    if _counts(cells, kind):
        return None
    share = _fits_header(cells, kind)
    if said.weak:
        doubtful = (kind == "free_text" and cells.words < _FREE) or (kind == "record_id" and not _is_code(cells))
        return None if doubtful or share < _ENOUGH else Decision(kind, share, 0.75)
    return _by_sure_header(cells, kind, share)


def _counts(cells: CellSample, kind: str) -> bool:
    """Tell whether numbers are too short, or no words, for what the header names: how many links there are, say."""
    short = kind in _NUMBERED | {"phone", "postcode"} and cells.length < _SHORTEST
    return cells.family != "text" and (kind in _WORDS or short)


def _fits_header(cells: CellSample, kind: str) -> float:
    """Return the share of cells that may be what the header says; numbers may be codes of places and of sexes."""
    if kind in {"street", "place"} and cells.family != "text":
        return 1.0 if cells.family == "integer" else 0.0
    if kind == "sex" and len(cells.counts) <= _FEW_SEXES:
        return 1.0
    if cells.length > _LONGEST.get(kind, _PARAGRAPH):
        return 0.0
    return fits(cells, kind)


def _by_sure_header(cells: CellSample, kind: str, share: float) -> Decision:
    if share >= (_CLEAR if kind in _NUMBERED else _ENOUGH):
        return Decision(kind, share, 0.9)
    if kind in _NUMBERED and share >= _ENOUGH:
        return Decision(kind, share, 0.6, review=True, why="some cells have no right check digits")
    if kind in _NUMBERED and _is_code(cells):
        # A number of this sort that is known by other rules, or by none.
        kind, share = "national_id" if kind in _IDENTITIES else kind, fits(cells, "record_id")
        return Decision(kind, share, 0.6, review=True, why="these are not the check digits of what the header says")
    return Decision(kind, share, 0.4, review=True, why="the cells do not look like what the header says")


def _weak_name(cells: CellSample, kind: str) -> Decision | None:
    """Take a header such as "name" for a person's if words that the lists know say so."""
    if cells.family != "text":
        return None
    known = person_words(cells)
    best = max(("full_name", "given_name", "family_name"), key=lambda each: known[each])
    if known[best] >= _NAMED:
        return Decision(best, known[best], 0.85)
    things = cells.like(_THINGS)
    if fits(cells, "full_name") >= _CLEAR and things < _SOME_THINGS and len(cells.counts) > _FEW_VALUES:
        return Decision(kind, fits(cells, "full_name"), 0.5, review=True, why="words that no list of names knows")
    return None


def _is_code(cells: CellSample) -> bool:
    return fits(cells, "record_id") >= _ENOUGH


# --- by the cells alone ----------------------------------------------------------------------------------------------


def _by_cells(cells: CellSample, said: Said) -> Decision:
    if cells.family == "text" and said.kind not in _NO_KIND:
        known = person_words(cells)
        # A place is often a name too, and the other way round; what more cells are in the lists for is likelier.
        best = max(known, key=lambda each: known[each])
        # Four words that repeat, such as White and Black, are no list of people.
        varied = best == "full_name" or len(cells.counts) > _FEW_VALUES or cells.distinct > _VARIED
        if known[best] >= _NAMED_ALONE and varied:
            close = any(known[best] - share < _CLOSE for each, share in known.items() if each != best)
            return Decision(best, known[best], 0.5 if close else 0.75, review=close, why=_LISTED * close)
    kind, share, confidence, why = plain_kind(cells, said)
    return Decision(kind, share, confidence, review=bool(why), why=why)


_OTHERWISE = "the cells have another form than the header says"
_LISTED = "the words are in the lists of several kinds"

_CLEAR, _ENOUGH, _NAMED, _NAMED_ALONE, _CLOSE = 0.8, 0.7, 0.3, 0.35, 0.1
_LEAST = {"card": 0.7, "national_id": 0.7, "country": 0.7, "sex": 0.9, "date": 0.9, "street": 0.5}
_FEW, _FEW_SEXES, _FEW_VALUES, _FREE, _LIFETIME, _SHORT_NUMBER = 20, 6, 20, 5, 40, 5.5
_SOME_THINGS, _SHORTEST, _VARIED = 0.1, 3, 0.2
_THINGS = (
    r"(?i)\b(?:inc|llc|ltd|corp|co|gmbh|ag|sa|sarl|srl|plc|airport|airlines?|airways|field|university|school|hospital"
    r"|bank|group|company|international|station|hotel)\b|公司|医院|学校|银行|大学"
)
_NUMBERED = {"card", "iban", "nhs_number", "chinese_id", "vat", "national_id", "ssn"}
_IDENTITIES = {"nhs_number", "chinese_id", "national_id", "ssn"}
_WORDS = {
    "given_name",
    "family_name",
    "full_name",
    "email",
    "url",
    "ip",
    "uuid",
    "iban",
    "vat",
    "user_name",
    "free_text",
}
_NO_KIND = {"measurement", "category", "other", "quasi", "sensitive"}
_LONGEST, _PARAGRAPH = {"place": 40, "record_id": 60, "user_name": 40, "full_name": 60}, 10_000
# Kinds whose forms are also the forms of others that a header may name.
_SAME = {
    "national_id": ("record_id", "vat", "ssn", "phone"),
    "phone": ("record_id", "user_name", "street"),
    "nhs_number": ("phone", "record_id"),
    "card": ("record_id", "iban", "national_id", "phone"),
    "uuid": ("record_id", "user_name"),
    "email": ("user_name",),
    "ssn": ("national_id",),
    "vat": ("national_id", "record_id"),
    "chinese_id": ("national_id",),
    "url": ("free_text",),
    "country": ("place",),
    "street": ("place", "postcode"),
}
# What is looked for first where cells have several forms.
_ORDER = [
    "email",
    "url",
    "uuid",
    "chinese_id",
    "iban",
    "vat",
    "ssn",
    "card",
    "ip",
    "coordinates",
    "date",
    "national_id",
    "nhs_number",
    "phone",
    "sex",
    "country",
    "postcode",
    "street",
]
