"""Sealed files: writing an estimator into one, and reading it back when all of the file has been verified.

::

    prelude || manifest || slot || slot || body

`layout` gives the first two to the byte, `envelope` the slots, `floe` the body, and `buffers` what is encrypted in it.
"""

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from modelpriv import _events, _files
from modelpriv.errors import LockedError, ParameterError
from modelpriv.keys import opening
from modelpriv.sealing import buffers, layout, writing
from modelpriv.sealing.policy import AccessPolicy, check_rules
from modelpriv.sealing.reading import File, Passphrase, check_file, open_head, opened, to_keyring
from modelpriv.sealing.writing import Sink, write_all


@dataclass(frozen=True)
class Contents:
    """What an object that knows how it is sealed gives to be sealed in its place.

    ``payload`` is pickled into the file. ``key`` and ``metadata`` count where the caller gives none. An object that
    is itself only ciphertext has no payload but ``sealed``, the bytes of the file that it came from.
    """

    payload: object
    key: object
    metadata: object
    policy: AccessPolicy | None = None
    description: dict[str, Any] | None = None
    sealed: bytes | None = None


@runtime_checkable
class Sealable(Protocol):
    """An object that is sealed by a key of its own."""

    def _to_seal(self) -> Contents: ...


def dump(
    model: object,
    file: File,
    *,
    key: object = None,
    passphrase: Passphrase | None = None,
    metadata: dict[str, Any] | None = None,
    durable: bool = False,
) -> None:
    """Write an estimator to a sealed file: class, hyper-parameters and all that was learnt, encrypted.

    It protects the model against whoever gets the file and not the key: nothing of it can be read, and no byte of the
    file can be changed unseen. It leaks the model's size, the ids of the keys that open it, the versions of Python,
    scikit-learn and numpy, and ``metadata``. It does not say who wrote the file: whoever holds the key or the
    passphrase can write another one. It cannot keep a model from those who may open it.

    Parameters
    ----------
    model : object
        An `EncryptedEstimator`, a bare estimator, or whatever else can be pickled.
    file : path-like or binary file
        Where to write. A path is replaced whole: after an interruption it holds the old file or the new one. A file
        object is written to where it stands.
    key : Keyring or str, optional
        A keyring, or the URI of one (``"env:NAME"``, ``"file:PATH"``); its primary key opens the file. By default that
        of an `EncryptedEstimator`, unless a passphrase is given.
    passphrase : str or bytes, optional
        Opens the file too.
    metadata : dict, optional
        Public: anyone can read it in the file, by `inspect`. Text keys, JSON values.
    durable : bool, default=False
        Whether the file is synced to the disk, so that it outlives a power failure. Only for a path.

    Raises
    ------
    ParameterError, ParameterTypeError
        There is neither key nor passphrase, or another parameter is not allowed.
    KeyUnavailableError
        The key cannot be had.
    LockedError
        The model is locked, and another key than its own is asked for.
    OSError
        The file cannot be written.

    See Also
    --------
    load : Read the file.
    inspect : See what it says without a key.

    Examples
    --------
    >>> import modelpriv
    >>> from sklearn.linear_model import Ridge
    >>> keys = modelpriv.Keyring.generate()
    >>> modelpriv.dump(Ridge(alpha=0.5), "model.mpriv", key=keys)
    >>> modelpriv.load("model.mpriv", key=keys)
    Ridge(alpha=0.5)
    """
    with _event("dump", file):
        write = _prepare(model, key, passphrase, metadata)
        if isinstance(file, str | os.PathLike):
            with _files.replacing(file, durable=durable) as target:
                write(target.write)
            return
        check_file(file, "write")
        if durable:
            raise ParameterError("durable=True is only for a path: sync the file object yourself.")
        write(lambda data: write_all(file.write, data))


def dumps(
    model: object,
    *,
    key: object = None,
    passphrase: Passphrase | None = None,
    metadata: dict[str, Any] | None = None,
) -> bytes:
    """Give the bytes that `dump` would write; the parameters and errors are the same.

    Returns
    -------
    data : bytes
        A sealed file.
    """
    # Given back without a copy if nothing else holds it, which a bytearray could not be.
    file = io.BytesIO()
    with _event("dump", file):
        _prepare(model, key, passphrase, metadata)(file.write)
    return file.getvalue()


def load(file: File, *, key: object = None, passphrase: Passphrase | None = None) -> Any:
    """Read what is in a sealed file; not one byte of it is unpickled before all of it has been verified.

    Whoever can write the file must hold a key or passphrase that you open it with: unpickling runs what they say.

    Parameters
    ----------
    file : path-like or binary file
        What `dump` wrote. A file object is read from where it stands to its end.
    key : Keyring or str, optional
        A keyring, or the URI of one. Transformers in the model whose keys it holds are open too.
    passphrase : str or bytes, optional
        Instead of, or beside the key.

    Returns
    -------
    model : object
        What was dumped: an open `EncryptedEstimator`, or a bare estimator.

    Raises
    ------
    SealedFileError
        This is no sealed file, or it was cut, damaged or altered.
    KeyUnavailableError
        Neither key nor passphrase opens it; the message names the key ids that do.
    LockedError
        The model's policy does not let it be used now, or with this version of scikit-learn.
    ParameterError, ParameterTypeError
        There is neither key nor passphrase, or one is none.
    OSError
        The file cannot be read.

    See Also
    --------
    dump : Write such a file.
    """
    with _event("load", file):
        keyring = to_keyring(key, passphrase)
        with opened(file) as (source, size):
            found = open_head(source, size, keyring, passphrase)
            check_rules(found.fields)
            restore = buffers.put_together(found.body.readinto, found.length)
    with opening(keyring):
        return restore()


def loads(data: bytes, *, key: object = None, passphrase: Passphrase | None = None) -> Any:
    """Read what is in the bytes of a sealed file; the parameters and errors are those of `load`."""
    return load(io.BytesIO(data), key=key, passphrase=passphrase)


def _event(action: str, file: object) -> _events.event:
    """Begin the event of a model's file, which has a name or only its id."""
    name = {"file": os.fsdecode(file)} if isinstance(file, str | os.PathLike) else {}
    return _events.event(action, "model", **name)


def _prepare(model: object, key: object, passphrase: Passphrase | None, metadata: object) -> Callable[[Sink], object]:
    """Do all that can fail before anything is written; return what then writes."""
    rules = description = None
    if isinstance(model, Sealable):
        contents = model._to_seal()  # noqa: SLF001 - a protocol of this package
        if contents.sealed is not None:
            if (key, passphrase, metadata) != (None, None, None):
                raise LockedError("a locked model keeps the key and metadata that it has: unlock(key=...) it first.")
            whole = memoryview(contents.sealed)
            return lambda sink: sink(whole)
        model = contents.payload
        key = contents.key if key is None and passphrase is None else key
        metadata = contents.metadata if metadata is None else metadata
        rules = None if contents.policy is None else contents.policy.to_json()
        description = contents.description
    keyring = to_keyring(key, passphrase)
    manifest = layout.new_manifest(metadata, policy=rules, estimator=description)
    pieces = buffers.take_apart(model)
    write = writing.prepare(manifest, sum(map(len, pieces)), keyring=keyring, passphrase=passphrase)
    return lambda sink: write(pieces, sink)
