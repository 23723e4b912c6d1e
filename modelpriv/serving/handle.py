"""ModelHandle: a sealed model that is open, proves that it can predict, and follows its file."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modelpriv import sealing
from modelpriv._core import events, process
from modelpriv._core.checks import Flag, Number, check
from modelpriv.errors import KeyUnavailableError, LockedError, SealedFileError
from modelpriv.models.readiness import check_ready
from modelpriv.serving.place import to_place
from modelpriv.serving.status import Status
from modelpriv.serving.watching import Watched, described

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from modelpriv.keys import Identity, KeyProvider, Signer

__all__ = ["ModelHandle"]


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of the model: what answers a request from its beginning to its end."""

    model: Any
    claims: sealing.Unverified
    stamp: object
    loaded: float


class ModelHandle(Watched):
    """A sealed model that a service keeps open.

    It opens the file when it is made, and fails then if the model could not predict: a key of the file or of a step
    inside is missing, the signer is not trusted, the policy forbids it. Then it watches the file. A new version is
    opened aside, checked in the same way, and takes the place of the old one between two requests. If it fails, the old
    one goes on answering, and `status` says why. A key that a URI names is fetched again for each new version.

    Any number of threads may use one handle. Each worker process makes its own, or takes it over by a fork.

    *Protects against* a service that starts, or goes on, with a model that it cannot use or should not trust. Each use
    is an event of the audit log: the id of the file, the method, the number of rows, the key ids, for whom, the result.
    *Leaks* nothing of the model; `status` says ids and times. It *cannot* hide the model from code in the process, and
    cannot tell an older version that the file's writer put back: name the ids with ``file_ids``.

    Parameters
    ----------
    path : path-like or str
        The sealed file; or a URL, such as ``"s3://bucket/model.mpriv"``, for which fsspec is needed.
    key : Keyring or str, optional
        Opens the file, and serves its steps: a keyring, or the URI of one.
    passphrase, identity, provider, trusted_signers, trusted_types, allow_code
        As `modelpriv.load` takes them.
    file_ids : iterable of str, optional
        The only files that may answer, by the ids that `modelpriv.inspect` shows.
    sample : table or array, optional
        Rows that every version has to predict before it answers.
    every : float, default=1.0
        How many seconds lie between two looks at the file; 0 means that only `reload` looks.
    mmap : bool, default=False
        Whether the model's arrays are read into shared memory that no one can write to. Workers that are forked from
        this process then share them, and each costs little more than its own objects. Nothing of it is in a file.

    Raises
    ------
    KeyUnavailableError, UntrustedError, SealedFileError, LockedError, ParameterError, OSError
        As `modelpriv.load` raises them; or a step inside lacks its key, which the message names.

    See Also
    --------
    modelpriv.repin : Moves the steps inside a model to a newer key.

    Examples
    --------
    >>> import modelpriv
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv.serving import ModelHandle
    >>> keys = modelpriv.Keyring.generate()
    >>> modelpriv.dump(Ridge().fit([[1.0], [2.0]], [1.0, 2.0]), "served.mpriv", key=keys)
    >>> with ModelHandle("served.mpriv", key=keys) as handle:
    ...     handle.ready(), handle.predict([[1.5]]).tolist()
    (True, [1.5])
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: object = None,
        passphrase: str | bytes | None = None,
        identity: Identity | None = None,
        provider: KeyProvider | None = None,
        trusted_signers: Iterable[Signer | str] = (),
        trusted_types: Iterable[str] = (),
        allow_code: bool = False,
        file_ids: Iterable[str] = (),
        sample: Any = None,
        every: float = 1.0,
        mmap: bool = False,
    ) -> None:
        check("every", every, Number(least=0))
        check("mmap", mmap, Flag())
        self._mmap = bool(mmap)
        self._place = to_place(path)
        self._opening: dict[str, Any] = {
            "key": key,
            "passphrase": passphrase,
            "identity": identity,
            "provider": provider,
            "trusted_signers": tuple(trusted_signers),
            "trusted_types": tuple(trusted_types),
            "allow_code": allow_code,
        }
        self._file_ids, self._sample = frozenset(file_ids), sample
        self._error: str | None = None
        self._reloads = 0
        self._refused: object = None  # the stamp of a version that will not become better
        self._now = self._load("load", self._place.stamp())
        self._watch(float(every))

    # --- predictions ---

    def predict(self, X: Any, **params: Any) -> Any:
        """Predict with the version that answers now; one event of the audit log."""
        return self.call("predict", X, **params)

    def predict_proba(self, X: Any, **params: Any) -> Any:
        """Predict probabilities."""
        return self.call("predict_proba", X, **params)

    def decision_function(self, X: Any, **params: Any) -> Any:
        """Return the model's scores."""
        return self.call("decision_function", X, **params)

    def transform(self, X: Any, **params: Any) -> Any:
        """Transform with the model."""
        return self.call("transform", X, **params)

    def call(self, method: str, X: Any, **params: Any) -> Any:
        """Call a method of the model that takes rows.

        Parameters
        ----------
        method : str
            Its name, such as ``"score_samples"``.
        X : table or array
            The rows.
        **params
            What the method takes besides.

        Returns
        -------
        result
            What the method returns.
        """
        version = self._now
        if not events.recording():
            return getattr(version.model, method)(X, **params)
        start = time.perf_counter()
        with events.event(method, "ModelHandle", whole=True, model=version.claims.file_id, rows=events.rows_of(X)):
            try:
                return getattr(version.model, method)(X, **params)
            finally:
                events.note(seconds=round(time.perf_counter() - start, 6))

    @property
    def model(self) -> Any:
        """The model that answers now; what you do with it is not recorded."""
        return self._now.model

    # --- health ---

    def ready(self) -> bool:
        """Tell whether a prediction can be made now: every step has its key, and the policy allows the use."""
        return self.status().ready

    def status(self) -> Status:
        """Return what a health check may say."""
        version = self._now
        error = self._error
        try:
            if version.claims.policy is not None:
                version.claims.policy.check_time()
            ready = True
        except LockedError as refusal:
            ready, error = False, str(refusal)
        claims = version.claims
        return Status(ready, claims.file_id, claims.signer, version.loaded, self._reloads, error)

    # --- new versions ---

    def reload(self) -> bool:
        """Look at the file now, and let a new version answer if there is a good one.

        Returns
        -------
        bool
            Whether another version answers now.

        Raises
        ------
        ModelprivError, OSError
            The new version cannot be used; the old one goes on answering.
        """
        with self._lock:
            try:
                stamp = self._place.stamp()
                fresh = self._now if stamp == self._now.stamp else self._load("reload", stamp)
            except BaseException as error:
                self._error = described(error)
                raise
            self._error = None
            changed = fresh.claims.file_id != self._now.claims.file_id
            # With the same id, rewrap changed who opens the file, and the model is the same.
            self._now = fresh if changed else replace(self._now, stamp=stamp)
            self._reloads += changed
            return changed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ModelHandle {self._place.name!a} file_id={self._now.claims.file_id}>"

    def __reduce__(self) -> Any:
        raise TypeError("a ModelHandle holds an open model and is not pickled: make one in each process.")

    # --- inside ---

    def _load(self, action: str, stamp: object) -> _Version:
        """Open the version that the file holds now, and prove that it can predict."""
        start = time.perf_counter()
        with events.event(action, "ModelHandle", file=self._place.name):
            with self._place.open() as file:
                claims = sealing.inspect(file)
                if self._file_ids and claims.file_id not in self._file_ids:
                    raise SealedFileError(
                        f"the file has the id {claims.file_id}, which is not among file_ids: no one named it to answer."
                    )
                file.seek(0)
                token = process.shared_memory.set(self._mmap)
                try:
                    model = sealing.load(file, file_id=claims.file_id, **self._opening)
                finally:
                    process.shared_memory.reset(token)
                file.seek(0)
                if sealing.inspect(file) != claims:
                    raise SealedFileError("the file was changed while it was read: look at it, and try again.")
            check_ready(model)
            if self._sample is not None:
                getattr(model, next(name for name in _PROVING if hasattr(model, name)))(self._sample)
            events.note(model=claims.file_id, signer=claims.signer, seconds=round(time.perf_counter() - start, 6))
        return _Version(model, claims, stamp, time.time())

    def _look(self) -> None:
        """Reload if there is something new; what a new version lacks may come later, other faults do not go away."""
        stamp = self._place.stamp()
        if stamp == self._refused:
            return
        try:
            self.reload()
        except Exception as error:  # noqa: BLE001 - a model raises what it likes; `status` says it
            waiting = isinstance(error, OSError | MemoryError | KeyUnavailableError)
            self._refused = None if waiting else stamp


_PROVING = ("predict", "transform", "decision_function", "score_samples")
