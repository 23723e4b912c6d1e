"""Metrics for Prometheus, from the same events as the audit log."""

from types import TracebackType
from typing import Any, Self

from modelpriv._core import events

__all__ = ["PrometheusExporter"]

_PROTECTS = {"fit_transform", "transform"}
_UNLOCKS = {"load", "open"}


class PrometheusExporter:
    """Counts what is protected, refused and unlocked, by key id, for Prometheus to fetch.

    ========================================  ======================  ===============================================
    metric                                    labels                  counts
    ========================================  ======================  ===============================================
    ``modelpriv_rows_protected_total``        ``subject, key_id``     rows that a transformer gave out protected
    ``modelpriv_columns_protected_total``     ``subject, key_id``     columns, each time that one was protected
    ``modelpriv_unlocks_total``               ``subject, key_id``     keyrings, grants and models that were opened
    ``modelpriv_refusals_total``              ``action, error,        calls that ended in an error; without a key id
                                              key_id``                where no key was at hand
    ``modelpriv_events_total``                ``action, subject``     all of them
    ``modelpriv_predictions_total``           ``method, model,        uses of a model through a `ModelHandle`, by the id
                                              result``                of its file
    ``modelpriv_predicted_rows_total``        ``method, model``       rows in them
    ``modelpriv_predict_duration_seconds``    ``method``              how long each took: a histogram
    ``modelpriv_load_duration_seconds``       ``action``              how long each load or reload took: a histogram
    ``modelpriv_model_reloads_total``         ``result``              new versions: ``"ok"``, or the class of the error
    ``modelpriv_model_info``                  ``model, signer``       1 for the version that answers, else 0
    ``modelpriv_model_loaded_timestamp``      ``model``               when it was opened, in seconds since 1970
    ``modelpriv_drift_largest_psi``                                   of the newest `DriftReport`
    ``modelpriv_drifted_columns``                                     columns in it that drifted
    ========================================  ======================  ===============================================

    With several workers, set ``PROMETHEUS_MULTIPROC_DIR`` before they start, as the client's documentation says:
    counters and histograms then add up, and gauges show the largest value of a live worker.

    It protects nothing; it shows when keys are used more, less or otherwise than usual. It leaks counts and key ids to
    anyone who may fetch metrics, and no names of columns. It does not serve them: use what the application has, or
    `prometheus_client.start_http_server`. Needs ``pip install 'modelpriv[prometheus]'``.

    Parameters
    ----------
    registry : prometheus_client.CollectorRegistry, optional
        Where the counters are registered; by default in the client's own registry.

    Examples
    --------
    >>> from modelpriv import Keyring
    >>> from modelpriv.integrations.prometheus import PrometheusExporter
    >>> with PrometheusExporter():  # doctest: +SKIP
    ...     keys = Keyring.from_uri("env:MODELPRIV_KEYRING")
    """

    def __init__(self, registry: Any = None) -> None:
        from prometheus_client import REGISTRY, Counter  # noqa: PLC0415 - an extra

        registry = REGISTRY if registry is None else registry

        def counter(name: str, words: str, *labels: str) -> Any:
            return Counter(f"modelpriv_{name}", words, labels, registry=registry)

        self._rows = counter("rows_protected", "Rows given out protected.", "subject", "key_id")
        self._columns = counter("columns_protected", "Columns protected, at each call.", "subject", "key_id")
        self._unlocks = counter("unlocks", "Keyrings, grants and models opened.", "subject", "key_id")
        self._refusals = counter("refusals", "Calls that ended in an error.", "action", "error", "key_id")
        self._events = counter("events", "Uses of keys.", "action", "subject")
        self._served = _Served(registry)
        self._listener = events.Listener(self._hear)

    def start(self) -> Self:
        """Count from now on."""
        if not self._listener.attached:
            self._listener.attach()
        return self

    def stop(self) -> None:
        """Count no more."""
        if self._listener.attached:
            self._listener.detach()
            self._served.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _hear(self, facts: dict[str, Any], created: float) -> None:
        action, subject = facts["action"], facts["subject"]
        self._events.labels(action, subject).inc()
        if subject == "ModelHandle":
            self._served.hear(action, facts, created)
        elif action == "drift":
            self._served.drift(facts)
        if facts["result"] != "ok":
            for key_id in facts.get("key_ids") or [""]:
                self._refusals.labels(action, facts["result"], key_id).inc()
            return
        for key_id in facts.get("key_ids", ()):
            if action in _PROTECTS:
                self._rows.labels(subject, key_id).inc(facts.get("rows", 0))
                self._columns.labels(subject, key_id).inc(len(facts.get("columns", ())))
            elif action in _UNLOCKS:
                self._unlocks.labels(subject, key_id).inc()


class _Served:
    """The metrics of served models."""

    def __init__(self, registry: Any) -> None:
        from prometheus_client import Counter, Gauge, Histogram  # noqa: PLC0415 - an extra

        def metric(cls: Any, name: str, words: str, *labels: str, **more: Any) -> Any:
            return cls(f"modelpriv_{name}", words, labels, registry=registry, **more)

        self._predictions = metric(Counter, "predictions", "Uses of a model.", "method", "model", "result")
        self._rows = metric(Counter, "predicted_rows", "Rows in them.", "method", "model")
        self._reloads = metric(Counter, "model_reloads", "New versions.", "result")
        self._predicting = metric(Histogram, "predict_duration_seconds", "Time of a use.", "method", buckets=_FAST)
        self._loading = metric(Histogram, "load_duration_seconds", "Time of a load or reload.", "action")
        self._info = metric(
            Gauge, "model_info", "Which version answers.", "model", "signer", multiprocess_mode="livemax"
        )
        self._loaded = metric(
            Gauge, "model_loaded_timestamp", "When it was opened.", "model", multiprocess_mode="livemax"
        )
        self._largest = metric(Gauge, "drift_largest_psi", "The largest PSI.", multiprocess_mode="livemax")
        self._drifted = metric(Gauge, "drifted_columns", "Columns that drifted.", multiprocess_mode="livemax")
        self._answers: tuple[str, str] | None = None

    def hear(self, action: str, facts: dict[str, Any], created: float) -> None:
        """Count one event of a handle."""
        ok, model = facts["result"] == "ok", facts.get("model", "")
        if action in _LOADS:
            if action == "reload":
                self._reloads.labels(facts["result"]).inc()
            if ok:
                self._loading.labels(action).observe(facts["seconds"])
                self._answer((model, facts.get("signer") or ""), created)
            return
        self._predictions.labels(action, model, facts["result"]).inc()
        if ok:
            self._rows.labels(action, model).inc(facts.get("rows") or 0)
            self._predicting.labels(action).observe(facts["seconds"])

    def close(self) -> None:
        """Say that nothing answers any more: the gauge of a process that ended would stay at 1."""
        if self._answers is not None:
            self._info.labels(*self._answers).set(0)
            self._answers = None

    def drift(self, facts: dict[str, Any]) -> None:
        """Show the newest report of drift."""
        self._largest.set(facts["psi"])
        self._drifted.set(facts["drifted"])

    def _answer(self, version: tuple[str, str], created: float) -> None:
        """Say that another version answers from now on."""
        if self._answers is not None:
            self._info.labels(*self._answers).set(0)
        self._answers = version
        self._info.labels(*version).set(1)
        self._loaded.labels(version[0]).set(created)


_LOADS = {"load", "reload"}
_FAST = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5)  # seconds
