"""What the tests of keys share: a passphrase that is cheap to try."""

import pytest

from modelpriv.keys.providers import passphrase


@pytest.fixture
def cheap_argon2(monkeypatch):
    """Let what this test writes cost next to nothing to open; what it reads costs what is written in it."""
    monkeypatch.setattr(passphrase, "_PASSES", 1)
    monkeypatch.setattr(passphrase, "_MEMORY_KIB", 64)
