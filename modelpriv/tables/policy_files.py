"""Policy files: TOML, JSON and YAML, read with the line of each fault, and written."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelpriv._core import files
from modelpriv._core.optional import need
from modelpriv.errors import ParameterError
from modelpriv.tables import policy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read", "write"]

_LARGEST = 2**22
_SUFFIXES = {".toml": "toml", ".json": "json", ".yaml": "yaml", ".yml": "yaml"}


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read a policy file.

    Returns
    -------
    document, parameters : dict, dict
        What the file says, and the parameters of the `Deidentifier` that it describes.

    Raises
    ------
    ParameterError
        The file is no policy; the message names the file, the line and the field.
    OSError
        The file cannot be read.
    """
    kind, name = _kind(path), os.fsdecode(path)
    content = Path(path).read_bytes()
    if len(content) > _LARGEST:
        raise ParameterError(f"{name!a} is larger than any policy.")
    try:
        text = content.decode()
        document = _LOADERS[kind](text)
    except (ValueError, RecursionError) as error:
        raise ParameterError(f"{name!a} is not {kind.upper()}: {_first_line(error)}") from None
    try:
        return document, policy.parse(document)
    except policy.PolicyError as error:
        line = _line(error, text)
        where = f"{name!a}, line {line}" if line else f"{name!a}"
        raise ParameterError(f"{where}: {error}") from None


def write(path: str | os.PathLike[str], document: dict[str, Any]) -> None:
    """Write a policy file, in the kind that its suffix names, whole or not at all."""
    text = _WRITERS[_kind(path)](document)
    with files.replacing(path) as file:
        file.write(text.encode())


def _kind(path: str | os.PathLike[str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise ParameterError(f"{os.fsdecode(path)!a} must end in .toml, .json or .yaml, so that its kind is known.")
    return _SUFFIXES[suffix]


def _load_json(text: str) -> Any:
    def unique(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"the field {twice[0]!r} is there twice")
        return dict(found)

    return json.loads(text, object_pairs_hook=unique)


def _load_yaml(text: str) -> Any:
    yaml: Any = need("yaml", "yaml", error=ParameterError)

    class Loader(yaml.SafeLoader):
        """PyYAML's safe loader, which here refuses a field that is there twice."""

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        names = [loader.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"the field {twice[0]!r} is there twice, the second time in line {node.start_mark.line + 1}"
            )
        return {
            name: loader.construct_object(value, deep=True) for name, (_, value) in zip(names, node.value, strict=True)
        }

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


_LOADERS: dict[str, Callable[[str], Any]] = {"toml": tomllib.loads, "json": _load_json, "yaml": _load_yaml}


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _line(error: policy.PolicyError, text: str) -> int | None:
    """Find the line of a fault: where the names of its place, and then the word, are written one after another."""
    names = [name for name in re.split(r"[.\[\]]", error.place) if name and not name.isdigit()]
    lines, found = text.splitlines(), None
    for name in [*names, error.word]:
        start = 0 if found is None else found
        written = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        found = next((number for number in range(start, len(lines)) if name and written.search(lines[number])), found)
    return None if found is None else found + 1


# --- writing ---


def _dump_json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _dump_yaml(document: dict[str, Any]) -> str:
    yaml: Any = need("yaml", "yaml", error=ParameterError)
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def _dump_toml(document: dict[str, Any]) -> str:
    """Write TOML: simple fields first, then the table of columns, then groups."""
    simple = [f"{name} = {_toml(value)}" for name, value in document.items() if not isinstance(value, dict | list)]
    parts = ["\n".join(simple)]
    for name, value in document.items():
        if isinstance(value, dict):
            parts.append("\n".join([f"[{name}]", *_fields(value)]))
        elif isinstance(value, list):
            parts += ["\n".join([f"[[{name}]]", *_fields(one)]) for one in value]
    return "\n\n".join(parts) + "\n"


def _fields(table: dict[str, Any]) -> list[str]:
    return [f"{_toml_key(name)} = {_toml(value)}" for name, value in table.items()]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_key(name)} = {_toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return json.dumps(value)


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


_WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {"toml": _dump_toml, "json": _dump_json, "yaml": _dump_yaml}
