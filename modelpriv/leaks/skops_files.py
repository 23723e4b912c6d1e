"""Reading a skops file without loading it: its schema, and the sizes of the arrays that are stored with it."""

import json
import zipfile
from typing import Any, BinaryIO

from modelpriv.errors import ParameterError
from modelpriv.leaks.outline import KEPT, Blob, Group, Made, Mapping, Name, shorten

_SCHEMA = "schema.json"
_LARGEST_SCHEMA = 2**28
_NAMES = {"TypeNode", "FunctionNode"}


def read_skops(file: BinaryIO) -> Any:
    """Read a skops file and give what it would make, as an outline.

    Raises
    ------
    ParameterError
        This is no skops file, one that was cut, or one whose schema is too large.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.getinfo(_SCHEMA).file_size > _LARGEST_SCHEMA:
                raise ParameterError("the archive's schema is larger than is looked into.")
            return _outline(json.loads(archive.read(_SCHEMA)), archive)
    except (zipfile.BadZipFile, NotImplementedError, LookupError, AttributeError, TypeError, RecursionError):
        raise ParameterError("the archive was not written by skops, or it was cut.") from None
    except json.JSONDecodeError:
        raise ParameterError("the archive's schema cannot be read.") from None


def _outline(node: Any, archive: zipfile.ZipFile) -> Any:
    if not isinstance(node, dict):
        return Group([_outline(item, archive) for item in node]) if isinstance(node, list) else shorten(node)
    loader, content = node["__loader__"], node.get("content")
    name = f"{node['__module__']}.{node['__class__']}"
    if "file" in node:
        return _member(archive, node["file"], "array" if loader == "NdArrayNode" else "bytes")
    if loader == "JsonNode":
        return _plain(json.loads(str(content)))
    if loader in _NAMES:
        return Name(name)
    if isinstance(content, dict) and "__loader__" not in content:
        held: Any = Mapping([(shorten(key), _outline(value, archive)) for key, value in content.items()])
    else:
        held = _outline(content, archive)
    return held if name.startswith("builtins.") else Made(name, None, held)


def _plain(value: Any) -> Any:
    """Give the outline of what JSON says."""
    if isinstance(value, list):
        return Group([_plain(item) for item in value])
    if isinstance(value, dict):
        return Mapping([(shorten(key), _plain(item)) for key, item in value.items()])
    return shorten(value)


def _member(archive: zipfile.ZipFile, name: str, kind: str) -> Blob:
    with archive.open(name) as member:
        return Blob(kind, archive.getinfo(name).file_size, member.read(KEPT))
