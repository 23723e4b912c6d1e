"""The digest of a sealed file's body, taken while it is written or read: SHA-256 over the SHA-256 of each of its parts.

The parts are the FLOE header and each segment, as they are stored. A second thread hashes a long body.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import sha256
from types import TracebackType
from typing import Self

from modelpriv.sealing.format import floe

Sink = Callable[[memoryview], object]


class Digesting:
    """A sink that hashes each part while it writes it; a long body is hashed by a second thread.

    Parameters
    ----------
    sink : callable
        Writes.
    body : int
        Length of the body.
    """

    def __init__(self, sink: Sink, body: int) -> None:
        self._sink = sink
        self._pool = ThreadPoolExecutor(1) if floe.segments(body) >= floe.MANY else None
        self._parts: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def __call__(self, data: memoryview) -> None:
        """Hash and write the next part; both are done with its memory on return, which the caller reuses."""
        if self._pool is None:
            self._parts.append(_hash(data))
            self._sink(data)
            return
        hashed: Future[bytes] = self._pool.submit(_hash, data)
        try:
            self._sink(data)
        finally:
            self._parts.append(hashed.result())

    def digest(self) -> bytes:
        """Give the digest of all parts that were written."""
        return _join(self._parts)


class Observed:
    """Hashes each segment that is read: called from several threads, each with other segments.

    Parameters
    ----------
    header : bytes
        The FLOE header.
    """

    def __init__(self, header: bytes) -> None:
        self._header = _hash(header)
        self._segments: dict[int, bytes] = {}

    def __call__(self, number: int, segment: memoryview) -> None:
        """Hash a segment: the very bytes that are decrypted."""
        self._segments[number] = _hash(segment)

    def digest(self) -> bytes:
        """Give the digest of the header and of all segments."""
        return _join([self._header, *(self._segments[number] for number in range(len(self._segments)))])


def of_stored(source: floe.Source, body: int) -> bytes:
    """Read a whole body that is only hashed, not decrypted, and give its digest."""
    with Digesting(lambda _: None, body) as digesting:
        header = memoryview(bytearray(floe.HEADER))
        floe.read_exactly(source, header)
        digesting(header)
        left, segment = body - floe.HEADER, memoryview(bytearray(floe.SEGMENT + floe.OVERHEAD))
        while left:
            part = segment[: min(left, len(segment))]
            floe.read_exactly(source, part)
            digesting(part)
            left -= len(part)
    return digesting.digest()


def _join(parts: list[bytes]) -> bytes:
    return sha256(b"".join(parts)).digest()


def _hash(data: bytes | memoryview) -> bytes:
    return sha256(data).digest()
