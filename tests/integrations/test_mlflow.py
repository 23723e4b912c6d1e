"""The MLflow flavor, against the real MLflow with a SQLite store: what is kept, what opens it, what changes nothing."""

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when mlflow is imported

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelpriv import (
    EncryptedEstimator,
    FieldEncryptor,
    Identity,
    KeyedProjection,
    Keyring,
    Masker,
    Replacer,
    SigningKey,
)
from modelpriv._core import process
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError, SealedFileWarning, UntrustedError
from modelpriv.integrations import mlflow as sealed
from modelpriv.sealing import set_trusted

if os.environ.get("MODELPRIV_CI"):
    import mlflow
else:
    mlflow = pytest.importorskip("mlflow", reason="install mlflow-skinny")
pytest.importorskip("sqlalchemy", reason="MLflow's SQLite store needs sqlalchemy and alembic")

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow's own

X = pd.DataFrame(
    {"email": ["canary-a@example.org", "canary-b@example.org", "c@example.org"], "age": [31.0, 45.5, 62.0]}
)
Y = np.array([1.0, 2.0, 3.5])
ALPHA = 0.7310585786300049
INSIDE = [b"Ridge", str(ALPHA).encode(), b"canary-a@", b"canary-b@", b"FieldEncryptor", b"email", b"45.5"]


def pipeline(keys):
    """A model with a keyed step, whose predictions do not depend on the key."""
    protect = make_column_transformer((FieldEncryptor(key=keys), ["email"]), remainder="passthrough")
    return make_pipeline(protect, make_column_transformer(("passthrough", [1])), Ridge(alpha=ALPHA))


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """MLflow's SQLite store, made once, because its tables take seconds."""
    return tmp_path_factory.mktemp("store") / "mlflow.db"


@pytest.fixture
def store(database, tmp_path, monkeypatch):
    """An experiment of its own for each test: the folder of its runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    mlflow.set_tracking_uri(f"sqlite:///{database}")
    # By the environment: what `set_experiment` sets outlives the test.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", mlflow.create_experiment(tmp_path.name, (tmp_path / "runs").as_uri()))
    yield tmp_path / "runs"
    while mlflow.active_run():
        mlflow.end_run()
    sealed.autolog(disable=True)
    mlflow.sklearn.autolog(disable=True)
    set_trusted()


@pytest.fixture
def model(keyring):
    """A fitted model that is ciphertext wherever it is written."""
    return EncryptedEstimator(pipeline(keyring), key=keyring).fit(X, Y)


@pytest.fixture
def unnamed(monkeypatch):
    """A process whose program has named no keyring for models."""
    return lambda: monkeypatch.setattr(process, "named", set())


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def folder_of(info):
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=info.model_uri))


# --- log and load ---


def test_a_logged_model_comes_back(store, model):
    """It comes back by its own loader and by pyfunc, with MLflow's deserialisation of pickles turned off."""
    info = sealed.log_model(model, "risk")
    assert (sealed.load_model(info.model_uri).predict(X) == model.predict(X)).all()
    assert (mlflow.pyfunc.load_model(info.model_uri).predict(X) == model.predict(X)).all()
    assert info.flavors["modelpriv"] == {"data": "model.mpriv"}


def test_a_registered_model_comes_back_by_its_alias(store, model, keyring):
    """A bare estimator under a key, registered and aliased, comes back bare."""
    info = sealed.log_model(Ridge().fit([[1.0], [2.0]], [1, 2]), "m", key=keyring, registered_model_name="by-alias")
    mlflow.MlflowClient().set_registered_model_alias("by-alias", "champion", info.registered_model_version)
    assert isinstance(sealed.load_model("models:/by-alias@champion", key=keyring), Ridge)
    assert isinstance(sealed.load_model("models:/by-alias/1", key=keyring, wrap=True), EncryptedEstimator)


def test_nothing_of_the_model_is_in_runs_and_database(store, database, model, keyring):
    """No byte of the run's files and of the database shows class, parameters, columns, cells or the key."""
    sealed.autolog()
    mlflow.sklearn.autolog(log_datasets=False, silent=True)
    with mlflow.start_run():
        model.fit(X, Y)
        sealed.log_model(model, "risk", registered_model_name="canaries")
    said = b"".join(bytes(path) + path.read_bytes() for path in [*store.rglob("*"), database] if path.is_file())
    needles = [*INSIDE, keyring.export_secret().encode(), keyring.export_secret().encode().rpartition(b"_")[2]]
    assert [needle for needle in needles if needle in said] == []
    assert b"training_score" in said


