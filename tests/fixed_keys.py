"""A keyring that is the same in every run, for what names a test: workers must agree on the names."""

from modelpriv.keys.keyring import build

KEYS = build([bytes(range(32))])
