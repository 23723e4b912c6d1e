"""The audit log: who used which key for what, in lines that cannot be changed, cut or added unseen."""

from modelpriv.audit.log import AuditLog, Head, verify

__all__ = ["AuditLog", "Head", "verify"]
