"""What the column transformers with a key share: the keyring, the pinned key id and the contexts of the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from modelpriv._core import events
from modelpriv._core.checks import InstanceOf, OneOf, Rule, Rules, Text, check
from modelpriv.errors import ParameterError
from modelpriv.keys import AnyKeyring, resolve
from modelpriv.transformers.base import BaseColumnTransformer, Call
from modelpriv.transformers.declared import find_column
from modelpriv.transformers.pinned import PinnedToKey
from modelpriv.transformers.tags import merged_type

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from modelpriv._columns.frame import Column, Frame
    from modelpriv.transformers.fitted import State

__all__ = ["KEYED_RULES", "KeyedCall", "KeyedColumnTransformer"]


@dataclass(frozen=True, slots=True)
class KeyedCall(Call):
    """What one call works on, with the keyring and the id of the key that protects."""

    keys: AnyKeyring
    key_id: str
    context: Any

    def context_of(self, column: Column) -> str:
        """Return a column's context: its name, unless the parameter `context` says otherwise, by name or position."""
        if isinstance(self.context, dict) and column.name not in self.context and column.name in self.frame.names:
            position = self.frame.names.index(column.name)
            return context_of(column.name, {column.name: self.context.get(position, column.name)})
        return context_of(column.name, self.context)


KEYED_RULES: dict[str, list[Rule | None]] = {
    "null": [OneOf("keep", "protect", "raise")],
    "context": [Text(), InstanceOf(dict, words="a dict of column names to texts"), None],
}


class KeyedColumnTransformer(PinnedToKey, BaseColumnTransformer):
    """A column transformer with the parameters `key` and `context`.

    `fit` pins the id of the keyring's primary key as `key_id_`, and every later call protects with that key.
    """

    context: Any

    _parameter_rules: ClassVar[Rules] = KEYED_RULES

    def _begin(self, frame: Frame, references: Mapping[Any, Column], *, fitting: bool) -> KeyedCall:
        if fitting and isinstance(self.context, dict):
            for name in self.context:
                find_column(frame, name, "context")  # a typing error would silently keep tables from joining
        keys = self._keyring()
        key_id = self.key_id_ if not fitting else keys.primary
        events.note_keys(key_id)
        return KeyedCall(frame, references, keys, key_id, self.context)

    def _merge_states(self, one: State, other: State, call: KeyedCall) -> State:  # noqa: ARG002 - for children
        return one | {"logical": merged_type(one, other)}

    def _finish_fit(self, call: KeyedCall) -> None:
        self.key_id_ = call.key_id

    def _check_parameters(self) -> None:
        if self.key is None:
            resolve(None)  # raises, and says what to pass
        self._check_context()

    def _check_context(self) -> None:
        if isinstance(self.context, dict):
            for name, text in self.context.items():
                check(f"context[{name!r}]", text, Text())


def context_of(name: Hashable, context: Any) -> str:
    """Return the context of a column of this name, or refuse a column that has none."""
    text = context.get(name, name) if isinstance(context, dict) else context or name
    if not isinstance(text, str) or not text:
        raise ParameterError(
            f"Column {name!r} has no text for a name, so it needs a context. Pass context='table.column' for a single "
            f"column, or a dict such as {{{name!r}: 'table.column'}}."
        )
    return text
