"""Changing who opens a sealed file: other stanzas around the same body."""

import contextlib
import dataclasses
import io
import os
import shutil
from collections.abc import Iterable

from modelpriv._core import events, files
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Identity, KeyProvider, Keyring, Recipient, stanzas
from modelpriv.sealing.access import Passphrase, Ways, to_added, to_opener
from modelpriv.sealing.artifacts import locate
from modelpriv.sealing.format import digest, floe, layout, slots
from modelpriv.sealing.format.slots import Stanza
from modelpriv.sealing.locking import hand_over, locked
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
    """Change who opens a sealed file, in place; its body and its signature stay as they are.

    *Protects against* an interruption: the file is as before, or changed, and whole. *Leaks* what `modelpriv.inspect`
    shows. It *cannot* shut out anyone who could open the file before: they may have kept its key or a copy. So use
    `rekey` to revoke, and after a key has leaked.

    Parameters
    ----------
    file : path-like
        A sealed file, or a folder that holds one, such as that of an MLflow model. Its id stays the same.
    key : Keyring or str, optional
        Opens the file now: a keyring, or the URI of one.
    passphrase : str or bytes, optional
        Opens the file now.
    identity : Identity, optional
        Opens the file now.
    provider : KeyProvider, optional
        Opens the file now. If you give nothing else, the providers of `modelpriv.keys.set_providers` are asked.
    add : Keyring, str, Recipient or KeyProvider, or a list of these, optional
        What also opens the file from now on: a keyring (its primary key) or the URI of one, a recipient or its line, a
        provider. A file of origin ``"sole"`` takes only a newer key of the keyring that opens it, and is then read once
        to its end. A file of origin ``"shared"`` takes keyrings. Recipients and providers join a signed file, or one
        that was made for them. For anything else, write the file again with `rekey`.
    add_passphrase : str or bytes, optional
        Also opens the file from now on, unless its origin is ``"sole"``.
    remove : str, Recipient, or an iterable of these, optional
        What no longer opens it: key ids, recipients or their ids, types of providers, or ``"passphrase"`` for every
        passphrase that opened it before.

    Raises
    ------
    SealedFileError
        This is not a sealed file, or it was cut, damaged or altered; or another process replaced it at this moment.
    KeyUnavailableError
        Nothing you gave opens the file, or what you want to remove does not open it.
    ParameterError, ParameterTypeError
        Nothing would be left that opens the file, its origin does not allow what you want to add, or a parameter is not
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
    file, opener = locate(file, "rewrap"), to_opener(key, passphrase, identity, provider)
    with events.event("rewrap", "model", file=os.fsdecode(file)), locked(file, "r+b") as target:
        found = open_head(target, os.fstat(target.fileno()).st_size, opener)
        ways = _kept(found, [remove] if isinstance(remove, str | Recipient) else list(remove))
        ways = _with_added(target, found, ways, to_added(add, add_passphrase))
        if slots.room(ways) <= found.head.prelude.slot:
            _write_slots(target, found, ways)
        else:
            _write_with_larger_slots(target, file, found, ways)


def _kept(found: OpenFile, unwanted: list[str | Recipient]) -> list[Stanza]:
    """Return the stanzas without those to remove, which must all be there."""
    removed = [one.id if isinstance(one, Recipient) else one for one in unwanted]
    if not all(isinstance(name, str) for name in removed):
        raise ParameterTypeError(
            "remove must be key ids (keys.primary), recipients or their ids, types of providers, or 'passphrase'."
        )
    ways, opening = found.envelope.stanzas, found.envelope.stanza
    names = [stanzas.name_of(way) for way in ways]
    if missing := [name for name in removed if name not in names]:
        there = ", ".join(map(ascii, sorted(set(names))))
        raise KeyUnavailableError(
            f"{', '.join(missing)} does not open the file, so it cannot be removed; it opens with {there}."
        )
    # Where another key has the same id as the one that opened the file, the id means the other one.
    ambiguous = opening["type"] == stanzas.KEYRING and names.count(stanzas.name_of(opening)) > 1
    kept = [opening] if ambiguous else []
    return [way for way, name in zip(ways, names, strict=True) if name not in removed or way in kept]


def _with_added(target: io.FileIO, found: OpenFile, ways: list[Stanza], added: Ways) -> list[Stanza]:
    """Add stanzas; a way that opens the file already is not added again, and one that only claims to is replaced."""
    added = dataclasses.replace(added, recipients=tuple(dict.fromkeys(added.recipients)))
    if added.keyring is not None and _opens(ways, added.keyring, found, newest=True):
        added = dataclasses.replace(added, keyring=None)
    if not added.none:
        _check_origin(found, added)
        ways = [way for way in ways if not _is_replaced(way, added) or way == found.envelope.stanza]
        context = slots.wrap_context(found.head.manifest, found.fields["origin"])
        ways = ways + added.wrap(found.envelope.file_key, context, _body(target, found))
    if not ways:
        raise ParameterError("nothing would be left that opens the file: add a key or a passphrase as well.")
    stanzas.check(ways)
    return ways


def _check_origin(found: OpenFile, added: Ways) -> None:
    """Refuse what would let a new reader write in the name of the others."""
    origin = found.fields["origin"]
    if origin == layout.SIGNED:
        return
    if not added.symmetric:
        raise ParameterError(
            "add names a recipient or provider, but the file is not signed, and anyone with the recipient's public key "
            "could write in its name: write it again with rekey(new_recipients=..., sign_with=...)."
        )
    keyring = added.keyring if added.single else None
    if origin == layout.SOLE and (keyring is None or not _opens(found.envelope.stanzas, keyring, found)):
        raise ParameterError(
            "one keyring or one passphrase opens the file, and a second reader could write in its name: write it again "
            "with rekey(new_key=..., new_passphrase=...), and name all that are to open it."
        )


def _body(target: io.FileIO, found: OpenFile) -> bytes:
    """Give the digest that new stanzas are bound to: as the stanza that opened the file says, or of the body itself."""
    origin, bound = found.fields["origin"], stanzas.body_of(found.envelope.stanza)
    if bound or origin == layout.SIGNED:
        return bound
    prelude = found.head.prelude
    target.seek(layout.PRELUDE + prelude.manifest + 2 * prelude.slot)
    return digest.of_stored(target, prelude.body)


def _is_replaced(way: Stanza, added: Ways) -> bool:
    """Tell whether a stanza claims to be for a key or recipient that is added."""
    if way["type"] == stanzas.KEYRING:
        return added.keyring is not None and stanzas.fingerprint(way) == added.keyring.fingerprints[0]
    return stanzas.name_of(way) in {one.id for one in added.recipients}


def _opens(ways: list[Stanza], keyring: Keyring, found: OpenFile, *, newest: bool = False) -> bool:
    """Tell whether a keyring opens one of the stanzas; with ``newest``, by its primary key."""
    if newest:
        ways = [
            way
            for way in ways
            if way["type"] == stanzas.KEYRING and stanzas.fingerprint(way) == keyring.fingerprints[0]
        ]
    context = slots.wrap_context(found.head.manifest, found.fields["origin"])
    with contextlib.suppress(KeyUnavailableError, SealedFileError):
        return stanzas.unwrap(ways, context=context, keyring=keyring) == found.envelope.file_key
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
    """Write and sync the slot that does not count, then the other one: one of them is whole at any time."""
    prelude = found.head.prelude
    places = [layout.PRELUDE + prelude.manifest, layout.PRELUDE + prelude.manifest + prelude.slot]
    idle = 1 if found.head.slots[0] == found.envelope.slot else 0
    fresh = _fresh_slot(found, ways, prelude)
    events.commit()
    for place in (places[idle], places[1 - idle]):
        target.seek(place)
        write_all(target.write, memoryview(fresh))
        if place == places[idle]:
            os.fsync(target.fileno())


def _write_with_larger_slots(
    target: io.FileIO, file: str | os.PathLike[str], found: OpenFile, ways: list[Stanza]
) -> None:
    """Write the whole file again: the body of the locked file behind a longer head."""
    old = found.head.prelude
    prelude = dataclasses.replace(old, slot=slots.slot_for(ways))
    with files.replacing(file, durable=True) as fresh:
        fresh.write(bytes(prelude) + found.head.manifest + 2 * _fresh_slot(found, ways, prelude))
        target.seek(layout.PRELUDE + old.manifest + 2 * old.slot)
        shutil.copyfileobj(target, fresh, floe.SEGMENT)
        hand_over(target, file)
