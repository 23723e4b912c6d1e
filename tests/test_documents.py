"""What the documents show is true: each Python block and docstring example runs, and each example program too."""

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from test_layers import FLOOR

import modelpriv
from modelpriv._core import events

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
MODULES = ["modelpriv", *(found.name for found in pkgutil.walk_packages(modelpriv.__path__, "modelpriv."))]
FENCE = re.compile(r"^(?P<indent> *)```python[^\n]*\n(?P<code>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
PROMISED = re.compile(r"\bprint\([^#\n]*\)  # (.+)$", re.MULTILINE)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(autouse=True)
def _events_as_before():
    """A page shows how events are turned on; for other tests they are off again."""
    level = events.LOGGER.level
    yield
    events.LOGGER.setLevel(level)


def relative(path):
    return str(path.relative_to(ROOT))


def blocks(text):
    """Each Python block of a page with the number of the line where its code begins."""
    for found in FENCE.finditer(text):
        yield text.count("\n", 0, found.start("code")), textwrap.dedent(found["code"])


def run_doctest(test):
    said = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(test, out=said.append, clear_globs=False)
    assert not runner.failures, "".join(said)


def assert_printed(promised, printed):
    """A comment behind a call of print is a line that was printed; ``...`` is any text, as in a doctest."""
    pattern = ".*".join(re.escape(part.strip()) for part in promised.split("..."))
    assert re.search(f"^ *{pattern} *$", printed, re.MULTILINE), f"{promised!r} is not in\n{printed}"


def run_block(line, code, page, names):
    """Run one block, as a reader would type it."""
    if code.lstrip().startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(code, names, relative(page), str(page), line)
        test.globs = names
        run_doctest(test)
    else:
        exec(compile("\n" * line + code, str(page), "exec"), names)  # noqa: S102 - running it is the test


@pytest.mark.parametrize("page", [page for page in PAGES if FENCE.search(page.read_text())], ids=relative)
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    """The blocks of a page run from top to bottom, and show what their ``>>>`` examples and their comments say."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for line, code in blocks(page.read_text()):
        run_block(line, code, page, names)
        printed = capsys.readouterr().out
        for promised in PROMISED.findall(code):
            assert_printed(promised, printed)


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module, tmp_path, monkeypatch):
    """Each example in a docstring gives what it shows."""
    monkeypatch.chdir(tmp_path)
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module)):
        run_doctest(test)


@pytest.mark.parametrize("example", EXAMPLES, ids=relative)
def test_examples_run(example, tmp_path):
    """Each example program runs to its end in a fresh process, where a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
    assert not done.stderr


def public_classes():
    return [thing for name in modelpriv.__all__ if inspect.isclass(thing := getattr(modelpriv, name))]


@pytest.mark.parametrize("thing", public_classes())
def test_every_public_class_has_an_example(thing):
    """A public class shows how it is used, so that the two tests above have something to run."""
    assert issubclass(thing, Exception) or ">>>" in inspect.getdoc(thing)


@pytest.mark.parametrize("name", [name for name in modelpriv.__all__ if not name.startswith("__")])
def test_the_reference_has_every_public_name(name):
    """What the package offers stands in the API reference."""
    assert f"::: modelpriv.{name}\n" in (ROOT / "docs" / "api.md").read_text()


def rooms_drawn():
    """The rooms of the architecture's drawing, each with its height above the lower edge."""
    drawing = (ROOT / "docs" / "floors.svg").read_text()
    return {name: -int(y) for y, name in re.findall(r'<text class="name" x="[\d.]+" y="(\d+)">(\w+)</text>', drawing)}


def test_the_architecture_has_every_room():
    """Each file and folder of the package is a row of the architecture's table and a box of its drawing."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {
        path.stem for path in (ROOT / "modelpriv").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    rooms -= {"__init__"}
    assert rooms_drawn().keys() == rooms | {"modelpriv"}
    assert {name for name in rooms if re.search(rf"^\|.*`{name}/?`.* \|.*\|.*\|$", page, re.MULTILINE)} == rooms


def test_the_drawing_has_the_floors_that_imports_keep():
    """Of two rooms, the one that imports may go down from is drawn higher."""
    drawn = {"" if name == "modelpriv" else name: height for name, height in rooms_drawn().items()}
    assert sorted(FLOOR, key=lambda name: (FLOOR[name], name)) == sorted(drawn, key=lambda name: (drawn[name], name))


def files_named():
    """The paths of Python files that the pages name in their text."""
    pages = "".join((ROOT / "docs" / page).read_text() for page in ("architecture.md", "security.md"))
    return sorted(set(re.findall(r"`((?:\w+/)+\w+\.py)`", pages)))


@pytest.mark.parametrize("file", files_named())
def test_files_that_pages_name_exist(file):
    """A file that the architecture or the security page points to is in the package or in the repository."""
    assert (ROOT / "modelpriv" / file).is_file() or (ROOT / file).is_file()


def verdicts():
    """The reasons for which cells do not open, as a table of the documentation lists them."""
    page = (ROOT / "docs" / "encryption" / "modes.md").read_text()
    table = page.partition("| The error says | Look for |\n|---|---|\n")[2].partition("\n\n")[0]
    return [row.split("|")[1].strip() for row in table.splitlines()]


@pytest.mark.parametrize("verdict", verdicts())
def test_the_reasons_listed_are_those_given(verdict):
    """A reason for which cells do not open is in the documentation as the error says it."""
    source = (ROOT / "modelpriv" / "transformers" / "field_encryptor" / "tokens.py").read_text()
    assert all(part.strip() in source for part in verdict.split("..."))
