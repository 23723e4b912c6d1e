"""Private APIs of other libraries: in one file only, and each does what it is used for."""

import ast
import pickle
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import ModuleType, SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky.backend import reduction as loky
from joblib.hashing import Hasher
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

import modelpriv
from modelpriv._core import compat

PACKAGE = Path(modelpriv.__file__).parent
LIBRARIES = {"cloudpickle", "joblib", "loky", "mlflow", "narwhals", "skops", "sklearn"}
UNDOCUMENTED = ("joblib.externals", "joblib.hashing", "multiprocessing.reduction")


def private_imports(path):
    """The private or undocumented names that a file imports from the libraries around it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            top, *rest = name.split(".")
            if (top in LIBRARIES and any(part.startswith("_") for part in rest)) or name.startswith(UNDOCUMENTED):
                yield name


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_private_names_are_in_one_file(path):
    """No file but this one imports what a library does not promise to keep."""
    found = set(private_imports(path))
    assert bool(found) == (path.name == "compat.py" and path.parent.name == "_core"), found


@pytest.mark.parametrize("wanted", ["default", "pandas", "polars"])
def test_wanted_output(wanted):
    """What set_output chose can be asked for."""
    assert compat.wanted_output(StandardScaler().set_output(transform=wanted)) == wanted


def test_feature_names_in():
    """The names of the fitted columns come back; other names are refused."""
    fitted = StandardScaler().fit(pd.DataFrame({"a": [1.0, 2.0]}))
    assert compat.feature_names_in(fitted, None).tolist() == ["a"]
    with pytest.raises(ValueError, match="input_features"):
        compat.feature_names_in(fitted, ["b"])


class Point(SimpleNamespace):
    """Something that crosses to workers in a form of its own."""


def test_workers_get_what_was_registered():
    """A registered class crosses both kinds of pipe by its own reducer, and an ordinary pickle stays as it is."""
    compat.register_for_workers(Point, lambda point: (str, (f"at {point.x}",)))
    try:
        assert pickle.loads(compat.worker_bytes(Point(x=3))) == "at 3"
        assert pickle.loads(bytes(ForkingPickler.dumps(Point(x=3)))) == "at 3"
        assert pickle.loads(pickle.dumps(Point(x=3))) == Point(x=3)
    finally:
        loky._dispatch_table.pop(Point)
        ForkingPickler._extra_reducers.pop(Point)


def test_a_hash_is_of_the_content():
    """Objects whose registered content is equal have one hash, at any depth."""
    compat.register_hash(Point, lambda point: point.x % 10)
    try:
        assert joblib.hash([Point(x=3)]) == joblib.hash([Point(x=13)]) != joblib.hash([Point(x=4)])
    finally:
        Hasher.dispatch.pop(Point)


def test_autologging_is_off_where_mlflow_is_there(monkeypatch):
    """Where MLflow's autologging is loaded, it is asked to leave the block alone; elsewhere nothing happens."""
    with compat.without_autologging():
        Ridge().fit(np.eye(2), [0, 1])
    entered = []
    stand_in = ModuleType("mlflow.utils.autologging_utils")

    class Disabled:
        def __enter__(self):
            entered.append(True)

        def __exit__(self, *_):
            entered.append(False)

    stand_in.disable_autologging = Disabled
    monkeypatch.setitem(sys.modules, "mlflow.utils.autologging_utils", stand_in)
    with compat.without_autologging():
        assert entered == [True]
    assert entered == [True, False]
    stand_in._AUTOLOGGING_GLOBALLY_DISABLED = True
    with compat.without_autologging():
        assert entered == [True, False]


def test_mlflow_is_told_apart_from_scikit_learn_at_work(monkeypatch):
    """What MLflow asks is for its pages; what scikit-learn asks while it clones or fits for MLflow is not."""
    asking = ModuleType("mlflow.sklearn")
    code = "def show(ask): return ask()\ndef work(clone): return clone()"
    exec(code, vars(asking))  # noqa: S102 - functions whose module is MLflow's
    monkeypatch.setitem(sys.modules, "mlflow", asking)

    def clone():
        return compat.asked_by_mlflow()

    def train():
        return compat.asked_by_mlflow()

    class Meta:
        def get_params(self):
            return compat.asked_by_mlflow()

    assert asking.show(compat.asked_by_mlflow)
    assert asking.show(Meta().get_params)
    assert not asking.work(clone)
    assert not asking.show(train)
    assert not compat.asked_by_mlflow()
