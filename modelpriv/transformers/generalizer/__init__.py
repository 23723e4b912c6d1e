"""Generalizer: the class, the ways to generalize, hierarchies, and rare values."""
