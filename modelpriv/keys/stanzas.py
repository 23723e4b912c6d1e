"""Stanzas: each wraps the same 32-byte data key in another way, so that any one of them opens it."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from modelpriv._core import events
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError
from modelpriv.keys.derivation import KEY_LENGTH, enc
from modelpriv.keys.identity import Identity
from modelpriv.keys.kem import KINDS
from modelpriv.keys.keyring import Keyring
from modelpriv.keys.providers import KeyProvider
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.text import from_base64, read_fields, to_base64

__all__ = [
    "KEYRING",
    "MOST_STANZAS",
    "body_of",
    "check",
    "fingerprint",
    "is_symmetric",
    "key_ids",
    "name_of",
    "unwrap",
    "unwrap_by",
    "wrap",
]

Stanza = dict[str, Any]

MOST_STANZAS = 64
_MOST_PASSPHRASES = 8  # each may cost a second and 256 MiB to try
_MOST_WORK = 4 * 2**20  # passes times KiB of all of them: some seconds

KEYRING, _PASSPHRASE = "keyring", passphrases.TYPE
_KEY_ID, _RECIPIENT = re.compile("[0-9a-f]{8}"), re.compile("[0-9a-f]{16}")
_WRAP_KEY = 64
_FIELDS = {"wrapped": 16 + KEY_LENGTH, "check": 16}
_DIGEST = 32


def wrap(
    data_key: bytes,
    *,
    context: bytes,
    keyring: Keyring | None = None,
    passphrase: str | bytes | None = None,
    recipients: Iterable[Recipient] = (),
    provider: KeyProvider | None = None,
    body: bytes = b"",
) -> list[Stanza]:
    """Wrap a data key in each of the ways that are given.

    Parameters
    ----------
    data_key : bytes
        32 bytes.
    context : bytes
        What the key is for, as `modelpriv.keys.derivation.enc` gives it; the stanzas open with no other.
    keyring : Keyring, optional
        Wraps under its primary key.
    passphrase : str or bytes, optional
        Wraps with Argon2id.
    recipients : iterable of Recipient, optional
        Wraps to each of them.
    provider : KeyProvider, optional
        Wraps as it does.
    body : bytes, optional
        A 32-byte digest of what the key encrypts. The stanzas carry it and are bound to it, so that others who learn
        the data key cannot put anything else under these stanzas.

    Returns
    -------
    stanzas : list of dict
        For JSON.

    Raises
    ------
    ParameterError
        No way is given, or too many, or the key has another length.
    KeyUnavailableError
        The provider cannot be reached, or refuses.
    """
    if len(data_key) != KEY_LENGTH:
        raise ParameterError(f"data_key must have {KEY_LENGTH} bytes, got {len(data_key)}.")
    stanzas = []
    context = _bound(context, body)
    if keyring is not None:
        stanzas.append(_wrap_with_keyring(data_key, context, keyring))
    if passphrase is not None:
        stanzas.append(passphrases.PassphraseProvider(passphrase).wrap(data_key, context))
    stanzas += [recipient.wrap(data_key, context) for recipient in recipients]
    if provider is not None:
        stanzas.append(provider.wrap(data_key, context))
    if not stanzas:
        raise ParameterError("nothing to wrap the key with: give a keyring, a passphrase, recipients or a provider.")
    if len(stanzas) > MOST_STANZAS:
        raise ParameterError(f"a key is wrapped in at most {MOST_STANZAS} ways, got {len(stanzas)}.")
    return [stanza | {"body": to_base64(body)} for stanza in stanzas] if body else stanzas


def unwrap(
    stanzas: Sequence[Stanza],
    *,
    context: bytes,
    keyring: Keyring | None = None,
    passphrase: str | bytes | None = None,
    identity: Identity | None = None,
    providers: Iterable[KeyProvider] = (),
) -> bytes:
    """Return the data key, from the first stanza that opens.

    Parameters
    ----------
    stanzas : sequence of dict
        As read, and not yet trusted; those of a kind that is not known are passed over.
    context : bytes
        What they were wrapped with.
    keyring : Keyring, optional
        Opens the stanzas of each of its keys.
    passphrase : str or bytes, optional
        Opens the stanzas of Argon2id.
    identity : Identity, optional
        Opens the stanzas of its recipient.
    providers : iterable of KeyProvider, optional
        Asked for the stanzas of their type: what a stanza itself names is never contacted.

    Raises
    ------
    SealedFileError
        The stanzas are damaged or too many, or demand more work than is accepted; nothing was tried.
    KeyUnavailableError
        None opens; the message names the key ids that would do, or says that the passphrase is wrong.
    """
    return unwrap_by(
        stanzas, context=context, keyring=keyring, passphrase=passphrase, identity=identity, providers=providers
    )[0]


def unwrap_by(
    stanzas: Sequence[Stanza],
    *,
    context: bytes,
    keyring: Keyring | None = None,
    passphrase: str | bytes | None = None,
    identity: Identity | None = None,
    providers: Iterable[KeyProvider] = (),
) -> tuple[bytes, Stanza]:
    """Return the data key and the stanza that gave it; parameters and errors are those of `unwrap`."""
    check(stanzas)
    failed = None
    given = _Given(keyring, identity, tuple(providers), passphrase)
    for stanza, attempt in _attempts(stanzas, given):
        try:
            data_key = attempt(stanza, _bound(context, body_of(stanza)))
        except KeyUnavailableError as error:
            failed = str(error)  # of the last one, for the ways are tried from the cheap to the dear
            continue
        if len(data_key) != KEY_LENGTH:
            raise SealedFileError("what a stanza wraps is no key: it was not written by modelpriv.")
        return data_key, stanza
    raise KeyUnavailableError(failed or _what_is_missing(stanzas, given))


def key_ids(stanzas: Sequence[Stanza]) -> tuple[str, ...]:
    """Return the ids of the ring keys for which there is a stanza.

    Raises
    ------
    SealedFileError
        The stanzas are damaged.
    """
    check(stanzas)
    return tuple(stanza["key_id"] for stanza in _of_type(stanzas, KEYRING))


def is_symmetric(stanza: Stanza) -> bool:
    """Return whether only the holders of a secret, a key or a passphrase, can have made the stanza."""
    return stanza["type"] in {KEYRING, _PASSPHRASE}


def body_of(stanza: Stanza) -> bytes:
    """Return the digest that a checked stanza is bound to; empty if it is bound to none."""
    return from_base64(stanza["body"]) if "body" in stanza else b""


def name_of(stanza: Stanza) -> str:
    """Return what a user calls a stanza by: key id, recipient's id, ``"passphrase"``, or the type of a provider."""
    if stanza["type"] == _PASSPHRASE:
        return "passphrase"
    if stanza["type"] == KEYRING:
        return str(stanza["key_id"])
    return str(stanza["recipient"] if stanza["type"] in KINDS else stanza["type"])


