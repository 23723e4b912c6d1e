"""Sealed files: writing an estimator into one, and reading it back when all of the file has been verified.

::

    prelude || manifest || slot || slot || body || trailer

`layout` gives the first two to the byte, `envelope` the slots, `floe` the body, `buffers` what is encrypted in it, and
`signature` the trailer.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from modelpriv._core import events, files
from modelpriv.errors import LockedError, ParameterError
from modelpriv.keys import Identity, KeyProvider, Recipient, Signer, SigningKey, opening
from modelpriv.sealing import serializers, writing
from modelpriv.sealing.access import Passphrase, Ways, to_opener, to_ways
from modelpriv.sealing.format import buffers, layout
from modelpriv.sealing.format.signature import Sink
from modelpriv.sealing.policy import AccessPolicy, check_rules
from modelpriv.sealing.reading import File, check_file, finish, open_head, opened
from modelpriv.sealing.trust import to_trust
from modelpriv.sealing.writing import check_signing_key, write_all


@dataclass(frozen=True)
class Contents:
    """What an object that knows how it is sealed gives to be sealed in its place.

    ``payload`` is pickled into the file; ``bare`` is written instead where no reader may unpickle. The other fields
    count where the caller gives none. An object that is itself only ciphertext has no more than ``sealed``, the bytes
    of the file that it came from.
    """

    payload: object = None
    bare: object = None
    key: object = None
    recipients: object = None
    sign_with: object = None
    metadata: object = None
    code: str = "by-reference"
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
    recipients: Iterable[Recipient | str] | None = None,
    wrap_with: KeyProvider | None = None,
    sign_with: SigningKey | None = None,
    code: str | None = None,
    metadata: dict[str, Any] | None = None,
    durable: bool = False,
) -> None:
    """Write an estimator to a sealed file: class, hyper-parameters and all that was learnt, encrypted.

    It protects the model against whoever gets the file and none of the keys: nothing of it can be read, and no byte of
    the file can be changed unseen. It leaks the model's size, the ids of the keys, recipients and signer, the versions
    of Python, scikit-learn and numpy, and ``metadata``. That a file of keys and passphrases opens says that somebody
    who had one of them wrote it, so give each only to those whom you would let run code. A recipient's public key says
    nothing of that: a file for recipients or a provider is unpickled only where its signer is trusted, and without
    ``sign_with`` it holds no pickle, but what skops can write. It cannot keep a model from those who may open it.

    Parameters
    ----------
    model : object
        An `EncryptedEstimator`, a bare estimator, or whatever else can be pickled.
    file : path-like or binary file
        Where to write. A path is replaced whole: after an interruption it holds the old file or the new one. A file
        object is written to where it stands.
    key : Keyring or str, optional
        A keyring, or the URI of one (``"env:NAME"``, ``"file:PATH"``); its primary key opens the file. By default key
        and recipients of an `EncryptedEstimator`, unless another way to open the file is given.
    passphrase : str or bytes, optional
        Opens the file too.
    recipients : iterable of Recipient or str, optional
        Their identities open the file too (HPKE, or RSA-OAEP).
    wrap_with : KeyProvider, optional
        Opens the file too: a vault, a KMS or a token.
    sign_with : SigningKey, optional
        Vouches for the file: Ed25519 or ML-DSA-65. By default that of an `EncryptedEstimator`.
    code : {"by-reference", "by-value"}, optional
        Whether your own classes and functions are named in the file, or stand in it (by cloudpickle), so that it opens
        where their modules are not: those that are not installed in a ``site-packages``. Only the same minor version of
        Python reads these, and only where ``allow_code=True`` is said. By default that of an `EncryptedEstimator`, else
        by reference.
    metadata : dict, optional
        Public: anyone can read it in the file, by `inspect`. Text keys, JSON values.
    durable : bool, default=False
        Whether the file is synced to the disk, so that it outlives a power failure. Only for a path.

    Raises
    ------
    ParameterError, ParameterTypeError
        There is no way to open the file, or a parameter is not allowed.
    KeyUnavailableError
        The key cannot be had, or the provider refuses.
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

    To a partner, whose public key you have, and who has the line of your signer:

    >>> partner, author = modelpriv.Identity.generate(), modelpriv.SigningKey.generate()
    >>> modelpriv.dump(Ridge(alpha=0.5), "partner.mpriv", recipients=[partner.recipient], sign_with=author)
    >>> modelpriv.load("partner.mpriv", identity=partner, trusted_signers=[author.signer])
    Ridge(alpha=0.5)
    """
    with _event("dump", file):
        given = _Given(key, passphrase, recipients, wrap_with, sign_with, code, metadata)
        write = _prepare(model, given)
        if isinstance(file, str | os.PathLike):
            with files.replacing(file, durable=durable) as target:
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
    recipients: Iterable[Recipient | str] | None = None,
    wrap_with: KeyProvider | None = None,
    sign_with: SigningKey | None = None,
    code: str | None = None,
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
        _prepare(model, _Given(key, passphrase, recipients, wrap_with, sign_with, code, metadata))(file.write)
    return file.getvalue()


def load(
    file: File,
    *,
    key: object = None,
    passphrase: Passphrase | None = None,
    identity: Identity | None = None,
    provider: KeyProvider | None = None,
    trusted_signers: Iterable[Signer | str] = (),
    trusted_types: Iterable[str] = (),
    allow_code: bool = False,
) -> Any:
    """Read what is in a sealed file; not one byte of it is unpickled before all of it has been verified.

    It protects against files of strangers: unpickling runs what a file says, so it is done only if whoever wrote the
    file has a key or passphrase that you open it with, or if the signature is that of someone whom you trust. It does
    not tell whether what they wrote is harmless, or the newest that they wrote.

    Parameters
    ----------
    file : path-like or binary file
        What `dump` wrote. A file object is read from where it stands to its end.
    key : Keyring or str, optional
        A keyring, or the URI of one. Transformers in the model whose keys it holds are open too.
    passphrase : str or bytes, optional
        Instead of, or beside the key.
    identity : Identity, optional
        Opens what was sealed to its recipient.
    provider : KeyProvider, optional
        Opens what it wrapped. Those given to `modelpriv.keys.set_providers` are asked where nothing else is given.
    trusted_signers : iterable of Signer or str, optional
        Whose files are unpickled, if they can be opened by recipients or providers. They come from you, never from the
        file. Those given to `modelpriv.sealing.set_trusted` are trusted too.
    trusted_types : iterable of str, optional
        The full names of types that a file without a signature may hold, beside those of scikit-learn, numpy and
        others that skops itself knows to be harmless; name at least one to say that you take such a file. It is read
        by skops, and nothing of it is unpickled.
    allow_code : bool, default=False
        Whether the file may bring the code of its author's own classes (``code="by-value"``).

    Returns
    -------
    model : object
        What was dumped: an open `EncryptedEstimator`, or a bare estimator.

    Raises
    ------
    SealedFileError
        This is no sealed file, or it was cut, damaged or altered.
    UntrustedError
        Nobody whom you trust vouches for the file, or it holds types or code that you did not allow.
    KeyUnavailableError
        Nothing that is given opens it; the message names the key ids and recipients that do.
    LockedError
        The model's policy does not let it be used now, or with this version of scikit-learn; its code is of another
        version of Python.
    ParameterError, ParameterTypeError
        There is nothing to open the file with, or a parameter is not what it should be.
    OSError
        The file cannot be read.

    See Also
    --------
    dump : Write such a file.
    """
    with _event("load", file):
        trust = to_trust(trusted_signers, trusted_types, allow_code)
        opener = to_opener(key, passphrase, identity, provider)
        with opened(file) as (source, size):
            found = open_head(source, size, opener)
            check_rules(found.fields)
            serializer = found.fields["serializer"]
            trust.check(found.fields, signed=found.signed)
            serializers.check_versions(serializer, found.fields["versions"])
            stream, memory = buffers.read(found.body.readinto, found.length)
            finish(source, found, trust)
    with opening(opener.keyring), _noting_versions(found.fields["versions"]):
        return serializers.restore(stream, memory, serializer, trust.types)


@contextlib.contextmanager
def _noting_versions(written: dict[str, str]) -> Iterator[None]:
    """Add to what an unpickler raises what may be the cause: a class that is not here, or other versions."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ImportError | AttributeError):
            error.add_note(
                "The sealed file names classes or functions that are not here. If they are its author's own, install "
                "their module, or let them stand in the file: dump(..., code='by-value')."
            )
        if others := [f"{name} {version}" for name, version in written.items() if layout.VERSIONS.get(name) != version]:
            here = ", ".join(f"{name} {version}" for name, version in layout.VERSIONS.items())
            error.add_note(f"The sealed file was written with {', '.join(map(ascii, others))}; here are {here}.")
        raise


