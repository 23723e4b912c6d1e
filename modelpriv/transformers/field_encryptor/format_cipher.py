"""How FieldEncryptor preserves a format: FF1 encrypts some characters of a cell, and the others stay in place."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv._columns.arrow import Array, ArrowType, Bound, pc
from modelpriv._columns.cells import enc_rows
from modelpriv._columns.dtypes import is_text
from modelpriv._core import events
from modelpriv._core.checks import plural
from modelpriv.errors import InputError, ParameterError
from modelpriv.kernels.aes import ff1
from modelpriv.kernels.aes.ragged import Cells, records, windows
from modelpriv.keys.derivation import enc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from modelpriv._columns.arrow import Array, Bound
    from modelpriv._columns.frame import Column
    from modelpriv.keys import AnyKeyring

__all__ = ["ALPHABETS", "FormatCipher", "check_text", "letters_of"]

ALPHABETS = {
    "digits": string.digits,
    "letters": string.ascii_letters,
    "alphanumeric": string.digits + string.ascii_letters,
    "hex": string.hexdigits[:16],
}

_KEY_LENGTH = 32  # AES-256


@dataclass(frozen=True, slots=True)
class FormatCipher:
    """How the cells of one context are encrypted and decrypted without leaving their format."""

    keys: AnyKeyring
    pinned: str
    context: str
    alphabet: str
    keep: str = ""
    keep_first: int = 0
    keep_last: int = 0
    check_digit: bool = False

    def seal(self, column: Column, bound: Bound, *, key_id: str) -> Array:
        """Return the column with its cells encrypted under one key of the ring."""
        return self._apply(ff1.encrypt, column, bound, key_id)

    def open(self, column: Column, bound: Bound, *, type_: ArrowType, failures: str = "raise") -> Array:  # noqa: ARG002 - one face
        """Return the column decrypted under the pinned key; a wrong key gives other cells, and no error."""
        events.note_columns([column.name], len(column.data))
        events.note_keys(self.pinned)
        cells = self._apply(ff1.decrypt, column, bound, self.pinned)
        return cells if type_ is None else cells.cast(type_)  # between two types of text

    def reseal(self, column: Column, bound: Bound, *, key_id: str) -> Array:
        """Return the column under another key of the ring than the pinned one."""
        return self.seal(replace(column, data=self.open(column, bound, type_=None)), bound, key_id=key_id)

    def stale(self, column: Column, *, key_id: str) -> bool:  # noqa: ARG002 - what is encrypted so names no key
        """Tell whether the pinned key is another one than this."""
        return self.pinned != key_id

    def _apply(self, cipher: Callable[..., Any], column: Column, bound: Bound, key_id: str) -> Array:
        if pa.types.is_null(column.data.type):
            return column.data.cast(pa.string())
        check_text(column)
        apply = self._keyed(cipher, key_id)
        numbers = self._numbers()
        text = _ascii_or_not(column.data, self.alphabet)
        for rows in text.alike():
            points = text.read(rows)
            numerals = numbers[np.minimum(points, len(numbers) - 1)]
            self._refuse_strange(numerals, column, rows)
            for part in _of_one_shape(numerals < len(self.alphabet)):
                own = bound if isinstance(bound, bytes) else bound.take(pa.array(rows[part]))
                chosen = self._choose(numerals[part], column, rows[part])
                points[part] = self._encrypt(apply, points[part], numerals[part], chosen, own)
            text.write(rows, points)
        return text.finish()

    def _keyed(self, cipher: Callable[..., Any], key_id: str) -> Callable[[Any, Any], Any]:
        """Give the cipher its key: a function shows nothing where a traceback's locals are recorded."""
        key = self.keys.working_key("ff1", context=self.context, length=_KEY_LENGTH, key_id=key_id)
        return lambda numerals, tweak: cipher(key, len(self.alphabet), numerals, tweak)

    def _numbers(self) -> npt.NDArray[Any]:
        """Return each character's number in the alphabet by code point; beyond the alphabet: kept, then strange."""
        radix = len(self.alphabet)
        known = {ord(letter): number for number, letter in enumerate(self.alphabet)}
        known |= dict.fromkeys(map(ord, self.keep), radix)
        numbers = np.full(max(known) + 2, radix + 1, dtype=np.min_scalar_type(radix + 1))
        numbers[list(known)] = list(known.values())
        return numbers

    def _refuse_strange(self, numerals: npt.NDArray[Any], column: Column, rows: npt.NDArray[Any]) -> None:
        strange = (numerals > len(self.alphabet)).any(1)
        _refuse(strange, column, rows, "with characters that are in neither alphabet= nor keep=")

    def _choose(self, numerals: npt.NDArray[Any], column: Column, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the places that are encrypted in cells of one shape, and refuse cells that do not have the format."""
        places = np.flatnonzero(numerals[0] < len(self.alphabet))
        if self.check_digit:
            wrong = _luhn_sum(numerals[:, places]) % 10 != 0 if len(places) else np.ones(len(rows), bool)
            _refuse(wrong, column, rows, "without a valid Luhn check digit")
        chosen = places[self.keep_first : max(len(places) - self.keep_last - self.check_digit, 0)]
        least = max(2, next(n for n in range(1, 21) if len(self.alphabet) ** n >= ff1.LEAST_VALUES))
        why = f"with fewer than {least} characters to encrypt, so few that all values could be tried"
        _refuse(np.full(len(rows), len(chosen) < least), column, rows, why)
        return chosen

    def _encrypt(
        self,
        cipher: Callable[[Any, Any], Any],
        points: npt.NDArray[Any],
        numerals: npt.NDArray[Any],
        chosen: npt.NDArray[Any],
        bound: Bound,
    ) -> npt.NDArray[Any]:
        """Encrypt the chosen places; all else of a cell, but its check digit, is the tweak."""
        places = np.flatnonzero(numerals[0] < len(self.alphabet))
        kept = np.setdiff1d(np.arange(points.shape[1]), [*chosen, *places[len(places) - self.check_digit :]])
        letters = np.array([ord(letter) for letter in self.alphabet], dtype=points.dtype)
        changed = cipher(np.ascontiguousarray(numerals[:, chosen]), _tweak(points, kept, bound))
        points[:, chosen] = letters[changed]
        if self.check_digit:
            digits = numerals[:, places]
            digits[:, self.keep_first : -1] = changed
            digits[:, -1] = 0
            points[:, places[-1]] = letters[(10 - _luhn_sum(digits) % 10) % 10]
        return points


def check_text(column: Column) -> None:
    """Refuse a column that holds anything but text: a number has no leading zeros, and so no format."""
    if not is_text(column.data.type) and not pa.types.is_null(column.data.type):
        raise InputError(
            f"Column {column.name!r} has dtype {column.dtype}, but mode='format-preserving' takes text. Convert it "
            "to text with the leading zeros that belong to it, or use another mode."
        )


def letters_of(alphabet: object) -> str:
    """Return the letters of an alphabet that is given by name or as a text of its letters, or refuse it."""
    letters = ALPHABETS.get(alphabet, alphabet) if isinstance(alphabet, str) else alphabet
    names = ", ".join(map(repr, ALPHABETS))
    if not isinstance(letters, str) or len(letters) < 2:  # noqa: PLR2004 - a radix is at least 2
        raise ParameterError(f"alphabet must be one of {names}, or a text of at least two letters.")
    if len(set(letters)) < len(letters) or len(letters) > 2**16 or any(map(_is_no_letter, letters)):
        raise ParameterError(
            f"alphabet must be one of {names}, or a text of up to 65536 different letters, without NUL and surrogates."
        )
    return letters


def _is_no_letter(letter: str) -> bool:
    """Tell whether a letter cannot be in a cell: arrays of text drop a NUL at the end, and UTF-8 has no surrogates."""
    return letter == "\0" or "\ud800" <= letter <= "\udfff"


def _ascii_or_not(cells: Array, alphabet: str) -> _Ascii | _Unicode:
    same = pc.sum(pc.binary_length(cells)).as_py() == pc.sum(pc.utf8_length(cells)).as_py()
    return _Ascii(cells) if same and alphabet.isascii() else _Unicode(cells)


class _Ascii:
    """Cells as matrices of characters, straight from Arrow's bytes: half the time of format-preserving encryption."""

    def __init__(self, cells: Array) -> None:
        self._cells, self._from = cells, Cells.of(cells)
        # Fresh memory: what Arrow keeps under a null, or around a slice, must not come out.
        self._to: Any = np.zeros(len(self._from.data), np.uint8)
        self._lengths = self._from.lengths(slice(None))

    def alike(self) -> Iterator[Any]:
        """Yield rows whose cells have one length."""
        return _alike(self._lengths, self._from.valid)

    def read(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return self._windows(self._from.data, rows).view(np.uint8).reshape(len(rows), -1)

    def write(self, rows: npt.NDArray[Any], points: npt.NDArray[Any]) -> None:
        length = points.shape[1]
        windows(self._to, length)[self._from.offsets[rows]] = records(points, 0, length)

    def finish(self) -> Array:
        validity, offsets, _ = self._cells.buffers()
        buffers = [validity, offsets, pa.py_buffer(self._to)]
        return pa.Array.from_buffers(self._cells.type, len(self._cells), buffers, offset=self._cells.offset)

    def _windows(self, data: npt.NDArray[np.uint8], rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return windows(data, int(self._lengths[rows[0]]))[self._from.offsets[rows]]


class _Unicode:
    """Cells as matrices of code points, by way of numpy's text."""

    def __init__(self, cells: Array) -> None:
        self._cells = cells
        self._lengths = pc.utf8_length(cells).fill_null(0).to_numpy(zero_copy_only=False)
        self._to = np.full(len(cells), None, dtype=object)

    def alike(self) -> Iterator[Any]:
        """Yield rows whose cells have one length."""
        valid = self._cells.is_valid().to_numpy(zero_copy_only=False) if self._cells.null_count else None
        return _alike(self._lengths, valid)

    def read(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        length = int(self._lengths[rows[0]])
        text = np.array(self._cells.take(pa.array(rows)).to_pylist(), dtype=f"U{max(length, 1)}")
        return text.view(np.uint32).reshape(len(rows), -1)[:, :length]

    def write(self, rows: npt.NDArray[Any], points: npt.NDArray[Any]) -> None:
        self._to[rows] = np.ascontiguousarray(points).view(f"U{points.shape[1]}").ravel().tolist()

    def finish(self) -> Array:
        return pa.array(self._to, self._cells.type)


def _alike(lengths: npt.NDArray[Any], valid: Any) -> Iterator[Any]:
    """Yield rows of one length, in blocks whose matrices stay in cache."""
    known = lengths if valid is None else lengths[valid]
    for length in np.unique(known):
        rows = np.flatnonzero(lengths == length if valid is None else (lengths == length) & valid)
        for start in range(0, len(rows), _ROWS):
            yield rows[start : start + _ROWS]


def _of_one_shape(mask: npt.NDArray[Any]) -> Iterator[Any]:
    """Yield the rows that have letters of the alphabet at the same places; usually these are all rows."""
    if (mask == mask[:1]).all():
        yield slice(None)
        return
    packed = np.packbits(mask, axis=1)
    _, shapes = np.unique(packed.view(f"V{packed.shape[1]}").ravel(), return_inverse=True)
    for shape in range(int(shapes.max()) + 1):
        yield np.flatnonzero(shapes == shape)


def _tweak(points: npt.NDArray[Any], kept: npt.NDArray[Any], bound: Bound) -> Bound:
    """Return `enc(kept characters with their positions, bound)`: a constant where all rows have the same."""
    pairs = np.empty((len(points), len(kept), 2), dtype=">u4")
    pairs[..., 0], pairs[..., 1] = kept, points[:, kept]
    rows: Any = pairs.reshape(len(points), -1)
    if isinstance(bound, bytes) and (rows == rows[:1]).all():
        return enc(rows[0].tobytes(), bound)
    fixed = pa.Array.from_buffers(pa.binary(8 * len(kept)), len(rows), [None, pa.py_buffer(rows)]).cast(pa.binary())
    return enc_rows(fixed, bound)


def _luhn_sum(digits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the Luhn sum (ISO/IEC 7812-1, annex B) of each row of digits: every second from the right is doubled."""
    return digits[:, ::-2].sum(1, dtype=np.int64) + _DOUBLED[digits[:, -2::-2]].sum(1, dtype=np.int64)


def _refuse(bad: Any, column: Column, rows: npt.NDArray[Any], why: str) -> None:
    if bad.any():
        cells, row = plural(int(bad.sum()), "cell"), int(rows[bad.argmax()])
        raise InputError(
            f"Column {column.name!r}: {cells} {why}, the first in row {row}. Correct or drop them, or use another mode."
        )


_ROWS = 8192
_DOUBLED = np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9])  # the sum of the digits of a doubled digit
