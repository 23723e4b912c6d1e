"""What MLflow records by itself when a wrapped model is fitted: what the wrapper makes public, and a score."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from modelpriv._core import compat, process
from modelpriv._core.checks import Flag, check
from modelpriv._core.optional import need
from modelpriv._core.warn import warn
from modelpriv.errors import ParameterError
from modelpriv.sealing.description import describe

if TYPE_CHECKING:
    from modelpriv.models.wrapper import EncryptedEstimator

__all__ = ["autolog"]


def autolog(*, disable: bool = False, score: bool = True) -> None:
    """Record in MLflow, from now on, each fit of an `EncryptedEstimator`: what it makes public, and a score.

    ``mlflow.sklearn.autolog()`` records nothing of a wrapped model, and of one in a pipeline or a search only what the
    wrapper makes public. This function adds what it leaves out. A fit inside of a pipeline, a search or a cross
    validation is not recorded.

    *Protects against* hyper-parameters and class names in the database of a tracking server. *Leaks* what you allow:
    ``metadata``, as tags; class and hyper-parameters, with ``scope="parameters"``; the score on the training data. It
    *cannot* take back what other loggers record.

    Parameters
    ----------
    disable : bool, default=False
        Whether to stop.
    score : bool, default=True
        Whether to call the model's ``score`` on the training data, and record it as ``training_score``.

    Examples
    --------
    >>> from modelpriv.integrations import mlflow as sealed
    >>> sealed.autolog(disable=True)
    """
    check("disable", disable, Flag())
    check("score", score, Flag())

    def record(model: EncryptedEstimator, args: tuple[Any, ...], params: dict[str, Any]) -> None:
        if compat.called_by("sklearn") or not compat.mlflow_may_log():
            return
        data = dict(zip(("X", "y"), args, strict=False)) | params
        try:
            _log(model, _score(model, data.get("X"), data.get("y")) if score else {})
        except Exception as error:  # noqa: BLE001 - a model that is fitted must not be lost to a server that is away
            warn(f"MLflow could not record the fit of a model ({type(error).__name__}).", UserWarning)

    process.settings.fitted = None if disable else record


def _score(model: EncryptedEstimator, X: Any, y: Any) -> dict[str, float]:
    if y is None or not hasattr(model, "score"):
        return {}
    with compat.without_autologging():
        return {"training_score": float(model.score(X, y))}


def _log(model: EncryptedEstimator, metrics: dict[str, float]) -> None:
    mlflow = need("mlflow", "mlflow", error=ParameterError)
    tags = {"estimator_name": type(model).__name__}
    for name, value in (model.metadata or {}).items():
        tags[f"modelpriv.{name}"] = value if isinstance(value, str) else json.dumps(value)
    run = mlflow.active_run()
    with mlflow.start_run() if run is None else contextlib.nullcontext():
        mlflow.set_tags(tags)
        mlflow.log_metrics(metrics)
        if model.scope == "parameters":
            described = describe(model.estimator)
            readable = {f"estimator__{name}": value for name, value in described["parameters"].items()}
            mlflow.log_params({"estimator": described["class"]} | readable)
