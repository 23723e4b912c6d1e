"""Writing a sealed file again under a fresh key, for other readers; nothing of it is unpickled."""

import os
from collections.abc import Iterable, Iterator

from modelpriv._core import events, files
from modelpriv.errors import ParameterError
from modelpriv.keys import Identity, KeyProvider, Recipient, Signer, SigningKey
from modelpriv.sealing import serializers, writing
from modelpriv.sealing.access import Passphrase, to_opener, to_ways
from modelpriv.sealing.format import floe, layout
from modelpriv.sealing.reading import OpenFile, finish, open_head, opened
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

    It protects the file from now on against whoever could open it before: the new one has nothing in common with what
    they may have kept. It leaks as much as the file did. It cannot take back what they have read, or a copy that they
    have kept.

    Parameters
    ----------
    file : path-like
        A sealed file, which is replaced whole. Metadata, policy and versions stay; it gets a new id.
    key : Keyring or str, optional
        Opens the file now: a keyring, or the URI of one.
    passphrase : str or bytes, optional
        Opens the file now.
    identity : Identity, optional
        Opens the file now.
    provider : KeyProvider, optional
        Opens the file now. Those given to `modelpriv.keys.set_providers` are asked where nothing else is given.
    new_key : Keyring or str, optional
        Its primary key opens the file from now on.
    new_passphrase : str or bytes, optional
        Opens the file from now on.
    new_recipients : iterable of Recipient or str, optional
        Their identities open the file from now on.
    new_provider : KeyProvider, optional
        Opens the file from now on.
    sign_with : SigningKey, optional
        Vouches for the new file, which needs it if recipients or a provider open it: the old signature is not of it.
    trusted_signers : iterable of Signer or str, optional
        Who may have signed the file as it is, beside the signer of ``sign_with`` and those whom the process trusts.
        What nobody trusted has signed is not vouched for again.
    durable : bool, default=False
        Whether the new file is synced to the disk before it takes the old one's place.

    Raises
    ------
    SealedFileError
        This is no sealed file, or it was cut, damaged or altered; it stays as it is.
    UntrustedError
        Nobody who is trusted signed the file as it is; it stays so.
    KeyUnavailableError
        Nothing that is given opens the file, or the new key cannot be had.
    ParameterError, ParameterTypeError
        There is no new way to open it, or no signature where one is needed, or a parameter is not allowed.
    OSError
        The file cannot be read or written.

    See Also
    --------
    rewrap : Change the keys in place, where nobody has to be kept out.

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
    opener = to_opener(key, passphrase, identity, provider)
    ways = to_ways(new_key, new_passphrase, new_recipients, new_provider)
    signing_key = check_signing_key(sign_with)
    own = () if signing_key is None else (signing_key.signer,)
    # The code that it may bring is not run here.
    trust = Trust((*own, *to_trust(trusted_signers).signers), (), allow_code=True)
    if not ways.symmetric and signing_key is None:
        raise ParameterError("for new_recipients and new_provider the new file must be signed: pass sign_with=.")
    with (
        events.event("rekey", "model", file=os.fsdecode(file)),
        files.replacing(file, durable=durable) as target,
        opened(file) as (source, size),
    ):
        found = open_head(source, size, opener)
        if found.fields["serializer"] == serializers.SKOPS:
            raise ParameterError(
                "nobody vouches for what is in the file: load it with trusted_types= and dump it anew."
            )
        trust.check(found.fields, signed=found.signed)
        manifest = layout.renewed(
            found.head.manifest,
            origin=writing.origin(ways, signing_key),
            signer=None if signing_key is None else signing_key.signer.id,
        )
        write = writing.prepare(manifest, found.length, ways, sign_with=signing_key)
        write(_pieces(found), target.write)
        finish(source, found, trust)


def _pieces(found: OpenFile) -> Iterator[memoryview]:
    """Give the plaintext of a body, a segment at a time, in memory that is used again."""
    piece, left = memoryview(bytearray(min(floe.SEGMENT, found.length))), found.length
    while left:
        part = piece[: min(left, len(piece))]
        found.body.readinto(part)
        left -= len(part)
        yield part
