"""Privacy for machine learning: protect the data a model is trained on, and the model itself."""

from modelpriv._core.public import make_public
from modelpriv.audit import AuditLog
from modelpriv.evidence.usage import key_usage
from modelpriv.keys import Grant, Identity, Keyring, Recipient, Signer, SigningKey
from modelpriv.models.repinning import repin
from modelpriv.models.wrapper import EncryptedEstimator
from modelpriv.sealing import AccessPolicy, dump, dumps, inspect, leak_report, load, loads, rekey, rewrap
from modelpriv.tables import Deidentifier, suggest_policy
from modelpriv.transformers.date_shifter.date_shifter import DateShifter
from modelpriv.transformers.field_encryptor.encryptor import FieldEncryptor
from modelpriv.transformers.generalizer.generalizer import Generalizer
from modelpriv.transformers.k_anonymizer.anonymizer import KAnonymizer
from modelpriv.transformers.masker import Masker
from modelpriv.transformers.projection import KeyedProjection
from modelpriv.transformers.pseudonymizer import Pseudonymizer
from modelpriv.transformers.replacer.replacer import Replacer

__version__ = "0.1.0.dev0"

__all__ = [
    "AccessPolicy",
    "AuditLog",
    "DateShifter",
    "Deidentifier",
    "EncryptedEstimator",
    "FieldEncryptor",
    "Generalizer",
    "Grant",
    "Identity",
    "KAnonymizer",
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
    "repin",
    "rewrap",
    "suggest_policy",
]

make_public("modelpriv", globals(), __all__)
