"""Generalizer: the class, the ways to generalize, hierarchies, and rare values."""

from modelpriv.transformers.generalizer.generalizer import Generalizer

__all__ = ["Generalizer"]
