"""Where a served model comes from: a path, or the URL of a file system that fsspec knows."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from modelpriv._core.optional import need
from modelpriv.errors import ParameterError, ParameterTypeError

__all__ = ["ModelPlace", "to_place"]


class ModelPlace(Protocol):
    """A place whose content may be replaced at any time."""

    name: str

    def stamp(self) -> object:
        """Return what differs after the content was replaced. It is cheap, and reads no content."""

    def open(self) -> BinaryIO:
        """Open the content that is there now."""


class _File:
    """A file, or what a symbolic link names, as Kubernetes mounts it."""

    def __init__(self, path: str) -> None:
        self.name = path

    def stamp(self) -> object:
        found = Path(self.name).stat()
        return found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns

    def open(self) -> BinaryIO:
        return Path(self.name).open("rb", buffering=0)


class _Remote:
    """A file of another system, such as ``s3://bucket/model.mpriv``; it is read whole."""

    def __init__(self, url: str) -> None:
        fsspec: Any = need("fsspec", "fsspec", error=ParameterError)
        self.name = url
        self._system, self._path = fsspec.core.url_to_fs(url)

    def stamp(self) -> object:
        self._system.invalidate_cache()
        found = self._system.info(self._path)
        return tuple(str(found.get(name)) for name in ("ETag", "etag", "LastModified", "mtime", "created", "size"))

    def open(self) -> BinaryIO:
        return io.BytesIO(self._system.cat_file(self._path))


def to_place(place: object) -> ModelPlace:
    """Return the place that a path or a URL names.

    Raises
    ------
    ParameterTypeError
        It is neither.
    ParameterError
        It is a URL, and fsspec is not installed.
    """
    if not isinstance(place, str | os.PathLike):
        raise ParameterTypeError(f"path must be a path or a URL, got {type(place).__name__}.")
    text = os.fspath(place)
    return _Remote(text) if "://" in text else _File(os.fsdecode(text))
