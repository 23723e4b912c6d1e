"""Privacy for machine learning: protect the data a model is trained on, and the model itself."""

from modelpriv._field_encryptor import FieldEncryptor
from modelpriv.keys import Keyring

__version__ = "0.1.0.dev0"

__all__ = ["FieldEncryptor", "Keyring"]
