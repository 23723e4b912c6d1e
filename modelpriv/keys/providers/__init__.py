"""What wraps a data key with a key that is kept elsewhere: one provider a file."""

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["KeyProvider"]


class KeyProvider(Protocol):
    """Wraps 32-byte data keys; what it gives can stand in a file for all to see.

    It protects the data key: without the provider's own key the blob opens for nobody. It leaks which provider it is
    and what `describe` says. It never stands in a transformer's ``key=``.

    Examples
    --------
    >>> from modelpriv.keys.providers.passphrase import PassphraseProvider
    >>> provider = PassphraseProvider("correct horse battery staple")
    >>> blob = provider.wrap(bytes(32), b"what the key is for")
    >>> provider.unwrap(blob, b"what the key is for") == bytes(32)
    True
    """

    def wrap(self, data_key: bytes, context: bytes) -> dict[str, Any]:
        """Wrap a data key, bound to its context, into a blob that JSON can hold; ``"type"`` names the provider."""
        ...

    def unwrap(self, blob: Mapping[str, Any], context: bytes) -> bytes:
        """Give the data key back; raise `KeyUnavailableError` where the blob is not this provider's, or altered."""
        ...

    def describe(self) -> str:
        """Say in a few words what this is and where, without any secret."""
        ...
