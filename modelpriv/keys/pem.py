"""Keys in PEM: public ones, and private ones that are encrypted. They are read, never written.

The encryption of PEM files derives its key weakly, and with costs that cannot be chosen: `Identity.save` does better.
"""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError
from modelpriv.keys import kem
from modelpriv.keys.providers.passphrase import as_bytes, configured_passphrase

__all__ = ["is_pem", "read_private", "read_public"]


def is_pem(text: str) -> bool:
    """Return whether a text is meant to be PEM."""
    return text.lstrip().startswith("-----BEGIN ")


def read_public(text: str) -> tuple[str, bytes]:
    """Read a public key in PEM: its kind and its bytes.

    Raises
    ------
    ParameterError
        The text holds no public key, or one of a sort that data keys are not wrapped to.
    """
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ParameterError("the PEM text does not hold a public key that can be read.") from None
    return kem.public_bytes(key)


def read_private(content: bytes, name: str, passphrase: str | bytes | None) -> tuple[str, bytes]:
    """Read an encrypted private key in PEM: its kind and its bytes.

    Parameters
    ----------
    content : bytes
        The file's content.
    name : str
        Its name, for errors and for the passphrase callback.
    passphrase : str, bytes or None
        Opens it; None asks for what the process was configured with.

    Raises
    ------
    SealedFileError
        It is not encrypted, or damaged.
    KeyUnavailableError
        The passphrase is wrong or missing.
    ParameterError
        The key is of a sort that data keys are not wrapped to.
    """
    if b"ENCRYPTED" not in content:
        raise SealedFileError(
            f"{name} holds no encrypted private key. Encrypt it first: openssl pkcs8 -topk8 -v2 aes-256-cbc -in ..."
        )
    password = as_bytes(configured_passphrase(name) if passphrase is None else passphrase)
    try:
        key = load_pem_private_key(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyUnavailableError(f"{name}: the passphrase is wrong, or the file is damaged.") from None
    return kem.private_bytes(key)
