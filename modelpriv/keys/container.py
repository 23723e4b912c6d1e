"""The file that holds a secret wrapped by a passphrase or another provider: keyrings and private keys.

It is one line of canonical JSON. A random key seals the secret (AES-SIV); the provider wraps that key, bound to the
kind, version and public part of the file; the whole line but the sealed secret is its associated data.
"""

import os
import re
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

from modelpriv._core import files, json, magic
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError
from modelpriv.keys.derivation import KEY_LENGTH, VERSION, enc
from modelpriv.keys.providers import KeyProvider, check_provider, configured_providers
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.keys.text import from_base64, to_base64

__all__ = ["choose_provider", "open_", "read", "read_public", "seal", "write"]

_FORMAT_VERSION = 1
_LARGEST = 1 << 20
_MODE = 0o600
_KINDS = ("keyring", "identity", "signing key", "grant")
_FIELDS = {"format", "version", "public", "provider", "sealed"}
_SEAL_KEY = 64
_KEY_ID = re.compile("[0-9a-f]{8}")


def write(
    path: str | os.PathLike[str], kind: str, public: dict[str, Any], secret: bytes, *, provider: KeyProvider
) -> None:
    """Write a secret to a file that only its owner can read, whole and durably."""
    content = seal(kind, public, secret, provider=provider)
    with files.replacing(path, mode=_MODE, durable=True) as file:
        file.write(content)


def choose_provider(passphrase: str | bytes | None, wrap_with: object) -> KeyProvider:
    """Return what a new file is wrapped by: a passphrase or a provider, and not both.

    Raises
    ------
    ParameterError, ParameterTypeError
        There is neither, or both, or one has another type.
    """
    if (passphrase is None) == (wrap_with is None):
        raise ParameterError("the file is wrapped by one of two: give passphrase=, or wrap_with= a provider.")
    return passphrases.PassphraseProvider(passphrase) if passphrase is not None else check_provider(wrap_with)


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
        It is a sealed model, or far too large.
    OSError
        It cannot be read.
    """
    with Path(path).open("rb") as file:
        # Asked of the open file, so that what was looked at is what is read.
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        content = file.read(_LARGEST + 1)
        if content.startswith(magic.SEALED.begins):  # its permissions are its own affair
            raise SealedFileError(
                f"{os.fspath(path)!r} is a sealed model and holds no key: open it with modelpriv.load(path, key=...)."
            )
        if private and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnavailableError(
                f"{os.fspath(path)!r} can be read or written by others (mode {mode:04o}). Run: "
                f"chmod 600 {shlex.quote(os.fspath(path))}"
            )
    if len(content) > _LARGEST:
        raise SealedFileError(f"{os.fspath(path)!r} is no such file: it has more than {_LARGEST} bytes.")
    return content


def read_public(path: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Read the public part of such a file. Without the secret, no one can tell whether it is true.

    Raises
    ------
    SealedFileError
        It is no such file, cut, or of a later version.
    OSError
        It cannot be read.
    """
    public: dict[str, Any] = _parse(read(path, private=False), kind, os.fspath(path))[0]["public"]
    return public


def check_kind(path: str | os.PathLike[str], kind: magic.FileType) -> bool:
    """Refuse to write over a file of another kind, and return whether there is one of this kind.

    Raises
    ------
    ParameterError
        The file has content of another kind.
    """
    try:
        with Path(path).open("rb") as file:
            begins = file.read(64)
    except OSError:  # it does not exist, or writing will say what is wrong
        return False
    found = magic.identify(begins)
    if begins and found != kind:
        what = "of another kind" if found is None else f"of the kind {found.name!r}"
        raise ParameterError(
            f"{os.fspath(path)!r} is a file {what}, and not of the kind {kind.name!r}, so it is not replaced: give "
            "another path."
        )
    return bool(begins)


def seal(kind: str, public: dict[str, Any], secret: bytes, *, provider: KeyProvider) -> bytes:
    """Return the bytes of a file that holds a secret.

    Parameters
    ----------
    kind : str
        What the secret is: ``"keyring"``.
    public : dict
        What anyone may read, for JSON. It is authenticated.
    secret : bytes
        The secret.
    provider : KeyProvider
        Wraps it.
    """
    data_key = secrets.token_bytes(KEY_LENGTH)
    blob = provider.wrap(data_key, _context(kind, public))
    head = {"format": _format(kind), "version": _FORMAT_VERSION, "public": public, "provider": blob}
    sealed = _cipher(data_key).encrypt(secret, [json.dump(head)])
    return json.dump(head | {"sealed": to_base64(sealed)}) + b"\n"


