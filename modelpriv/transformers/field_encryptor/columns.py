"""The machinery of FieldEncryptor: its keys, its ciphers, and what it keeps of columns."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar

from modelpriv._columns.dtypes import default_dtype
from modelpriv._columns.frame import Built, as_names, open_frame
from modelpriv._core import events
from modelpriv.errors import InputError, KeyUnavailableError, ModelprivError, ParameterError
from modelpriv.keys import Identity, resolve
from modelpriv.keys.recipient import read_recipients
from modelpriv.transformers.field_encryptor.data_keys import new_data_key, open_data_keys
from modelpriv.transformers.field_encryptor.format_cipher import FormatCipher, check_text, letters_of
from modelpriv.transformers.field_encryptor.parameters import FIELD_RULES, check_field_parameters
from modelpriv.transformers.field_encryptor.states import Cipher, learnt, merged, restored, rewrapped
from modelpriv.transformers.field_encryptor.tokens import Tokens, bound_to
from modelpriv.transformers.keyed import KEYED_RULES, KeyedCall, KeyedColumnTransformer
from modelpriv.transformers.tags import check_same_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sklearn.utils import Tags

    from modelpriv._columns.arrow import Bound
    from modelpriv._columns.frame import Column, Frame
    from modelpriv._core.checks import Rules
    from modelpriv.keys import AnyKeyring
    from modelpriv.transformers.fitted import State

__all__ = ["EncryptingTransformer", "bound", "column_context"]


class EncryptingTransformer(KeyedColumnTransformer):
    """Seals and opens columns with the ciphers that the parameters of a `FieldEncryptor` choose."""

    mode: str
    recipients: Any
    bind: Any
    pad: int | None
    alphabet: str | None
    keep: str
    keep_first: int
    keep_last: int
    check_digit: str | None
    on_error: str

    _parameter_rules: ClassVar[Rules] = KEYED_RULES | FIELD_RULES

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.mode == "randomized"
        return tags

    def _begin(self, frame: Frame, references: Mapping[Any, Column], *, fitting: bool) -> KeyedCall:
        if not fitting or self.recipients is None:
            return super()._begin(frame, references, fitting=fitting)
        keys, wrapped = new_data_key(read_recipients(self.recipients))
        events.note_keys(keys.primary)
        return _DataKeyCall(frame, references, keys, keys.primary, self.context, wrapped)

    def _finish_fit(self, call: KeyedCall) -> None:
        super()._finish_fit(call)
        self._keep(array_dtype=None if call.frame.dtype is None else call.frame.dtype.str)
        if isinstance(call, _DataKeyCall):
            # Pickled by reference, as every keyring is: it exists in this process only.
            self._data_keys = call.keys
            self.wrapped_keys_ = call.wrapped

    def _keyring(self) -> AnyKeyring:
        if isinstance(self.key, Identity):
            return open_data_keys(getattr(self, "wrapped_keys_", {}), self.key)
        if self.recipients is None:
            return super()._keyring()
        try:
            return resolve(getattr(self, "_data_keys", None))
        except ModelprivError:
            raise KeyUnavailableError(
                "The data key of this fit is no longer in this process. To protect, fit again. To open, call "
                "set_params(key=identity) with the identity of a recipient."
            ) from None

    def _check_parameters(self) -> None:
        check_field_parameters(self)
        if self.recipients is None and not isinstance(self.key, Identity):
            super()._check_parameters()
            return
        self._check_context()
        if self.recipients is not None:
            read_recipients(self.recipients)
            if not isinstance(self.key, (Identity, NoneType)):
                raise ParameterError("key and recipients were both given. Pass one of them.")

    def _move_to(self, keys: AnyKeyring) -> None:
        if hasattr(self, "_states"):
            call = KeyedCall(open_frame([[0]]), {}, keys, keys.primary, self.context)
            self._keep(columns=self._moved_states(call))
        super()._move_to(keys)

    def _moved_states(self, call: KeyedCall) -> dict[int, State]:
        """Return what is kept of the columns, with the tokens of categories under the key of a call."""
        return {
            position: rewrapped(state, self._cipher(state["context"], call), call.key_id)
            for position, state in self._states.items()
        }

    def _reference_names(self) -> Sequence[Any]:
        return as_names(self.bind) or () if self.bind is not None else ()

    def _fit_part(self, column: Column, call: KeyedCall) -> State:
        if self.mode == "format-preserving":
            check_text(column)
        context = call.context_of(column)
        return learnt(column, context, self._cipher(context, call), call.key_id)

    def _merge_states(self, one: State, other: State, call: KeyedCall) -> State:
        both = super()._merge_states(one, other, call)
        return both | merged(one, other, self._cipher(one["context"], call), call.key_id)

    def _transform_column(self, column: Column, state: State, call: KeyedCall) -> Built:
        check_same_type(column, state["logical"])
        tokens = self._cipher(state["context"], call).seal(column, bound(call), key_id=call.key_id)
        return Built(tokens, column.dtype.as_text())

    def _restore(self, column: Column, state: State | None, call: KeyedCall) -> Built:
        cipher = self._cipher(column_context(state, column, call), call)
        container = call.frame.container
        if state is not None:
            return restored(column, state, cipher, bound(call), container=container, failures=self.on_error)
        cells = cipher.open(column, bound(call), type_=None, failures=self.on_error)
        return Built(cells, default_dtype(container, cells.type))

    def _cipher(self, context: str, call: KeyedCall) -> Cipher:
        """Return the cipher of a context; cells in a format name no key, so they open with the pinned one."""
        if self.mode != "format-preserving":
            return Tokens(call.keys, self.mode, context, self.pad, protect_nulls=self.null == "protect")
        pinned = getattr(self, "key_id_", call.keys.primary)
        letters = letters_of(self.alphabet)
        luhn = self.check_digit is not None
        return FormatCipher(call.keys, pinned, context, letters, self.keep, self.keep_first, self.keep_last, luhn)

    def _states_to_open(self, frame: Frame) -> dict[int, State | None]:
        """Return the positions of the columns to open, and the state of each."""
        if not hasattr(self, "_states"):
            return dict.fromkeys(self._find_columns(frame))
        if self._names is None or not frame.named:
            if len(frame.names) != self.n_features_in_:
                raise InputError(
                    f"The table has {len(frame.names)} columns, but {type(self).__name__} was fitted on "
                    f"{self.n_features_in_}. Columns without names are matched by position, so pass all of them."
                )
            return dict(self._states)
        unknown = [name for name in frame.names if name not in self._names]
        if unknown:
            raise InputError(
                f"{type(self).__name__} was not fitted on columns {unknown!r}. If a ColumnTransformer added prefixes "
                "to the names, pass it verbose_feature_names_out=False."
            )
        by_name = {state["name"]: state for state in self._states.values()}
        return {position: by_name[name] for position, name in enumerate(frame.names) if name in by_name}


@dataclass(frozen=True, slots=True)
class _DataKeyCall(KeyedCall):
    """What one fit to recipients works on: the keyring holds the new data key."""

    wrapped: dict[str, list[dict[str, Any]]]


def column_context(state: State | None, column: Column, call: KeyedCall) -> str:
    """Return the context that `fit` gave a column, or else that of its name."""
    return str(state["context"]) if state else call.context_of(column)


def bound(call: KeyedCall) -> Bound:
    """Return what the cells of each row are bound to, as the ciphers take it."""
    return bound_to(call.references.values())
