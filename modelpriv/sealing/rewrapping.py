"""Changing who opens a sealed file: other stanzas around the same body, or a body under a fresh key."""

import dataclasses
import io
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from modelpriv import _events, _files
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import envelope as stanzas
from modelpriv.keys import resolve_whole
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.sealing import envelope, floe, layout, writing
from modelpriv.sealing.envelope import Stanza
from modelpriv.sealing.reading import Opened, Passphrase, open_head, opened, to_keyring
from modelpriv.sealing.writing import write_all

PASSPHRASE = "passphrase"  # noqa: S105 - what `remove` calls a passphrase, whichever it is


def rewrap(
    file: str | os.PathLike[str],
    *,
    key: object = None,
    passphrase: Passphrase | None = None,
    add: object = None,
    add_passphrase: Passphrase | None = None,
    remove: str | Iterable[str] = (),
) -> None:
    """Change which keys and passphrases open a sealed file, in place; its body is not touched.

    It protects nothing that was open before: whoever could open the file may have kept its key, or an older copy of the
    file, and then opens it still. Use `rekey` to revoke. It leaks what `modelpriv.inspect` shows. It does not make the
    file another one: its id stays.

    Parameters
    ----------
    file : path-like
        A sealed file. After an interruption it is as it was, or changed, and whole.
    key : Keyring or str, optional
        Opens the file now: a keyring, or the URI of one.
    passphrase : str or bytes, optional
        Opens the file now.
    add : Keyring or str, optional
        A keyring, or the URI of one, whose primary key shall open the file too.
    add_passphrase : str or bytes, optional
        Shall open the file too.
    remove : str or iterable of str, optional
        What shall not open it any more: key ids, or ``"passphrase"`` for every passphrase that opened it before.

    Raises
    ------
    SealedFileError
        This is no sealed file, or it was cut, damaged or altered.
    KeyUnavailableError
        Neither key nor passphrase opens it, or what is to be removed does not.
    ParameterError, ParameterTypeError
        Nothing would be left that opens it, or a parameter is not allowed.
    OSError
        The file cannot be read or written.

    See Also
    --------
    rekey : Write the file again under a fresh key.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv import Keyring, sealing
    >>> keys = Keyring.generate()
    >>> sealing.dump(Ridge(), "model.mpriv", key=keys)
    >>> newer = keys.rotate()
    >>> sealing.rewrap("model.mpriv", key=newer, add=newer, remove=keys.primary)
    >>> sealing.load("model.mpriv", key=newer.retire(keys.primary))
    Ridge()
    """
    keyring = to_keyring(key, passphrase)
    with _events.event("rewrap", "model", file=os.fsdecode(file)):
        with Path(file).open("r+b", buffering=0) as target:
            found = open_head(target, os.fstat(target.fileno()).st_size, keyring, passphrase)
            ways = _kept(found.envelope.stanzas, [remove] if isinstance(remove, str) else list(remove))
            ways = _with_added(ways, found, add, add_passphrase)
            if fits := envelope.room(ways) <= found.head.prelude.slot:
                _write_slots(target, found, ways)
        if not fits:
            _write_with_larger_slots(file, found, ways)


def rekey(
    file: str | os.PathLike[str],
    *,
    key: object = None,
    passphrase: Passphrase | None = None,
    new_key: object = None,
    new_passphrase: Passphrase | None = None,
    durable: bool = False,
) -> None:
    """Write a sealed file again under a fresh key, for other keys or passphrases; nothing of it is unpickled.

    It protects the file from now on against whoever could open it before: the new one has nothing in common with what
    they may have kept. It leaks as much as the file did. It cannot take back what they have read, or a copy that they
    have kept.

    Parameters
    ----------
    file : path-like
        A sealed file, which is replaced whole. Metadata and versions stay; it gets a new id.
    key : Keyring or str, optional
        Opens the file now: a keyring, or the URI of one.
    passphrase : str or bytes, optional
        Opens the file now.
    new_key : Keyring or str, optional
        Its primary key opens the file from now on.
    new_passphrase : str or bytes, optional
        Opens the file from now on.
    durable : bool, default=False
        Whether the new file is synced to the disk before it takes the old one's place.

    Raises
    ------
    SealedFileError
        This is no sealed file, or it was cut, damaged or altered; it stays as it is.
    KeyUnavailableError
        Neither key nor passphrase opens it, or the new key cannot be had.
    ParameterError, ParameterTypeError
        There is no new key and no new passphrase, or a parameter is not allowed.
    OSError
        The file cannot be read or written.

    See Also
    --------
    rewrap : Change the keys in place, where nobody has to be kept out.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from modelpriv import Keyring, sealing
    >>> keys, others = Keyring.generate(), Keyring.generate()
    >>> sealing.dump(Ridge(), "model.mpriv", key=keys)
    >>> sealing.rekey("model.mpriv", key=keys, new_key=others)
    >>> sealing.load("model.mpriv", key=others)
    Ridge()
    """
    keyring, new_keyring = to_keyring(key, passphrase), to_keyring(new_key, new_passphrase)
    with (
        _events.event("rekey", "model", file=os.fsdecode(file)),
        _files.replacing(file, durable=durable) as target,
        opened(file) as (source, size),
    ):
        found = open_head(source, size, keyring, passphrase)
        manifest = layout.renewed(found.head.manifest)
        write = writing.prepare(manifest, found.length, keyring=new_keyring, passphrase=new_passphrase)
        write(_pieces(found), target.write)


