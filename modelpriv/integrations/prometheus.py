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
    ========================================  ======================  ===============================================

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

        def counter(name: str, words: str, *labels: str) -> Any:
            return Counter(f"modelpriv_{name}", words, labels, registry=REGISTRY if registry is None else registry)

        self._rows = counter("rows_protected", "Rows given out protected.", "subject", "key_id")
        self._columns = counter("columns_protected", "Columns protected, at each call.", "subject", "key_id")
        self._unlocks = counter("unlocks", "Keyrings, grants and models opened.", "subject", "key_id")
        self._refusals = counter("refusals", "Calls that ended in an error.", "action", "error", "key_id")
        self._events = counter("events", "Uses of keys.", "action", "subject")
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

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _hear(self, facts: dict[str, Any], created: float) -> None:  # noqa: ARG002 - Prometheus has its own clock
        action, subject = facts["action"], facts["subject"]
        self._events.labels(action, subject).inc()
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
