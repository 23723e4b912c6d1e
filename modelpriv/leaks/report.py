"""The leak report: what a model's file shows in plain text, found without loading it."""

import bz2
import io
import json
import lzma
import os
import pickle
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from modelpriv._core import json as canonical_json
from modelpriv._core import magic
from modelpriv.errors import ParameterError, SealedFileError
from modelpriv.leaks.findings import Leak, LeakReport
from modelpriv.leaks.outline import Blob, Group, Made, Mapping, Name
from modelpriv.leaks.pickles import Bounded, read_pickle
from modelpriv.leaks.skops_files import read_skops

_MOST = 2**32  # bytes that a compressed file may unfold to
_PIECE = 2**20
_SHOWN = 80
_WRAPPER = "modelpriv.EncryptedEstimator"


def leak_report(model: object, *, show: bool = False, strict: bool = False) -> LeakReport:
    """List each class, array and text that a file shows in plain text, without loading it.

    Parameters
    ----------
    model : path-like, or object
        A file that pickle, joblib (also compressed), skops or `modelpriv.dump` wrote. Or an object: then what a pickle
        of it would hold.
    show : bool, default=False
        Whether to show the beginning of what was found. Names of attributes are always shown; keys of dicts count as
        content.
    strict : bool, default=False
        Whether to raise if there is anything, for a test.

    Returns
    -------
    report : LeakReport
        Empty, if all is sealed.

    Raises
    ------
    SealedFileError
        The file shows something although strict=True; or it is a sealed file that was cut.
    ParameterError
        The file has another format, or was cut, or it does not end in a reasonable size.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv.sealing import leak_report
    >>> with open("model.pickle", "wb") as file:
    ...     pickle.dump(Ridge(alpha=0.5).fit([[0], [1]], [0, 1]), file)
    >>> [leak.place for leak in leak_report("model.pickle") if leak.kind == "array"]
    ['model.coef_', ...]
    """
    if isinstance(model, str | os.PathLike):
        source = Path(model).name
        with Path(model).open("rb") as file:
            found = list(_in_file(file, os.fstat(file.fileno()).st_size))
    else:
        source, data = type(model).__name__, pickle.dumps(model, 5)
        found = list(_in_pickles(Bounded(io.BytesIO(data), len(data))))
    leaks = tuple(leak if show else Leak(leak.place, leak.kind, leak.size) for leak in found)
    report = LeakReport(source, leaks)
    if strict and leaks:
        raise SealedFileError(
            f"{report}\nSeal it: modelpriv.dump, or EncryptedEstimator around the outermost estimator."
        )
    return report


def _in_file(file: BinaryIO, size: int) -> Iterator[Leak]:
    """Find what a file shows, by how it begins."""
    head = file.read(magic.PRELUDE.size)
    file.seek(0)
    if head.startswith(magic.SEALED.begins):
        if not _is_sealed(head, size):
            raise SealedFileError("the sealed file was cut or damaged, or another version of modelpriv wrote it.")
        yield from _in_sealed(file.read(magic.PRELUDE.size + magic.LARGEST_MANIFEST), "model")
    elif head.startswith(magic.ZIP.begins):
        yield from _walk(read_skops(file), "model")
    elif (pieces := _unfold(file, head)) is not None:
        unfolded = io.BytesIO()
        try:
            for piece in pieces:
                if unfolded.tell() + len(piece) > _MOST:
                    raise ParameterError("the file unfolds to more than is looked into.")
                unfolded.write(piece)
        except (zlib.error, lzma.LZMAError, EOFError, OSError):
            raise ParameterError("the compressed file is cut or damaged, or none.") from None
        length = unfolded.tell()
        unfolded.seek(0)
        yield from _in_pickles(Bounded(unfolded, length))
    else:
        yield from _in_pickles(Bounded(file, size))


