"""Moving the keyed steps inside a fitted model to a newer key, without training it again."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from modelpriv import sealing
from modelpriv._core import events, files, walk
from modelpriv.errors import KeyUnavailableError, ParameterError
from modelpriv.keys import AnyKeyring, Keyring, needed, resolve_whole
from modelpriv.models.writing import SealedWhenWritten
from modelpriv.sealing.artifacts import locate
from modelpriv.sealing.locking import hand_over, locked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelpriv.keys import Signer

__all__ = ["repin"]


@runtime_checkable
class _Movable(Protocol):
    """A step that is pinned to a key, and can be moved to another one."""

    def _known_keyring(self) -> Any: ...
    def _move_to(self, keys: AnyKeyring) -> None: ...


def repin(
    model: Any,
    *,
    key: object,
    sample: Any = None,
    trusted_signers: Iterable[Signer | str] = (),
    allow_code: bool = False,
) -> Any:
    """Move every keyed step inside a fitted model to a keyring's primary key, without training the model again.

    `rewrap` changes which keys open a sealed file. The steps inside, such as a `FieldEncryptor` in a pipeline, stay
    pinned to the key of their fit, and the model needs that key to predict. After `repin` it needs only the newer one.

    *Protects against* a service that fails when an older key is retired: either all steps move and the predictions on
    ``sample`` stay equal, or nothing changes. *Leaks* nothing. It *cannot* move what the model learnt from tokens,
    pseudonyms or fakes: such a model has to be fitted again.

    Parameters
    ----------
    model : estimator or path-like
        A fitted estimator of any depth: pipelines, ensembles, searches, an `EncryptedEstimator`. It stays as it is. Or
        the path of a sealed file that only this keyring opens, or of a folder that holds one: the file is replaced as a
        whole, opens by the primary key, and gets a new id.
    key : Keyring or str
        The keyring, or its URI: it holds the newer key as its primary one, and the older keys.
    sample : table or array, optional
        Rows that the model predicts before and after. Required for every model that can predict. Take rows that
        show what the model learnt, a few hundred at least.
    trusted_signers : iterable of Signer or str, optional
        For a path: as `load` takes them.
    allow_code : bool, default=False
        For a path: as `load` takes it.

    Returns
    -------
    model : estimator or None
        For an estimator: a copy whose steps are moved. For a path: None.

    Raises
    ------
    ParameterError
        The predictions would change; the message names the step that the model learnt from. Or there is no step to
        move, ``sample`` is missing, or the file opens in other ways too.
    KeyUnavailableError
        The keyring lacks a key that a step needs.
    SealedFileError, UntrustedError, LockedError, OSError
        As `load` and `dump` raise them.

    See Also
    --------
    rewrap : Change which keys open a sealed file.
    key_usage : Count which keys a file and the steps inside of it need.

    Notes
    -----
    Steps that are pinned to keys of another keyring stay as they are; `key_usage` shows them. A `Replacer` with
    ``unique=True`` has to be fitted again, since it has no values to choose new fakes for. Labels are compared
    exactly, numbers to 9 digits, because threads add in any order.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from modelpriv import FieldEncryptor, Keyring, key_usage, repin
    >>> keys = Keyring.generate()
    >>> X = pd.DataFrame({"email": ["a@example.org", "b@example.org", "c@example.org"], "age": [31, 45, 62]})
    >>> protect = make_column_transformer((FieldEncryptor(key=keys), ["email"]), remainder="passthrough")
    >>> numbers = make_column_transformer(("passthrough", [1]))
    >>> model = make_pipeline(protect, numbers, Ridge()).fit(X, [1.0, 2.0, 3.0])
    >>> newer = keys.rotate()
    >>> moved = repin(model, key=newer, sample=X)
    >>> set(key_usage(moved)) == {newer.primary}
    True
    """
    keys = resolve_whole(key)
    if isinstance(model, str | os.PathLike):
        return _repin_file(locate(model, "repin"), keys, sample, trusted_signers, allow_code=allow_code)
    with events.event("repin", type(model).__name__):
        return _repinned(model, keys, sample)


def _repin_file(
    path: str | os.PathLike[str], keys: Keyring, sample: Any, signers: Iterable[Signer | str], *, allow_code: bool
) -> None:
    with (
        events.event("repin", "model", file=os.fsdecode(path)),
        locked(path, "rb") as source,
        files.replacing(path, durable=True) as target,
    ):
        claims = sealing.inspect(source)
        _check_ways(claims, keys, path)
        source.seek(0)
        model = sealing.load(source, key=keys, trusted_signers=signers, allow_code=allow_code, file_id=claims.file_id)
        moved = _repinned(model, keys, sample)
        if isinstance(moved, SealedWhenWritten):
            sealing.dump(moved, target, key=keys)
        else:
            sealing.dump(moved, target, key=keys, metadata=claims.metadata, code=_code(claims))
        hand_over(source, path)


def _check_ways(claims: sealing.Unverified, keys: Keyring, path: str | os.PathLike[str]) -> None:
    """Refuse a file that others open too: its body becomes another one, and their secrets are not here to wrap it."""
    others = [way for way in claims.stanzas if way.get("key_id") not in keys.key_ids]
    if others or claims.signer is not None:
        raise ParameterError(
            f"{os.fsdecode(path)!r} is signed, or opens by more than this keyring, so repin cannot write it for all "
            "readers: load it, call repin on the model, and dump the result with the same recipients, passphrase and "
            "signing key."
        )


def _code(claims: sealing.Unverified) -> str:
    return "by-value" if claims.serializer.startswith("cloudpickle") else "by-reference"


def _repinned(model: Any, keys: Keyring, sample: Any) -> Any:
    """Return a copy of a model with its steps moved, once its predictions are the same."""
    before = _predictions(model, sample)
    moved = copy.deepcopy(model)
    steps = list(_steps(moved, keys))
    if not steps:
        raise ParameterError(
            f"no step inside this {type(model).__name__} is pinned to a key of this keyring: there is nothing to "
            "move. modelpriv.key_usage counts the keys that it needs."
        )
    for path, step in steps:
        _move(path, step, keys)
    if not _agree(before, moved, sample):
        culprit = _culprit(model, [path for path, _ in steps], keys, sample)
        raise ParameterError(
            f"the predictions on sample would change, because the model learnt from the output of {culprit}. Nothing "
            "was changed. Keep the older key, or fit the model again under the newer one."
        )
    return moved


def _steps(model: Any, keys: Keyring) -> Iterator[tuple[str, Any]]:
    """Find the steps that belong to a keyring, and open what is locked on the way."""
    for path, step in walk.estimators(model):
        if isinstance(step, SealedWhenWritten) and not step._is_open():  # noqa: SLF001 - a class of this room
            step.unlock(key=keys)
        if isinstance(step, _Movable) and _belongs(path, step, keys):
            yield path, step


def _belongs(path: str, step: Any, keys: Keyring) -> bool:
    """Tell whether a step is pinned to a key of the keyring; refuse one that needs a key which the keyring lacks."""
    wanted = needed.wanted(step._known_keyring(), getattr(step, "key_id_", None))  # noqa: SLF001 - the protocol above
    held = [needed.holds(keys, one) for one in wanted]
    if any(held) and not all(held):
        missing = next(key_id for (key_id, _), there in zip(wanted, held, strict=True) if not there)
        raise KeyUnavailableError(
            f"{_name(path, step)} needs key id {missing}, and the keyring holds {', '.join(keys.key_ids)}: pass the "
            "keyring that rotate() returned, before an older key is retired."
        )
    return bool(held) and all(held)


def _move(path: str, step: Any, keys: Keyring) -> None:
    try:
        step._move_to(keys)  # noqa: SLF001 - the protocol above
    except ParameterError as error:
        raise ParameterError(f"{_name(path, step)} cannot be moved: {error}") from None


def _name(path: str, step: Any) -> str:
    return f"the {type(step).__name__} at model{path}"


def _culprit(model: Any, paths: list[str], keys: Keyring, sample: Any) -> str:
    """Name the first step that changes the predictions when it alone is moved."""
    before = _predictions(model, sample)
    for wanted in paths:
        one = copy.deepcopy(model)
        step = next(step for path, step in _steps(one, keys) if path == wanted)
        _move(wanted, step, keys)
        if not _agree(before, one, sample):
            return _name(wanted, step)
    return f"the steps at {', '.join(f'model{path}' for path in paths)} together"


_PREDICTING = ("predict", "predict_proba", "decision_function", "score_samples")


def _predictions(model: Any, sample: Any) -> dict[str, Any]:
    """Return all that a model predicts for some rows, by the name of the method."""
    methods = [name for name in _PREDICTING if hasattr(model, name)]
    if not methods:
        return {}
    if sample is None or not len(sample):
        raise ParameterError("sample is missing: pass rows that the model predicts, to see that nothing changes.")
    return {name: np.asarray(getattr(model, name)(sample)) for name in methods}


def _agree(before: dict[str, Any], moved: Any, sample: Any) -> bool:
    try:
        after = _predictions(moved, sample)
    except Exception:  # noqa: BLE001 - such as an encoder that refuses tokens which it has not seen
        return False
    return all(_equal(before[name], after[name]) for name in before)


def _equal(one: Any, other: Any) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if np.issubdtype(one.dtype, np.inexact):
        return np.allclose(one, other, rtol=1e-9, atol=0.0, equal_nan=True)
    return np.array_equal(one, other)
