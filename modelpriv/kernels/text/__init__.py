"""Masks over the characters of a whole text column."""
