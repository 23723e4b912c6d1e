"""What a column can hold, in the words of the rules for releasing tables."""

from __future__ import annotations

__all__ = ["DATES", "DIRECT", "NOT_LISTED", "ROLES", "SAFE_HARBOR"]

SAFE_HARBOR = {
    "name": "A",
    "street": "B",
    "city": "B",
    "county": "B",
    "postcode": "B",
    "date_of_birth": "C",
    "date": "C",
    "age": "C",
    "phone": "D",
    "fax": "E",
    "email": "F",
    "ssn": "G",
    "record_id": "H",
    "beneficiary": "I",
    "account": "J",
    "card": "J",
    "licence": "K",
    "vehicle": "L",
    "device": "M",
    "url": "N",
    "ip": "O",
    "biometric": "P",
    "photo": "Q",
    "other_id": "R",
}
"""By role: the letter of 45 CFR 164.514(b)(2)(i) that lists it."""

DATES = frozenset({"date_of_birth", "date"})
NOT_LISTED = frozenset({"state", "country", "sex", "measure", "other"})
DIRECT = frozenset(SAFE_HARBOR) - DATES - {"age", "postcode", "city", "county"}
"""What identifies someone by itself."""
ROLES = frozenset(SAFE_HARBOR) | NOT_LISTED
