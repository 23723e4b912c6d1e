"""How FieldEncryptor turns a column into tokens and back: typed cells, sealed by AES-SIV under the column's context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.cells import NULL, decode, enc_rows, encode, plain_bytes, tagged
from modelpriv._columns.dtypes import is_text
from modelpriv._core import events
from modelpriv.errors import DecryptionError, ParameterError
from modelpriv.kernels.aes import token
from modelpriv.keys import ScopedKeyring

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from modelpriv._columns.arrow import Array, ArrowType, Bound
    from modelpriv._columns.frame import Column
    from modelpriv.keys import AnyKeyring

__all__ = ["Tokens", "bound_to"]

_KEY_LENGTH = 64  # AEAD_AES_SIV_CMAC_512
_ROWS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one context: how its cells are sealed and opened."""

    keys: AnyKeyring
    mode: str
    context: str
    pad: int | None = None
    protect_nulls: bool = False

    def seal(self, column: Column, bound: Bound, *, key_id: str) -> Array:
        """Return the tokens of a column's cells under one key of the ring."""
        cells = column.data
        # Randomized tokens are equal to no other, so that they can keep the sign of -0.0.
        tags, encoded = encode(cells, joined=self.mode == "deterministic")
        if self.protect_nulls and cells.null_count:
            return self._seal(b"", tagged(tags, encoded).fill_null(bytes([NULL])), bound, key_id)
        if isinstance(tags, bytes):
            return self._seal(tags, encoded, bound, key_id)
        return self._seal(b"", tagged(tags, encoded), bound, key_id)

    def open(self, column: Column, bound: Bound, *, type_: ArrowType, failures: str = "raise") -> Array:
        """Return the cells that a column of tokens opens to, of the given Arrow type."""
        opened = self._open(column, bound, failures)
        return decode(opened.tags, opened.cells, type_, what=f"column {column.name!r}")

    def reseal(self, column: Column, bound: Bound, *, key_id: str) -> Array:
        """Return a column of tokens under another key of the ring; each keeps the type and value that it holds."""
        opened = self._open(column, bound, "raise")
        if self.pad is None and token.is_padded(_text(column)):
            raise ParameterError(
                f"column {column.name!r}: its tokens are padded. Pass pad= too, so that they stay padded."
            )
        tags = np.unique(opened.tags[column.data.is_valid().to_numpy(zero_copy_only=False)])
        if len(tags) == 1:
            return self._seal(tags.tobytes(), opened.cells, bound, key_id)
        return self._seal(b"", tagged(opened.tags, opened.cells), bound, key_id)

    def stale(self, column: Column, *, key_id: str) -> bool:
        """Tell whether a token of the column names another key than this one."""
        named = token.key_ids(_text(column)).drop_null()
        return bool(pc.any(pc.not_equal(named, pa.scalar(bytes.fromhex(key_id), named.type))).as_py())

    def _seal(self, tag: bytes, cells: Array, bound: Bound, key_id: str) -> Array:
        header = token.header(self.mode, bytes.fromhex(key_id), padded=self.pad is not None)
        associated_data = [self.context.encode(), bound]
        return token.seal(
            self._key(key_id), cells, header=header, associated_data=associated_data, prefix=tag, pad=self.pad
        )

    def _open(self, column: Column, bound: Bound, failures: str) -> token.Opened:
        tokens = _text(column)
        if events.recording():
            events.note_columns([column.name], len(tokens))
            named = {key_id.hex() for key_id in token.key_ids(tokens).drop_null().unique().to_pylist() if key_id}
            events.note_keys(*named & set(self.keys.key_ids))
            # The ids themselves may be part of a cell that is not a token at all.
            if unknown := len(named - set(self.keys.key_ids)):
                events.note(unknown_keys=unknown)
        opened = self._try(tokens, bound)
        if failures == "raise" and opened.verdict.any():
            raise DecryptionError(self._describe(column, opened.verdict))
        return opened

    def _try(self, tokens: Array, bound: Bound) -> token.Opened:
        """Open with each key of the ring. What fails is raised elsewhere: tracebacks can record a frame's locals."""
        keys = {bytes.fromhex(key_id): self._key(key_id) for key_id in self.keys.key_ids}
        return token.open_(keys, tokens, mode=self.mode, associated_data=[self.context.encode(), bound])

    def _key(self, key_id: str) -> bytes:
        return self.keys.working_key(f"siv-{self.mode}", context=self.context, length=_KEY_LENGTH, key_id=key_id)

    def _describe(self, column: Column, verdict: npt.NDArray[Any]) -> str:
        """Say how many cells do not open, why, and in which rows; never a cell."""
        other = "deterministic" if self.mode == "randomized" else "randomized"
        held = ", ".join(self.keys.key_ids) + ("; ask for a new grant" if isinstance(self.keys, ScopedKeyring) else "")
        kinds = {
            token.NOT_A_TOKEN: "not a token, or cut",
            token.WRONG_MODE: f"not a token of mode {self.mode!r} (try mode={other!r})",
            token.UNKNOWN_KEY: f"made under key ids that the keyring does not hold (it holds {held})",
            token.ALTERED: "altered, or made for another column, context, row or keyring",
        }
        parts = []
        for kind, words in kinds.items():
            rows = np.flatnonzero(verdict == kind)
            if len(rows):
                first = ", ".join(map(str, rows[:_ROWS_NAMED])) + (", ..." if len(rows) > _ROWS_NAMED else "")
                parts.append(f"{len(rows)} {words} (row{'s' if len(rows) > 1 else ''} {first})")
        count = f"{np.count_nonzero(verdict)} of {len(verdict)} cells do not open"
        return f"column {column.name!r}: {count}: {'; '.join(parts)}."


def bound_to(references: Iterable[Column]) -> Bound:
    """Return what the cells of each row are bound to: names and typed cells of other columns, or nothing."""
    named = [(str(column.name).encode(), plain_bytes(column.data, joined=True)) for column in references]
    items = [item for pair in named for item in pair]
    return enc_rows(*items) if items else b""


def _text(column: Column) -> Array:
    if is_text(column.data.type):
        return column.data
    if pa.types.is_null(column.data.type):
        return column.data.cast(pa.string())
    raise DecryptionError(
        f"column {column.name!r} has dtype {column.dtype}, but tokens are text. Pass the column that `transform` gave."
    )
