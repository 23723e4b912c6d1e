"""AWS KMS: what its faults look like."""

import logging
import socket
import traceback
from contextlib import closing

import pytest

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
    assert "an-example" not in "".join(traceback.format_exception(raised.value))
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


def test_a_disabled_key(make, kms):
    """A key that waits for its deletion, or that does not exist, is named."""
    blob = make(kms.keys[2]).wrap(DATA_KEY, CONTEXT)
    kms.client.schedule_key_deletion(KeyId=kms.keys[2])
    try:
        make(kms.keys[2]).unwrap(blob, CONTEXT)
    except KeyUnavailableError as error:
        assert "disabled, or waits for its deletion" in str(error)  # noqa: PT017 - the stand-in may let it through
    finally:
        kms.client.cancel_key_deletion(KeyId=kms.keys[2])
    assert "does not exist" in refusal(make("00000000-0000-0000-0000-000000000000"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDeniedException", "denies permission"),
        ("ExpiredTokenException", "token has expired"),
        ("DisabledException", "is disabled"),
        ("KMSInvalidStateException", "is disabled"),
        ("ThrottlingException", "too often"),
        ("CanaryException", "CloudTrail"),
    ],
)
def test_what_the_stand_in_does_not_do(make, monkeypatch, code, words):
    """Each of KMS's refusals has its words, and the service's own are not repeated."""
    import botocore.client  # noqa: PLC0415 - not on every machine
    from botocore.exceptions import ClientError  # noqa: PLC0415

    def refuse(self, operation, parameters):
        raise ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", refuse)
    said = refusal(make())
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
