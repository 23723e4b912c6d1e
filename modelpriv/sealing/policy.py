"""What the author of a sealed model lets its readers do: which methods, from when to when, under which versions."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import sklearn

from modelpriv.errors import LockedError, ParameterError, ParameterTypeError, SealedFileError

_DRIFTS = {"patch": 2, "minor": 1}  # how many parts of a version must be the same
_ALWAYS = frozenset(
    {"n_features_in_", "feature_names_in_", "classes_"}
)  # without which scikit-learn cannot use a model


@dataclass(frozen=True)
class AccessPolicy:
    """Rules that a sealed model carries, and that this library follows where the model is read.

    *Protects against* misuse by mistake: a method that was not meant for others is missing, a model that has expired
    does not open. *Leaks* itself: anyone can read it in the file, and no one can change it unnoticed. It *cannot* stop
    people who want to get around it: a reader who can open a model has all of it. The author's own object, which was
    not read from a file, is not restricted.

    Parameters
    ----------
    methods : iterable of str, optional
        The methods and fitted attributes that readers can use; None means all. Those without which scikit-learn cannot
        use a model (``n_features_in_``, ``feature_names_in_``, ``classes_``) are always allowed.
    not_before, not_after : datetime, optional
        The first and the last moment of use, with a time zone.
    max_sklearn_drift : {"patch", "minor"}, optional
        The part of scikit-learn's version that may differ from the version that wrote the model; None means any. It is
        checked before anything is unpickled.
    record : bool, default=False
        Whether each use of a method by a reader is an event of the reader's audit log. A program without a log records
        nothing.

    Raises
    ------
    ParameterError, ParameterTypeError
        A rule makes no sense.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from modelpriv import EncryptedEstimator, Keyring
    >>> from modelpriv.sealing import AccessPolicy
    >>> model = EncryptedEstimator(LogisticRegression(), key=Keyring.generate(), policy=AccessPolicy(["predict"]))
    >>> model = model.fit(np.eye(4), [0, 0, 1, 1])
    >>> read = pickle.loads(pickle.dumps(model))
    >>> hasattr(read, "predict"), hasattr(read, "predict_proba")
    (True, False)
    """

    methods: Iterable[str] | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    max_sklearn_drift: str | None = None
    record: bool = False

    def __post_init__(self) -> None:
        if self.methods is not None:
            names: list[Any] = [self.methods] if isinstance(self.methods, str) else list(self.methods)
            if not all(isinstance(name, str) and name.isidentifier() and not name.startswith("_") for name in names):
                raise ParameterTypeError("methods must be the names of public methods.")
            # Sorted: the order of a set differs from process to process, and with it every hash.
            object.__setattr__(self, "methods", tuple(sorted({*names})))
        for name in ("not_before", "not_after"):
            time = getattr(self, name)
            if time is not None and not isinstance(time, datetime):
                raise ParameterTypeError(f"{name} must be a datetime, got {type(time).__name__}.")
            if time is not None and time.tzinfo is None:
                raise ParameterError(f"{name} has no time zone: give it one (tzinfo=datetime.UTC).")
        if self.not_before is not None and self.not_after is not None and self.not_before >= self.not_after:
            raise ParameterError("not_before must be earlier than not_after.")
        if not isinstance(self.record, bool):
            raise ParameterTypeError(f"record must be a bool, got {type(self.record).__name__}.")
        if self.max_sklearn_drift not in {None, *_DRIFTS}:
            raise ParameterError(f"max_sklearn_drift must be None, 'patch' or 'minor', got {self.max_sklearn_drift!r}.")

    def allows(self, name: str) -> bool:
        """Tell whether readers may use a method or fitted attribute."""
        return self.methods is None or name in _ALWAYS or name in self.methods

    def check_use(self, name: str) -> None:
        """Refuse the use of a method or attribute that is not allowed, or not at this time.

        Raises
        ------
        LockedError
            The policy does not allow it.
        """
        self.check_time()
        if not self.allows(name):
            raise LockedError(f"the model's policy does not allow {name}.")

    def check_time(self) -> None:
        """Refuse if it is too early or too late.

        Raises
        ------
        LockedError
            It is too early or too late.
        """
        now = datetime.now(UTC)
        if self.not_before is not None and now < self.not_before:
            raise LockedError(f"the model's policy allows its use from {self.not_before.isoformat()} on.")
        if self.not_after is not None and now > self.not_after:
            raise LockedError(
                f"the model's policy allowed its use until {self.not_after.isoformat()}: ask for a newer one."
            )

    def check_version(self, written: str) -> None:
        """Refuse if scikit-learn is too far from the version that the model was written with.

        Raises
        ------
        LockedError
            It is too far.
        """
        if self.max_sklearn_drift is None:
            return
        parts = _DRIFTS[self.max_sklearn_drift]
        if _start(written, parts) != _start(sklearn.__version__, parts):
            raise LockedError(
                f"the model was written with scikit-learn {written}, and its policy allows another "
                f"{self.max_sklearn_drift} version at most, but this is {sklearn.__version__}: install scikit-learn "
                f"{'.'.join(_start(written, parts))}."
            )

    def to_json(self) -> dict[str, Any]:
        """Give what the manifest says: the rules that there are."""
        rules: dict[str, Any] = {
            "methods": None if self.methods is None else list(self.methods),
            "not_before": None if self.not_before is None else self.not_before.isoformat(),
            "not_after": None if self.not_after is None else self.not_after.isoformat(),
            "max_sklearn_drift": self.max_sklearn_drift,
            "record": self.record or None,
        }
        return {name: rule for name, rule in rules.items() if rule is not None}

    @classmethod
    def from_json(cls, rules: dict[str, Any]) -> Self:
        """Read what a manifest says; an unknown rule is refused, because it could not be followed.

        Raises
        ------
        SealedFileError
            The rules cannot be read.
        """
        times = {name: rules.get(name) for name in ("not_before", "not_after")}
        try:
            read = {name: None if time is None else datetime.fromisoformat(time) for name, time in times.items()}
            return cls(**rules | read)
        except (TypeError, ValueError):
            raise SealedFileError(
                "the sealed file's policy has rules that this version of modelpriv does not know: upgrade modelpriv."
            ) from None


def check_policy(policy: object) -> AccessPolicy | None:
    """Return a policy or None, and refuse anything else."""
    if policy is not None and not isinstance(policy, AccessPolicy):
        raise ParameterTypeError(f"policy must be an AccessPolicy or None, got {type(policy).__name__}.")
    return policy


def check_rules(fields: dict[str, Any]) -> None:
    """Follow the rules of a manifest, if it has any, before the model is unpickled."""
    if "policy" in fields:
        policy = AccessPolicy.from_json(fields["policy"])
        policy.check_time()
        policy.check_version(fields["versions"].get("scikit-learn", "unknown"))


def _start(version: str, parts: int) -> list[str]:
    return list(itertools.islice(version.split("."), parts))
