"""A flavor for MLflow 3: the artifact of a model is one sealed file, in runs, registries and servers."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelpriv import sealing
from modelpriv._core import compat
from modelpriv._core.optional import need
from modelpriv._core.public import make_public
from modelpriv._core.warn import warn
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileWarning
from modelpriv.integrations.autologging import autolog
from modelpriv.integrations.environment import opening
from modelpriv.keys.providers import configured_providers
from modelpriv.models.readiness import check_ready
from modelpriv.sealing.unattended import keyring_for

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from modelpriv.keys import Identity, KeyProvider, Recipient, Signer, SigningKey

__all__ = ["autolog", "get_default_conda_env", "get_default_pip_requirements", "load_model", "log_model", "save_model"]

FLAVOR_NAME = "modelpriv"


def save_model(
    model: Any,
    path: str | os.PathLike[str],
    *,
    mlflow_model: Any = None,
    key: object = None,
    passphrase: str | bytes | None = None,
    recipients: Iterable[Recipient | str] | None = None,
    wrap_with: KeyProvider | None = None,
    sign_with: SigningKey | None = None,
    code: str | None = None,
    conda_env: dict[str, Any] | str | None = None,
    pip_requirements: list[str] | str | None = None,
    extra_pip_requirements: list[str] | str | None = None,
    code_paths: None = None,
    signature: Any = None,
    input_example: Any = None,
    allow_plaintext_example: bool = False,
    pyfunc_predict_fn: str = "predict",
    metadata: dict[str, Any] | None = None,
) -> None:
    """Save a model in a folder as MLflow keeps it, with one sealed file for all of the model.

    *Protects against* anyone who reads or changes the files of a registry: they learn nothing of the model, and what
    they change does not open. *Leaks* what the sealed file leaks (see `modelpriv.dump`), and what MLflow writes around
    it: the named requirements, the names and types in ``signature``, ``metadata``, sizes and times. It *cannot* stop
    people who may write to the folder from making `mlflow.pyfunc` run their code: the file ``MLmodel`` says which
    module loads a model, and MLflow believes it. `load_model` reads no such file.

    Parameters
    ----------
    model : estimator
        An `EncryptedEstimator`, which brings its keys along, or any estimator.
    path : path-like
        A folder that does not exist, or is empty.
    mlflow_model : mlflow.models.Model, optional
        What to add the flavor to; MLflow passes it.
    key, passphrase, recipients, wrap_with, sign_with, code
        Who opens the file, as `modelpriv.dump` takes them. By default the wrapper's own.
    conda_env, pip_requirements, extra_pip_requirements
        The environment, as MLflow's flavors take them. Nothing is inferred, since that would load the model: by default
        modelpriv and scikit-learn are named. Name other packages that the model needs.
    code_paths : None
        Not supported: MLflow would keep your code in plain text, and run what is there when the model is loaded. Pass
        ``code="by-value"``, which seals it with the model.
    signature : mlflow.models.ModelSignature, optional
        Names and types of columns, in plain text.
    input_example : optional
        Rows, in plain text: refused unless ``allow_plaintext_example`` is True.
    allow_plaintext_example : bool, default=False
        Whether anyone who can read the folder may read the example.
    pyfunc_predict_fn : str, default="predict"
        The method that `mlflow.pyfunc` and its servers call. A model without it gets no such flavor.
    metadata : dict, optional
        Public, in ``MLmodel``.

    Raises
    ------
    ParameterError, ParameterTypeError
        An example is not allowed, the folder is not empty, or as `modelpriv.dump` raises them.
    KeyUnavailableError, LockedError, OSError
        As `modelpriv.dump` raises them.

    See Also
    --------
    log_model : Save a model in a run.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv import EncryptedEstimator, Keyring
    >>> from modelpriv.integrations import mlflow as sealed
    >>> keys = Keyring.generate()
    >>> model = EncryptedEstimator(Ridge(), key=keys).fit([[1.0], [2.0]], [1.0, 2.0])
    >>> sealed.save_model(model, "model")  # doctest: +SKIP
    >>> sealed.load_model("model", key=keys)  # doctest: +SKIP
    """
    _check_plain_text(code_paths, input_example, allowed=allow_plaintext_example)
    if pyfunc_predict_fn not in _METHODS:
        raise ParameterError(f"pyfunc_predict_fn must be one of {', '.join(_METHODS)}.")
    models = need("mlflow.models", "mlflow", error=ParameterError)
    folder = _new_folder(path)
    sealing.dump(
        model,
        folder / _FILE,
        key=key,
        passphrase=passphrase,
        recipients=recipients,
        wrap_with=wrap_with,
        sign_with=sign_with,
        code=code,
    )
    mlflow_model = models.Model() if mlflow_model is None else mlflow_model
    mlflow_model.signature = mlflow_model.signature if signature is None else signature
    mlflow_model.metadata = mlflow_model.metadata if metadata is None else metadata
    if input_example is not None:
        compat.keep_mlflow_example(mlflow_model, input_example, folder)
    _add_flavors(mlflow_model, folder, pyfunc_predict_fn if hasattr(model, pyfunc_predict_fn) else None)
    named = {"conda_env": conda_env, "pip_requirements": pip_requirements}
    named |= {"extra_pip_requirements": extra_pip_requirements}
    compat.keep_mlflow_environment(folder, _requirements(folder), **named)


def log_model(model: Any, name: str | None = None, *, registered_model_name: str | None = None, **settings: Any) -> Any:
    """Log a model in the current run, with one sealed file for all of the model.

    It protects, leaks and cannot do what `save_model` says. MLflow adds its own facts about the run: who, when, from
    which script and commit.

    Parameters
    ----------
    model : estimator
        An `EncryptedEstimator`, which brings its keys along, or any estimator.
    name : str, optional
        The model's name.
    registered_model_name : str, optional
        Where to register it.
    **settings
        What `save_model` takes, and what MLflow's `Model.log` takes: ``params``, ``tags``, ``step``, ``model_type``.

    Returns
    -------
    info : mlflow.models.model.ModelInfo

    Raises
    ------
    ParameterError, ParameterTypeError, KeyUnavailableError, LockedError, OSError
        As `save_model` raises them.
    """
    models = need("mlflow.models", "mlflow", error=ParameterError)
    return models.Model.log(
        artifact_path=None,
        name=name,
        flavor=sys.modules[__name__],
        registered_model_name=registered_model_name,
        model=model,
        **settings,
    )


def load_model(
    model_uri: str,
    dst_path: str | None = None,
    *,
    key: object = None,
    passphrase: str | bytes | None = None,
    identity: Identity | None = None,
    provider: KeyProvider | None = None,
    trusted_signers: Iterable[Signer | str] = (),
    trusted_types: Iterable[str] = (),
    allow_code: bool = False,
    file_id: str | None = None,
    wrap: bool = False,
) -> Any:
    """Load a model that `log_model` or `save_model` wrote; nothing of it is unpickled before all of it is verified.

    It works with ``MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false``, too. It reads the sealed file and nothing else: what
    ``MLmodel`` or another file in the folder says about keys, signers or code changes nothing.

    Parameters
    ----------
    model_uri : str
        As MLflow's flavors take it: ``"models:/name@alias"``, ``"runs:/id/name"``, a path.
    dst_path : str, optional
        Where to download it to.
    key, passphrase, identity, provider, trusted_signers, trusted_types, allow_code, file_id, wrap
        As `modelpriv.load` takes them. If you give nothing that opens the file, these are asked: the environment
        (``MODELPRIV_MODEL_KEY``, a keyring URI; ``MODELPRIV_MODEL_IDENTITY``, the path of an identity), the keyrings
        that your program named for models (`modelpriv.sealing.set_trusted`), the providers of
        `modelpriv.keys.set_providers`. ``MODELPRIV_MODEL_SIGNERS`` and ``MODELPRIV_MODEL_ALLOW_CODE=true`` add to
        ``trusted_signers`` and ``allow_code``.

    Returns
    -------
    model : estimator
        What was logged. Every step in it has its key.

    Raises
    ------
    KeyUnavailableError
        Nothing opens the file, or a step in the model lacks its key; the message names the step.
    SealedFileError, UntrustedError, LockedError, ParameterError, ParameterTypeError, OSError
        As `modelpriv.load` raises them.
    """
    artifacts = need("mlflow.artifacts", "mlflow", error=ParameterError)
    folder = artifacts.download_artifacts(artifact_uri=str(model_uri), dst_path=dst_path)
    given = {"key": key, "passphrase": passphrase, "identity": identity, "provider": provider}
    trust = {"trusted_signers": tuple(trusted_signers), "trusted_types": trusted_types, "allow_code": allow_code}
    return _open(folder, given, trust | {"file_id": file_id, "wrap": wrap})


def get_default_pip_requirements() -> list[str]:
    """Return the requirements of a model for which the caller names none.

    Returns
    -------
    requirements : list of str
    """
    ours: Any = sys.modules["modelpriv"]  # which is imported, and may be on the path without being installed
    return [f"modelpriv=={ours.__version__}", f"scikit-learn=={version('scikit-learn')}"]


def get_default_conda_env() -> dict[str, Any]:
    """Return the conda environment of a model for which the caller names none.

    Returns
    -------
    environment : dict
    """
    return compat.mlflow_conda_env(get_default_pip_requirements())


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> _PyfuncModel:
    """Load a model for `mlflow.pyfunc`, which calls this function."""
    if model_config:
        warn(
            "model_config is not read, since the model's folder can hold one too: keys, signers and allow_code come "
            "from the environment (MODELPRIV_MODEL_KEY) and from modelpriv.sealing.set_trusted.",
            SealedFileWarning,
        )
    return _PyfuncModel(_open(path, {}, {}))


class _PyfuncModel:
    """What `mlflow.pyfunc` calls: the methods that predict, and no other."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(name)
        return getattr(self._model, name)

    def get_raw_model(self) -> Any:
        """Return the model."""
        return self._model


