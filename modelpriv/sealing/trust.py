"""Whom and what a reader of sealed files trusts; it never comes from the file."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from modelpriv._core import process
from modelpriv.errors import ParameterTypeError, SealedFileError, UntrustedError
from modelpriv.keys import Keyring, Signer
from modelpriv.keys.signing import read_signers
from modelpriv.sealing import naming, serializers
from modelpriv.sealing.format import layout

__all__ = ["Trust", "set_trusted", "to_trust"]

_ANYONE = "the sealed file is not signed, and anyone with the recipient's public key could have written it"


@dataclass(frozen=True)
class Trust:
    """Whose files are unpickled, which types are read from unsigned files, and whether files may bring code.

    With ``only_signed`` no unsigned file is read at all: the caller named the signers for this call.
    """

    signers: tuple[Signer, ...] = ()
    types: tuple[str, ...] = ()
    allow_code: bool = False
    only_signed: bool = False

    def check(self, fields: dict[str, Any], *, signed: bool) -> None:
        """Refuse a file by its manifest alone, before its body is read.

        Raises
        ------
        SealedFileError
            It has a signature that a file of its origin cannot have.
        UntrustedError
            It is not signed, no signer is trusted, or it brings code that you did not allow.
        """
        by_key = fields["origin"] != layout.SIGNED
        if signed and (by_key or fields["serializer"] == serializers.SKOPS):
            raise SealedFileError(
                "the sealed file has a signature that its origin does not allow: it was put together."
            )
        if fields["serializer"] == serializers.BY_VALUE and not self.allow_code:
            raise UntrustedError(
                "the sealed file holds the code of its author's own classes, which runs when the file is read: pass "
                "allow_code=True to allow that."
            )
        if self.only_signed and not signed:
            raise UntrustedError(
                "the sealed file is not signed, and trusted_signers names whose files to read: ask its author for a "
                "signed file (sign_with=), or leave trusted_signers out to read files that only your own key opens."
            )
        if not by_key and signed:
            self._check_signer(fields.get("signer"))
        elif not by_key:
            self._check_unsigned(fields["serializer"])

    def _check_unsigned(self, serializer: str) -> None:
        """Refuse an unsigned file that anyone can have written, unless skops reads it and the caller allows that."""
        if serializer != serializers.SKOPS:
            raise UntrustedError(f"{_ANYONE}. It is not unpickled: ask its author for a signed file (sign_with=).")
        if not self.types:
            raise UntrustedError(
                f"{_ANYONE}. To let skops read it, without unpickling, pass trusted_types=[...] with the names of the "
                "types in it that skops does not know itself, or the name of the model's class if it knows them all."
            )

    def _check_signer(self, signer: object) -> None:
        """Refuse a file that names no trusted signer; whether that one signed it is checked with the body."""
        if not self.signers:
            raise UntrustedError(
                "anyone with the recipient's public key could have written the sealed file, so its signature counts: "
                "name the signers you trust, trusted_signers=[...], by the lines of text that you got from them."
            )
        if signer not in {one.id for one in self.signers}:
            raise UntrustedError(
                "the sealed file is not unpickled: a stranger signed it, and none of the trusted signers "
                f"({', '.join(one.id for one in self.signers)})."
            )


def set_trusted(
    *,
    signers: Iterable[Signer | str] = (),
    types: Iterable[str] = (),
    allow_code: bool = False,
    keys: Iterable[Keyring | str] = (),
) -> None:
    """Set whom and what this process trusts when it reads sealed models, in addition to what each call names.

    Use it in programs that unpickle models which others wrapped, where you can pass no argument: a server that calls
    ``joblib.load``. *Protects against* models of strangers, as long as the lines of the signers came from the people
    you think. *Leaks* nothing. It *cannot* open anything without the key or identity. Each call replaces what the one
    before it set.

    Parameters
    ----------
    signers : iterable of Signer or str
        Whose models may be unpickled.
    types : iterable of str
        Full names of the types that unsigned files may hold, besides those that skops itself knows.
    allow_code : bool, default=False
        Whether models of trusted signers, and those under your own key, may bring their own code.
    keys : iterable of Keyring or str
        Keyrings, or URIs of keyrings, that open models which are unpickled. Without it only those do that a call of
        this program was given for a model: others can write models for every keyring that they hold too.

    Raises
    ------
    ParameterError, ParameterTypeError
        A signer or key is not one, or the types are not names.

    Examples
    --------
    >>> from modelpriv import SigningKey
    >>> from modelpriv.sealing import set_trusted
    >>> author = SigningKey.generate().signer
    >>> set_trusted(signers=[author])
    >>> set_trusted()
    """
    named = naming.read_keys(keys)
    process.settings.trusted = Trust(
        tuple(read_signers(signers, parameter="signers")), _read_types(types, "types"), _flag(allow_code)
    )
    process.settings.trusted_keys = named


def to_trust(trusted_signers: object = (), trusted_types: object = (), allow_code: object = False) -> Trust:  # noqa: FBT002 - checked here
    """Read the parameters that say what a reader trusts, and add what the process does."""
    always, named = process.settings.trusted or Trust(), tuple(read_signers(trusted_signers))
    return Trust(
        (*named, *always.signers),
        (*_read_types(trusted_types, "trusted_types"), *always.types),
        _flag(allow_code) or always.allow_code,
        only_signed=bool(named),
    )


def _read_types(types: object, parameter: str) -> tuple[str, ...]:
    if isinstance(types, str | bytes) or not isinstance(types, Iterable):
        raise ParameterTypeError(f"{parameter} must be a list of names, got {type(types).__name__}.")
    names = tuple(types)
    for name in names:
        if not isinstance(name, str):
            written = f": write {name.__module__ + '.' + name.__qualname__!r}" if isinstance(name, type) else ""
            raise ParameterTypeError(
                f"{parameter} must hold names of types as text, got {type(name).__name__}{written}."
            )
    return names


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ParameterTypeError(f"allow_code must be True or False, got {type(value).__name__}.")
    return value
