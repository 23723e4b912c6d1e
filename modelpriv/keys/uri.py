"""URIs of keys: where a keyring, identity or signing key is kept, as a text without secrets to write into code."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import container
from modelpriv.keys.providers import os_keyring

__all__ = ["KeyringURI", "parse", "with_article"]

_ALLOWED = "'env:NAME', 'keyring:SERVICE/USER' or 'file:PATH'"
_ENTRY = re.compile(r"[^/:@\s]+/[^/:\s]+\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# A query, a fragment or a named attribute is where URIs carry secrets, and these schemes need none.
_SECRET = re.compile(
    r"[?#;]|\b(pin|pin-value|token|password|passphrase|passwd|secret|key)=|modelpriv_secret_", re.IGNORECASE
)


@dataclass(frozen=True)
class KeyringURI:
    """A key's URI that has been looked at: it holds no secret and can be shown.

    It protects against URIs that carry a secret into code, logs and pickles. It leaks where the key is.

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
        """Return what is there: the text that ``export_secret`` gave, or the bytes of a file that ``save`` wrote.

        Raises
        ------
        KeyUnavailableError
            Nothing is there, or it cannot be read.
        SealedFileError
            The file is far too large for a key.
        """
        if self.scheme == "env":
            try:
                return os.environ[self.place].encode(errors="replace")
            except KeyError:
                raise KeyUnavailableError(
                    f"{self.uri}: there is no environment variable of this name; set it to what export_secret() gives."
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


def parse(uri: str, kind: str = "keyring") -> KeyringURI:
    """Read the URI of a key.

    Parameters
    ----------
    uri : str
        The text.
    kind : {"keyring", "identity", "signing key"}, default="keyring"
        The kind of key, for the error.

    Raises
    ------
    ParameterTypeError
        It is no text.
    ParameterError
        It has another scheme or form, or a place where URIs carry secrets; the message does not repeat it, since a
        text that is no URI may be the secret itself.
    """
    if not isinstance(uri, str):
        raise ParameterTypeError(f"{with_article(kind)} URI must be a str ({_ALLOWED}), got {type(uri).__name__}.")
    scheme, _, place = uri.partition(":")
    if _SECRET.search(uri):
        raise ParameterError(
            f"the {kind} URI holds a PIN, token, password, query or secret text, and a URI is shown and pickled: use "
            f"{_ALLOWED}. The text of export_secret() goes into the environment, or to from_secret(text)."
        )
    if scheme == "env" and _NAME.match(place):
        return KeyringURI(scheme, place)
    if scheme == "keyring" and _ENTRY.match(place):
        return KeyringURI(scheme, place)
    if scheme == "file" and place and "\0" not in place and not _has_authority(place):
        return KeyringURI(scheme, place)
    raise ParameterError(f"this text is not {with_article(kind)} URI; allowed are {_ALLOWED}.")


def with_article(kind: str) -> str:
    """Return the name of a kind of key after its article."""
    return f"an {kind}" if kind.startswith("i") else f"a {kind}"


def _has_authority(place: str) -> bool:
    """Return whether a host comes before the path, and perhaps a user and a password with it."""
    return place.startswith("//") and not place.startswith("///")