def loads(
    data: bytes,
    *,
    key: object = None,
    passphrase: Passphrase | None = None,
    identity: Identity | None = None,
    provider: KeyProvider | None = None,
    trusted_signers: Iterable[Signer | str] = (),
    trusted_types: Iterable[str] = (),
    allow_code: bool = False,
) -> Any:
    """Read what is in the bytes of a sealed file; the parameters and errors are those of `load`."""
    return load(
        io.BytesIO(data),
        key=key,
        passphrase=passphrase,
        identity=identity,
        provider=provider,
        trusted_signers=trusted_signers,
        trusted_types=trusted_types,
        allow_code=allow_code,
    )


def _event(action: str, file: object) -> events.event:
    """Begin the event of a model's file, which has a name or only its id."""
    name = {"file": os.fsdecode(file)} if isinstance(file, str | os.PathLike) else {}
    return events.event(action, "model", **name)


@dataclass(frozen=True, repr=False)
class _Given:
    """What the caller of `dump` says."""

    key: object
    passphrase: Passphrase | None
    recipients: object
    wrap_with: object
    sign_with: object
    code: str | None
    metadata: object

    @property
    def ways(self) -> bool:
        """Whether there is a way to open the file among it."""
        return (self.key, self.passphrase, self.recipients, self.wrap_with) != (None, None, None, None)


