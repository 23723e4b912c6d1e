"""EncryptedEstimator: wraps any estimator, is it in memory, and is ciphertext wherever it is written."""

from __future__ import annotations

import contextlib
import copy
import hmac
import html
import io
import re
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

import joblib
from joblib.hashing import Hasher
from sklearn.base import clone

from modelpriv import sealing
from modelpriv._core import events, process
from modelpriv.errors import (
    KeyUnavailableError,
    LockedError,
    ModelprivError,
    ParameterError,
    SealedFileError,
    UntrustedError,
)
from modelpriv.keys import KeyParameter, KeyReference, registry, resolve_whole, workers
from modelpriv.models.delegation import METHODS, DelegatingEstimator
from modelpriv.sealing import naming
from modelpriv.sealing.access import to_ways
from modelpriv.sealing.contents import Contents
from modelpriv.sealing.description import SCOPES, describe
from modelpriv.sealing.format.layout import check_metadata
from modelpriv.sealing.policy import check_policy
from modelpriv.sealing.serializers import SKOPS, choose
from modelpriv.sealing.writing import check_signing_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from modelpriv.keys import Identity, Signer, SigningKey
    from modelpriv.sealing import AccessPolicy

__all__ = ["EncryptedEstimator"]

_NOT_CONTENT = {"key", "recipients", "sign_with", "_read"}
_KEY_ID = re.compile("[0-9a-f]{8}")
_PROCESS_KEY = secrets.token_bytes(32)

Wrapper = TypeVar("Wrapper", bound="EncryptedEstimator")


