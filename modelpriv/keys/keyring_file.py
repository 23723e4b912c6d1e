"""The file that a keyring is saved in: its keys, wrapped by a passphrase or a provider, and their ids in plain text."""

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Sequence

from modelpriv._core import magic
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError
from modelpriv.keys import container, secret_text
from modelpriv.keys.derivation import fingerprint
from modelpriv.keys.providers import KeyProvider

__all__ = ["check_replaced", "read", "write"]

_KIND = "keyring"
_KEY_ID = re.compile("[0-9a-f]{8}")


def write(
    path: str | os.PathLike[str], held: secret_text.Held, key_ids: Sequence[str], *, provider: KeyProvider
) -> None:
    """Write what a keyring holds to a file that only its owner can read."""
    container.write(path, _KIND, {"key_ids": list(key_ids)}, secret_text.write(*held).encode(), provider=provider)


def read(
    content: bytes,
    name: str,
    *,
    passphrase: str | bytes | None = None,
    provider: KeyProvider | None = None,
    expect: object = (),
) -> secret_text.Held:
    """Return what the keyring in the bytes of such a file holds, which must be the key ids in ``expect``.

    Raises
    ------
    SealedFileError
        It is another file, cut, altered, or of a later version.
    KeyUnavailableError
        The passphrase is wrong or missing, or the provider is not configured, cannot be reached or refuses; or an
        expected key is not there.
    """
    expected = _read_ids(expect)
    public, secret = container.open_(content, _KIND, name=name, passphrase=passphrase, provider=provider)
    held = secret_text.read(secret.decode(errors="replace"))
    if public != {"key_ids": [fingerprint(key)[0] for key in held.keys]}:
        raise SealedFileError(f"{name}: the key ids that the file names are not those of its keys.")
    if lacking := [key_id for key_id in expected if key_id not in public["key_ids"]]:
        raise KeyUnavailableError(
            f"{name} does not hold key id {lacking[0]}, which you expect; it holds {', '.join(public['key_ids'])}. An "
            "older file was put back, or it is another keyring: restore the newest copy."
        )
    return held


def check_replaced(path: str | os.PathLike[str], key_ids: Collection[str]) -> None:
    """Refuse to write over a file that is not a keyring, or that names keys which would be lost.

    Parameters
    ----------
    path : path-like
        The file.
    key_ids : collection of str
        The ids of the keys that are written, and of those that were retired.

    Raises
    ------
    ParameterError
        The file is another one, or a keyring with a key id that is not among ``key_ids``.
    """
    container.check_kind(path, magic.KEYRING)
    there: set[str] = set()
    with contextlib.suppress(SealedFileError, OSError):
        there.update(map(str, container.read_public(path, _KIND).get("key_ids", ())))
    if lost := sorted(there - set(key_ids)):
        raise ParameterError(
            f"{os.fspath(path)!r} holds key ids that this keyring does not ({', '.join(lost)}), so it is not replaced: "
            "you would lose what only they open. The file may be newer: load it and rotate or retire from there, or "
            "give another path."
        )


def _read_ids(expect: object) -> list[str]:
    found = [expect] if isinstance(expect, str) else list(expect) if isinstance(expect, Iterable) else [expect]
    for key_id in found:
        if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
            raise ParameterError("expect must be a key id (8 hexadecimal digits) or a list of key ids.")
    return [str(key_id) for key_id in found]