def _prepare(model: object, given: _Given) -> Callable[[Sink], object]:
    """Do all that can fail before anything is written; return what then writes."""
    contents = model._to_seal() if isinstance(model, Sealable) else Contents(payload=model, bare=model)  # noqa: SLF001 - a protocol of this package
    if contents.sealed is not None:
        if given != _Given(None, None, None, None, None, None, None):
            raise LockedError("a locked model keeps the keys and metadata that it has: unlock(...) it first.")
        whole = memoryview(contents.sealed)
        return lambda sink: sink(whole)
    source: Any = given if given.ways else contents
    ways = to_ways(source.key, given.passphrase, source.recipients, given.wrap_with)
    signing_key = _signing_key(contents, given, ways)
    origin = writing.origin(ways, signing_key)
    unsigned = origin == "signed" and signing_key is None
    code = contents.code if given.code is None else given.code
    serializer = serializers.choose(code, unsigned=unsigned, policy=contents.policy)
    manifest = layout.new_manifest(
        contents.metadata if given.metadata is None else given.metadata,
        origin=origin,
        serializer=serializer,
        signer=None if signing_key is None else signing_key.signer.id,
        policy=None if contents.policy is None else contents.policy.to_json(),
        estimator=contents.description,
    )
    pieces = buffers.lay_out(*serializers.take_apart(contents.bare if unsigned else contents.payload, serializer))
    write = writing.prepare(manifest, sum(map(len, pieces)), ways, sign_with=signing_key)
    return lambda sink: write(pieces, sink)


def _signing_key(contents: Contents, given: _Given, ways: Ways) -> SigningKey | None:
    """Give the caller's signing key, else the model's own; under a key of one's own, what was read needs none."""
    if given.sign_with is not None:
        return check_signing_key(given.sign_with)
    if isinstance(contents.sign_with, Signer) and given.ways and ways.symmetric:
        return None
    return check_signing_key(contents.sign_with)