def fingerprint(stanza: Stanza) -> tuple[str, bytes]:
    """Return the id and the check value of the ring key that a stanza names."""
    return stanza["key_id"], from_base64(stanza["check"])


def check(stanzas: object) -> None:
    """Refuse stanzas that are damaged, or demand more work than is accepted, before any of it is done.

    Raises
    ------
    SealedFileError
        They are one of these.
    """
    if not isinstance(stanzas, Sequence) or not all(
        isinstance(stanza, dict) and isinstance(stanza.get("type"), str) for stanza in stanzas
    ):
        raise SealedFileError("the stanzas that wrap the key are damaged.")
    if len(stanzas) > MOST_STANZAS or len(_of_type(stanzas, _PASSPHRASE)) > _MOST_PASSPHRASES:
        raise SealedFileError(
            f"there are more stanzas than are accepted ({MOST_STANZAS}, {_MOST_PASSPHRASES} of them for passphrases): "
            "the file is damaged or hostile."
        )
    for stanza in _of_type(stanzas, KEYRING):
        _check_id(stanza, "key_id", _KEY_ID)
        read_fields(stanza, _FIELDS)
    for stanza in _of_type(stanzas, *KINDS):
        _check_id(stanza, "recipient", _RECIPIENT)
    for stanza in stanzas:
        if "body" in stanza:
            read_fields(stanza, {"body": _DIGEST})
    work = 0
    for stanza in _of_type(stanzas, _PASSPHRASE):
        passphrases.check(stanza)
        work += stanza["passes"] * stanza["memory_kib"]
    if work > _MOST_WORK:
        raise SealedFileError("to try all passphrase stanzas takes more work than is accepted: the file is hostile.")


def _bound(context: bytes, body: bytes) -> bytes:
    """Return the context of a stanza that is bound to a digest too: `enc` of the same items and the digest."""
    return context + enc(body) if body else context


