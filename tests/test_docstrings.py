"""Words are kept: each test states its law in one line, and each public thing says what it does and does not do."""

import ast
import inspect
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import modelpriv

TESTS = sorted(Path(__file__).parent.rglob("test_*.py"))
PUBLIC = {name: getattr(modelpriv, name) for name in modelpriv.__all__ if not name.startswith("__")}
ESTIMATORS = {n: t for n, t in PUBLIC.items() if inspect.isclass(t) and issubclass(t, BaseEstimator)}


def sections(thing):
    """The titles of the numpydoc sections in a docstring."""
    return set(re.findall(r"^([A-Z][A-Za-z ]+)\n-+$", inspect.getdoc(thing) or "", re.MULTILINE))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_each_test_states_its_law(path):
    """A test function has a docstring of one line that ends with a full stop."""
    tree = ast.parse(path.read_text())
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    laws = {test.name: ast.get_docstring(test) or "" for test in tests}
    assert tests
    assert not [name for name, law in laws.items() if not law.endswith(".") or "\n" in law]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_laws_are_not_copied(path):
    """Two tests of one file do not state the same law."""
    laws = [
        ast.get_docstring(node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert len(laws) == len(set(laws))


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    """Every public name has a docstring of its own, not one that it inherits."""
    assert (PUBLIC[name].__doc__ or "").strip()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_document_their_parameters(name):
    """Each parameter of an estimator's constructor stands in its docstring's Parameters section."""
    section = r"^Parameters\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)"
    documented = re.search(section, inspect.getdoc(PUBLIC[name]), re.MULTILINE | re.DOTALL)
    assert documented is not None
    named = set(re.findall(r"\w+", "\n".join(re.findall(r"^(\w[\w, ]*) :", documented[1], re.MULTILINE))))
    assert set(ESTIMATORS[name]._get_param_names()) <= named


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators_use_honest_words(name):
    """An estimator says what it protects against, what it leaks and what it does not do, and shows an example."""
    text = inspect.getdoc(PUBLIC[name])
    assert "Examples" in sections(PUBLIC[name])
    assert re.search(r"\bprotects?\b", text, re.IGNORECASE)
    assert re.search(r"\bleaks?\b", text, re.IGNORECASE)
    assert re.search(r"\b(does not|do not|cannot|never)\b", text, re.IGNORECASE)
