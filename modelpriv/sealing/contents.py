"""What goes into a sealed file: the object, and who opens it, from the caller of `dump` or from the object itself."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from sklearn.base import BaseEstimator

from modelpriv._core.warn import warn
from modelpriv.errors import LockedError, SealedFileWarning
from modelpriv.keys import KeyReference, Keyring, ScopedKeyring, Signer, SigningKey, needed
from modelpriv.sealing import serializers, writing
from modelpriv.sealing.access import Passphrase, Ways, to_ways
from modelpriv.sealing.format import buffers, layout
from modelpriv.sealing.policy import AccessPolicy


@dataclass(frozen=True)
class Contents:
    """What an object that knows how to be sealed puts into the file in its place.

    ``payload`` is pickled; ``bare`` is written instead where no reader may unpickle. The other fields are used where
    the caller of `dump` gives none. A locked object has only ``sealed``, the bytes of the file that it came from.
    """

    payload: object = None
    bare: object = None
    key: object = None
    recipients: object = None
    sign_with: object = None
    metadata: object = None
    code: str = "by-reference"
    policy: AccessPolicy | None = None
    description: dict[str, Any] | None = None
    sealed: bytes | None = None


@runtime_checkable
class Sealable(Protocol):
    """An object that is sealed by a key of its own."""

    def _to_seal(self) -> Contents: ...


@dataclass(frozen=True, repr=False)  # a repr would show the passphrase
class Request:
    """What the caller of `dump` asks for."""

    key: object = None
    passphrase: Passphrase | None = None
    recipients: object = None
    wrap_with: object = None
    sign_with: object = None
    code: str | None = None
    metadata: object = None

    @property
    def names_ways(self) -> bool:
        """Whether the caller names a way to open the file."""
        return (self.key, self.passphrase, self.recipients, self.wrap_with) != (None, None, None, None)


def prepare(model: object, request: Request) -> writing.Draft | writing.Copy:
    """Do everything that can fail before a byte is written; return what then writes the file.

    Raises
    ------
    ParameterError, ParameterTypeError, KeyUnavailableError, LockedError
        As `modelpriv.dump` says.
    """
    contents = model._to_seal() if isinstance(model, Sealable) else Contents(payload=model, bare=model)  # noqa: SLF001 - a protocol of this package
    if contents.sealed is not None:
        if request != Request():
            raise LockedError("the model is locked, so its keys and metadata cannot be changed: unlock(...) it first.")
        return writing.Copy(contents.sealed)
    source: Any = request if request.names_ways else contents
    ways = to_ways(source.key, request.passphrase, source.recipients, request.wrap_with)
    if ways.recipients:
        _warn_of_keyed_steps(contents.bare)
    signing_key = _signing_key(contents, request, ways)
    origin = writing.origin(ways, signing_key)
    unsigned = origin == layout.SIGNED and signing_key is None
    code = contents.code if request.code is None else request.code
    serializer = serializers.choose(code, unsigned=unsigned, policy=contents.policy)
    with needed.noting() as needs:
        pieces = buffers.lay_out(*serializers.take_apart(contents.bare if unsigned else contents.payload, serializer))
    manifest = layout.new_manifest(
        contents.metadata if request.metadata is None else request.metadata,
        origin=origin,
        serializer=serializer,
        needs=needed.to_json(needs),
        signer=None if signing_key is None else signing_key.signer.id,
        policy=None if contents.policy is None else contents.policy.to_json(),
        estimator=contents.description,
    )
    return writing.draft(manifest, pieces, sum(map(len, pieces)), ways, sign_with=signing_key)


def _warn_of_keyed_steps(model: object) -> None:
    """Warn of steps in a model whose keys the recipients do not get with it."""
    parameters = model.get_params(deep=True) if isinstance(model, BaseEstimator) else {}
    steps = sorted(
        name.removesuffix("key").removesuffix("__") or type(model).__name__
        for name, value in parameters.items()
        if name.rpartition("__")[2] == "key" and isinstance(value, Keyring | ScopedKeyring | KeyReference | str)
    )
    if steps:
        warn(
            f"the model for recipients holds steps with keys of their own ({', '.join(steps)}), which are not in the "
            "file: there these steps stay locked, unless you give the recipients the keys too (Keyring.grant).",
            SealedFileWarning,
        )


def _signing_key(contents: Contents, request: Request, ways: Ways) -> SigningKey | None:
    """Give the caller's signing key, else the model's own; a model that was read is sealed under keys without one."""
    if request.sign_with is not None:
        return writing.check_signing_key(request.sign_with)
    if isinstance(contents.sign_with, Signer) and request.names_ways and ways.symmetric:
        return None
    return writing.check_signing_key(contents.sign_with)
