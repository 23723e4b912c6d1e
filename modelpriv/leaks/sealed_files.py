"""What anyone can read of a sealed model, and whether the rest of it looks like ciphertext."""

from __future__ import annotations

import json
import re
import struct
from typing import Any

from modelpriv._core import json as canonical_json
from modelpriv._core import magic
from modelpriv.leaks.ciphertext import FRAME, RUN_LENGTH, count_plain, has_run, is_framed
from modelpriv.leaks.outline import Blob, Sealed, shorten

_SLOT = struct.Struct("<QI32s")
_SLOTS = 2
_LONGEST_TRAILER = 2**14
_ID = re.compile(r"[0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{32}")
_BASE64 = re.compile(r"[A-Za-z0-9_-]{20,}")
_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,4}){0,3}(?:\.?(?:a|b|rc|dev|post)\d{1,4})?")
_WAYS = {"keyring", "argon2id", "x-wing", "x25519", "p-256", "rsa"}
_PROVIDERS = {"aws-kms", "pkcs11", "vault-transit"}


class SealedScan:
    """Looks at bytes that begin like a sealed model while they pass by.

    It holds the manifest and the envelope, at most 3 MiB, and never the body. It cannot tell ciphertext from other
    bytes that look random, such as compressed text.
    """

    def __init__(self) -> None:
        self._start, self._trailer, self._size = bytearray(), bytearray(), 0
        self._lengths: magic.SealedLengths | None = None
        self._kept: int | None = None  # bytes before the body; unknown until the prelude is there
        self._body, self._last, self._plain = b"", b"", 0

    def feed(self, piece: bytes) -> None:
        """Look at the next bytes."""
        self._size += len(piece)
        if self._kept is None:
            self._start += piece
            if len(self._start) < magic.PRELUDE.size:
                return
            self._kept, piece = self._read_lengths(), b""
            self._start, piece = self._start[: self._kept], bytes(self._start[self._kept :])
        elif (missing := self._kept - len(self._start)) > 0:
            self._start += piece[:missing]
            piece = piece[missing:]
        if self._lengths is not None and piece:
            self._feed_body(piece)

    def outline(self) -> Sealed | None:
        """Give what is readable, once all bytes are read; None if they are not a whole sealed model."""
        if self._lengths is None or not self._lengths.fit(self._size):
            return None
        manifest = magic.PRELUDE.size + self._lengths.manifest
        found = list(_in_manifest(bytes(self._start[magic.PRELUDE.size : manifest])))
        for number in range(_SLOTS):
            slot = bytes(self._start[manifest + number * self._lengths.slot :][: self._lengths.slot])
            found += [node for node in _in_slot(slot) if node not in found]
        plain = self._plain if is_framed(self._body, self._lengths.body) else self._lengths.body
        if plain:
            found.append(("body", Blob("bytes", plain, b"")))
        return Sealed(found + list(_in_trailer(bytes(self._trailer))))

    def _read_lengths(self) -> int:
        lengths = magic.sealed_lengths(bytes(self._start[: magic.PRELUDE.size]))
        if lengths is None or not lengths.fit(lengths.total) or lengths.trailer > _LONGEST_TRAILER:
            return 0
        self._lengths = lengths
        return magic.PRELUDE.size + lengths.manifest + _SLOTS * lengths.slot

    def _feed_body(self, piece: bytes) -> None:
        """Count the bytes of the body that do not look like ciphertext, and keep the trailer."""
        assert self._lengths is not None  # noqa: S101 - for mypy: without lengths there is no body
        assert self._kept is not None  # noqa: S101
        body = self._kept + self._lengths.body - (self._size - len(piece))
        body = max(0, min(body, len(piece)))
        self._body += piece[: min(body, FRAME - len(self._body))]
        self._plain += count_plain(self._last, piece[:body])
        self._last = (self._last + piece[:body])[-RUN_LENGTH:]
        self._trailer += piece[body : body + _LONGEST_TRAILER]


