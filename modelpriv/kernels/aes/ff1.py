"""FF1 format-preserving encryption (NIST SP 800-38G, section 5.1) over a whole column of numerals.

FF1 is a Feistel network of ten rounds over the two halves of a numeral string. For six decimal digits::

    123|456      A = 123, B = 456
    round 0      c = (A + F(0, B)) mod 10^3,  then A = B, B = c
    round 1      c = (A + F(1, B)) mod 10^3,  then A = B, B = c
    ...          after ten rounds, A and B side by side are the ciphertext

F is a CBC-MAC over the tweak, the round's number and B, stretched to as many bytes as the half needs. Here each half
of all rows is one column of numbers in limbs of 32 bits, and a round is one pass over the column: one call of the
cipher for each block position, and one addition modulo the radix's power.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from modelpriv._core.discreet import discreet
from modelpriv.errors import InputError, InputTypeError, ParameterError
from modelpriv.kernels.aes.ragged import Batch, Cells
from modelpriv.kernels.aes.siv_cipher import permute

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from modelpriv.kernels.aes.ragged import Bytes, Rows

__all__ = ["LEAST_VALUES", "decrypt", "encrypt"]

Words = npt.NDArray[np.uint64]
Limbs = list[Words]
Numerals = npt.NDArray[np.integer[Any]]

LEAST_VALUES = 1_000_000  # SP 800-38G Rev. 1, draft: of fewer, all can be tried

_RADIXES = range(2, 2**16 + 1)
_KEY_LENGTHS = (16, 24, 32)
_ROUNDS = range(10)
_ROWS = 8192  # rows whose temporaries stay in cache
_BLOCK = 16
_WORD = 2**32
_HALF, _LOW = np.uint64(32), np.uint64(_WORD - 1)
_ORDERED = np.dtype(">u8")


@discreet
def encrypt(key: bytes, radix: int, numerals: Numerals, tweak: bytes | pa.Array[Any] = b"") -> Numerals:
    """Encrypt a column of numeral strings of one length (algorithm 7).

    It maps the strings of that length onto themselves, another way for each tweak. It is not authenticated: under
    another key or tweak, or altered, a result opens to another valid string.

    Parameters
    ----------
    key : bytes
        16, 24 or 32 bytes.
    radix : int
        From 2 to 65536.
    numerals : ndarray of shape (n, length), integer
        Numerals from 0 to ``radix - 1``, the most significant first.
    tweak : bytes, or pyarrow.Array of binary or text of length n
        One for all rows, or one for each.

    Returns
    -------
    ndarray of shape (n, length), of the dtype of `numerals`

    Raises
    ------
    ParameterError
        The key has no length of AES, the radix is out of range, or fewer than 1,000,000 strings have this length.
    InputError, InputTypeError
        The numerals are no matrix of integers in range, or there is not one tweak for each row.
    """
    return _over_column(key, radix, numerals, tweak, forward=True)


@discreet
def decrypt(key: bytes, radix: int, numerals: Numerals, tweak: bytes | pa.Array[Any] = b"") -> Numerals:
    """Decrypt what `encrypt` gave under the same key, radix and tweaks (algorithm 8); all else is as there."""
    return _over_column(key, radix, numerals, tweak, forward=False)


def _over_column(
    key: bytes, radix: int, numerals: Numerals, tweak: bytes | pa.Array[Any], *, forward: bool
) -> Numerals:
    _check(key, radix, numerals)
    length = numerals.shape[1]
    left = length // 2
    systems = _System(radix, left), _System(radix, length - left)
    result = np.empty_like(numerals)
    for rows, tweaks in _batches(tweak, len(numerals)):
        some = numerals[rows]
        function = _RoundFunction(key, radix, length, tweaks, len(some))
        a, b = systems[0].read(some[:, :left]), systems[1].read(some[:, left:])
        for i in _ROUNDS if forward else reversed(_ROUNDS):
            target, other = systems[i % 2], systems[1 - i % 2]
            if forward:
                a, b = b, target.add(a, target.reduce(function(i, other.words(b))))
            else:
                a, b = target.subtract(b, target.reduce(function(i, other.words(a)))), a
        result[rows, :left], result[rows, left:] = systems[0].write(a), systems[1].write(b)
    return result


def _check(key: bytes, radix: int, numerals: Numerals) -> None:
    if len(key) not in _KEY_LENGTHS:
        raise ParameterError(f"key: is {len(key)} bytes long; allowed are 16, 24 and 32.")
    if radix not in _RADIXES:
        raise ParameterError(f"radix={radix}: allowed are 2 to 65536.")
    if numerals.ndim != 2 or numerals.dtype.kind not in "iu":  # noqa: PLR2004 - rows and their numerals
        raise InputTypeError(
            f"numerals: has {numerals.ndim} dimensions and dtype {numerals.dtype}; allowed is a matrix of integers, a "
            f"row for each numeral string."
        )
    length = numerals.shape[1]
    if length < 2 or radix**length < LEAST_VALUES:  # noqa: PLR2004 - FF1 needs two halves
        raise ParameterError(
            f"numerals: of length {length} and radix {radix} there are fewer than {LEAST_VALUES:,} strings, so that "
            f"all of them could be tried. Use longer strings."
        )
    if numerals.size and (int(numerals.min()) < 0 or int(numerals.max()) >= radix):
        raise InputError(f"numerals: some are not in the range of radix {radix}, 0 to {radix - 1}.")


def _batches(tweak: bytes | pa.Array[Any], count: int) -> Iterator[tuple[Rows, Bytes]]:
    """Cut rows into batches whose tweaks have one length; give these as a matrix: of one row, or one for each."""
    if isinstance(tweak, bytes):
        for start in range(0, count, _ROWS):
            yield slice(start, start + _ROWS), np.frombuffer(tweak, np.uint8).reshape(1, -1)
        return
    cells = Cells.of(tweak)
    if len(cells) != count or cells.valid is not None:
        raise InputError(f"tweak: {len(cells)} for {count} rows, or some are null; give one for each row.")
    lengths = cells.lengths(slice(None))
    for length in np.unique(lengths).tolist():
        alike = np.flatnonzero(lengths == length)
        for start in range(0, len(alike), _ROWS):
            rows = alike[start : start + _ROWS]
            yield rows, cells.matrix(Batch(rows, rows, lengths[rows]), length) if length else np.empty((1, 0), np.uint8)


class _System:
    """Numeral strings of one length as numbers, in limbs: each below a power of the radix, the least one first."""

    def __init__(self, radix: int, length: int) -> None:
        digits = max(count for count in range(1, 33) if radix**count <= _WORD)
        self._radix = np.uint64(radix)
        self._parts = [slice(max(stop - digits, 0), stop) for stop in range(length, 0, -digits)]
        self._moduli = [np.uint64(radix ** (part.stop - part.start)) for part in self._parts]

    def read(self, numerals: Numerals) -> Limbs:
        """Give the numbers that strings stand for (NUM)."""
        limbs = []
        for part in self._parts:
            limb = np.zeros(len(numerals), np.uint64)
            for digit in numerals[:, part].T:
                limb *= self._radix
                limb += digit.astype(np.uint64)
            limbs.append(limb)
        return limbs

    def write(self, limbs: Limbs) -> Words:
        """Give the strings that stand for numbers (STR)."""
        numerals = np.empty((self._parts[0].stop, len(limbs[0])), np.uint64)
        for part, limb in zip(self._parts, limbs, strict=True):
            rest = limb
            for digit in numerals[part][::-1]:
                quotient = rest // self._radix
                np.subtract(rest, quotient * self._radix, out=digit)
                rest = quotient
        return numerals.T

    def words(self, limbs: Limbs) -> Limbs:
        """Give numbers in binary: words of 32 bits, the least one first."""
        words: Limbs = []
        for limb, modulus in zip(reversed(limbs), reversed(self._moduli), strict=True):
            carry = limb
            for place, word in enumerate(words):
                shifted = word * modulus + carry
                words[place], carry = shifted & _LOW, shifted >> _HALF
            words.append(carry)
        return words

    def reduce(self, words: Limbs) -> Limbs:
        """Give binary numbers modulo ``radix**length``, from a word of 64 bits and more of 32, the least one last.

        The divisors are scalars, for which numpy multiplies: 1.2 ns, where its remainder takes 4.
        """
        limbs: Limbs = []
        for modulus in self._moduli:
            rest: Words = np.zeros((), np.uint64)
            for place, word in enumerate(words):
                dividend = rest << _HALF | word if place else word
                words[place] = dividend // modulus
                rest = dividend - words[place] * modulus
            limbs.append(rest)
        return limbs

    def add(self, a: Limbs, b: Limbs) -> Limbs:
        """Give the sums modulo ``radix**length``."""
        limbs, carry = [], np.uint64(0)
        for one, other, modulus in zip(a, b, self._moduli, strict=True):
            total = one + other + carry
            limb = np.minimum(total, total - modulus)  # below the modulus the difference wraps to more than the total
            carry = (limb != total).astype(np.uint64)
            limbs.append(limb)
        return limbs

    def subtract(self, a: Limbs, b: Limbs) -> Limbs:
        """Give the differences modulo ``radix**length``."""
        limbs, borrow = [], np.uint64(0)
        for one, other, modulus in zip(a, b, self._moduli, strict=True):
            difference = one - other - borrow
            limb = np.minimum(difference, difference + modulus)  # the same the other way round
            borrow = (limb != difference).astype(np.uint64)
            limbs.append(limb)
        return limbs


class _RoundFunction:
    """Steps 6.i to 6.iv of algorithm 7: from round and number to the number that is added to the other half.

    Only the last blocks of ``P || Q`` change from round to round; CBC-MAC runs over those before them once.
    """

    def __init__(self, key: bytes, radix: int, length: int, tweaks: Bytes, count: int) -> None:
        # ECB over a buffer is only the block permutation inside of the standard mode CBC-MAC.
        self._cipher = Cipher(AES(key), ECB()).encryptor()  # noqa: S305 - see above
        size = ((radix ** (length - length // 2) - 1).bit_length() + 7) // 8  # b: bytes of the larger half
        self._words = (size + 3) // 4 + 1  # d / 4
        rows, tweak_length = tweaks.shape
        zeros = -(tweak_length + size + 1) % _BLOCK
        q = np.zeros((rows, tweak_length + zeros + 1 + size), np.uint8)
        q[:, :tweak_length] = tweaks
        last = -(-(size + 1) // _BLOCK) * _BLOCK
        p = bytes([1, 2, 1, *radix.to_bytes(3), 10, length // 2 % 256, *length.to_bytes(4), *tweak_length.to_bytes(4)])
        fixed = np.hstack([np.broadcast_to(np.frombuffer(p, np.uint8), (rows, _BLOCK)), q[:, :-last]])
        state = np.zeros((rows, 2), np.uint64)
        for at in range(0, fixed.shape[1], _BLOCK):
            state = permute(self._cipher, state ^ np.ascontiguousarray(fixed[:, at : at + _BLOCK]).view(np.uint64))
        self._ends = np.ascontiguousarray(q[:, -last:])
        self._round_at = last - size - 1
        self._ends[:, :_BLOCK] ^= state.view(np.uint8)
        self._count = count

    def __call__(self, number: int, words: Limbs) -> Limbs:
        """Give the value as `_System.reduce` takes it."""
        words = words[: self._words - 1]  # those above are zero
        ends = self._ends.copy()
        ends[:, self._round_at] ^= number
        blocks = np.empty((ends.shape[1] // _BLOCK, self._count, 2), np.uint64)
        for column, end in enumerate(ends.view(np.uint64).T):
            blocks[column // 2, :, column % 2] = end
        for place in range(0, len(words), 2):
            pair = words[place] | words[place + 1] << _HALF if place + 1 < len(words) else words[place]
            column = 2 * len(blocks) - 1 - place // 2
            blocks[column // 2, :, column % 2] ^= pair.astype(_ORDERED).view(np.uint64)
        state = permute(self._cipher, blocks[0])
        for block in blocks[1:]:
            state = permute(self._cipher, block ^ state)
        return self._stretched(state)

    def _stretched(self, state: Words) -> Limbs:
        """Step 6.iii: the first d bytes of R || CIPH(R xor 1) || CIPH(R xor 2) || ..."""
        blocks = [state]
        for number in range(1, -(-4 * self._words // _BLOCK)):
            mask = np.frombuffer(number.to_bytes(_BLOCK), np.uint64)
            blocks.append(permute(self._cipher, state ^ mask))
        first, *others = (block[:, column].view(_ORDERED).astype(np.uint64) for block in blocks for column in (0, 1))
        halves = [half for other in others for half in (other >> _HALF, other & _LOW)]
        return [first, *halves][: self._words - 1]
