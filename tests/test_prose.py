"""The documents are plain English: they hold few of the words that mark a translation."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MOST = 0.2  # of 1,000 words; comparable packages have about as many

MARKS = re.compile(
    r"\b(?:(?:stands?|stood)(?! for\b)|whoever|whomever|somebody|nobody|everybody|anew|beside|shall|of which"
    r"|in (?:the )?clear|(?-i:is none)|what (?:is|was|are) [a-z]+ (?:is|are|was|has|can|must|stays|opens|gets))\b",
    re.IGNORECASE,
)
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def prose_of(page):
    """The text of a page without its blocks of code."""
    return FENCED.sub("", page.read_text())


def share(text):
    """Marks among 1,000 words."""
    return 1000 * len(MARKS.findall(text)) / len(WORD.findall(text))


@pytest.mark.parametrize(
    "text",
    [
        "Whoever has the key reads what stands beside it.",
        "What is written must be read by somebody.",
        "Nobody shall see it in clear.",
    ],
)
def test_a_translation_is_noticed(text):
    """A sentence that reads like a translation is far above the limit."""
    assert share(text) > 100 * MOST


def test_documents_are_plain_english():
    """README, changelog, contributing and documentation have as few marks as comparable packages."""
    assert share("\n".join(map(prose_of, PAGES))) <= MOST