def _wrap_with_keyring(data_key: bytes, context: bytes, keyring: Keyring) -> Stanza:
    cipher = AESSIV(keyring.ring_key("wrap", length=_WRAP_KEY))
    events.note_keys(keyring.primary)
    key_id, check_value = keyring.fingerprints[0]
    wrapped = to_base64(cipher.encrypt(data_key, [context]))
    return {"type": KEYRING, "key_id": key_id, "check": to_base64(check_value), "wrapped": wrapped}


def _unwrap_with_keyring(stanza: Stanza, context: bytes, keyring: Keyring) -> bytes:
    events.note_keys(stanza["key_id"])
    cipher = AESSIV(keyring.ring_key("wrap", length=_WRAP_KEY, key_id=stanza["key_id"]))
    try:
        return cipher.decrypt(read_fields(stanza, _FIELDS)[0], [context])
    except InvalidTag:
        raise KeyUnavailableError(
            f"what key id {stanza['key_id']} wraps was altered, or belongs to another file."
        ) from None


@dataclass(frozen=True, repr=False)  # which would show the passphrase
class _Given:
    """What a caller has to open stanzas with."""

    keyring: Keyring | None
    identity: Identity | None
    providers: tuple[KeyProvider, ...]
    passphrase: str | bytes | None


def _attempts(stanzas: Sequence[Stanza], given: _Given) -> Iterator[tuple[Stanza, Callable[[Stanza, bytes], bytes]]]:
    """Return the stanzas to try, each with what opens it from its context."""
    if (keyring := given.keyring) is not None:
        for stanza in _of_type(stanzas, KEYRING):
            if fingerprint(stanza) in keyring.fingerprints and stanza["key_id"] not in keyring.distrusted:
                yield stanza, partial(_unwrap_with_keyring, keyring=keyring)
    if (identity := given.identity) is not None:
        for stanza in _of_type(stanzas, identity.recipient.kind):
            if stanza["recipient"] == identity.recipient.id:
                events.note(recipient=identity.recipient.id)
                yield stanza, identity.unwrap
    providers = list(given.providers)
    if given.passphrase is not None:
        providers.append(passphrases.PassphraseProvider(given.passphrase))
    for provider in providers:
        for stanza in _of_type(stanzas, provider.type):
            events.note(provider=provider.type)
            yield stanza, provider.unwrap


def _check_id(stanza: Stanza, field: str, form: re.Pattern[str]) -> None:
    """Check the field that names a key, because errors show it."""
    if not isinstance(stanza.get(field), str) or not form.fullmatch(stanza[field]):
        raise SealedFileError(f"the field {field!r} is missing or damaged.")


def _of_type(stanzas: Sequence[Stanza], *kinds: str) -> list[Stanza]:
    return [stanza for stanza in stanzas if stanza["type"] in kinds]


def _what_is_missing(stanzas: Sequence[Stanza], given: _Given) -> str:
    """Say what would open the stanzas, and what was given instead."""
    ways = [f"key id {stanza['key_id']}{_remark(stanza, given.keyring)}" for stanza in _of_type(stanzas, KEYRING)]
    ways += [f"the identity of recipient {stanza['recipient']}" for stanza in _of_type(stanzas, *KINDS)]
    ways += ["a passphrase"] if _of_type(stanzas, _PASSPHRASE) else []
    known = {KEYRING, _PASSPHRASE, *KINDS}
    ways += [f"a provider of type {kind!a}" for kind in sorted({stanza["type"] for stanza in stanzas} - known)]
    had = [] if given.keyring is None else [f"a keyring with key ids {', '.join(given.keyring.key_ids)}"]
    had += [] if given.identity is None else [f"the identity of recipient {given.identity.recipient.id}"]
    had += [provider.describe() for provider in given.providers]
    had += [] if given.passphrase is None else ["a passphrase"]
    return (
        f"it opens with {' or '.join(ways) or 'nothing that is known here'}; given: {' and '.join(had) or 'nothing'}."
    )


def _remark(stanza: Stanza, keyring: Keyring | None) -> str:
    """Say why a keyring does not open a stanza with one of its ids."""
    if keyring is None or stanza["key_id"] not in keyring.key_ids:
        return ""
    if stanza["key_id"] in keyring.distrusted:
        return (
            ", which your keyring distrusts (if you know that you wrote the file, rekey it with the keyring as it was "
            "before)"
        )
    return " (another key than yours with this id)"