_FILE = "model.mpriv"
_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function", "score_samples", "transform")
_CODE_REQUIREMENTS = {"cloudpickle-5": "cloudpickle", "skops": "skops"}


def _check_plain_text(code_paths: object, input_example: object, *, allowed: bool) -> None:
    if code_paths is not None:
        raise ParameterError(
            "code_paths is not supported: MLflow would keep your code in plain text, and run what it finds there. "
            "Pass code='by-value', which seals it with the model, or install it as a package (extra_pip_requirements)."
        )
    if input_example is not None and allowed is not True:
        raise ParameterError(
            "input_example would be kept in plain text. Pass a signature instead (mlflow.models.infer_signature on "
            "protected columns), or allow_plaintext_example=True if anyone may read these rows."
        )


def _new_folder(path: str | os.PathLike[str]) -> Path:
    folder = Path(path)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ParameterError(f"{str(folder)!a} exists and is not an empty folder: save the model in another one.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _add_flavors(mlflow_model: Any, folder: Path, predict_fn: str | None) -> None:
    pyfunc = need("mlflow.pyfunc", "mlflow", error=ParameterError)
    if predict_fn is not None:
        files = {"conda_env": "conda.yaml", "python_env": "python_env.yaml"}
        pyfunc.add_to_model(mlflow_model, loader_module=__name__, data=_FILE, predict_fn=predict_fn, **files)
    mlflow_model.add_flavor(FLAVOR_NAME, data=_FILE)
    mlflow_model.model_size_bytes = (folder / _FILE).stat().st_size
    mlflow_model.save(str(folder / "MLmodel"))


def _requirements(folder: Path) -> list[str]:
    needed = _CODE_REQUIREMENTS.get(sealing.inspect(folder / _FILE).serializer)
    return get_default_pip_requirements() + ([] if needed is None else [f"{needed}=={version(needed)}"])


def _open(path: str, given: dict[str, Any], trust: dict[str, Any]) -> Any:
    """Open the sealed file of a model with what the caller gave, or what the environment or the program names."""
    found, trusted = opening()
    if all(value is None for value in given.values()):
        given = found or _named(path)
    signers = (*trust.get("trusted_signers", ()), *trusted["trusted_signers"])
    trust = trust | {"trusted_signers": signers, "allow_code": trust.get("allow_code") or trusted["allow_code"]}
    model = sealing.load(path, **given, **trust)
    check_ready(model)
    return model


def _named(path: str) -> dict[str, Any]:
    """Return the keyring that the program named for a model, or nothing where it configured providers."""
    keyring = keyring_for(path)
    if keyring is None and not configured_providers():
        ids = [way["key_id"] for way in sealing.inspect(path).stanzas if "key_id" in way]
        wanted = f" with key id {' or '.join(ids)}" if ids else ""
        raise KeyUnavailableError(
            f"nothing is at hand that opens the model: set MODELPRIV_MODEL_KEY to the URI of its keyring{wanted} "
            "('file:PATH'), or call modelpriv.sealing.set_trusted(keys=[...]) before it is loaded."
        )
    return {"key": keyring}


make_public("modelpriv.integrations.mlflow", globals(), __all__)
