"""A grant: the keys of some contexts, sealed to one person and signed by their owner.

It is one line of canonical JSON: public are its id, its recipient's and its signer's. A random key seals all else
(AES-SIV), and is wrapped to the recipient, bound to the public part; the signature is over the whole line without it.
"""

import os
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from modelpriv._core import events, files, json, magic
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import container, scoped, signing
from modelpriv.keys.derivation import KEY_LENGTH, VERSION, enc
from modelpriv.keys.identity import Identity
from modelpriv.keys.opaque import Opaque, fill
from modelpriv.keys.recipient import Recipient
from modelpriv.keys.scoped import Scope, ScopedKeyring
from modelpriv.keys.text import from_base64, to_base64

__all__ = ["Grant", "make"]

_FORMAT, _FORMAT_VERSION = "modelpriv grant", 1
_FIELDS = {"format", "version", "id", "recipient", "stanza", "sealed", "signature"}
_SEAL_KEY = 64


@final
class Grant(Opaque):
    """The keys of some contexts for one person: `Keyring.grant` makes it, and only its recipient opens it.

    It protects the contexts that it does not name: no key of theirs is in it, nor can be computed from what is. It is
    sealed, so that only the recipient learns which contexts it is for, and signed, so that no one else can make one. It
    leaks its id, its length, and the ids of recipient and signer. It does not tell reading from writing: anyone who can
    read a column can write it too. Mathematics enforces the contexts. This library enforces uses and expiry, and a
    holder of the keys need not use it. It cannot be taken back: to revoke it, rotate and rewrap.

    Parameters
    ----------
    content : bytes
        What ``bytes(grant)`` gave. `load` reads a file.

    Raises
    ------
    SealedFileError
        The bytes are not a grant, or they were cut, or a later version wrote them.

    Examples
    --------
    >>> from modelpriv.keys import Grant, Identity, Keyring, SigningKey
    >>> keys, signing_key = Keyring.generate(), SigningKey.generate()
    >>> ada = Identity.generate()
    >>> keys.grant(["email"], recipient=ada.recipient, sign_with=signing_key).save("ada.grant")
    >>> mine = Grant.load("ada.grant").open(identity=ada, trusted_signers=[signing_key.signer])
    >>> mine.contexts
    ('email',)
    """

    __slots__ = ("_head",)

    _head: dict[str, Any]

    def __init__(self, content: object = b"") -> None:
        if not isinstance(content, bytes) or not content:
            raise ParameterError("a Grant is made by Keyring.grant(...), Grant.load(path) or from bytes(grant).")
        fill(self, _head=_parse(content, "the grant"))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Grant":
        """Read a grant's file; nothing of it is trusted yet.

        Raises
        ------
        SealedFileError
            The file is no grant, cut, or of a later version.
        OSError
            It cannot be read.
        """
        return _build(_parse(container.read(path, private=False), os.fspath(path)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the grant to a file, whole. It holds no secret that its recipient alone would not open.

        Raises
        ------
        ParameterError
            The path is a file of another kind, which is not replaced.
        OSError
            The file cannot be written.
        """
        container.check_kind(path, magic.GRANT)
        with (
            events.event("save", "Grant", grant=self.id, to=os.fsdecode(path)),
            files.replacing(path, durable=True) as file,
        ):
            file.write(bytes(self))

    def open(self, *, identity: Identity, trusted_signers: Iterable[signing.Signer | str]) -> ScopedKeyring:
        """Return the keyring that was granted.

        Parameters
        ----------
        identity : Identity
            The recipient's.
        trusted_signers : iterable of Signer or str
            Those whose grants you take. They come from you, never from the file.

        Returns
        -------
        keys : ScopedKeyring
            For ``key=`` of any transformer.

        Raises
        ------
        SealedFileError
            It is not signed by one of the trusted signers, or was altered.
        KeyUnavailableError
            It is for another recipient, or has expired.
        ParameterError, ParameterTypeError
            There are no trusted signers, or a parameter is of another type.
        """
        if not isinstance(identity, Identity):
            raise ParameterTypeError(f"identity must be an Identity, got {type(identity).__name__}.")
        trusted = signing.read_signers(trusted_signers)
        if not trusted:
            raise ParameterError(
                "trusted_signers is empty, but anyone can seal a grant to you: name the signers whose grants you take."
            )
        with events.event("open", "Grant", grant=self.id, recipient=identity.recipient.id):
            return self._open(identity, trusted)

    @property
    def id(self) -> str:
        """What names the grant, 16 hexadecimal digits; its holder's audit log is kept under it."""
        return str(self._head["id"])

    @property
    def recipient_id(self) -> str:
        """The id of the recipient that it says it is for."""
        return str(self._head["recipient"])

    def __bytes__(self) -> bytes:
        return json.dump(self._head) + b"\n"

    def __repr__(self) -> str:
        return f"<Grant {self.id} for recipient {self.recipient_id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Grant, (bytes(self),)

    def _open(self, identity: Identity, trusted: list[signing.Signer]) -> ScopedKeyring:
        head = dict(self._head)
        try:
            signer = signing.check_signature(head.pop("signature"), _message(head), trusted)
        except SealedFileError as error:
            raise type(error)(f"grant {self.id}: {error}") from None
        events.note(signer=signer.id)
        if self.recipient_id != identity.recipient.id:
            raise KeyUnavailableError(
                f"grant {self.id} is for recipient {self.recipient_id}, and this identity is {identity.recipient.id}."
            )
        try:
            data_key = identity.unwrap(head["stanza"], _context(head))
            payload = _cipher(data_key).decrypt(from_base64(head.pop("sealed")), [json.dump(head)])
            keyring = _read(json.load(payload), self.id)
        except (InvalidTag, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, KeyUnavailableError):
                raise
            raise SealedFileError(f"grant {self.id}: it was altered, or is damaged.") from None
        scope = keyring.scope
        if scope.expires is not None and datetime.now(UTC) >= scope.expires:
            raise KeyUnavailableError(
                f"grant {self.id} expired at {scope.expires:%Y-%m-%d %H:%M:%S} UTC: ask for a new one."
            )
        events.note(contexts=list(scope.contexts))
        events.note_keys(*keyring.key_ids)
        return keyring


def make(keyring: ScopedKeyring, recipient: object, sign_with: object) -> Grant:
    """Seal a scoped keyring to a recipient, and sign it.

    Raises
    ------
    ParameterError, ParameterTypeError
        The recipient or the signing key is something else.
    """
    recipient = Recipient(recipient) if isinstance(recipient, str) else recipient
    if not isinstance(recipient, Recipient):
        raise ParameterTypeError(f"recipient must be a Recipient or its line of text, got {type(recipient).__name__}.")
    data_key = secrets.token_bytes(KEY_LENGTH)
    head: dict[str, Any] = {
        "format": _FORMAT,
        "version": _FORMAT_VERSION,
        "id": keyring.scope.id,
        "recipient": recipient.id,
    }
    head["stanza"] = recipient.wrap(data_key, _context(head))
    head["sealed"] = to_base64(_cipher(data_key).encrypt(json.dump(_write(keyring)), [json.dump(head)]))
    head["signature"] = signing.write_signature(sign_with, _message(head))
    return _build(head)


def _parse(content: bytes, name: str) -> dict[str, Any]:
    head: Any = None
    try:
        head = json.load(content)
        canonical = isinstance(head, dict) and json.dump(head) + b"\n" == content
    except ValueError:
        canonical = False
    if not canonical or head.get("format") != _FORMAT:
        raise SealedFileError(f"{name} is not a grant, or it was cut or altered.")
    if type(head.get("version")) is int and head["version"] != _FORMAT_VERSION:
        raise SealedFileError(
            f"{name} has format version {head['version']}, and this modelpriv reads {_FORMAT_VERSION}: upgrade it."
        )
    head.setdefault("signature", None)
    ids = all(isinstance(head.get(field), str) and scoped.ID.fullmatch(head[field]) for field in ("id", "recipient"))
    if head.keys() != _FIELDS or not ids or not isinstance(head["stanza"], dict):
        raise SealedFileError(f"{name}: its fields are not those of a grant.")
    fields: dict[str, Any] = head
    return fields


def _build(head: dict[str, Any]) -> Grant:
    grant = object.__new__(Grant)
    fill(grant, _head=head)
    return grant


def _write(keyring: ScopedKeyring) -> dict[str, Any]:
    scope, (context_keys, audit_keys) = keyring.scope, scoped.keys_of(keyring)
    return {
        "keys": [[key_id, to_base64(check)] for key_id, check in keyring.fingerprints],
        "contexts": {
            context: {key_id: to_base64(held[context]) for key_id, held in context_keys.items()}
            for context in scope.contexts
        },
        "audit": {key_id: to_base64(key) for key_id, key in audit_keys.items()},
        "uses": None if scope.uses is None else list(scope.uses),
        "expires": None if scope.expires is None else scope.expires.isoformat(),
    }


def _read(payload: Mapping[str, Any], grant_id: str) -> ScopedKeyring:
    """Read what a trusted signer sealed; what is not as `_write` writes it raises one of the errors of bad data."""
    fingerprints = tuple((str(key_id), from_base64(check)) for key_id, check in payload["keys"])
    ids = [key_id for key_id, _ in fingerprints]
    expires = None if payload["expires"] is None else datetime.fromisoformat(payload["expires"])
    uses = None if payload["uses"] is None else tuple(payload["uses"])
    context_keys = {
        key_id: {context: from_base64(held[key_id]) for context, held in payload["contexts"].items()} for key_id in ids
    }
    scope = Scope(tuple(payload["contexts"]), uses, expires, grant_id)
    return scoped.build(
        fingerprints, scope, context_keys, {key_id: from_base64(payload["audit"][key_id]) for key_id in ids}
    )


def _message(head: Mapping[str, Any]) -> bytes:
    return enc(VERSION, "grant signature", json.dump(dict(head)))


def _context(head: Mapping[str, Any]) -> bytes:
    public = {field: head[field] for field in ("format", "version", "id", "recipient")}
    return enc(VERSION, "grant", sha256(json.dump(public)).digest())


def _cipher(data_key: bytes) -> AESSIV:
    return AESSIV(HKDFExpand(SHA256(), _SEAL_KEY, info=enc(VERSION, "grant")).derive(data_key))
