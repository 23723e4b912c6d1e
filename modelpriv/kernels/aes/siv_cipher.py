"""AES-SIV (RFC 5297) over a batch of cells: one call of the block cipher for each block position of all cells.

The cells are sorted by their number of blocks, the fewest first. At each block position, those that still have a block
there are the last rows of the matrix, so that each step works on one contiguous piece::

    cell        blocks              CBC-MAC, one call of the cipher for each column
    "Oslo"      [Oslo....]          step 0: three blocks
    "Ada L.."   [Ada Love][lace....]        step 1: two blocks
    "Grace.."   [Grace Ho][pper,...][1906....]      step 2: one block

S2V mixes the strings that are the same for all cells once, and CTR runs down the same columns. The few cells that are
so long that no other has as many blocks go to the library one by one: `_sorted` says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC

from modelpriv.errors import ParameterError
from modelpriv.kernels.aes.ragged import BLOCK, Cells, CipherBlocks, Order, windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelpriv.kernels.aes.ragged import Bytes, Lengths, Rows

__all__ = ["TAG", "Siv", "permute", "width_of"]

TAG = 16

_KEY_LENGTHS = (32, 48, 64)
_LONG = 128  # blocks: longer cells always go to the library

# Microseconds, measured on two cores with VAES. Only their ratios matter: where they are wrong by a factor of two, the
# split is in another place and a column takes some percent longer. `python -m benchmarks field_encryption` has rows
# with few long cells, which show what the split gains.
_CELL_COST = 2.5  # one call of the library's AES-SIV
_POSITION_COST = 11  # one block position of a batch: two calls of the cipher
_COLUMN_COST = 25  # a batch, however short

_NUMBERS = np.arange(_LONG + 1)
_ORDERED = np.dtype(">u8")

_ENDS = np.arange(BLOCK + 1)  # how many bytes of a last block belong to the cell
_KEEP = np.where(np.arange(BLOCK) < _ENDS[:, None], 0xFF, 0).astype(np.uint8).view(np.uint64)
_PAD = np.where(np.arange(BLOCK) == _ENDS[:, None], 0x80, 0).astype(np.uint8).view(np.uint64)
# "Zero out the 31st and 63rd bits" (section 2.6): those that would carry from one word of the counter to the next.
_UNCARRIED = np.frombuffer(bytes.fromhex("7fffffff7fffffff"), np.uint64)[0]


class Siv:
    """One key and its associated data, over matrices of cells: one of these for each thread."""

    def __init__(self, key: bytes, data: Sequence[bytes | Cells]) -> None:
        if len(key) not in _KEY_LENGTHS:
            raise ParameterError(f"key: is {len(key)} bytes long; allowed are 32, 48 and 64.")
        self._library, self._data, self._key = AESSIV(key), data, key

    def seal(
        self, rows: Rows, plain: Bytes, lengths: Lengths, sealed: Bytes, at: int, *, nonces: CipherBlocks | None = None
    ) -> None:
        """Write tags and ciphertexts into a matrix of zeros, from column `at` on.

        Parameters
        ----------
        rows : slice or ndarray
            Which rows of the column these are.
        plain : ndarray of shape (n, width), uint8
            The plaintexts; the bytes behind them are ignored.
        lengths : ndarray of shape (n,)
            Lengths of the plaintexts.
        sealed : ndarray of shape (n, at + 16 + width or more), uint8
            Where the results go.
        at : int
            The column in which they begin.
        nonces : ndarray of shape (n, 2), uint64, optional
            One more string for each row: the nonce, always the last (section 3).
        """
        order, singles = _sorted(lengths)
        if len(order):
            self._prepare()
            cells = order.load(plain, 0)
            keep = _clear(cells, order)
            tags = self._tags(cells, order, self._vectors(rows, nonces))
            self._crypt(tags, cells)
            _clear(cells, order, keep)
            order.store(sealed, at, [tags, *cells])
        for place in singles:
            whole = self._seal_one(rows, place, plain, lengths, nonces)
            sealed[place, at : at + len(whole)] = np.frombuffer(whole, np.uint8)

    def open(
        self, rows: Rows, sealed: Bytes, at: int, lengths: Lengths, plain: Bytes, *, nonces: CipherBlocks | None = None
    ) -> npt.NDArray[np.bool_]:
        """Write the plaintexts of what `seal` gave into a matrix of zeros, where they open, and tell which do.

        `lengths` are those of the plaintexts. Every tag is computed, and compared in full.
        """
        good = np.zeros(len(lengths), np.bool_)
        order, singles = _sorted(lengths)
        if len(order):
            self._prepare()
            tags = order.column(sealed, at)
            cells = order.load(sealed, at + TAG)
            self._crypt(tags, cells)
            _clear(cells, order)
            wrong = self._tags(cells, order, self._vectors(rows, nonces)) ^ tags
            good[order.places] = opens = (wrong[:, 0] | wrong[:, 1]) == 0
            if not opens.all():
                for blocks in cells:
                    blocks[~opens[-len(blocks) :]] = 0
            order.store(plain, 0, cells)
        for place in singles:
            whole = sealed[place, at : at + TAG + lengths[place]].tobytes()
            try:
                cell = self._library.decrypt(whole, self._strings(rows, place, nonces))
            except InvalidTag:
                continue
            plain[place, : len(cell)] = np.frombuffer(cell, np.uint8)
            good[place] = True
        return good

    def tags(self, rows: Rows, plain: Bytes, lengths: Lengths) -> Bytes:
        """Give the synthetic IV of each row, shape (n, 16)."""
        tags = np.empty((len(lengths), TAG), np.uint8)
        order, singles = _sorted(lengths)
        if len(order):
            self._prepare()
            cells = order.load(plain, 0)
            _clear(cells, order)
            order.store(tags, 0, [self._tags(cells, order, self._vectors(rows))])
        for place in singles:
            tags[place] = np.frombuffer(self._seal_one(rows, place, plain, lengths, None)[:TAG], np.uint8)
        return tags

    def _prepare(self) -> None:
        """Make what whole columns need, once; where the library seals all cells, it would take longer than they do."""
        if hasattr(self, "_final_short"):  # set last
            return
        half = len(self._key) // 2
        self._mac_key, ctr_key = AES(self._key[:half]), AES(self._key[half:])
        # ECB over a buffer is only the block permutation inside of the standard modes CMAC and CTR.
        self._mac = Cipher(self._mac_key, ECB()).encryptor()  # noqa: S305 - see above
        self._ctr = Cipher(ctr_key, ECB()).encryptor()  # noqa: S305 - see above
        self._k1 = _double(permute(self._mac, np.zeros((1, 2), np.uint64)))  # RFC 4493, section 2.3
        self._last = _PAD ^ _double(self._k1)
        self._last[BLOCK] = self._k1
        # S2V runs over the strings that are the same for all cells once, and from the first column on in each batch.
        self._vector, self._rest = self._cmac(bytes(BLOCK)), list[CipherBlocks | Cells]()
        for datum in self._data:
            mac = datum if isinstance(datum, Cells) else self._cmac(datum)
            if self._rest or isinstance(mac, Cells):
                self._rest.append(mac)
            else:
                self._vector = _double(self._vector) ^ mac
        same = np.repeat(self._vector, len(_ENDS), axis=0)
        self._before, self._final_long = self._ends(same, _ENDS, 0)
        _, self._final_short = self._ends(same, _ENDS, len(_ENDS))

    def _seal_one(self, rows: Rows, place: int, plain: Bytes, lengths: Lengths, nonces: CipherBlocks | None) -> bytes:
        return self._library.encrypt(plain[place, : lengths[place]].tobytes(), self._strings(rows, place, nonces))

    def _strings(self, rows: Rows, place: int, nonces: CipherBlocks | None) -> list[bytes]:
        """Give the associated data of one row."""
        row = rows.start + place if isinstance(rows, slice) else int(rows[place])
        strings = [datum.cell(row) if isinstance(datum, Cells) else datum for datum in self._data]
        return strings if nonces is None else [*strings, nonces[place].tobytes()]

    def _vectors(self, rows: Rows, nonces: CipherBlocks | None = None) -> CipherBlocks:
        """Give S2V's value before the plaintext comes in: a block for all rows, or one for each."""
        vectors = self._vector
        for datum in self._rest:
            mac = self._macs(datum, rows) if isinstance(datum, Cells) else datum
            vectors = _double(vectors) ^ mac
        if nonces is not None:
            vectors = _double(vectors) ^ permute(self._mac, nonces ^ self._k1)  # CMAC of one whole block
        return vectors

    def _macs(self, column: Cells, rows: Rows) -> CipherBlocks:
        """CMAC of the cells of a column."""
        macs = np.empty((len(column.lengths(rows)), BLOCK), np.uint8)
        for batch in column.batches(rows):
            plain = column.matrix(batch, width_of(batch.lengths))
            found = np.empty((len(plain), BLOCK), np.uint8)
            order, singles = _sorted(batch.lengths)
            if len(order):
                cells = order.load(plain, 0)
                _clear(cells, order)
                order.store(found, 0, [self._chain(cells, order, _take(self._last, order.ends))])
            for place in singles:
                found[place] = self._cmac(plain[place, : batch.lengths[place]].tobytes()).view(np.uint8)
            macs[batch.places] = found
        return macs.view(np.uint64)

    def _cmac(self, message: bytes) -> CipherBlocks:
        mac = CMAC(self._mac_key)
        mac.update(message)
        return np.frombuffer(mac.finalize(), np.uint64).reshape(1, 2)

    def _tags(self, cells: list[CipherBlocks], order: Order, vectors: CipherBlocks) -> CipherBlocks:
        """S2V: CMAC of the cells, once their ends are mixed with the vectors (section 2.4)."""
        short = order.firsts[1]
        if len(vectors) == 1:
            before, last = _take(self._before, order.ends), _take(self._final_long, order.ends)
            last[:short] = _take(self._final_short, order.ends[:short])
        else:
            chosen = vectors if isinstance(order.places, slice) else _take(vectors, order.places)
            before, last = self._ends(chosen, order.ends, short)
        return self._chain(cells, order, last, before)

    def _ends(self, vectors: CipherBlocks, ends: Lengths, short: int) -> tuple[CipherBlocks, CipherBlocks]:
        """Give what the ends of S2V (xorend, or dbl and pad) and of CMAC (subkey, pad) XOR onto the last two blocks.

        The first `short` cells have one block.
        """
        window = np.zeros((len(ends), 2 * BLOCK), np.uint8)
        places = np.arange(0, window.size, 2 * BLOCK) + ends
        windows(window.reshape(-1), BLOCK)[places] = vectors.view(f"V{BLOCK}")[:, 0]
        before, last = window.view(np.uint64)[:, :2].copy(), window.view(np.uint64)[:, 2:] ^ _take(self._last, ends)
        whole = (ends[:short] == BLOCK)[:, None]
        last[:short] = np.where(whole, vectors[:short], _double(vectors[:short])) ^ _take(_PAD, ends[:short]) ^ self._k1
        return before, last

    def _chain(
        self, cells: list[CipherBlocks], order: Order, last: CipherBlocks, before: CipherBlocks | None = None
    ) -> CipherBlocks:
        """CBC-MAC down the blocks: one call of the cipher for each block position of all cells."""
        macs = np.empty((len(order), 2), np.uint64)
        state = np.zeros_like(macs)
        for blocks, (first, end, next_end) in zip(cells, order.steps(), strict=True):
            mixed = blocks ^ state[-len(blocks) :]
            mixed[: end - first] ^= last[first:end]
            if before is not None:
                mixed[end - first : next_end - first] ^= before[end:next_end]
            state = permute(self._mac, mixed)
            macs[first:end] = state[: end - first]
        return macs

    def _crypt(self, tags: CipherBlocks, cells: list[CipherBlocks]) -> None:
        """CTR from each cell's own counter (section 2.5), in place."""
        counters = tags.copy()
        counters[:, 1] &= _UNCARRIED
        low = counters[:, 1].view(_ORDERED).astype(np.uint64)
        for position, blocks in enumerate(cells):
            some = counters[-len(blocks) :]
            if position:
                some[:, 1] = (low[-len(blocks) :] + np.uint64(position)).astype(_ORDERED).view(np.uint64)
            np.bitwise_xor(blocks, permute(self._ctr, some), out=blocks)


