"""FieldEncryptor: standard authenticated encryption of the cells of a column, in and out of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv._columns.cells import logical_type
from modelpriv._columns.dtypes import DType
from modelpriv._columns.frame import Built, Column, as_names, nulls_alone, open_frame, read_cells
from modelpriv._core import events
from modelpriv.errors import InputError, ParameterError, ParameterTypeError
from modelpriv.keys import PublicParameter
from modelpriv.transformers.field_encryptor.columns import EncryptingTransformer, bound, column_context
from modelpriv.transformers.keyed import KeyedCall, context_of

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Table
    from modelpriv.transformers.fitted import State

__all__ = ["FieldEncryptor"]


class FieldEncryptor(EncryptingTransformer):
    """Encrypt the cells of columns, so that anyone with the key gets them back exactly.

    Every cell becomes a token: text that names its key and holds the cell's value and type, encrypted and authenticated
    by AES-SIV (RFC 5297). Each column's context has a key of its own.

    Parameters
    ----------
    mode : {"randomized", "deterministic", "format-preserving"}, default="randomized"
        "randomized" gives equal cells different tokens. "deterministic" gives equal cells of one context equal tokens,
        so that tables still join, group and count on them; equal numbers have equal tokens, so that -0.0 comes back as
        0.0. "format-preserving" (FF1) keeps the length and alphabet of a text. It is deterministic too, and **not
        authenticated**: it cannot notice a wrong key or an altered cell.
    key : Keyring, str or Identity
        The keyring, or a URI that names it, such as ``"env:MODELPRIV_KEYRING"``. To open tokens that were encrypted to
        `recipients`: an identity.
    recipients : list of Recipient or str, optional
        Public keys, or their lines of text, instead of `key`. Every `fit` makes a data key, and only the recipients'
        identities open the tokens. Store `wrapped_keys_` with the table.
    context : str or dict of str, optional
        What a column's key and tokens are tied to: a dict of names to texts, or one text for all declared columns; by
        default each column's name. The same key, context and mode in two tables makes their columns joinable.
    bind : list of column names, optional
        Columns that tie a token to its row, such as an id: a token that is moved to another row does not open. They
        pass through, may not hold nulls, and must be present and unchanged when you open the tokens.
    pad : int, optional
        Pad each cell to a multiple of this many bytes (ISO 7816-4), so that its token hides its length. Deterministic
        tokens join only if they have the same `pad`. Padded tokens open without `pad`.
    alphabet : str, optional
        Format-preserving: the letters to encrypt: "digits", "letters", "alphanumeric", "hex" (lower case), or a
        text of up to 65536 letters.
    keep : str, default=""
        Format-preserving: other characters that may occur, such as ``" -"``; they stay where they are.
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
        With `recipients`: the id of the data key, and one stanza for each recipient that wraps it. It can be written as
        JSON. Without it the tokens are lost; set it on another `FieldEncryptor` to open them there.
    n_features_in_ : int
        The number of columns seen in `fit`.
    feature_names_in_ : numpy array of str
        Their names, where all are text.

    See Also
    --------
    Pseudonymizer : Codes that no one can turn back into values.

    Notes
    -----
    *Protects against* everyone without the key: a token does not open, and an altered one, or one from another column,
    context, mode, keyring or (bound) row is refused.

    *Leaks* the length of text and bytes, unless `pad` is set, and which cells are null, unless ``null="protect"``.
    "deterministic" also leaks which cells are equal, and so how often each value occurs: if there are few values, or if
    their frequencies are known, an attacker can guess them. Column names stay.

    *Does not* hide a column from someone who holds the key, and does not say which of two valid tokens is newer.

    *Format-preserving* encryption protects less: it leaks the length, the format, the kept characters and which cells
    are equal; it is not authenticated; and every cell needs a million possible values. Use it only if the format must
    stay.

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

    recipients = PublicParameter()

    def __init__(
        self,
        mode: str = "randomized",
        *,
        key: object = None,
        recipients: object = None,
        context: object = None,
        bind: object = None,
        pad: int | None = None,
        alphabet: str | None = None,
        keep: str = "",
        keep_first: int = 0,
        keep_last: int = 0,
        check_digit: str | None = None,
        columns: object = None,
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
    def inverse_transform(self, X: Table) -> Table:
        """Decrypt the tokens of a table; columns that are not encrypted pass through.

        Parameters
        ----------
        X : pandas, polars or pyarrow table, numpy array or list of rows
            The table. After `fit`: any of the columns that `transform` returned, in any order. Without `fit`: `columns`
            (by default all) are opened by their names and take the default dtype of their values.

        Returns
        -------
        table of the same kind as `X`
            The original cells, in the dtypes that `fit` saw if `X` is the same kind of table.

        Raises
        ------
        DecryptionError
            Cells do not open, and ``on_error="raise"``: the error counts them and names the first rows.
        InputError
            `fit` did not see a column, or a column that cells are bound to is missing.
        KeyUnavailableError
            The key is not available.
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

    def needs_rewrap(self, X: Table) -> bool:
        """Tell whether a table holds tokens of an older key than the keyring's primary one.

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
    def rewrap(self, X: Table) -> Table:
        """Move a table of tokens to the keyring's primary key, without returning any plain text.

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
            Some cells do not open. Then nothing is moved, whatever `on_error` says.
        ParameterError
            The older key is unknown: the cells are in a format, and this object is not pinned to it.
        """
        self._check()
        if self.recipients is not None:
            raise ParameterError(
                "rewrap does not work with recipients, as each fit has a data key of its own. Fit again."
            )
        if self.mode == "format-preserving" and not hasattr(self, "key_id_"):
            raise ParameterError("mode='format-preserving' names no key in its cells. Use rewrap of the fitted object.")
        frame = open_frame(X)
        states = self._states_to_open(frame)
        call = self._begin(frame, self._read_references(frame), fitting=True)
        if self.mode == "format-preserving" and self.key_id_ == call.key_id:
            # A table of an older key would come back unchanged, as if it had been moved.
            raise ParameterError(
                "mode='format-preserving' names no key in its cells, and this object uses the primary key already. "
                "Rewrap each table with its own copy (copy.copy) of the object that was fitted under the older key."
            )
        built = {}
        for position, state in states.items():
            column = nulls_alone(frame.column(position))
            cipher = self._cipher(column_context(state, column, call), call)
            built[position] = Built(cipher.reseal(column, bound(call), key_id=call.key_id), column.dtype.as_text())
        result = frame.replaced(built)
        if hasattr(self, "_states"):
            self._keep(columns=self._moved_states(call))
            super()._finish_fit(call)
        return result

    @events.audited
    def tokens_for(self, values: object, *, column: Any) -> list[str]:
        """Return the tokens of some values in a column, under every key of the ring, to search for them.

        Parameters
        ----------
        values : list, Series or array, shape (n_values,)
            Values of the column's type.
        column : str or int
            The column.

        Returns
        -------
        list of str, length n_values times the number of keys
            For ``table[column].isin(...)``, which also finds tokens that were made before a rotation.

        Raises
        ------
        ParameterError, ParameterTypeError
            The tokens are randomized or bound, so that equal values have different tokens; or `values` is a single
            value.

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
            raise ParameterTypeError(
                f"values must be a list, a set or a column, got {type(values).__name__}. Write [value]."
            )
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
        """Return the state of a column that is searched for values of a type, or refuse a column without tokens."""
        if not hasattr(self, "_states"):
            declared = None if callable(self.columns) else as_names(self.columns)
            if declared is not None and column not in declared:
                raise ParameterError(f"column={column!r} is not among columns={declared!r}.")
            return None
        state = next((state for state in self._states.values() if state["name"] == column), None)
        if state is None:
            raise ParameterError(f"column={column!r} is not a column that {type(self).__name__} was fitted to encrypt.")
        types = {found, state["logical"]}
        if "null" in types or len(types) == 1 or types <= _NUMBERS:
            return state
        raise InputError(f"Column {column!r} holds {state['logical']}, so no value of type {found} is in it.")


_NUMBERS = {"int", "float"}  # equal ones have equal tokens
