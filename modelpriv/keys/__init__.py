"""Keys: keyrings, where they are kept, and how a pickle refers to them."""

from modelpriv.keys import workers
from modelpriv.keys.keyring import Keyring
from modelpriv.keys.providers.passphrase import set_passphrase_callback
from modelpriv.keys.reference import KeyReference, resolve
from modelpriv.keys.registry import opening

__all__ = ["KeyReference", "Keyring", "opening", "resolve", "set_passphrase_callback"]

workers.register_keys()