def _in_manifest(data: bytes) -> list[tuple[str, Any]]:
    try:
        fields = canonical_json.load(data)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or canonical_json.dump(fields) != data:
        return [("manifest", Blob("text", len(data), data[:80]))]
    told = {name: fields.pop(name, None) for name in ("metadata", "policy", "estimator")}
    odd = {name: value for name, value in fields.items() if not _is_usual(name, value)}
    told = {name: value for name, value in told.items() if value is not None and value != {}} | (
        {"manifest": odd} if odd else {}
    )
    return [(name, shorten(json.dumps(value))) for name, value in told.items()]


def _is_usual(name: str, value: Any) -> bool:
    """Tell whether a field of the manifest says nothing but what every sealed model says."""
    if name == "versions" and isinstance(value, dict):
        return all(name in _VERSIONED and _VERSION.fullmatch(str(version)) for name, version in value.items())
    if name == "needs" and isinstance(value, list):
        return all(isinstance(need, dict) and all(_is_need(*field) for field in need.items()) for need in value)
    return name in _USUAL and _USUAL[name].fullmatch(str(value)) is not None


def _is_need(name: str, value: Any) -> bool:
    if name == "steps":
        return type(value) is int and 0 < value <= 2**20
    return name in {"key_id", "check"} and _ID.fullmatch(str(value)) is not None


_VERSIONED = {"python", "scikit-learn", "numpy"}
_USUAL = {
    "format": re.compile(str(magic.SEALED_FORMAT)),
    "suite": re.compile(re.escape("FLOE-AES-256-GCM-HKDF-SHA-384-1MiB")),
    "origin": re.compile("sole|shared|signed"),
    "serializer": re.compile("pickle-5|cloudpickle-5|skops"),
    "file_id": _ID,
    "signer": _ID,
}


def _in_slot(slot: bytes) -> list[tuple[str, Any]]:
    """Find what an envelope says beyond wrapped keys: where a provider keeps its key, and what is out of place."""
    if not any(slot):
        return []
    try:
        sequence, length, mac = _SLOT.unpack_from(slot)
        stanzas = canonical_json.load(slot[_SLOT.size : _SLOT.size + length])
    except (struct.error, ValueError):
        return [("envelope", Blob("bytes", len(slot), slot[:80]))]
    found: list[tuple[str, Any]] = []
    odd = canonical_json.dump(stanzas) != slot[_SLOT.size : _SLOT.size + length]
    if odd or any(slot[_SLOT.size + length :]) or has_run(mac) or sequence > 2**32:
        found.append(("envelope", Blob("bytes", len(slot), slot[:80])))
    for stanza in stanzas if isinstance(stanzas, list) else [stanzas]:
        text = json.dumps(stanza)
        if isinstance(stanza, dict) and stanza.get("type") in _PROVIDERS:
            found.append(("envelope", Blob("key", len(text), text[:80])))
        elif not isinstance(stanza, dict) or not all(_is_wrapped(*field) for field in stanza.items()):
            found.append(("envelope", Blob("text", len(text), text[:80])))
    return found


def _is_wrapped(name: str, value: Any) -> bool:
    match name, value:
        case "type", str():
            return value in _WAYS
        case (("key_id" | "recipient"), str()):
            return _ID.fullmatch(value) is not None
        case (("wrapped" | "check" | "body" | "salt" | "commitment"), str()):
            return len(value) % 4 != 1 and _BASE64.fullmatch(value) is not None
        case (("passes" | "memory_kib" | "lanes"), int()):
            return 0 < value <= 2**20
    return False


def _in_trailer(data: bytes) -> list[tuple[str, Any]]:
    if not data:
        return []
    try:
        fields = canonical_json.load(data)
    except ValueError:
        fields = None
    usual = isinstance(fields, dict) and fields.keys() == {"signer", "value"} and canonical_json.dump(fields) == data
    if usual and _is_usual("signer", fields["signer"]) and _is_wrapped("wrapped", fields["value"]):
        return []
    return [("trailer", Blob("bytes", len(data), data[:80]))]
