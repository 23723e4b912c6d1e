"""Sealed model files: an estimator's class, parameters and weights as ciphertext, in one file that a key opens."""

from modelpriv._core.public import make_public
from modelpriv.leaks import Leak, LeakReport, leak_report
from modelpriv.sealing.file import dump, dumps, load, loads
from modelpriv.sealing.inspection import Unverified, inspect
from modelpriv.sealing.policy import AccessPolicy
from modelpriv.sealing.rekeying import rekey
from modelpriv.sealing.rewrapping import rewrap
from modelpriv.sealing.trust import set_trusted

__all__ = [
    "AccessPolicy",
    "Leak",
    "LeakReport",
    "Unverified",
    "dump",
    "dumps",
    "inspect",
    "leak_report",
    "load",
    "loads",
    "rekey",
    "rewrap",
    "set_trusted",
]

make_public("modelpriv.sealing", globals(), __all__)
