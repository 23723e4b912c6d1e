"""KAnonymizer: rows made alike in what others may know of a person, until each hides among k."""

from modelpriv.transformers.k_anonymizer.anonymizer import KAnonymizer

__all__ = ["KAnonymizer"]