def permute(cipher: Any, blocks: CipherBlocks) -> CipherBlocks:
    """Put every block through a cipher in ECB mode."""
    out = np.empty(blocks.nbytes + BLOCK - 1, np.uint8)  # the library asks for so much room
    cipher.update_into(blocks.view(np.uint8).reshape(-1), out)
    return out[: blocks.nbytes].view(np.uint64).reshape(blocks.shape)


def _sorted(lengths: Lengths) -> tuple[Order, list[int]]:
    """Sort cells by their number of blocks (an empty one has one), apart from those that the library seals one by one.

    Few cells share a large number of blocks, so that a call of the cipher for each block position does not pay for
    them. The most blocks that the column way takes is where the sum of both ways costs least.
    """
    blocks = np.minimum((lengths + (BLOCK - 1)) >> 4, _LONG + 1).astype(np.uint8)
    np.maximum(blocks, 1, out=blocks)
    places = np.argsort(blocks, kind="stable")
    # How many cells have at most so many blocks, and what it costs to leave all others to the library.
    upto = np.searchsorted(blocks.take(places), _NUMBERS.astype(np.uint8), side="right")
    cost = _CELL_COST * (len(lengths) - upto) + _POSITION_COST * _NUMBERS + _COLUMN_COST * (_NUMBERS > 0)
    most = int(cost.argmin())
    count = int(upto[most])
    firsts = [*upto[:most].tolist(), count, count]
    ends = lengths - ((blocks.astype(np.intp) - 1) << 4)
    if count == len(lengths) and firsts[most - 1] == 0:
        return Order(slice(None), firsts, ends), []
    return Order(places[:count], firsts, ends.take(places[:count])), places[count:].tolist()


