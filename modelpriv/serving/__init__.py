"""Serving sealed models: open at start, watch for new versions, prove that predictions can be made."""

from modelpriv._core.public import make_public
from modelpriv.serving.drift import DriftMonitor
from modelpriv.serving.drift_report import ColumnDrift, DriftReport
from modelpriv.serving.handle import ModelHandle
from modelpriv.serving.status import Status

__all__ = ["ColumnDrift", "DriftMonitor", "DriftReport", "ModelHandle", "Status"]

make_public("modelpriv.serving", globals(), __all__)