@pytest.mark.parametrize("search", [False, True])
def test_autologging_shows_no_cell_and_no_key(store, database, keyring, search):
    """Protecting steps around a wrapped model, in a search too, show their parameters, and neither cells nor keys."""
    protect = make_column_transformer(
        (FieldEncryptor("deterministic", key=keyring), ["email"]),
        (Replacer("name", key=keyring), ["name"]),
        (Masker(keep_first=1), ["phone"]),
        (KeyedProjection(key=keyring), ["age", "size"]),
    )
    numbers = make_column_transformer(("passthrough", slice(3, None)))
    model = make_pipeline(protect, numbers, EncryptedEstimator(Ridge(alpha=ALPHA), key=keyring))
    people = X.assign(name="canary-c", phone="canary-d", size=Y)
    mlflow.sklearn.autolog(log_models=False, silent=True)
    (GridSearchCV(model, {"encryptedestimator__estimator__tol": [1, 2]}, cv=2) if search else model).fit(people, Y)
    page = store.rglob("estimator.html")
    assert all(b"EncryptedEstimator" in path.read_bytes() and b"FieldEncryptor" in path.read_bytes() for path in page)
    said = b"".join(path.read_bytes() for path in [*store.rglob("*"), database] if path.is_file())
    needles = [b"canary-", b"estimator__alpha", b"Ridge", str(ALPHA).encode(), keyring.export_secret().encode()]
    assert [needle for needle in needles if needle in said] == []


def test_a_saved_model_is_a_folder_of_mlflow(store, model, tmp_path):
    """`save_model` writes a sealed file and MLflow's small files, and takes an empty folder only."""
    sealed.save_model(model, tmp_path / "out")
    names = {"MLmodel", "conda.yaml", "model.mpriv", "python_env.yaml", "requirements.txt"}
    assert set(files(tmp_path / "out")) == names
    with pytest.raises(ParameterError, match="is not an empty folder"):
        sealed.save_model(model, tmp_path / "out")


def test_a_transformer_has_no_pyfunc_flavor(store, keyring):
    """What cannot predict is logged without the flavor that predicts; another method can take its place."""
    step = EncryptedEstimator(StandardScaler(), key=keyring).fit([[1.0], [2.0]])
    assert set(sealed.log_model(step, "step").flavors) == {"modelpriv"}
    info = sealed.log_model(step, "step", pyfunc_predict_fn="transform")
    assert mlflow.pyfunc.load_model(info.model_uri).predict([[1.0]]).shape == (1, 1)
    with pytest.raises(ParameterError, match="pyfunc_predict_fn must be one of"):
        sealed.log_model(step, "step", pyfunc_predict_fn="get_params")


# --- plain text ---


def test_an_example_needs_consent(store, model):
    """Rows are not kept in plain text unless the caller says that they may be."""
    with pytest.raises(ParameterError, match="allow_plaintext_example=True"):
        sealed.log_model(model, "risk", input_example=X)
    info = sealed.log_model(model, "risk", input_example=X, allow_plaintext_example=True)
    assert "canary-a@example.org" in (folder_of(info) / "input_example.json").read_text()


def test_a_signature_is_kept_if_it_is_given(store, model):
    """Without a signature no name of a column is kept; with one, MLflow checks what it predicts for."""
    signature = mlflow.models.infer_signature(X, Y)
    info = sealed.log_model(model, "risk", signature=signature, metadata={"stage": "trial"})
    assert b"email" in files(folder_of(info))["MLmodel"]
    assert mlflow.pyfunc.load_model(info.model_uri).metadata.metadata == {"stage": "trial"}


def test_code_in_plain_text_is_refused(store, model, tmp_path):
    """MLflow's way to bring code is refused, with the one that seals it."""
    with pytest.raises(ParameterError, match=r"code_paths.*by-value"):
        sealed.log_model(model, "risk", code_paths=[str(tmp_path)])


def test_requirements_are_named_and_not_inferred(store, model, tmp_path, monkeypatch):
    """No process is started that loads the model: what it needs is what the caller names, or two packages."""
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **named: pytest.fail("a process was started"))
    sealed.save_model(model, tmp_path / "a", extra_pip_requirements=["lightgbm==4.6.0"])
    named = (tmp_path / "a" / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in named] == ["mlflow", "modelpriv", "scikit-learn", "lightgbm"]
    sealed.save_model(model, tmp_path / "b", pip_requirements=["mlflow", "modelpriv"])
    assert (tmp_path / "b" / "requirements.txt").read_text().split() == ["mlflow", "modelpriv"]
    sealed.save_model(model, tmp_path / "c", conda_env=sealed.get_default_conda_env())
    assert "modelpriv==" in (tmp_path / "c" / "conda.yaml").read_text()


