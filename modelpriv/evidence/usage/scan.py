"""Finding tokens, key ids and sealed models in the bytes of a file, a piece at a time, without loading it."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, BinaryIO

import pybase64

from modelpriv._core import magic
from modelpriv.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["TOKEN", "Found", "holds_run", "pieces", "scan"]

Found = Counter[tuple[str, str]]
"""How often each key id was found, by what it was found in."""

TOKEN = 28
"""Characters of the shortest token."""

_PIECE = 2**20
_OVERLAP = 256  # bytes of the piece before that are looked at again, so that nothing is cut in two
_MOST = 2**26  # bytes of heads of sealed models
_BEHIND = 16  # bytes that are kept for what looks behind

# A token begins with the byte 11, 12, 19 or 1a, so in base64url with E or G; see `modelpriv.kernels.aes.token`.
_RUN = re.compile(rb"[A-Za-z0-9_-]*")
# In text, what looks like a character before it may be the end of an escaped mark, or the V of an old pickle.
# The character comes before what looks behind, since an expression that begins with a set is searched faster.
_IN_TEXT = re.compile(
    rb"[EG](?:(?<![A-Za-z0-9_-][EG])|(?<=\\[nrt][EG])|(?<=\nV[EG])|(?<=\n[as(]V[EG])|(?<=\(V[EG]))[A-Za-z0-9_-]{27,}"
)
# In a pickle the length of a text comes before it, as one, four or eight bytes, and may look like a character. A text
# may also be a whole table.
_IN_PICKLE = re.compile(
    rb"[EG](?:(?<=[\x8cCU].[EG])|(?<=[XBT].{4}[EG])|(?<=[\x8d\x8e].{8}[EG])|(?<=S['\"][EG])|(?<=V[EG])"
    rb"|(?<=[\n,;\t| >][EG])|(?<=[\n, \[]['\"][EG]))[A-Za-z0-9_-]{27,}",
    re.DOTALL,
)
_IN_ARRAY = re.compile(rb"[EG]\0\0\0(?:[A-Za-z0-9_-]\0\0\0){27}")
_ARRAY_OF_BYTES = re.compile(  # what numpy pickles of a dtype such as S40
    rb"[^A-Za-z0-9]S(?:2[89]|[3-9]\d|\d{3,9})(?:\x94|q.|r.{4}|\np\d+\n)?(?:\x89\x88\x87|K\0K\x01\x87|\(I0)", re.DOTALL
)
_WIDE, _BEHIND_DTYPE = (b"E\0\0\0", b"G\0\0\0"), (b"\x89\x88\x87", b"K\0K\x01\x87", b"(I0")
_IDS_IN_PICKLE = (
    re.compile(rb"\x08(?:(?<=[\x8cU]\x08)|(?<=X\x08)\0\0\0)([0-9a-f]{8})"),
    re.compile(rb"\nV([0-9a-f]{8})"),
)
_IDS_IN_TEXT = (re.compile(rb"\nV([0-9a-f]{8})\np\d"),)  # a pickle of protocol 0
_SEALED = re.compile(re.escape(magic.SEALED.begins))
_RUN_OF_TOKEN = re.compile(rb"[EG][A-Za-z0-9_-]{27}")
_SEALED_IN_TEXT = b"j21wcml2DQ"  # the first bytes of a sealed model, in base64
_OLD_BYTES = b"c_codecs\nencode\n"
_MEMORY = (b"pyarrow.lib", b"polars.dataframe", b"polars.series")
_HEADER = 7  # characters that hold the first five bytes of a token
_IS_CHARACTER = bytes(1 if re.match(rb"[A-Za-z0-9_-]", bytes([byte])) else 0 for byte in range(256))
_LONG = bytes([1]) * TOKEN
_FIRST_BYTES = (0x11, 0x12, 0x19, 0x1A)


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Read a file a piece at a time."""
    while piece := file.read(_PIECE):
        yield piece


