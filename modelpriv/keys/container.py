"""The file that holds a secret wrapped under a passphrase: keyrings, and later private keys.

It is one line of canonical JSON. A random key seals the secret (AES-SIV); the passphrase wraps that key, bound to the
kind, version and public part of the file; the whole line but the sealed secret is its associated data.
"""

import os
import secrets
import shlex
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from modelpriv import _files, _json
from modelpriv.errors import KeyUnavailableError, SealedFileError
from modelpriv.keys.derivation import KEY_LENGTH, VERSION, enc
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.keys.text import from_base64, to_base64

__all__ = ["open_", "read", "read_public", "seal", "write"]

_FORMAT_VERSION = 1
_LARGEST = 1 << 20
_MODE = 0o600
_FIELDS = {"format", "version", "public", "provider", "sealed"}
_SEAL_KEY = 64


def write(
    path: str | os.PathLike[str], kind: str, public: dict[str, Any], secret: bytes, *, passphrase: str | bytes
) -> None:
    """Write a secret to a file that only its owner can read, whole and durably."""
    content = seal(kind, public, secret, passphrase=passphrase)
    with _files.replacing(path, mode=_MODE, durable=True) as file:
        file.write(content)


def read(path: str | os.PathLike[str], *, private: bool = True) -> bytes:
    """Read the bytes of such a file.

    Parameters
    ----------
    path : path-like
        The file.
    private : bool, default=True
        Whether to refuse it if others than its owner can read or write it.

    Raises
    ------
    KeyUnavailableError
        Others than its owner can read or write it.
    SealedFileError
        It is far too large.
    OSError
        It cannot be read.
    """
    with Path(path).open("rb") as file:
        # Asked of the open file, so that what was looked at is what is read.
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if private and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnavailableError(
                f"{os.fspath(path)!r} can be read or written by others (mode {mode:04o}). Run: "
                f"chmod 600 {shlex.quote(os.fspath(path))}"
            )
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise SealedFileError(f"{os.fspath(path)!r} is no such file: it has more than {_LARGEST} bytes.")
    return content


def read_public(path: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Read what such a file says to everybody; without its secret nobody can tell whether it is true.

    Raises
    ------
    SealedFileError
        It is no such file, cut, or of a later version.
    OSError
        It cannot be read.
    """
    public: dict[str, Any] = _parse(read(path, private=False), kind, os.fspath(path))[0]["public"]
    return public


def seal(kind: str, public: dict[str, Any], secret: bytes, *, passphrase: str | bytes) -> bytes:
    """Give the bytes of a file that holds a secret.

    Parameters
    ----------
    kind : str
        What the secret is: ``"keyring"``.
    public : dict
        What everybody may read, for JSON; it is authenticated.
    secret : bytes
        The secret.
    passphrase : str or bytes
        Wraps it.
    """
    data_key = secrets.token_bytes(KEY_LENGTH)
    provider = passphrases.PassphraseProvider(passphrase).wrap(data_key, _context(kind, public))
    head = {"format": _format(kind), "version": _FORMAT_VERSION, "public": public, "provider": provider}
    sealed = _cipher(data_key).encrypt(secret, [_json.dump(head)])
    return _json.dump(head | {"sealed": to_base64(sealed)}) + b"\n"


def open_(content: bytes, kind: str, *, name: str, passphrase: str | bytes | None) -> tuple[dict[str, Any], bytes]:
    """Give the public part and the secret.

    Parameters
    ----------
    content : bytes
        What `seal` gave.
    kind : str
        What the secret must be.
    name : str
        The file's name, for errors and for whoever is asked for the passphrase.
    passphrase : str, bytes or None
        Opens it; None asks for what the process was configured with.

    Raises
    ------
    SealedFileError
        It is no such file, cut, altered, or of a later version.
    KeyUnavailableError
        The passphrase is wrong or missing.
    """
    head, sealed = _parse(content, kind, name)
    if passphrase is None:
        passphrase = passphrases.configured_passphrase(name)
    provider = passphrases.PassphraseProvider(passphrase)
    try:
        data_key = provider.unwrap(head["provider"], _context(kind, head["public"]))
        return head["public"], _cipher(data_key).decrypt(sealed, [_json.dump(head)])
    except KeyUnavailableError as error:
        raise KeyUnavailableError(f"{name}: {error}") from None
    except InvalidTag:
        raise SealedFileError(f"{name}: the file was altered.") from None


def _parse(content: bytes, kind: str, name: str) -> tuple[dict[str, Any], bytes]:
    """Read the fields and the sealed secret, and check all that can be checked without a key."""
    try:
        head = _json.load(content)
        canonical = isinstance(head, dict) and _json.dump(head) + b"\n" == content
    except ValueError:
        canonical = False
    if not canonical or head.get("format") != _format(kind):
        raise SealedFileError(f"{name} is no {kind} file, or it was cut or altered.")
    version = head.get("version")
    if type(version) is int and version != _FORMAT_VERSION:
        raise SealedFileError(
            f"{name} has format version {version}, and this modelpriv reads {_FORMAT_VERSION}: upgrade modelpriv."
        )
    try:
        return head, _check(head)
    except SealedFileError as error:
        raise SealedFileError(f"{name}: {error}") from None


def _check(head: dict[str, Any]) -> bytes:
    """Check the fields of the file, and take the sealed secret out of them."""
    if head.keys() != _FIELDS or type(head["version"]) is not int or not isinstance(head["public"], dict):
        raise SealedFileError("its fields are not those of such a file.")
    if not isinstance(head["provider"], dict) or head["provider"].get("type") != passphrases.TYPE:
        raise SealedFileError("the provider that wraps its key is not known here.")
    passphrases.check(head["provider"])
    try:
        return from_base64(head.pop("sealed"))
    except (TypeError, ValueError):
        raise SealedFileError("the field 'sealed' is damaged.") from None


def _format(kind: str) -> str:
    return f"modelpriv {kind}"


def _context(kind: str, public: dict[str, Any]) -> bytes:
    """Bind the wrapped key to the kind of file, its version and its public part."""
    manifest = _json.dump({"format": _format(kind), "version": _FORMAT_VERSION, "public": public})
    return enc(VERSION, f"{kind} file", sha256(manifest).digest())


def _cipher(data_key: bytes) -> AESSIV:
    return AESSIV(HKDFExpand(SHA256(), _SEAL_KEY, info=enc(VERSION, "container")).derive(data_key))
