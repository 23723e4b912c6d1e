"""Who opens a sealed file: the ways that its writer names, and the means that a reader has."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import Identity, KeyProvider, KeyReference, Keyring, Recipient, resolve_whole, stanzas
from modelpriv.keys.identity import check_identity
from modelpriv.keys.providers import check_provider, configured_providers
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.keys.recipient import is_line, read_recipients
from modelpriv.sealing import naming

Passphrase = str | bytes


@dataclass(frozen=True, repr=False)  # a repr would show the passphrase
class Ways:
    """The ways to open a file. Each becomes a stanza."""

    keyring: Keyring | None = None
    passphrase: Passphrase | None = None
    recipients: tuple[Recipient, ...] = ()
    provider: KeyProvider | None = None

    @property
    def symmetric(self) -> bool:
        """Whether only the holder of a secret can have written the file: anyone can write with a public key."""
        return not self.recipients and (self.provider is None or self.provider.type == passphrases.TYPE)

    @property
    def single(self) -> bool:
        """Whether there is one way only."""
        return sum((self.keyring is not None, self.passphrase is not None, self.provider is not None)) == 1 and not (
            self.recipients
        )

    @property
    def none(self) -> bool:
        """Whether no way is named."""
        return self == Ways()

    def wrap(self, file_key: bytes, context: bytes, body: bytes = b"") -> list[stanzas.Stanza]:
        """Wrap the file key in each of the ways, bound to the digest of a body if it is given."""
        return stanzas.wrap(
            file_key,
            context=context,
            keyring=self.keyring,
            passphrase=self.passphrase,
            recipients=self.recipients,
            provider=self.provider,
            body=body,
        )


def to_ways(key: object, passphrase: Passphrase | None, recipients: object = None, provider: object = None) -> Ways:
    """Read the parameters that say who may open a file.

    Raises
    ------
    ParameterError, ParameterTypeError
        None is given, or one is not allowed.
    KeyUnavailableError
        The keyring cannot be fetched.
    """
    if passphrase is not None:
        passphrases.as_bytes(passphrase)  # now: it may be used only when the body has been written
    ways = Ways(
        None if key is None else naming.passed(key),
        passphrase,
        () if recipients is None else tuple(read_recipients(recipients)),
        None if provider is None else check_provider(provider),
    )
    if ways.none:
        raise ParameterError(
            "nothing would open the file: pass key= a Keyring or a keyring URI ('env:NAME', 'file:PATH'), passphrase=, "
            "or recipients=."
        )
    return ways


def to_added(add: object, passphrase: Passphrase | None) -> Ways:
    """Read what `rewrap` is to add: a keyring or its URI, a recipient or its line, a provider, or a list of these.

    Raises
    ------
    ParameterError, ParameterTypeError
        One is something else, or there are several keyrings or providers.
    KeyUnavailableError
        The keyring cannot be fetched.
    """
    ways = Ways(passphrase=passphrase)
    for one in _listed(add):
        if isinstance(one, Recipient) or (isinstance(one, str) and is_line(one)):
            ways = replace(ways, recipients=(*ways.recipients, *read_recipients([one])))
        elif isinstance(one, Identity):
            raise ParameterTypeError("add must not be an Identity: pass its public half, identity.recipient.")
        elif isinstance(one, KeyProvider):
            if ways.provider is not None:
                raise ParameterError("add holds several providers: add one at a time.")
            ways = replace(ways, provider=one)
        elif ways.keyring is not None:
            raise ParameterError("add holds several keyrings: add one at a time.")
        else:
            ways = replace(ways, keyring=resolve_whole(one, parameter="add"))
    return ways


def _listed(add: object) -> list[object]:
    if add is None:
        return []
    return list(add) if isinstance(add, Iterable) and not isinstance(add, str | bytes) else [add]


@dataclass(frozen=True, repr=False)
class Opener:
    """What a reader opens files with."""

    keyring: Keyring | None = None
    passphrase: Passphrase | None = None
    identity: Identity | None = None
    providers: tuple[KeyProvider, ...] = ()

    def unwrap(self, found: list[stanzas.Stanza], context: bytes) -> tuple[bytes, stanzas.Stanza]:
        """Give the file key, and the stanza that it comes from: the first that opens."""
        return stanzas.unwrap_by(
            found,
            context=context,
            keyring=self.keyring,
            passphrase=self.passphrase,
            identity=self.identity,
            providers=self.providers,
        )


def to_opener(key: object, passphrase: Passphrase | None, identity: object = None, provider: object = None) -> Opener:
    """Read the parameters that open a file; without any, the providers of this process are asked.

    Raises
    ------
    ParameterError, ParameterTypeError
        None is given, or one is not allowed.
    KeyUnavailableError
        The keyring cannot be fetched.
    """
    if (key, passphrase, identity, provider) == (None, None, None, None):
        if providers := configured_providers():
            return Opener(providers=tuple(providers))
        raise ParameterError(
            "there is nothing to open the file with: pass key= a Keyring or a keyring URI ('env:NAME', 'file:PATH'), "
            "passphrase=, identity= or provider=."
        )
    keyring = naming.referred(key) if isinstance(key, KeyReference) else None
    return Opener(
        keyring if key is None or keyring is not None else naming.passed(key),
        passphrase,
        None if identity is None else check_identity(identity),
        () if provider is None else (check_provider(provider),),
    )
