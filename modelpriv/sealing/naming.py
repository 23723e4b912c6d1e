"""The keyrings that open models where no call passes one: those that this program's own code named for models.

A pickle refers to a keyring by its ids, and a stranger who has a keyring of yours, for tables, can make such a pickle.
So it is not enough that the keyring is alive in the process, or that its URI can be read: a call of this program passed
it to `dump`, `load`, `unlock` or an `EncryptedEstimator`, or `set_trusted` named it.
"""

from collections.abc import Iterable, Iterator

from modelpriv._core import process
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterTypeError
from modelpriv.keys import KeyReference, Keyring, resolve_whole
from modelpriv.keys.uri import parse


def passed(key: object, *, parameter: str = "key") -> Keyring:
    """Return the keyring that a call was given, and name it for models; what a pickle refers to is not named by that.

    Raises
    ------
    ParameterError, ParameterTypeError, KeyUnavailableError
        As `modelpriv.keys.resolve_whole` does.
    """
    keyring = resolve_whole(key, parameter=parameter)
    if not isinstance(key, KeyReference):
        process.named.update(keyring.fingerprints)
        if keyring.uri is not None:
            process.named.add(keyring.uri)
    return keyring


def referred(reference: KeyReference) -> Keyring:
    """Return the keyring that a pickle refers to, if it is named for models; a URI that is not named is not read.

    Raises
    ------
    KeyUnavailableError
        It is not at hand, or not named.
    """
    keyring = reference.held()
    if _is_distrusted(reference):
        raise KeyUnavailableError(
            f"a keyring of this process distrusts key id {reference.primary}, under which anyone who has that key can "
            "write: if you know that you wrote the model, call unlock(key=...) with the keyring as it was before."
        )
    if isinstance(keyring, Keyring) and _is_named(reference):
        return keyring
    why = f"no keyring of this process holds key id {reference.primary}"
    if keyring is not None or reference.uri is not None:
        where = "" if reference.uri is None else f" ({reference.uri!a})"
        why = f"this program has not named key id {reference.primary}{where} for models"
    for uri in _uris(reference):
        try:
            found = Keyring.from_uri(uri)
        except ModelprivError as error:
            why = str(error).removesuffix(".")
            continue
        if reference.means(found):
            return found
    raise KeyUnavailableError(
        f"{why}: call unlock(key=...) with its keyring, or name it once with modelpriv.sealing.set_trusted(keys=[...])."
    )


def at_hand(reference: KeyReference) -> bool:
    """Return whether `referred` finds a keyring in this process, named for models, without reading any URI."""
    held = isinstance(reference.held(), Keyring) and _is_named(reference)
    return held and not _is_distrusted(reference)


def read_keys(keys: object) -> tuple[Keyring | str, ...]:
    """Read the keyrings and keyring URIs that `set_trusted` is given.

    Raises
    ------
    ParameterError, ParameterTypeError
        One of them is something else.
    """
    if isinstance(keys, str | bytes | Keyring) or not isinstance(keys, Iterable):
        raise ParameterTypeError(
            f"keys must be a list of Keyrings or URIs, got {type(keys).__name__}: write keys=[...]."
        )
    found = tuple(keys)
    for one in found:
        if not isinstance(one, Keyring | str):
            raise ParameterTypeError(f"keys must hold Keyrings or keyring URIs, got {type(one).__name__}.")
    return tuple(parse(one).uri if isinstance(one, str) else one for one in found)


def _is_named(reference: KeyReference) -> bool:
    trusted = (one for one in process.settings.trusted_keys if isinstance(one, Keyring))
    return reference.wanted in process.named or any(reference.means(one) for one in trusted)


def _is_distrusted(reference: KeyReference) -> bool:
    return any(reference.means(one) and reference.primary in one.distrusted for one in process.keyrings)


def _uris(reference: KeyReference) -> Iterator[str]:
    """Give the URIs that may be read for a reference: its own if it is named, and those that are trusted."""
    trusted = [one for one in process.settings.trusted_keys if isinstance(one, str)]
    if reference.uri is not None and (reference.uri in process.named or reference.uri in trusted):
        yield reference.uri
    yield from (uri for uri in trusted if uri != reference.uri)
