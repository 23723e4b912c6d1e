"""FLOE (c2sp.org/FLOE): authenticated encryption of a long message, segment by segment, in bounded memory.

The parameters are AES-256-GCM, HKDF-Expand-SHA-384 and a 32-byte IV; a message is a 74-byte header and its segments::

    params   = 00 (AEAD) || 00 (KDF) || encrypted segment length, 4 bytes big-endian || 00000020 (IV length)
    KDF(k, purpose, n) = HKDF-Expand-SHA384(k, params || iv || purpose || associated data, n)
    header   = params || iv || KDF(key, "HEADER_TAG:", 32)
    segment  = length field (4) || nonce (12) || ciphertext || GCM tag (16)
               length field: FFFFFFFF, on the last segment its own length; GCM associated data: number (8) || 01 if last
    key of segment i = KDF(KDF(key, "MESSAGE_KEY:", 48), "DEK:" || i with its low 20 bits cleared, 32)

The header tag commits to the key, so one ciphertext cannot open under two keys, as plain GCM would let it.
"""

import secrets
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from modelpriv.errors import SealedFileError

HEADER = 74
OVERHEAD = 32  # of each segment: length field, nonce and tag
SEGMENT = 2**20  # plaintext bytes of a segment that is not the last
MANY = 8  # segments from which on a second thread pays
ROTATION_BITS = 20  # a new GCM key every 2**20 segments

_PARAMS = 10
_IV = 32
_NONCE = 12
_TAG = 16
_NOT_LAST = b"\xff\xff\xff\xff"
_BEHIND = 2  # segments that wait for the second thread, from which on the first one observes too


class Message:
    """One message under one key: its header, and the sealing and opening of single segments.

    Parameters
    ----------
    key : bytes
        32 bytes.
    associated_data : bytes
        The message is bound to it.
    segment : int
        Plaintext bytes of a segment that is not the last.
    header : bytes, optional
        The header of a message to open; without it, a new message begins.

    Raises
    ------
    SealedFileError
        The header does not belong to this key, associated data and segment length.
    """

    def __init__(
        self, key: bytes, associated_data: bytes, *, segment: int = SEGMENT, header: bytes | None = None
    ) -> None:
        params = b"\0\0" + (segment + OVERHEAD).to_bytes(4, "big") + _IV.to_bytes(4, "big")
        iv = secrets.token_bytes(_IV) if header is None else header[_PARAMS : _PARAMS + _IV]
        self._context = params + iv, associated_data
        self.segment = segment
        self.header = params + iv + self._kdf(key, b"HEADER_TAG:", 32)
        if header is not None and not bytes_eq(self.header, header):
            raise SealedFileError(
                "the body of the sealed file does not belong to its envelope: it was altered, or put together from "
                "other files."
            )
        self._message_key = self._kdf(key, b"MESSAGE_KEY:", 48)
        self._current: tuple[int, AESGCM] | None = None  # an epoch and its cipher

    def seal(self, number: int, plaintext: memoryview, out: memoryview, *, last: bool) -> int:
        """Encrypt a segment into ``out`` and return its length there."""
        length = len(plaintext) + OVERHEAD
        out[:4] = length.to_bytes(4, "big") if last else _NOT_LAST
        out[4:16] = nonce = secrets.token_bytes(_NONCE)
        self._cipher_of(number).encrypt_into(nonce, plaintext, _segment_context(number, last), out[16:length])
        return length

    def open_(self, number: int, sealed: memoryview, out: memoryview, *, last: bool) -> None:
        """Decrypt a whole segment into ``out``, which has exactly the length of its plaintext."""
        expected = len(sealed).to_bytes(4, "big") if last else _NOT_LAST
        altered = SealedFileError(f"segment {number} of the sealed file does not open: it is damaged or was altered.")
        if sealed[:4] != expected:
            raise altered
        try:
            self._cipher_of(number).decrypt_into(sealed[4:16], sealed[16:], _segment_context(number, last), out)
        except InvalidTag:
            raise altered from None

    def _cipher_of(self, number: int) -> AESGCM:
        epoch, current = number >> ROTATION_BITS, self._current
        if current is None or current[0] != epoch:
            first = (epoch << ROTATION_BITS).to_bytes(8, "big")
            current = self._current = epoch, AESGCM(self._kdf(self._message_key, b"DEK:" + first, 32))
        return current[1]

    def _kdf(self, key: bytes, purpose: bytes, length: int) -> bytes:
        start, associated_data = self._context
        return HKDFExpand(SHA384(), length, start + purpose + associated_data).derive(key)


