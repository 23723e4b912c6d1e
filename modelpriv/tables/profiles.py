"""Profiles: rules for the roles of columns, to begin a policy with."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from modelpriv.errors import ParameterError
from modelpriv.tables.claims import CLAIMS
from modelpriv.tables.roles import DATES, DIRECT, ROLES
from modelpriv.transformers.field_encryptor import FieldEncryptor
from modelpriv.transformers.generalizer import Generalizer
from modelpriv.transformers.masker import Masker
from modelpriv.transformers.pseudonymizer import Pseudonymizer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_roles", "rules_for"]


def rules_for(profile: str, roles: Mapping[str, str]) -> dict[str, Any]:
    """Return a rule for each column that has a role.

    Raises
    ------
    ParameterError
        The profile or a role is unknown; the message names the nearest one.
    """
    if profile not in CLAIMS:
        raise ParameterError(f"profile is {profile!r}: choose one of {', '.join(map(repr, CLAIMS))}.")
    check_roles(roles)
    return {column: _RULES[profile](role) for column, role in roles.items()}


def check_roles(roles: Mapping[str, str]) -> None:
    """Refuse a role that does not exist."""
    for column, role in roles.items():
        if role not in ROLES:
            close = difflib.get_close_matches(str(role), ROLES, 1, 0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(sorted(ROLES))}."
            raise ParameterError(f"roles[{column!r}] is {role!r}: {hint}")


def _safe_harbor(role: str) -> Any:
    if role == "postcode":
        return Generalizer("zip3")
    if role == "date":
        return Generalizer("year")
    if role == "age":
        return Generalizer("bounded", top=90)
    return "drop" if role in DIRECT | DATES | {"city", "county"} else "keep"


def _limited(role: str) -> Any:
    return "drop" if role in DIRECT else "keep"


def _pci(role: str) -> Any:
    return Masker("card") if role == "card" else "keep"


def _pseudonymised(role: str) -> Any:
    if role in {"record_id", "account", "beneficiary", "other_id"}:
        return Pseudonymizer()
    if role in {"email", "phone", "ssn", "card"}:
        return FieldEncryptor()
    return "drop" if role in DIRECT else "keep"


_RULES = {
    "hipaa-safe-harbor": _safe_harbor,
    "hipaa-limited": _limited,
    "pci-dss": _pci,
    "gdpr-pseudonymised": _pseudonymised,
    "gb-t-37964": _pseudonymised,
}
