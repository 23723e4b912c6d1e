"""What every transformer with a key shares: its keyring, the key that `fit` pinned, and what a pickle says of both."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

from modelpriv._core import compat
from modelpriv.errors import ModelprivError
from modelpriv.keys import AnyKeyring, KeyParameter, needed, resolve

if TYPE_CHECKING:
    from modelpriv.transformers.fitted import State

__all__ = ["PinnedToKey"]


class PinnedToKey:
    """A transformer with the parameter `key`; `fit` pins the id of the keyring's primary key as `key_id_`."""

    key = KeyParameter()
    key_id_: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        compat.register_hash(cls, cls._content_hash)

    def _content_hash(self) -> tuple[Any, ...]:
        """Return what a cache knows this object by: with a URI, also the keys that it names now.

        A fitted pipeline in the cache of ``memory=`` would otherwise keep its key for ever, whatever the URI says.
        """
        keys: Any = None
        if isinstance(self.key, str):
            with contextlib.suppress(ModelprivError):  # fit says what is wrong with it
                keys = resolve(self.key).fingerprints
        return vars(self), keys

    def __getstate__(self) -> State:
        needed.note_step(self._known_keyring(), getattr(self, "key_id_", None))
        return cast("State", super().__getstate__())

    def _keyring(self) -> AnyKeyring:
        """Resolve `key`; a keyring that a URI names is fetched once, and kept as long as this object."""
        keys = resolve(self._known_keyring())
        if isinstance(self.key, str):
            self._fetched = (self.key, keys)
        return keys

    def _known_keyring(self) -> Any:
        """Return the keyring that the URI in `key` gave before; else `key` itself."""
        uri, kept = getattr(self, "_fetched", None) or (None, None)
        return kept if isinstance(self.key, str) and self.key == uri else self.key

    def _move_to(self, keys: AnyKeyring) -> None:
        """Protect by a keyring's primary key from now on, with what was learnt under the older one."""
        if isinstance(self.key, str):
            self._fetched = (self.key, keys)  # the URI stays: what it names holds the newer key too, by then
        else:
            self.key = keys
        if hasattr(self, "key_id_"):
            self.key_id_ = keys.primary
