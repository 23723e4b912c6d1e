"""The contract that every column transformer of modelpriv keeps, as checks that run on any of them.

Use it on your own transformers, and on ours with your own parameters::

    check_privacy_transformer(Masker("phone"))
"""

from modelpriv.testing.contract import check_privacy_transformer
from modelpriv.testing.tables import CANARY, CONTAINERS, containers, people

__all__ = ["CANARY", "CONTAINERS", "check_privacy_transformer", "containers", "people"]