def scan(data: Iterable[bytes], *, pickled: bool) -> tuple[Found, list[bytes]]:
    """Count the tokens in some bytes, and the key ids that the objects of a pickle name.

    Returns
    -------
    found : Counter
        How often each key id was found.
    heads : list of bytes
        The head of each sealed model.
    """
    found: Found = Counter()
    heads: list[bytearray] = []
    window, start = b"", 0
    for piece, last in _with_last(data):
        for head in heads:
            _fill(head, piece)
        before, window = len(window), window + piece
        start = _RUN.match(window, before).end() if before and start == before else start  # type: ignore[union-attr]
        _check_telling(window, pickled=pickled)
        heads += _heads(window, before)
        if sum(map(len, heads)) > _MOST:
            raise InputError("it seems to hold more sealed models than can be looked into.")
        # A match that begins in the last bytes may go on in the next piece: it is counted there.
        end = len(window) if last else max(start, len(window) - _OVERLAP)
        past = _count(window, start, end, found, pickled=pickled)
        kept = max(0, end - _BEHIND)
        window, start = window[kept:], past - kept
    return found, [bytes(head) for head in heads]


def holds_run(data: bytes) -> bool:
    """Tell whether bytes of any kind hold what could be a token."""
    return _RUN_OF_TOKEN.search(data) is not None


def _check_telling(window: bytes, *, pickled: bool) -> None:
    """Refuse what holds text without anything between one cell and the next, and models in another encoding."""
    if _SEALED_IN_TEXT in window:
        raise InputError("it holds a sealed model in base64. Decode it to a file.")
    if not pickled:
        if _OLD_BYTES in window:
            raise InputError("it holds bytes in a pickle of protocol 0. Load it, and write it with protocol 5.")
        return
    # First by plain searches, which are faster: every match holds one of these.
    array = any(one in window for one in _WIDE) and _IN_ARRAY.search(window)
    array = array or (any(one in window for one in _BEHIND_DTYPE) and _ARRAY_OF_BYTES.search(window))
    for what, there in (("memory of Arrow", any(one in window for one in _MEMORY)), ("an array of text", array)):
        if there:
            raise InputError(f"it holds {what}, where no one can tell one token from the next. Load it and pass that.")


def _with_last(data: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    ahead = iter(data)
    piece = next(ahead, None)
    while piece is not None:
        following = next(ahead, None)
        yield piece, following is None
        piece = following


def _count(window: bytes, start: int, end: int, found: Found, *, pickled: bool) -> int:
    """Count what begins between two places of a window; return where the last of it ends, or the second place."""
    past = end
    beginnings: Counter[bytes] = Counter()
    for match in (_IN_PICKLE if pickled else _IN_TEXT).finditer(window, start) if _has_run(window) else ():
        if match.start() >= end:
            break
        past = max(past, match.end())
        beginnings[match[0][:_HEADER]] += 1
    for beginning, count in beginnings.items():
        raw = pybase64.urlsafe_b64decode(beginning + b"A")
        if raw[0] in _FIRST_BYTES:
            found["tokens", raw[1:5].hex()] += count
    for expression in _IDS_IN_PICKLE if pickled else _IDS_IN_TEXT:
        for match in expression.finditer(window, start, end + TOKEN):
            if match.start() < end:
                found["key ids", match[1].decode()] += 1
    return past


def _has_run(window: bytes) -> bool:
    """Tell whether there is a run of characters as long as a token: ten times as fast as the expressions above."""
    return _LONG in window.translate(_IS_CHARACTER)


def _heads(window: bytes, before: int) -> Iterator[bytearray]:
    """Give what is there of each sealed model whose first bytes end in the newest piece of a window."""
    for match in _SEALED.finditer(window, max(0, before - len(magic.SEALED.begins) + 1)):
        if window[match.start() - 1 : match.start()] == b"\xc2":
            raise InputError(
                "it holds a sealed model as text of a pickle before protocol 3. Load it, and write it with protocol 5."
            )
        head = bytearray()
        _fill(head, window[match.start() :])
        yield head


def _fill(head: bytearray, data: bytes) -> None:
    """Add to the head of a sealed model what follows of it; its first bytes say how long it is."""
    for _ in range(2):
        missing = max(0, _wanted(head) - len(head))
        head += data[:missing]
        data = data[missing:]


def _wanted(head: bytearray) -> int:
    """Return how long the head of a sealed model is, as far as its first bytes say."""
    lengths = magic.sealed_lengths(bytes(head[: magic.PRELUDE.size]))
    if lengths is None:
        return magic.PRELUDE.size
    slot, manifest = min(lengths.slot, magic.LARGEST_SLOT), min(lengths.manifest, magic.LARGEST_MANIFEST)
    return magic.PRELUDE.size + manifest + 2 * slot
