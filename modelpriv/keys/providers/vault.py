"""HashiCorp Vault and OpenBao as key providers: their transit engine wraps, and its key never leaves the server."""

import base64
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from modelpriv._core import events
from modelpriv._core.optional import need
from modelpriv.errors import KeyUnavailableError, ParameterError
from modelpriv.keys.providers import SecretProvider
from modelpriv.keys.providers.blobs import check_text, give, own
from modelpriv.keys.text import to_base64

__all__ = ["VaultProvider"]

_URL = re.compile(r"https?://[^@/?#\s]+/?")
_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")
_MISSING = "does not exist."
_ALTERED = "refuses: what it wrapped was altered, or is for another context or file."


class VaultProvider(SecretProvider):
    """Wraps a data key with a key of the transit engine of Vault or OpenBao.

    It protects the data key by the server's own access rules, which also say who may unwrap, and can stop it at any
    time; the context goes along as associated data. It leaks mount and key name in its blobs, and to the server when
    what is opened. It does not protect the data key from the server, nor in this process once it was unwrapped.

    The key must be of a type that takes associated data (``aes256-gcm96``, the default, ``aes128-gcm96`` or
    ``chacha20-poly1305``). Needs ``pip install 'modelpriv[vault]'``.

    Parameters
    ----------
    key : str
        The name of the transit key; it must be there.
    url : str, optional
        The server. By default ``VAULT_ADDR``, or ``BAO_ADDR``.
    token : str or callable, optional
        The token, or a function that returns one, called each time. By default ``VAULT_TOKEN``, or ``BAO_TOKEN``.
    mount : str, default="transit"
        Where the engine is mounted.
    namespace : str, optional
        The namespace.
    timeout : float, default=10
        Seconds to wait for an answer.
    verify : bool or str, default=True
        Whether to check the server's certificate, or the path of the authority's.

    Raises
    ------
    ParameterError, ParameterTypeError
        A parameter is not allowed: a URL with a user, password or query in it.

    Examples
    --------
    >>> VaultProvider("modelpriv", url="https://vault.example:8200")
    <VaultProvider: Vault transit key 'modelpriv' on mount 'transit' at https://vault.example:8200>
    """

    __slots__ = ("_key", "_mount", "_namespace", "_timeout", "_token", "_url", "_verify")

    type: ClassVar[str] = "vault-transit"

    def __init__(
        self,
        key: str,
        *,
        url: str | None = None,
        token: str | Callable[[], str] | None = None,
        mount: str = "transit",
        namespace: str | None = None,
        timeout: float = 10,
        verify: bool | str = True,
    ) -> None:
        self._key, self._mount = _name("key", key), _name("mount", mount)
        self._url = check_text("url", url or os.environ.get("VAULT_ADDR") or os.environ.get("BAO_ADDR") or "").rstrip(
            "/"
        )
        if not _URL.fullmatch(self._url):
            raise ParameterError("url must read https://HOST:PORT, without user, password, path or query.")
        self._token, self._namespace, self._timeout, self._verify = token, namespace, timeout, verify

    @events.audited_alone
    def wrap(self, data_key: bytes, context: bytes) -> dict[str, Any]:
        """Let the server wrap a data key, bound to its context.

        Raises
        ------
        KeyUnavailableError
            The server cannot be reached, or refuses.
        """
        given = {"plaintext": _plain(data_key), "associated_data": _plain(context)}
        wrapped = self._ask("encrypt_data", given, lambda answer: answer["ciphertext"].encode())
        return {**self._names(), "wrapped": to_base64(wrapped)}

    @events.audited_alone
    def unwrap(self, blob: Mapping[str, Any], context: bytes) -> bytes:
        """Let the server give the data key back.

        Raises
        ------
        KeyUnavailableError
            The server cannot be reached, or refuses: the key is another one, the context too, or the blob was altered.
        SealedFileError
            The blob is damaged.
        """
        ciphertext = own(blob, self._names(), self.describe()).decode(errors="replace")
        given = {"ciphertext": ciphertext, "associated_data": _plain(context)}
        return self._ask("decrypt_data", given, lambda answer: base64.b64decode(answer["plaintext"], validate=True))

    def describe(self) -> str:
        """Say what this is."""
        return f"Vault transit key {self._key!r} on mount {self._mount!r} at {self._url}"

    def _names(self) -> dict[str, str]:
        return {"type": self.type, "mount": self._mount, "key": self._key}

    def _ask(self, call: str, given: dict[str, str], read: Callable[[Any], bytes]) -> bytes:
        """Call the server; once more if it could not be reached, for repeating either call changes nothing."""
        hvac, requests = need("hvac", "vault"), need("requests", "vault")
        token = self._token or os.environ.get("VAULT_TOKEN") or os.environ.get("BAO_TOKEN") or ""
        client = hvac.Client(
            url=self._url,
            token=give("token (or VAULT_TOKEN)", token),
            namespace=self._namespace,
            timeout=self._timeout,
            verify=self._verify,
            allow_redirects=False,
        )
        for attempt in (1, 2):
            try:
                answer = getattr(client.secrets.transit, call)(self._key, mount_point=self._mount, **given)
                return read(answer["data"])
            except requests.exceptions.Timeout:
                why = f"gave no answer within {self._timeout} s."
                break
            except requests.exceptions.ConnectionError:
                why = "cannot be reached."
                if attempt == 1:
                    continue
            except hvac.exceptions.VaultError as error:
                why = _reason(hvac.exceptions, error)
                break
            except (requests.exceptions.RequestException, ValueError, LookupError, TypeError, AttributeError):
                why = "gave an answer that Vault does not give."
                break
        raise KeyUnavailableError(f"{self.describe()} {why}") from None


def _reason(exceptions: Any, error: Exception) -> str:
    """Say what a refusal means; the server's own words may hold anything, and are not repeated."""
    said = str(error)
    reasons = {
        (exceptions.Forbidden, exceptions.Unauthorized): (
            "denies permission: the token is wrong, has expired, or may not use this key."
        ),
        exceptions.InvalidPath: _MISSING,
        exceptions.VaultDown: "is sealed or down.",
        exceptions.RateLimitExceeded: "is asked too often. Try again later.",
    }
    if isinstance(error, exceptions.InvalidRequest):
        if "key not found" in said or "no existing key" in said:
            return _MISSING
        disabled = "disallowed by policy" in said
        return "has this version of it disabled." if disabled else _ALTERED
    return next(
        (why for kinds, why in reasons.items() if isinstance(error, kinds)),
        "failed, and does not say more. Look into the server's log.",
    )


def _name(name: str, value: object) -> str:
    text = check_text(name, value)
    if not _NAME.fullmatch(text):
        raise ParameterError(f"{name} must hold letters, digits, '.', '_', '-' and '/' only.")
    return text


def _plain(data: bytes) -> str:
    return base64.b64encode(data).decode()
