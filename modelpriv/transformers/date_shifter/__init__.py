"""DateShifter: the class, and how dates of every type are moved."""

from modelpriv.transformers.date_shifter.date_shifter import DateShifter

__all__ = ["DateShifter"]
