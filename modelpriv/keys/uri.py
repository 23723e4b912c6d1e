"""Keyring URIs: where a keyring is kept, as a text without secrets that code and pickles can hold."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import container
from modelpriv.keys.providers import os_keyring

__all__ = ["KeyringURI", "parse"]

_ALLOWED = "'env:NAME', 'keyring:SERVICE/USER' or 'file:PATH'"
_ENTRY = re.compile(r"[^/:@\s]+/[^/:\s]+\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# A query, a fragment or a named attribute is where URIs carry secrets, and these schemes need none.
_SECRET = re.compile(
    r"[?#;]|\b(pin|pin-value|token|password|passphrase|passwd|secret|key)=|modelpriv_secret_", re.IGNORECASE
)


@dataclass(frozen=True)
class KeyringURI:
    """A keyring URI that has been looked at: it holds no secret and can be shown.

    It protects against URIs that carry a secret into code, logs and pickles. It leaks where the keyring is.

    Examples
    --------
    >>> from modelpriv.keys.uri import parse
    >>> parse("env:MODELPRIV_KEYRING")
    KeyringURI(scheme='env', place='MODELPRIV_KEYRING')
    """

    scheme: str
    place: str

    @property
    def uri(self) -> str:
        """The URI as text."""
        return f"{self.scheme}:{self.place}"

    def read(self) -> bytes:
        """Return what is there: the text of a keyring, or the bytes of a keyring file.

        Raises
        ------
        KeyUnavailableError
            Nothing is there, or it cannot be read.
        SealedFileError
            The file is far too large for a keyring.
        """
        if self.scheme == "env":
            try:
                return os.environ[self.place].encode(errors="replace")
            except KeyError:
                raise KeyUnavailableError(
                    f"{self.uri}: there is no environment variable of this name; set it to what "
                    "Keyring.export_secret() gives."
                ) from None
        if self.scheme == "keyring":
            try:
                return os_keyring.read(*self.place.split("/")).encode(errors="replace")
            except KeyUnavailableError as error:
                raise KeyUnavailableError(f"{self.uri}: {error}") from None
        try:
            return container.read(Path(self.place).expanduser())
        except OSError as error:
            raise KeyUnavailableError(f"{self.uri} cannot be read: {error.strerror}.") from None


def parse(uri: str) -> KeyringURI:
    """Read a keyring URI.

    Raises
    ------
    ParameterTypeError
        It is no text.
    ParameterError
        It has another scheme or form, or a place where URIs carry secrets; the message does not repeat it, since a
        text that is no URI may be the secret itself.
    """
    if not isinstance(uri, str):
        raise ParameterTypeError(f"a keyring URI must be a str ({_ALLOWED}), got {type(uri).__name__}.")
    scheme, _, place = uri.partition(":")
    if _SECRET.search(uri):
        raise ParameterError(
            "the keyring URI holds a PIN, token, password, query or secret text, and a URI is shown and pickled: use "
            f"{_ALLOWED}. The text of export_secret() goes into the environment, or to Keyring.from_secret(text)."
        )
    if scheme == "env" and _NAME.match(place):
        return KeyringURI(scheme, place)
    if scheme == "keyring" and _ENTRY.match(place):
        return KeyringURI(scheme, place)
    if scheme == "file" and place and "\0" not in place and not _has_authority(place):
        return KeyringURI(scheme, place)
    raise ParameterError(f"this text is not a keyring URI; allowed are {_ALLOWED}.")


def _has_authority(place: str) -> bool:
    """Return whether a host comes before the path, and perhaps a user and a password with it."""
    return place.startswith("//") and not place.startswith("///")
