"""What a sealed file says about itself without a key."""

import io
from dataclasses import dataclass, fields
from typing import Any

from modelpriv._core import magic
from modelpriv.keys import stanzas
from modelpriv.sealing.format import floe, layout, slots
from modelpriv.sealing.policy import AccessPolicy
from modelpriv.sealing.reading import File, opened, read_head

# Fields of a stanza that say nothing to a person.
_LONG = frozenset({"wrapped", "check", "body", "salt", "commitment", "passes", "memory_kib", "lanes"})


@dataclass(frozen=True)
class Unverified:
    """What a sealed file claims; without a key you cannot tell whether it is true.

    *Protects against* nothing: anyone who can write the file can make it say anything here. *Leaks* no secret, and
    nothing of the model. It *cannot* be trusted until `load` has opened the file, and `load` does not rely on it.

    Parameters
    ----------
    size : int
        Length of the whole file in bytes.
    file_id : str
        A random number that the file got when it was written.
    origin : str
        Who can have written it: ``"sole"``, the holders of the one keyring or passphrase that opens it; ``"shared"``,
        the holder of the key or passphrase that you open it with, not the other readers; ``"signed"``, anyone, so that
        the signature counts.
    signer : str or None
        The id of the signer; the signature was not checked.
    serializer : str
        How the model was written: ``"pickle-5"``, ``"cloudpickle-5"`` with its author's code, or ``"skops"``.
    stanzas : tuple of dict
        The ways to open it: the type of each (``"keyring"``, ``"argon2id"``, ``"x-wing"``, a provider's), and what it
        says about the key, recipient or place. No place is contacted because a file names it.
    needs : tuple of dict
        The keys that steps inside the model need, besides what opens the file: the id of each, its check value, and how
        many steps need it.
    versions : dict
        The versions of Python, scikit-learn and numpy that wrote it.
    metadata : dict
        What its author made public.
    policy : AccessPolicy or None
        What readers may do with the model.
    estimator : dict or None
        Its class and hyper-parameters, if the author left them readable.

    Examples
    --------
    >>> import modelpriv
    >>> from sklearn.linear_model import Ridge
    >>> keys = modelpriv.Keyring.generate()
    >>> modelpriv.dump(Ridge(), "model.mpriv", key=keys, metadata={"stage": "trial"})
    >>> modelpriv.inspect("model.mpriv").metadata
    {'stage': 'trial'}
    """

    size: int
    file_id: str
    origin: str
    signer: str | None
    serializer: str
    stanzas: tuple[dict[str, str], ...]
    needs: tuple[dict[str, Any], ...]
    versions: dict[str, str]
    metadata: dict[str, Any]
    policy: AccessPolicy | None
    estimator: dict[str, Any] | None

    def __str__(self) -> str:
        # As a repr: a hostile file could otherwise send control characters to the terminal.
        claims = [f"  {field.name}: {getattr(self, field.name)!r}" for field in fields(self)]
        return "\n".join(["unverified: what the file claims", *claims])


def inspect(file: File) -> Unverified:
    """Show what a sealed file claims, without a key and without trusting it.

    Parameters
    ----------
    file : path-like or binary file
        What `modelpriv.dump` wrote, or a folder that holds one such file, such as that of an MLflow model.

    Returns
    -------
    claims : Unverified
        Print it, or read its attributes.

    Raises
    ------
    SealedFileError
        This is not a sealed file, or its head is damaged.
    ParameterError
        The folder holds no sealed file or several, or a pickle holds the sealed model.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import modelpriv
    >>> from sklearn.linear_model import Ridge
    >>> modelpriv.dump(Ridge(), "model.mpriv", passphrase="correct horse battery staple")
    >>> print(modelpriv.inspect("model.mpriv"))
    unverified: what the file claims
      size: ...
      file_id: '...'
      origin: 'sole'
      signer: None
      serializer: 'pickle-5'
      stanzas: ({'type': 'argon2id'},)
      needs: ()
      versions: {...}
      metadata: {}
      policy: None
      estimator: None
    """
    with opened(file, "inspect") as (source, size):
        return _claims(source, size)


def inspect_head(data: bytes) -> Unverified:
    """Show the same of a sealed model inside another file, when only its head was read.

    Raises
    ------
    SealedFileError
        The head is cut or damaged.
    """
    lengths = magic.sealed_lengths(data)
    return _claims(io.BytesIO(data), len(data) if lengths is None else lengths.total)


def _claims(source: floe.Source, size: int) -> Unverified:
    head = read_head(source, size)
    claims = layout.read_manifest(head.manifest)
    found = slots.read(slots.newest_first(head.slots)[0])[1]
    stanzas.check(found)
    return Unverified(
        size=size,
        file_id=claims["file_id"],
        origin=claims["origin"],
        signer=claims.get("signer"),
        serializer=claims["serializer"],
        stanzas=tuple({name: way[name] for name in way if name not in _LONG} for way in found),
        needs=tuple(claims["needs"]),
        versions=claims["versions"],
        metadata=claims["metadata"],
        policy=AccessPolicy.from_json(claims["policy"]) if "policy" in claims else None,
        estimator=claims.get("estimator"),
    )
