"""The whole life of a sealed model in MLflow, against its real programs: log, register, serve, rotate, serve again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read when mlflow is imported

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import modelpriv
from modelpriv import EncryptedEstimator, FieldEncryptor, Keyring, key_usage
from modelpriv.integrations import mlflow as sealed

if os.environ.get("MODELPRIV_CI"):
    import mlflow
else:
    mlflow = pytest.importorskip("mlflow", reason="install mlflow-skinny")
pytest.importorskip("sqlalchemy", reason="MLflow's SQLite store needs sqlalchemy and alembic")

pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow's own

ROOT = Path(__file__).parent.parent.parent
PASSPHRASE = "correct horse battery staple"
ALPHA = 0.7310585786300049
MODEL = "models:/risk@champion"
X = pd.DataFrame({"email": ["canary-a@example.org", "canary-b@example.org"] * 10, "age": np.arange(20) + 31.25})
Y = np.sqrt(X["age"].to_numpy())


def pipeline(keys):
    """A model with a keyed step, whose predictions do not depend on the key."""
    protect = make_column_transformer((FieldEncryptor(key=keys), ["email"]), remainder="passthrough")
    return make_pipeline(protect, make_column_transformer(("passthrough", [1])), Ridge(alpha=ALPHA))


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A SQLite store of its own, and the folder of its runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    # By the environment: what `set_experiment` sets outlives the test.
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", mlflow.create_experiment("life", (tmp_path / "runs").as_uri()))
    return tmp_path


@contextlib.contextmanager
def serving(uri, log, **variables):
    """Run ``mlflow models serve`` on a free port of this machine until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        uri,
        "--env-manager",
        "local",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, *command], env=environment | variables, stdout=out, stderr=out, start_new_session=True
        )
        try:
            yield server, f"http://127.0.0.1:{port}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def wait_until_ready(server, url):
    """Return whether the server says that it is ready; False if it ends before."""
    end = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/ping", timeout=5) as answer:  # noqa: S310
            return answer.status == 200
        time.sleep(0.2)
    return False


def predict(url, rows):
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()
    request = urllib.request.Request(f"{url}/invocations", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)["predictions"]


def promote(info):
    mlflow.MlflowClient().set_registered_model_alias("risk", "champion", info.registered_model_version)


def test_the_life_of_a_model(store):
    """A model is logged, registered and served; its keys are rotated in the artifact; it is logged and served again."""
    keys = Keyring.generate()
    keys.save("keys.json", passphrase=PASSPHRASE)
    opens = {"MODELPRIV_MODEL_KEY": f"file:{store}/keys.json", "MODELPRIV_PASSPHRASE": PASSPHRASE}
    model = EncryptedEstimator(pipeline(keys), key=keys).fit(X, Y)
    expected = model.predict(X)
    with mlflow.start_run():
        info = sealed.log_model(model, "risk", registered_model_name="risk")
    promote(info)
    with serving(MODEL, store / "first.log", **opens) as (server, url):
        assert wait_until_ready(server, url), (store / "first.log").read_text()
        np.testing.assert_allclose(predict(url, X), expected)

    # The key is rotated in the artifact, where the registry keeps it; the service starts again without the old key.
    newer = keys.rotate()
    newer.save("keys.json", passphrase=PASSPHRASE)
    folder = next(store.rglob("MLmodel")).parent
    modelpriv.repin(folder, key=newer, sample=X)
    assert set(key_usage(folder)) == {newer.primary}
    alone = newer.retire(keys.primary, check=[folder])
    alone.save("keys.json", passphrase=PASSPHRASE)
    with serving(MODEL, store / "second.log", **opens) as (server, url):
        assert wait_until_ready(server, url), (store / "second.log").read_text()
        np.testing.assert_allclose(predict(url, X), expected)

    # A new version: load, change, log again.
    changed = EncryptedEstimator(sealed.load_model(MODEL, key=alone).estimator_, key=alone).fit(X, Y + 1)
    with mlflow.start_run():
        promote(sealed.log_model(changed, "risk", registered_model_name="risk"))
    with (
        serving(MODEL, store / "third.log", **opens) as (server, url),
        serving(MODEL, store / "no-key.log") as (locked, closed),
    ):
        assert wait_until_ready(server, url), (store / "third.log").read_text()
        np.testing.assert_allclose(predict(url, X), expected + 1)
        assert not wait_until_ready(locked, closed)
    assert "nothing is at hand that opens the model: set MODELPRIV_MODEL_KEY" in (store / "no-key.log").read_text()

    said = b"".join(bytes(path) + path.read_bytes() for path in store.rglob("*") if path.is_file())
    needles = [b"Ridge", str(ALPHA).encode(), b"canary-a@", b"canary-b@", b"FieldEncryptor", PASSPHRASE.encode()]
    needles += [keys.export_secret().encode(), alone.export_secret().encode()]
    assert [needle for needle in needles if needle in said] == []
