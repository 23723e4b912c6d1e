"""Where the sealed file of a registry's folder is, and what to do with an artifact that cannot be changed in place."""

import bz2
import gzip
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from modelpriv._core import magic
from modelpriv.errors import ParameterError

__all__ = ["locate"]

_Path = str | os.PathLike[str]


def locate(path: _Path, action: str) -> _Path:
    """Return the path of a sealed file: the path itself, or that of the one sealed file in a folder.

    Parameters
    ----------
    path : path-like
        A file, or a folder such as that of an MLflow model.
    action : {"inspect", "load", "rewrap", "rekey", "repin"}
        What is to be done with it, for the error.

    Raises
    ------
    ParameterError
        The folder holds no sealed file, or several. Or a pickle or an archive holds the sealed model: the message has
        the command that changes it.
    """
    place = Path(path)
    if not place.is_dir():
        _refuse_container(place, action)
        return path
    found = sorted(one for one in place.rglob("*.mpriv") if one.is_file() and not one.is_symlink())
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(ascii(str(one.relative_to(place))) for one in found[:_SHOWN])
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ParameterError(f"{str(place)!a} holds {len(found)} sealed files: pass the path of one ({listed}{more}).")
    for ending in _ENDINGS:
        for one in sorted(place.rglob(f"*.{ending}")):
            _refuse_container(one, action)
    raise ParameterError(
        f"{str(place)!a} holds no sealed file (*.mpriv). Of an MLflow model, pass the folder that "
        "mlflow.artifacts.download_artifacts(artifact_uri=...) returns."
    )


_SHOWN = 5
_ENDINGS = ("pkl", "pickle", "joblib", "skops")
_PIECE = 2**16  # of a compressed file, which may unfold to a thousand times as much

_WITH_JOBLIB = ("joblib.load({path})", "joblib.dump(model, {path})")
_WITH_SKOPS = (
    "skops.io.load({path}, trusted=['modelpriv.EncryptedEstimator'])",
    "skops.io.dump(model, {path})",
)
_CHANGES = {
    "load": "model.unlock(key=keys)",
    "rewrap": "model.set_params(key=newer)",
    "rekey": "model.set_params(key=other)",
    "repin": "model = modelpriv.repin(model.unlock(key=newer), key=newer, sample=X)",
}


def _refuse_container(path: Path, action: str) -> None:
    """Refuse a pickle or an archive that holds a sealed model: it cannot be changed without being written again."""
    if not path.is_file():
        return
    if (kind := _container_of(path)) is None:
        return
    shown, what = repr(os.fspath(path)), "a pickle" if kind == magic.PICKLE else "a skops archive"
    if action == "inspect":
        raise ParameterError(
            f"{shown} is {what} that holds a sealed model. modelpriv.key_usage({shown}) counts the keys that it needs, "
            f"and modelpriv.leak_report({shown}) lists what it shows."
        )
    load, dump = (call.format(path=shown) for call in (_WITH_JOBLIB if kind == magic.PICKLE else _WITH_SKOPS))
    steps = [f"model = {load}", _CHANGES[action], *([] if action == "load" else [_log_again(path) or dump])]
    raise ParameterError(
        f"{shown} is {what} that holds a sealed model, and {action} works on sealed files. Write: {'; '.join(steps)}"
    )


def _log_again(path: Path) -> str:
    """Return the call that logs an MLflow model again, where the file belongs to one: its versions do not change."""
    if not (path.parent / "MLmodel").is_file():
        return ""
    return "modelpriv.integrations.mlflow.log_model(model, name=...)"


def _container_of(path: Path) -> magic.FileType | None:
    """Tell whether a file is a pickle, perhaps compressed, or an archive that holds a sealed model."""
    with path.open("rb") as file:
        start = file.read(len(magic.SEALED.begins))
        file.seek(0)
        kind = magic.identify(start)
        try:
            if kind == magic.ZIP:
                with zipfile.ZipFile(file) as archive:
                    members = (archive.open(name) for name in archive.namelist())
                    return kind if any(_contains(_pieces(member)) for member in members) else None
            if kind in {magic.PICKLE, None} and _contains(_unfolded(file, start)):
                return magic.PICKLE
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, OSError):
            return None
    return None


_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZ": bz2.BZ2File,
    b"\xfd7": lzma.LZMAFile,
    b"]\0": lzma.LZMAFile,
}


def _unfolded(file: IO[bytes], start: bytes) -> Iterator[bytes]:
    """Read a pickle, and undo the compressions that joblib knows."""
    if start[:2] in _OPENERS:
        yield from _pieces(_OPENERS[start[:2]](file))
    elif start[:1] == b"x":
        inflate = zlib.decompressobj()
        yield from map(inflate.decompress, _pieces(file))
    elif start[:1] == b"\x80":
        yield from _pieces(file)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(_PIECE), b"")


def _contains(pieces: Iterator[bytes]) -> bool:
    """Tell whether a sealed model begins somewhere in some bytes."""
    window = b""
    for piece in pieces:
        if magic.SEALED.begins in window + piece:
            return True
        window = (window + piece)[-len(magic.SEALED.begins) :]
    return False
