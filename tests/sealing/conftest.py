"""What the tests of sealed files share: a cheap passphrase, a payload that must not be reached, a file's parts."""

import gc
import tracemalloc

import pytest

from modelpriv.keys.providers import passphrase
from modelpriv.sealing import layout


@pytest.fixture(autouse=True)
def _cheap_argon2(monkeypatch):
    """Let what these tests write cost next to nothing to open."""
    monkeypatch.setattr(passphrase, "_PASSES", 1)
    monkeypatch.setattr(passphrase, "_MEMORY_KIB", 64)


class Bomb:
    """Counts, when it is unpickled, that it was."""

    exploded = 0

    def __init__(self, filling=b""):
        self.filling = filling

    def __reduce__(self):
        return explode, (self.filling,)


def explode(filling):
    Bomb.exploded += 1
    return filling


@pytest.fixture
def bomb(monkeypatch):
    """The class of payloads that must not be reached; ``exploded`` counts how often one was."""
    monkeypatch.setattr(Bomb, "exploded", 0)
    return Bomb


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


@pytest.fixture
def traced_peak():
    """Run something and give the most memory that it had allocated at once."""

    def measure(run):
        gc.collect()
        tracemalloc.start()
        try:
            run()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure
