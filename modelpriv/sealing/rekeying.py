"""Writing a sealed file again under a fresh key, for other readers; nothing of it is unpickled."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace

from modelpriv._core import events, files
from modelpriv.errors import ParameterError
from modelpriv.keys import Identity, KeyProvider, Recipient, Signer, SigningKey
from modelpriv.sealing import serializers, writing
from modelpriv.sealing.access import Passphrase, to_opener, to_ways
from modelpriv.sealing.artifacts import locate
from modelpriv.sealing.format import floe, layout
from modelpriv.sealing.locking import hand_over, locked
from modelpriv.sealing.reading import OpenFile, finish, open_head
from modelpriv.sealing.trust import Trust, to_trust
from modelpriv.sealing.writing import check_signing_key


def rekey(
    file: str | os.PathLike[str],
    *,
    key: object = None,
    passphrase: Passphrase | None = None,
    identity: Identity | None = None,
    provider: KeyProvider | None = None,
    new_key: object = None,
    new_passphrase: Passphrase | None = None,
    new_recipients: Iterable[Recipient | str] | None = None,
    new_provider: KeyProvider | None = None,
    sign_with: SigningKey | None = None,
    trusted_signers: Iterable[Signer | str] = (),
    durable: bool = False,
) -> None:
    """Write a sealed file again under a fresh key, for other readers; nothing of it is unpickled.

    *Protects against* everyone who could open the file before: the new file shares no key with what they may have kept.
    *Leaks* as much as the file did. It *cannot* take back what they have read, or a copy that they kept. With it you
    vouch for the model as it is: so rekey only files that you would load.

    Parameters
    ----------
    file : path-like
        A sealed file, or a folder that holds one, such as that of an MLflow model. The file is replaced as a whole.
        Metadata, policy and versions stay; the file gets a new id.
    key : Keyring or str, optional
        Opens the file now: a keyring, or the URI of one.
    passphrase : str or bytes, optional
        Opens the file now.
    identity : Identity, optional
        Opens the file now.
    provider : KeyProvider, optional
        Opens the file now. If you give nothing else, the providers of `modelpriv.keys.set_providers` are asked.
    new_key : Keyring or str, optional
        Its primary key opens the file from now on.
    new_passphrase : str or bytes, optional
        Opens the file from now on.
    new_recipients : iterable of Recipient or str, optional
        Their identities open the file from now on.
    new_provider : KeyProvider, optional
        Opens the file from now on.
    sign_with : SigningKey, optional
        Signs the new file; required if recipients or a provider open it. The signature of the old file does not fit.
    trusted_signers : iterable of Signer or str, optional
        Who may have signed the file as it is, besides the signer of ``sign_with`` and those whom the process trusts. If
        you name any, an unsigned file is refused.
    durable : bool, default=False
        Whether to sync the new file to the disk before it takes the place of the old one.

    Raises
    ------
    SealedFileError
        This is not a sealed file, or it was cut, damaged or altered; it stays as it is. Or another process replaced it
        at this moment.
    UntrustedError
        No one you trust signed the file; it stays as it is.
    KeyUnavailableError
        Nothing you gave opens the file, or the new keyring cannot be fetched.
    ParameterError, ParameterTypeError
        You named nothing that opens the new file, a signature is missing, or a parameter is not allowed.
    OSError
        The file cannot be read or written.

    See Also
    --------
    rewrap : Change the keys in place, if no one must be shut out.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv import Keyring, sealing
    >>> keys, others = Keyring.generate(), Keyring.generate()
    >>> sealing.dump(Ridge(), "model.mpriv", key=keys)
    >>> sealing.rekey("model.mpriv", key=keys, new_key=others)
    >>> sealing.load("model.mpriv", key=others)
    Ridge()
    """
    file, opener = locate(file, "rekey"), to_opener(key, passphrase, identity, provider)
    ways = to_ways(new_key, new_passphrase, new_recipients, new_provider)
    signing_key = check_signing_key(sign_with)
    trust = _trust(signing_key, trusted_signers)
    if not ways.symmetric and signing_key is None:
        raise ParameterError("for new_recipients and new_provider the new file must be signed: pass sign_with=.")
    with (
        events.event("rekey", "model", file=os.fsdecode(file)),
        locked(file, "rb") as source,
        files.replacing(file, durable=durable) as target,
    ):
        found = open_head(source, os.fstat(source.fileno()).st_size, opener)
        if found.fields["serializer"] == serializers.SKOPS:
            raise ParameterError(
                "the file is not signed, so rekey cannot vouch for it: load it with trusted_types=, and dump the model."
            )
        trust.check(found.fields, signed=found.signed)
        manifest = layout.renewed(
            found.head.manifest,
            origin=writing.origin(ways, signing_key),
            signer=None if signing_key is None else signing_key.signer.id,
        )
        events.note(previous_file_id=found.fields["file_id"])
        writing.draft(manifest, _pieces(found), found.length, ways, sign_with=signing_key).write(target)
        finish(source, found, trust)
        hand_over(source, file)


def _trust(signing_key: SigningKey | None, trusted_signers: Iterable[Signer | str]) -> Trust:
    """Trust the caller's own signer too, and code that the file may hold: it is not run here."""
    own, trust = () if signing_key is None else (signing_key.signer,), to_trust(trusted_signers)
    return replace(trust, signers=(*own, *trust.signers), types=(), allow_code=True)


def _pieces(found: OpenFile) -> Iterator[memoryview]:
    """Give the plaintext of a body, a segment at a time, in memory that is reused."""
    piece, left = memoryview(bytearray(min(floe.SEGMENT, found.length))), found.length
    while left:
        part = piece[: min(left, len(piece))]
        found.body.readinto(part)
        left -= len(part)
        yield part
