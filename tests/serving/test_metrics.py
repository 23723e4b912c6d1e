"""A served model is counted: uses, rows, times, new versions, and which version answers."""

import os

import pytest
from sklearn.linear_model import Ridge

import modelpriv
from modelpriv.errors import SealedFileError
from modelpriv.serving import ModelHandle

if os.environ.get("MODELPRIV_CI"):
    import prometheus_client
else:
    prometheus_client = pytest.importorskip("prometheus_client", reason="install prometheus-client")

from modelpriv.integrations.prometheus import PrometheusExporter


def test_a_life_in_metrics(keyring, tmp_path):
    """Load, use, a failed use, a new version and a bad one are told apart."""
    path, registry = tmp_path / "model", prometheus_client.CollectorRegistry()

    def value(name, **labels):
        return registry.get_sample_value(f"modelpriv_{name}", labels)

    modelpriv.dump(Ridge().fit([[1.0], [2.0]], [1, 2]), path, key=keyring)
    with PrometheusExporter(registry), ModelHandle(path, key=keyring, every=0) as handle:
        first = handle.status().file_id
        handle.predict([[1.0], [2.0]])
        with pytest.raises(ValueError, match="features"):
            handle.predict([[1.0, 2.0]])
        modelpriv.dump(Ridge().fit([[1.0], [2.0]], [1, 2]), path, key=keyring)
        handle.reload()
        second = handle.status().file_id
        assert value("model_info", model=second, signer="") == 1
        path.write_text("nothing")
        with pytest.raises(SealedFileError):
            handle.reload()
    assert value("predictions_total", method="predict", model=first, result="ok") == 1
    assert value("predictions_total", method="predict", model=first, result="ValueError") == 1
    assert value("predicted_rows_total", method="predict", model=first) == 2
    assert value("predict_duration_seconds_count", method="predict") == 1
    assert value("model_reloads_total", result="ok") == 1
    assert value("model_reloads_total", result="SealedFileError") == 1
    assert value("model_info", model=first, signer="") == 0
    assert value("model_info", model=second, signer="") == 0
    assert value("model_loaded_timestamp", model=second) > value("model_loaded_timestamp", model=first)
    assert value("load_duration_seconds_count", action="load") == 1
