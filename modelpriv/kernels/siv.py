"""AES-SIV (RFC 5297) over a whole column; its synthetic IV is also the keyed PRF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.cmac import CMAC

from modelpriv.errors import DecryptionError, InputError, ParameterError
from modelpriv.kernels.ragged import Cells, Output, in_halves, records, spans, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from modelpriv.kernels.ragged import Bytes, Lengths, Rows

__all__ = ["TAG", "Blocks", "Siv", "datums", "open_", "permute", "prf", "seal", "try_open", "width_of"]

Blocks = npt.NDArray[np.uint64]  # shape (..., 2): a block of 16 bytes as two words, in the order of memory
Datum = "bytes | Cells"

TAG = BLOCK = 16

_KEY_LENGTHS = (32, 48, 64)
_MOST_DATA = 126  # RFC 5297, section 7: the plaintext is the 127th string of S2V
_ORDERED = np.dtype(">u8")

_ENDS = np.arange(BLOCK + 1)  # how many bytes of a last block belong to the cell
_KEEP = np.where(np.arange(BLOCK) < _ENDS[:, None], 0xFF, 0).astype(np.uint8).view(np.uint64)
_PAD = np.where(np.arange(BLOCK) == _ENDS[:, None], 0x80, 0).astype(np.uint8).view(np.uint64)
# "Zero out the 31st and 63rd bits" (section 2.6): those that would carry from one word of the counter to the next.
_UNCARRIED = np.frombuffer(bytes.fromhex("7fffffff7fffffff"), np.uint64)[0]


def seal(key: bytes, cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]] = ()) -> pa.Array[Any]:
    """Encrypt and authenticate every cell (RFC 5297, section 2.6).

    Parameters
    ----------
    key : bytes
        32, 48 or 64 bytes: one half for S2V, one for CTR.
    cells : pyarrow.Array of binary or text
        The plaintexts.
    associated_data : sequence of bytes or pyarrow.Array of binary or text
        Up to 126 strings, in this order: each one for all cells, or one for each cell.

    Returns
    -------
    pyarrow.Array of binary
        The synthetic IV (16 bytes) and the ciphertext of each cell; null where the cell is null.
    """
    source = Cells.of(cells)
    data = datums(associated_data, len(source))
    output = Output(source, lambda rows: source.lengths(rows) + TAG, text=False)

    def work(start: int, stop: int) -> None:
        siv = Siv(key, data)
        for span in spans(start, stop):
            for batch in source.batches(span):
                width = width_of(batch.lengths)
                sealed = np.empty((len(batch.lengths), TAG + width), np.uint8)
                siv.seal(source.matrix(batch, width), batch.lengths, siv.vectors(batch.rows), sealed, 0)
                output.scatter(batch, sealed, 0, stop)

    in_halves(work, len(source))
    return output.finish()


def open_(key: bytes, cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]] = ()) -> pa.Array[Any]:
    """Decrypt and verify every cell (RFC 5297, section 2.7), with the parameters that it was sealed with.

    Returns
    -------
    pyarrow.Array of binary
        The plaintexts; null where the cell is null.

    Raises
    ------
    DecryptionError
        A cell does not open: it is altered, or was sealed under another key or with other associated data.
    """
    opened, good = try_open(key, cells, associated_data)
    bad = len(good) - int(np.count_nonzero(good))
    if bad:
        raise DecryptionError(
            f"{bad} of {len(good)} cells do not open (the first is row {int(np.argmin(good))}): they are altered, or "
            f"were sealed under another key or with other associated data."
        )
    return opened


def try_open(
    key: bytes, cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]] = ()
) -> tuple[pa.Array[Any], npt.NDArray[np.bool_]]:
    """Decrypt and verify as `open_` does, and give a verdict on each cell in the place of raising.

    Every tag is computed and compared in full, whatever the others are. A cell that does not open is null.

    Returns
    -------
    opened : pyarrow.Array of binary
        The plaintexts; null where the cell is null or does not open.
    good : ndarray of shape (n,), bool
        False where the cell does not open.
    """
    source = Cells.of(cells)
    data = datums(associated_data, len(source))
    output = Output(source, lambda rows: np.maximum(source.lengths(rows) - TAG, 0), text=False)
    good = np.ones(len(source), np.bool_)

    def work(start: int, stop: int) -> None:
        siv = Siv(key, data)
        for span in spans(start, stop):
            for batch in source.batches(span):
                lengths = np.maximum(batch.lengths - TAG, 0)
                width = width_of(lengths)
                plain = np.empty((len(lengths), width), np.uint8)
                sealed = source.matrix(batch, TAG + width)
                opens = siv.open(sealed, 0, lengths, siv.vectors(batch.rows), plain)
                good[batch.rows] = opens & (batch.lengths >= TAG)
                output.scatter(batch, plain, 0, stop)

    in_halves(work, len(source))
    return output.finish(good), good


def prf(
    key: bytes, cells: pa.Array[Any], associated_data: Sequence[bytes | pa.Array[Any]] = ()
) -> npt.NDArray[np.uint8]:
    """Give the synthetic IV of every cell: S2V (section 2.4), a pseudorandom function of the data and the cell.

    Returns
    -------
    ndarray of shape (n, 16), uint8
        Zeros where the cell is null.
    """
    source = Cells.of(cells)
    data = datums(associated_data, len(source))
    tags = np.zeros((len(source), TAG), np.uint8)

    def work(start: int, stop: int) -> None:
        siv = Siv(key, data)
        for span in spans(start, stop):
            for batch in source.batches(span):
                plain = source.matrix(batch, width_of(batch.lengths))
                tags[batch.rows] = siv.tags(plain, batch.lengths, siv.vectors(batch.rows)).view(np.uint8)

    in_halves(work, len(source))
    return tags


def datums(associated_data: Sequence[bytes | pa.Array[Any]], count: int) -> list[bytes | Cells]:
    """Check associated data, and view those that are columns."""
    if len(associated_data) > _MOST_DATA:
        raise ParameterError(f"associated_data: {len(associated_data)} strings; at most {_MOST_DATA} are allowed.")
    data = [datum if isinstance(datum, bytes) else Cells.of(datum) for datum in associated_data]
    for datum in data:
        if isinstance(datum, Cells) and (len(datum) != count or datum.valid is not None):
            raise InputError("associated_data: a column needs one string for each cell, and none of them null.")
    return data


def width_of(lengths: Lengths) -> int:
    """Give the bytes of the whole blocks that hold the longest of some cells, at least one block."""
    return max(BLOCK, -(-int(lengths.max(initial=0)) // BLOCK) * BLOCK)


class Siv:
    """One key and its associated data, over matrices of cells: a row begins with its cell, and what follows is ignored.

    Parameters
    ----------
    key : bytes
        32, 48 or 64 bytes.
    data : list of bytes or Cells
        The associated data.
    """

    def __init__(self, key: bytes, data: Sequence[bytes | Cells]) -> None:
        if len(key) not in _KEY_LENGTHS:
            raise ParameterError(f"key: is {len(key)} bytes long; allowed are 32, 48 and 64.")
        self._mac_key, self._ctr_key = AES(key[: len(key) // 2]), AES(key[len(key) // 2 :])
        # ECB over a buffer is only the block permutation inside of the standard modes CMAC and CTR.
        self._mac = Cipher(self._mac_key, ECB()).encryptor()  # noqa: S305 - see above
        self._ctr = Cipher(self._ctr_key, ECB()).encryptor()  # noqa: S305 - see above
        self._k1 = _double(permute(self._mac, np.zeros((1, 2), np.uint64)))  # RFC 4493, section 2.3
        self._last = _PAD ^ _double(self._k1)
        self._last[BLOCK] = self._k1
        self._vector = self._constant(bytes(BLOCK))
        self._data: list[Blocks | Cells] = [
            datum if isinstance(datum, Cells) else self._constant(datum) for datum in data
        ]
        while self._data and not isinstance(first := self._data[0], Cells):
            self._vector = _double(self._vector) ^ first
            self._data = self._data[1:]
        self._finals = {blocks: self._final(self._vector, _ENDS, blocks) for blocks in (1, 2)}

    def vectors(self, rows: Rows) -> Blocks:
        """Give S2V's value before the plaintext comes in: a block for all rows, or one for each."""
        vector = self._vector
        for datum in self._data:
            mac = self._column(datum, rows) if isinstance(datum, Cells) else datum
            vector = _double(vector) ^ mac
        return vector

    def with_nonces(self, vectors: Blocks, nonces: Blocks) -> Blocks:
        """Take in one more string of 16 bytes for each row: the nonce, always the last (section 3)."""
        return _double(vectors) ^ permute(self._mac, nonces ^ self._k1)

    def seal(self, plain: Bytes, lengths: Lengths, vectors: Blocks, sealed: Bytes, at: int) -> None:
        """Write tag and ciphertext of each row into another matrix, from column `at` on; zeros follow up to a block."""
        for blocks, rows in _classes(lengths):
            vector, ends = _of_rows(vectors, rows), lengths[rows] - (blocks - 1) * BLOCK
            cells = _load(plain, 0, blocks, rows)
            keep = _take(_KEEP, ends)
            cells[-1] &= keep
            if _few(len(ends), blocks):
                tags = self._tag_each(cells, ends, vector)
                self._crypt_each(tags, cells)
            else:
                tags = self._tag(cells, ends, vector)
                self._crypt(tags, cells)
            cells[-1] &= keep
            _store(sealed, at, rows, tags, *cells)

    def open(self, sealed: Bytes, at: int, lengths: Lengths, vectors: Blocks, plain: Bytes) -> npt.NDArray[np.bool_]:
        """Write the plaintext of each row into another matrix, zeros where it does not open; tell which do.

        `lengths` are those of the plaintexts. All tags are computed and compared in full.
        """
        good = np.empty(len(lengths), np.bool_)
        for blocks, rows in _classes(lengths):
            vector, ends = _of_rows(vectors, rows), lengths[rows] - (blocks - 1) * BLOCK
            tags, *_ = cells = _load(sealed, at, 1 + blocks, rows)
            cells = cells[1:]
            if _few(len(ends), blocks):
                self._crypt_each(tags, cells)
                cells[-1] &= _take(_KEEP, ends)
                wrong = self._tag_each(cells, ends, vector) ^ tags
            else:
                self._crypt(tags, cells)
                cells[-1] &= _take(_KEEP, ends)
                wrong = self._tag(cells, ends, vector) ^ tags
            good[rows] = opens = (wrong[:, 0] | wrong[:, 1]) == 0
            if not opens.all():
                cells[:, ~opens] = 0
            _store(plain, 0, rows, *cells)
        return good

    def tags(self, plain: Bytes, lengths: Lengths, vectors: Blocks) -> Blocks:
        """Give the synthetic IV of each row."""
        tags = np.empty((len(lengths), 2), np.uint64)
        for blocks, rows in _classes(lengths):
            vector, ends = _of_rows(vectors, rows), lengths[rows] - (blocks - 1) * BLOCK
            cells = _load(plain, 0, blocks, rows)
            cells[-1] &= _take(_KEEP, ends)
            tag = self._tag_each if _few(len(ends), blocks) else self._tag
            tags[rows] = tag(cells, ends, vector)
        return tags

    def _constant(self, datum: bytes) -> Blocks:
        return np.frombuffer(self._cmac(datum), np.uint64).reshape(1, 2)

    def _column(self, column: Cells, rows: Rows) -> Blocks:
        """CMAC of a column of associated data."""
        count = len(column.lengths(rows))
        macs = np.empty((count, 2), np.uint64)
        for batch in column.batches(rows):
            found = np.empty((len(batch.lengths), 2), np.uint64)
            plain = column.matrix(batch, width_of(batch.lengths))
            for blocks, some in _classes(batch.lengths):
                ends = batch.lengths[some] - (blocks - 1) * BLOCK
                cells = _load(plain, 0, blocks, some)
                cells[-1] &= _take(_KEEP, ends)
                if _few(len(ends), blocks):
                    found[some] = [np.frombuffer(self._cmac(cell), np.uint64) for cell in _each(cells, ends)]
                else:
                    cells[-1] ^= _take(self._last, ends)
                    found[some] = self._chain(cells)
            macs[batch.places] = found
        return macs

    def _tag(self, cells: Blocks, ends: Lengths, vectors: Blocks) -> Blocks:
        """S2V over cells of one number of blocks: CMAC, once its end is mixed with the vector (section 2.4)."""
        if len(vectors) == 1:
            before, last = (_take(table, ends) for table in self._finals[min(len(cells), 2)])
        else:
            before, last = self._final(vectors, ends, len(cells))
        return self._chain(cells, before, last)

    def _final(self, vectors: Blocks, ends: Lengths, blocks: int) -> tuple[Blocks, Blocks]:
        """Give what the ends of S2V (xorend, or dbl and pad) and of CMAC (subkey, pad) XOR onto the last two blocks."""
        if blocks == 1:
            whole = (ends == BLOCK)[:, None]
            last = np.where(whole, vectors, _double(vectors)) ^ _take(_PAD, ends) ^ self._k1
            return last, last
        window = np.zeros((len(ends), 4), np.uint64)
        windows(window.view(np.uint8).reshape(-1), BLOCK)[np.arange(0, 32 * len(ends), 32) + ends] = vectors.view(
            "V16"
        )[:, 0]
        return np.ascontiguousarray(window[:, :2]), window[:, 2:] ^ _take(self._last, ends)

    def _chain(self, cells: Blocks, before: Blocks | None = None, last: Blocks | None = None) -> Blocks:
        """CBC-MAC down the blocks: one call of the cipher for each block position of all cells."""
        mixins = dict(zip((len(cells) - 1, len(cells) - 2), (last, before), strict=True))
        state: Blocks = cells[0]
        for position, block in enumerate(cells):
            mixed = np.bitwise_xor(block, state, out=state) if position else block
            mixin = mixins.get(position)
            if mixin is not None:
                mixed = np.bitwise_xor(mixed, mixin, out=mixin)
            state = permute(self._mac, mixed)
        return state

    def _crypt(self, tags: Blocks, cells: Blocks) -> None:
        """CTR from each row's own counter (section 2.5), in place: one call of the cipher for all blocks."""
        counters = np.empty_like(cells)
        counters[0] = tags
        counters[0, :, 1] &= _UNCARRIED
        counters[1:] = counters[0]
        low = counters[0, :, 1].view(_ORDERED).astype(np.uint64)
        for counter in counters[1:]:
            low += np.uint64(1)
            counter[:, 1] = low.astype(_ORDERED).view(np.uint64)
        cells ^= permute(self._ctr, counters)

    def _tag_each(self, cells: Blocks, ends: Lengths, vectors: Blocks) -> Blocks:
        """S2V, a cell at a time."""
        tags = np.empty((len(ends), 2), np.uint64)
        for row, cell in enumerate(_each(cells, ends)):
            vector = _of_rows(vectors, slice(row, row + 1))
            if len(cell) >= BLOCK:
                mixed = cell[:-BLOCK] + _xor(cell[-BLOCK:], vector.tobytes())
            else:
                mixed = _xor(cell + b"\x80" + bytes(BLOCK - 1 - len(cell)), _double(vector).tobytes())
            tags[row] = np.frombuffer(self._cmac(mixed), np.uint64)
        return tags

    def _crypt_each(self, tags: Blocks, cells: Blocks) -> None:
        """CTR, a cell at a time, in place."""
        for row, (high, low) in enumerate(tags):
            counter = CTR(np.array([high, low & _UNCARRIED]).tobytes())
            stream = Cipher(self._ctr_key, counter).encryptor().update(bytes(BLOCK * len(cells)))
            cells[:, row] ^= np.frombuffer(stream, np.uint64).reshape(-1, 2)

    def _cmac(self, message: bytes) -> bytes:
        mac = CMAC(self._mac_key)
        mac.update(message)
        return mac.finalize()


