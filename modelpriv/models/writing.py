"""How a wrapped estimator is written: into a sealed file, to a worker process, and into the hash of a cache."""

from __future__ import annotations

import copy
import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import joblib

from modelpriv import sealing
from modelpriv._core import compat
from modelpriv._core.checks import OneOf, check
from modelpriv.errors import ParameterError
from modelpriv.keys import KeyParameter, PublicParameter, needed, resolve_whole, workers
from modelpriv.models.delegation import METHODS, DelegatingEstimator
from modelpriv.models.locked import VERSION, Locked
from modelpriv.sealing.contents import Contents
from modelpriv.sealing.description import SCOPES, describe
from modelpriv.sealing.policy import check_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelpriv.keys import AnyKeyring
    from modelpriv.sealing import AccessPolicy

__all__ = ["SealedWhenWritten"]

_NOT_CONTENT = {"key", "recipients", "sign_with", "_read"}
_PROCESS_KEY = secrets.token_bytes(32)


class SealedWhenWritten(DelegatingEstimator):
    """A delegating estimator that is ciphertext for every serialiser, and itself for the workers of this process.

    Its state is one of two: open, as any estimator's, or locked, with ``_locked`` and ``key`` alone.
    """

    key = KeyParameter()
    recipients = PublicParameter()
    scope: str
    code: str
    policy: AccessPolicy | None
    sign_with = PublicParameter()
    metadata: Any

    _locked: Locked | None = None
    _read = False  # whether it was read from somewhere, so that its policy is kept

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        compat.register_for_workers(cls, _to_worker)
        compat.register_hash(cls, cls._content_hash)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild an open object from its attributes. Sealed files call this method; you need not."""
        made = cls.__new__(cls)
        made.__dict__.update(state)
        return made

    def _is_open(self) -> bool:
        return self._locked is None

    def _known_keyring(self) -> Any:
        return self.key

    def _move_to(self, keys: AnyKeyring) -> None:
        """Seal under a keyring's primary key from now on."""
        if not isinstance(self.key, str):  # a URI stays: what it names holds the newer key too, by then
            self.key = keys

    # --- pickles ---

    def __getstate__(self) -> dict[str, Any]:
        # Here and not in __reduce__, because skops and copyreg ask for the state and nothing else.
        if self._locked is not None:
            self._locked.note_needs()
            return self._locked.to_state()
        needed.note_step(self.key, None)
        key = None if self.key is None else resolve_whole(self.key).__getstate__()
        return {"version": VERSION, "sealed": sealing.dumps(self), "key": key, "cloned": False}

    def __setstate__(self, state: Any) -> None:
        locked = Locked.from_state(state)
        self.__dict__ = {"_locked": locked, "key": locked.reference}

    def __copy__(self) -> Self:
        return self.from_state(vars(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo[id(self)] = made = self.from_state({})
        made.__dict__.update(copy.deepcopy(vars(self), memo))
        return made

    def __sklearn_clone__(self) -> Self:
        if self._locked is None:
            made: Self = super().__sklearn_clone__()
            return made
        return self.from_state(vars(self) | {"_locked": self._locked.as_clone()})

    # --- sealed files ---

    def _to_seal(self) -> Contents:
        self._unlock_at_hand()
        if self._locked is not None:
            return Contents(sealed=self._locked.sealed)
        return Contents(
            payload=_InPlainText(self, _read=True),
            bare=self._active(),
            key=self.key,
            recipients=self.recipients,
            sign_with=self.sign_with,
            metadata=self.metadata,
            code=self.code,
            policy=self._check_methods(check_policy(self.policy)),
            description=self._description(),
        )

    def _description(self) -> dict[str, Any] | None:
        """Return what a reader without a key may know of the inner estimator."""
        check("scope", self.scope, OneOf(*SCOPES))
        return describe(self.estimator) if self.scope == "parameters" else None

    def _check_methods(self, policy: AccessPolicy | None) -> AccessPolicy | None:
        """Refuse a policy with a misspelt name: it would forbid what it was meant to allow."""
        inner = self._active()
        for name in (policy and policy.methods) or ():
            known = name.endswith("_") or name in METHODS or hasattr(type(inner), name) or hasattr(inner, name)
            if not known:
                raise ParameterError(f"policy names the method {name!r}, which a {type(inner).__name__} does not have.")
        return policy

    # --- caches ---

    def _content_hash(self) -> bytes:
        """Hash the content with a key, so that a cache finds it again and no one can try out guesses."""
        self._unlock_at_hand()
        if self._locked is not None:
            return sha256(self._locked.sealed).digest()
        state = {name: value for name, value in vars(self).items() if name not in _NOT_CONTENT}
        digest = joblib.hash(state, "sha1").encode()
        if self.key is None:  # write-only: a key of this process, so that its caches end with it
            return hmac.digest(_PROCESS_KEY, digest, "sha256")
        keys = resolve_whole(self.key)
        return hmac.digest(keys.working_key("pseudonym", context=_HASH_CONTEXT, length=32), digest, "sha256")


_HASH_CONTEXT = "modelpriv EncryptedEstimator content"


class _InPlainText:
    """An open object whose state is written in plain text: inside a sealed file, or on the pipe to a worker."""

    def __init__(self, wrapper: SealedWhenWritten, **changes: Any) -> None:
        self._class = type(wrapper)
        self._state = vars(wrapper) | changes

    def __reduce__(self) -> tuple[Callable[..., SealedWhenWritten], tuple[Any, ...]]:
        return self._class.from_state, (self._state,)


def _to_worker(wrapper: SealedWhenWritten) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    # As opaque bytes: joblib would write a large array that it can see to a file in shared memory.
    return workers.loads, (workers.dumps(_InPlainText(wrapper)),)
