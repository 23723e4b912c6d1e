"""Writing a sealed file: everything that can fail first, then the parts in order."""

import secrets
from collections.abc import Callable, Iterable
from hashlib import sha256

from modelpriv._core import events
from modelpriv.errors import ParameterTypeError
from modelpriv.keys import SigningKey
from modelpriv.sealing.access import Ways
from modelpriv.sealing.format import floe, layout, signature, slots
from modelpriv.sealing.format.signature import Sink


def origin(ways: Ways, sign_with: SigningKey | None) -> str:
    """Give the manifest's word for who can have written the file."""
    return "keyring" if ways.symmetric and sign_with is None else "signed"


def check_signing_key(key: object) -> SigningKey | None:
    """Return a signing key or None, and refuse anything else."""
    if key is not None and not isinstance(key, SigningKey):
        raise ParameterTypeError(
            f"sign_with must be a SigningKey, got {type(key).__name__}: SigningKey.load(path) reads one. A model that "
            "was read holds only its signer's public key: pass the private one, or None."
        )
    return key


def prepare(
    manifest: bytes, length: int, ways: Ways, *, sign_with: SigningKey | None
) -> Callable[[Iterable[memoryview], Sink], None]:
    """Make the file key and the head for a body of known length; return what writes the file from pieces of it."""
    if events.recording():
        events.note(file_id=layout.read_manifest(manifest)["file_id"])
    file_key = secrets.token_bytes(32)
    stanzas = ways.wrap(file_key, slots.wrap_context(manifest))
    body = floe.encrypted_length(length)
    trailer = 0 if sign_with is None else signature.length(sign_with, body)
    prelude = layout.Prelude(len(manifest), body, trailer, slots.slot_for(stanzas))
    slot = slots.write(file_key, stanzas, prelude=prelude, manifest=manifest)

    def write_body(pieces: Iterable[memoryview], sink: Sink) -> None:
        message = floe.Message(slots.derive(file_key, "body"), sha256(manifest).digest())
        with floe.Writer(message, length, sink) as writer:
            for piece in pieces:
                writer.write(piece)

    def write(pieces: Iterable[memoryview], sink: Sink) -> None:
        sink(memoryview(bytes(prelude) + manifest + 2 * slot))
        if sign_with is None:
            write_body(pieces, sink)
            return
        with signature.Digesting(sink, body) as digesting:
            write_body(pieces, digesting)
        sink(memoryview(signature.write(sign_with, manifest, body, digesting)))
        events.note(signer=sign_with.signer.id)

    return write


def write_all(write: Callable[[memoryview], int | None], data: memoryview) -> None:
    """Write to a file that the caller opened: a raw one may take less than it is given."""
    while len(data):
        written = write(data)
        data = data[len(data) if written is None else written :]
