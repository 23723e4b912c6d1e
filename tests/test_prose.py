"""Documents, docstrings and messages are plain English: they hold few of the words that mark a translation."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted((ROOT / "modelpriv").rglob("*.py"))
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


def said_by(modules):
    """All texts in the source of a package: docstrings, messages, and a few names, which do no harm."""
    trees = [ast.parse(module.read_text()) for module in modules]
    texts = [node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return "\n".join(text for text in texts if isinstance(text, str))


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


def test_docstrings_and_messages_are_plain_english():
    """Docstrings and messages of the package have as few marks as its documents."""
    assert share(said_by(MODULES)) <= MOST
