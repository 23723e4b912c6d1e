"""How each file that modelpriv writes begins, in one table, so that its first bytes tell its kind.

A cell's token has no such beginning: its first byte is version and mode (`modelpriv.kernels.aes.token`).
"""

import struct
from typing import NamedTuple

__all__ = [
    "ARROW",
    "AUDIT_LOG",
    "FILES",
    "FOREIGN",
    "GRANT",
    "IDENTITY",
    "KEYRING",
    "LARGEST_MANIFEST",
    "LARGEST_SLOT",
    "PARQUET",
    "PICKLE",
    "PRELUDE",
    "SEALED",
    "SEALED_FORMAT",
    "SIGNING_KEY",
    "ZIP",
    "FileType",
    "SealedLengths",
    "identify",
    "json_file",
    "sealed_lengths",
]


class FileType(NamedTuple):
    """What a file is called, and its first bytes."""

    name: str
    begins: bytes


def json_file(name: str) -> FileType:
    """Return the type of a file that is one line of canonical JSON, whose first field names its format."""
    return FileType(name, b'{"format":"modelpriv %s"' % name.encode())


SEALED = FileType("sealed model", b"\x8fmpriv\r\n")
KEYRING, IDENTITY, SIGNING_KEY, GRANT = map(json_file, ("keyring", "identity", "signing key", "grant"))
AUDIT_LOG = FileType("audit log", b'{"action":"open","after":')
FILES = (SEALED, KEYRING, IDENTITY, SIGNING_KEY, GRANT, AUDIT_LOG)

PICKLE = FileType("plain pickle (as pickle.dump and joblib.dump write it)", b"\x80")
ZIP = FileType("zip archive (as skops.io.dump writes it)", b"PK")
PARQUET = FileType("Parquet file", b"PAR1")
ARROW = FileType("Arrow file", b"ARROW1")
FOREIGN = (PICKLE, ZIP, PARQUET, ARROW)

PRELUDE = struct.Struct("<8sIIIIQQ")
SEALED_FORMAT = 2
LARGEST_MANIFEST = LARGEST_SLOT = 2**20


class SealedLengths(NamedTuple):
    """What the first 40 bytes of a sealed model say, not verified: its format, and the lengths of its parts."""

    format: int
    manifest: int
    slot: int
    reserved: int
    body: int
    trailer: int

    @property
    def total(self) -> int:
        """Length of the whole file."""
        return PRELUDE.size + self.manifest + 2 * self.slot + self.body + self.trailer

    def fit(self, size: int) -> bool:
        """Tell whether a file of this size can be a whole sealed model of the format that this version reads."""
        short = self.manifest <= LARGEST_MANIFEST and self.slot <= LARGEST_SLOT
        return self.format == SEALED_FORMAT and short and not self.reserved and self.total == size


def identify(beginning: bytes) -> FileType | None:
    """Tell what a file is by its first bytes; None for a file of any other kind."""
    return next((kind for kind in (*FILES, *FOREIGN) if beginning.startswith(kind.begins)), None)


def sealed_lengths(beginning: bytes) -> SealedLengths | None:
    """Read the prelude of a sealed model; None if the bytes are too short or begin in another way.

    The manifest, which anyone can read, follows at byte ``PRELUDE.size``.
    """
    if len(beginning) < PRELUDE.size or not beginning.startswith(SEALED.begins):
        return None
    return SealedLengths(*PRELUDE.unpack_from(beginning)[1:])
