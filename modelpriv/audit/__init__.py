"""The audit log: who used which key for what, in lines that cannot be changed, cut or added unseen."""

from modelpriv._core.events import acting_as
from modelpriv._core.public import make_public
from modelpriv.audit.head import Head
from modelpriv.audit.log import AuditLog
from modelpriv.audit.verification import verify

__all__ = ["AuditLog", "Head", "acting_as", "verify"]

make_public("modelpriv.audit", globals(), __all__)
