"""The lists of words in this package: names, places, countries, headers; read once, when they are first needed."""

from __future__ import annotations

import functools
import importlib.resources
import unicodedata
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from modelpriv._columns.arrow import pc

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["among", "folded", "folded_text", "lines", "word_list"]


@functools.cache
def lines(name: str) -> tuple[str, ...]:
    """Return the lines of a list, without its comments: they name the source and the licence."""
    text = (importlib.resources.files("modelpriv.detection") / "words" / f"{name}.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@functools.cache
def word_list(*names: str) -> Any:
    """Return one or several lists as an Arrow array."""
    return pa.array([word for name in names for word in lines(name)], pa.large_string())


def among(cells: Any, *names: str) -> npt.NDArray[np.bool_]:
    """Tell which folded cells are a word of one of the lists."""
    found: npt.NDArray[np.bool_] = pc.is_in(cells, word_list(*names)).to_numpy(zero_copy_only=False)
    return found


def folded(cells: Any) -> Any:
    """Return a column of text in lower case and without accents, as the lists have it."""
    lower: Any = pc.replace_substring(pc.utf8_lower(cells), "ß", "ss")
    return pc.utf8_normalize(pc.replace_substring_regex(pc.utf8_normalize(lower, "NFD"), r"\p{Mn}", ""), "NFC")


def folded_text(text: str) -> str:
    """Return one text in lower case and without accents."""
    apart = unicodedata.normalize("NFD", text.lower().replace("ß", "ss"))
    return unicodedata.normalize("NFC", "".join(c for c in apart if unicodedata.category(c) != "Mn"))
