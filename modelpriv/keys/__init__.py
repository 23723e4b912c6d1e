"""Keys: keyrings and identities, where they are kept, and how a pickle refers to them."""

from modelpriv._core.public import make_public
from modelpriv.keys import workers
from modelpriv.keys.grant import Grant
from modelpriv.keys.identity import Identity
from modelpriv.keys.keyring import AnyKeyring, Keyring
from modelpriv.keys.parameter import KeyParameter, NotAKey, PublicParameter
from modelpriv.keys.providers import KeyProvider, set_providers
from modelpriv.keys.providers.passphrase import set_passphrase_callback
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.reference import KeyReference, resolve, resolve_whole, restore_identity, restore_keyring
from modelpriv.keys.registry import opening
from modelpriv.keys.scoped import Scope, ScopedKeyring
from modelpriv.keys.signing import Signer, SigningKey

__all__ = [
    "AnyKeyring",
    "Grant",
    "Identity",
    "KeyParameter",
    "KeyProvider",
    "KeyReference",
    "Keyring",
    "NotAKey",
    "PublicParameter",
    "Recipient",
    "Scope",
    "ScopedKeyring",
    "Signer",
    "SigningKey",
    "opening",
    "resolve",
    "resolve_whole",
    "restore_identity",
    "restore_keyring",
    "set_passphrase_callback",
    "set_providers",
]

workers.register_keys()

make_public("modelpriv.keys", globals(), __all__)
