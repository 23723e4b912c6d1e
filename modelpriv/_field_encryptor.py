"""FieldEncryptor: standard authenticated encryption of the cells of a column, in and out of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._base import check_choice
from modelpriv._cells import NULL, decode, encode, logical_type, plain_bytes
from modelpriv._dtypes import DType, default_dtype, is_text
from modelpriv._frame import Built, Column, Frame, open_frame
from modelpriv._keyed import KeyedCall, KeyedColumnTransformer
from modelpriv.errors import DecryptionError, InputError, ParameterError, ParameterTypeError
from modelpriv.kernels import token
from modelpriv.keys.derivation import enc

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FieldEncryptor"]

_ROWS_NAMED = 5


class FieldEncryptor(KeyedColumnTransformer):
    """Encrypt the cells of columns, so that whoever has the key gets them back exactly.

    Every cell becomes a token: text that names the key it was made under and holds the cell's value and type,
    encrypted and authenticated by AES-SIV (RFC 5297) with a key of its own for each column's context.

    Parameters
    ----------
    mode : {"randomized", "deterministic"}, default="randomized"
        "randomized" gives equal cells different tokens. "deterministic" gives equal cells of one context equal tokens,
        so that tables still join, group and count on them.
    key : Keyring or str
        The keyring, or a URI that names it, such as ``"env:MODELPRIV_KEYRING"``.
    context : str or dict of str, optional
        What a column's key and tokens are tied to: a text for one column, or a dict of names to texts; by default each
        column's name. The same key, context and mode in two tables makes their columns joinable.
    bind : list of column names, optional
        Columns whose cells a token is tied to, such as the row's id: moved to another row it does not open. They pass
        through, may hold no nulls, and must be there, unchanged, to open the tokens.
    pad : int, optional
        Hide the length of a cell up to the next multiple of so many bytes, by ISO 7816-4 padding. It belongs to the
        context's definition: who opens the tokens must pass the same.
    columns : list of str or int, callable, optional
        The columns to encrypt, by name or position; by default all. All others pass through.
    null : {"keep", "protect", "raise"}, default="keep"
        Leave nulls where they are, encrypt them too (needs `pad`), or refuse them.
    on_error : {"raise", "null"}, default="raise"
        What `inverse_transform` does with cells that do not open.

    Attributes
    ----------
    key_id_ : str
        The id of the key that `fit` pinned: 8 hexadecimal digits.
    n_features_in_ : int
        The number of columns seen in `fit`.
    feature_names_in_ : numpy array of str
        Their names, where all are text.

    See Also
    --------
    Pseudonymizer : Where nobody is ever to get the value back.

    Notes
    -----
    *Protects against* everyone without the key: a token does not open, and an altered one, or one from another column,
    context, mode, keyring or (bound) row is refused.

    *Leaks* the length of a cell, unless `pad` is set, and which cells are null, unless ``null="protect"``.
    "deterministic" also leaks which cells are equal, and so how often each occurs: where values are few or their
    frequencies are known, they can be guessed. Column names stay.

    *Does not* hide a column from someone who holds the key, nor say which of two valid tokens is the newer one.

    Sources: RFC 5297 (AES-SIV, with a key of 512 bits; section 3 for the nonce), RFC 5869 (HKDF), ISO/IEC 7816-4
    (padding).

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import FieldEncryptor, Keyring
    >>> keys = Keyring.generate()
    >>> people = pd.DataFrame({"id": [7, 8], "email": ["ada@example.org", None]})
    >>> step = FieldEncryptor(columns=["email"], key=keys)
    >>> released = step.fit_transform(people)
    >>> released["email"][0] == "ada@example.org"
    False
    >>> step.inverse_transform(released).equals(people)
    True
    """

    _nulls = ("keep", "protect", "raise")

    def __init__(
        self,
        mode: str = "randomized",
        *,
        key: Any = None,
        context: Any = None,
        bind: Any = None,
        pad: int | None = None,
        columns: Any = None,
        null: str = "keep",
        on_error: str = "raise",
    ) -> None:
        self.mode = mode
        self.key = key
        self.context = context
        self.bind = bind
        self.pad = pad
        self.columns = columns
        self.null = null
        self.on_error = on_error

    def inverse_transform(self, X: Any) -> Any:
        """Decrypt the tokens of a table; columns that are not encrypted pass through.

        Parameters
        ----------
        X : pandas, polars or pyarrow table, numpy array or list of rows
            The table: after `fit`, any of the columns that came out of `transform`, in any order; before it, `columns`
            (by default all) are opened by their names and take the default dtype of what they hold.

        Returns
        -------
        table of the same kind as `X`
            The cells as they were, in the dtypes that `fit` saw where `X` is of the kind that it saw.

        Raises
        ------
        DecryptionError
            Cells do not open, and ``on_error="raise"``: the error counts them and names the first rows.
        InputError
            A column is not one that `fit` saw, or one that cells are bound to is missing.
        KeyUnavailableError
            The key is not at hand.
        """
        self._check()
        frame = open_frame(X)
        states = self._states_to_open(frame)
        call = self._begin(frame, self._read_references(frame), fitting=not hasattr(self, "key_id_"))
        return frame.replaced({p: self._restore(frame.column(p), state, call) for p, state in states.items()})

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.mode == "randomized"
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("mode", self.mode, ("randomized", "deterministic"))
        check_choice("on_error", self.on_error, ("raise", "null"))
        if self.pad is not None and (isinstance(self.pad, bool) or not isinstance(self.pad, int)):
            raise ParameterTypeError(f"pad must be None or a number of bytes, got {type(self.pad).__name__}.")
        if self.pad is not None and self.pad < 1:
            raise ParameterError(f"pad must be at least 1 byte, got {self.pad}.")
        if self.null == "protect" and self.pad is None:
            raise ParameterError("null='protect' needs pad=, or the length of a token would tell the nulls.")
        if self.bind is not None and (isinstance(self.bind, (str, bytes)) or not hasattr(self.bind, "__iter__")):
            raise ParameterTypeError(f"bind must be a list of column names, got {type(self.bind).__name__}.")

    def _reference_names(self) -> Sequence[Any]:
        return list(self.bind or ())

    def _fit_column(self, column: Column, call: KeyedCall) -> _State:
        categories = None
        if column.categories is not None:
            # Categories are values: what stays in the fitted object is their tokens, bound to nothing.
            categories = self._seal(column.categories, call, call.context_of(column), b"")
        return _State(column.name, call.context_of(column), column.dtype, logical_type(column.data.type), categories)

    def _transform_column(self, column: Column, state: _State, call: KeyedCall) -> Built:
        found = logical_type(column.data.type)
        if found not in {state.logical, "null"} and state.logical != "null":
            raise InputError(
                f"Column {column.name!r} held {state.logical} at fit and now holds {found} (dtype {column.dtype}). "
                "Convert it, or fit again."
            )
        return Built(self._seal(column.data, call, state.context, _bound(call)), column.dtype.as_text())

    # --- cells to tokens and back ---

    def _seal(self, cells: Any, call: KeyedCall, context: str, bound: bytes | Any) -> Any:
        tag, data = encode(cells)
        if self.null == "protect" and cells.null_count:
            tag, data = b"", plain_bytes(cells).fill_null(bytes([NULL]))
        return token.seal(
            call.keys.working_key(f"siv-{self.mode}", context=context, length=64, key_id=call.key_id),
            data,
            header=token.header(self.mode, bytes.fromhex(call.key_id)),
            associated_data=[context.encode(), bound],
            prefix=tag,
            pad=self.pad,
        )

    def _unseal(self, tokens: Any, call: KeyedCall, context: str, bound: bytes | Any, *, type_: Any, what: str) -> Any:
        keys = {
            bytes.fromhex(key_id): call.keys.working_key(f"siv-{self.mode}", context=context, length=64, key_id=key_id)
            for key_id in call.keys.key_ids
        }
        opened = token.open_(keys, tokens, mode=self.mode, associated_data=[context.encode(), bound], pad=self.pad)
        if self.on_error == "raise" and opened.verdict.any():
            raise DecryptionError(_failures(opened.verdict, tokens, call, self.mode, what))
        return decode(opened.tags, opened.cells, type_, what=what)

    def _restore(self, column: Column, state: _State | None, call: KeyedCall) -> Built:
        what = f"column {column.name!r}"
        if not (is_text(column.data.type) or pa.types.is_null(column.data.type)):
            raise DecryptionError(
                f"{what} has dtype {column.dtype}, but tokens are text. It was not encrypted, or converted since."
            )
        tokens = column.data if is_text(column.data.type) else column.data.cast(pa.string())
        context = state.context if state else call.context_of(column)
        type_ = state.dtype.exact if state else None
        cells = self._unseal(tokens, call, context, _bound(call), type_=type_, what=what)
        if state is None or state.dtype.container != call.frame.container:
            return Built(cells, default_dtype(call.frame.container, cells.type))
        categories = None
        if state.categories is not None:
            categories = self._unseal(
                state.categories, call, context, b"", type_=type_, what=f"the categories of {what}"
            )
        return Built(cells, state.dtype, categories)

    def _states_to_open(self, frame: Frame) -> dict[int, _State | None]:
        """Return the positions of the columns to open, and what was remembered of each."""
        if not hasattr(self, "_states"):
            return dict.fromkeys(self._find_columns(frame))
        names = getattr(self, "feature_names_in_", None)
        if names is None or not frame.named:
            if len(frame.names) != self.n_features_in_:
                raise InputError(
                    f"The table has {len(frame.names)} columns, but {type(self).__name__} was fitted on "
                    f"{self.n_features_in_}. Columns "
                    f"without names are matched by position: pass all of them."
                )
            return dict(self._states)
        unknown = [name for name in frame.names if name not in names]
        if unknown:
            raise InputError(
                f"Columns {unknown!r} are not among those that {type(self).__name__} was fitted on. Where a "
                "ColumnTransformer put a "
                f"prefix before the names, give it verbose_feature_names_out=False."
            )
        by_name = {state.name: state for state in self._states.values()}
        return {position: by_name[name] for position, name in enumerate(frame.names) if name in by_name}


@dataclass(frozen=True, slots=True)
class _State:
    """What is remembered of a column: how to call and to build it again, and no value of it."""

    name: Any
    context: str
    dtype: DType
    logical: str
    categories: Any


def _bound(call: KeyedCall) -> bytes | Any:
    """Return what cells are bound to: the names and typed cells of the columns that are referred to, or nothing."""
    if not call.references:
        return b""
    large = pa.large_binary()
    parts: list[Any] = []
    for column in call.references.values():
        cells = plain_bytes(column.data).cast(large)
        lengths: Any = np.ascontiguousarray(pc.binary_length(cells).to_numpy(zero_copy_only=False), dtype=">u4")
        rows = pa.Array.from_buffers(pa.binary(4), len(cells), [None, pa.py_buffer(lengths)])
        parts += [pa.scalar(enc(str(column.name)), large), rows.cast(pa.binary()).cast(large), cells]
    return pc.binary_join_element_wise(*parts, pa.scalar(b"", large))


def _failures(verdict: Any, tokens: Any, call: KeyedCall, mode: str, what: str) -> str:
    """Say how many cells do not open, why, and in which rows; never a cell."""
    other = "deterministic" if mode == "randomized" else "randomized"
    held = ", ".join(call.keys.key_ids)
    kinds = {
        token.NOT_A_TOKEN: "not a token, or cut",
        token.WRONG_MODE: f"not a token of mode {mode!r} (try mode={other!r})",
        token.UNKNOWN_KEY: f"made under a key that the keyring does not hold (it holds {held})",
        token.ALTERED: "altered, or made for another column, context, row, keyring or pad",
    }
    parts = []
    for kind, words in kinds.items():
        rows = np.flatnonzero(verdict == kind)
        if len(rows):
            first = ", ".join(map(str, rows[:_ROWS_NAMED])) + (", ..." if len(rows) > _ROWS_NAMED else "")
            parts.append(f"{len(rows)} {words} (row{'s' if len(rows) > 1 else ''} {first})")
    return f"{what}: {np.count_nonzero(verdict)} of {len(tokens)} cells do not open: {'; '.join(parts)}."
