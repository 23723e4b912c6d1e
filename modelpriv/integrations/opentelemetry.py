"""Metrics for OpenTelemetry, from the same events as the audit log; needs the API package only."""

from types import TracebackType
from typing import Any, Self

from modelpriv._core import events
from modelpriv._core.optional import need
from modelpriv.errors import ParameterError

__all__ = ["OpenTelemetryExporter"]


class OpenTelemetryExporter:
    """Counts and times the use of models and keys, for whatever OpenTelemetry SDK the program has set up.

    ==============================  =====  =================================================  =======================
    instrument                      unit   attributes                                         measures
    ==============================  =====  =================================================  =======================
    ``modelpriv.predictions``       1      ``method``, ``model``, ``error.type`` if it failed uses through `ModelHandle`
    ``modelpriv.predicted_rows``    1      ``method``, ``model``                              rows in them
    ``modelpriv.predict.duration``  s      ``method``                                         a histogram
    ``modelpriv.load.duration``     s      ``action``                                         a histogram
    ``modelpriv.model.reloads``     1      ``error.type`` if it failed                        new versions
    ``modelpriv.events``            1      ``action``, ``error.type`` if it failed            all uses of keys
    ==============================  =====  =================================================  =======================

    It protects nothing; it shows when models are used more, less or otherwise than usual. It leaks counts and ids of
    files, and no names of columns, users or paths. Without an SDK it measures nothing. Needs
    ``pip install 'modelpriv[opentelemetry]'``.

    Parameters
    ----------
    meter_provider : opentelemetry.metrics.MeterProvider, optional
        By default the provider that the program has set.

    Examples
    --------
    >>> from modelpriv.integrations.opentelemetry import OpenTelemetryExporter
    >>> from modelpriv.serving import ModelHandle
    >>> with OpenTelemetryExporter():  # doctest: +SKIP
    ...     handle = ModelHandle("model.mpriv", key="env:MODELPRIV_KEYRING")
    """

    def __init__(self, meter_provider: Any = None) -> None:
        metrics: Any = need("opentelemetry.metrics", "opentelemetry", error=ParameterError)
        meter = metrics.get_meter("modelpriv", meter_provider=meter_provider)
        self._predictions = meter.create_counter("modelpriv.predictions", "1", "Uses of a model.")
        self._rows = meter.create_counter("modelpriv.predicted_rows", "1", "Rows in them.")
        self._predicting = meter.create_histogram("modelpriv.predict.duration", "s", "Time of a use.")
        self._loading = meter.create_histogram("modelpriv.load.duration", "s", "Time of a load or reload.")
        self._reloads = meter.create_counter("modelpriv.model.reloads", "1", "New versions.")
        self._events = meter.create_counter("modelpriv.events", "1", "Uses of keys.")
        self._listener = events.Listener(self._hear)

    def start(self) -> Self:
        """Measure from now on."""
        if not self._listener.attached:
            self._listener.attach()
        return self

    def stop(self) -> None:
        """Measure no more."""
        if self._listener.attached:
            self._listener.detach()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _hear(self, facts: dict[str, Any], created: float) -> None:  # noqa: ARG002 - OpenTelemetry has its own clock
        action, failed = facts["action"], {} if facts["result"] == "ok" else {"error.type": facts["result"]}
        self._events.add(1, {"action": action} | failed)
        if facts["subject"] != "ModelHandle":
            return
        if action in {"load", "reload"}:
            if action == "reload":
                self._reloads.add(1, failed)
            if not failed:
                self._loading.record(facts["seconds"], {"action": action})
            return
        about = {"method": action, "model": facts.get("model", "")}
        self._predictions.add(1, about | failed)
        if not failed:
            self._rows.add(facts.get("rows") or 0, about)
            self._predicting.record(facts["seconds"], {"method": action})
