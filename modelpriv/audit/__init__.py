"""The audit log: who used which key for what, in lines that cannot be changed, cut or added unseen."""

from modelpriv.audit.chain import Head
from modelpriv.audit.log import AuditLog
from modelpriv.audit.verification import verify

__all__ = ["AuditLog", "Head", "verify"]
