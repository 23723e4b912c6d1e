"""Keys: keyrings and identities, where they are kept, and how a pickle refers to them."""

from modelpriv.keys import workers
from modelpriv.keys.identity import Identity
from modelpriv.keys.keyring import Keyring
from modelpriv.keys.providers.passphrase import set_passphrase_callback
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.reference import KeyReference, resolve
from modelpriv.keys.registry import opening

__all__ = ["Identity", "KeyReference", "Keyring", "Recipient", "opening", "resolve", "set_passphrase_callback"]

workers.register_keys()
