"""Sealed files: writing an estimator into one, and reading it back when all of the file has been verified.

::

    prelude || manifest || slot || slot || body

`layout` gives the first two to the byte, `envelope` the slots, `floe` the body, and `buffers` what is encrypted in it.
"""

import contextlib
import io
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from modelpriv import _events, _files
from modelpriv.errors import LockedError, ParameterError, ParameterTypeError
from modelpriv.keys import Keyring, opening, resolve_whole
from modelpriv.keys import envelope as stanzas
from modelpriv.sealing import buffers, envelope, floe, layout

File = str | os.PathLike[str] | BinaryIO
Passphrase = str | bytes
Sink = Callable[[memoryview], object]


@dataclass(frozen=True)
class Contents:
    """What an object that knows how it is sealed gives to be sealed in its place.

    ``payload`` is pickled into the file. ``key`` and ``metadata`` count where the caller gives none. An object that
    is itself only ciphertext has no payload but ``sealed``, the bytes of the file that it came from.
    """

    payload: object
    key: object
    metadata: object
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
        _check_file(file, "write")
        if durable:
            raise ParameterError("durable=True is only for a path: sync the file object yourself.")
        write(lambda data: _write_all(file.write, data))


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
    ParameterError, ParameterTypeError
        There is neither key nor passphrase, or one is none.
    OSError
        The file cannot be read.

    See Also
    --------
    dump : Write such a file.
    """
    with _event("load", file):
        keyring = _to_keyring(key, passphrase)
        with opened(file) as (source, size):
            restore = _read(source, size, keyring, passphrase)
    with opening(keyring):
        return restore()


def loads(data: bytes, *, key: object = None, passphrase: Passphrase | None = None) -> Any:
    """Read what is in the bytes of a sealed file; the parameters and errors are those of `load`."""
    return load(io.BytesIO(data), key=key, passphrase=passphrase)


@contextlib.contextmanager
def opened(file: File) -> Iterator[tuple[floe.Source, int]]:
    """Open a file for reading if it is a path, and say how many bytes there are to read."""
    if isinstance(file, str | os.PathLike):
        with Path(file).open("rb", buffering=0) as source:
            yield source, os.fstat(source.fileno()).st_size
        return
    _check_file(file, "read")
    if not (hasattr(file, "readinto") and file.seekable()):
        file = io.BytesIO(file.read())  # the parts are held against what is there, so that must be known
    start = file.tell()
    size = file.seek(0, io.SEEK_END) - start
    file.seek(start)
    yield file, size


def read_head(source: floe.Source, size: int) -> tuple[layout.Prelude, bytes, tuple[bytes, bytes]]:
    """Read all that stands before the body: the prelude, the manifest as stored, and the slots, none of it verified."""
    prelude = layout.Prelude.read(_read_bytes(source, min(size, layout.PRELUDE)), size)
    manifest, first, second = (_read_bytes(source, length) for length in (prelude.manifest, prelude.slot, prelude.slot))
    return prelude, manifest, (first, second)


def _event(action: str, file: object) -> _events.event:
    """Begin the event of a model's file, which has a name or only its id."""
    name = {"file": os.fsdecode(file)} if isinstance(file, str | os.PathLike) else {}
    return _events.event(action, "model", **name)


def _prepare(model: object, key: object, passphrase: Passphrase | None, metadata: object) -> Callable[[Sink], object]:
    """Do all that can fail before anything is written; return what then writes."""
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
    keyring = _to_keyring(key, passphrase)
    manifest = layout.new_manifest(metadata)
    _events.note(file_id=layout.read_manifest(manifest)["file_id"])
    file_key = secrets.token_bytes(32)
    wrapped = stanzas.wrap(file_key, context=envelope.wrap_context(manifest), keyring=keyring, passphrase=passphrase)
    pieces = buffers.take_apart(model)
    length = sum(map(len, pieces))
    prelude = layout.Prelude(len(manifest), floe.encrypted_length(length))
    slot = envelope.write(file_key, wrapped, prelude=prelude, manifest=manifest)

    def write(sink: Sink) -> None:
        sink(memoryview(bytes(prelude) + manifest + 2 * slot))
        body = floe.Message(envelope.derive(file_key, "body"), sha256(manifest).digest())
        writer = floe.Writer(body, length, sink)
        for piece in pieces:
            writer.write(piece)

    return write


def _read(source: floe.Source, size: int, keyring: Keyring | None, passphrase: Passphrase | None) -> Callable[[], Any]:
    """Read and verify a whole sealed file; return what unpickles it."""
    prelude, manifest, slots = read_head(source, size)
    _events.note(file_id=layout.read_manifest(manifest)["file_id"])
    context = envelope.wrap_context(manifest)
    file_key = envelope.open_(
        slots,
        lambda found: stanzas.unwrap(found, context=context, keyring=keyring, passphrase=passphrase),
        prelude=prelude,
        manifest=manifest,
    )
    length = floe.plaintext_length(prelude.body)
    header = _read_bytes(source, floe.HEADER)
    body = floe.Message(envelope.derive(file_key, "body"), sha256(manifest).digest(), header=header)
    return buffers.put_together(floe.Reader(body, prelude.body, source).readinto, length)


def _to_keyring(key: object, passphrase: Passphrase | None) -> Keyring | None:
    """Give the keyring that a key means; None only if there is a passphrase instead."""
    if key is None and passphrase is None:
        raise ParameterError(
            "no key and no passphrase: give key= a Keyring or a keyring URI ('env:NAME', 'file:PATH'), or passphrase=."
        )
    return None if key is None else resolve_whole(key)


def _check_file(file: object, method: str) -> None:
    if isinstance(file, io.TextIOBase) or not hasattr(file, method):
        raise ParameterTypeError(f"file must be a path, or a file opened to {method} bytes, got {type(file).__name__}.")


def _write_all(write: Callable[[memoryview], int | None], data: memoryview) -> None:
    """Write to a file that somebody else opened, which may be a raw one that takes less than it is given."""
    while len(data):
        written = write(data)
        data = data[len(data) if written is None else written :]


def _read_bytes(source: floe.Source, length: int) -> bytes:
    data = bytearray(length)
    floe.read_exactly(source, memoryview(data))
    return bytes(data)
