"""Writing a sealed file: everything that can fail first, then the parts in order."""

import secrets
from collections.abc import Callable, Iterable
from hashlib import sha256

from modelpriv import _events
from modelpriv.keys import Keyring
from modelpriv.keys import envelope as stanzas
from modelpriv.sealing import envelope, floe, layout
from modelpriv.sealing.reading import Passphrase

Sink = Callable[[memoryview], object]


def prepare(
    manifest: bytes, length: int, *, keyring: Keyring | None, passphrase: Passphrase | None
) -> Callable[[Iterable[memoryview], Sink], None]:
    """Make a file's key and its head, for a body of a known length; return what writes the file from pieces of it."""
    _events.note(file_id=layout.read_manifest(manifest)["file_id"])
    file_key = secrets.token_bytes(32)
    context = envelope.wrap_context(manifest)
    ways = stanzas.wrap(file_key, context=context, keyring=keyring, passphrase=passphrase)
    prelude = layout.Prelude(len(manifest), floe.encrypted_length(length))
    slot = envelope.write(file_key, ways, prelude=prelude, manifest=manifest)

    def write(pieces: Iterable[memoryview], sink: Sink) -> None:
        sink(memoryview(bytes(prelude) + manifest + 2 * slot))
        message = floe.Message(envelope.derive(file_key, "body"), sha256(manifest).digest())
        writer = floe.Writer(message, length, sink)
        for piece in pieces:
            writer.write(piece)

    return write


def write_all(write: Callable[[memoryview], int | None], data: memoryview) -> None:
    """Write to a file that somebody else opened, which may be a raw one that takes less than it is given."""
    while len(data):
        written = write(data)
        data = data[len(data) if written is None else written :]
