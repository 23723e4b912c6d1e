"""How often each key is used, in tables, files, folders and objects."""

from modelpriv._core.public import make_public
from modelpriv.evidence.usage.answer import KeyUsage, Use
from modelpriv.evidence.usage.counting import key_usage

__all__ = ["KeyUsage", "Use", "key_usage"]

make_public("modelpriv.evidence.usage", globals(), __all__)
