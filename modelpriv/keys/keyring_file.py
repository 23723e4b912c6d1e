"""The file that a keyring is saved in: its keys, wrapped by a passphrase or a provider, and their ids in plain text."""

import contextlib
import os
from collections.abc import Collection, Sequence

from modelpriv.errors import ParameterError, SealedFileError
from modelpriv.keys import container, secret_text
from modelpriv.keys.derivation import fingerprint
from modelpriv.keys.providers import KeyProvider

__all__ = ["check_replaced", "read", "write"]

_KIND = "keyring"


def write(
    path: str | os.PathLike[str], held: secret_text.Held, key_ids: Sequence[str], *, provider: KeyProvider
) -> None:
    """Write what a keyring holds to a file that only its owner can read."""
    container.write(path, _KIND, {"key_ids": list(key_ids)}, secret_text.write(*held).encode(), provider=provider)


def read(
    content: bytes, name: str, *, passphrase: str | bytes | None = None, provider: KeyProvider | None = None
) -> secret_text.Held:
    """Return what the keyring in the bytes of such a file holds.

    Raises
    ------
    SealedFileError
        It is another file, cut, altered, or of a later version.
    KeyUnavailableError
        The passphrase is wrong or missing, or the provider is not configured, cannot be reached or refuses.
    """
    public, secret = container.open_(content, _KIND, name=name, passphrase=passphrase, provider=provider)
    held = secret_text.read(secret.decode(errors="replace"))
    if public != {"key_ids": [fingerprint(key)[0] for key in held.keys]}:
        raise SealedFileError(f"{name}: the key ids that the file names are not those of its keys.")
    return held


def check_replaced(path: str | os.PathLike[str], key_ids: Collection[str]) -> None:
    """Refuse to write over a file that says it is another keyring.

    Raises
    ------
    ParameterError
        The file names key ids, none of which is among ``key_ids``.
    """
    there: set[str] = set()
    with contextlib.suppress(SealedFileError, OSError):
        there.update(map(str, container.read_public(path, _KIND).get("key_ids", ())))
    if there and not there & set(key_ids):
        raise ParameterError(
            f"{os.fspath(path)!r} holds another keyring (key ids {', '.join(sorted(there))}), so it is not replaced: "
            "you would lose what only that keyring opens. Give another path, or remove the file first."
        )
