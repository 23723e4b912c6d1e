"""Numbers with check digits: which cells of a text column are cards, IBANs, tax and identity numbers.

A cell is cleaned of spaces and ``-./``, matched against the form of the number, and then all cells of one length are
one matrix with a row for each cell and a column for each character, so that a check is a few sums over columns. The
value of a digit is itself, that of a letter 10 to 35. For Luhn's check of "4111 1111 1111 1111"::

    4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1      the digits; from the right, each second one counts twice
    8 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1      of 10 and more, 9 is taken away
    sum 30, a multiple of 10: it fits
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["NUMBERS", "has_check_digits"]

_Matrix: TypeAlias = "npt.NDArray[np.int64]"
_Flags: TypeAlias = "npt.NDArray[np.bool_]"


@dataclass(frozen=True)
class CheckedForm:
    """The form of a number, how many of its first characters are a prefix, and the check of what follows."""

    pattern: str
    check: Callable[[_Matrix], _Flags]
    prefix: int = 0


def has_check_digits(cells: pa.Array[Any], number: str) -> npt.NDArray[np.bool_]:
    """Tell which cells of a column of text without nulls are numbers of a kind of `NUMBERS`, by form and check digit.

    The time is linear in the size of the cells.
    """
    cleaned: Any = pc.replace_substring_regex(pc.utf8_upper(cells), r"[\s\-./]", "")
    found: _Flags = np.zeros(len(cells), np.bool_)
    for form in NUMBERS[number]:
        formed: _Flags = pc.match_substring_regex(cleaned, f"^(?:{form.pattern})$").to_numpy(zero_copy_only=False)
        lengths = np.where(formed, pc.binary_length(cleaned).to_numpy(zero_copy_only=False), 0)
        for length in np.unique(lengths[formed]):
            rows = np.flatnonzero(lengths == length)
            found[rows] |= form.check(_values(cleaned.take(rows), int(length))[:, form.prefix :])
    return found


def _values(cells: Any, length: int) -> _Matrix:
    """Return the values of the characters of ASCII cells of one length."""
    joined = "".join(cells.to_pylist()).encode("ascii")
    matrix: _Matrix = _VALUE[np.frombuffer(joined, np.uint8)].reshape(len(cells), length)
    return matrix


_VALUE = np.zeros(256, np.int64)
_VALUE[ord("0") : ord("9") + 1] = range(10)
_VALUE[ord("A") : ord("Z") + 1] = range(10, 36)


# --- checks ----------------------------------------------------------------------------------------------------------


def _luhn(values: _Matrix) -> _Flags:
    doubled = values.copy()
    doubled[:, -2::-2] *= 2
    return np.asarray((doubled - 9 * (doubled > 9)).sum(axis=1) % 10 == 0)  # noqa: PLR2004 - Luhn's


def _mod_97(values: _Matrix) -> _Flags:
    """ISO 7064 MOD 97-10, as IBANs have it: the first four characters count last, a letter counts as two digits."""
    rest = np.zeros(len(values), np.int64)
    for column in np.roll(values, -4, axis=1).T:
        rest = (rest * np.where(column > 9, 100, 10) + column) % 97  # noqa: PLR2004 - a letter
    return np.asarray(rest == 1)


def _mod_11_10(values: _Matrix) -> _Flags:
    """ISO 7064 MOD 11,10."""
    product = np.full(len(values), 10)
    for column in values[:, :-1].T:
        total = (column + product) % 10
        product = 2 * np.where(total == 0, 10, total) % 11
    return np.asarray((product + values[:, -1]) % 10 == 1)


def _weighted(weights: Sequence[int], modulus: int, rest: int = 0) -> Callable[[_Matrix], _Flags]:
    """Sum the values by weights; the sum leaves this rest."""
    return lambda values: np.asarray(values @ np.array(weights) % modulus == rest)


def _modulo_10(weights: Sequence[int], modulus: int = 11) -> Callable[[_Matrix], _Flags]:
    """Sum all values but the last by weights; the last is the rest, 0 where the rest is 10."""
    return lambda values: np.asarray(values[:, :-1] @ np.array(weights) % modulus % 10 == values[:, -1])


def _chinese(values: _Matrix) -> _Flags:
    last = np.where(values[:, -1] == _VALUE[ord("X")], 10, values[:, -1])
    return _weighted((7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2, 1), 11, 1)(
        np.column_stack((values[:, :-1], last))
    )


def _integers(values: _Matrix) -> npt.NDArray[np.int64]:
    return np.asarray(values @ 10 ** np.arange(values.shape[1] - 1, -1, -1))


def _complement_97(values: _Matrix) -> _Flags:
    """Tell whether the last two digits are what the number before them lacks to a multiple of 97."""
    return np.asarray(97 - _integers(values[:, :-2]) % 97 == _integers(values[:, -2:]))


def _french_vat(values: _Matrix) -> _Flags:
    key, siren = _integers(values[:, :2]), values[:, 2:]
    return np.asarray(_luhn(siren) & ((12 + 3 * (_integers(siren) % 97)) % 97 == key))


def _austrian_vat(values: _Matrix) -> _Flags:
    doubled = values[:, 1:6:2] * 2
    total = values[:, 0:7:2].sum(axis=1) + (doubled // 10 + doubled % 10).sum(axis=1)
    return np.asarray((10 - (total + 4) % 10) % 10 == values[:, 7])


def _dutch_vat(values: _Matrix) -> _Flags:
    """Tell whether it is a number of a company, by its digits, or of a person, by all characters with "NL"."""
    company = _modulo_10(range(9, 1, -1))(values[:, :9])
    rest = np.full(len(values), 2321 % 97)
    for column in values.T:
        rest = (rest * np.where(column > 9, 100, 10) + column) % 97  # noqa: PLR2004 - a letter
    return np.asarray(company | (rest == 1))


def _luxembourgish_vat(values: _Matrix) -> _Flags:
    return np.asarray(_integers(values[:, :6]) % 89 == _integers(values[:, 6:]))


def _spanish(values: _Matrix) -> _Flags:
    """Tell whether the letter of a DNI or NIE fits; X, Y and Z at the beginning of a NIE count as 0, 1 and 2."""
    first = np.where(values[:, 0] > 9, values[:, 0] - _VALUE[ord("X")], values[:, 0])  # noqa: PLR2004 - a letter
    number = _integers(np.column_stack((first, values[:, 1:8])))
    return np.asarray(_SPANISH[number % 23] == values[:, 8])


def _brazilian(values: _Matrix) -> _Flags:
    first = values[:, :9] @ np.arange(10, 1, -1) * 10 % 11 % 10
    second = values[:, :10] @ np.arange(11, 1, -1) * 10 % 11 % 10
    varied = (values != values[:, :1]).any(axis=1)
    return np.asarray((first == values[:, 9]) & (second == values[:, 10]) & varied)


def _italian(values: _Matrix) -> _Flags:
    places = np.where(values > 9, values - 10, values)  # noqa: PLR2004 - a letter counts from A
    total = _ITALIAN_ODD[places[:, 0:15:2]].sum(axis=1) + places[:, 1:15:2].sum(axis=1)
    return np.asarray(total % 26 == places[:, 15])


def _any(values: _Matrix) -> _Flags:
    return np.ones(len(values), np.bool_)


_SPANISH = _VALUE[np.frombuffer(b"TRWAGMYFPDXBNJZSQVHLCKE", np.uint8)]
_ITALIAN_ODD = np.array([1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23])

_DAY = "(?:0[1-9]|[12][0-9]|3[01])"
_MONTH = "(?:0[1-9]|1[0-2])"
_BBAN = "[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}"

NUMBERS: dict[str, tuple[CheckedForm, ...]] = {
    # ISO/IEC 7812: by what the big issuers begin with; a lone number of 13 to 19 digits passes Luhn once in ten.
    "card": (CheckedForm("(?:3[0-9]{12,15}|4[0-9]{12,18}|[56][0-9]{11,18}|2[2-7][0-9]{14})", _luhn),),
    "iban": (CheckedForm(_BBAN, _mod_97),),
    "nhs_number": (CheckedForm("[0-9]{10}", _weighted(range(10, 0, -1), 11)),),
    "chinese_id": (CheckedForm(f"[1-9][0-9]{{5}}(?:18|19|20)[0-9]{{2}}{_MONTH}{_DAY}[0-9]{{3}}[0-9X]", _chinese),),
    "vat": (
        CheckedForm("ATU[0-9]{8}", _austrian_vat, 3),
        CheckedForm("BE[01][0-9]{9}", _complement_97, 2),
        CheckedForm("DE[1-9][0-9]{8}", _mod_11_10, 2),
        CheckedForm("DK[1-9][0-9]{7}", _weighted((2, 7, 6, 5, 4, 3, 2, 1), 11), 2),
        CheckedForm("ES(?:[0-9XYZ][0-9]{7}[A-Z])", _spanish, 2),
        CheckedForm("ES[A-HJNP-SUVW][0-9]{7}[0-9A-J]", _any, 2),
        CheckedForm("FI[0-9]{8}", _weighted((7, 9, 10, 5, 8, 4, 2, 1), 11), 2),
        CheckedForm("FR[0-9]{11}", _french_vat, 2),
        CheckedForm("IT[0-9]{11}", _luhn, 2),
        CheckedForm("LU[0-9]{8}", _luxembourgish_vat, 2),
        CheckedForm("NL[0-9]{9}B[0-9]{2}", _dutch_vat, 2),
        CheckedForm("PL[0-9]{10}", _modulo_10((6, 5, 7, 2, 3, 4, 5, 6, 7)), 2),
        CheckedForm("PT[1-9][0-9]{8}", _weighted(range(9, 0, -1), 11), 2),
        CheckedForm("SE[0-9]{10}01", lambda values: _luhn(values[:, :10]), 2),
    ),
    # France, Spain, Italy, Germany, Switzerland, Poland, Brazil; each is strong enough to be told without a header.
    "national_id": (
        CheckedForm(f"[12][0-9]{{2}}(?:{_MONTH}|[2-9][0-9])[0-9]{{10}}", _complement_97),
        CheckedForm("[0-9XYZ][0-9]{7}[A-HJ-NP-TV-Z]", _spanish),
        CheckedForm("[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]", _italian),
        CheckedForm("[1-9][0-9]{10}", _mod_11_10),
        CheckedForm("756[0-9]{10}", _weighted((1, 3) * 6 + (1,), 10)),
        CheckedForm(f"[0-9]{{2}}[0-9]{{2}}{_DAY}[0-9]{{5}}", _weighted((1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10)),
        CheckedForm("[0-9]{11}", _brazilian),
    ),
}
"""The numbers that are known, by kind, each with its forms."""
