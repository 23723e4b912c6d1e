"""The trailer of a sealed file: the digests of its segments, and its author's signature over all that never changes.

::

    SHA-256 of each segment of the body, as stored (32 each) || canonical JSON: {"signer": id, "value": base64url}

Signed is enc("modelpriv sealed v1", format version (4, big-endian), SHA-256(manifest), FLOE header, body length (8,
big-endian), SHA-256(all the digests)). The envelope is not in it, so that `rewrap` keeps the signature.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from types import TracebackType
from typing import Self

from modelpriv._core import events, json
from modelpriv.errors import SealedFileError, UntrustedError
from modelpriv.keys.derivation import enc
from modelpriv.keys.signing import Signer, SigningKey, blank_signature, check_signature, write_signature
from modelpriv.sealing.format import floe, layout

_DOMAIN = "modelpriv sealed v1"

Sink = Callable[[memoryview], object]


class Digesting:
    """A sink that takes the digest of each segment beside writing it: of a long body in a thread of its own.

    The FLOE header comes first and is kept.
    """

    def __init__(self, sink: Sink, body: int) -> None:
        self._sink = sink
        self._pool = ThreadPoolExecutor(1) if floe.segments(body) >= floe.MANY else None
        self.header = b""
        self.digests: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def __call__(self, data: memoryview) -> None:
        """Write the next piece; its memory is used again after that, so both must be done with it."""
        if not self.header:
            self.header = bytes(data)
            self._sink(data)
        elif self._pool is None:
            self.digests.append(_digest(data))
            self._sink(data)
        else:
            digest: Future[bytes] = self._pool.submit(_digest, data)
            try:
                self._sink(data)
            finally:
                self.digests.append(digest.result())


class Observed:
    """Takes the digest of each segment that is read; called from several threads, each for other segments."""

    def __init__(self) -> None:
        self._digests: dict[int, bytes] = {}

    def __call__(self, number: int, segment: memoryview) -> None:
        """Take the digest of a segment: of the very bytes that are decrypted."""
        self._digests[number] = _digest(segment)

    @property
    def digests(self) -> list[bytes]:
        """The digests of all segments, in order."""
        return [self._digests[number] for number in range(len(self._digests))]


def length(key: SigningKey, body: int) -> int:
    """Length of the trailer behind a body of so many bytes: all signatures of a kind are equally long."""
    return layout.DIGEST * floe.segments(body) + len(json.dump(blank_signature(key)))


def write(key: SigningKey, manifest: bytes, body: int, written: Digesting) -> bytes:
    """Sign a file whose body was written."""
    digests = b"".join(written.digests)
    return digests + json.dump(write_signature(key, _message(manifest, written.header, body, digests)))


def check(
    trailer: bytes, *, manifest: bytes, header: bytes, body: int, read: list[bytes], trusted: tuple[Signer, ...]
) -> Signer:
    """Check that somebody who is trusted signed what was read.

    Parameters
    ----------
    trailer : bytes
        As it stands in the file.
    manifest, header : bytes
        Of the file and of its body, as stored.
    body : int
        Length of the body.
    read : list of bytes
        The digests of the segments that were decrypted.
    trusted : tuple of Signer
        Those who may have signed it.

    Raises
    ------
    UntrustedError
        It is not signed, or by a stranger.
    SealedFileError
        The signature is not over this file: it was altered.
    """
    digests, signature = trailer[: layout.DIGEST * len(read)], trailer[layout.DIGEST * len(read) :]
    try:
        found = json.load(signature)
    except ValueError:
        found = None
    if found is None or json.dump(found) != signature:
        raise SealedFileError("the sealed file's trailer cannot be read: it is damaged or was altered.")
    for number, digest in enumerate(read):
        if digest != digests[layout.DIGEST * number : layout.DIGEST * (number + 1)]:
            raise SealedFileError(f"segment {number} of the sealed file is not the one that was signed.")
    try:
        signer = check_signature(found, _message(manifest, header, body, digests), trusted)
    except UntrustedError as error:
        raise UntrustedError(f"the sealed file is not unpickled: {error}") from None
    except SealedFileError as error:
        raise SealedFileError(f"the sealed file was altered: {error}") from None
    events.note(signer=signer.id)
    return signer


def _message(manifest: bytes, header: bytes, body: int, digests: bytes) -> bytes:
    version, total = layout.FORMAT.to_bytes(4, "big"), body.to_bytes(8, "big")
    return enc(_DOMAIN, version, sha256(manifest).digest(), header, total, sha256(digests).digest())


def _digest(data: memoryview) -> bytes:
    return sha256(data).digest()