def _kept(ways: list[Stanza], removed: list[str]) -> list[Stanza]:
    """Give the stanzas but for those that are to be removed, each of which must be there."""
    if not all(isinstance(name, str) for name in removed):
        raise ParameterTypeError("remove must be key ids, or 'passphrase'.")
    names = [PASSPHRASE if way["type"] == passphrases.TYPE else way.get("key_id") for way in ways]
    if missing := [name for name in removed if name not in names]:
        there = ", ".join(sorted({name for name in names if name}))
        raise KeyUnavailableError(
            f"{', '.join(missing)} does not open the file, so it cannot be removed; it opens with {there}."
        )
    return [way for way, name in zip(ways, names, strict=True) if name not in removed]


def _with_added(ways: list[Stanza], found: Opened, add: object, add_passphrase: Passphrase | None) -> list[Stanza]:
    """Add stanzas for a keyring and a passphrase; one for a key that opens the file already is not written twice."""
    added = None if add is None else resolve_whole(add, parameter="add")
    if added is not None and added.primary in stanzas.key_ids(ways):
        added = None
    if added is not None or add_passphrase is not None:
        context = envelope.wrap_context(found.head.manifest)
        ways = ways + stanzas.wrap(found.envelope.file_key, context=context, keyring=added, passphrase=add_passphrase)
    if not ways:
        raise ParameterError("nothing would be left that opens the file: add a key or a passphrase as well.")
    stanzas.check(ways)
    return ways


def _fresh_slot(found: Opened, ways: list[Stanza], prelude: layout.Prelude) -> bytes:
    return envelope.write(
        found.envelope.file_key,
        ways,
        prelude=prelude,
        manifest=found.head.manifest,
        sequence=found.envelope.sequence + 1,
    )


def _write_slots(target: io.FileIO, found: Opened, ways: list[Stanza]) -> None:
    """Write and sync the slot that does not count, then the other one: at no time is neither of them whole."""
    prelude = found.head.prelude
    places = [layout.PRELUDE + prelude.manifest, layout.PRELUDE + prelude.manifest + prelude.slot]
    idle = 1 if found.head.slots[0] == found.envelope.slot else 0
    fresh = _fresh_slot(found, ways, prelude)
    for place in (places[idle], places[1 - idle]):
        target.seek(place)
        write_all(target.write, memoryview(fresh))
        if place == places[idle]:
            os.fsync(target.fileno())


def _write_with_larger_slots(file: str | os.PathLike[str], found: Opened, ways: list[Stanza]) -> None:
    """Write the whole file again, the same body behind a longer head."""
    old = found.head.prelude
    prelude = dataclasses.replace(old, slot=1 << (envelope.room(ways) - 1).bit_length())
    with _files.replacing(file, durable=True) as target, Path(file).open("rb") as source:
        target.write(bytes(prelude) + found.head.manifest + 2 * _fresh_slot(found, ways, prelude))
        source.seek(layout.PRELUDE + old.manifest + 2 * old.slot)
        shutil.copyfileobj(source, target, floe.SEGMENT)


def _pieces(found: Opened) -> Iterator[memoryview]:
    """Give the plaintext of a body, a segment at a time, in memory that is used again."""
    piece, left = memoryview(bytearray(min(floe.SEGMENT, found.length))), found.length
    while left:
        part = piece[: min(left, len(piece))]
        found.body.readinto(part)
        left -= len(part)
        yield part
