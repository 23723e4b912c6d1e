"""Whether a model can predict now: every step has its key, before the first request comes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from modelpriv._core import walk
from modelpriv.errors import KeyUnavailableError, ModelprivError
from modelpriv.keys import needed
from modelpriv.models.writing import SealedWhenWritten

__all__ = ["check_ready"]


@runtime_checkable
class _Keyed(Protocol):
    """A fitted step that is pinned to a key."""

    key_id_: str

    def _keyring(self) -> Any: ...


def check_ready(model: object) -> None:
    """Refuse a model in which a step lacks its key; locked models inside are opened.

    Raises
    ------
    KeyUnavailableError
        A step lacks its key; the message names both.
    """
    for path, step in walk.estimators(model):
        name = f"the {type(step).__name__} at model{path}"
        try:
            if isinstance(step, SealedWhenWritten):
                step._open()  # noqa: SLF001 - a class of this room
            elif isinstance(step, _Keyed):
                _check_key(step)
        except ModelprivError as error:
            raise KeyUnavailableError(f"the model is not ready: {name} has no key. {error}") from None


def _check_key(step: _Keyed) -> None:
    keys = step._keyring()  # noqa: SLF001 - the protocol above
    for one in needed.wanted(keys, step.key_id_)[1:] or needed.wanted(None, step.key_id_):
        if not needed.holds(keys, one):
            raise KeyUnavailableError(
                f"It is pinned to key id {one[0]}, and its keyring holds {', '.join(keys.key_ids)}. Give the keyring "
                "that holds it, or move the model with modelpriv.repin."
            )
