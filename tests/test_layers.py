"""The house keeps its shape: imports go down, never in a circle, and importing the package brings nothing optional."""

import ast
import statistics
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import modelpriv

PACKAGE = Path(modelpriv.__file__).parent

# From the ground up. A room is a module or a folder directly in the package.
FLOORS = [
    {"errors", "_core"},
    {"_columns", "kernels"},
    {"keys"},
    {"transformers", "sealing", "audit", "leaks", "detection"},
    {"models", "tables"},
    {"evidence"},
    {"integrations", "serving"},
    {"", "testing"},  # "" is modelpriv/__init__.py: the public names, nothing else
    {"__main__", "_cli"},
]
FLOOR = {name: number for number, floor in enumerate(FLOORS) for name in floor}

# Which rooms each room imports from: all of them, and no more.
ARROWS = {
    "errors": set(),
    "_core": {"errors"},
    "_columns": {"_core", "errors"},
    "kernels": {"_core", "errors"},
    "keys": {"_core", "errors"},
    "audit": {"_core", "errors", "keys"},
    "leaks": {"_core", "errors"},
    "sealing": {"_core", "errors", "keys", "leaks"},
    "detection": {"_columns", "_core", "errors", "kernels"},
    "transformers": {"_columns", "_core", "errors", "kernels", "keys"},
    "models": {"_core", "errors", "keys", "sealing"},
    "tables": {"_columns", "_core", "detection", "errors", "keys", "transformers"},
    "evidence": {"_columns", "_core", "errors", "kernels", "keys", "sealing", "transformers"},
    "integrations": {"_core", "errors", "keys", "models", "sealing"},
    "serving": {"_columns", "_core", "errors", "kernels", "keys", "models", "sealing", "transformers"},
    "": {"_core", "audit", "evidence", "keys", "models", "sealing", "tables", "transformers"},
    "testing": {"errors", "keys"},
    "_cli": {"_columns", "_core", "audit", "errors", "evidence", "keys", "leaks", "models", "sealing", "tables"},
    "__main__": {"_cli", "errors"},
}

KERNELS_MAY_USE = {"numpy", "pyarrow", "cryptography", "pybase64", "regex"}
KNOW_CONTAINERS = {"_columns", "testing", "integrations"}
PUBLIC = {
    "audit",
    "detection",
    "errors",
    "evidence",
    "integrations",
    "kernels",
    "keys",
    "sealing",
    "serving",
    "tables",
    "testing",
}
# Public for who reads the source, and named in no pickle: users import what is in them from ``modelpriv``.
READABLE = {"leaks", "models", "transformers"}


def room(module):
    """The first name below the package; the package itself is the room without a name."""
    return module.split(".")[1] if "." in module else ""


def name_of(path, package=PACKAGE):
    return ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def graph_of(package=PACKAGE):
    """Every module of a package, and the modules that each imports, anywhere in it, also for its types only."""
    paths = {name_of(path, package): path for path in sorted(package.rglob("*.py"))}
    return {module: imports(path, paths.keys()) for module, path in paths.items()}


