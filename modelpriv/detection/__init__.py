"""What the columns of a table are, found out from headers and cells."""

from modelpriv._core.public import make_public
from modelpriv.detection.answer import DetectedColumn, Detection
from modelpriv.detection.detecting import detect

__all__ = ["DetectedColumn", "Detection", "detect"]

make_public("modelpriv.detection", globals(), __all__)
