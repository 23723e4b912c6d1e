"""What a model's file shows in plain text, found without loading it."""

from modelpriv.leaks.findings import Leak, LeakReport
from modelpriv.leaks.report import leak_report

__all__ = ["Leak", "LeakReport", "leak_report"]