# --- what opens it ---


def test_the_environment_names_the_keyring(store, model, keyring, unnamed, monkeypatch):
    """A server gets a URI by the environment; without it nothing is opened, and the error has the key id."""
    info = sealed.log_model(model, "risk")
    unnamed()
    with pytest.raises(KeyUnavailableError, match=rf"MODELPRIV_MODEL_KEY.*key id {keyring.primary}.*set_trusted"):
        mlflow.pyfunc.load_model(info.model_uri)
    monkeypatch.setenv("RISK_KEYS", keyring.export_secret())
    monkeypatch.setenv("MODELPRIV_MODEL_KEY", "env:RISK_KEYS")
    assert mlflow.pyfunc.load_model(info.model_uri).predict(X).shape == (3,)


def test_the_program_names_the_keyring(store, model, keyring, unnamed):
    """So does `set_trusted`, with a keyring; a keyring that is only alive opens nothing."""
    info = sealed.log_model(model, "risk")
    unnamed()
    set_trusted(keys=[keyring])
    assert sealed.load_model(info.model_uri).predict(X).shape == (3,)
    set_trusted()
    unnamed()
    with pytest.raises(KeyUnavailableError, match="nothing is at hand"):
        sealed.load_model(info.model_uri)


def test_the_environment_names_identity_and_signers(store, keyring, monkeypatch, tmp_path):
    """A signed model for a recipient opens by the identity, once the environment names its signer."""
    identity, author = Identity.generate(), SigningKey.generate()
    identity.save(tmp_path / "me.json", passphrase="correct horse battery staple")
    fitted = Ridge().fit([[1.0], [2.0]], [1, 2])
    info = sealed.log_model(fitted, "risk", recipients=[identity.recipient], sign_with=author)
    monkeypatch.setenv("MODELPRIV_MODEL_IDENTITY", str(tmp_path / "me.json"))
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "correct horse battery staple")
    with pytest.raises(UntrustedError, match="name the signers"):
        mlflow.pyfunc.load_model(info.model_uri)
    monkeypatch.setenv("MODELPRIV_MODEL_SIGNERS", f"{SigningKey.generate().signer}, {author.signer}")
    assert mlflow.pyfunc.load_model(info.model_uri).predict([[1.0]]).shape == (1,)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MODELPRIV_MODEL_KEY", "modelpriv_secret_x", "MODELPRIV_MODEL_KEY does not hold the URI"),
        ("MODELPRIV_MODEL_ALLOW_CODE", "perhaps", "MODELPRIV_MODEL_ALLOW_CODE must be 'true' or 'false'"),
    ],
)
def test_a_wrong_variable_is_named_and_not_repeated(store, model, monkeypatch, name, value, words):
    """The error for a variable says which, and never what it holds."""
    info = sealed.log_model(model, "risk")
    monkeypatch.setenv(name, value)
    with pytest.raises(ParameterError, match=words) as refused:
        sealed.load_model(info.model_uri)
    assert value not in str(refused.value)


def test_a_step_without_its_key_is_refused_when_loaded(store):
    """A model whose step needs a key that the keyring lacks is refused before a server says that it is ready."""
    keys = Keyring.generate()
    newer = keys.rotate()
    fitted = pipeline(keys).fit(X, Y)
    info = sealed.log_model(fitted, "risk", key=newer)
    alone = newer.retire(keys.primary)
    del keys, newer, fitted
    gc.collect()
    with pytest.raises(KeyUnavailableError, match=r"not ready: the FieldEncryptor at model\.steps"):
        sealed.load_model(info.model_uri, key=alone)


# --- what changes nothing ---


class Own(Ridge):
    """A class whose code a model brings along."""


HOSTILE = {
    "key": "env:OTHER_KEYS",
    "keys": ["env:OTHER_KEYS"],
    "allow_code": True,
    "trusted_signers": ["any"],
    "trusted_types": ["any"],
    "wrap": True,
    "MODELPRIV_MODEL_ALLOW_CODE": "true",
}


