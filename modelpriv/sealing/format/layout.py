"""The fixed parts at the head of a sealed file: the prelude, and the manifest behind it.

The prelude has 40 bytes, integers little-endian; the whole file follows from it::

     0   8  magic: 8F "mpriv" 0D 0A
     8   4  format version: 1
    12   4  length of the manifest
    16   4  length of one envelope slot (there are two)
    20   4  zero
    24   8  length of the body
    32   8  length of the trailer: 0 where nobody signed

    prelude || manifest || slot || slot || body || trailer, and nothing behind

`origin` in the manifest is "keyring" where only key ids and passphrases open the file, for ever, so that somebody who
had one of these secrets wrote it; else "signed". `serializer` says how the body's object was written:
"pickle-5", "cloudpickle-5" (with the code of the author's classes) or, in files that nobody signed, "skops".

The manifest is canonical JSON that never changes once it is written. The body is bound to its bytes as they are
stored, the envelope to the prelude too. Until the envelope has been opened, all of it is only what the file claims.
"""

import platform
import secrets
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sklearn

from modelpriv._core import json, magic
from modelpriv.errors import ParameterError, ParameterTypeError, SealedFileError
from modelpriv.sealing import serializers
from modelpriv.sealing.format import floe

FORMAT = magic.SEALED_FORMAT
SUITE = "FLOE-AES-256-GCM-HKDF-SHA-384-1MiB"
SLOT = 4096
LARGEST_MANIFEST, LARGEST_SLOT = magic.LARGEST_MANIFEST, magic.LARGEST_SLOT
LARGEST_SIGNATURE = 2**14
DIGEST = 32  # of each segment, in the trailer
LOCK = 2**62  # a place behind every file, which who changes one in place locks

PRELUDE = magic.PRELUDE.size
VERSIONS = {
    "python": ".".join(platform.python_version_tuple()[:2]),
    "scikit-learn": sklearn.__version__,
    "numpy": np.__version__,
}
_FIELDS = {"format", "suite", "file_id", "origin", "serializer", "versions", "metadata"}
# Who can have written a file, and how its object was: skops is for those that may come from anyone.
_KNOWN = [
    [SUITE, "keyring", serializers.BY_REFERENCE],
    [SUITE, "keyring", serializers.BY_VALUE],
    [SUITE, "signed", serializers.BY_REFERENCE],
    [SUITE, "signed", serializers.BY_VALUE],
    [SUITE, "signed", serializers.SKOPS],
]
_OPTIONAL: dict[str, Any] = {"signer": "", "policy": {}, "estimator": {"class": "", "parameters": {}}}


@dataclass(frozen=True)
class Prelude:
    """The lengths of a sealed file's parts."""

    manifest: int
    body: int
    trailer: int = 0
    slot: int = SLOT

    def __bytes__(self) -> bytes:
        return magic.PRELUDE.pack(magic.SEALED.begins, FORMAT, self.manifest, self.slot, 0, self.body, self.trailer)

    @classmethod
    def read(cls, data: bytes, size: int) -> Self:
        """Read a prelude, and hold it against the size that the file really has.

        Raises
        ------
        SealedFileError
            This is no sealed file, one of a later format, or one that was cut, lengthened or altered.
        """
        if not data.startswith(magic.SEALED.begins):
            raise SealedFileError(
                f"this is not a sealed file{_guess(data)}. Use modelpriv.dump to write a sealed file."
            )
        if (lengths := magic.sealed_lengths(data)) is None:
            raise SealedFileError("the sealed file ends too early: it was cut.")
        if lengths.format != FORMAT:
            raise SealedFileError(
                f"the sealed file has format {lengths.format}, and this version of modelpriv reads format {FORMAT}."
            )
        signature = lengths.trailer and lengths.trailer - DIGEST * floe.segments(lengths.body)
        fits = lengths.manifest <= LARGEST_MANIFEST and lengths.slot <= LARGEST_SLOT
        if lengths.reserved or not fits or not 0 <= signature <= LARGEST_SIGNATURE:
            raise SealedFileError("the sealed file begins with lengths that no sealed file has: it is damaged.")
        if lengths.total != size:
            raise SealedFileError(
                f"the sealed file has {size} bytes, but its head says {lengths.total}: it was cut, or something was "
                "added."
            )
        return cls(lengths.manifest, lengths.body, lengths.trailer, lengths.slot)


def new_manifest(
    metadata: object,
    *,
    origin: str = "keyring",
    serializer: str = serializers.BY_REFERENCE,
    **more: dict[str, Any] | str | None,
) -> bytes:
    """Write the manifest of a new file; ``metadata`` is what the author wants to be readable without a key.

    The id of the ``signer``, the rules of a ``policy`` and the description of the ``estimator`` are only there where
    there are such.

    Raises
    ------
    ParameterError, ParameterTypeError
        ``metadata`` is no dict that JSON can say, or too long.
    """
    fields = {
        "format": FORMAT,
        "suite": SUITE,
        "file_id": secrets.token_hex(16),
        "origin": origin,
        "serializer": serializer,
        "versions": VERSIONS,
        "metadata": check_metadata(metadata),
    }
    manifest = json.dump(fields | {name: value for name, value in more.items() if value is not None})
    if len(manifest) > LARGEST_MANIFEST:
        raise ParameterError(
            f"what is readable of the model (metadata; hyper-parameters, by its scope) takes {len(manifest)} bytes: "
            f"{LARGEST_MANIFEST} are allowed."
        )
    return manifest


def renewed(manifest: bytes, *, origin: str, signer: str | None) -> bytes:
    """Write the manifest of a file that says the same as another one, and is another file."""
    fields = read_manifest(manifest) | {"file_id": secrets.token_hex(16), "origin": origin, "signer": signer}
    return json.dump({name: value for name, value in fields.items() if value is not None})


def check_metadata(metadata: object) -> dict[str, Any]:
    """Give the public metadata as a dict, if it is one that a manifest can hold."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        raise ParameterTypeError(
            f"metadata has the type {type(metadata).__name__}: give a dict with text as keys, or None."
        )
    try:
        json.dump(metadata)
    except (TypeError, ValueError, RecursionError):
        raise ParameterError(
            "metadata holds what JSON cannot say: give text, finite numbers, lists and dicts"
        ) from None
    return metadata


def read_manifest(data: bytes) -> dict[str, Any]:
    """Read a manifest as it was stored.

    Raises
    ------
    SealedFileError
        It is not one of this format, or asks for something that this version does not know.
    """
    try:
        fields = json.load(data)
    except ValueError:
        raise SealedFileError(
            "the sealed file's manifest cannot be read: the file is damaged or was altered."
        ) from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise SealedFileError("the sealed file's manifest is of another format than the file: it was altered.")
    asked = [fields.get(name) for name in ("suite", "origin", "serializer")]
    if fields.keys() - _OPTIONAL.keys() != _FIELDS or asked not in _KNOWN:
        raise SealedFileError("the sealed file's manifest asks for what this version of modelpriv does not know.")
    match _OPTIONAL | fields:
        case {
            "file_id": str(),
            "versions": dict(versions),
            "metadata": dict(),
            "signer": str(),
            "policy": dict(),
            "estimator": {"class": str(), "parameters": dict()},
        } if all(isinstance(version, str) for version in versions.values()):
            return fields
    raise SealedFileError("the sealed file's manifest cannot be read: the file is damaged or was altered.")


def _guess(data: bytes) -> str:
    """Say what a file may be that is not ours, for the error."""
    if not data:
        return ": it is empty"
    kind = magic.identify(data)
    return "" if kind is None else f": it looks like a {kind.name}"