def encrypted_length(length: int, segment: int = SEGMENT) -> int:
    """Give the length of a message with so much plaintext, header included; a segment is empty only if all is."""
    return HEADER + length + OVERHEAD * max(1, -(-length // segment))


def plaintext_length(message_length: int, segment: int = SEGMENT) -> int:
    """Give the length of the plaintext in a message of this length; `SealedFileError` if no message has it."""
    rest = (message_length - HEADER) % (segment + OVERHEAD)
    if message_length < HEADER + OVERHEAD or 0 < rest < OVERHEAD:
        raise SealedFileError("the body of the sealed file has a length that no body can have: the file is damaged.")
    return message_length - HEADER - OVERHEAD * segments(message_length, segment)


def segments(message_length: int, segment: int = SEGMENT) -> int:
    """Give the number of segments in a message of this length."""
    return -(-(message_length - HEADER) // (segment + OVERHEAD))


class Writer:
    """Encrypts a message of known length, in pieces of any size, without copying whole segments.

    While one segment of a long message is encrypted, a second thread writes the segment before it, which saves a fifth
    to a quarter of the time. Use it in a with statement, which waits for the last segment.

    Parameters
    ----------
    message : Message
        A new message.
    length : int
        Number of plaintext bytes that will be written in all.
    sink : callable
        Takes the header and then each segment, one at a time; the memory is reused once it returns.
    observe : callable, optional
        Takes the number and the bytes of each segment before it is written; called from two threads at once.
    """

    def __init__(
        self,
        message: Message,
        length: int,
        sink: Callable[[memoryview], object],
        observe: Callable[[int, memoryview], object] | None = None,
    ) -> None:
        self._message, self._left, self._sink, self._observe = message, length, sink, observe
        self._number = 0
        self._waiting = memoryview(bytearray(min(length, message.segment)))  # of a segment that has several sources
        self._filled = 0
        self._pool = ThreadPoolExecutor(1) if length >= MANY * message.segment else None
        turns = 1 if self._pool is None else 2 if observe is None else _BEHIND + 2
        self._outs = [memoryview(bytearray(len(self._waiting) + OVERHEAD)) for _ in range(turns)]
        self._written: deque[Future[object]] = deque()
        sink(memoryview(message.header))
        if not length:
            self._seal(self._waiting)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        if kind is None:
            self._wait(0)

    def write(self, data: memoryview) -> None:
        """Encrypt the next bytes; what does not fill a segment waits for more."""
        while len(data):
            whole = min(self._message.segment, self._left)
            take = min(len(data), whole - self._filled)
            if take == whole:
                self._seal(data[:take])
            else:
                self._waiting[self._filled : self._filled + take] = data[:take]
                self._filled += take
                if self._filled == whole:
                    self._seal(self._waiting[:whole])
            data = data[take:]

    def _seal(self, plaintext: memoryview) -> None:
        self._left -= len(plaintext)
        self._wait(len(self._outs) - 1)
        number, out = self._number, self._outs[self._number % len(self._outs)]
        out = out[: self._message.seal(number, plaintext, out, last=not self._left)]
        self._number += 1
        self._filled = 0
        if self._pool is None:
            self._hand_on(number, out)
        elif self._observe is not None and sum(not one.done() for one in self._written) >= _BEHIND:
            self._observe(number, out)  # here, because the other thread has enough to do
            self._written.append(self._pool.submit(self._sink, out))
        else:
            self._written.append(self._pool.submit(self._hand_on, number, out))

    def _hand_on(self, number: int, out: memoryview) -> None:
        if self._observe is not None:
            self._observe(number, out)
        self._sink(out)

    def _wait(self, left: int) -> None:
        """Wait until at most so many segments are still to be written, and raise the error of one that could not be."""
        while len(self._written) > left:
            self._written.popleft().result()


class Source(Protocol):
    """What a sealed file is read from."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read up to ``len(buffer)`` bytes and return how many there were."""


class Reader:
    """Decrypts a message in pieces of any size, straight into their final place.

    Parameters
    ----------
    message : Message
        Made from the header that was read.
    message_length : int
        Length of the whole message, header included.
    source : Source
        Its position is behind the header.
    observe : callable, optional
        Takes the number and the bytes of each segment as read; called from two threads at once.
    """

    def __init__(
        self,
        message: Message,
        message_length: int,
        source: Source,
        observe: Callable[[int, memoryview], object] | None = None,
    ) -> None:
        self._message, self._source, self._observe = message, source, observe
        self._left = length = plaintext_length(message_length, message.segment)
        self._last = segments(message_length, message.segment) - 1
        self._number = 0
        self._sealed = memoryview(bytearray(min(length, message.segment) + OVERHEAD))
        self._opened = memoryview(bytearray(min(length, message.segment)))
        self._ready = self._opened[:0]  # decrypted and not asked for yet
        if not length:
            self._open(self._opened)

    def readinto(self, out: memoryview) -> None:
        """Fill ``out`` with the next bytes; once all are read, all segments have been verified.

        Until then, the bytes read are authentic, but the message may have been cut after them.
        """
        segment = self._message.segment
        while len(out):
            whole = min(segment, self._left)
            if not len(self._ready) and len(out) >= MANY * segment:
                take = len(out) - len(out) % segment
                self._open_many(out[:take])
            elif not len(self._ready) and len(out) >= whole:
                take = whole
                self._open(out[:take])
            else:
                if not len(self._ready):
                    self._ready = self._opened[:whole]
                    self._open(self._ready)
                take = min(len(out), len(self._ready))
                out[:take] = self._ready[:take]
                self._ready = self._ready[take:]
            out = out[take:]

    def _open(self, out: memoryview) -> None:
        sealed = self._sealed[: len(out) + OVERHEAD]
        read_exactly(self._source, sealed)
        if self._observe is not None:
            self._observe(self._number, sealed)
        self._message.open_(self._number, sealed, out, last=self._number == self._last)
        self._advance(1, len(out))

    def _open_many(self, out: memoryview) -> None:
        """Open full segments on two threads: most of the time goes into touching memory for the first time."""
        first, segment = self._number, self._message.segment
        numbers = iter(range(len(out) // segment))
        turn = threading.Lock()

        def work(sealed: memoryview) -> None:
            while True:
                with turn:
                    if (number := next(numbers, None)) is None:
                        return
                    read_exactly(self._source, sealed)
                if self._observe is not None:
                    self._observe(first + number, sealed)
                part = out[number * segment : (number + 1) * segment]
                self._message.open_(first + number, sealed, part, last=first + number == self._last)

        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(work, memoryview(bytearray(len(self._sealed))))
            work(self._sealed)
            other.result()
        self._advance(len(out) // segment, len(out))

    def _advance(self, segments: int, length: int) -> None:
        self._number += segments
        self._left -= length
        if not self._left and self._number == self._last:  # another writer may end with an empty segment
            self._open(self._opened[:0])


def read_exactly(source: Source, out: memoryview) -> None:
    """Fill ``out`` from a source; `SealedFileError` if it ends before."""
    while len(out):
        count = source.readinto(out)
        if not count:
            raise SealedFileError("the sealed file ends too early: it was cut.")
        out = out[count:]


def _segment_context(number: int, last: bool) -> bytes:  # noqa: FBT001 - a field of the format
    return number.to_bytes(8, "big") + (b"\1" if last else b"\0")
