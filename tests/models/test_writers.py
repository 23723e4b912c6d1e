"""Nothing is written in plain text through a wrapper: methods that would are refused, and a file system is watched."""

import contextlib
import inspect as python_inspect
import warnings
from pathlib import Path

import numpy as np
import pytest
from fixed_keys import KEYS
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from modelpriv import EncryptedEstimator
from modelpriv.errors import LockedError
from modelpriv.models.writers import writes

X, Y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
CANARY = "cAnArY"


def stand_in(library, *methods):
    """A model with the methods by which a library's models write themselves, where the library itself is too large."""

    def write(self, path, *_, **__):
        Path(path).write_text(CANARY)

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    return type(f"{library}StandIn", (BaseEstimator,), {"fit": fit} | dict.fromkeys(methods, write))()


MODELS = {
    "scikit-learn": Ridge(),
    "scikit-learn forest": RandomForestRegressor(2, random_state=0),
    "scikit-learn neighbours": KNeighborsRegressor(2),
    "scikit-learn pipeline": make_pipeline(Ridge()),
    "catboost, stand-in": stand_in("CatBoost", "save_model", "save_borders"),
    "Keras, stand-in": stand_in("Keras", "save", "save_weights", "export", "to_json"),
    "skorch, stand-in": stand_in("Skorch", "save_params", "save_history"),
    "statsmodels, stand-in": stand_in("Statsmodels", "save"),
    "H2O, stand-in": stand_in("H2O", "download_mojo", "save_mojo", "save_model_details", "download_pojo"),
    "TPOT, stand-in": stand_in("TPOT", "export"),
    "Spark, stand-in": stand_in("Spark", "write", "save"),
    "ONNX, stand-in": stand_in("ONNX", "to_onnx", "to_pickle"),
}


with contextlib.suppress(ImportError):
    from xgboost import XGBRegressor

    MODELS["xgboost"] = XGBRegressor(n_estimators=2)
with contextlib.suppress(ImportError):
    from lightgbm import LGBMRegressor

    MODELS["lightgbm"] = LGBMRegressor(n_estimators=2, min_child_samples=1, verbose=-1)


@pytest.mark.parametrize("library", MODELS)
def test_no_method_writes_a_file(library, tmp_path, monkeypatch):
    """Every public method is called with a path, in every position, and no file appears."""
    monkeypatch.chdir(tmp_path)
    model = EncryptedEstimator(MODELS[library], key=KEYS).fit(X, Y)
    names = {name for name in dir(model.estimator_) if not name.startswith("_")} - {"fit"}
    for name in sorted(names):
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            method = getattr(model, name)
            for arguments in [("model.bin",), (X, "model.bin"), ()]:
                with contextlib.suppress(Exception):
                    method(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize("library", [name for name in MODELS if name != "scikit-learn pipeline"])
def test_the_watch_sees_what_the_bare_model_writes(library, tmp_path, monkeypatch):
    """The test can fail: models that have a method to write do write by it, bare."""
    monkeypatch.chdir(tmp_path)
    bare = MODELS[library].fit(X, Y)
    writers = [name for name in dir(bare) if writes(name) and callable(getattr(bare, name, None))]
    for name in writers:
        with contextlib.suppress(TypeError):
            getattr(bare, name)("model.json")
    assert bool(list(tmp_path.iterdir())) == bool(writers)


@pytest.mark.parametrize(
    ("library", "name"),
    [("catboost, stand-in", "save_model"), ("Keras, stand-in", "export"), ("ONNX, stand-in", "to_onnx")],
)
def test_the_refusal_says_what_to_do(library, name):
    """The method is there, and says that modelpriv.dump writes the model sealed."""
    model = EncryptedEstimator(MODELS[library], key=KEYS).fit(X, Y)
    with pytest.raises(LockedError, match=rf"{name} would write .*modelpriv\.dump\(model, path\)"):
        getattr(model, name)("model.bin")


def test_a_name_that_the_model_lacks_is_not_there():
    """A name that begins like a writer is there only if the inner estimator has it."""
    assert not hasattr(EncryptedEstimator(Ridge(), key=KEYS), "save_model")


def test_methods_of_scikit_learn_are_not_taken_for_writers():
    """No public method of scikit-learn's estimators has a name that is refused."""
    from sklearn.utils import all_estimators  # noqa: PLC0415 - it imports everything

    named = {name for _, cls in all_estimators() for name, _ in python_inspect.getmembers(cls, callable)}
    assert {name for name in named if writes(name)} == set()
