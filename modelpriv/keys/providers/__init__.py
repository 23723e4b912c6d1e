"""What wraps a data key with a key that is kept elsewhere: one provider a file, and which of them this process uses."""

from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, Protocol, runtime_checkable

from modelpriv._core import process
from modelpriv._core.discreet import discreet_class
from modelpriv.errors import ParameterTypeError

__all__ = ["KeyProvider", "SecretProvider", "check_provider", "configured_providers", "set_providers"]


@runtime_checkable
class KeyProvider(Protocol):
    """Wraps 32-byte data keys into blobs that a file can hold in plain text.

    It protects the data key: without the provider's own key, no one can open the blob. It leaks which provider it is
    and what `describe` says. A transformer does not take it as ``key=``.

    Examples
    --------
    >>> from modelpriv.keys.providers.passphrase import PassphraseProvider
    >>> provider = PassphraseProvider("correct horse battery staple")
    >>> blob = provider.wrap(bytes(32), b"what the key is for")
    >>> provider.unwrap(blob, b"what the key is for") == bytes(32)
    True
    """

    type: ClassVar[str]
    """The ``"type"`` of its blobs."""

    def wrap(self, data_key: bytes, context: bytes) -> dict[str, Any]:
        """Wrap a data key, bound to its context, into a blob that JSON can hold; ``"type"`` names the provider."""
        ...

    def unwrap(self, blob: Mapping[str, Any], context: bytes) -> bytes:
        """Return the data key back; raise `KeyUnavailableError` where the blob is not this provider's, or altered."""
        ...

    def describe(self) -> str:
        """Say in a few words what this is and where, without any secret."""
        ...


@discreet_class
class SecretProvider:
    """A provider that holds what must not be seen: a passphrase, a PIN, a token. It shows and pickles none of it.

    It protects against providers that end up in a pickle, and with them their secret. It leaks what `describe` says. It
    does not protect the memory of the process.

    Examples
    --------
    >>> from modelpriv.keys.providers.passphrase import PassphraseProvider
    >>> PassphraseProvider("correct horse battery staple")
    <PassphraseProvider: passphrase (Argon2id, 3 passes, 64 MiB, 4 lanes)>
    """

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        discreet_class(cls)

    def describe(self) -> str:
        """Say what this is."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.describe()}>"

    def __reduce__(self) -> NoReturn:
        raise ParameterTypeError(f"a {type(self).__name__} is not pickled: it would carry its secret.")

    def __getstate__(self) -> NoReturn:
        raise ParameterTypeError(f"a {type(self).__name__} is not pickled: it would carry its secret.")


def set_providers(*providers: KeyProvider) -> None:
    """Set the providers that this process opens keyring files with, when none was given.

    A file names the provider that wraps its key, and is never trusted with that: only a provider that was set here, or
    passed to `Keyring.load`, is asked, at the address and with the key that were set.

    Parameters
    ----------
    *providers : KeyProvider
        They take the place of those that were set before; none takes them away.

    Raises
    ------
    ParameterTypeError
        One is no provider.

    Examples
    --------
    >>> from modelpriv.keys import set_providers
    >>> from modelpriv.keys.providers.vault import VaultProvider
    >>> set_providers(VaultProvider("modelpriv", url="https://vault.example:8200"))
    >>> set_providers()
    """
    process.settings.providers = tuple(map(check_provider, providers))


def configured_providers(kind: str | None = None) -> list[KeyProvider]:
    """Return the providers that this process uses: those of a type, or all."""
    return [provider for provider in process.settings.providers if kind in {None, provider.type}]


def check_provider(provider: object) -> KeyProvider:
    """Return what is a provider, and refuse anything else."""
    if not isinstance(provider, KeyProvider):
        raise ParameterTypeError(
            f"a provider has type, wrap, unwrap and describe, as VaultProvider has; got {type(provider).__name__}."
        )
    return provider
