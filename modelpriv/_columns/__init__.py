"""Containers to named Arrow columns and back; the only room that knows pandas and polars."""
