"""The OpenTelemetry exporter measures what the audit log writes down."""

import os

import pytest
from sklearn.linear_model import Ridge

import modelpriv
from modelpriv.serving import ModelHandle

if os.environ.get("MODELPRIV_CI"):
    from opentelemetry.sdk import metrics
    from opentelemetry.sdk.metrics import export
else:
    metrics = pytest.importorskip("opentelemetry.sdk.metrics", reason="install opentelemetry-sdk")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export", reason="install opentelemetry-sdk")

from modelpriv.integrations.opentelemetry import OpenTelemetryExporter


def test_a_served_model(keyring, tmp_path):
    """Uses, rows, times and failures come out by method and file id, with no name of a column, user or path."""
    reader = export.InMemoryMetricReader()
    modelpriv.dump(Ridge().fit([[1.0], [2.0]], [1, 2]), tmp_path / "canary", key=keyring)
    with (
        OpenTelemetryExporter(metrics.MeterProvider([reader])),
        ModelHandle(tmp_path / "canary", key=keyring, every=0) as handle,
    ):
        handle.predict([[1.0], [2.0]])
        with pytest.raises(ValueError, match="features"):
            handle.predict([[1.0, 2.0]])
        model = handle.status().file_id
    data = reader.get_metrics_data()
    found = {
        (metric.name, tuple(sorted(point.attributes.items()))): point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    use = (("method", "predict"), ("model", model))
    assert found["modelpriv.predictions", use].value == 1
    assert found["modelpriv.predictions", (("error.type", "ValueError"), *use)].value == 1
    assert found["modelpriv.predicted_rows", use].value == 2
    assert found["modelpriv.predict.duration", (("method", "predict"),)].count == 1
    assert found["modelpriv.load.duration", (("action", "load"),)].count == 1
    assert "canary" not in data.to_json()


def test_it_stops(keyring):
    """After stop nothing is measured, and stopping twice does no harm."""
    reader = export.InMemoryMetricReader()
    exporter = OpenTelemetryExporter(metrics.MeterProvider([reader])).start().start()
    exporter.stop()
    exporter.stop()
    keyring.rotate()
    assert reader.get_metrics_data() is None
