"""The cell token: a header that names version, mode and key, the sealed cell, and a strict text form."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pybase64
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from modelpriv.errors import ParameterError
from modelpriv.kernels.aes.distinct import repeats, seal_distinct
from modelpriv.kernels.aes.ragged import Batch, Cells, Output, chosen, records, spans, walk
from modelpriv.kernels.aes.siv import datums
from modelpriv.kernels.aes.siv_cipher import TAG, Siv, width_of
from modelpriv.kernels.aes.token_text import Truths, decode, text_length

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modelpriv.kernels.aes.ragged import Bytes, Lengths, Rows


__all__ = [
    "ALTERED",
    "NOT_A_TOKEN",
    "OK",
    "UNKNOWN_KEY",
    "WRONG_MODE",
    "Opened",
    "header",
    "is_padded",
    "key_ids",
    "open_",
    "seal",
]

OK, NOT_A_TOKEN, WRONG_MODE, UNKNOWN_KEY, ALTERED = range(5)

# The high half of the byte is version 1; the low half is the mode, and whether the plaintext is padded.
_MODES = {"deterministic": 0x11, "randomized": 0x12}
_PADDED = 0x08
_PADDED_START = ord("G")  # the first character of a padded token, of either mode
_HEADER, _NONCE = 5, 16
_HEADER_MASK = np.frombuffer(b"\xff" * _HEADER + bytes(3), np.uint64)


@dataclass(frozen=True)
class Opened:
    """What a column of tokens opened to.

    Attributes
    ----------
    verdict : ndarray of shape (n,), uint8
        `OK`, also for a null; or why the cell does not open: `NOT_A_TOKEN`, `WRONG_MODE`, `UNKNOWN_KEY`, `ALTERED`.
    tags : ndarray of shape (n,), uint8
        The first byte of the plaintext; 0 where the cell is null or does not open.
    cells : pyarrow.Array of binary
        The rest of it; null where the cell is null or does not open.
    """

    verdict: npt.NDArray[np.uint8]
    tags: npt.NDArray[np.uint8]
    cells: pa.Array[Any] = field(repr=False)


def header(mode: str, key_id: bytes, *, padded: bool = False) -> bytes:
    """Give a token's first five bytes: one for version, mode and padding, and the key id."""
    _check_mode(mode)
    if len(key_id) != _HEADER - 1:
        raise ParameterError(f"key_id: is {len(key_id)} bytes long; a key id has 4.")
    return bytes([_MODES[mode] | _PADDED * padded]) + key_id


