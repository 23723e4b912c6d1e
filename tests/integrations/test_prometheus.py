"""The Prometheus exporter counts what the audit log writes down."""

import os

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from modelpriv import FieldEncryptor, Keyring, dumps, loads
from modelpriv._core import events
from modelpriv.errors import DecryptionError, InputError, KeyUnavailableError
from modelpriv.keys import Identity, SigningKey

if os.environ.get("MODELPRIV_CI"):
    import prometheus_client
else:
    prometheus_client = pytest.importorskip("prometheus_client", reason="install prometheus-client")

from modelpriv.integrations.prometheus import PrometheusExporter

TABLE = pd.DataFrame({"email": ["canary@example.org", None], "phone": ["1", "2"]})


@pytest.fixture
def registry():
    """A registry of its own for each test."""
    return prometheus_client.CollectorRegistry()


def value(registry, name, **labels):
    return registry.get_sample_value(f"modelpriv_{name}_total", labels)


def test_what_is_protected(keyring, registry):
    """Rows and columns are counted by key id, at each call."""
    with PrometheusExporter(registry):
        step = FieldEncryptor(key=keyring).fit(TABLE)
        step.inverse_transform(step.transform(TABLE))
        step.transform(TABLE)
    labels = {"subject": "FieldEncryptor", "key_id": keyring.primary}
    assert value(registry, "rows_protected", **labels) == 4
    assert value(registry, "columns_protected", **labels) == 4
    assert value(registry, "events", action="inverse_transform", subject="FieldEncryptor") == 1


def test_what_is_refused(keyring, registry):
    """Refusals are counted by what was done, the error's class and the key, where one was at hand."""
    sealed = dumps(Ridge(), key=keyring)
    foreign = FieldEncryptor(key=Keyring.generate()).fit_transform(TABLE)
    with PrometheusExporter(registry):
        for table in (TABLE, foreign):
            with pytest.raises(DecryptionError):
                FieldEncryptor(key=keyring).inverse_transform(table)
        with pytest.raises(InputError):
            FieldEncryptor(key=keyring, columns=["email"]).fit(TABLE[["email"]]).transform(
                TABLE[["email"]].assign(email=1)
            )
        with pytest.raises(KeyUnavailableError):
            loads(sealed, key=Keyring.generate())
    assert value(registry, "refusals", action="inverse_transform", error="DecryptionError", key_id="") == 2
    assert value(registry, "refusals", action="load", error="KeyUnavailableError", key_id="") == 1
    assert value(registry, "refusals", action="transform", error="InputError", key_id=keyring.primary) == 1


def test_what_is_unlocked(keyring, registry, monkeypatch):
    """Models, keyrings and grants that were opened are counted by key id."""
    ada, signing_key = Identity.generate("x25519"), SigningKey.generate()
    granted = keyring.grant(["email"], recipient=ada.recipient, sign_with=signing_key)
    monkeypatch.setenv("MODELPRIV_KEYRING", Keyring.generate().export_secret())
    with PrometheusExporter(registry):
        loads(dumps(Ridge(), key=keyring), key=keyring)
        other = Keyring.from_uri("env:MODELPRIV_KEYRING")
        granted.open(identity=ada, trusted_signers=[signing_key.signer])
    assert value(registry, "unlocks", subject="model", key_id=keyring.primary) == 1
    assert value(registry, "unlocks", subject="Keyring", key_id=other.primary) == 1
    assert value(registry, "unlocks", subject="Grant", key_id=keyring.primary) == 1


def test_nothing_is_shown(keyring, registry):
    """The metrics hold no cell, no column and no key."""
    with PrometheusExporter(registry):
        FieldEncryptor(key=keyring).fit_transform(TABLE)
    shown = prometheus_client.generate_latest(registry).decode()
    assert keyring.primary in shown
    assert not [word for word in ("canary", "email", keyring.export_secret()[30:60]) if word in shown]


def test_it_counts_while_it_is_started(keyring, registry):
    """Before and after it nothing is counted, and the events are off again."""
    exporter = PrometheusExporter(registry).start().start()
    exporter.stop()
    exporter.stop()
    FieldEncryptor(key=keyring).fit(TABLE)
    assert value(registry, "events", action="fit", subject="FieldEncryptor") is None
    assert not events.recording()
