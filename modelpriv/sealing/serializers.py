"""How an object becomes the bytes in a body, and an object again: by pickle, with its code, or by skops."""

import contextlib
import importlib.machinery
import io
import os
import pickle
import platform
import sys
import sysconfig
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from modelpriv._core.optional import need
from modelpriv.errors import LockedError, ParameterError, SealedFileError, UntrustedError

__all__ = ["BY_REFERENCE", "BY_VALUE", "CODES", "SKOPS", "check_versions", "choose", "restore", "take_apart"]

BY_REFERENCE, BY_VALUE, SKOPS = "pickle-5", "cloudpickle-5", "skops"
CODES = {"by-reference": BY_REFERENCE, "by-value": BY_VALUE}

# Never put into a file, wherever they are installed: who reads the file has them.
_THEIRS = {"modelpriv", "sklearn", "numpy", "scipy", "pandas", "joblib", "cloudpickle"}
_registering = threading.RLock()  # of wrappers inside of wrappers too


def choose(code: object, *, unsigned: bool, policy: object) -> str:
    """Give the serialiser for what stands in ``code``; if no reader may unpickle, it is skops.

    Raises
    ------
    ParameterError
        There is no such code, or skops cannot do what is asked.
    """
    if not isinstance(code, str) or code not in CODES:
        raise ParameterError(f"code must be one of {', '.join(map(repr, CODES))}, got {code!r}.")
    if unsigned and (policy is not None or CODES[code] != BY_REFERENCE):
        raise ParameterError(
            "without sign_with=, what is sealed to recipients or a provider is not unpickled by its readers, so it can "
            "have neither a policy nor code='by-value'."
        )
    return SKOPS if unsigned else CODES[code]


def take_apart(obj: object, serializer: str) -> tuple[list[memoryview], list[memoryview]]:
    """Serialise an object: the pieces of a stream, and the memory of its arrays, which is not copied.

    Raises
    ------
    ParameterError
        What the serialiser needs is not installed, or it cannot write the object.
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
    return [memoryview(chunk) for chunk in stream], [buffer.raw() for buffer in outside]


def restore(stream: memoryview, buffers: list[memoryview], serializer: str, types: tuple[str, ...]) -> Any:
    """Make the object again, of bytes for which somebody who is trusted vouches; of others, by skops only.

    Parameters
    ----------
    stream, buffers : memoryview, list of memoryview
        What `take_apart` gave.
    serializer : str
        With which it did.
    types : tuple of str
        For skops: the types that may come beside those that skops itself knows to be harmless.

    Raises
    ------
    ParameterError
        What the serialiser needs is not installed.
    UntrustedError
        The skops file holds other types.
    SealedFileError
        It cannot be read.
    """
    if serializer == SKOPS:
        return _skops_object(stream, types)
    if serializer == BY_VALUE:
        need("cloudpickle", "cloudpickle", error=ParameterError)
    return pickle.loads(stream, buffers=buffers)  # noqa: S301 - only called when all has been authenticated


def check_versions(serializer: str, versions: dict[str, str]) -> None:
    """Refuse code that another Python wrote: its byte code would run as something else.

    Raises
    ------
    LockedError
        It was written by another minor version.
    """
    here, there = ".".join(platform.python_version_tuple()[:2]), versions.get("python", "unknown")
    if serializer == BY_VALUE and there != here:
        raise LockedError(
            f"the sealed file brings code of Python {there}, which only that version can run; here is {here}."
        )


@contextlib.contextmanager
def _own_modules_by_value(cloudpickle: Any) -> Iterator[None]:
    """Let cloudpickle put the code of the user's own modules into what it writes.

    Its list of such modules is one for the process, so others wait, and it is as before in the end.
    """
    with _registering:
        before, folders = cloudpickle.list_registry_pickle_by_value(), _installed_folders()
        modules = [(name, module) for name, module in list(sys.modules.items()) if name not in before]
        own = [module for name, module in modules if _is_own(name, module, folders)]
        try:
            for module in own:
                with contextlib.suppress(ValueError):  # another thread took it out of sys.modules meanwhile
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
        return False  # __main__ and what was typed in go by value anyway
    if file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
        return False  # compiled: it has no code that could be put in
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
    except Exception as error:  # noqa: BLE001 - it raises whatever the object's own methods do, maybe with its values
        raise ParameterError(
            f"skops cannot write a {type(obj).__name__} ({type(error).__name__}), and a file that nobody signed is not "
            "unpickled by its readers: pass sign_with=."
        ) from None


def _skops_object(stream: memoryview, types: tuple[str, ...]) -> Any:
    skops = need("skops.io", "skops", error=ParameterError)
    data = bytes(stream)
    try:
        _check_archive(data)
        found = set(skops.get_untrusted_types(data=data))
    except Exception:  # noqa: BLE001 - a hostile file may bring it to raise anything
        raise SealedFileError("what the sealed file holds cannot be read by skops.") from None
    if others := sorted(found - set(types)):
        raise UntrustedError(
            f"the sealed file is not signed, and holds types that trusted_types does not name: "
            f"{', '.join(map(ascii, others))}."
        )
    try:
        return skops.loads(data, trusted=sorted(found))
    except Exception as error:  # noqa: BLE001 - the same
        raise SealedFileError(f"what the sealed file holds cannot be read by skops ({type(error).__name__}).") from None


def _check_archive(data: bytes) -> None:
    """Refuse an archive that would unfold into more than it is: we let skops compress nothing."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ValueError("compressed")
    if sum(member.file_size for member in members) > len(data):
        raise ValueError("overlapping")


class _Chunks(list[bytes]):
    """A file for the pickler to write to that keeps what it gets, without joining it."""

    def write(self, data: bytes) -> int:
        self.append(bytes(data))
        return len(data)
