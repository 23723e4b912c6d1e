"""What the tests of sealed files share: a cheap passphrase, a file's parts."""

import pytest

from modelpriv.keys.providers import passphrase
from modelpriv.sealing.format import layout


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    """Let what these tests write cost next to nothing to open."""
    monkeypatch.setattr(passphrase, "_PASSES", 1)
    monkeypatch.setattr(passphrase, "_MEMORY_KIB", 64)


@pytest.fixture
def split():
    """Cut the bytes of a sealed file into its prelude, manifest, two slots and body."""

    def cut(data):
        prelude = layout.Prelude.read(data, len(data))
        ends = [layout.PRELUDE, prelude.manifest, prelude.slot, prelude.slot, prelude.body]
        parts = []
        for length in ends:
            parts.append(data[:length])
            data = data[length:]
        return parts

    return cut