class EncryptedEstimator(DelegatingEstimator):
    """Wraps an estimator so that its pickle, however it is made, holds only ciphertext.

    In memory it is the estimator that it wraps: it fits, predicts, transforms, scores, shows the fitted attributes and
    takes part in grid searches and pipelines. Whatever serialises it (pickle, joblib, cloudpickle, skops) gets a
    sealed file's bytes instead of its state. Unpickled, it is *locked* until it is used where its key is at hand: the
    keyring that opened the file around it, a live one of the process, or the one behind the key's URI. Else each use
    raises `LockedError`, until `unlock` is given the key. What can be opened by recipients also waits until its signer
    is one whom the reader trusts. With recipients and no key it is *write-only*: what was written, only they read.

    It protects class, structure, hyper-parameters and all that was learnt, against whoever gets the bytes and not
    the key, and against changes to them. It leaks that a model is there, its size, the ids of the keyring's keys and
    the keyring's URI, the versions of Python, scikit-learn and numpy, `policy` and `metadata`, and what `scope` leaves
    readable. It does not hide the model from code of the process that has it open, nor from those who have the key; it
    does not protect what stands beside it: the other steps of a pipeline, or the results of a grid search around it.
    So wrap the outermost estimator. A pipeline's ``memory=`` keeps transformed data in clear, with or without it.

    Parameters
    ----------
    estimator : estimator
        What is wrapped. If it is fitted already, the wrapper works at once; `fit` always fits a clone.
    key : Keyring or str, optional
        A keyring, or the URI of one (``"env:NAME"``, ``"file:PATH"``). Its primary key seals.
    recipients : list of Recipient or str, optional
        Their identities open what is written, instead of the key or beside it.
    scope : {"estimator", "parameters"}, default="estimator"
        What is sealed: all of the estimator, or all that was learnt, while its class and hyper-parameters (of nested
        estimators too) can be read by anyone, for a registry.
    code : {"by-reference", "by-value"}, default="by-reference"
        Whether your own classes and functions are named in what is written, or stand in it, so that it opens where
        their modules are not. See `modelpriv.dump`.
    policy : AccessPolicy, optional
        What those who read the model are meant to do with it: kept wherever it was read, not in this very object.
    sign_with : SigningKey, optional
        Vouches for what is written. Without it, what is written for recipients is not unpickled by them: they read a
        plain model with skops, and name its types. It is never written: what was read holds the signer's public key.
    metadata : dict, optional
        Public: anyone can read it in what is written. Text keys, JSON values.

    Attributes
    ----------
    estimator_ : estimator
        The estimator that `fit` fitted. Its own fitted attributes and its other methods are there as the wrapper's.

    See Also
    --------
    modelpriv.dump : Write any estimator to a sealed file.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv import EncryptedEstimator, Keyring
    >>> X, y = load_diabetes(return_X_y=True)
    >>> keys = Keyring.generate()
    >>> model = EncryptedEstimator(Ridge(alpha=0.1), key=keys).fit(X, y)
    >>> pickled = pickle.dumps(model)
    >>> b"Ridge" in pickled
    False
    >>> opened = pickle.loads(pickled)
    >>> bool((opened.predict(X) == model.predict(X)).all())
    True
    >>> opened.coef_.shape
    (10,)
    """

    key = KeyParameter()
    # Of a locked object: a sealed file's bytes, and whether it is a clone, so that what was learnt does not count.
    _sealed: bytes | None = None
    _cloned: bool = False
    # Of one that was read: its policy is kept.
    _read: bool = False

    def __init__(
        self,
        estimator: Any,
        *,
        key: Any = None,
        recipients: Any = None,
        scope: str = "estimator",
        code: str = "by-reference",
        policy: AccessPolicy | None = None,
        sign_with: SigningKey | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.estimator = estimator
        self.key = key
        self.recipients = recipients
        self.scope = scope
        self.code = code
        self.policy = policy
        self.sign_with = sign_with
        self.metadata = metadata

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _register(cls)

    # --- the key ---

    def unlock(
        self,
        *,
        key: Any = None,
        identity: Identity | None = None,
        trusted_signers: Iterable[Signer | str] = (),
        trusted_types: Iterable[str] = (),
        allow_code: bool = False,
    ) -> Self:
        """Open a locked object; an open one stays as it is.

        Parameters
        ----------
        key : Keyring or str, optional
            The keyring that holds the key, or its URI. By default what the pickle refers to.
        identity : Identity, optional
            Opens what was sealed to its recipient. By default one of them that is alive in this process.
        trusted_signers : iterable of Signer or str, optional
            Whose models are unpickled, where recipients can open them; see `modelpriv.load`.
        trusted_types : iterable of str, optional
            The full names of types that a model without a signature may hold.
        allow_code : bool, default=False
            Whether the model may bring the code of its author's own classes.

        Returns
        -------
        self
            Open.

        Raises
        ------
        KeyUnavailableError
            Nothing that is given opens it, or the key cannot be had.
        UntrustedError
            Nobody whom you trust vouches for it, or it holds types or code that you did not allow.
        SealedFileError
            The ciphertext is damaged or was altered.
        """
        if self._sealed is not None:
            trust = {"trusted_signers": trusted_signers, "trusted_types": trusted_types, "allow_code": allow_code}
            # Of a copy, because another thread may open this very object meanwhile.
            self.__dict__ = copy.copy(self)._opened(key, identity, trust)  # noqa: SLF001 - its own
        return self

    def _opened(self, key: Any, identity: Identity | None, trust: dict[str, Any]) -> dict[str, Any]:
        """Give the state that this object has when it is open."""
        if self._sealed is None:
            return self.__dict__
        if key is None and identity is None:
            key, identity = self.key, self._live_identity()
            if identity is not None and not _resolves(key):
                key = None
            if key is None and identity is None:  # and the process's providers are not asked for what a repr shows
                raise KeyUnavailableError("neither its key nor an identity of a recipient is at hand.")
        content = sealing.loads(self._sealed, key=key, identity=identity, **trust)
        if isinstance(content, EncryptedEstimator) and _name(type(content)) == _name(type(self)):
            state = content.__dict__
        elif self._claimed("serializer") == SKOPS and hasattr(content, "fit"):  # it cannot write a wrapper
            state = vars(type(self)(content, key=key)) | {"_read": True}
        else:
            raise SealedFileError(f"what was sealed is no {type(self).__name__}: it was put together.")
        if self._cloned:
            for name in ("estimator_", "_read"):
                state.pop(name, None)
            state["estimator"] = clone(state["estimator"])
        return state

    def _live_identity(self) -> Identity | None:
        """Give a living identity of one of the recipients, if any can be what opens this."""
        ids = {stanza["recipient"] for stanza in self._claimed("stanzas") or () if "recipient" in stanza}
        return registry.find_identity_of(ids) if ids else None

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also of the inner estimator (``estimator__alpha``); ``key`` unlocks a locked object.

        Parameters
        ----------
        **params
            Names and values.

        Returns
        -------
        self
        """
        if "key" in params:
            self.unlock(key=params["key"])
        self._open()
        super().set_params(**params)
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - scikit-learn's signature
        """Give the parameters; of a locked object whose key is not at hand, only those that were left readable.

        Parameters
        ----------
        deep : bool, default=True
            Whether to give those of the inner estimator too.

        Returns
        -------
        params : dict
        """
        if not self._is_open():
            # A pipeline asks each step for its parameters, if only to print itself or to hand on the key of this one.
            params = dict.fromkeys(self._get_param_names()) | {
                "estimator": _Locked(self._shown_locked()),
                "key": self.key,
            }
            readable = self._claims().get("parameters", {}) if deep else {}
            return params | {f"estimator__{name}": value for name, value in readable.items()}
        return dict(super().get_params(deep=deep))

    def _is_open(self) -> bool:
        """Tell whether the object is open, and open it if its key is at hand."""
        if self._sealed is not None:
            with contextlib.suppress(Exception):  # what is unpickled may raise anything
                self.unlock()
        return self._sealed is None

    def _open(self) -> None:
        """Open a locked object, or say what it wants."""
        try:
            self.unlock()
        except (KeyUnavailableError, ParameterError) as error:
            raise LockedError(
                f"this {type(self).__name__} is locked: call unlock(...) with {self._wanted()}. ({error})"
            ) from None
        except UntrustedError as error:
            raise LockedError(
                f"this {type(self).__name__} is locked: call unlock(...) with what it asks for, or tell the process by "
                f"modelpriv.sealing.set_trusted. ({error})"
            ) from None

    def _claimed(self, field: str) -> Any:
        """Give what the ciphertext of a locked object says in the open, unverified; None if it cannot be read."""
        with contextlib.suppress(ModelprivError):
            return getattr(sealing.inspect(io.BytesIO(self._sealed or b"")), field)
        return None

    def _claims(self) -> dict[str, Any]:
        """Give what the ciphertext of a locked object says of the inner estimator: mostly nothing."""
        return self._claimed("estimator") or {}

    def _wanted(self) -> str:
        key = self.__dict__.get("key")
        ways = [f"key id {key.primary}"] if isinstance(key, KeyReference) else []
        ids = [stanza["recipient"] for stanza in self._claimed("stanzas") or () if "recipient" in stanza]
        ways += [f"the identity of recipient {recipient}" for recipient in ids]
        return " or ".join(ways) or "its key"

    def _shown_locked(self) -> str:
        claimed = self._claims()
        return f"<locked: {self._wanted()}" + (f", unverified: {claimed['class']!a}>" if claimed else ">")

    def __getattr__(self, name: str) -> Any:
        if self._sealed is None or name.startswith("_"):
            return super().__getattr__(name)
        try:
            self._open()
        except LockedError:
            raise
        except Exception as error:  # noqa: BLE001 - hasattr must get an AttributeError, whatever unpickling raised
            raise LockedError(f"this {type(self).__name__} cannot be opened: {error}") from None
        return getattr(self, name)

    def _allows(self, name: str) -> bool:
        return not self._read or self.policy is None or self.policy.allows(name)

    def _check_use(self, name: str) -> None:
        if not self._read or self.policy is None:
            return
        try:
            self.policy.check_use(name)
        except LockedError as refusal:
            with events.event(name, type(self).__name__):
                raise refusal from None

    def _check_parameters(self) -> None:
        if self.recipients is None:
            resolve_whole(self.key)
        ways = to_ways(self.key, None, self.recipients)
        self._description()
        signing_key, policy = check_signing_key(self.sign_with), check_policy(self.policy)
        choose(self.code, unsigned=not ways.symmetric and signing_key is None, policy=policy)
        self._check_methods(policy)
        check_metadata(self.metadata)

    def _check_methods(self, policy: AccessPolicy | None) -> AccessPolicy | None:
        """Refuse a policy with a name that is misspelt: it would let nobody do what was meant."""
        inner = self._active()
        for name in (policy and policy.methods) or ():
            known = name.endswith("_") or name in METHODS or hasattr(type(inner), name) or hasattr(inner, name)
            if not known:
                raise ParameterError(f"policy names the method {name!r}, which a {type(inner).__name__} does not have.")
        return policy

    # --- written, copied, shown ---

    def __getstate__(self) -> dict[str, Any]:
        # Here and not in __reduce__, because skops and copyreg ask for the state and nothing else.
        if self._sealed is None:
            held = None if self.key is None else resolve_whole(self.key).__getstate__()
            return {"sealed": sealing.dumps(self), "key": held, "cloned": False}
        key = self.__dict__["key"]
        reference = key.__reduce__()[1] if isinstance(key, KeyReference) else None
        return {"sealed": self._sealed, "key": reference, "cloned": self._cloned}

    def __setstate__(self, state: Any) -> None:
        # Never raises, for an exception here would take down a registry or a pool of workers: first use does.
        state = state if isinstance(state, dict) else {}
        reference = None
        with contextlib.suppress(Exception):
            # Now, because the keyring that opens the enclosing file is known only while it is being opened.
            if all(map(_KEY_ID.fullmatch, state["key"][0])):  # they are shown, and may be a stranger's text
                reference = KeyReference(*state["key"])
        sealed, cloned = state.get("sealed"), state.get("cloned") is True
        self.__dict__ = {"_sealed": sealed if isinstance(sealed, bytes) else b"", "_cloned": cloned, "key": reference}

    def _to_seal(self) -> Contents:
        if not self._is_open():
            return Contents(sealed=self._sealed)
        return Contents(
            payload=_Open(self, read=True),
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
        """Give what is to be readable of the inner estimator."""
        if self.scope not in SCOPES:
            raise ParameterError(f"scope must be one of {', '.join(map(repr, SCOPES))}, got {self.scope!r}.")
        return describe(self.estimator) if self.scope == "parameters" else None

    def __copy__(self) -> Self:
        return _assemble(type(self), dict(vars(self)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        memo[id(self)] = made = _assemble(type(self), {})
        made.__dict__.update(copy.deepcopy(vars(self), memo))
        return made

    def __sklearn_clone__(self) -> Self:
        if self._sealed is None:
            made: Self = super().__sklearn_clone__()
            return made
        return _assemble(type(self), vars(self) | {"_cloned": True})

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # noqa: N803 - scikit-learn's signature
        if self._sealed is not None:
            return f"{type(self).__name__}({self._shown_locked()})"
        return str(super().__repr__(N_CHAR_MAX))

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner()) if self._sealed is None else f"<pre>{html.escape(repr(self))}</pre>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        if self._sealed is not None:
            return {"text/plain": repr(self), "text/html": self._repr_html_inner()}
        shown: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        return shown

    def _content_hash(self) -> bytes:
        """Hash what the object is, with a key, so that a cache finds it again and nobody can try out guesses."""
        if not self._is_open():
            return sha256(self._sealed or b"").digest()
        state = {name: value for name, value in vars(self).items() if name not in _NOT_CONTENT}
        if self.key is None:  # write-only: a key of this process, with whose end its caches end too
            key = _PROCESS_KEY
        else:
            key = resolve_whole(self.key).working_key(
                "pseudonym", context="modelpriv EncryptedEstimator content", length=32
            )
        return hmac.digest(key, joblib.hash(state, "sha1").encode(), "sha256")


class _Open:
    """Stands for an open object where its state is written in clear: inside of a sealed file, or on a worker's pipe."""

    def __init__(self, wrapper: EncryptedEstimator, **changes: Any) -> None:
        self._class = type(wrapper)
        self._state = vars(wrapper) | {f"_{name}": value for name, value in changes.items()}

    def __reduce__(self) -> tuple[Callable[..., EncryptedEstimator], tuple[Any, ...]]:
        return _assemble, (self._class, self._state)


class _Locked:
    """Stands for the inner estimator of a locked object among its parameters."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def __repr__(self) -> str:
        return self._shown


def _name(cls: type) -> tuple[str, str]:
    # Not the class itself: one whose code came along is another each time.
    return cls.__module__, cls.__qualname__


def _resolves(key: object) -> bool:
    with contextlib.suppress(ModelprivError):
        naming.referred(key) if isinstance(key, KeyReference) else resolve_whole(key)
        return True
    return False


def _assemble(cls: type[Wrapper], state: dict[str, Any]) -> Wrapper:
    made = cls.__new__(cls)
    made.__dict__.update(state)
    return made


def _register(cls: type[EncryptedEstimator]) -> None:
    """Tell joblib how a class crosses the pipe to a worker, and how it is hashed, where its ciphertext would not do."""
    workers.register(cls, lambda wrapper: (workers.loads, (workers.dumps(_Open(wrapper)),)))
    # The hasher is a pickler, and its table the one place where it asks before it asks for the state.
    Hasher.dispatch[cls] = lambda hasher, wrapper: hasher.save((cls, wrapper._content_hash()))  # noqa: SLF001 - its own


_register(EncryptedEstimator)
process.settings.wrap = EncryptedEstimator
