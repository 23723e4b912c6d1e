"""EncryptedEstimator: wraps any estimator, behaves like it in memory, and is ciphertext wherever it is written."""

from __future__ import annotations

import contextlib
import html
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from modelpriv._core import compat, events, process
from modelpriv.errors import KeyUnavailableError, LockedError, ParameterError, SealedFileError, UntrustedError
from modelpriv.keys import resolve_whole
from modelpriv.models.locked import Locked, Unread
from modelpriv.models.writing import SealedWhenWritten
from modelpriv.sealing.access import to_ways
from modelpriv.sealing.format.layout import check_metadata
from modelpriv.sealing.policy import check_policy
from modelpriv.sealing.serializers import SKOPS, choose
from modelpriv.sealing.writing import check_signing_key

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from modelpriv.keys import Identity, Signer, SigningKey
    from modelpriv.sealing import AccessPolicy

__all__ = ["EncryptedEstimator"]


class EncryptedEstimator(SealedWhenWritten):
    """Wraps an estimator so that its pickle, however it is made, holds only ciphertext.

    In memory it behaves as the estimator that it wraps: it fits, predicts, transforms, scores, shows fitted attributes
    and parameters, and works in grid searches and pipelines. A serialiser (pickle, joblib, cloudpickle, skops) gets
    the bytes of a sealed file instead of its state. Unpickled, it is *locked* until its first use, which opens it with
    the keyring that opened the file around it, or one that the program named for models, live or by its URI. Without
    one, each use raises `LockedError` until you call `unlock`. A file for recipients also needs a signer that you
    trust. With recipients and no key it is *write-only*: only the recipients read what you write.

    It protects class, structure, hyper-parameters and everything learnt, against anyone who gets the bytes but not the
    key, and against changes to the bytes. It leaks that there is a model, its size, the ids of the keyring's keys and
    of those that steps inside need, the keyring's URI, the versions of Python, scikit-learn and numpy, `policy` and
    `metadata`, and what `scope` leaves readable. It does not hide the model from code in the process that has it open,
    nor from holders of the key. It does not protect what is around it: the other steps of a pipeline, or the results of
    a grid search. So wrap the outermost estimator. A pipeline's ``memory=`` keeps transformed data in plain text, with
    or without it. Methods that would write the inner estimator in plain text, such as ``save_model``, are refused.

    Parameters
    ----------
    estimator : estimator
        The estimator to wrap. If it is fitted, the wrapper works at once. `fit` fits a clone of it.
    key : Keyring or str, optional
        A keyring, or the URI of one (``"env:NAME"``, ``"file:PATH"``). Its primary key seals.
    recipients : list of Recipient or str, optional
        Their identities open what you write, instead of the key or as well as the key.
    scope : {"estimator", "parameters"}, default="estimator"
        How much is hidden: the whole estimator, or only what it learnt. With ``"parameters"``, anyone can read its
        class and hyper-parameters (of nested estimators too), for a registry.
    code : {"by-reference", "by-value"}, default="by-reference"
        Whether what you write names your own classes and functions, or contains them, so that it opens where their
        modules are not installed. See `modelpriv.dump`.
    policy : AccessPolicy, optional
        What readers of the model may do with it. It applies wherever the model was read, not to this object.
    sign_with : SigningKey, optional
        Signs what you write. Without it, recipients do not unpickle what you write for them: they read a plain model
        with skops, and name its types. It is never written: a model that was read holds the signer's public key.
    metadata : dict, optional
        Public: anyone can read it in what you write. Text keys, JSON values.

    Attributes
    ----------
    estimator_ : estimator
        The estimator that `fit` fitted. The wrapper also has its fitted attributes, parameters and other methods.

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
        """Open a locked object. An open one stays as it is.

        Parameters
        ----------
        key : Keyring or str, optional
            The keyring that holds the key, or its URI. By default what the pickle refers to.
        identity : Identity, optional
            Opens what was sealed to its recipient. By default a recipient's identity that is alive in this process.
        trusted_signers : iterable of Signer or str, optional
            The signers whose models may be unpickled, where recipients can open them; see `modelpriv.load`.
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
            No signer that you trust signed it, or it holds types or code that you did not allow.
        SealedFileError
            The ciphertext is damaged or was altered.
        """
        if (locked := self._locked) is not None:
            trust = {"trusted_signers": trusted_signers, "trusted_types": trusted_types, "allow_code": allow_code}
            # All of the state at once, because another thread may open this very object meanwhile.
            self.__dict__ = self._opened(locked, key, identity, trust)
        return self

    def _opened(self, locked: Locked, key: Any, identity: Identity | None, trust: dict[str, Any]) -> dict[str, Any]:
        """Return the state that this object has when it is open."""
        content = locked.load(key, identity, trust)
        if isinstance(content, EncryptedEstimator) and _name(type(content)) == _name(type(self)):
            state = dict(vars(content))
        elif locked.claimed("serializer") == SKOPS and hasattr(content, "fit"):  # skops cannot write a wrapper
            state = vars(type(self)(content, key=key)) | {"_read": True}
        else:
            raise SealedFileError(f"the sealed content is not of the class {type(self).__name__}: it was put together.")
        if locked.cloned:
            for name in ("estimator_", "_read"):
                state.pop(name, None)
            state["estimator"] = clone(state["estimator"])
        return state

    def _unlock_at_hand(self) -> None:
        """Open a locked object with a key of this process, if there is one; follow no URI, and raise nothing."""
        if self._locked is not None:
            key, identity = self._locked.ways_at_hand()
            if key is not None or identity is not None:
                with contextlib.suppress(Exception):  # what is unpickled may raise anything
                    self.unlock(key=key, identity=identity)

    def _open(self) -> None:
        """Open a locked object, or say what it needs."""
        if (locked := self._locked) is None:
            return
        try:
            self.unlock()
        except (KeyUnavailableError, ParameterError) as error:
            raise LockedError(
                f"this {type(self).__name__} is locked: call unlock with {locked.wanted()}. ({error})"
            ) from None
        except UntrustedError as error:
            raise LockedError(
                f"this {type(self).__name__} is locked: call unlock(trusted_signers=[...]), or tell the process with "
                f"modelpriv.sealing.set_trusted. ({error})"
            ) from None

    def __getattr__(self, name: str) -> Any:
        if self._locked is None or name.startswith("_"):
            return super().__getattr__(name)
        try:
            self._open()
        except LockedError:
            raise
        except Exception as error:  # noqa: BLE001 - hasattr must get an AttributeError, whatever unpickling raised
            raise LockedError(f"this {type(self).__name__} cannot be opened: {error}") from None
        return getattr(self, name)

    # --- parameters ---

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also of the inner estimator (``estimator__alpha``). ``key`` unlocks a locked object.

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
        """Return the parameters. A locked object whose key is not at hand returns only those that were left readable.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return those of the inner estimator too.

        Returns
        -------
        params : dict
        """
        self._unlock_at_hand()
        if (locked := self._locked) is None:
            return self._to_log(deep=deep) if compat.asked_by_mlflow() else dict(super().get_params(deep=deep))
        # A pipeline asks each step for its parameters, if only to print itself or to hand on the key of this one.
        params = dict.fromkeys(self._get_param_names()) | {"estimator": Unread(repr(locked)), "key": locked.reference}
        readable = locked.parameters() if deep else {}
        return params | {f"estimator__{name}": value for name, value in readable.items()}

    def _to_log(self, *, deep: bool) -> dict[str, Any]:
        """Return the parameters as far as what this object writes shows them too."""
        described = self._description() or {"class": "sealed", "parameters": {}}
        params: dict[str, Any] = super().get_params(deep=False) | {"estimator": Unread(f"<{described['class']}>")}
        readable = described["parameters"] if deep else {}
        return params | {f"estimator__{name}": value for name, value in readable.items()}

    def _check_parameters(self) -> None:
        if self.recipients is None:
            resolve_whole(self.key)
        ways = to_ways(self.key, None, self.recipients)
        self._description()
        signing_key, policy = check_signing_key(self.sign_with), check_policy(self.policy)
        choose(self.code, unsigned=not ways.symmetric and signing_key is None, policy=policy)
        self._check_methods(policy)
        check_metadata(self.metadata)

    # --- the policy ---

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

    def _call(self, method: str, *args: Any, **params: Any) -> Any:
        if not self._read or self.policy is None or not self.policy.record:
            return super()._call(method, *args, **params)
        rows = events.rows_of((*args, *params.values(), None)[0])
        with events.event(method, type(self).__name__, whole=True, rows=rows):
            return super()._call(method, *args, **params)

    # --- shown ---

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:  # noqa: N803 - scikit-learn's signature
        if self._locked is not None:
            return f"{type(self).__name__}({self._locked!r})"
        return str(super().__repr__(N_CHAR_MAX))

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner()) if self._locked is None else f"<pre>{html.escape(repr(self))}</pre>"

    def _get_fitted_attr_html(self, doc_link: str = "") -> Any:
        return () if compat.asked_by_mlflow() else super()._get_fitted_attr_html(doc_link)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        if self._locked is not None:
            return {"text/plain": repr(self), "text/html": self._repr_html_inner()}
        shown: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        return shown


def _name(cls: type) -> tuple[str, str]:
    # Not the class itself: a class whose code came along is another one each time.
    return cls.__module__, cls.__qualname__


process.settings.wrap = EncryptedEstimator