def seal(
    key: bytes,
    cells: pa.Array[Any],
    *,
    header: bytes,
    associated_data: Sequence[bytes | pa.Array[Any]] = (),
    prefix: bytes = b"",
    pad: int | None = None,
) -> pa.Array[Any]:
    """Turn every cell into a token.

    Parameters
    ----------
    key : bytes
        A key of `siv.seal`.
    cells : pyarrow.Array of binary or text
        The cells.
    header : bytes
        What `header` gave; it is the first of the associated data. In mode "randomized" a nonce is the last.
    associated_data : sequence of bytes or pyarrow.Array of binary or text
        The data between them: each one for all cells, or one for each cell.
    prefix : bytes
        Comes before each cell in the plaintext.
    pad : int, optional
        Lengthen each plaintext to a multiple of so many bytes (ISO 7816-4: 0x80, then zeros). The header has to say so.

    Returns
    -------
    pyarrow.Array of text
        Header, nonce, synthetic IV and ciphertext in unpadded base64url; null where the cell is null.

    Raises
    ------
    ParameterError
        The header says that there is padding and there is not, or the other way round.
    """
    if bool(header[0] & _PADDED) != (pad is not None):
        raise ParameterError("pad: the header says otherwise whether there is padding.")
    source = Cells.of(cells)
    data = datums([header, *associated_data], len(source))
    head = _HEADER if header[0] & ~_PADDED == _MODES["deterministic"] else _HEADER + _NONCE
    if head == _HEADER and not any(isinstance(datum, Cells) for datum in data) and repeats(cells):
        return seal_distinct(
            cells,
            source,
            lambda distinct: seal(
                key, distinct, header=header, associated_data=associated_data, prefix=prefix, pad=pad
            ),
        )

    def plain_lengths(lengths: Lengths) -> Lengths:
        return lengths + len(prefix) if pad is None else (lengths + len(prefix) + pad) // pad * pad

    output = Output(source, lambda rows: text_length(plain_lengths(source.lengths(rows)) + (head + TAG)), text=True)

    def begin() -> tuple[Siv, CipherContext]:
        # The system's source of randomness takes 39 ns for a nonce, a keystream under a key that it gave takes 1.
        return Siv(key, data), Cipher(AES(os.urandom(32)), CTR(bytes(16))).encryptor()

    def work(state: tuple[Siv, CipherContext], batch: Batch, stop: int) -> None:
        siv, random = state
        lengths = plain_lengths(batch.lengths)
        width = width_of(lengths)
        plain = source.matrix(batch, width, len(prefix))
        plain[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
        if pad is not None:
            _pad(plain, batch.lengths + len(prefix))
        raw = np.zeros((len(plain), -(-(head + TAG + width) // 3) * 3), np.uint8)
        records(raw, 0, _HEADER)[...] = np.frombuffer(header, f"V{_HEADER}")
        nonces = None
        if head > _HEADER:
            nonces = np.frombuffer(random.update(bytes(_NONCE * len(raw))), np.uint64).reshape(-1, 2)
            records(raw, _HEADER, _NONCE)[...] = nonces.view(f"V{_NONCE}")[:, 0]
        siv.seal(batch.rows, plain, lengths, raw, head, nonces=nonces)
        text = np.frombuffer(pybase64.urlsafe_b64encode(raw.data), np.uint8)
        output.scatter(batch, text.reshape(len(raw), -1), 0, stop)

    walk(source, begin, work)
    return output.finish()


def open_(
    keys: Mapping[bytes, bytes],
    tokens: pa.Array[Any],
    *,
    mode: str,
    associated_data: Sequence[bytes | pa.Array[Any]] = (),
) -> Opened:
    """Open every token, under the key that it names, and give a verdict on each; padding comes off where there is any.

    Parameters
    ----------
    keys : mapping of bytes to bytes
        From 4-byte key ids to keys.
    tokens : pyarrow.Array of text
        The tokens; only the exact text that `seal` gives is one.
    mode : {"deterministic", "randomized"}
        The only mode that opens.
    associated_data : sequence of bytes or pyarrow.Array of binary or text
        As in `seal`.
    """
    _check_mode(mode)
    source = Cells.of(tokens)
    data = datums(associated_data, len(source))
    head = _HEADER if mode == "deterministic" else _HEADER + _NONCE
    verdict, tags = np.zeros((2, len(source)), np.uint8)
    ends = np.zeros(len(source), np.intp) if is_padded(tokens) else None

    def plain_lengths(lengths: Lengths) -> Lengths:
        plain: Lengths = np.maximum((lengths * 3 >> 2) - (head + TAG), 0)
        return plain

    output = Output(source, lambda rows: np.maximum(plain_lengths(source.lengths(rows)) - 1, 0), text=False)

    def work(sivs: dict[bytes, Siv], batch: Batch, stop: int) -> None:
        lengths = plain_lengths(batch.lengths)
        width = width_of(lengths)
        raw, formed = decode(source, batch, head + TAG + width)
        whole = formed & (batch.lengths >= text_length(head + TAG))
        found = np.full(len(raw), OK, np.uint8)
        tried = np.zeros(len(raw), np.bool_)
        plain = np.zeros((len(raw), width), np.uint8)
        for own, some in _by_header(raw, whole, mode, keys, padded=ends is not None):
            if own not in sivs:
                sivs[own] = Siv(keys[own[1:]], [own, *data])
            sealed, opened = raw[some], plain[some]
            nonces = records(sealed, _HEADER, _NONCE).copy().view(np.uint64).reshape(-1, 2) if head > _HEADER else None
            good = sivs[own].open(chosen(batch.rows, some), sealed, head, lengths[some], opened, nonces=nonces)
            good &= lengths[some] > 0
            tried[some] = True
            if not good.all():
                found[some] = np.where(good, OK, ALTERED)
            if not isinstance(some, slice):
                plain[some] = opened
        if not tried.all():
            found[~tried] = _explain(raw, formed, whole, mode)[~tried]
        if ends is not None:
            ends[batch.rows] = _unpad(plain, lengths, (raw[:, 0] & _PADDED) != 0, found) - 1
        verdict[batch.rows] = found
        tags[batch.rows] = plain[:, 0]
        output.scatter(batch, plain, 1, stop)

    walk(source, dict[bytes, Siv], work)
    opened = output.finish(verdict == OK)
    return Opened(verdict, tags, opened if ends is None else _shortened(opened, ends))


def key_ids(tokens: pa.Array[Any]) -> pa.Array[Any]:
    """Give the 4-byte key id that each token names; null where the cell is null or does not begin as a token does.

    It reads the header alone: whether the rest is a token, and opens, is not asked.
    """
    source = Cells.of(tokens)
    ids, valid = np.zeros((len(source), _HEADER - 1), np.uint8), np.zeros(len(source), np.bool_)

    def work(_: None, batch: Batch, _stop: int) -> None:
        raw, formed = decode(source, batch, _HEADER + 1)
        valid[batch.rows] = formed & np.isin(raw[:, 0] & ~np.uint8(_PADDED), [*_MODES.values()])
        ids[batch.rows] = raw[:, 1:_HEADER]

    walk(source, lambda: None, work)
    bits, data = pa.array(valid).buffers()[1], pa.py_buffer(ids.tobytes())
    return pa.Array.from_buffers(pa.binary(_HEADER - 1), len(source), [bits, data])


def is_padded(tokens: pa.Array[Any]) -> bool:
    """Tell by the first characters whether there are padded tokens in a column, or cells that look like one."""
    source = Cells.of(tokens)
    for span in spans(0, len(source)):
        filled = source.offsets[:-1][span][source.lengths(span) > 0]
        if (source.data.take(filled) == _PADDED_START).any():
            return True
    return False


def _check_mode(mode: str) -> None:
    if mode not in _MODES:
        raise ParameterError(f"mode={mode!r}: allowed are {', '.join(map(repr, _MODES))}.")


def _by_header(
    raw: Bytes, whole: Truths, mode: str, keys: Mapping[bytes, bytes], *, padded: bool
) -> Iterator[tuple[bytes, Rows]]:
    """Sort the rows that have the mode by their headers: the keys that they name, and whether they are padded."""
    heads = records(raw, 0, 8).copy().view(np.uint64) & _HEADER_MASK
    for own in (header(mode, key_id, padded=flag) for flag in (False, True)[: 1 + padded] for key_id in keys):
        named = whole & (heads == np.frombuffer(own + bytes(3), np.uint64))
        if named.all():
            yield own, slice(None)
        elif named.any():
            yield own, np.flatnonzero(named)


def _explain(raw: Bytes, formed: Truths, whole: Truths, mode: str) -> npt.NDArray[np.uint8]:
    """Say of each cell what is wrong with it if no key was tried."""
    first = raw[:, 0] & ~np.uint8(_PADDED)
    other = formed & np.isin(first, [number for name, number in _MODES.items() if name != mode])
    found = np.where(other, WRONG_MODE, np.where(whole & (first == _MODES[mode]), UNKNOWN_KEY, NOT_A_TOKEN))
    return found.astype(np.uint8)


def _pad(plain: Bytes, lengths: Lengths) -> None:
    """Append ISO 7816-4 padding to the cells of a matrix, up to the end of their rows."""
    plain[np.arange(plain.shape[1]) >= lengths[:, None]] = 0
    plain[np.arange(len(plain)), lengths] = 0x80


def _unpad(plain: Bytes, lengths: Lengths, padded: Truths, found: npt.NDArray[np.uint8]) -> Lengths:
    """Find where each cell ends; what says that it is padded, and is not as ISO 7816-4 has it, counts as altered."""
    begins = plain.shape[1] - 1 - (plain[:, ::-1] != 0).argmax(1)
    marked = np.take_along_axis(plain, begins[:, None], 1)[:, 0] == 0x80  # noqa: PLR2004 - the mark of ISO 7816-4
    good = ~padded | (marked & (begins > 0) & (begins < lengths))
    found[(found == OK) & ~good] = ALTERED
    plain[found != OK] = 0
    return np.where(padded & good, begins, np.maximum(lengths, 1))


def _shortened(cells: pa.Array[Any], lengths: Lengths) -> pa.Array[Any]:
    """Cut each cell to a length."""
    source = Cells.of(cells)
    output = Output(source, lambda rows: lengths[rows], text=False)

    def work(_: None, batch: Batch, stop: int) -> None:
        output.scatter(batch, source.matrix(batch, max(1, int(lengths[batch.rows].max()))), 0, stop)

    walk(source, lambda: None, work)
    return output.finish()
