"""The first three digits of ZIP codes, where their area is large enough: HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(B).

The rule lets the first three digits stay if all ZIP codes that begin with them hold more than 20,000 people, by the
current public data of the Bureau of the Census; else they become 000. So do prefixes with no ZIP codes, and military
ones, whose people the census does not count by ZIP code.

Sources of the tables: Census 2000, HHS, "Guidance Regarding Methods for De-identification of Protected Health
Information" (2012), which lists 17 prefixes; Census 2010, its 14; Census 2020, 18, by the Health Resources and Services
Administration. Prefixes without ZIP codes: those that neither the list of the Postal Service's prefixes nor a directory
of 42,789 ZIP codes knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv.kernels.coarse.labels import as_matrix

if TYPE_CHECKING:
    from modelpriv.kernels.coarse.labels import Codes, Mask

__all__ = ["SPARSE", "areas", "prefixes_of_integers", "prefixes_of_text"]

SPARSE = {
    "census-2000": "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893",
    "census-2010": "036 059 102 203 205 369 556 692 821 823 878 879 884 893",
    "census-2020": "036 059 102 202 203 204 205 369 556 692 753 772 821 823 878 879 884 893",
}
"""Prefixes of areas with 20,000 people or fewer, by the name of the census."""


def areas(table: str) -> Codes:
    """Return what each prefix from 0 to 999 becomes: itself, or 0."""
    shown = np.arange(1000)
    shown[[int(prefix) for prefix in f"{SPARSE[table]} {_MILITARY} {_UNASSIGNED}".split()]] = 0
    return shown


def prefixes_of_integers(numbers: npt.NDArray[Any]) -> tuple[Codes, Mask]:
    """Return the first three of five digits, or of nine, with the zeros that integers lack; and which have none."""
    five = (numbers >= 0) & (numbers <= 99_999)  # noqa: PLR2004 - digits
    nine = (numbers > 99_999) & (numbers <= 999_999_999)  # noqa: PLR2004 - digits
    found = np.where(five, numbers // 100, np.where(nine, numbers // 1_000_000, 0)).astype(np.int64)
    lost = ~(five | nine)
    return found, lost if lost.any() else None


def prefixes_of_text(cells: pa.Array[Any]) -> tuple[Codes, Mask]:
    """Return the first three digits of texts like 02139, 021394307 and 02139-4307; and which texts have none."""
    text = as_matrix(cells)
    if text is not None and text.shape[1] == 5 and int((digits := text - np.uint8(48)).max()) <= 9:  # noqa: PLR2004
        found = digits[:, 0].astype(np.uint16) * np.uint16(100)  # numpy 1 would stay with 8 bits
        found += digits[:, 1] * np.uint8(10)
        found += digits[:, 2]
        return found.astype(np.int64), None
    encoded: Any = cells.dictionary_encode()
    known = encoded.dictionary
    fits = pc.fill_null(pc.match_substring_regex(known, r"^[0-9]{5}(-?[0-9]{4})?$"), False)
    first: Any = pc.utf8_slice_codeunits(pc.if_else(fits, known, "000"), 0, 3).cast(pa.int64())
    places = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    if not len(known):
        return np.zeros(len(cells), np.int64), np.ones(len(cells), bool)
    lost = ~fits.to_numpy(zero_copy_only=False)[places]
    return first.to_numpy(zero_copy_only=False)[places], lost if lost.any() else None


_MILITARY = "090 091 092 093 094 095 096 097 098 099 340 962 963 964 965 966"

_UNASSIGNED = (
    "000 001 002 003 004 213 269 343 345 348 353 419 428 429 517 518 519 529 533 536 552 568 578 579 589 621 632 642 "
    "643 659 663 682 694 695 696 697 698 699 702 709 715 732 742 771 817 818 819 839 848 849 854 858 861 862 866 867 "
    "868 869 886 887 892 896 899 909 929 987"
)
