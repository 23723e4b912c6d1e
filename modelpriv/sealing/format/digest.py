"""The digest of a sealed file's body: SHA-256 over the SHA-256 of each of its parts, the FLOE header and each segment.

The parts are hashed as they are stored, while they are written or read, by the threads that do this.
"""

from hashlib import sha256

from modelpriv.sealing.format import floe


class Digest:
    """Hashes the parts of a body: called from several threads, each with other segments.

    Parameters
    ----------
    header : bytes
        The FLOE header.
    """

    def __init__(self, header: bytes) -> None:
        self._header = sha256(header).digest()
        self._segments: dict[int, bytes] = {}

    def __call__(self, number: int, segment: memoryview) -> None:
        """Hash a segment."""
        self._segments[number] = sha256(segment).digest()

    def value(self) -> bytes:
        """Give the digest of the header and of all segments."""
        segments = (self._segments[number] for number in range(len(self._segments)))
        return sha256(b"".join([self._header, *segments])).digest()


def of_stored(source: floe.Source, body: int) -> bytes:
    """Read a whole body, which is only hashed and not decrypted, and give its digest."""
    header = bytearray(floe.HEADER)
    floe.read_exactly(source, memoryview(header))
    digest, left = Digest(bytes(header)), body - floe.HEADER
    segment = memoryview(bytearray(min(left, floe.SEGMENT + floe.OVERHEAD)))
    for number in range(floe.segments(body)):
        part = segment[: min(left, len(segment))]
        floe.read_exactly(source, part)
        digest(number, part)
        left -= len(part)
    return digest.value()
