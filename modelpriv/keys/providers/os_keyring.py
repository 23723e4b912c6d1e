"""The system's keyring (Keychain, Secret Service, Credential Locker): where `keyring:SERVICE/USER` reads its text."""

from typing import Any

from modelpriv._core.optional import need
from modelpriv.errors import KeyUnavailableError, ParameterError

__all__ = ["read", "write"]

# By name, for these pretend to keep a secret: in a file of plain text, nowhere, or by failing.
_REFUSED = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")


def read(service: str, user: str) -> str:
    """Return the secret text that the system's keyring holds.

    Raises
    ------
    KeyUnavailableError
        The system has no keyring that keeps a secret, or it is locked, or nothing is there.
    """
    keyring, errors = need("keyring", "keyring"), need("keyring.errors", "keyring")
    backends = _trusted(keyring.get_keyring())
    for backend in backends:
        try:
            found = backend.get_password(service, user)
        except errors.KeyringLocked:
            why = "the system's keyring is locked: unlock it first."
            break
        except Exception as error:  # noqa: BLE001 - each backend raises its own, and any of them may hold the secret
            why = f"the system's keyring cannot be asked ({type(backend).__module__}: {type(error).__name__})."
            break
        if isinstance(found, str):
            return found
    else:
        why = (
            "the system's keyring holds nothing under this service and user; store what export_secret() "
            f"gives: keyring set {service} {user}"
        )
    raise KeyUnavailableError(why) from None


def write(service: str, user: str, text: str) -> None:
    """Store a secret text in the system's keyring, where nothing is yet.

    Raises
    ------
    ParameterError
        Something is there.
    KeyUnavailableError
        The system has no keyring that keeps a secret, or it cannot be asked.
    """
    backend = _trusted(need("keyring", "keyring").get_keyring())[0]
    why = ""
    try:
        if free := backend.get_password(service, user) is None:
            backend.set_password(service, user, text)
    except Exception as error:  # noqa: BLE001 - as above
        why = f"the system's keyring cannot be written ({type(backend).__module__}: {type(error).__name__})."
    if why:
        raise KeyUnavailableError(why)
    if not free:
        raise ParameterError(
            f"the system's keyring holds something under {service}/{user} already, and it is not replaced. Give "
            "another name, or remove the entry first."
        )


def _trusted(backend: Any) -> list[Any]:
    """Return the backends that really keep a secret; a chain of several asks one after the other."""
    chained = getattr(backend, "backends", None)
    backends = list(chained) if type(backend).__module__ == "keyring.backends.chainer" and chained else [backend]
    trusted = [one for one in backends if not type(one).__module__.startswith(_REFUSED)]
    if not trusted:
        names = " and ".join(f"{type(one).__module__}.{type(one).__qualname__}" for one in backends)
        raise KeyUnavailableError(
            f"{names} keeps no secret: it writes plain text, keeps nothing, or fails. Install the system's own keyring "
            "(such as GNOME Keyring or KWallet), or use 'file:PATH'."
        )
    return trusted