def make_hostile(folder):
    """Write into MLmodel all that a stranger might hope is read."""
    described = yaml.safe_load((folder / "MLmodel").read_text())
    described["flavors"]["modelpriv"] |= HOSTILE
    described["flavors"]["python_function"] |= {"config": HOSTILE}
    described |= HOSTILE | {"metadata": HOSTILE}
    (folder / "MLmodel").write_text(yaml.safe_dump(described))


def test_a_hostile_mlmodel_allows_no_code(store, keyring, tmp_path):
    """Code that a model brings is refused, whatever MLmodel says about it."""
    sealed.save_model(Own(), tmp_path / "own", key=keyring, code="by-value")
    make_hostile(tmp_path / "own")
    for load in (sealed.load_model, mlflow.pyfunc.load_model):
        with pytest.raises(UntrustedError, match="allow_code=True"):
            load(str(tmp_path / "own"))


def test_a_hostile_mlmodel_names_no_key_and_no_signer(store, keyring, unnamed, tmp_path, monkeypatch):
    """Neither a key nor a signer that MLmodel names opens a stranger's model."""
    stranger, author, me = Keyring.generate(), SigningKey.generate(), Identity.generate()
    monkeypatch.setenv("OTHER_KEYS", stranger.export_secret())
    monkeypatch.setitem(HOSTILE, "trusted_signers", [str(author.signer)])
    sealed.save_model(Ridge(), tmp_path / "key", key=stranger)
    sealed.save_model(Ridge(), tmp_path / "signer", recipients=[me.recipient], sign_with=author)
    unnamed()
    for name in ("key", "signer"):
        make_hostile(tmp_path / name)
        for load in (sealed.load_model, mlflow.pyfunc.load_model):
            with pytest.raises(KeyUnavailableError, match="nothing is at hand"):
                load(str(tmp_path / name))
    with pytest.raises(UntrustedError):
        sealed.load_model(str(tmp_path / "signer"), identity=me)


def test_a_stored_configuration_is_not_read(store, model, tmp_path):
    """A configuration changes nothing, and a warning says so, since the caller may have meant it."""
    sealed.save_model(model, tmp_path / "m")
    make_hostile(tmp_path / "m")
    with pytest.warns(SealedFileWarning, match="model_config is not read"):
        loaded = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    assert (loaded.predict(X) == model.predict(X)).all()


def test_the_loader_runs_no_code_of_the_folder(store, model, tmp_path):
    """`load_model` reads the sealed file only: neither the module that MLmodel names nor its folder of code is used."""
    sealed.save_model(model, tmp_path / "m")
    described = yaml.safe_load((tmp_path / "m" / "MLmodel").read_text())
    described["flavors"]["python_function"] |= {"loader_module": "evil_module", "code": "code"}
    described["flavors"]["modelpriv"] |= {"code": "code", "data": "../elsewhere.mpriv"}
    (tmp_path / "m" / "MLmodel").write_text(yaml.safe_dump(described))
    (tmp_path / "m" / "code").mkdir()
    (tmp_path / "m" / "code" / "evil_module.py").write_text("raise SystemExit('run')")
    assert (sealed.load_model(str(tmp_path / "m")).predict(X) == model.predict(X)).all()


def test_an_altered_artifact_is_refused(store, model, tmp_path):
    """One changed byte of the artifact, anywhere in its body, and it is not loaded."""
    sealed.save_model(model, tmp_path / "m")
    data = bytearray((tmp_path / "m" / "model.mpriv").read_bytes())
    data[-100] ^= 1
    (tmp_path / "m" / "model.mpriv").write_bytes(data)
    with pytest.raises(SealedFileError):
        mlflow.pyfunc.load_model(str(tmp_path / "m"))


# --- served ---


def test_the_scoring_server_answers(store, model):
    """MLflow's scoring server predicts with the sealed model, and exposes the methods that predict, and no other."""
    testclient = pytest.importorskip("fastapi.testclient")
    loaded = mlflow.pyfunc.load_model(sealed.log_model(model, "risk").model_uri)
    client = testclient.TestClient(mlflow.pyfunc.scoring_server.init(loaded))
    answer = client.post("/invocations", json={"dataframe_split": json.loads(X.to_json(orient="split", index=False))})
    np.testing.assert_allclose(answer.json()["predictions"], model.predict(X))
    served = loaded._model_impl
    assert hasattr(served, "predict")
    assert not hasattr(served, "coef_")