def _classes(lengths: Lengths) -> Iterator[tuple[int, Rows]]:
    """Sort rows by the number of blocks of their cells; an empty cell has one."""
    blocks = np.maximum((lengths + (BLOCK - 1)) // BLOCK, 1)
    least, most = int(blocks.min()), int(blocks.max())
    if least == most:
        yield most, slice(None)
        return
    for some in np.unique(blocks).tolist():
        yield some, np.flatnonzero(blocks == some)


def _few(cells: int, blocks: int) -> bool:
    """Whether a cipher object for each cell costs less than the calls over a column of them."""
    return cells < FEW[0] + FEW[1] * blocks


FEW = (8, 4)


def _load(matrix: Bytes, at: int, blocks: int, rows: Rows) -> Blocks:
    """Copy blocks of some rows so that those of one position lie together: shape (blocks, rows, 2)."""
    cells = np.ascontiguousarray(records(matrix, at, blocks * BLOCK)[rows])
    # As complex numbers, for these are 16 bytes that numpy copies at once.
    return cells.view(np.complex128).reshape(-1, blocks).T.copy().view(np.uint64).reshape(blocks, -1, 2)


def _store(matrix: Bytes, at: int, rows: Rows, *blocks: Blocks) -> None:
    """Write blocks one after the other into some rows, from column `at` on."""
    cells = np.empty((len(blocks[0]), len(blocks)), np.complex128)
    for position, block in enumerate(blocks):
        cells[:, position] = block.view(np.complex128)[:, 0]
    width = len(blocks) * BLOCK
    records(matrix, at, width)[rows] = cells.view(f"V{width}")[:, 0]


def _each(cells: Blocks, ends: Lengths) -> Iterator[bytes]:
    length = (len(cells) - 1) * BLOCK
    for row, end in enumerate(ends.tolist()):
        yield cells[:, row].tobytes()[: length + end]


def _of_rows(vectors: Blocks, rows: Rows) -> Blocks:
    return vectors if len(vectors) == 1 else vectors[rows]


def _take(table: Blocks, ends: Lengths) -> Blocks:
    return np.take(table, ends, axis=0)


def permute(cipher: Any, blocks: Blocks) -> Blocks:
    """Put every block through the cipher."""
    out = np.empty(blocks.nbytes + BLOCK - 1, np.uint8)  # the library asks for the room of one more block
    cipher.update_into(blocks.view(np.uint8).reshape(-1), out)
    return out[: blocks.nbytes].view(np.uint64).reshape(blocks.shape)


def _double(blocks: Blocks) -> Blocks:
    """Multiply by x in GF(2^128) (section 2.3)."""
    high, low = (blocks[:, word].view(_ORDERED).astype(np.uint64) for word in (0, 1))
    doubled = np.empty(blocks.shape, _ORDERED)
    doubled[:, 0] = high << np.uint64(1) | low >> np.uint64(63)
    doubled[:, 1] = low << np.uint64(1) ^ (high >> np.uint64(63)) * np.uint64(0x87)
    return doubled.view(np.uint64)


def _xor(a: bytes, b: bytes) -> bytes:
    return (int.from_bytes(a) ^ int.from_bytes(b)).to_bytes(len(a))
