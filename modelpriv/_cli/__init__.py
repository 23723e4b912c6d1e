"""The commands of ``python -m modelpriv``: a file for each family."""
