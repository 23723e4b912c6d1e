"""The house keeps its shape: imports go one way, and importing the package brings nothing that is optional."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import modelpriv

PACKAGE = Path(modelpriv.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

BOTTOM = {"errors", "_events", "_json", "_files"}
FRAME = {"_dtypes", "_frame", "_cells", "_parts"}
# What transformers share, or are too long for one file with.
HELPERS = {"_data_keys", "_fakes", "_field_parameters", "_formats", "_tags", "_tokens"}
TRANSFORMERS = {"_masker", "_replacer", "_pseudonymizer", "_field_encryptor", "_keyed_projection"}

# Each room, and the rooms that it may import from. A room is a module or a folder just under the package.
ROOMS = (
    dict.fromkeys(BOTTOM, BOTTOM)
    | {"kernels": BOTTOM | {"kernels"}}
    | {"keys": BOTTOM | {"kernels", "keys"}}
    | {"sealing": BOTTOM | {"kernels", "keys", "sealing"}}
    | dict.fromkeys(FRAME, BOTTOM | FRAME)
    | {"_base": BOTTOM | FRAME}
    | {"_keyed": BOTTOM | FRAME | {"_base", "keys"}}
    | dict.fromkeys(HELPERS, BOTTOM | FRAME | HELPERS | {"_base", "_keyed", "kernels", "keys"})
    | dict.fromkeys(TRANSFORMERS, BOTTOM | FRAME | {"_base", "_keyed", "kernels", "keys"} | HELPERS)
    | {"_delegation": BOTTOM}
    | {"audit": BOTTOM | {"keys"}}
    | {"_key_usage": BOTTOM | FRAME | {"kernels", "keys", "sealing"}}
    | {"_encrypted_estimator": BOTTOM | {"_delegation", "sealing", "keys"}}
)
ALL = set(ROOMS)
ROOMS |= {
    "": ALL,  # modelpriv/__init__.py: the public names, nothing else
    "testing": ALL | {""},
    "__main__": ALL | {""},
    "integrations": ALL | {"", "integrations"},
}

KERNELS_MAY_USE = {"numpy", "pyarrow", "cryptography", "pybase64", "regex"}
KNOW_FRAMES = {"_frame", "_dtypes", "testing", "integrations"}


def room(module):
    """The first name below the package; the package itself is the room without a name."""
    return module.split(".")[1] if "." in module else ""


def imports(path):
    """Every module that a file imports, anywhere in it; a name that is a module of a package counts as one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = names & MODULES.keys()
            found |= modules | ({node.module} if names != modules else set())
    return found


def imports_of_ours(path):
    return {name for name in imports(path) if name.split(".")[0] == "modelpriv"}


def imports_of_others(path):
    return {top for name in imports(path) if (top := name.split(".")[0]) not in {*sys.stdlib_module_names, "modelpriv"}}


def test_every_module_has_a_place():
    """A module that no layer names would escape the rules below."""
    assert {room(module) for module in MODULES} <= ROOMS.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way(module):
    """A module imports only from the rooms below its own."""
    used = {room(name) for name in imports_of_ours(MODULES[module])}
    assert used <= ROOMS[room(module)] | {room(module)}


def test_the_rooms_have_no_circle():
    """The rules themselves go one way: between different groups of rooms there is an order."""
    groups = [BOTTOM, FRAME, HELPERS, TRANSFORMERS]
    group = {name: next((min(g) for g in groups if name in g), name) for name in ROOMS}
    left = {group[name]: {group[used] for used in allowed} - {group[name]} for name, allowed in ROOMS.items()}
    while ready := [name for name, below in left.items() if not below & left.keys()]:
        for name in ready:
            del left[name]
    assert not left


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) == "kernels"])
def test_kernels_know_only_arrays_and_ciphers(module):
    """A kernel knows neither scikit-learn nor frames nor keyrings."""
    assert imports_of_others(MODULES[module]) <= KERNELS_MAY_USE


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) not in KNOW_FRAMES])
def test_only_the_frame_knows_containers(module):
    """pandas, polars and narwhals stop at the frame: behind it a column is an Arrow array."""
    assert not imports_of_others(MODULES[module]) & {"pandas", "polars", "narwhals"}


def test_public_names():
    """What ``modelpriv`` offers is sorted and there, and its modules are private unless they are meant to be used."""
    assert list(modelpriv.__all__) == sorted(modelpriv.__all__)
    assert all(hasattr(modelpriv, name) for name in modelpriv.__all__)
    public = {name for module in MODULES if not (name := room(module)).startswith("_")} - {""}
    assert public <= {"audit", "errors", "integrations", "kernels", "keys", "sealing", "testing"}


def test_importing_brings_nothing_optional():
    """``import modelpriv`` in a fresh process imports neither faker nor anything that only an extra installs."""
    metadata = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    optional = {imported_as(wanted) for group in metadata["optional-dependencies"].values() for wanted in group}
    # What the libraries below import anyway (joblib imports cloudpickle) is not ours to leave out.
    below = "import sys, sklearn.pipeline, pandas, pyarrow; before = {*sys.modules}"
    code = f"{below}; import modelpriv; print(*{{*sys.modules}} - before)"
    fresh = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    ours = {name.split(".")[0] for name in fresh.stdout.split()}
    assert "modelpriv" in ours
    assert not ours & (optional - {"modelpriv"} | {"faker"})


def imported_as(requirement):
    """The name that a requirement is imported by, as far as it follows from the requirement's."""
    return requirement.split("[")[0].split(">")[0].split("=")[0].strip().replace("-", "_").lower()
