"""Every private or undocumented API of another library that the package uses, each with the public way that was tried.

========================================  =====================================================================
here                                      why no public API does
========================================  =====================================================================
`wanted_output`                           scikit-learn's ``set_output`` wraps ``transform`` by itself, but only for
                                          arrays and frames that it knows: it has no public getter for the choice,
                                          and its own wrapping turns a pyarrow table into an array
`feature_names_in`                        ``OneToOneFeatureMixin`` calls the same function, but its
                                          ``get_feature_names_out`` checks ``n_features_in_`` after it, with another
                                          error than ours
`register_for_workers`, `worker_bytes`    ``joblib.wrap_non_picklable_objects`` changes how an object is pickled
                                          everywhere, not on the pipe only; ``copyreg`` is global in the same way
`register_hash`                           ``joblib.hash`` pickles with ``__reduce__``, which for a wrapped estimator
                                          is ciphertext with a new nonce each time
`without_autologging`, `mlflow_may_log`   ``mlflow.autolog(disable=True)`` turns the user's own logging off for the
                                          whole program
`keep_mlflow_example`,                    every flavor writes these files, and MLflow has no public function for it
`keep_mlflow_environment`,
`mlflow_conda_env`
`asked_by_mlflow`, `called_by`            MLflow asks an estimator around ours for its parameters, as scikit-learn does
                                          when it clones: only the stack tells the two apart
========================================  =====================================================================

Estimators also override scikit-learn's ``_repr_html_inner``, ``_repr_mimebundle_`` and ``_get_fitted_attr_html``
(`models.wrapper`): the public ``__repr__`` alone would leave the diagram of a locked model to code that asks for its
inner estimator, and the fitted one to the page that MLflow keeps.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from joblib.externals.loky.backend import reduction as loky
from joblib.hashing import Hasher
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import _check_feature_names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = [
    "asked_by_mlflow",
    "called_by",
    "feature_names_in",
    "keep_mlflow_environment",
    "keep_mlflow_example",
    "mlflow_conda_env",
    "mlflow_may_log",
    "register_for_workers",
    "register_hash",
    "wanted_output",
    "without_autologging",
    "worker_bytes",
]

# Where scikit-learn works with parameters, instead of showing them: it needs the real ones there.
_AT_WORK = frozenset(
    {
        "__sklearn_clone__",
        "clone",
        "fit",
        "fit_predict",
        "fit_transform",
        "partial_fit",
        "predict",
        "predict_proba",
        "score",
        "set_params",
        "transform",
    }
)
# What can be between MLflow and an object that it writes down; methods that show an object can be anyone's.
_SHOWING = sys.stdlib_module_names | {"jinja2", "joblib", "modelpriv", "numpy", "pandas", "pydantic", "sklearn", "yaml"}


def wanted_output(estimator: object) -> str:
    """Return the container that ``set_output`` chose for ``transform``: "default", "pandas" or "polars"."""
    return str(_get_output_config("transform", estimator)["dense"])


def feature_names_in(estimator: object, input_features: Any) -> Any:
    """Return the names of an estimator's input columns, as an array of str."""
    return _check_feature_names_in(estimator, input_features)


def register_for_workers(cls: type, reduce: Callable[[Any], tuple[Any, ...]]) -> None:
    """Let objects of a class, but not of its subclasses, cross the pipes of joblib's loky and multiprocessing.

    Parameters
    ----------
    cls : type
        The class.
    reduce : callable
        Takes an object and returns what ``__reduce__`` would: a function that the worker can import, and its arguments.
    """
    loky.register(cls, reduce)
    ForkingPickler.register(cls, reduce)


def worker_bytes(value: object) -> bytes:
    """Pickle a value as for a worker's pipe: with what `register_for_workers` registered."""
    return bytes(loky.dumps(value))


def register_hash(cls: type, content: Callable[[Any], object]) -> None:
    """Let ``joblib.hash``, and so every cache of joblib, hash an object of a class by what `content` returns for it."""
    # The hasher is a pickler, and its table is the one place where it asks before it asks for the state.
    Hasher.dispatch[cls] = lambda hasher, thing: hasher.save((cls, content(thing)))


def without_autologging() -> contextlib.AbstractContextManager[Any]:
    """Keep MLflow's autologging, if it is on, from logging what is fitted in this block."""
    autologging = sys.modules.get("mlflow.utils.autologging_utils")
    # Not where it is off already: leaving MLflow's inner block would turn it on in the outer one.
    if autologging is None or getattr(autologging, "_AUTOLOGGING_GLOBALLY_DISABLED", False):
        return contextlib.nullcontext()
    disabled: contextlib.AbstractContextManager[Any] = autologging.disable_autologging()
    return disabled


def mlflow_may_log() -> bool:
    """Return whether nothing has turned MLflow's autologging off for this block."""
    return not getattr(sys.modules.get("mlflow.utils.autologging_utils"), "_AUTOLOGGING_GLOBALLY_DISABLED", False)


def asked_by_mlflow() -> bool:
    """Return whether MLflow asks for parameters or for how an object prints, rather than scikit-learn while it works.

    What MLflow is told it writes down, in plain text. Code of the user that MLflow calls, such as a traced function,
    asks for itself.
    """
    for package, function in _callers() if "mlflow" in sys.modules else ():
        if package == "mlflow":
            return True
        shows = package in _SHOWING or function == "get_params" or function.startswith("_")
        if function in _AT_WORK or not shows:
            return False
    return False


def called_by(package: str) -> bool:
    """Return whether the call comes from inside a package."""
    return any(one == package for one, _ in _callers())


def _callers() -> Iterator[tuple[str, str]]:
    """Give the package and the function of each frame of the stack, from here outwards."""
    frame = inspect.currentframe()
    while frame is not None:
        yield str(frame.f_globals.get("__name__")).partition(".")[0], frame.f_code.co_name
        frame = frame.f_back


def keep_mlflow_example(model: Any, example: Any, folder: Path) -> None:
    """Write an example of a model's input into its folder, and note it in its description."""
    from mlflow.models.utils import _save_example  # noqa: PLC0415 - an extra

    _save_example(model, example, str(folder))


def keep_mlflow_environment(
    folder: Path, defaults: list[str], *, conda_env: Any, pip_requirements: Any, extra_pip_requirements: Any
) -> None:
    """Write the files that say what a model needs, from what the caller names, or from the defaults."""
    import yaml  # noqa: PLC0415 - MLflow installs it
    from mlflow.utils.environment import (  # noqa: PLC0415 - an extra
        _process_conda_env,
        _process_pip_requirements,
        _PythonEnv,
        _validate_env_arguments,
    )

    _validate_env_arguments(conda_env, pip_requirements, extra_pip_requirements)
    if conda_env is None:
        found = _process_pip_requirements(defaults, pip_requirements, extra_pip_requirements)
    else:
        found = _process_conda_env(conda_env)
    conda, requirements, constraints = found
    (folder / "conda.yaml").write_text(yaml.safe_dump(conda))
    (folder / "requirements.txt").write_text("\n".join(requirements))
    if constraints:
        (folder / "constraints.txt").write_text("\n".join(constraints))
    _PythonEnv.current().to_yaml(str(folder / "python_env.yaml"))


def mlflow_conda_env(requirements: list[str]) -> dict[str, Any]:
    """Return MLflow's conda environment with these requirements."""
    from mlflow.utils.environment import _mlflow_conda_env  # noqa: PLC0415 - an extra

    found: dict[str, Any] = _mlflow_conda_env(additional_pip_deps=requirements)
    return found
