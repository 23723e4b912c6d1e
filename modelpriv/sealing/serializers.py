"""How an object becomes the bytes of a body and an object again: by pickle, by cloudpickle with code, or by skops."""

import contextlib
import importlib.machinery
import io
import os
import pickle
import pickletools
import platform
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from modelpriv._core import magic
from modelpriv._core.optional import need
from modelpriv._core.warn import warn
from modelpriv.errors import LockedError, ParameterError, SealedFileError, SealedFileWarning, UntrustedError

__all__ = ["BY_REFERENCE", "BY_VALUE", "CODES", "SKOPS", "check_versions", "choose", "restore", "take_apart"]

BY_REFERENCE, BY_VALUE, SKOPS = "pickle-5", "cloudpickle-5", "skops"
CODES = {"by-reference": BY_REFERENCE, "by-value": BY_VALUE}

_FREE, _RATIO = 2**26, 16  # what a skops file may unfold to: 64 MiB, and so many times its own length
# Their code never goes into a file, wherever they are installed: every reader has them.
_THEIRS = {"modelpriv", "sklearn", "numpy", "scipy", "pandas", "joblib", "cloudpickle"}
_registering = threading.RLock()  # reentrant: a wrapper may hold another one


def choose(code: object, *, unsigned: bool, policy: object) -> str:
    """Give the serialiser that ``code`` asks for, or skops if no reader may unpickle.

    Raises
    ------
    ParameterError
        ``code`` is something else, or skops cannot do what is asked.
    """
    if not isinstance(code, str) or code not in CODES:
        raise ParameterError(f"code must be one of {', '.join(map(repr, CODES))}, got {code!r}.")
    if unsigned and (policy is not None or CODES[code] != BY_REFERENCE):
        raise ParameterError(
            "readers do not unpickle an unsigned file for recipients or a provider, so it can have neither a policy "
            "nor code='by-value': pass sign_with=."
        )
    return SKOPS if unsigned else CODES[code]


def take_apart(obj: object, serializer: str) -> tuple[list[memoryview], list[memoryview]]:
    """Serialise an object: give the pieces of a stream, and the memory of its arrays, which is not copied.

    Raises
    ------
    ParameterError
        A package that the serialiser needs is not installed, or it cannot write the object.
    """
    if serializer == SKOPS:
        return [memoryview(_skops_bytes(obj))], []
    stream = _Chunks()
    outside: list[pickle.PickleBuffer] = []
    if serializer == BY_VALUE:
        cloudpickle = need("cloudpickle", "cloudpickle", error=ParameterError)
        with _own_modules_by_value(cloudpickle):
            cloudpickle.CloudPickler(stream, 5, outside.append).dump(obj)
    else:
        pickle.Pickler(stream, 5, buffer_callback=outside.append).dump(obj)
        _warn_of_main(stream)
    return [memoryview(chunk) for chunk in stream], [buffer.raw() for buffer in outside]


def restore(stream: memoryview, buffers: list[memoryview], serializer: str, types: tuple[str, ...]) -> Any:
    """Make the object again, from bytes that the caller has verified; bytes of strangers only skops may read.

    Parameters
    ----------
    stream, buffers : memoryview, list of memoryview
        What `take_apart` gave.
    serializer : str
        The serialiser that it used.
    types : tuple of str
        For skops: the allowed types besides those that skops itself knows to be harmless.

    Raises
    ------
    ParameterError
        A package that the serialiser needs is not installed.
    UntrustedError
        The skops file holds other types.
    SealedFileError
        skops cannot read the file.
    """
    if serializer == SKOPS:
        return _skops_object(stream, types)
    if serializer == BY_VALUE:
        need("cloudpickle", "cloudpickle", error=ParameterError)
    return pickle.loads(stream, buffers=buffers)  # noqa: S301 - only called once everything has been authenticated


def check_versions(serializer: str, versions: dict[str, str]) -> None:
    """Refuse code that another version of Python wrote: its byte code would run as something else.

    Raises
    ------
    LockedError
        Another minor version wrote it.
    """
    here, there = ".".join(platform.python_version_tuple()[:2]), versions.get("python", "unknown")
    if serializer == BY_VALUE and there != here:
        raise LockedError(
            f"the sealed file holds code of Python {there}, which only that version can run, and this is {here}: load "
            f"it with Python {there}, or ask its author for code='by-reference'."
        )


