"""AWS KMS: what its faults look like."""

import logging
import socket
import threading
import traceback
from contextlib import closing, suppress

import pytest
from chained import carried

from modelpriv.errors import KeyUnavailableError, ParameterTypeError
from modelpriv.keys.providers.aws_kms import AWSKMSProvider

DATA_KEY, CONTEXT = bytes(range(32)), b"context"

pytestmark = pytest.mark.usefixtures("aws_credentials")


@pytest.fixture
def make(kms):
    """Makes a provider that asks the server."""
    return lambda key=kms.keys[0], **given: AWSKMSProvider(
        key, **{"endpoint_url": kms.url, "region": "eu-central-1", **given}
    )


def refusal(provider, blob=None):
    with pytest.raises(KeyUnavailableError) as raised:
        provider.unwrap(blob, CONTEXT) if blob else provider.wrap(DATA_KEY, CONTEXT)
    assert "an-example" not in "".join(traceback.format_exception(raised.value)) + carried(raised.value)
    return str(raised.value)


def test_the_encryption_context_is_kms_own(make, kms):
    """What KMS opens by itself needs the context that the provider gave it."""
    from modelpriv.keys.text import from_base64, to_base64  # noqa: PLC0415 - the format

    blob = from_base64(make().wrap(DATA_KEY, CONTEXT)["wrapped"])
    context = {"modelpriv": to_base64(CONTEXT)}
    assert kms.client.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == DATA_KEY
    with pytest.raises(kms.client.exceptions.InvalidCiphertextException):
        kms.client.decrypt(CiphertextBlob=blob)


def test_unreachable(make):
    """A server that is not there is called that."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert "cannot be reached" in refusal(make(endpoint_url=url))


def test_slow(make):
    """A server that does not answer is given up after the time-out."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert "no answer within 0.2 s" in refusal(make(endpoint_url=url, timeout=0.2))


def test_a_key_that_is_not_there(make):
    """A key that does not exist is named, and called that."""
    assert "'00000000-0000-0000-0000-000000000000' does not exist" in refusal(
        make("00000000-0000-0000-0000-000000000000")
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "denies permission"),
        ("ExpiredTokenException", "token has expired"),
        ("UnrecognizedClientException", "not known"),
        ("InvalidSignatureException", "secret access key is wrong"),
        ("NotFoundException", "does not exist"),
        ("InvalidCiphertextException", "altered"),
        ("DisabledException", "is disabled"),
        ("KMSInvalidStateException", "is disabled"),
        ("ThrottlingException", "too often"),
        ("CanaryException", "CloudTrail"),
    ],
)
def test_what_the_stand_in_does_not_do(make, code, words):
    """Each refusal that KMS sends has its words, with the key's id, and the service's own are not repeated."""
    body = b'{"__type":"%b","message":"canary"}' % code.encode()
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n"
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve():
            for _ in range(2):  # what was throttled is asked once more
                with suppress(OSError), server.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(head % len(body) + body)

        threading.Thread(target=serve, daemon=True).start()
        said = refusal(make("an-id", endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}"))
    assert "AWS KMS key 'an-id'" in said
    assert words in said
    assert "canary" not in said.lower()


def test_no_credentials_and_no_region(make, monkeypatch):
    """Without credentials or a region that is what it says."""
    assert "not configured" in refusal(make(region=None))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "credentials" in refusal(make())


def test_nothing_in_the_log(make, caplog):
    """At level INFO no log shows a key or a credential."""
    with caplog.at_level(logging.INFO):
        make().unwrap(make().wrap(DATA_KEY, CONTEXT), CONTEXT)
    assert "an-example" not in caplog.text


@pytest.mark.parametrize("key", [None, 5, b"x"])
def test_a_key_id_is_text(key):
    """A key id that is no text is refused by its type."""
    with pytest.raises(ParameterTypeError, match="key_id"):
        AWSKMSProvider(key)
