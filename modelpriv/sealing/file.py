"""Sealed files: dump writes an estimator into one, load reads it back once all of the file has been verified.

::

    prelude || manifest || slot || slot || body || trailer

`layout` has the first two to the byte, `slots` the envelope, `floe` the body, `buffers` what is encrypted in it, and
`signature` the trailer.
"""

import contextlib
import io
import os
from collections.abc import Iterable, Iterator
from typing import Any

from modelpriv._core import events, files, process
from modelpriv.errors import ParameterError
from modelpriv.keys import Identity, KeyProvider, Recipient, Signer, SigningKey, opening
from modelpriv.sealing import serializers
from modelpriv.sealing.access import Passphrase, to_opener
from modelpriv.sealing.contents import Request, prepare
from modelpriv.sealing.format import buffers, layout
from modelpriv.sealing.policy import check_rules
from modelpriv.sealing.reading import File, check_file, check_pinned, finish, open_head, opened, report_damage
from modelpriv.sealing.trust import to_trust
from modelpriv.sealing.wrapping import wrapping
from modelpriv.sealing.writing import in_order


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
    """Write an estimator to a sealed file: class, hyper-parameters and everything it learnt, encrypted.

    *Protects against* anyone who has the file but no key: they can neither read the model nor change a byte unnoticed.
    *Leaks* the size of the model, the ids of keys, recipients and signer, the ids of the keys that steps inside the
    model need, the versions of Python, scikit-learn and numpy, and ``metadata``. It *cannot* keep the model from those
    who may open it. A file that opens by keys and passphrases was written by someone who had one of them, so give these
    only to people whose code you would run. A recipient's public key proves nothing: readers unpickle a file for
    recipients or a provider only if they trust its signer, and without ``sign_with`` the file holds no pickle, only
    what skops can write.

    Parameters
    ----------
    model : object
        An `EncryptedEstimator`, a bare estimator, or anything else that can be pickled.
    file : path-like or binary file
        Where to write. A path is replaced as a whole: after an interruption it holds the old file or the new one. To a
        file object, writing begins at its position.
    key : Keyring or str, optional
        A keyring, or the URI of one (``"env:NAME"``, ``"file:PATH"``); its primary key opens the file. By default the
        key and recipients of an `EncryptedEstimator`, unless you name another way to open the file.
    passphrase : str or bytes, optional
        Opens the file too.
    recipients : iterable of Recipient or str, optional
        Their identities open the file too (HPKE, or RSA-OAEP).
    wrap_with : KeyProvider, optional
        Opens the file too: a vault, a KMS or a token.
    sign_with : SigningKey, optional
        Signs the file: Ed25519 or ML-DSA-65. By default the signing key of an `EncryptedEstimator`.
    code : {"by-reference", "by-value"}, optional
        Whether the file names your own classes and functions, or holds their code (by cloudpickle), so that it opens
        where their modules are missing. Your own are those that are not installed in a ``site-packages``. A file with
        code opens only in the same minor version of Python, and only with ``allow_code=True``. By default as the
        `EncryptedEstimator` says, else by reference.
    metadata : dict, optional
        Public: anyone can read it in the file, with `inspect`. Text keys, JSON values.
    durable : bool, default=False
        Whether to sync the file to the disk, so that it survives a power failure. Only for a path.

    Raises
    ------
    ParameterError, ParameterTypeError
        You named no way to open the file, or a parameter is not allowed.
    KeyUnavailableError
        The keyring cannot be fetched, or the provider refuses.
    LockedError
        The model is locked, and you ask for another key than its own.
    OSError
        The file cannot be written.

    See Also
    --------
    load : Read the file.
    inspect : See what the file says without a key.

    Examples
    --------
    >>> import modelpriv
    >>> from sklearn.linear_model import Ridge
    >>> keys = modelpriv.Keyring.generate()
    >>> modelpriv.dump(Ridge(alpha=0.5), "model.mpriv", key=keys)
    >>> modelpriv.load("model.mpriv", key=keys)
    Ridge(alpha=0.5)

    For a partner whose public key you have, and who knows your signer:

    >>> partner, author = modelpriv.Identity.generate(), modelpriv.SigningKey.generate()
    >>> modelpriv.dump(Ridge(alpha=0.5), "partner.mpriv", recipients=[partner.recipient], sign_with=author)
    >>> modelpriv.load("partner.mpriv", identity=partner, trusted_signers=[author.signer])
    Ridge(alpha=0.5)
    """
    with _event("dump", file):
        draft = prepare(model, Request(key, passphrase, recipients, wrap_with, sign_with, code, metadata))
        if isinstance(file, str | os.PathLike):
            with files.replacing(file, durable=durable) as target:
                draft.write(target)
            return
        check_file(file, "write")
        if durable:
            raise ParameterError("durable=True is only for a path: sync the file object yourself.")
        with in_order(file.write, steps_back=draft.steps_back) as forward:
            draft.write(forward)


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
    """Return the bytes that `dump` would write; parameters and errors are the same.

    Returns
    -------
    data : bytes
        A sealed file.
    """
    file = io.BytesIO()  # it gives its bytes away without a copy, as a bytearray could not
    with _event("dump", file):
        prepare(model, Request(key, passphrase, recipients, wrap_with, sign_with, code, metadata)).write(file)
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
    file_id: str | None = None,
    wrap: bool = False,
) -> Any:
    """Read a sealed file; not one byte of it is unpickled before all of it has been verified.

    *Protects against* files of strangers: unpickling runs what a file says, so it happens only if the file's author had
    a key or passphrase that you open it with, or if the file is signed by someone you trust. It *cannot* tell whether
    the model is harmless, or the newest one.

    Parameters
    ----------
    file : path-like or binary file
        What `dump` wrote, or a folder that holds one such file. A file object is read from its position to its end.
    key : Keyring or str, optional
        A keyring, or the URI of one. It also serves the transformers in the model whose keys it holds.
    passphrase : str or bytes, optional
        Opens the file, instead of the key or as well.
    identity : Identity, optional
        Opens what was sealed to its recipient.
    provider : KeyProvider, optional
        Opens what it wrapped. If you give nothing else, the providers of `modelpriv.keys.set_providers` are asked.
    trusted_signers : iterable of Signer or str, optional
        Whose files to read: if you name any, an unsigned file is refused, whatever ``trusted_types`` says. They come
        from you, never from the file. The signers of `modelpriv.sealing.set_trusted` are trusted too.
    trusted_types : iterable of str, optional
        The full names of types that an unsigned file may hold, besides those of scikit-learn, numpy and others that
        skops itself knows to be harmless. Name at least one to accept such a file. skops reads it, and nothing of it is
        unpickled.
    allow_code : bool, default=False
        Whether the file may bring the code of its author's own classes (``code="by-value"``).
    file_id : str, optional
        The id that the file must have, as `inspect` showed it when you knew the file: pins one model, so that neither
        another nor an older one can take its place.

    wrap : bool, default=False
        Whether a bare estimator comes back in an `EncryptedEstimator`, under ``key`` or for the recipient of
        ``identity``. A model that was sealed bare comes back bare: `pickle` or `joblib.dump` then write it in plain
        text. A wrapped one is written as ciphertext.

    Returns
    -------
    model : object
        What was dumped: an open `EncryptedEstimator`, or a bare estimator.

    Raises
    ------
    SealedFileError
        This is not a sealed file, it was cut, damaged or altered, or it has another id than ``file_id``.
    UntrustedError
        No one you trust signed the file, or it holds types or code that you did not allow.
    KeyUnavailableError
        Nothing you gave opens the file; the message names the key ids and recipients that do.
    LockedError
        The model's policy does not allow its use now, or with this version of scikit-learn; or its code is of another
        version of Python.
    ParameterError, ParameterTypeError
        You gave nothing to open the file with, or a parameter is not allowed.
    OSError
        The file cannot be read.

    See Also
    --------
    dump : Write such a file.
    """
    with _event("load", file):
        trust = to_trust(trusted_signers, trusted_types, allow_code)
        opener = to_opener(key, passphrase, identity, provider)
        keep = wrapping(opener, wrap=wrap)
        with opened(file, "load") as (source, size):
            found = open_head(source, size, opener)
            check_pinned(found.fields, file_id)
            check_rules(found.fields)
            serializer = found.fields["serializer"]
            trust.check(found.fields, signed=found.signed)
            serializers.check_versions(serializer, found.fields["versions"])
            stream, memory = buffers.read(found.body.readinto, found.length, shared=process.shared_memory.get())
            finish(source, found, trust)
            report_damage(source, found)
    with opening(opener.keyring), _explaining(found.fields["versions"]):
        return keep(serializers.restore(stream, memory, serializer, trust.types))


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
    file_id: str | None = None,
    wrap: bool = False,
) -> Any:
    """Read the bytes of a sealed file; the parameters and errors are those of `load`."""
    return load(
        io.BytesIO(data),
        key=key,
        passphrase=passphrase,
        identity=identity,
        provider=provider,
        trusted_signers=trusted_signers,
        trusted_types=trusted_types,
        allow_code=allow_code,
        file_id=file_id,
        wrap=wrap,
    )


def _event(action: str, file: object) -> events.event:
    """Begin the event of a model's file; without a path only its id names it."""
    name: dict[str, Any] = {"file": os.fsdecode(file)} if isinstance(file, str | os.PathLike) else {}
    return events.event(action, "model", **name)


@contextlib.contextmanager
def _explaining(written: dict[str, str]) -> Iterator[None]:
    """Add the likely cause to an error of the unpickler: a class that is missing here, or other versions."""
    try:
        yield
    except Exception as error:
        if isinstance(error, ImportError | AttributeError):
            error.add_note(
                "The sealed file names classes or functions that are missing here. If they are its author's own, "
                "install their module, or ask for a file that holds their code: dump(..., code='by-value')."
            )
        if others := [f"{name} {version}" for name, version in written.items() if layout.VERSIONS.get(name) != version]:
            here = ", ".join(f"{name} {version}" for name, version in layout.VERSIONS.items())
            error.add_note(f"The sealed file was written with {', '.join(map(ascii, others))}; here are {here}.")
        raise
