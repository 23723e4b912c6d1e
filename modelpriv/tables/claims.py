"""Claims: what rules for columns have to be so that a legal text's clauses have an answer. It is no legal advice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelpriv.errors import ParameterError
from modelpriv.tables.roles import DATES, DIRECT, NOT_LISTED, SAFE_HARBOR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelpriv.tables.rules import ColumnRule

__all__ = ["CLAIMS", "Answered", "answers", "check_claim"]

SUPPORTED, REFUSED, PERSON = "supported", "refused", "a person decides"
_DERIVED = {"FieldEncryptor", "Pseudonymizer", "Replacer", "DateShifter"}
_OLDEST = 90  # 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one class, 90 or older
_BIN, _LAST = 6, 4  # PCI DSS 4, 3.5.1: the safe baseline for all lengths


@dataclass(frozen=True)
class Answered:
    """One clause of a claim, and what in the rules answers it.

    It leaks names of columns. It protects nothing, and does not say that anyone complies.

    Parameters
    ----------
    clause : str
        The clause, as its text numbers it.
    columns : tuple of str
        The columns that it is about.
    answer : {"supported", "refused", "a person decides"}
        Whether the rules support the claim here.
    why : str
        What answers it, or what to change.

    Examples
    --------
    >>> from modelpriv.tables import Answered
    >>> Answered("45 CFR 164.514(b)(2)(i)(A)", ("name",), "supported", "dropped").answer
    'supported'
    """

    clause: str
    columns: tuple[str, ...]
    answer: str
    why: str


@dataclass(frozen=True)
class _Treated:
    """One column that comes out or is dropped, by the column that it comes from."""

    column: str
    role: str | None
    steps: tuple[Any, ...] | str

    @property
    def kinds(self) -> set[str]:
        return set() if isinstance(self.steps, str) else {type(step).__name__ for step in self.steps}

    @property
    def dropped(self) -> bool:
        return self.steps == "drop"

    @property
    def derived(self) -> bool:
        return bool(self.kinds & _DERIVED)

    def generalized(self) -> Any:
        """Return the Generalizer, if it alone treats the column."""
        if isinstance(self.steps, tuple) and self.kinds == {"Generalizer"} and len(self.steps) == 1:
            return self.steps[0]
        return None


def answers(claim: str, rules: list[ColumnRule], names: list[Any], roles: Mapping[str, str]) -> list[Answered]:
    """Return each clause of a claim with what answers it."""
    treated = [
        _Treated(str(names[position]), roles.get(names[position]), rule.steps)
        for rule in rules
        for position in rule.positions
    ]
    return CLAIMS[claim](treated)


def check_claim(claim: str, found: list[Answered]) -> None:
    """Refuse rules that do not support a claim.

    Raises
    ------
    ParameterError
        A clause is refused; the message names each, with its columns and what to change.
    """
    refused = [one for one in found if one.answer == REFUSED]
    if refused:
        said = "; ".join(f"{', '.join(map(repr, one.columns))}: {one.why} ({one.clause})" for one in refused)
        raise ParameterError(f"the rules do not support the claim {claim!r}. {said}.")


def _safe_harbor(treated: list[_Treated]) -> list[Answered]:
    found = [_safe_harbor_column(one) for one in treated]
    births = [one for one in treated if one.role == "date_of_birth" and not one.dropped]
    ages = [one for one in treated if one.role == "age" and not one.dropped]
    if births and ages:
        columns = (births[0].column, ages[0].column)
        why = "a birth date or year next to an age gives back the ages that are one class: drop one of them"
        found.append(Answered(f"{_HIPAA}(b)(2)(i)(C)", columns, REFUSED, why))
    why = "no actual knowledge that what is left identifies someone"
    return [*found, Answered(f"{_HIPAA}(b)(2)(ii)", (), PERSON, why)]


def _safe_harbor_column(one: _Treated) -> Answered:
    letter = SAFE_HARBOR.get(one.role or "")
    clause = f"{_HIPAA}(b)(2)(i)({letter})" if letter else f"{_HIPAA}(b)(2)(i)(R)"

    def answer(answered: str, why: str) -> Answered:
        return Answered(clause, (one.column,), answered, why)

    if one.dropped:
        return answer(SUPPORTED, "dropped")
    if one.role is None:
        return answer(REFUSED, "say in roles= what the column holds")
    if one.role in NOT_LISTED:
        return answer(PERSON, f"{one.role}: not listed, unless it identifies someone by itself")
    if one.derived:
        why = "a code that is derived from the value does not support this claim: drop the column"
        return Answered(f"{_HIPAA}(c)", (one.column,), REFUSED, why)
    return answer(*_generalized(one))


def _generalized(one: _Treated) -> tuple[str, str]:
    """Tell whether an area, a date or an age is coarse enough."""
    step = one.generalized()
    if one.role == "postcode" and step is not None and step.to == "zip3":
        return SUPPORTED, "three digits, 000 where few people live"
    if one.role in DATES and step is not None and step.to in {"year", "decade"}:
        if one.role == "date_of_birth" and step.bottom is None:
            return REFUSED, "a birth year tells an age over 89: set bottom= to 90 years before your reference date"
        return SUPPORTED, f"no more than the {step.to}"
    top = None if step is None else step.top
    if one.role == "age" and isinstance(top, int | float) and top <= _OLDEST:
        return SUPPORTED, f"ages from {top} on are one class"
    return REFUSED, _REMEDIES.get(one.role or "", "drop the column")


_REMEDIES = {
    "postcode": "drop it, or use Generalizer('zip3')",
    "date": "drop it, or use Generalizer('year')",
    "date_of_birth": "drop it, or use Generalizer('year', bottom=...)",
    "age": "ages over 89 must be one class: use Generalizer('bounded', top=90)",
}


def _limited(treated: list[_Treated]) -> list[Answered]:
    found = []
    for one in treated:
        clause = f"{_HIPAA}(e)(2)"
        if one.dropped:
            found.append(Answered(clause, (one.column,), SUPPORTED, "dropped"))
        elif one.role is None:
            found.append(Answered(clause, (one.column,), REFUSED, "say in roles= what the column holds"))
        elif one.role in DIRECT:
            found.append(Answered(clause, (one.column,), REFUSED, f"{one.role} has to be dropped"))
        else:
            found.append(Answered(clause, (one.column,), SUPPORTED, f"{one.role} may stay"))
    return [*found, Answered(f"{_HIPAA}(e)(4)", (), PERSON, "the recipient has signed a data use agreement")]


def _pci(treated: list[_Treated]) -> list[Answered]:
    cards = [one for one in treated if one.role == "card"]
    if not cards:
        return [
            Answered("PCI DSS 4, 3.5.1", (), REFUSED, "say in roles= which columns hold card numbers (role 'card')")
        ]
    found = [_pci_column(one) for one in cards]
    kept = [one for one in cards if not one.dropped]
    shortened = [one for one in kept if "Masker" in one.kinds]
    if len(kept) > len(shortened) > 0 or len(shortened) > 1:
        columns = tuple(one.column for one in kept)
        why = "truncations or tokens of one card number side by side can be put together: keep one"
        found.append(Answered("PCI DSS 4, 3.5.1.1", columns, REFUSED, why))
    why = "who may see more than a truncation, and how keys are managed"
    return [*found, Answered("PCI DSS 4, 3.4.1, 3.6, 3.7", (), PERSON, why)]


def _pci_column(one: _Treated) -> Answered:
    clause = "PCI DSS 4, 3.5.1"
    if one.dropped:
        return Answered(clause, (one.column,), SUPPORTED, "dropped")
    if "FieldEncryptor" in one.kinds or "Pseudonymizer" in one.kinds:
        return Answered(clause, (one.column,), SUPPORTED, "unreadable without the key")
    masker = one.steps[0] if isinstance(one.steps, tuple) and one.kinds == {"Masker"} else None
    if masker is not None and (masker.format == "card" or _truncates(masker)):
        return Answered(clause, (one.column,), SUPPORTED, "truncated to the first 6 and last 4 digits at most")
    return Answered(clause, (one.column,), REFUSED, "drop it, encrypt it, or use Masker('card')")


def _truncates(masker: Any) -> bool:
    own = masker.format is None and masker.regex is None and not masker.keep
    return bool(own and masker.keep_first <= _BIN and masker.keep_last <= _LAST)


def _gdpr(treated: list[_Treated]) -> list[Answered]:
    return [
        *_no_direct("GDPR, Article 4(5)", treated),
        Answered("GDPR, Article 4(5)", (), PERSON, "the keyring is kept apart, by other people than the table"),
        Answered("EDPB 01/2025 (for consultation)", _quasi(treated), PERSON, "what these columns tell together"),
        Answered("GDPR, Article 4(1)", (), PERSON, "pseudonymised data stays personal data: there is a legal basis"),
    ]


def _gb_t(treated: list[_Treated]) -> list[Answered]:
    why = (
        "level 3 needs a measured risk: pass check=KAnonymity(k=20, ...) for a public release, 5 for controlled sharing"
    )
    return [
        *_no_direct("GB/T 37964-2019 (secondary source)", treated),
        Answered("GB/T 42460-2023 (secondary source)", _quasi(treated), PERSON, why),
    ]


def _no_direct(clause: str, treated: list[_Treated]) -> list[Answered]:
    """Refuse direct identifiers that stay as they are, and columns whose content no one named."""
    found = []
    for one in treated:
        if one.role is None and not one.dropped:
            found.append(Answered(clause, (one.column,), REFUSED, "say in roles= what the column holds"))
        elif one.role in DIRECT:
            answered = (
                (REFUSED, f"{one.role} stays as it is: drop or protect it")
                if one.steps == "keep"
                else (SUPPORTED, "dropped" if one.dropped else "protected")
            )
            found.append(Answered(clause, (one.column,), *answered))
    return found


def _quasi(treated: list[_Treated]) -> tuple[str, ...]:
    return tuple(one.column for one in treated if not one.dropped and one.role not in DIRECT)


_HIPAA = "45 CFR 164.514"
CLAIMS: dict[str, Callable[[list[_Treated]], list[Answered]]] = {
    "hipaa-safe-harbor": _safe_harbor,
    "hipaa-limited": _limited,
    "pci-dss": _pci,
    "gdpr-pseudonymised": _gdpr,
    "gb-t-37964": _gb_t,
}
"""By the name of a claim: what answers its clauses."""
