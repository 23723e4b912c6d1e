"""Writing a sealed file: everything that can fail first, then the parts in order."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, BinaryIO

from modelpriv._core import events
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import NotAKey, SigningKey
from modelpriv.sealing.access import Ways
from modelpriv.sealing.format import floe, layout, signature, slots
from modelpriv.sealing.format.digest import Digest

_IN_MEMORY = 2**26


def origin(ways: Ways, sign_with: SigningKey | None) -> str:
    """Give the rule for who can have written the file; `slots` explains it."""
    if sign_with is not None or not ways.symmetric:
        return layout.SIGNED
    return layout.SOLE if ways.single else layout.SHARED


def check_signing_key(key: object) -> SigningKey | None:
    """Return a signing key or None, and refuse anything else."""
    if isinstance(key, NotAKey):
        raise ParameterError(key.reason)
    if key is not None and not isinstance(key, SigningKey):
        raise ParameterTypeError(
            f"sign_with must be a SigningKey, got {type(key).__name__}: SigningKey.load(path) reads one. A model that "
            "was read holds only its signer's public key: pass the private one, or None."
        )
    return key


@dataclass(frozen=True, repr=False)
class Draft:
    """A file that is ready to be written: everything that can fail has been done.

    Its stanzas are made before the body is written, or after it if they are bound to the digest of the body: then
    ``slot`` is None, and writing steps back to the place of the slots.
    """

    manifest: bytes
    pieces: Iterable[memoryview]
    length: int
    ways: Ways
    sign_with: SigningKey | None
    file_key: bytes
    prelude: layout.Prelude
    slot: bytes | None

    @property
    def steps_back(self) -> bool:
        """Whether the file that it is written to must be able to seek."""
        return self.slot is None

    def write(self, file: BinaryIO) -> None:
        """Write the file."""
        place = file.tell() + layout.PRELUDE + len(self.manifest) if self.slot is None else 0
        file.write(bytes(self.prelude) + self.manifest + 2 * (self.slot or bytes(self.prelude.slot)))
        message = floe.Message(slots.derive(self.file_key, "body"), sha256(self.manifest).digest())
        digest = None if self.slot is not None and self.sign_with is None else Digest(message.header)
        with floe.Writer(message, self.length, file.write, digest) as writer:
            for piece in self.pieces:
                writer.write(piece)
        if digest is not None:
            self._vouch(file, digest.value(), place)

    def _vouch(self, file: BinaryIO, digest: bytes, place: int) -> None:
        """Write what vouches for a body with this digest: the signature, or stanzas that are bound to it."""
        if self.sign_with is not None:
            file.write(signature.write(self.sign_with, self.manifest, digest))
        else:
            end = file.tell()
            file.seek(place)
            file.write(2 * self._bound_slot(digest))
            file.seek(end)

    def _bound_slot(self, digest: bytes) -> bytes:
        stanzas = self.ways.wrap(self.file_key, slots.wrap_context(self.manifest, layout.SHARED), digest)
        return slots.write(self.file_key, stanzas, prelude=self.prelude, manifest=self.manifest)


@dataclass(frozen=True, repr=False)
class Copy:
    """A sealed file that is written as it is."""

    sealed: bytes
    steps_back = False

    def write(self, file: BinaryIO) -> None:
        """Write the file."""
        file.write(self.sealed)


def draft(
    manifest: bytes, pieces: Iterable[memoryview], length: int, ways: Ways, *, sign_with: SigningKey | None
) -> Draft:
    """Make the file key and the head of a file, for a body of known length."""
    fields = layout.read_manifest(manifest)
    events.note(file_id=fields["file_id"], **({} if sign_with is None else {"signer": sign_with.signer.id}))
    file_key, rule = secrets.token_bytes(32), fields["origin"]
    body, trailer = floe.encrypted_length(length), 0 if sign_with is None else signature.length(sign_with)
    prelude, slot = layout.Prelude(len(manifest), body, trailer), None
    if rule != layout.SHARED:  # whose few stanzas fit into the usual slot
        stanzas = ways.wrap(file_key, slots.wrap_context(manifest, rule))
        prelude = replace(prelude, slot=slots.slot_for(stanzas))
        slot = slots.write(file_key, stanzas, prelude=prelude, manifest=manifest)
    return Draft(manifest, pieces, length, ways, sign_with, file_key, prelude, slot)


@contextlib.contextmanager
def in_order(write: Callable[[memoryview], int | None], *, steps_back: bool) -> Iterator[BinaryIO]:
    """Give a file to write to that passes everything on in order, to a socket or a member of an archive.

    If the writer steps back, the file is a temporary one, which is copied at the end: it holds ciphertext. The event is
    recorded before the first byte is passed on.
    """
    forward: Any = _Forward(write)
    if not steps_back:
        events.commit()
        yield forward
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
        file: Any = spool
        yield file
        events.commit()
        spool.seek(0)
        shutil.copyfileobj(file, forward, floe.SEGMENT)


def write_all(write: Callable[[memoryview], int | None], data: memoryview) -> None:
    """Write to a file that the caller opened: a raw one may take less than it is given."""
    while len(data):
        written = write(data)
        data = data[len(data) if written is None else written :]


class _Forward:
    """The part of a file that the writers of sealed files use where nothing steps back."""

    def __init__(self, write: Callable[[memoryview], int | None]) -> None:
        self._write = write

    def write(self, data: bytes | memoryview) -> int:
        write_all(self._write, memoryview(data))
        return len(data)
