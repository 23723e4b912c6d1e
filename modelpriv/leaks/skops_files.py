"""Reading a skops file without loading it: its schema, and the members that the schema names."""

from __future__ import annotations

import builtins
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv.leaks.numpy_files import outline_of_array
from modelpriv.leaks.outline import Group, Made, Mapping, Name, NotRead, NotReadError, shorten
from modelpriv.leaks.stream import Stream, pieces_of

if TYPE_CHECKING:
    import zipfile

SCHEMA = "schema.json"
_LARGEST_SCHEMA = 2**26
_LARGEST_PART = 2**32
_VERSION = re.compile(r"\d[\d.]{0,9}(?:dev\d?)?")
_ADDRESSES = 2**48  # what a processor can address: an id is where the object was
_LOADER = re.compile("[A-Za-z]{1,30}Node|cls")
# Containers, whose names say nothing.
_DULL = {
    f"builtins.{name}" for name in ("dict", "list", "tuple", "set", "frozenset", "str", "bytes", "bytearray", "slice")
}
_DULL |= {"numpy.ndarray"}
_NAMES = {"TypeNode", "FunctionNode"}
_FIELDS = {"__class__", "__module__", "__loader__", "__id__", "content", "file"}
_USUAL: dict[str, set[Any]] = {"is_json": {True}, "type": {"numpy", "json"}, "protocol": set(range(20))}
# What each entry has in addition to its content, as outlines of their own.
_MORE = {"key_types", "shape", "attrs", "dtype", "kwargs", "bit_generator_state"}


def read_skops(archive: zipfile.ZipFile) -> tuple[Any, set[str]]:
    """Read a skops file: give what it would make, as an outline, and the names of the members that are in it.

    Raises
    ------
    NotReadError
        This is no skops file, one that was cut, or one whose schema is too large.
    """
    reader = _Schema(archive)
    if archive.getinfo(SCHEMA).file_size > _LARGEST_SCHEMA:
        raise NotReadError("its schema is larger than is looked into")
    try:
        schema = json.loads(archive.read(SCHEMA), object_pairs_hook=reader.note_pairs)
        root = reader.outline(schema)
    except (LookupError, AttributeError, TypeError, RecursionError, ValueError):
        raise NotReadError("its schema is not as skops writes it") from None
    return Group([root, *reader.aside]) if reader.aside else root, {SCHEMA, *reader.members}


class _Schema:
    """Goes through a schema, and remembers the members that it names and what an entry says twice."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.members: set[str] = set()
        self.aside: list[Any] = []
        self._archive = archive

    def note_pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Make a dict, and keep what a later entry replaces."""
        found = dict(pairs)
        if len(found) < len(pairs):
            self.aside += [_plain(value) for key, value in pairs if found[key] is not value]
        return found

    def outline(self, node: Any) -> Any:
        """Give the outline of a part of the schema."""
        if isinstance(node, list):
            return Group([self.outline(item) for item in node])
        if not isinstance(node, dict):
            return shorten(node)
        loader, name = node["__loader__"], f"{node['__module__']}.{node['__class__']}"
        more = [item for field, value in node.items() for item in self._more(field, value)]
        made = Name(name) if loader in _NAMES else self._content(node, loader)
        if loader not in _NAMES and name not in _DULL:
            made = Made(name, None, None, [made])
        return Group([made, *more]) if more else made

    def _content(self, node: dict[str, Any], loader: str) -> Any:
        content = node.get("content")
        if "file" in node:
            return self._member(node["file"], "array" if loader == "NdArrayNode" else "bytes")
        if loader == "JsonNode":
            return _plain(json.loads(str(content), object_pairs_hook=self.note_pairs))
        if isinstance(content, dict) and "__loader__" not in content:
            return Mapping([(shorten(key), self.outline(value)) for key, value in content.items()])
        return self.outline(content)

    def _more(self, field: str, value: Any) -> list[Any]:
        """Give the outline of a field that an entry has besides its content, unless it says nothing."""
        if field == "__loader__" and not _LOADER.fullmatch(str(value)):
            return [_plain(value)]
        if field == "__id__" and not (isinstance(value, int) and 0 <= value < _ADDRESSES):
            return [_plain(value)]
        if field in _FIELDS or (field == "_skops_version" and _VERSION.fullmatch(str(value))):
            return []
        if field in _USUAL and isinstance(value, str | int) and value in _USUAL[field]:
            return []
        if field in _MORE and isinstance(value, dict):
            return [] if field in {"key_types", "shape"} and _is_dull(value) else [self.outline(value)]
        return [shorten(field), _plain(value)]

    def _member(self, name: str, kind: str) -> Any:
        self.members.add(name)
        info = self._archive.getinfo(name)
        if info.file_size > _LARGEST_PART:
            return NotRead("it is larger than is looked into", info.file_size)
        with self._archive.open(info) as member:
            stream = Stream(pieces_of(member))
            return outline_of_array(stream) if kind == "array" else stream.blob(kind, info.file_size)


def _is_dull(value: dict[str, Any]) -> bool:
    """Tell whether an entry holds only types and small numbers, as the types of keys and the shape of an array do."""
    nodes, usual = [value], True
    while nodes and usual:
        node = nodes.pop()
        usual = node.keys() <= {*_FIELDS, "is_json"} and "file" not in node
        content = node.get("content")
        if isinstance(content, list):
            nodes += content
        elif node.get("__loader__") == "JsonNode":
            usual = usual and str(content).isdigit() and len(str(content)) < len("1000000000")
        else:
            usual = usual and content is None and _is_type(node)
    return usual


def _is_type(node: dict[str, Any]) -> bool:
    """Tell whether an entry names a type of Python or numpy that there is."""
    known = {"builtins": builtins, "numpy": np}.get(str(node.get("__module__")))
    return known is not None and str(node.get("__class__")) in {*dir(known), "NoneType"}


def _plain(value: Any) -> Any:
    """Give the outline of what JSON says."""
    if isinstance(value, list):
        return Group([_plain(item) for item in value])
    if isinstance(value, dict):
        return Mapping([(shorten(key), _plain(item)) for key, item in value.items()])
    return shorten(value)
