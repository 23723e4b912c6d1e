"""Pseudonymizer: the same short code for the same value, wherever the key is, and no way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from modelpriv._columns.cells import logical_type
from modelpriv._columns.dtypes import default_dtype
from modelpriv._columns.frame import Built
from modelpriv._core.checks import OneOf, Rules, Text, Whole
from modelpriv.errors import ParameterError
from modelpriv.kernels.prf import pseudonym
from modelpriv.kernels.prf.sketch import SIZE, estimate, smallest, united
from modelpriv.transformers.fitted import without
from modelpriv.transformers.keyed import KEYED_RULES, KeyedCall, KeyedColumnTransformer
from modelpriv.transformers.tags import KEY_LENGTH, check_same_type, different_tags, tags

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelpriv._columns.frame import Column
    from modelpriv.transformers.fitted import State

__all__ = ["Pseudonymizer"]


class Pseudonymizer(KeyedColumnTransformer):
    """Replace the values of columns by pseudonyms: codes that only the key's holder can compute, and no one can undo.

    A pseudonym is the output of a keyed pseudorandom function (the synthetic IV of AES-SIV, RFC 5297) in the form that
    `kind` chooses. The same value has the same pseudonym in every row, table, process and machine with the key, for
    columns of the same context, so tables still join, group and count. Equal numbers have the same pseudonym, whether
    they are integers or floats, and -0.0 has that of 0.0. No value is kept.

    *Protects* the values: without the key a pseudonym says nothing about its value, and an attacker cannot try values
    out, as with a plain hash.

    *Leaks* which cells are null, which are equal, and so how often each value occurs: if there are few values, or if
    their frequencies are known, an attacker can guess them. Anyone with the key can try values out.

    *Does not* give anything back: use a deterministic `FieldEncryptor` for that. It *does not* rule out that two values
    get the same pseudonym, but makes it as improbable as the form allows. Among `n` different values and `s` possible
    pseudonyms about ``n * n / (2 * s)`` pairs share one:

    ==================================  =======  =========================  =============================
    form                                bits     a million values           a thousand million values
    ==================================  =======  =========================  =============================
    text, 22 characters (default)       128      1 in 10**27                1 in 10**21
    ``"uuid"``                          122      1 in 10**25                1 in 10**19
    ``"int64"``                         63       1 in 18,000,000            1 in 18
    text, 10 characters                 60       1 in 2,300,000             0.4 pairs
    text, 10 decimal digits             33.2     50 pairs                   50,000,000 pairs
    ==================================  =======  =========================  =============================

    `fit` counts the different values of each column (beyond 4,096 it estimates them to about 3 %). It refuses a form in
    which a collision among them is more probable than one in a thousand. It cannot count values that come later: leave
    room for them.

    Parameters
    ----------
    kind : {"text", "uuid", "int64"}, default="text"
        Text of a fixed length; a UUID of version 8 (RFC 9562) as text; or an integer that is not negative.
    key : Keyring or str
        The keyring, or a URI that names it, such as ``"env:MODELPRIV_KEYRING"``. Another primary key gives other
        pseudonyms.
    length : int, default=22
        Characters of text, without the prefix; at most as many as hold 128 bits.
    alphabet : str, optional
        Different printable ASCII characters to write text with, such as ``"0123456789"``; by default letters, digits,
        ``~`` and ``_``. Those that begin a formula in a spreadsheet (``- = + @``) need a `prefix`.
    prefix : str, default=""
        What each text begins with, such as ``"P-"``; not with ``-``, ``=``, ``+`` or ``@``.
    context : str or dict of str, optional
        What a column's pseudonyms are tied to: a dict of names to texts, or one text for all declared columns; by
        default each column's name. The same key and context in two tables makes their columns joinable.
    columns : list of str or int, callable, optional
        The columns to replace, by name or position; by default all. All others pass through.
    null : {"keep", "protect", "raise"}, default="keep"
        Leave nulls where they are, give them a pseudonym too, or refuse them.

    Attributes
    ----------
    key_id_ : str
        The id of the key that `fit` pinned: 8 hexadecimal digits.
    n_features_in_ : int
        Number of columns that `fit` saw.
    feature_names_in_ : numpy array of str
        Their names, if they had any.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import Keyring, Pseudonymizer
    >>> keys = Keyring.generate()
    >>> patients = pd.DataFrame({"patient": ["A-17", "B-20"], "age": [62, 54]})
    >>> visits = pd.DataFrame({"patient": ["B-20", "A-17", "B-20"], "days": [3, 1, 8]})
    >>> step = Pseudonymizer(columns=["patient"], key=keys, prefix="P-")
    >>> hidden = step.fit_transform(patients).merge(step.fit_transform(visits), on="patient")
    >>> sorted(zip(hidden["age"].tolist(), hidden["days"].tolist()))
    [(54, 3), (54, 8), (62, 1)]
    >>> bool(hidden["patient"].isin(patients["patient"]).any())
    False
    """

    _by_parts = True
    _parameter_rules: ClassVar[Rules] = KEYED_RULES | {
        "kind": [OneOf("text", "uuid", "int64")],
        "length": [Whole(least=1)],
        "alphabet": [Text(empty=True), None],
        "prefix": [Text(empty=True)],
    }

    def __init__(
        self,
        kind: str = "text",
        *,
        key: object = None,
        length: int = 22,
        alphabet: str | None = None,
        prefix: str = "",
        context: object = None,
        columns: object = None,
        null: str = "keep",
    ) -> None:
        self.kind = kind
        self.key = key
        self.length = length
        self.alphabet = alphabet
        self.prefix = prefix
        self.context = context
        self.columns = columns
        self.null = null

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for parameter, value in (("alphabet", self._alphabet), ("prefix", self.prefix)):
            if not (value.isascii() and value.isprintable()):
                raise ParameterError(f"{parameter} must consist of printable ASCII characters.")
        if self.kind != "text":
            for parameter, default in _TEXT_ONLY.items():
                if getattr(self, parameter) != default:
                    raise ParameterError(
                        f"{parameter} works only with kind='text', not with kind={self.kind!r}. Leave it out."
                    )
        if len(set(self._alphabet)) < max(len(self._alphabet), _LEAST):
            raise ParameterError("alphabet must have at least two characters, each of them once.")
        if formula := set(self.prefix[:1] or self._alphabet) & set("-=+@"):
            raise ParameterError(
                f"{'prefix' if self.prefix else 'alphabet'} has {min(formula)!r}, and a spreadsheet reads a pseudonym "
                "that begins with it as a formula. Let prefix begin with a letter or a digit."
            )
        longest = pseudonym.longest(self._alphabet)
        if not 1 <= self.length <= longest:
            raise ParameterError(
                f"length must be between 1 and {longest}, which hold 128 bits in an alphabet of {len(self._alphabet)} "
                f"characters, got {self.length}."
            )

    def _fit_part(self, column: Column, call: KeyedCall) -> State:
        context = call.context_of(column)
        state = {"name": column.name, "context": context, "logical": logical_type(column.data.type)}
        if self._pairs(_MOST_ROWS) > _RISK:
            state["sketch"] = smallest(different_tags(column.data, self._key(call, context), nulls=False))
        return state

    def _merge_states(self, one: State, other: State, call: KeyedCall) -> State:
        merged = super()._merge_states(one, other, call)
        return merged | {"sketch": united(one["sketch"], other["sketch"])} if "sketch" in one else merged

    def _finish_states(self, states: dict[int, State], call: KeyedCall) -> dict[int, State]:  # noqa: ARG002 - one face
        for state in states.values():
            self._check_risk(state)
        return {position: without(state, "sketch") for position, state in states.items()}

    def _transform_column(self, column: Column, state: State, call: KeyedCall) -> Built:
        check_same_type(column, state["logical"])
        key = self._key(call, state["context"])
        nulls = None
        if self.null == "keep" and column.data.null_count:
            nulls = column.data.is_null().to_numpy(zero_copy_only=False)
        found = tags(column.data, key, nulls=self.null == "protect")
        if self.kind == "int64":
            numbers = pa.array(pseudonym.int64(found), mask=nulls)
            return Built(numbers, default_dtype(column.dtype.container, pa.int64()))
        return Built(pseudonym.to_arrow(self._written(found), nulls), column.dtype.as_text())

    def _key(self, call: KeyedCall, context: str) -> bytes:
        return call.keys.working_key("pseudonym", context=context, length=KEY_LENGTH, key_id=call.key_id)

    def _check_risk(self, state: State) -> None:
        """Refuse a form in which two values of a column are too likely to get the same pseudonym."""
        different = estimate(state["sketch"]) if "sketch" in state else 0
        pairs = self._pairs(different)
        if pairs > _RISK:
            about = "about " if different >= SIZE else ""
            raise ParameterError(
                f"Column {state['name']!r} has {about}{different:,} different values, and {self._form()} would give "
                f"about {pairs:,.3g} pairs of them the same pseudonym (a collision must be less probable than 1 in "
                f"{1 / _RISK:,.0f}). {self._remedy(different)}"
            )

    def _pairs(self, different: float) -> float:
        """Return how many pairs of this many different values are expected to share a pseudonym."""
        return float(different * (different - 1) / 2 / 2.0 ** self._bits(self.length))

    def _written(self, found: Any) -> npt.NDArray[Any]:
        """Return the characters of all pseudonyms, one a row."""
        if self.kind == "uuid":
            return pseudonym.uuid(found)
        prefix = self.prefix.encode()
        written = np.empty((len(found), len(prefix) + self.length), np.uint8)
        written[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
        written[:, len(prefix) :] = pseudonym.text(found, self.length, alphabet=self._alphabet)
        return written

    @property
    def _alphabet(self) -> str:
        return pseudonym.SAFE64 if self.alphabet is None else self.alphabet

    def _bits(self, length: int) -> float:
        return {"int64": 63.0, "uuid": 122.0}.get(self.kind) or pseudonym.bits(self._alphabet, length)

    def _form(self) -> str:
        return f"kind={self.kind!r}" + (f" with length={self.length}" if self.kind == "text" else "")

    def _remedy(self, different: int) -> str:
        if self.kind != "text":
            return "Use kind='text'."
        enough = (
            length
            for length in range(self.length, pseudonym.longest(self._alphabet) + 1)
            if different**2 / 2 <= _RISK * 2.0 ** self._bits(length)
        )
        return f"Use length={next(enough)} or more."


_RISK = 1e-3
_MOST_ROWS = 2**40  # of any table: a form in which so many values are safe needs no counting
_LEAST = 2  # characters of an alphabet
_TEXT_ONLY = {"length": 22, "alphabet": None, "prefix": ""}