def _unfold(file: BinaryIO, head: bytes) -> Iterator[bytes] | None:
    """Undo the compressions that joblib writes with the standard library, a piece at a time."""
    if head[:2] == b"\x1f\x8b" or (head[:1] == b"x" and head[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda")):
        return _inflate(file.read())
    if head[:2] == b"BZ":
        return _read(bz2.BZ2File(file))
    if head[:6] == b"\xfd7zXZ\0" or head[:2] == b"]\0":
        return _read(lzma.LZMAFile(file))
    return None


def _read(file: bz2.BZ2File | lzma.LZMAFile) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _inflate(data: bytes) -> Iterator[bytes]:
    stream = zlib.decompressobj(zlib.MAX_WBITS | 32)  # zlib's header or gzip's
    while data and not stream.eof:
        yield stream.decompress(data, _PIECE)
        data = stream.unconsumed_tail
    if not stream.eof:
        raise EOFError


def _in_pickles(file: Bounded) -> Iterator[Leak]:
    """Find what a file of one pickle shows, and what follows the pickle."""
    yield from _walk(read_pickle(file), "model")
    if rest := file.size - file.tell():
        yield Leak("behind the model", "bytes", rest)


def _in_sealed(data: bytes, place: str) -> Iterator[Leak]:
    """Find what a sealed file's author left readable."""
    lengths = magic.sealed_lengths(data)
    length = 0 if lengths is None else lengths.manifest
    try:
        fields = canonical_json.load(data[magic.PRELUDE.size : magic.PRELUDE.size + length])
    except ValueError:  # most likely it is longer than what was kept of it
        fields = None
    if not isinstance(fields, dict):
        yield Leak(f"{place} manifest", "text", length)
        return
    for name in ("metadata", "policy", "estimator"):
        if fields.get(name):
            text = json.dumps(fields[name])
            yield Leak(f"{place} {name}", "text", len(text), text[:_SHOWN])


def _walk(root: Any, place: str) -> Iterator[Leak]:
    """Go through an outline, from the first thing to the last; a thing in several places counts in the first."""
    nodes, seen = [(place, root)], set()
    while nodes:
        place, node = nodes.pop()
        if isinstance(node, Group | Mapping | Made):
            if id(node) in seen:
                continue
            seen.add(id(node))
        leaks, below = _look(place, node)
        yield from leaks
        nodes += reversed(below)


Found = tuple[Iterable[Leak], list[tuple[str, Any]]]


def _look(place: str, node: Any) -> Found:
    """Return what a node itself shows, and the nodes below it."""
    leaks: Iterable[Leak] = []
    below: list[tuple[str, Any]] = []
    match node:
        case Blob("bytes", size, bytes(head)) if _is_sealed(head, size):
            leaks = _in_sealed(head, place)
        case Blob(kind, size, head):
            leaks = [Leak(place, kind, size, repr(head[:_SHOWN]))]
        case Name(text):
            leaks = [_class(place, text)]
        case float():
            leaks = [Leak(place, "numbers", 8, repr(node))]
        case Group(items) if len(items) > 1 and all(type(item) in (int, float) for item in items):
            leaks = [Leak(place, "numbers", 8 * len(items), repr(items[:5]))]
        case Group(items):
            below = [(f"{place}[{index}]", item) for index, item in enumerate(items)]
        case Mapping(items):
            below = _entries(place, items)
        case Made():
            leaks, below = _look_into_made(place, node)
    return leaks, below


def _is_sealed(head: bytes, size: int) -> bool:
    """Tell whether some bytes are a whole sealed file."""
    lengths = magic.sealed_lengths(head)
    return lengths is not None and lengths.fit(size)


def _look_into_made(place: str, node: Made) -> Found:
    """Give the same for what is made by a call; arrays, bytes and sealed models are known by how they are made."""
    name, arguments = node.name, _items(node.arguments)
    if name == "numpy.dtype":
        return [], []
    if (held := _memory(node)) is not node:
        return [], [(place, held)]
    if name.startswith(("copyreg.", "copy_reg.")) and arguments and isinstance(arguments[0], Name):
        name, arguments = arguments[0].text, []  # the class, and what it is built from
    below = [(f"{place}({index})", item) for index, item in enumerate(arguments)]
    below += [(f"{place}[{index}]", item) for index, item in enumerate(node.added)]
    if isinstance(node.state, Mapping):
        named = [(key.head, value) for key, value in node.state.items if _is_attribute(key)]
        if name == _WRAPPER:
            return [], [(place, value) for field, value in named if field == "sealed"]
        below += [(f"{place}.{field}", value) for field, value in named]
        below += _entries(place, [(key, value) for key, value in node.state.items if not _is_attribute(key)])
    elif node.state is not None:
        below.append((f"{place} state", node.state))
    return [_class(place, name)], below


def _class(place: str, name: str) -> Leak:
    return Leak(place, "class", len(name), name if name.isprintable() else ascii(name))


def _entries(place: str, items: list[tuple[Any, Any]]) -> list[tuple[str, Any]]:
    """Give a dict's keys and values by their number: a key is content, and not shown in a place."""
    keys = [(f"{place}{{key {index}}}", key) for index, (key, _) in enumerate(items)]
    values = [(f"{place}{{{index}}}", value) for index, (_, value) in enumerate(items)]
    return [each for pair in zip(keys, values, strict=True) for each in pair]


def _is_attribute(key: Any) -> bool:
    return isinstance(key, Blob) and isinstance(key.head, str) and key.head.isidentifier()


def _memory(node: Any) -> Any:
    """Give the bytes that a call only wraps, and of an array its memory; anything else is given back."""
    if not isinstance(node, Made):
        return node
    held: Any = node
    match node.name.rpartition(".")[2], _items(node.arguments), _items(node.state), node.added:
        case "encode", [Blob(_, _, str(head), size), *_], _, _ if node.name == "_codecs.encode":
            held = Blob("bytes", size, head.encode("latin-1", errors="replace"))
        case "bytearray" | "bytes", [cells, *_], _, _:
            held = cells
        case ("_reconstruct", _, [*_, cells], _) | ("_frombuffer", [cells, *_], _, _):
            held = _as_array(cells)
        case ("scalar", [_, cells], _, _) | ("NumpyArrayWrapper", _, _, [cells]):
            held = _as_array(cells)
    return held


def _as_array(cells: Any) -> Any:
    held = _memory(cells)
    return held._replace(kind="array") if isinstance(held, Blob) else held


def _items(node: Any) -> list[Any]:
    return node.items if isinstance(node, Group) else []
