"""The trailer of a sealed file: its author's signature over everything in it that never changes.

It is canonical JSON, {"signer": id, "value": base64url}. Signed is enc("modelpriv sealed v2", SHA-256(manifest), digest
of the body). The envelope is not signed, so that `rewrap` keeps the signature.
"""

from hashlib import sha256

from modelpriv._core import events, json
from modelpriv.errors import SealedFileError, UntrustedError
from modelpriv.keys.derivation import enc
from modelpriv.keys.signing import Signer, SigningKey, blank_signature, check_signature, write_signature

_DOMAIN = "modelpriv sealed v2"


def length(key: SigningKey) -> int:
    """Give the length of the trailer: all signatures of a kind have the same."""
    return len(json.dump(blank_signature(key)))


def write(key: SigningKey, manifest: bytes, digest: bytes) -> bytes:
    """Sign a file whose body was written and has this digest."""
    return json.dump(write_signature(key, _message(manifest, digest)))


def check(trailer: bytes, manifest: bytes, digest: bytes, trusted: tuple[Signer, ...]) -> Signer:
    """Check that one of the trusted signers signed what was read, and return that signer.

    Parameters
    ----------
    trailer, manifest : bytes
        As they are stored.
    digest : bytes
        Of the body that was read.
    trusted : tuple of Signer
        The signers who may have signed it.

    Raises
    ------
    UntrustedError
        A stranger signed it.
    SealedFileError
        The signature does not match the file, which was altered.
    """
    try:
        found = json.load(trailer)
    except ValueError:
        found = None
    if found is None or json.dump(found) != trailer:
        raise SealedFileError("the sealed file's trailer cannot be read: it is damaged or was altered.")
    try:
        signer = check_signature(found, _message(manifest, digest), trusted)
    except UntrustedError as error:
        raise UntrustedError(f"the sealed file is not unpickled: {error}") from None
    except SealedFileError as error:
        raise SealedFileError(f"the sealed file is not the one that was signed: {error}") from None
    events.note(signer=signer.id)
    return signer


def _message(manifest: bytes, digest: bytes) -> bytes:
    return enc(_DOMAIN, sha256(manifest).digest(), digest)
