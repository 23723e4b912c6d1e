"""Privacy for machine learning: protect the data a model is trained on, and the model itself."""

from modelpriv._encrypted_estimator import EncryptedEstimator
from modelpriv._field_encryptor import FieldEncryptor
from modelpriv._key_usage import key_usage
from modelpriv._keyed_projection import KeyedProjection
from modelpriv._masker import Masker
from modelpriv._pseudonymizer import Pseudonymizer
from modelpriv._replacer import Replacer
from modelpriv.audit import AuditLog
from modelpriv.keys import Grant, Identity, Keyring, Recipient, Signer, SigningKey
from modelpriv.sealing import AccessPolicy, dump, dumps, inspect, leak_report, load, loads, rekey, rewrap

__version__ = "0.1.0.dev0"

__all__ = [
    "AccessPolicy",
    "AuditLog",
    "EncryptedEstimator",
    "FieldEncryptor",
    "Grant",
    "Identity",
    "KeyedProjection",
    "Keyring",
    "Masker",
    "Pseudonymizer",
    "Recipient",
    "Replacer",
    "Signer",
    "SigningKey",
    "dump",
    "dumps",
    "inspect",
    "key_usage",
    "leak_report",
    "load",
    "loads",
    "rekey",
    "rewrap",
]
