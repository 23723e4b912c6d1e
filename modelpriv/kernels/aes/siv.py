"""AES-SIV (RFC 5297) over a whole column; its synthetic IV is also the keyed PRF."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from modelpriv._core.discreet import discreet
from modelpriv.errors import DecryptionError, InputError, ParameterError
from modelpriv.kernels.aes.ragged import Cells, Output, walk
from modelpriv.kernels.aes.siv_cipher import TAG, Siv, width_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from modelpriv.kernels.aes.ragged import Batch

__all__ = ["datums", "open_", "prf", "seal", "try_open"]

_MOST_DATA = 126  # RFC 5297, section 7: the plaintext is the 127th string of S2V


@discreet
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

    def work(siv: Siv, batch: Batch, stop: int) -> None:
        width = width_of(batch.lengths)
        sealed = np.zeros((len(batch.lengths), TAG + width), np.uint8)
        siv.seal(batch.rows, source.matrix(batch, width), batch.lengths, sealed, 0)
        output.scatter(batch, sealed, 0, stop)

    walk(source, lambda: Siv(key, data), work)
    return output.finish()


@discreet
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


@discreet
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

    def work(siv: Siv, batch: Batch, stop: int) -> None:
        lengths = np.maximum(batch.lengths - TAG, 0)
        width = width_of(lengths)
        plain = np.zeros((len(lengths), width), np.uint8)
        opens = siv.open(batch.rows, source.matrix(batch, TAG + width), 0, lengths, plain)
        good[batch.rows] = opens & (batch.lengths >= TAG)
        output.scatter(batch, plain, 0, stop)

    walk(source, lambda: Siv(key, data), work)
    return output.finish(good), good


@discreet
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

    def work(siv: Siv, batch: Batch, _stop: int) -> None:
        plain = source.matrix(batch, width_of(batch.lengths))
        tags[batch.rows] = siv.tags(batch.rows, plain, batch.lengths)

    walk(source, lambda: Siv(key, data), work)
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
