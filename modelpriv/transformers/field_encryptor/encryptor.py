"""FieldEncryptor: standard authenticated encryption of the cells of a column, in and out of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv._columns.cells import logical_type
from modelpriv._columns.dtypes import DType
from modelpriv._columns.frame import Built, Column, as_names, nulls_alone, open_frame, read_cells
from modelpriv._core import events
from modelpriv.errors import InputError, ParameterError, ParameterTypeError
from modelpriv.transformers.field_encryptor.columns import EncryptingTransformer, bound, column_context
from modelpriv.transformers.field_encryptor.states import rewrapped
from modelpriv.transformers.keyed import KeyedCall, context_of

if TYPE_CHECKING:
    from modelpriv.transformers.fitted import State

__all__ = ["FieldEncryptor"]


class FieldEncryptor(EncryptingTransformer):
    """Encrypt the cells of columns, so that whoever has the key gets them back exactly.

    Every cell becomes a token: text that names the key it was made under and holds the cell's value and type,
    encrypted and authenticated by AES-SIV (RFC 5297) with a key of its own for each column's context.

    Parameters
    ----------
    mode : {"randomized", "deterministic", "format-preserving"}, default="randomized"
        "randomized" gives equal cells different tokens. "deterministic" gives equal cells of one context equal tokens,
        so that tables still join, group and count on them. "format-preserving" (FF1) keeps length and alphabet, is
        deterministic too, and is **not authenticated**: it cannot notice a wrong key or an altered cell.
    key : Keyring, str or Identity
        The keyring, or a URI that names it, such as ``"env:MODELPRIV_KEYRING"``. To open what was encrypted to
        `recipients`: an identity.
    recipients : list of Recipient or str, optional
        Public keys, or their lines of text, in the place of `key`: every `fit` makes a data key, and only the
        recipients' identities open what is encrypted with it. Store `wrapped_keys_` with the table.
    context : str or dict of str, optional
        What a column's key and tokens are tied to: a dict of names to texts, or one text for all declared columns; by
        default each column's name. The same key, context and mode in two tables makes their columns joinable.
    bind : list of column names, optional
        Columns whose cells a token is tied to, such as the row's id: moved to another row it does not open. They pass
        through, may hold no nulls, and must be there, unchanged, to open the tokens.
    pad : int, optional
        Hide the length of a cell up to the next multiple of so many bytes, by ISO 7816-4 padding. Deterministic tokens
        join only where it is the same. Tokens say that they are padded, and open without being told.
    alphabet : str, optional
        Format-preserving: the letters that are encrypted, "digits", "letters", "alphanumeric", "hex" (lower case), or a
        text of up to 65536 letters.
    keep : str, default=""
        Format-preserving: characters that stay where they are, such as ``" -"``. All others are refused.
    keep_first, keep_last : int, default=0
        Format-preserving: how many letters of the alphabet stay at either end; a card keeps its BIN with 6.
    check_digit : {"luhn"}, optional
        Format-preserving: the last digit is a check digit (ISO/IEC 7812-1), has to be valid, and is computed again.
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
    wrapped_keys_ : dict of str to list of dict
        With `recipients`: the id of the data key, and the stanzas that wrap it, one a recipient; for JSON. Without it
        the tokens are lost: set it on another `FieldEncryptor` to open them there.
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

    *Format-preserving* encryption protects less: it leaks length, format, kept characters and which cells are equal, it
    is not authenticated, and every cell needs a million possible values. Take it only where the format must stay.

    Sources: RFC 5297 (AES-SIV, with a key of 512 bits; section 3 for the nonce), NIST SP 800-38G with its draft Rev. 1
    (FF1, with AES-256), RFC 5869 (HKDF), ISO/IEC 7816-4 (padding), ISO/IEC 7812-1 (check digit).

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

    def __init__(
        self,
        mode: str = "randomized",
        *,
        key: Any = None,
        recipients: Any = None,
        context: Any = None,
        bind: Any = None,
        pad: int | None = None,
        alphabet: str | None = None,
        keep: str = "",
        keep_first: int = 0,
        keep_last: int = 0,
        check_digit: str | None = None,
        columns: Any = None,
        null: str = "keep",
        on_error: str = "raise",
    ) -> None:
        self.mode = mode
        self.key = key
        self.recipients = recipients
        self.context = context
        self.bind = bind
        self.pad = pad
        self.alphabet = alphabet
        self.keep = keep
        self.keep_first = keep_first
        self.keep_last = keep_last
        self.check_digit = check_digit
        self.columns = columns
        self.null = null
        self.on_error = on_error

    @events.audited
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
        keys = self._keyring()
        key_id = getattr(self, "key_id_", keys.primary)
        call = KeyedCall(frame, self._read_references(frame), keys, key_id, self.context)
        opened = frame.replaced(
            {p: self._restore(nulls_alone(frame.column(p)), state, call) for p, state in states.items()}
        )
        dtype = self._kept("array_dtype") if hasattr(self, "_states") else None
        return frame.as_dtype(opened, None if dtype is None else np.dtype(dtype))

    def needs_rewrap(self, X: Any) -> bool:
        """Tell whether a table of tokens holds any that were made under an older key than the keyring's primary.

        Cells in a format name no key: with ``mode="format-preserving"`` the answer is about the fitted object alone.

        Parameters
        ----------
        X : table
            Tokens, as `inverse_transform` takes them.

        Returns
        -------
        bool
            Whether `rewrap` would change a token.
        """
        self._check()
        frame = open_frame(X)
        keys = self._keyring()
        call = KeyedCall(frame, {}, keys, keys.primary, self.context)
        states = self._states_to_open(frame)
        return any(self._cipher("", call).stale(nulls_alone(frame.column(p)), key_id=keys.primary) for p in states)

    @events.audited
    def rewrap(self, X: Any) -> Any:
        """Move a table of tokens to the keyring's primary key; the cells leave the call as tokens only.

        A fitted object moves with it: later calls of `transform` protect under the primary key. With
        ``mode="format-preserving"`` it can then not tell that another table is still under the older key: rewrap each
        table with its own copy of the fitted object.

        Parameters
        ----------
        X : table
            Tokens, as `inverse_transform` takes them, with the columns that they are bound to.

        Returns
        -------
        table of the same kind as `X`
            The same cells under the primary key. Columns that are not encrypted pass through.

        Raises
        ------
        DecryptionError
            Cells do not open. Nothing is moved then, whatever `on_error` says.
        ParameterError
            The key cannot be told: cells in a format, and no object that is pinned to an older key.
        """
        self._check()
        if self.recipients is not None:
            raise ParameterError("What was encrypted to recipients has one data key for each fit: fit again instead.")
        if self.mode == "format-preserving" and not hasattr(self, "key_id_"):
            raise ParameterError("mode='format-preserving' names no key in its cells: rewrap with the fitted object.")
        frame = open_frame(X)
        states = self._states_to_open(frame)
        call = self._begin(frame, self._read_references(frame), fitting=True)
        if self.mode == "format-preserving" and self.key_id_ == call.key_id:
            # A table of an older key would come back as it is, as if it had been moved.
            raise ParameterError(
                "mode='format-preserving' names no key in its cells, and this object is at the primary key already. "
                "Rewrap each table with its own copy (copy.copy) of the object that was fitted under the older key."
            )
        built = {}
        for position, state in states.items():
            column = nulls_alone(frame.column(position))
            cipher = self._cipher(column_context(state, column, call), call)
            built[position] = Built(cipher.reseal(column, bound(call), key_id=call.key_id), column.dtype.as_text())
        result = frame.replaced(built)
        if hasattr(self, "_states"):
            moved = {
                position: rewrapped(state, self._cipher(state["context"], call), call.key_id)
                for position, state in self._states.items()
            }
            self._keep(columns=moved)
            super()._finish_fit(call)
        return result

    @events.audited
    def tokens_for(self, values: Any, *, column: Any) -> list[str]:
        """Return the tokens that values have in a column, under every key of the ring, to search for them.

        Parameters
        ----------
        values : list, Series or array, shape (n_values,)
            Values of the column's type.
        column : str or int
            The column.

        Returns
        -------
        list of str, length n_values times the number of keys
            For ``table[column].isin(...)``: tokens made before a rotation are found too.

        Raises
        ------
        ParameterError, ParameterTypeError
            The tokens are randomized or bound, so that equal values have different ones; or `values` is a single one.

        Examples
        --------
        >>> import pandas as pd
        >>> from modelpriv import FieldEncryptor, Keyring
        >>> step = FieldEncryptor("deterministic", key=Keyring.generate())
        >>> released = step.fit_transform(pd.DataFrame({"city": ["Oslo", "Bergen", "Oslo"]}))
        >>> int(released["city"].isin(step.tokens_for(["Oslo"], column="city")).sum())
        2
        """
        self._check()
        if self.mode == "randomized" or self.bind:
            raise ParameterError(
                "tokens_for needs mode='deterministic' and no bind=: otherwise a value has another token in every row."
            )
        if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):  # each letter would count as a value
            raise ParameterTypeError(f"values must be a list or a column, got {type(values).__name__}. Write [value].")
        if len(values) == 0:
            return []
        cells = read_cells(values, column)
        state = self._searched(column, logical_type(cells.type))
        keys = self._keyring()
        call = KeyedCall(open_frame([[column]]), {}, keys, keys.primary, self.context)
        cipher = self._cipher(state["context"] if state else context_of(column, self.context), call)
        wanted = Column(column, cells, DType("values", cells.type, cells.type))
        sealed = (cipher.seal(wanted, b"", key_id=key_id) for key_id in keys.key_ids)
        return [str(token) for tokens in sealed for token in tokens.drop_null().to_pylist()]

    def _searched(self, column: Any, found: str) -> State | None:
        """Return what was kept of a column that is searched for values of a type, or refuse one that has no tokens."""
        if not hasattr(self, "_states"):
            declared = None if callable(self.columns) else as_names(self.columns)
            if declared is not None and column not in declared:
                raise ParameterError(f"column names {column!r}, which is not among columns={declared!r}.")
            return None
        state = next((state for state in self._states.values() if state["name"] == column), None)
        if state is None:
            raise ParameterError(f"column names {column!r}, which {type(self).__name__} was not fitted to encrypt.")
        types = {found, state["logical"]}
        if "null" in types or len(types) == 1 or types <= _NUMBERS:
            return state
        raise InputError(f"Column {column!r} holds {state['logical']}, so no value of type {found} is in it.")


_NUMBERS = {"int", "float"}  # equal ones have equal tokens
