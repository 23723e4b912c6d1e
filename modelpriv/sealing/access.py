"""Who opens a sealed file: the ways in that its writer gives it, and what a reader has to open it with."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import Identity, KeyProvider, Keyring, Recipient, resolve_whole, stanzas
from modelpriv.keys.identity import check_identity
from modelpriv.keys.providers import check_provider, configured_providers
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.keys.recipient import is_line, read_recipients

Passphrase = str | bytes


@dataclass(frozen=True, repr=False)  # which would show the passphrase
class Ways:
    """The ways to open a file, each of which becomes a stanza."""

    keyring: Keyring | None = None
    passphrase: Passphrase | None = None
    recipients: tuple[Recipient, ...] = ()
    provider: KeyProvider | None = None

    @property
    def symmetric(self) -> bool:
        """Whether only somebody who had one of the ways can have written the file: with a public key anybody can."""
        return not self.recipients and (self.provider is None or self.provider.type == passphrases.TYPE)

    @property
    def none(self) -> bool:
        """Whether there is no way at all."""
        return self == Ways()

    def wrap(self, file_key: bytes, context: bytes) -> list[stanzas.Stanza]:
        """Wrap a file's key in each of the ways."""
        return stanzas.wrap(
            file_key,
            context=context,
            keyring=self.keyring,
            passphrase=self.passphrase,
            recipients=self.recipients,
            provider=self.provider,
        )


def to_ways(key: object, passphrase: Passphrase | None, recipients: object = None, provider: object = None) -> Ways:
    """Read the parameters that say who shall open a file.

    Raises
    ------
    ParameterError, ParameterTypeError
        There is none, or one is not what it should be.
    KeyUnavailableError
        The keyring cannot be had.
    """
    ways = Ways(
        None if key is None else resolve_whole(key),
        passphrase,
        () if recipients is None else tuple(read_recipients(recipients)),
        None if provider is None else check_provider(provider),
    )
    if ways.none:
        raise ParameterError(
            "no key, no passphrase and no recipients: give key= a Keyring or a keyring URI ('env:NAME', 'file:PATH'), "
            "passphrase=, or recipients=."
        )
    return ways


def to_added(add: object, passphrase: Passphrase | None) -> Ways:
    """Read what `rewrap` shall add: a keyring or its URI, a recipient or its line, a provider, or a list of these.

    Raises
    ------
    ParameterError, ParameterTypeError
        One is none of these, or there are several keyrings or providers.
    KeyUnavailableError
        The keyring cannot be had.
    """
    ways = Ways(passphrase=passphrase)
    for one in _listed(add):
        if isinstance(one, Recipient) or (isinstance(one, str) and is_line(one)):
            ways = replace(ways, recipients=(*ways.recipients, *read_recipients([one])))
        elif isinstance(one, Identity):
            raise ParameterTypeError("add must not be an Identity: of an identity, pass identity.recipient.")
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
    """What a reader has."""

    keyring: Keyring | None = None
    passphrase: Passphrase | None = None
    identity: Identity | None = None
    providers: tuple[KeyProvider, ...] = ()

    def unwrap(self, found: list[stanzas.Stanza], context: bytes) -> bytes:
        """Give the file's key, from the first stanza that opens."""
        return stanzas.unwrap(
            found,
            context=context,
            keyring=self.keyring,
            passphrase=self.passphrase,
            identity=self.identity,
            providers=self.providers,
        )


def to_opener(key: object, passphrase: Passphrase | None, identity: object = None, provider: object = None) -> Opener:
    """Read the parameters that open a file; without any, the providers that this process uses are asked.

    Raises
    ------
    ParameterError, ParameterTypeError
        There is none, or one is not what it should be.
    KeyUnavailableError
        The keyring cannot be had.
    """
    if (key, passphrase, identity, provider) == (None, None, None, None):
        if providers := configured_providers():
            return Opener(providers=tuple(providers))
        raise ParameterError(
            "no key, no passphrase and no identity: give key= a Keyring or a keyring URI ('env:NAME', 'file:PATH'), "
            "passphrase=, identity= or provider=."
        )
    return Opener(
        None if key is None else resolve_whole(key),
        passphrase,
        None if identity is None else check_identity(identity),
        () if provider is None else (check_provider(provider),),
    )
