"""Replacer, and the pools that its fakes come from."""
