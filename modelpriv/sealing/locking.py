"""The lock on a sealed file while rewrap or rekey changes it: on the open file itself, which a path may stop naming."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from modelpriv._core import files
from modelpriv.errors import SealedFileError
from modelpriv.sealing.format import layout


@contextlib.contextmanager
def locked(file: str | os.PathLike[str], mode: str) -> Iterator[io.FileIO]:
    """Open a file and lock it; everything that is read or changed then belongs to this open file.

    Raises
    ------
    SealedFileError
        Another process replaced the file before the lock was free.
    """
    with cast("io.FileIO", Path(file).open(mode, buffering=0)) as source, files.locked(source, layout.LOCK):
        source.seek(0)
        check_named(source, file)
        yield source


def check_named(source: io.FileIO, file: str | os.PathLike[str]) -> None:
    """Refuse if the path names another file by now: what another process wrote there must not be lost.

    Raises
    ------
    SealedFileError
        It does.
    """
    if not os.path.samestat(os.fstat(source.fileno()), Path(file).stat()):
        raise SealedFileError(
            f"another process replaced {os.fsdecode(file)} at this moment, and its new file was not changed: look at "
            "it, and try again."
        )


def hand_over(source: io.FileIO, file: str | os.PathLike[str]) -> None:
    """Make the last check before a new file takes the place of the locked one."""
    check_named(source, file)
    if os.name == "nt":  # pragma: no cover - Windows
        source.close()  # Windows does not rename over an open file
