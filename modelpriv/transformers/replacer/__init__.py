"""Replacer, and the pools that its fakes come from."""

from modelpriv.transformers.replacer.replacer import Replacer

__all__ = ["Replacer"]
