"""All that this process remembers between calls: the one place for what is alive, configured and registered.

Everything else in the package is a function of its arguments. Each entry says who sets it and who reads it. Nothing
here survives the process, and nothing here is ever written to a file.

======================  ============================================  ==========================================
entry                   set by                                        read by
======================  ============================================  ==========================================
`keyrings`              every `Keyring` when it is made               unpickling, `Keyring.from_uri`
`scoped_keyrings`       every `ScopedKeyring` when it is made         unpickling
`identities`            every `Identity` when it is made              unpickling, a locked model
`opening`               `modelpriv.load` while it unpickles           references in the file that it opens
`event`                 the block of an event                         what adds facts to that event
`actor`                 `modelpriv.audit.acting_as`                   each event when it ends
`needed`                `modelpriv.dump` while it pickles             keyed steps that are pickled
`audit_writers`         every `AuditLog` when it is made              a fork, the signal to rotate
`shared_memory`         `ModelHandle` with ``mmap=True``              reading the body of a sealed file
`listeners`             `AuditLog.start`, `PrometheusExporter.start`  each event when it ends
`settings.providers`    `modelpriv.keys.set_providers`                opening a keyring file or a sealed model
`settings.passphrase`   `modelpriv.keys.set_passphrase_callback`      opening a file without ``passphrase=``
`settings.trusted`      `modelpriv.sealing.set_trusted`               loading a sealed model
`settings.trusted_keys` `modelpriv.sealing.set_trusted`               opening a model that was unpickled
`named`                 a call that is passed a keyring for a model   opening a model that was unpickled
`settings.count_uses`   `modelpriv.evidence` when it is imported      `Keyring.retire`
`settings.wrap`         `modelpriv.models` when it is imported        `modelpriv.load` with ``wrap=True``
`settings.fitted`       `modelpriv.integrations.mlflow.autolog`       `EncryptedEstimator` after each fit
`settings.sighup`       `modelpriv.audit` when a log listens          the signal to rotate
`restorers`             `modelpriv.keys.reference` when imported      pickling an object that holds keys
======================  ============================================  ==========================================

Besides these, `_core.compat` registers how keys cross to worker processes in the tables of joblib and
multiprocessing, and `transformers.replacer.pools` caches pools of fakes.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Living",
    "actor",
    "audit_writers",
    "event",
    "identities",
    "keyrings",
    "listeners",
    "named",
    "needed",
    "opening",
    "restorers",
    "scoped_keyrings",
    "settings",
    "shared_memory",
]

T = TypeVar("T")


class Living(Generic[T]):
    """Objects of one kind, for as long as something else holds them."""

    def __init__(self) -> None:
        # By id(): a plain dict's operations need no lock that a fork could leave locked. The values are weak.
        self._held: WeakValueDictionary[int, T] = WeakValueDictionary()

    def add(self, thing: T) -> None:
        """Remember an object until nothing else holds it."""
        self._held[id(thing)] = thing

    def __iter__(self) -> Iterator[T]:
        # The list is made in one step, because another thread may add an object meanwhile.
        return iter([thing for reference in self._held.valuerefs() if (thing := reference()) is not None])


@dataclass
class Settings:
    """What the program told modelpriv, once for the whole process."""

    providers: tuple[Any, ...] = ()
    passphrase: Callable[[str], str | bytes] | None = None
    trusted: Any = None
    trusted_keys: tuple[Any, ...] = ()
    count_uses: Callable[..., Any] | None = None
    wrap: Callable[..., Any] | None = None
    fitted: Callable[..., None] | None = None
    sighup: Any = None


keyrings: Living[Any] = Living()
scoped_keyrings: Living[Any] = Living()
identities: Living[Any] = Living()
audit_writers: Living[Any] = Living()

named: set[Any] = set()
"""Fingerprints of keys, and keyring URIs; they are no secret."""

opening: ContextVar[tuple[Any, ...]] = ContextVar("modelpriv.opening", default=())
event: ContextVar[dict[str, Any] | None] = ContextVar("modelpriv.event", default=None)
actor: ContextVar[str | None] = ContextVar("modelpriv.actor", default=None)
shared_memory: ContextVar[bool] = ContextVar("modelpriv.shared_memory", default=False)
needed: ContextVar[Any] = ContextVar("modelpriv.needed", default=None)

listeners: list[Any] = []
settings = Settings()
restorers: dict[type, Callable[..., Any]] = {}
"""By the class of an object that holds keys: the public function that its pickle calls."""
