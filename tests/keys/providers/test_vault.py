"""Vault and OpenBao: what their faults look like, and that they are over when the fault is."""

import socket
import threading
import traceback
from contextlib import closing

import pandas as pd
import pytest
from chained import carried

from modelpriv import FieldEncryptor, Keyring
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import set_providers
from modelpriv.keys.providers.vault import VaultProvider

DATA_KEY, CONTEXT = bytes(range(32)), b"context"
WHERE = r"Vault transit key '\w+' on mount 'transit' at http://127\.0\.0\.1:\d+"


@pytest.fixture
def provider(openbao):
    """A provider whose server works."""
    return VaultProvider("modelpriv", url=openbao.url, token="root")


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """Take the developer's own servers away."""
    for name in ("VAULT_ADDR", "BAO_ADDR", "VAULT_TOKEN", "BAO_TOKEN", "VAULT_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    yield
    set_providers()


def refusal(provider, blob=None):
    """What a provider says when it refuses; no secret is in it, nor in what it came from."""
    with pytest.raises(KeyUnavailableError) as raised:
        provider.unwrap(blob, CONTEXT) if blob else provider.wrap(DATA_KEY, CONTEXT)
    shown = "".join(traceback.format_exception(raised.value)) + carried(raised.value)
    assert "canary" not in shown
    assert "root" not in str(raised.value)
    return str(raised.value)


@pytest.mark.usefixtures("vault_client")
def test_unreachable():
    """A server that is not there is named, and called that."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert refusal(VaultProvider("modelpriv", url=url, token="canary")).endswith(f"at {url} cannot be reached.")


@pytest.mark.usefixtures("vault_client")
def test_slow():
    """A server that takes a connection and does not answer is given up after the time-out, and not asked again."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        said = refusal(VaultProvider("modelpriv", url=url, token="canary", timeout=0.3))
        assert said.endswith("gave no answer within 0.3 s.")
        server.settimeout(0.1)
        server.accept()[0].close()
        with pytest.raises(TimeoutError):
            server.accept()


def test_reaching_is_tried_twice(provider, monkeypatch):
    """A connection that broke is tried once more, for asking again changes nothing."""
    import requests  # noqa: PLC0415 - not on every machine

    send, tries = requests.adapters.HTTPAdapter.send, []

    def break_once(*given, **more):
        tries.append(1)
        if len(tries) == 1:
            raise requests.exceptions.ConnectionError("canary")
        return send(*given, **more)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", break_once)
    assert provider.unwrap(provider.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY
    assert len(tries) == 3


ANSWERS = [b"canary", b"{}", b"[]", b'{"data":{}}', b'{"data":[]}', b'{"data":{"ciphertext":5}}', b'{"data":"canary"}']


@pytest.mark.usefixtures("vault_client")
@pytest.mark.parametrize(
    "answer", [b"canary\r\n\r\n"] + [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(a), a) for a in ANSWERS]
)
def test_another_server(answer):
    """What is no Vault at all is called that, and its words are not repeated."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve():
            for _ in range(2):
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        said = refusal(VaultProvider("modelpriv", url=url, token="x"))
        assert "gave an answer that Vault does not give" in said or "cannot be reached" in said


@pytest.mark.parametrize("token", ["canary", lambda: "canary"])
def test_permission_denied(openbao, token):
    """A token that is wrong is called that."""
    said = refusal(VaultProvider("modelpriv", url=openbao.url, token=token))
    assert "denies permission" in said


def test_a_policy(openbao, provider):
    """A token that may wrap and not unwrap wraps, and is refused to unwrap."""
    policy = 'path "transit/encrypt/modelpriv" { capabilities = ["update"] }'
    openbao.client.sys.create_or_update_policy("writer", policy)
    token = openbao.client.auth.token.create(policies=["writer"])["auth"]["client_token"]
    writer = VaultProvider("modelpriv", url=openbao.url, token=token)
    blob = writer.wrap(DATA_KEY, CONTEXT)
    assert provider.unwrap(blob, CONTEXT) == DATA_KEY
    assert "denies permission" in refusal(writer, blob)


def test_a_token_that_expires_in_mid_work(openbao, tmp_path):
    """When the token expires, what is open works on; what is opened anew says so, and works with a new token."""
    tokens = []

    def new_token():
        token = openbao.client.auth.token.create(policies=["root"])["auth"]["client_token"]
        tokens.append(token)

    new_token()
    set_providers(VaultProvider("modelpriv", url=openbao.url, token=lambda: tokens[-1]))
    path, table = tmp_path / "keys.json", pd.DataFrame({"email": ["a@b.org"]})
    Keyring.generate().save(path, wrap_with=VaultProvider("modelpriv", url=openbao.url, token="root"))
    step = FieldEncryptor(key=f"file:{path}").fit(table)
    released = step.transform(table)
    openbao.client.auth.token.revoke(tokens[0])
    assert step.inverse_transform(released).equals(table)
    del step
    fresh = FieldEncryptor(key=f"file:{path}")
    with pytest.raises(KeyUnavailableError, match="expired") as raised:
        fresh.inverse_transform(released)
    assert tokens[0] not in str(raised.value)
    new_token()
    assert fresh.inverse_transform(released).equals(table)


def test_a_key_that_is_not_there(openbao):
    """A key that does not exist is not made by the way, and is called missing; a mount too."""
    policy = 'path "transit/*" { capabilities = ["update"] }'
    openbao.client.sys.create_or_update_policy("user", policy)
    token = openbao.client.auth.token.create(policies=["user"])["auth"]["client_token"]
    assert "key 'nowhere'" in refusal(VaultProvider("nowhere", url=openbao.url, token=token))
    assert "does not exist" in refusal(VaultProvider("modelpriv", url=openbao.url, token="root", mount="nowhere"))


def test_a_version_that_was_disabled(openbao):
    """A blob whose version of the key was disabled is called that; one of the newer version opens."""
    provider = VaultProvider("versions", url=openbao.url, token="root")
    old = provider.wrap(DATA_KEY, CONTEXT)
    openbao.client.secrets.transit.rotate_key("versions")
    assert provider.unwrap(old, CONTEXT) == DATA_KEY
    openbao.client.secrets.transit.update_key_configuration("versions", min_decryption_version=2)
    assert "disabled" in refusal(provider, old)
    assert provider.unwrap(provider.wrap(DATA_KEY, CONTEXT), CONTEXT) == DATA_KEY


def test_a_blob_of_another_key_is_not_sent(provider, monkeypatch):
    """A blob that names another key, mount or type is refused before anybody is asked."""
    blob = provider.wrap(DATA_KEY, CONTEXT)
    monkeypatch.setattr(VaultProvider, "_ask", None)
    for name in ("key", "mount", "type"):
        assert f"it has another {name}" in refusal(provider, {**blob, name: "canary"})


def test_killed_in_mid_run(start_openbao, tmp_path):
    """A server that is killed in mid-run gives the documented error, and the same call works when it is back."""
    path, table = tmp_path / "keys.json", pd.DataFrame({"email": ["a@b.org"]})
    with start_openbao() as server:
        server.client.secrets.transit.create_key("modelpriv", exportable=True, allow_plaintext_backup=True)
        backup = server.client.secrets.transit.backup_key("modelpriv")["data"]["backup"]
        provider = VaultProvider("modelpriv", url=server.url, token="root")
        set_providers(provider)
        Keyring.generate().save(path, wrap_with=provider)
        step = FieldEncryptor(key=f"file:{path}").fit(table)
        released = step.transform(table)
        server.process.kill()
        server.process.wait()
        assert step.inverse_transform(released).equals(table)  # the key was unwrapped once, and is kept
        del step
        fresh = FieldEncryptor(key=f"file:{path}")
        with pytest.raises(KeyUnavailableError, match=f"{WHERE} cannot be reached"):
            fresh.inverse_transform(released)
    with start_openbao(server.port) as again:
        again.client.secrets.transit.restore_key(backup)
        assert fresh.inverse_transform(released).equals(table)


def test_a_sealed_server(start_openbao):
    """A server that is sealed is called that."""
    with start_openbao() as server:
        server.client.sys.seal()
        assert "is sealed or down" in refusal(VaultProvider("modelpriv", url=server.url, token="root"))


def test_settings_from_the_environment(openbao, monkeypatch):
    """Address and token come from the environment, by Vault's names or OpenBao's."""
    for vendor in ("VAULT", "BAO"):
        monkeypatch.setenv(f"{vendor}_ADDR", openbao.url)
        monkeypatch.setenv(f"{vendor}_TOKEN", "root")
        assert VaultProvider("modelpriv").wrap(DATA_KEY, CONTEXT)
        monkeypatch.delenv(f"{vendor}_ADDR")
        monkeypatch.delenv(f"{vendor}_TOKEN")
    with pytest.raises(ParameterError, match="token"):
        VaultProvider("modelpriv", url=openbao.url).wrap(DATA_KEY, CONTEXT)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"url": ""}, ParameterError),
        ({"url": "http://user:canary@host"}, ParameterError),
        ({"url": "https://host/?token=canary"}, ParameterError),
        ({"url": "canary"}, ParameterError),
        ({"url": "https://host", "mount": "../canary"}, ParameterError),
        ({"url": "https://host", "mount": 5}, ParameterTypeError),
    ],
)
def test_settings_that_are_refused(given, error):
    """An address with a secret in it, and names that could lead elsewhere, are refused and not shown."""
    with pytest.raises(error) as raised:
        VaultProvider("modelpriv", **given)
    assert "canary" not in str(raised.value)


def test_without_the_extra(monkeypatch):
    """Without the client's package the error says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "hvac", None)
    with pytest.raises(KeyUnavailableError, match=r"pip install 'modelpriv\[vault\]'"):
        VaultProvider("modelpriv", url="https://host", token="x").wrap(DATA_KEY, CONTEXT)
