"""PKCS#11 as a key provider: an AES key on a token (HSM, smart card, SoftHSM) wraps, and never leaves it."""

import os
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from modelpriv._core import events
from modelpriv._core.optional import need
from modelpriv.errors import KeyUnavailableError, SealedFileError
from modelpriv.keys.derivation import KEY_LENGTH
from modelpriv.keys.providers import SecretProvider
from modelpriv.keys.providers.blobs import check_text, give, own
from modelpriv.keys.text import to_base64

__all__ = ["PKCS11Provider"]

_NONCE, _TAG = 12, 16
_REASONS = {
    "NoSuchToken": "is not there: there is no token with this label.",
    "TokenNotPresent": "is not there: the token was taken out.",
    "DeviceRemoved": "is not there: the device was taken out.",
    "NoSuchKey": "is not there: the token has no AES key with this label.",
    "PinIncorrect": "denies access: the PIN is wrong. Too many wrong ones lock the token.",
    "PinLocked": "denies access: the PIN is locked.",
    "PinExpired": "denies access: the PIN has expired.",
    "PinLenRange": "denies access: the PIN is wrong.",
    "PinInvalid": "denies access: the PIN is wrong.",
    "UserPinNotInitialized": "denies access: the token has no user PIN yet.",
    "MechanismInvalid": "cannot do AES-GCM.",
    "KeyFunctionNotPermitted": "is not allowed to encrypt and decrypt, or was disabled.",
    "FunctionNotSupported": "cannot do AES-GCM.",
}
# What tokens answer when the tag does not fit; SoftHSM2 says only that something went wrong.
_ALTERED = {"GeneralError", "EncryptedDataInvalid", "EncryptedDataLenRange", "FunctionFailed", "DataInvalid"}

_NEW_PIN = "Give the right PIN, in MODELPRIV_PKCS11_PIN or by a new PKCS11Provider(pin=...)."
_WRONG = {"PinIncorrect", "PinLenRange", "PinInvalid"}
# A token knows one login for all of a process, so two calls at once would log each other out.
_login = threading.Lock()


class PKCS11Provider(SecretProvider):
    """Wraps a data key with an AES key on a PKCS#11 token, by AES-GCM with the context as additional data.

    It protects the data key as well as the token keeps its own: make that one sensitive and not extractable, or it is
    refused. It leaks the labels of token and key in its blobs. It does not protect the data key in this process once it
    was unwrapped, and a process that has logged in can unwrap until it ends.

    Needs ``pip install 'modelpriv[pkcs11]'`` and the token's own library.

    Parameters
    ----------
    key : str
        The label of the AES key.
    token : str
        The label of the token.
    module : str, optional
        The path of the token's library, such as ``"/usr/lib/softhsm/libsofthsm2.so"``. By default ``PKCS11_MODULE``.
    pin : str or callable, optional
        The user's PIN, or a function that gives it. By default ``MODELPRIV_PKCS11_PIN``.

    Examples
    --------
    >>> PKCS11Provider("modelpriv", token="hsm", module="/usr/lib/softhsm/libsofthsm2.so")
    <PKCS11Provider: PKCS#11 key 'modelpriv' on token 'hsm'>
    """

    __slots__ = ("_key", "_module", "_pin", "_refused", "_token")

    type: ClassVar[str] = "pkcs11"

    def __init__(
        self, key: str, *, token: str, module: str | None = None, pin: str | Callable[[], str] | None = None
    ) -> None:
        self._key, self._token = check_text("key", key), check_text("token", token)
        self._module = check_text("module (or PKCS11_MODULE)", module or os.environ.get("PKCS11_MODULE") or "")
        self._pin = pin
        self._refused: str | None = None

    @events.audited_alone
    def wrap(self, data_key: bytes, context: bytes) -> dict[str, Any]:
        """Let the token wrap a data key, bound to its context.

        Raises
        ------
        KeyUnavailableError
            The token is not there, or refuses.
        """
        nonce = secrets.token_bytes(_NONCE)
        return {**self._names(), "wrapped": to_base64(nonce + self._ask("encrypt", data_key, nonce, context))}

    @events.audited_alone
    def unwrap(self, blob: Mapping[str, Any], context: bytes) -> bytes:
        """Let the token give the data key back.

        Raises
        ------
        KeyUnavailableError
            The token is not there, or refuses: the context is another one, or the blob was altered.
        SealedFileError
            The blob is damaged.
        """
        wrapped = own(blob, self._names(), self.describe())
        if len(wrapped) != _NONCE + KEY_LENGTH + _TAG:
            raise SealedFileError("the field 'wrapped' is damaged.")
        return self._ask("decrypt", wrapped[_NONCE:], wrapped[:_NONCE], context)

    def describe(self) -> str:
        """Say what this is."""
        return f"PKCS#11 key {self._key!r} on token {self._token!r}"

    def _names(self) -> dict[str, str]:
        return {"type": self.type, "token": self._token, "key": self._key}

    def _ask(self, call: str, data: bytes, nonce: bytes, context: bytes) -> bytes:
        pkcs11, mechanisms = need("pkcs11", "pkcs11"), need("pkcs11.mechanisms", "pkcs11")
        pin = give("pin (or MODELPRIV_PKCS11_PIN)", self._pin or os.environ.get("MODELPRIV_PKCS11_PIN") or "")
        if pin == self._refused:  # a search over a grid would ask ten times, and tokens lock after three wrong PINs
            raise KeyUnavailableError(f"{self.describe()} was not asked again: it refused this PIN before. {_NEW_PIN}")
        parameters = mechanisms.GCMParams(nonce, context, 8 * _TAG)
        try:
            with _login, pkcs11.lib(self._module).get_token(token_label=self._token).open(user_pin=pin) as session:
                key = session.get_key(pkcs11.ObjectClass.SECRET_KEY, pkcs11.KeyType.AES, label=self._key)
                ask: Any = getattr(key, call, None)  # what a key may not do, its object has no method for
                kind = "extractable" if _may_leave(key, pkcs11.Attribute) else "" if ask else "KeyFunctionNotPermitted"
                if not kind:
                    return bytes(ask(data, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=parameters))
        except pkcs11.exceptions.PKCS11Error as error:
            kind = type(error).__name__
            self._refused = pin if kind in _WRONG else None
        except (RuntimeError, OSError):
            kind = "no module"
        raise KeyUnavailableError(f"{self.describe()} {_reason(kind, call, self._module)}") from None


def _may_leave(key: Any, attributes: Any) -> bool:
    return key[attributes.EXTRACTABLE] or not key[attributes.SENSITIVE]


def _reason(kind: str, call: str, module: str) -> str:
    """Say what the name of a token's error means."""
    if kind == "extractable":
        return "can be taken out of its token. Make one that is sensitive and not extractable."
    if kind in ("no module", "PKCS11Error"):  # the base class is what loading raises
        return f"cannot be asked: {module!r} is no PKCS#11 library that can be loaded."
    if call == "decrypt" and kind in _ALTERED:
        return "refuses: what it wrapped was altered, or is for another context or file."
    return _REASONS.get(kind, f"cannot be used: the token says {kind}.")
