"""The fixed parts at the head of a sealed file: the prelude, and the manifest behind it.

The prelude has 40 bytes, integers little-endian; the whole file follows from it::

     0   8  magic: 8F "mpriv" 0D 0A
     8   4  format version: 2
    12   4  length of the manifest
    16   4  length of one envelope slot (there are two)
    20   4  zero
    24   8  length of the body
    32   8  length of the trailer: 0 in a file without a signature

    prelude || manifest || slot || slot || body || trailer, and nothing behind

`origin` in the manifest is the rule for who can have written the body; `slots` says how it is kept. `serializer` says
how the object was written: "pickle-5", "cloudpickle-5" (with the code of the author's classes) or, in files for
recipients or providers that no one signed, "skops".

`needs` in the manifest says how many steps inside the model need which key, by its id and check value.

The manifest is canonical JSON that never changes once it is written. The body is bound to its bytes as they are
stored, the envelope to the prelude too. Until the envelope is open, all of it is only what the file claims.
"""

import platform
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sklearn

from modelpriv._core import json, magic
from modelpriv.errors import ParameterError, ParameterTypeError, SealedFileError
from modelpriv.sealing import serializers

FORMAT = magic.SEALED_FORMAT
SUITE = "FLOE-AES-256-GCM-HKDF-SHA-384-1MiB"
SOLE, SHARED, SIGNED = "sole", "shared", "signed"
SLOT = 4096
LARGEST_MANIFEST, LARGEST_SLOT = magic.LARGEST_MANIFEST, magic.LARGEST_SLOT
LARGEST_TRAILER = 2**14
DEEPEST = 64  # levels of nesting in a manifest, far from where Python's recursion ends
LOCK = 2**62  # the place, behind the end of every file, that a process locks to change a file in place

PRELUDE = magic.PRELUDE.size
VERSIONS = {
    "python": ".".join(platform.python_version_tuple()[:2]),
    "scikit-learn": sklearn.__version__,
    "numpy": np.__version__,
}
_FIELDS = {"format", "suite", "file_id", "origin", "serializer", "versions", "needs", "metadata"}
_KNOWN = [
    *([SUITE, origin, how] for origin in (SOLE, SHARED, SIGNED) for how in serializers.CODES.values()),
    [SUITE, SIGNED, serializers.SKOPS],
]
_ID, _CHECK = re.compile("[0-9a-f]{8}"), re.compile("([0-9a-f]{32})?")
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
        """Read a prelude, and check it against the size of the file.

        Raises
        ------
        SealedFileError
            This is not a sealed file, or one of another format, or it was cut, lengthened or altered.
        """
        if not data.startswith(magic.SEALED.begins):
            raise SealedFileError(f"this is not a sealed file{_guess(data)}. modelpriv.dump writes a sealed file.")
        if (lengths := magic.sealed_lengths(data)) is None:
            raise SealedFileError("the sealed file ends too early: it was cut.")
        if lengths.format != FORMAT:
            raise SealedFileError(_other_format(lengths.format))
        short = lengths.manifest <= LARGEST_MANIFEST and lengths.slot <= LARGEST_SLOT
        if lengths.reserved or not short or lengths.trailer > LARGEST_TRAILER:
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
    origin: str = SOLE,
    serializer: str = serializers.BY_REFERENCE,
    needs: Sequence[dict[str, Any]] = (),
    **more: dict[str, Any] | str | None,
) -> bytes:
    """Write the manifest of a new file; ``metadata`` is what the author makes public, ``needs`` the steps' keys.

    The id of the ``signer``, the rules of a ``policy`` and the description of the ``estimator`` appear only if they are
    given.

    Raises
    ------
    ParameterError, ParameterTypeError
        ``metadata`` is not a dict that JSON can hold, or too long.
    """
    fields = {
        "format": FORMAT,
        "suite": SUITE,
        "file_id": secrets.token_hex(16),
        "origin": origin,
        "serializer": serializer,
        "versions": VERSIONS,
        "needs": list(needs),
        "metadata": check_metadata(metadata),
    }
    manifest = json.dump(fields | {name: value for name, value in more.items() if value is not None})
    if len(manifest) > LARGEST_MANIFEST:
        raise ParameterError(
            f"the public part of the model (metadata; hyper-parameters, by its scope) takes {len(manifest)} bytes, but "
            f"at most {LARGEST_MANIFEST} are allowed: shorten metadata=, or use scope='estimator'."
        )
    return manifest


def renewed(manifest: bytes, *, origin: str, signer: str | None) -> bytes:
    """Write the manifest of a new file that says the same as another one."""
    fields = read_manifest(manifest) | {"file_id": secrets.token_hex(16), "origin": origin, "signer": signer}
    return json.dump({name: value for name, value in fields.items() if value is not None})


def check_metadata(metadata: object) -> dict[str, Any]:
    """Return the public metadata as a dict, and refuse what a manifest cannot hold."""
    if metadata is None:
        return {}
    if not isinstance(metadata, dict) or not all(isinstance(key, str) for key in metadata):
        raise ParameterTypeError(
            f"metadata has the type {type(metadata).__name__}: pass a dict with text as keys, or None."
        )
    try:
        json.dump(metadata)
        deep = _is_deep({"metadata": metadata})
    except (TypeError, ValueError, RecursionError):
        deep = True
    if deep:
        raise ParameterError(
            "metadata holds something that JSON cannot say, or is nested too deeply: use text, finite numbers, lists "
            "and dicts."
        )
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
        fields = None
    if fields is None or _is_deep(fields):
        raise SealedFileError("the sealed file's manifest cannot be read: the file is damaged or was altered.")
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise SealedFileError("the sealed file's manifest is of another format than the file: it was altered.")
    asked = [fields.get(name) for name in ("suite", "origin", "serializer")]
    if fields.keys() - _OPTIONAL.keys() != _FIELDS or asked not in _KNOWN:
        raise SealedFileError("the sealed file's manifest asks for what this version of modelpriv does not know.")
    match _OPTIONAL | fields:
        case {
            "file_id": str(),
            "versions": dict(versions),
            "needs": list(needs),
            "metadata": dict(),
            "signer": str(),
            "policy": dict(),
            "estimator": {"class": str(), "parameters": dict()},
        } if all(isinstance(version, str) for version in versions.values()) and all(map(_is_need, needs)):
            return fields
    raise SealedFileError("the sealed file's manifest cannot be read: the file is damaged or was altered.")


def _is_need(need: Any) -> bool:
    """Tell whether a manifest can say this about a key that steps need."""
    match need:
        case {"key_id": str(key_id), "check": str(check), "steps": int(steps), **others}:
            return not others and bool(_ID.fullmatch(key_id) and _CHECK.fullmatch(check)) and 0 < steps < LARGEST_SLOT
    return False


def _is_deep(value: Any) -> bool:
    """Tell whether JSON is nested more deeply than a manifest may be."""
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list | tuple):
                below += one
        level = below
    return bool(level)


def _other_format(version: int) -> str:
    if version < FORMAT:
        return (
            f"the sealed file has format {version}, which only development versions of modelpriv wrote. Load it with "
            "the version that wrote it, and dump the model again with this one."
        )
    return f"the sealed file has format {version}, and this version of modelpriv reads {FORMAT}: upgrade modelpriv."


def _guess(data: bytes) -> str:
    """Say what kind a file seems to be, for the error."""
    if not data:
        return ": it is empty"
    kind = magic.identify(data)
    return "" if kind is None else f": it looks like a {kind.name}"
