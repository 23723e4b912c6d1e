"""What the header of a column says about it, in English, German, French, Spanish and Chinese."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from modelpriv.detection.wordlists import folded_text, lines

__all__ = ["Said", "read_header"]


@dataclass(frozen=True)
class Said:
    """What a header says: a kind, if it names one, by which phrase, and whether that needs cells that fit."""

    kind: str | None = None
    phrase: str | None = None
    weak: bool = False
    opaque: bool = False  # the header holds no word at all, such as "c1" or a position


def read_header(name: object) -> Said:
    """Read a header: the longest phrase that it holds, and of equally long ones the last, says what the column is.

    A weak phrase gives way to all others: "patient phone" is a phone number. What a number or a thing is called gives
    way to what a person is called, unless it holds that: "mean age" is an age, and a "file name" is no name.
    """
    if not isinstance(name, str):
        return Said(opaque=True)
    tokens = _tokens(name)
    runs = (*_runs(tokens), *_heads(tokens))
    phrases = (*runs, *map(_without_umlauts, runs), *_chinese(folded_text(name)))
    found = [phrase for phrase in phrases if phrase in _phrases()]
    if not found:
        meaningless = all(len(token) < _SHORTEST or token in _MEANINGLESS for token in tokens)
        return Said(opaque=meaningless and not _HAN.search(name))
    telling = [phrase for phrase in found if not _is_neutral(phrase) and not _is_part(phrase, found)]
    phrase = max(enumerate(telling or found), key=_weight)[1]
    kind, weak = _phrases()[phrase]
    return Said(kind, phrase, weak)


def _weight(placed: tuple[int, str]) -> tuple[bool, int, int]:
    place, phrase = placed
    return not _phrases()[phrase][1], len(phrase), place


def _is_neutral(phrase: str) -> bool:
    return _phrases()[phrase][0] in {"measurement", "category", "other"}


def _is_part(phrase: str, found: list[str]) -> bool:
    return any(phrase in longer and phrase != longer and _is_neutral(longer) for longer in found)


def _tokens(name: str) -> list[str]:
    """Split at everything but letters and digits, between them, and where camel case begins a word."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.findall(r"[^\W\d_]+|\d+", folded_text(apart))


def _runs(tokens: list[str]) -> list[str]:
    """Return the tokens that follow one another, one to five of them, joined; and what digits complete a phrase."""
    return [
        "".join(tokens[start:stop])
        for start in range(len(tokens))
        for stop in range(start + 1, min(start + _LONGEST, len(tokens)) + 1)
    ]


def _heads(tokens: list[str]) -> list[str]:
    """Return the ends of long tokens: German compounds, and headers in one word, end with what they are."""
    return [token[start:] for token in tokens for start in range(1, len(token) - _LEAST_OF_HEAD + 1)]


def _without_umlauts(phrase: str) -> str:
    """Return a phrase without the e that replaces the dots of an umlaut: laengengrad becomes langengrad."""
    return re.sub("(?<=[aou])e", "", phrase)


def _chinese(name: str) -> list[str]:
    """Return the phrases of Chinese that a header holds: there are no spaces between them."""
    if not _HAN.search(name):
        return []
    return [phrase for phrase in _phrases() if _HAN.search(phrase) and phrase in name]


@functools.cache
def _phrases() -> dict[str, tuple[str, bool]]:
    """Return all phrases, each with its kind and whether it is weak."""
    found = {}
    for line in lines("headers"):
        kind, phrases = line.split(": ")
        for phrase in phrases.split(", "):
            found[phrase.removeprefix("~")] = kind, phrase.startswith("~")
    return found


_HAN = re.compile("[\u4e00-\u9fff]")
_SHORTEST, _LONGEST, _LEAST_OF_HEAD = 3, 5, 6
_MEANINGLESS = {"col", "column", "field", "feature", "unnamed", "var", "variable", "spalte", "colonne", "columna"}
