"""What opens a sealed file where no call passes a key: a registry or a server loads it, and the program said before."""

import contextlib

from modelpriv.errors import KeyUnavailableError
from modelpriv.keys import KeyReference, Keyring, stanzas
from modelpriv.sealing import naming
from modelpriv.sealing.format import slots
from modelpriv.sealing.reading import File, opened, read_head

__all__ = ["keyring_for"]


def keyring_for(file: File) -> Keyring | None:
    """Find a keyring for a sealed file among those that this program named for models, as `naming` says.

    What the file says about its keys only chooses among them.

    Raises
    ------
    SealedFileError, ParameterError, OSError
        As `modelpriv.inspect` does.
    """
    with opened(file, "load") as (source, size):
        head = read_head(source, size)
    ways = slots.read(slots.newest_first(head.slots)[0])[1]
    stanzas.check(ways)
    for way in ways:
        if way["type"] == stanzas.KEYRING:
            key_id, check = stanzas.fingerprint(way)
            with contextlib.suppress(KeyUnavailableError):
                return naming.referred(KeyReference((key_id,), (check,)))
    return None
