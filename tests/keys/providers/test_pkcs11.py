"""PKCS#11 tokens: what their faults look like, and that the key stays in them."""

import threading
import traceback

import pytest
from chained import carried

from modelpriv.errors import KeyUnavailableError, ParameterError
from modelpriv.keys.providers.pkcs11 import PKCS11Provider

DATA_KEY, CONTEXT = bytes(range(32)), b"context"


@pytest.fixture
def make(softhsm):
    """Makes a provider that asks the token."""
    return lambda key="modelpriv", **given: PKCS11Provider(key, **{**softhsm, **given})


def refusal(provider):
    with pytest.raises(KeyUnavailableError) as raised:
        provider.wrap(DATA_KEY, CONTEXT)
    assert "canary" not in "".join(traceback.format_exception(raised.value)) + carried(raised.value)
    return str(raised.value)


def test_a_wrong_pin(make):
    """A wrong PIN is called that, is not shown, and the right one works after it."""
    assert "the PIN is wrong" in refusal(make(pin="canary-9"))
    assert "the PIN is wrong" in refusal(make(pin=lambda: "canary-9"))
    assert make().wrap(DATA_KEY, CONTEXT)


def test_a_wrong_pin_is_not_tried_again(make, monkeypatch):
    """A PIN that the token refused is not sent again, for tokens lock; another one is."""
    pins = iter(["canary-9", "canary-9", "canary-9"])
    provider = make(pin=lambda: next(pins, "right"))
    assert "the PIN is wrong" in refusal(provider)
    with monkeypatch.context() as patch:
        patch.setattr("pkcs11.lib", None)  # asking it would be another error
        assert "refused this PIN before" in refusal(provider)
        assert "refused this PIN before" in refusal(provider)
    assert "the PIN is wrong" in refusal(provider)


def test_what_is_not_there(make):
    """A token, key or library that is not there is called that."""
    assert "no token with this label" in refusal(make(token="nowhere"))
    assert "no AES key with this label" in refusal(make("nowhere"))
    assert "no PKCS#11 library" in refusal(make(module="/nowhere.so"))


def test_a_key_that_could_leave(make):
    """A key that can be taken out of its token is refused, for it would protect nothing that a file could not."""
    assert "can be taken out" in refusal(make("loose"))


def test_a_disabled_key(make):
    """A key that the token does not let encrypt is called disabled, by its label."""
    assert "'disabled' on token 'modelpriv' is not allowed to encrypt and decrypt, or was disabled" in refusal(
        make("disabled")
    )


def test_threads(make):
    """Threads that ask the token at once do not log each other out."""
    provider, found = make(), []

    def work():
        found.extend(provider.unwrap(provider.wrap(DATA_KEY, CONTEXT), CONTEXT) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [DATA_KEY] * 20


def test_settings_from_the_environment(softhsm, monkeypatch):
    """Library and PIN come from the environment."""
    monkeypatch.setenv("PKCS11_MODULE", softhsm["module"])
    monkeypatch.setenv("MODELPRIV_PKCS11_PIN", softhsm["pin"])
    provider = PKCS11Provider("modelpriv", token="modelpriv")
    assert provider.unwrap(provider.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY
    monkeypatch.delenv("MODELPRIV_PKCS11_PIN")
    with pytest.raises(ParameterError, match="pin"):
        provider.wrap(DATA_KEY, CONTEXT)
    monkeypatch.delenv("PKCS11_MODULE")
    with pytest.raises(ParameterError, match="PKCS11_MODULE"):
        PKCS11Provider("modelpriv", token="modelpriv")


@pytest.mark.parametrize(
    ("kind", "call", "words"),
    [
        ("GeneralError", "decrypt", "altered"),
        ("GeneralError", "encrypt", "the token says GeneralError"),
        ("PinLocked", "decrypt", "PIN is locked"),
        ("PinExpired", "decrypt", "PIN has expired"),
        ("DeviceRemoved", "decrypt", "taken out"),
        ("KeyFunctionNotPermitted", "decrypt", "disabled"),
        ("MechanismInvalid", "encrypt", "AES-GCM"),
    ],
)
def test_what_the_software_token_does_not_do(kind, call, words):
    """Each of a token's refusals has its words."""
    from modelpriv.keys.providers.pkcs11 import _reason  # noqa: PLC0415 - hardware to be had nowhere

    assert words in _reason(kind, call, "/module.so")