def imports(path, modules):
    """Every module that a file imports; of ``from a import b``, it is ``a.b`` where that is one of `modules`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = names & modules
            found |= submodules | ({node.module} if names != submodules else set())
    return found


def ours(graph):
    """The graph without what is not ours."""
    return {module: {used for used in uses if used in graph} for module, uses in graph.items()}


def arrows(graph):
    """The rooms that each room imports from."""
    found = {room(module): set() for module in graph}
    for module, uses in ours(graph).items():
        found[room(module)] |= {room(used) for used in uses} - {room(module)}
    return found


def upward(graph):
    """The imports that go up: from a room to one on a floor above it."""
    return {
        (module, used)
        for module, uses in ours(graph).items()
        for used in uses
        if FLOOR[room(used)] > FLOOR[room(module)]
    }


def circles(graph):
    """The modules that can be reached from themselves."""
    below = {module: set(uses) for module, uses in ours(graph).items()}
    while free := [module for module, uses in below.items() if not uses]:
        for module in free:
            del below[module]
        for uses in below.values():
            uses.difference_update(free)
    # What is left is in a circle or above one: from the other side, what nobody left imports is above.
    while free := below.keys() - set().union(*below.values()):
        for module in free:
            del below[module]
    return set(below)


GRAPH = graph_of()
PATHS = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def test_every_room_has_a_floor():
    """A room that no floor names would escape the rules below."""
    assert {room(module) for module in GRAPH} == FLOOR.keys()


def test_imports_go_down():
    """A module imports from its own floor and from those below it."""
    assert upward(GRAPH) == set()


def test_arrows_are_those_that_are_written_down():
    """Each room imports from the rooms that `ARROWS` lists; an arrow that does not exist any more is not allowed."""
    assert arrows(GRAPH) == ARROWS


def test_no_circle():
    """No module can be reached from itself, neither through other rooms nor inside its own."""
    assert circles(GRAPH) == set()


@pytest.mark.parametrize(
    ("module", "wrong"),
    [
        ("modelpriv.kernels.aes.siv", "modelpriv.keys.keyring"),
        ("modelpriv._core.events", "modelpriv._columns.frame"),
        ("modelpriv.transformers.masker", "modelpriv.models.wrapper"),
    ],
)
def test_an_import_that_goes_up_is_found(module, wrong):
    """The rules can fail: an import that goes up breaks them, wherever it is."""
    graph = GRAPH | {module: GRAPH[module] | {wrong}}
    assert upward(graph) == {(module, wrong)}
    assert arrows(graph) != ARROWS


def test_a_circle_inside_a_room_is_found():
    """The rules can fail: two modules of one folder that import each other are a circle."""
    low, high = "modelpriv.kernels.aes.ragged", "modelpriv.kernels.aes.siv_cipher"
    assert high not in GRAPH[low]
    assert low in GRAPH[high]
    assert circles(GRAPH | {low: GRAPH[low] | {high}}) == {low, high}


def test_imports_are_found_wherever_they_are(tmp_path):
    """Imports inside functions, for types only and of whole modules are seen."""
    package = tmp_path / "modelpriv"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import modelpriv.a\n"
    )
    (package / "a.py").write_text("def f():\n    from modelpriv import b\n    return b\n")
    (package / "b.py").write_text("import numpy as np\n")
    graph = graph_of(package)
    assert ours(graph) == {"modelpriv": {"modelpriv.a"}, "modelpriv.a": {"modelpriv.b"}, "modelpriv.b": set()}
    assert graph["modelpriv.b"] == {"numpy"}


def test_rooms_have_no_circle():
    """No room can be reached from itself, on one floor either."""
    assert (
        circles({f"modelpriv.{name}": {f"modelpriv.{used}" for used in uses} for name, uses in ARROWS.items()}) == set()
    )


# --- sizes ---

TREES = {module: ast.parse(PATHS[module].read_text()) for module in GRAPH}


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def lines_of(function):
    """The lines of a function from its def to its end, without its docstring and decorators."""
    docstring = ast.get_docstring(function, clean=False) is not None
    first = function.body[0]
    return function.end_lineno - function.lineno + 1 - (first.end_lineno - first.lineno + 1 if docstring else 0)


def test_files_are_read_in_one_sitting():
    """No file is longer than 350 lines, and half of them have at most 140."""
    lengths = {module: len(path.read_text().splitlines()) for module, path in PATHS.items()}
    assert {module: length for module, length in lengths.items() if length > 350} == {}
    assert statistics.median(lengths.values()) <= 140


def test_functions_are_short():
    """No function has more than 60 lines, and nine in ten have at most 16."""
    lengths = {
        f"{module}:{function.name}": lines_of(function) for module in GRAPH for function in functions(TREES[module])
    }
    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert sum(length <= 16 for length in lengths.values()) >= 0.9 * len(lengths)


def test_no_two_classes_have_one_name():
    """A class's name says which one is meant, wherever it is read."""
    found = Counter(node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, count in found.items() if count > 1] == []


def test_annotations_say_something():
    """At most 9 % of the annotations are a bare Any, as in skops."""
    annotations = [
        annotation
        for tree in TREES.values()
        for node in ast.walk(tree)
        for annotation in ([node.returns] if isinstance(node, ast.FunctionDef) else [getattr(node, "annotation", None)])
        if annotation is not None
    ]
    bare = [annotation for annotation in annotations if isinstance(annotation, ast.Name) and annotation.id == "Any"]
    assert len(bare) <= 0.09 * len(annotations)


# --- what may be imported ---


def others(module):
    return {top for name in GRAPH[module] if (top := name.split(".")[0]) not in {*sys.stdlib_module_names, "modelpriv"}}


@pytest.mark.parametrize("module", [module for module in GRAPH if room(module) == "kernels"])
def test_kernels_know_only_arrays_and_ciphers(module):
    """A kernel knows neither scikit-learn nor frames nor keyrings."""
    assert others(module) <= KERNELS_MAY_USE


@pytest.mark.parametrize("module", [module for module in GRAPH if room(module) not in KNOW_CONTAINERS])
def test_only_columns_know_containers(module):
    """pandas, polars and narwhals stop at `_columns`: behind it a column is an Arrow array."""
    assert not others(module) & {"pandas", "polars", "narwhals"}


def test_public_names():
    """What ``modelpriv`` offers is sorted and there, and its modules are private unless they are meant to be used."""
    assert list(modelpriv.__all__) == sorted(modelpriv.__all__)
    assert all(hasattr(modelpriv, name) for name in modelpriv.__all__)
    public = {name for module in GRAPH if not (name := room(module)).startswith("_")} - {""}
    assert public <= PUBLIC | READABLE


def test_importing_brings_nothing_optional():
    """``import modelpriv`` in a fresh process imports neither faker nor anything that only an extra installs."""
    metadata = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    optional = {imported_as(wanted) for group in metadata["optional-dependencies"].values() for wanted in group}
    # What the libraries below import anyway (joblib imports cloudpickle) is not ours to leave out.
    below = "import sys, sklearn.pipeline, pandas, pyarrow; before = {*sys.modules}"
    code = f"{below}; import modelpriv; print(*{{*sys.modules}} - before)"
    fresh = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    found = {name.split(".")[0] for name in fresh.stdout.split()}
    assert "modelpriv" in found
    assert not found & (optional - {"modelpriv"} | {"faker"})


def imported_as(requirement):
    """The name that a requirement is imported by, as far as it follows from the requirement's."""
    return requirement.split("[")[0].split(">")[0].split("=")[0].strip().replace("-", "_").lower()