def open_(
    content: bytes,
    kind: str,
    *,
    name: str,
    passphrase: str | bytes | None = None,
    provider: KeyProvider | None = None,
) -> tuple[dict[str, Any], bytes]:
    """Return the public part and the secret.

    Parameters
    ----------
    content : bytes
        What `seal` gave.
    kind : str
        What the secret must be.
    name : str
        The file's name, for errors and for the passphrase callback.
    passphrase : str or bytes, optional
        Opens it.
    provider : KeyProvider, optional
        Opens it. With neither, what the process was configured with does; what the file itself names is never asked.

    Raises
    ------
    SealedFileError
        It is no such file, cut, altered, or of a later version.
    KeyUnavailableError
        The passphrase is wrong or missing, or the provider is not configured, cannot be reached or refuses.
    """
    head, sealed = _parse(content, kind, name)
    candidates = [provider] if provider is not None else _candidates(head["provider"], name, passphrase)
    context = _context(kind, head["public"])
    try:
        data_key = _unwrap(candidates, head["provider"], context)
        return head["public"], _cipher(data_key).decrypt(sealed, [json.dump(head)])
    except KeyUnavailableError as error:
        raise KeyUnavailableError(f"{name}{_shown_ids(head['public'])}: {error}") from None
    except SealedFileError as error:
        raise SealedFileError(f"{name}: {error}") from None
    except InvalidTag:
        raise SealedFileError(f"{name}: the file was altered.") from None


def _candidates(blob: dict[str, Any], name: str, passphrase: str | bytes | None) -> list[KeyProvider]:
    """Return the providers that may open what a file says is wrapped so."""
    if blob["type"] == passphrases.TYPE:
        given = passphrases.configured_passphrase(name) if passphrase is None else passphrase
        return [passphrases.PassphraseProvider(given)]
    shown = ", ".join(f"{field} {value!r:.80}" for field, value in sorted(blob.items()) if field != "wrapped")
    if passphrase is not None:
        raise KeyUnavailableError(f"{name} opens with no passphrase: it is wrapped by a provider ({shown}).")
    if not (found := configured_providers(blob["type"])):
        raise KeyUnavailableError(
            f"{name} is wrapped by a provider ({shown}), which this process is not configured to ask. If that is "
            "yours, configure it: modelpriv.keys.set_providers(...), or Keyring.load(path, provider=...)."
        )
    return found


def _shown_ids(public: dict[str, Any]) -> str:
    """Show the ids of the keys that a file says it has; it may say anything."""
    found = public.get("key_ids")
    ids = [one for one in found if _KEY_ID.fullmatch(str(one))] if isinstance(found, list) else []
    return f" (key ids {', '.join(ids)})" if ids else ""


def _unwrap(candidates: list[KeyProvider], blob: dict[str, Any], context: bytes) -> bytes:
    """Let the first provider that can unwrap a data key; raise the last one's refusal."""
    for number, provider in enumerate(candidates, 1):
        try:
            data_key = provider.unwrap(blob, context)
        except KeyUnavailableError:
            if number == len(candidates):
                raise
            continue
        if len(data_key) == KEY_LENGTH:
            return data_key
    raise KeyUnavailableError("what the provider gave is no key of ours.")


def _parse(content: bytes, kind: str, name: str) -> tuple[dict[str, Any], bytes]:
    """Read the fields and the sealed secret, and check all that can be checked without a key."""
    try:
        head = json.load(content)
        canonical = isinstance(head, dict) and json.dump(head) + b"\n" == content
    except ValueError:
        canonical = False
    if canonical and head.get("format") != _format(kind) and head.get("format") in map(_format, _KINDS):
        raise SealedFileError(f"{name} is no {kind} file: it says that it is a {head['format']}.")
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
    kind = head["provider"].get("type") if isinstance(head["provider"], dict) else None
    if not isinstance(kind, str):
        raise SealedFileError("the provider that wraps its key is missing or damaged.")
    if kind == passphrases.TYPE:
        passphrases.check(head["provider"])
    try:
        return from_base64(head.pop("sealed"))
    except (TypeError, ValueError):
        raise SealedFileError("the field 'sealed' is damaged.") from None


def _format(kind: str) -> str:
    return f"modelpriv {kind}"


def _context(kind: str, public: dict[str, Any]) -> bytes:
    """Bind the wrapped key to the kind of file, its version and its public part."""
    manifest = json.dump({"format": _format(kind), "version": _FORMAT_VERSION, "public": public})
    return enc(VERSION, f"{kind} file", sha256(manifest).digest())


def _cipher(data_key: bytes) -> AESSIV:
    return AESSIV(HKDFExpand(SHA256(), _SEAL_KEY, info=enc(VERSION, "container")).derive(data_key))
