"""What a model's file shows in clear, found without loading it."""

from modelpriv.leaks.report import Leak, LeakReport, leak_report

__all__ = ["Leak", "LeakReport", "leak_report"]
