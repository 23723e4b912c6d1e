"""How many cells of a column have the form of an e-mail address, a phone number, a date and so on."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from modelpriv._columns.arrow import pc
from modelpriv.detection.wordlists import among, lines
from modelpriv.kernels.text.check_digits import NUMBERS, has_check_digits

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from modelpriv.detection.cells import CellSample

__all__ = ["clear_forms", "fits", "person_words", "plain_fits", "sex_share"]


def clear_forms(cells: CellSample) -> dict[str, float]:
    """Return the share of cells for each kind whose form alone says enough."""
    shares = {kind: _where_worth(cells, partial(_like, pattern=pattern)) for kind, pattern in _CLEAR.items()}
    shares["ip"] -= cells.like(_MAC) if shares["ip"] > _WORTH else 0
    numbers = [kind for kind in NUMBERS if _may_be(cells, kind)]
    shares |= {kind: _where_worth(cells, partial(_numbers, kind=kind)) for kind in numbers}
    shares["sex"] = sex_share(cells)
    shares["country"] = cells.share(among(cells.folded, "countries"))
    return shares


def _where_worth(cells: CellSample, share: Callable[[CellSample], float]) -> float:
    """Measure a share on a few cells first: most columns have nothing of most forms."""
    found = share(cells.few)
    return found if found < _WORTH or cells.few is cells else share(cells)


def fits(cells: CellSample, kind: str) -> float:
    """Return the share of cells that may be of a kind, if a header says so."""
    if kind in NUMBERS:
        return _numbers(cells, kind)
    if kind == "sex":
        return sex_share(cells)
    if kind == "country":
        return max(cells.share(among(cells.folded, "countries", "country_codes")), cells.like(_LETTERS) * 0.9)
    return plain_fits(cells, kind)


def plain_fits(cells: CellSample, kind: str) -> float:
    """Return the share of cells that match the form of a kind; 0 if it has none."""
    pattern = _POSSIBLE.get(kind, _CLEAR.get(kind))
    return cells.like(pattern) if pattern else 0.0


def sex_share(cells: CellSample) -> float:
    """Return the share of cells that say a sex; 0 unless there are a word for men and a word for women."""
    words = _sexes()
    found = cells.folded.to_pylist() if len(cells.counts) <= _MOST_SEXES else []
    if not ({*found} & words["male"] and {*found} & words["female"]):
        return 0.0
    known = set().union(*words.values())
    return cells.share(np.array([text in known for text in found], np.bool_))


@cache
def _sexes() -> dict[str, set[str]]:
    return {sex: set(words.split(", ")) for sex, words in (line.split(": ") for line in lines("sexes"))}


def person_words(cells: CellSample) -> dict[str, float]:
    """Return the share of cells that the lists know as a given, a family or a full name, or as a place."""
    shares = {
        "given_name": cells.share(among(cells.folded, "given")),
        "family_name": cells.share(among(cells.folded, "family")),
        "place": cells.share(among(cells.folded, "places")) if cells.length > _CODE else 0.0,
    }
    first = pc.replace_substring_regex(cells.folded, _FIRST, r"\1")
    last = pc.replace_substring_regex(
        cells.folded, r"^.* ([\p{L}'\x{2019}-]+)(?: (?:jr|sr|md|phd|dds|dvm|ii|iii|iv)\.?)?$", r"\1"
    )
    several = pc.match_substring_regex(cells.texts, _FULL).to_numpy(zero_copy_only=False)
    known = among(first, "given", "family") & among(last, "given", "family")
    half = among(first, "given") | among(last, "family") | among(last, "given")
    chinese = pc.match_substring_regex(cells.texts, _HAN_NAME).to_numpy(zero_copy_only=False) & _has_surname(cells)
    shares["full_name"] = max(cells.share(several & known), 0.8 * cells.share(several & half), cells.share(chinese))
    return shares


def _has_surname(cells: CellSample) -> npt.NDArray[np.bool_]:
    one, two = (among(pc.utf8_slice_codeunits(cells.texts, 0, length), "family") for length in (1, 2))
    return one | two


def _may_be(cells: CellSample, kind: str) -> bool:
    """Tell whether cells are long enough for a number of a kind: a look at a few says it for all."""
    least, most = _LENGTHS[kind]
    return least <= cells.length <= most


def _like(cells: CellSample, pattern: str) -> float:
    return cells.like(pattern)


def _numbers(cells: CellSample, kind: str) -> float:
    return cells.share(has_check_digits(cells.texts, kind))


_LENGTHS = {
    "card": (11.5, 24),
    "iban": (14, 44),
    "nhs_number": (9.5, 13),
    "chinese_id": (16, 19),
    "vat": (9.5, 18),
    "national_id": (8.5, 22),
}

_STREETS = "|".join(lines("streets"))
_YEAR, _MONTH, _DAY = "(?:1[5-9]|20)[0-9]{2}", "(?:0?[1-9]|1[0-2])", "(?:0?[1-9]|[12][0-9]|3[01])"
_ZONE = "(?: ?(?:Z|UTC|[+-][0-9]{2}:?[0-9]{2}))?"
_TIME = f"(?:[T ]+[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]+)?)?(?: ?[AaPp][Mm])?{_ZONE})?"
_NAMED = r"(?:[0-9]{1,2}\.?[ -])?[A-Za-z]{3}[^\s0-9]*[ -](?:[0-9]{1,2}(?:st|nd|rd|th)?,? )?(?:1[5-9]|20)[0-9]{2}"
_NUMERIC = (
    f"{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}|{_DAY}[-/.]{_MONTH}[-/.]{_YEAR}|{_MONTH}[-/.]{_DAY}[-/.]{_YEAR}"
    f"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])|{_YEAR}年{_MONTH}月(?:{_DAY}日)?"
)
_DATE = f"^(?:{_NUMERIC}|{_NAMED}){_TIME}$"
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_MAC = r"^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$"
# A character of a name: no space, no digit and no sign of ASCII but the apostrophe, the dash and the full stop. It says
# what it is not, since each \p{L} that is repeated costs RE2 milliseconds before it looks at a cell.
_LETTER = r"[^\s\x00-\x26\x28-\x2C/0-9:-@\[-`{-~]"
_LETTERS = r"^[^0-9@#$%*_+=<>|\\\[\]{}!?:;\"~^]+$"
_FULL = f"^{_LETTER}+,?(?: {_LETTER}+)+$"
_FIRST = r"^(?:[^ .]+\. ?)*([^ ,]+)[, ].*$"
_LAST = r"^.* ([^ ]+?)(?: (?:jr|sr|md|phd|dds|dvm|ii|iii|iv)\.?)?$"
_HAN_NAME = r"^\p{Han}{2,4}$"
_NAME = f"^{_LETTER}+(?: {_LETTER}+)?(?: {_LETTER}+)?(?: {_LETTER}+)?$"

_CLEAR = {
    "email": r"^[^\s@<>\"(),:;]+@[^\s@.]+(?:\.[^\s@.]+)*\.[^\s@.]{2,}$",
    "url": r"^(?i:https?://|ftp://|www\.)\S+$",
    "uuid": r"^(?i:urn:uuid:)?\{?[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\}?$",
    "ip": rf"^(?:{_OCTET}\.){{3}}{_OCTET}(?:/[0-9]{{1,2}})?$|^(?:[0-9A-Fa-f]{{1,4}}:){{7}}[0-9A-Fa-f]{{1,4}}$"
    r"|^[0-9A-Fa-f:]*::[0-9A-Fa-f:.]*(?:/[0-9]{1,3})?$",
    "ssn": r"^(?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{2}|6(?:[0-57-9][0-9]|6[0-57-9]))-(?:0[1-9]|[1-9][0-9])-[0-9]{4}$",
    "date": _DATE,
    "coordinates": r"^\(?[+-]?[0-9]{1,3}\.[0-9]{3,}\s*[,; ]\s*[+-]?[0-9]{1,3}\.[0-9]{3,}\)?$"
    r"|^[0-9]{1,3}°\s?[0-9]{1,2}['\x{2032}].*[NSEWO]$",
    "phone": r"^(?:\+|00)[1-9][0-9 ().\-/]{6,20}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?$"
    r"|^\(?0?[0-9]{2,5}\)?[ .\-/][0-9]{3,4}[ .\-][0-9]{3,4}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?$"
    r"|^\([0-9+]{2,5}\) ?[0-9() .\-/]{5,15}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?$"
    r"|^0[1-9][0-9 ()/.\-]{7,16}$|^1[3-9][0-9]{9}$",
    "postcode": r"^[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}$|^[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]$|^[0-9]{5}-[0-9]{3,4}$"
    r"|^[1-9][0-9]{3} ?[A-Z]{2}$|^[0-9]{2}-[0-9]{3}$|^[0-9]{3}-[0-9]{4}$|^[A-Z]{1,2}-[0-9]{4,5}$",
    "street": rf"(?i)^[^@]*(?:\b(?:{_STREETS})\b\.?|[^\s](?:strasse|straße|str\.|weg|platz|allee|gasse|ring))[^@]*$",
}
_POSSIBLE = {
    "phone": r"^\+?[0-9 ().\-/]{6,22}(?: ?(?:x|ext\.?) ?[0-9]{1,6})?$",
    "postcode": r"^(?:[A-Za-z]{1,2}-)?[A-Za-z0-9]{2,5}[ -]?[A-Za-z0-9]{0,4}$",
    "street": r"^[\s\S][\s\S]",
    "place": r"^[^@#$%*_+=<>|\\\[\]{}!?:;\"~^]+$",
    "given_name": _NAME,
    "family_name": _NAME,
    "full_name": f"^{_LETTER}+,?(?: [()]?{_LETTER}+[()]?)*$",
    "user_name": r"^[^\s@]{2,40}$|^@[^\s@]{2,40}$",
    "record_id": r"^[^\s@,;!?()]+$",
    "uuid": r"^[0-9A-Fa-f-]{32,36}$",
    "url": r"^\S+\.\S+$",
    "ssn": r"^[0-9]{3}-?[0-9]{2}-?[0-9]{4}$",
    "birth_date": f"{_DATE}|^{_YEAR}$",
    "date": f"{_DATE}|^{_YEAR}$",
    "age": r"^(?:[0-9]|[1-9][0-9]|1[01][0-9])(?:\.[0-9]+)?$|^[0-9]{1,3} ?[-\x{2013}+] ?(?:[0-9]{1,3})?$",
    "free_text": r"^.{8,}|\s",
    "coordinates": r"[0-9]",
}
_MOST_SEXES, _CODE, _WORTH = 12, 3, 0.2
