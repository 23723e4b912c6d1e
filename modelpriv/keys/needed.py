"""Which keys the steps inside a model need, noted while the model is pickled, at whatever depth they are."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from modelpriv._core import process
from modelpriv.keys.keyring import Keyring
from modelpriv.keys.reference import KeyReference
from modelpriv.keys.ring import Fingerprint
from modelpriv.keys.scoped import ScopedKeyring

__all__ = ["Needed", "holds", "note_key", "note_step", "noting", "to_json", "wanted"]

Needed = Counter[Fingerprint]
"""How many steps need each key: by its id and its check value, which is empty where it is not known."""


@contextlib.contextmanager
def noting() -> Iterator[Needed]:
    """Collect what is noted in this block; what surrounds the block needs it too."""
    found: Needed = Counter()
    token = process.needed.set(found)
    try:
        yield found
    finally:
        process.needed.reset(token)
        if (outer := process.needed.get()) is not None:
            outer.update(found)


def note_step(key: object, pinned: str | None) -> None:
    """Note the keys that one step needs, if anyone asks.

    Parameters
    ----------
    key : object
        The step's parameter; a URI, which is not read here, says nothing.
    pinned : str or None
        The id of the key that `fit` pinned.
    """
    if process.needed.get() is not None:
        for one in wanted(key, pinned):
            note_key(one)


def wanted(key: Any, pinned: str | None) -> list[Fingerprint]:
    """Return the keys that a step needs: the one that finds its keyring, and the one that it is pinned to."""
    known = key.fingerprints if isinstance(key, Keyring | ScopedKeyring | KeyReference) else ()
    found = dict.fromkeys(known[:1])
    if pinned is not None:
        found[next((one for one in known if one[0] == pinned), (pinned, b""))] = None
    return list(found)


def holds(keys: Keyring | ScopedKeyring, one: Fingerprint) -> bool:
    """Tell whether a keyring holds a key; by its id alone, where its check value is not known."""
    return one in keys.fingerprints if one[1] else one[0] in keys.key_ids


def note_key(fingerprint: Fingerprint, times: int = 1) -> None:
    """Note that something which is being pickled needs a key, if anyone asks."""
    if (found := process.needed.get()) is not None:
        found[fingerprint] += times


def to_json(found: Needed) -> list[dict[str, Any]]:
    """Return what a manifest says about the keys that its steps need."""
    return [
        {"key_id": key_id, "check": check.hex(), "steps": steps} for (key_id, check), steps in sorted(found.items())
    ]
