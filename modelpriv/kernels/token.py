"""The cell token: a header that names version, mode and key, the sealed cell, and a strict text form."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from modelpriv.errors import ParameterError
from modelpriv.kernels import siv

__all__ = ["ALTERED", "NOT_A_TOKEN", "OK", "UNKNOWN_KEY", "WRONG_MODE", "Opened", "header", "key_ids", "open_", "seal"]

OK, NOT_A_TOKEN, WRONG_MODE, UNKNOWN_KEY, ALTERED = range(5)

# High half: version 1; low half: the mode.
MODES = {"deterministic": 0x11, "randomized": 0x12}
HEADER, NONCE = 5, 16


@dataclass(frozen=True)
class Opened:
    """What a column of tokens opened to."""

    verdict: npt.NDArray[np.uint8]
    tags: npt.NDArray[np.uint8]
    cells: pa.Array[Any]


def header(mode: str, key_id: bytes) -> bytes:
    """Give a token's first five bytes: version and mode, then the key id."""
    if mode not in MODES:
        raise ParameterError(f"mode={mode!r}: allowed are {', '.join(map(repr, MODES))}.")
    if len(key_id) != HEADER - 1:
        raise ParameterError(f"key_id: is {len(key_id)} bytes long, a key id has 4.")
    return bytes([MODES[mode]]) + key_id


def seal(
    key: bytes,
    cells: pa.Array[Any],
    *,
    header: bytes,
    associated_data: Sequence[bytes | pa.Array[Any]] = (),
    prefix: bytes = b"",
    pad: int | None = None,
) -> pa.Array[Any]:
    """Turn every cell into a token; a null stays null."""
    data: list[bytes | pa.Array[Any]] = [header, *associated_data]
    nonces = [b""] * len(cells)
    if header[0] == MODES["randomized"]:
        random = os.urandom(NONCE * len(cells))
        nonces = [random[at : at + NONCE] for at in range(0, len(random), NONCE)]
        data.append(pa.array(nonces, pa.binary()))
    plain = [
        None if cell is None else _padded(prefix + cell, pad) for cell in cells.cast(pa.large_binary()).to_pylist()
    ]
    sealed = siv.seal(key, pa.array(plain, pa.binary()), data).to_pylist()
    texts = [
        None if cell is None else base64.urlsafe_b64encode(header + nonce + cell).rstrip(b"=").decode()
        for nonce, cell in zip(nonces, sealed, strict=True)
    ]
    return pa.array(texts, pa.large_string() if pa.types.is_large_string(cells.type) else pa.string())


def open_(
    keys: Mapping[bytes, bytes],
    tokens: pa.Array[Any],
    *,
    mode: str,
    associated_data: Sequence[bytes | pa.Array[Any]] = (),
    pad: int | None = None,
) -> Opened:
    """Open every token; a cell that does not open is null, and its verdict says why."""
    nonce_length = NONCE if mode == "randomized" else 0
    verdict = np.zeros(len(tokens), np.uint8)
    tags = np.zeros(len(tokens), np.uint8)
    cells: list[bytes | None] = [None] * len(tokens)
    for row, text in enumerate(tokens.to_pylist()):
        if text is None:
            continue
        raw = _strict(text)
        if raw is None or len(raw) < HEADER + siv.TAG or raw[0] not in MODES.values():
            verdict[row] = NOT_A_TOKEN
        elif raw[0] != MODES[mode]:
            verdict[row] = WRONG_MODE
        elif raw[1:HEADER] not in keys:
            verdict[row] = UNKNOWN_KEY
        else:
            data = [
                raw[:HEADER],
                *(d if isinstance(d, bytes) else d.slice(row, 1).cast(pa.binary()) for d in associated_data),
                *([raw[HEADER : HEADER + nonce_length]] if nonce_length else []),
            ]
            sealed = pa.array([raw[HEADER + nonce_length :]], pa.binary())
            opened, _ = siv.try_open(keys[raw[1:HEADER]], sealed, data)
            plain = _unpadded(opened[0].as_py(), pad)
            if plain:
                tags[row], cells[row] = plain[0], plain[1:]
            else:
                verdict[row] = ALTERED
    return Opened(verdict, tags, pa.array(cells, pa.binary()))


def key_ids(tokens: pa.Array[Any]) -> pa.Array[Any]:
    """Give the 4-byte key id that each token names; null where the cell is null or no token."""
    ids: list[bytes | None] = []
    for text in tokens.to_pylist():
        raw = None if text is None else _strict(text)
        known = raw is not None and len(raw) >= HEADER + siv.TAG and raw[0] in MODES.values()
        ids.append(raw[1:HEADER] if known and raw else None)
    return pa.array(ids, pa.binary(4))


def _padded(cell: bytes, pad: int | None) -> bytes:
    return cell if pad is None else cell + b"\x80" + bytes(-(len(cell) + 1) % pad)


def _unpadded(cell: bytes | None, pad: int | None) -> bytes | None:
    if cell is None or pad is None:
        return cell
    bare = cell.rstrip(b"\0")
    return bare[:-1] if len(cell) % pad == 0 and bare.endswith(b"\x80") and len(cell) - len(bare) < pad else None


def _strict(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError:
        return None
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text else None
