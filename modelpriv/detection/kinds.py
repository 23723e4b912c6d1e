"""The kinds of columns: what each says about a person, and what is proposed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelpriv.detection.cells import CellSample
    from modelpriv.detection.headers import Said

__all__ = ["DIRECT", "OTHER", "QUASI", "ROLES", "SENSITIVE", "Proposal", "propose"]

Proposal: TypeAlias = "dict[str, Any] | str"
"""A transformer with its parameters, or one of the words "keep", "drop" and "review"."""

_Special: TypeAlias = "Callable[[CellSample, Said], Proposal | None]"

DIRECT, QUASI, SENSITIVE, OTHER = "direct identifier", "quasi-identifier", "sensitive", "other"

ROLES: dict[str, str] = {
    **dict.fromkeys(("given_name", "family_name", "full_name", "user_name", "record_id", "uuid"), DIRECT),
    **dict.fromkeys(("email", "phone", "street", "ip", "url", "iban", "card", "vat"), DIRECT),
    **dict.fromkeys(("ssn", "nhs_number", "chinese_id", "national_id", "free_text"), DIRECT),
    **dict.fromkeys(("place", "postcode", "country", "birth_date", "date", "age", "sex", "coordinates"), QUASI),
    **dict.fromkeys(("category", "text"), QUASI),
    **dict.fromkeys(("measurement", "flag", "empty", "unreadable"), OTHER),
}
"""Every kind, with the role that its columns have if no header says another."""


def propose(kind: str, cells: CellSample, said: Said) -> Proposal:
    """Return what to do with a column of a kind; the header tells a latitude from a longitude, and a ZIP code."""
    special = _SPECIAL.get(kind)
    proposal = special(cells, said) if special and cells.filled else None
    if proposal is None:
        proposal = _PROPOSALS[kind]
    return proposal if isinstance(proposal, str) else {**proposal, "parameters": dict(proposal["parameters"])}


def _step(transformer: str, **parameters: Any) -> dict[str, Any]:
    return {"transformer": transformer, "parameters": parameters}


def _postcode(cells: CellSample, said: Said) -> Proposal | None:
    """American ZIP codes go by the rule of HIPAA, others keep their first two characters."""
    american = "zip" in (said.phrase or "") and cells.like(r"^[0-9]{3,5}(?:-?[0-9]{4})?$") > _MOST
    if american or cells.like(r"^[0-9]{5}-[0-9]{4}$") > _SOME:
        return _step("Generalizer", to="zip3")
    return None


def _coordinate(cells: CellSample, said: Said) -> Proposal | None:
    one = said.kind in {"latitude", "longitude"} and cells.family in {"number", "integer"}
    return _step("Generalizer", to=said.kind, width=0.1) if one else None


def _category(cells: CellSample, said: Said) -> Proposal | None:
    """Let numbers stay that a header calls groups, but not of people: a label to learn, a type."""
    if cells.family != "integer" or said.kind in {"quasi", "sensitive"}:
        return None
    return "keep" if said.kind == "category" else "review"


def _age(cells: CellSample, said: Said) -> Proposal | None:  # noqa: ARG001 - one face
    return _COARSE if cells.family == "text" else None  # intervals are made of numbers


def _date(cells: CellSample, said: Said) -> Proposal | None:  # noqa: ARG001 - one face
    """Years alone become groups of years; dates that do not begin with the year keep that and nothing else."""
    if cells.like(r"^[0-9]{4}$") > _MOST:
        return (
            _step("Generalizer", to="prefix", length=3)
            if cells.family == "text"
            else _step("Generalizer", to="interval", width=5)
        )
    return None if cells.like(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}|^[0-9]{8}$") > _MOST else _step("Masker", format="date")


def _name(provider: str) -> _Special:
    """Chinese people get Chinese names."""

    def named(cells: CellSample, said: Said) -> Proposal:  # noqa: ARG001 - one face
        chinese = {"locale": "zh_CN"} if cells.like(r"^\p{Han}+$") > _HALF else {}
        return _step("Replacer", provider=provider, **chinese)

    return named


_MOST, _HALF, _SOME = 0.9, 0.5, 0.2
_COARSE = _step("Generalizer", to="frequent", min_count=11)
_CODE = _step("Pseudonymizer")
_PROPOSALS: dict[str, Any] = {
    "given_name": _step("Replacer", provider="first_name"),
    "family_name": _step("Replacer", provider="last_name"),
    "full_name": _step("Replacer", provider="name"),
    "email": _step("FieldEncryptor", mode="deterministic"),
    "phone": _step("Masker", format="phone"),
    "card": _step("Masker", format="card"),
    "iban": _step("Masker", format="iban"),
    "ssn": _step("Masker", format="ssn"),
    "ip": _step("Generalizer", to="network"),
    **dict.fromkeys(("nhs_number", "chinese_id", "national_id", "vat", "user_name", "record_id", "uuid"), _CODE),
    **dict.fromkeys(("street", "url", "free_text", "empty"), "drop"),
    **dict.fromkeys(("place", "country", "sex", "category"), _COARSE),
    "birth_date": _step("Generalizer", to="year"),
    "date": _step("Generalizer", to="month"),
    "postcode": _step("Generalizer", to="prefix", length=2),
    "age": _step("Generalizer", to="interval", width=5, top=90),
    "coordinates": "drop",
    **dict.fromkeys(("text", "unreadable"), "review"),
    **dict.fromkeys(("measurement", "flag"), "keep"),
}

# What depends on the cells or the header; None leaves it to the table above.
_SPECIAL: dict[str, _Special] = {
    "given_name": _name("first_name"),
    "family_name": _name("last_name"),
    "full_name": _name("name"),
    "postcode": _postcode,
    "coordinates": _coordinate,
    "category": _category,
    "age": _age,
    "date": _date,
    "birth_date": _date,
}