def _clear(cells: list[CipherBlocks], order: Order, keep: CipherBlocks | None = None) -> CipherBlocks:
    """Set the bytes behind each cell in its last block to zero."""
    keep = _take(_KEEP, order.ends) if keep is None else keep
    for blocks, (first, end, _) in zip(cells, order.steps(), strict=True):
        blocks[: end - first] &= keep[first:end]
    return keep


def _take(table: CipherBlocks, ends: Lengths) -> CipherBlocks:
    return np.take(table, ends, axis=0)


def _double(blocks: CipherBlocks) -> CipherBlocks:
    """Multiply by x in GF(2^128) (section 2.3)."""
    high, low = (blocks[:, word].view(_ORDERED).astype(np.uint64) for word in (0, 1))
    doubled = np.empty(blocks.shape, _ORDERED)
    doubled[:, 0] = high << np.uint64(1) | low >> np.uint64(63)
    doubled[:, 1] = low << np.uint64(1) ^ (high >> np.uint64(63)) * np.uint64(0x87)
    return doubled.view(np.uint64)


def width_of(lengths: Lengths) -> int:
    """Give the bytes of the whole blocks that hold the longest of some cells, at least one block."""
    return max(BLOCK, -(-int(lengths.max(initial=0)) // BLOCK) * BLOCK)