def test_spark_predicts_in_its_workers(store, model, keyring, monkeypatch, tmp_path):
    """Each worker of Spark loads the sealed file with the environment's key, and predicts what the model does."""
    session = pytest.importorskip("pyspark.sql", reason="install pyspark, and Java 17").SparkSession
    signature = mlflow.models.infer_signature(X, Y)
    info = sealed.log_model(model, "risk", signature=signature)
    variables = {"RISK_KEYS": keyring.export_secret(), "MODELPRIV_MODEL_KEY": "env:RISK_KEYS"}
    variables |= {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    local = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    spark = session.builder.master("local[2]").config(map=local).getOrCreate()
    try:
        predict = mlflow.pyfunc.spark_udf(spark, info.model_uri, env_manager="local", result_type="double")
        answer = spark.createDataFrame(X).repartition(2).withColumn("y", predict("email", "age")).toPandas()
    finally:
        spark.stop()
    np.testing.assert_allclose(answer.sort_values("age")["y"], model.predict(X))


# --- MLflow's own flavor for scikit-learn ---


def test_the_sklearn_flavor_says_which_type_to_trust(store, model, monkeypatch):
    """MLflow's own flavor keeps the wrapper as ciphertext, once the one type that its message names is passed."""
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"untrusted types.*\['modelpriv.EncryptedEstimator'\]"):
        mlflow.sklearn.log_model(model, name="m", pip_requirements=["modelpriv"])
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    trusted = ["modelpriv.EncryptedEstimator"]
    info = mlflow.sklearn.log_model(model, name="m", pip_requirements=["modelpriv"], skops_trusted_types=trusted)
    assert (mlflow.sklearn.load_model(info.model_uri).predict(X) == model.predict(X)).all()
    said = b"".join(files(folder_of(info)).values())
    assert [needle for needle in INSIDE if needle in said] == []


# --- recorded by itself ---


def runs():
    return mlflow.search_runs(output_format="list")


def test_a_fit_is_recorded_as_far_as_it_is_public(store, keyring):
    """With `autolog`, a run has metadata and a score; with readable parameters it has these, too."""
    sealed.autolog()
    EncryptedEstimator(pipeline(keyring), key=keyring, metadata={"stage": "trial", "n": 3}).fit(X, Y)
    (run,) = runs()
    assert (run.data.tags["modelpriv.stage"], run.data.tags["modelpriv.n"]) == ("trial", "3")
    assert run.data.metrics["training_score"] > 0.9
    assert run.data.params == {}
    EncryptedEstimator(Ridge(alpha=ALPHA), key=keyring, scope="parameters").fit(X[["age"]], Y)
    assert runs()[0].data.params["estimator__alpha"] == str(ALPHA)


def test_a_fit_in_a_run_of_the_caller(store, keyring):
    """A run that is active is written to, and stays active; the score can be left out."""
    sealed.autolog(score=False)
    with mlflow.start_run() as run:
        EncryptedEstimator(Ridge(), key=keyring, metadata={"stage": "trial"}).fit(X[["age"]], Y)
        assert mlflow.active_run() is not None
    assert mlflow.get_run(run.info.run_id).data.tags["modelpriv.stage"] == "trial"
    assert mlflow.get_run(run.info.run_id).data.metrics == {}


def test_inner_fits_are_not_recorded(store, keyring):
    """The fits of a search, a pipeline or a block without autologging make no run."""
    sealed.autolog()
    GridSearchCV(EncryptedEstimator(Ridge(), key=keyring), {"estimator__alpha": [1, 2]}, cv=3).fit(X[["age"]], Y)
    make_pipeline(EncryptedEstimator(Ridge(), key=keyring)).fit(X[["age"]], Y)
    with mlflow.utils.autologging_utils.disable_autologging():
        EncryptedEstimator(Ridge(), key=keyring).fit(X[["age"]], Y)
    assert runs() == []
    sealed.autolog(disable=True)
    EncryptedEstimator(Ridge(), key=keyring).fit(X[["age"]], Y)
    assert runs() == []


def test_a_server_that_is_away_loses_no_fit(store, keyring, monkeypatch):
    """Where MLflow fails, the model is fitted, and a warning says so without a value."""
    monkeypatch.setattr(mlflow, "set_tags", lambda tags: 1 / 0)
    sealed.autolog()
    with pytest.warns(UserWarning, match=r"could not record the fit of a model \(ZeroDivisionError\)"):
        fitted = EncryptedEstimator(Ridge(), key=keyring).fit(X[["age"]], Y)
    assert fitted.predict(X[["age"]]).shape == (3,)
