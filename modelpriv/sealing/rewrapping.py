"""Changing who opens a sealed file: other stanzas around the same body, or a body under a fresh key."""

import dataclasses
import io
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from modelpriv._core import events, files
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Identity, KeyProvider, Keyring, Recipient, stanzas
from modelpriv.sealing.access import Passphrase, to_added, to_opener
from modelpriv.sealing.format import floe, layout, slots
from modelpriv.sealing.format.slots import Stanza
from modelpriv.sealing.reading import OpenFile, open_head
from modelpriv.sealing.writing import write_all


def rewrap(
    file: str | os.PathLike[str],
    *,
    key: object = None,
    passphrase: Passphrase | None = None,
    identity: Identity | None = None,
    provider: KeyProvider | None = None,
    add: object = None,
    add_passphrase: Passphrase | None = None,
    remove: str | Recipient | Iterable[str | Recipient] = (),
) -> None:
    """Change who opens a sealed file, in place; its body and its signature are not touched.

    It protects nothing that was open before: whoever could open the file may have kept its key, and with it opens the
    file still, and can write another body for those who open it without a signature. Use `rekey` to revoke, and to
    rotate a key that somebody else had. It leaks what `modelpriv.inspect` shows. It does not make the
    file another one: its id stays.

    Parameters
    ----------
    file : path-like
        A sealed file. After an interruption it is as it was, or changed, and whole.
    key : Keyring or str, optional
        Opens the file now: a keyring, or the URI of one.
    passphrase : str or bytes, optional
        Opens the file now.
    identity : Identity, optional
        Opens the file now.
    provider : KeyProvider, optional
        Opens the file now. Those given to `modelpriv.keys.set_providers` are asked where nothing else is given.
    add : Keyring, str, Recipient or KeyProvider, or a list of these, optional
        Shall open the file too: a keyring (its primary key) or the URI of one, a recipient or its line, a provider.
        Recipients and providers can only be added to a file that is signed, or was made for such: whoever has a
        recipient's public key can write to it, and the others could not tell.
    add_passphrase : str or bytes, optional
        Shall open the file too.
    remove : str, Recipient, or an iterable of these, optional
        What shall not open it any more: key ids, recipients or their ids, types of providers, or ``"passphrase"`` for
        every passphrase that opened it before.

    Raises
    ------
    SealedFileError
        This is no sealed file, or it was cut, damaged or altered.
    KeyUnavailableError
        Nothing that is given opens it, or what is to be removed does not.
    ParameterError, ParameterTypeError
        Nothing would be left that opens it, a recipient would join a file that is not signed, or a parameter is not
        allowed.
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
    opener = to_opener(key, passphrase, identity, provider)
    with (
        events.event("rewrap", "model", file=os.fsdecode(file)),
        Path(file).open("r+b", buffering=0) as target,
        files.locked(target, layout.LOCK),
    ):
        target.seek(0)
        if not os.path.samestat(os.fstat(target.fileno()), Path(file).stat()):
            raise SealedFileError(f"{os.fsdecode(file)} was replaced at this moment: look at it, and try again.")
        found = open_head(target, os.fstat(target.fileno()).st_size, opener)
        ways = _kept(found.envelope.stanzas, [remove] if isinstance(remove, str | Recipient) else list(remove))
        ways = _with_added(ways, found, add, add_passphrase)
        if slots.room(ways) <= found.head.prelude.slot:
            _write_slots(target, found, ways)
        else:
            _write_with_larger_slots(file, found, ways)


def _kept(ways: list[Stanza], unwanted: list[str | Recipient]) -> list[Stanza]:
    """Give the stanzas but for those that are to be removed, each of which must be there."""
    removed = [one.id if isinstance(one, Recipient) else one for one in unwanted]
    if not all(isinstance(name, str) for name in removed):
        raise ParameterTypeError(
            "remove must be key ids (keys.primary), recipients or their ids, types of providers, or 'passphrase'."
        )
    names = [stanzas.name_of(way) for way in ways]
    if missing := [name for name in removed if name not in names]:
        there = ", ".join(map(ascii, sorted(set(names))))
        raise KeyUnavailableError(
            f"{', '.join(missing)} does not open the file, so it cannot be removed; it opens with {there}."
        )
    return [way for way, name in zip(ways, names, strict=True) if name not in removed]


def _with_added(ways: list[Stanza], found: OpenFile, add: object, add_passphrase: Passphrase | None) -> list[Stanza]:
    """Add stanzas; what opens the file already is not written twice, and what only looks so is replaced."""
    added = to_added(add, add_passphrase)
    if not added.symmetric and found.fields["origin"] == "keyring":
        raise ParameterError(
            "add names a recipient or provider, and nobody could tell any more who wrote this file, which is unpickled "
            "because only holders of its keys can have: write it anew with rekey(new_recipients=..., sign_with=...)."
        )
    added = dataclasses.replace(added, recipients=tuple(dict.fromkeys(added.recipients)))
    context = slots.wrap_context(found.head.manifest)
    if added.keyring is not None and _opens(ways, added.keyring, context, found.envelope.file_key):
        added = dataclasses.replace(added, keyring=None)
    renewed = {one.id for one in added.recipients} | ({added.keyring.primary} if added.keyring else set())
    ways = [way for way in ways if stanzas.name_of(way) not in renewed]
    if not added.none:
        ways = ways + added.wrap(found.envelope.file_key, context)
    if not ways:
        raise ParameterError("nothing would be left that opens the file: add a key or a passphrase as well.")
    stanzas.check(ways)
    return ways


def _opens(ways: list[Stanza], keyring: Keyring, context: bytes, file_key: bytes) -> bool:
    """Tell whether there is a stanza of a keyring's primary key that gives the file's key."""
    named = [way for way in ways if stanzas.name_of(way) == keyring.primary]
    try:
        return stanzas.unwrap(named, context=context, keyring=keyring) == file_key
    except (KeyUnavailableError, SealedFileError):
        return False


def _fresh_slot(found: OpenFile, ways: list[Stanza], prelude: layout.Prelude) -> bytes:
    return slots.write(
        found.envelope.file_key,
        ways,
        prelude=prelude,
        manifest=found.head.manifest,
        sequence=found.envelope.sequence + 1,
    )


def _write_slots(target: io.FileIO, found: OpenFile, ways: list[Stanza]) -> None:
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


def _write_with_larger_slots(file: str | os.PathLike[str], found: OpenFile, ways: list[Stanza]) -> None:
    """Write the whole file again, the same body behind a longer head."""
    old = found.head.prelude
    prelude = dataclasses.replace(old, slot=slots.slot_for(ways))
    with files.replacing(file, durable=True) as target, Path(file).open("rb") as source:
        target.write(bytes(prelude) + found.head.manifest + 2 * _fresh_slot(found, ways, prelude))
        source.seek(layout.PRELUDE + old.manifest + 2 * old.slot)
        shutil.copyfileobj(source, target, floe.SEGMENT)
