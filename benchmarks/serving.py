"""ModelHandle on one row against the bare model: the cost of a served prediction, with audit log and metrics."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry
from sklearn.linear_model import Ridge

import modelpriv
from benchmarks.harness import Contestant, Race, Row
from modelpriv import AuditLog, Keyring
from modelpriv.integrations.prometheus import PrometheusExporter
from modelpriv.serving import DriftMonitor, ModelHandle

CALLS = 2_000
KEYS = Keyring.generate()
STACK = ExitStack()  # what is started stays so for the whole benchmark
FOLDER = Path(STACK.enter_context(tempfile.TemporaryDirectory()))


def handle() -> tuple[ModelHandle, Ridge, np.ndarray]:
    rng = np.random.default_rng(0)
    model = Ridge().fit(rng.random((1000, 10)), rng.random(1000))
    modelpriv.dump(model, FOLDER / "model.mpriv", key=KEYS)
    return ModelHandle(FOLDER / "model.mpriv", key=KEYS), model, rng.random((1, 10))


def repeated(call: object) -> object:
    return lambda: [call() for _ in range(CALLS)]


def plain() -> Race:
    served, model, X = handle()
    return Race(
        Contestant(repeated(lambda: served.predict(X)), CALLS), Contestant(repeated(lambda: model.predict(X)), CALLS)
    )


def recorded() -> Race:
    served, model, X = handle()
    log = AuditLog(FOLDER / "audit.jsonl", key=KEYS)
    exporter = PrometheusExporter(CollectorRegistry())

    def ours() -> None:
        with log, exporter:
            for _ in range(CALLS):
                served.predict(X)

    return Race(Contestant(ours, CALLS), Contestant(repeated(lambda: model.predict(X)), CALLS))


def drift() -> Race:
    import pandas as pd  # noqa: PLC0415 - only this row needs it

    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"n{i}": rng.normal(size=100_000) for i in range(8)})
    table = table.assign(city=rng.choice([f"city {i}" for i in range(200)], 100_000))
    monitor = DriftMonitor(key=KEYS).fit(table)
    return Race(
        Contestant(lambda: monitor.observe(table), 100_000),
        Contestant(lambda: [table[name].value_counts() for name in table], 100_000),
    )


ROWS = (
    Row("predict one row, nothing recorded", plain, peer="the bare Ridge", unit="call"),
    Row("predict one row, audit log and metrics", recorded, peer="the bare Ridge", unit="call"),
    Row("DriftMonitor.observe, 9 columns", drift, peer="value_counts of each", unit="row"),
)
