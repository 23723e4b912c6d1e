"""AWS KMS as a key provider: it wraps with a key that never leaves it, under an encryption context."""

from collections.abc import Mapping
from typing import Any, ClassVar

from modelpriv._core import events
from modelpriv._core.optional import need
from modelpriv.errors import KeyUnavailableError
from modelpriv.keys.providers import SecretProvider
from modelpriv.keys.providers.blobs import check_text, own
from modelpriv.keys.text import to_base64

__all__ = ["AWSKMSProvider"]

_REASONS = {
    "AccessDeniedException": "denies permission to these credentials.",
    "DisabledException": "is disabled.",
    "ExpiredTokenException": "denies permission: the session's token has expired.",
    "IncorrectKeyException": "is not the key that wrapped this.",
    "InvalidCiphertextException": "refuses: what it wrapped was altered, or is for another context or file.",
    "InvalidSignatureException": "denies permission: the secret access key is wrong.",
    "KMSInvalidStateException": "is disabled, or waits for its deletion.",
    "NotFoundException": "does not exist.",
    "ThrottlingException": "is asked too often. Try again later.",
    "UnrecognizedClientException": "denies permission: the access key or token is not known.",
}


class AWSKMSProvider(SecretProvider):
    """Wraps a data key with a symmetric key of AWS KMS.

    It protects the data key by the rules of AWS, which also say who may unwrap, and can stop it at any time; the
    context goes along as encryption context, and so into CloudTrail. It leaks the key's id in its blobs, and to AWS
    when what is opened. It does not protect the data key from AWS, in this process once it was unwrapped, nor from
    botocore's own log where that is turned on at level DEBUG, which shows it.

    Credentials and region come from where boto3 finds them. Needs ``pip install 'modelpriv[aws]'``.

    Parameters
    ----------
    key_id : str
        The key's ARN, id or alias. With the ARN, blobs open from another region's configuration too.
    region : str, optional
        The region.
    profile : str, optional
        The profile of the credentials.
    endpoint_url : str, optional
        Where KMS is, if it is not at AWS's own address.
    timeout : float, default=10
        Seconds to wait for a connection, and for an answer.

    Examples
    --------
    >>> AWSKMSProvider("alias/modelpriv", region="eu-central-1")
    <AWSKMSProvider: AWS KMS key 'alias/modelpriv'>
    """

    __slots__ = ("_endpoint", "_key_id", "_profile", "_region", "_timeout")

    type: ClassVar[str] = "aws-kms"

    def __init__(
        self,
        key_id: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        timeout: float = 10,
    ) -> None:
        self._key_id = check_text("key_id", key_id)
        self._region, self._profile, self._endpoint, self._timeout = region, profile, endpoint_url, timeout

    @events.audited_alone
    def wrap(self, data_key: bytes, context: bytes) -> dict[str, Any]:
        """Let KMS wrap a data key, bound to its context.

        Raises
        ------
        KeyUnavailableError
            KMS cannot be reached, or refuses.
        """
        answer = self._ask("encrypt", Plaintext=data_key, EncryptionContext=_context(context))
        return {**self._names(), "wrapped": to_base64(answer["CiphertextBlob"])}

    @events.audited_alone
    def unwrap(self, blob: Mapping[str, Any], context: bytes) -> bytes:
        """Let KMS give the data key back.

        Raises
        ------
        KeyUnavailableError
            KMS cannot be reached, or refuses: the key is another one, the context too, or the blob was altered.
        SealedFileError
            The blob is damaged.
        """
        wrapped = own(blob, self._names(), self.describe())
        answer = self._ask("decrypt", CiphertextBlob=wrapped, EncryptionContext=_context(context))
        return bytes(answer["Plaintext"])

    def describe(self) -> str:
        """Say what this is."""
        return f"AWS KMS key {self._key_id!r}"

    def _names(self) -> dict[str, str]:
        return {"type": self.type, "key_id": self._key_id}

    def _ask(self, call: str, **parameters: Any) -> Any:
        """Call KMS; boto3 repeats what did not arrive or was throttled, for repeating either call changes nothing."""
        boto3, config, errors = (
            need(name, "aws") for name in ("boto3.session", "botocore.config", "botocore.exceptions")
        )
        settings = config.Config(
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            retries={"mode": "standard", "total_max_attempts": 2},
        )
        try:
            session = boto3.Session(profile_name=self._profile, region_name=self._region)
            client = session.client("kms", endpoint_url=self._endpoint, config=settings)
            return getattr(client, call)(KeyId=self._key_id, **parameters)
        except errors.ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            why = _REASONS.get(code, "failed. Look for the request in CloudTrail.")
        except (errors.ConnectTimeoutError, errors.ReadTimeoutError):
            why = f"gave no answer within {self._timeout} s."
        except (errors.EndpointConnectionError, errors.ConnectionError, errors.HTTPClientError):
            why = "cannot be reached."
        except errors.NoCredentialsError:
            why = "needs credentials, and boto3 finds none."
        except errors.BotoCoreError as error:
            why = f"cannot be asked: boto3 is not configured ({type(error).__name__})."
        raise KeyUnavailableError(f"{self.describe()} {why}") from None


def _context(context: bytes) -> dict[str, str]:
    return {"modelpriv": to_base64(context)}
