"""The documentation's FastAPI service with two workers: under load, a rotation and a bad version fail no request."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import modelpriv
from modelpriv import FieldEncryptor, Keyring

ROOT = Path(modelpriv.__file__).parent.parent
ROWS = [{"id": "canary-a", "v": 1.0}, {"id": "canary-b", "v": 2.0}]

if not os.environ.get("MODELPRIV_CI"):
    for package in ("fastapi", "uvicorn", "prometheus_client"):
        pytest.importorskip(package, reason=f"install {package}")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the service is stopped by a signal")


def trained(key, slope):
    """A model that carries a keyed step, and whose predictions tell its version."""
    X = pd.DataFrame({"id": ["a", "b", "c"], "v": [1.0, 2.0, 3.0]})
    protect = make_column_transformer((FieldEncryptor("deterministic", key=key), ["id"]), remainder="passthrough")
    numbers = make_column_transformer(("passthrough", [1]))
    return make_pipeline(protect, numbers, Ridge(alpha=1e-9)).fit(X, X["v"] * slope)


class Service:
    """The running service, and what its clients saw."""

    def __init__(self, folder, secret):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "metrics").mkdir()
        (folder / "logs").mkdir()
        environment = os.environ | {
            "MODELPRIV_KEYRING": secret,
            "MODEL": str(folder / "model.mpriv"),
            "AUDIT": str(folder / "logs"),
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "PYTHONPATH": os.pathsep.join([str(ROOT / "docs" / "examples" / "service"), str(ROOT)]),
        }
        command = [sys.executable, "-m", "uvicorn", "fastapi_service:app", "--workers", "2", "--port", str(self.port)]
        self.output = (folder / "output").open("wb")
        self.process = subprocess.Popen(command, env=environment, stdout=self.output, stderr=subprocess.STDOUT)
        self.answers, self.failures, self.stop = [], [], threading.Event()

    def get(self, path, body=None):
        """Send one request over a connection of its own, so that both workers get some."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-User": "ada@example.org", "Connection": "close"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - on loopback
            return answer.read().decode()

    def workers(self):
        """The health of each worker that answers, by its process."""
        found = {}
        for _ in range(40):
            try:
                health = json.loads(self.get("/health"))
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.25)
                continue
            found[health["pid"]] = health
        return found

    def ask(self):
        """Ask for predictions until the end."""
        while not self.stop.is_set():
            try:
                self.answers.append(round(json.loads(self.get("/predict", ROWS))[1]))
            except Exception as error:  # noqa: BLE001 - any failure counts
                self.failures.append(error)

    def until(self, true):
        """Wait until something is true of both workers."""
        for _ in range(240):
            found = self.workers()
            if len(found) == 2 and all(true(health) for health in found.values()):
                return found
            time.sleep(0.1)
        raise AssertionError(f"the workers say {found}")

    def close(self):
        """Stop the clients and the service."""
        self.stop.set()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.output.close()


@pytest.mark.slow
def test_a_rotation_and_a_bad_deployment_under_load(tmp_path):
    """No request fails while the key rotates, the steps move, a bad version comes and goes, and a good one follows."""
    keys = Keyring.generate()
    newer = keys.rotate()
    path = tmp_path / "model.mpriv"
    modelpriv.dump(trained(keys, 1), path, key=keys)
    service = Service(tmp_path, newer.export_secret())
    try:
        first = service.until(lambda health: health["ready"])
        clients = [threading.Thread(target=service.ask) for _ in range(2)]
        for client in clients:
            client.start()

        sample = pd.DataFrame(ROWS)
        modelpriv.repin(path, key=newer, sample=sample)
        assert set(modelpriv.key_usage(path)) == {newer.primary}
        old_ids = {health["file_id"] for health in first.values()}
        service.until(lambda health: health["file_id"] not in old_ids)
        newer.retire(keys.primary, check=[path])

        good = path.read_bytes()
        path.write_bytes(good[: len(good) // 2])
        service.until(lambda health: health["ready"] and health["error"])
        modelpriv.dump(trained(newer, 10), path, key=newer)
        service.until(lambda health: health["error"] is None and health["reloads"] >= 2)
        time.sleep(0.5)
        metrics = service.get("/metrics")
    finally:
        service.close()
        for client in clients:
            client.join()
    assert service.failures == []
    assert set(service.answers) == {2, 20}
    assert service.answers[-1] == 20
    counted = re.findall(r'modelpriv_predictions_total\{[^}]*result="ok"\} ([\d.]+)', metrics)
    assert abs(sum(map(float, counted)) - len(service.answers)) <= 20
    events = [json.loads(line) for log in (tmp_path / "logs").glob("*.jsonl") for line in log.read_text().splitlines()]
    used = [event for event in events if event["action"] == "predict"]
    assert len(used) == len(service.answers)
    assert {event["who"] for event in used} == {"ada@example.org"}
    for log in (tmp_path / "logs").glob("*.jsonl"):
        modelpriv.audit.verify(log, key=newer)
    everything = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"canary" not in everything