@contextlib.contextmanager
def _own_modules_by_value(cloudpickle: Any) -> Iterator[None]:
    """Let cloudpickle write the code of the user's own modules.

    Its list of such modules belongs to the whole process, so other threads wait, and in the end it is as it was.
    """
    with _registering:
        before, folders = cloudpickle.list_registry_pickle_by_value(), _installed_folders()
        modules = [(name, module) for name, module in list(sys.modules.items()) if name not in before]
        own = [module for name, module in modules if _is_own(name, module, folders)]
        try:
            for module in own:
                with contextlib.suppress(ValueError):  # another thread has taken it out of sys.modules
                    cloudpickle.register_pickle_by_value(module)
            yield
        finally:
            for module in own:
                if module.__name__ in cloudpickle.list_registry_pickle_by_value():
                    cloudpickle.unregister_pickle_by_value(module)


def _is_own(name: str, module: ModuleType, installed: tuple[str, ...]) -> bool:
    """Tell whether a module is the user's: not Python's own, and not in a folder where packages are installed."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or getattr(module, "__name__", None) != name:
        return False  # cloudpickle writes __main__ and typed-in code by value anyway
    if file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
        return False  # compiled: there is no Python code to write
    top = name.partition(".")[0]
    return top not in _THEIRS and top not in sys.stdlib_module_names and not file.startswith(installed)


def _installed_folders() -> tuple[str, ...]:
    folders = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}}
    return tuple(folder.rstrip(os.sep) + os.sep for folder in folders)


def _skops_bytes(obj: object) -> bytes:
    skops = need("skops.io", "skops", error=ParameterError)
    try:
        return bytes(skops.dumps(obj))
    except Exception as error:  # noqa: BLE001 - the object's methods may raise anything, with its values
        raise ParameterError(
            f"skops cannot write a {type(obj).__name__} ({type(error).__name__}), and readers do not unpickle an "
            "unsigned file: pass sign_with=."
        ) from None


def _skops_object(stream: memoryview, types: tuple[str, ...]) -> Any:
    skops = need("skops.io", "skops", error=ParameterError)
    data = bytes(stream)
    try:
        _check_archive(data)
        found = set(skops.get_untrusted_types(data=data))
    except Exception:  # noqa: BLE001 - a hostile file may make it raise anything
        raise SealedFileError(
            "skops cannot read the model in the sealed file: it is damaged, or not a skops file."
        ) from None
    if others := sorted(found - set(types)):
        raise UntrustedError(
            "the sealed file is not signed, and holds types that neither skops nor trusted_types names: "
            f"{', '.join(map(ascii, others))}. Add those that you trust to trusted_types."
        )
    try:
        return skops.loads(data, trusted=sorted(found))
    except Exception as error:  # noqa: BLE001 - as above
        raise SealedFileError(f"skops cannot read the model in the sealed file ({type(error).__name__}).") from None


def _check_archive(data: bytes) -> None:
    """Refuse an archive that would unfold into far more than it is: in what skops writes, only sparse matrices do."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("compressed")
        if sum(member.file_size for member in members) > len(data):
            raise ValueError("overlapping")
        inner = (archive.read(member) for member in members)
        if sum(map(_unfolded, inner)) > _FREE + _RATIO * len(data):
            raise ValueError("unfolds to too much")


def _unfolded(member: bytes) -> int:
    """Give the size of what a member unfolds to that is an archive itself: a sparse matrix (.npz), or claims to be."""
    if not member.startswith(magic.ZIP.begins):
        return 0
    with zipfile.ZipFile(io.BytesIO(member)) as archive:
        return sum(one.file_size for one in archive.infolist())


def _warn_of_main(stream: list[bytes]) -> None:
    """Warn of a class or function of ``__main__`` that a pickle names: other programs have another ``__main__``."""
    if not any(b"__main__" in chunk for chunk in stream):
        return
    names = sorted({name for module, name in _names_in(b"".join(stream)) if module == "__main__"})
    if names:
        warn(
            f"the sealed file names {', '.join(names)} of __main__, which only this very program can load. Move the "
            "definition to a module that the reader can import, or pass code='by-value'.",
            SealedFileWarning,
        )


def _names_in(pickled: bytes) -> Iterator[tuple[str, str]]:
    """Give module and name of each class and function in a pickle of protocol 5."""
    memo: list[Any] = []
    pushed: list[Any] = [None, None]
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name == "MEMOIZE":
            memo.append(pushed[-1])
        elif opcode.name == "STACK_GLOBAL":
            yield str(pushed[-2]), str(pushed[-1])
            pushed = [None, None]
        elif opcode.name != "FRAME":
            value: Any = memo[int(argument or 0)] if opcode.name in {"BINGET", "LONG_BINGET"} else argument
            pushed = [pushed[-1], value if isinstance(value, str) else None]


class _Chunks(list[bytes]):
    """A file that keeps each piece that the pickler writes, without joining them."""

    def write(self, data: bytes) -> int:
        self.append(bytes(data))
        return len(data)
