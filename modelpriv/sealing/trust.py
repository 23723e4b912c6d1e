"""Who vouches for a sealed file: what its reader trusts, which never comes from the file."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from modelpriv._core import process
from modelpriv.errors import ParameterTypeError, SealedFileError, UntrustedError
from modelpriv.keys import Signer
from modelpriv.keys.signing import read_signers
from modelpriv.sealing import serializers

__all__ = ["Trust", "set_trusted", "to_trust"]


@dataclass(frozen=True)
class Trust:
    """Whose files are unpickled, which types are read from unsigned files, and whether code may come along."""

    signers: tuple[Signer, ...] = ()
    types: tuple[str, ...] = ()
    allow_code: bool = False

    def check(self, fields: dict[str, Any], *, signed: bool) -> None:
        """Refuse a file of which nothing could be restored, whatever stands in it.

        Raises
        ------
        SealedFileError
            It has a signature where there can be none.
        UntrustedError
            It is not signed, nobody is trusted, or it brings code that was not asked for.
        """
        if signed and (fields["origin"] == "keyring" or fields["serializer"] == serializers.SKOPS):
            raise SealedFileError("the sealed file has a signature where there can be none: it was put together.")
        if fields["serializer"] == serializers.BY_VALUE and not self.allow_code:
            raise UntrustedError(
                "the sealed file brings the code of its author's own classes, which runs when it is read: pass "
                "allow_code=True if it may."
            )
        if fields["origin"] == "keyring":
            return
        if fields["serializer"] == serializers.SKOPS:
            if self.types:
                return
            raise UntrustedError(
                "the sealed file is not signed, and everybody who knows a recipient can write such a file: say that "
                "skops may read it by trusted_types=[...], with the names of the types in it that skops does not know "
                "itself (the model's own will do where it knows all)."
            )
        if not signed:
            raise UntrustedError(
                "the sealed file is not signed, and everybody who knows a recipient can write such a file: it is not "
                "unpickled; ask its author for a signed one (sign_with=)."
            )
        if not self.signers:
            raise UntrustedError(
                "the sealed file can have been written by everybody who knows a recipient, so its signature counts: "
                "pass trusted_signers=[...] with the signers (their line of text, got from them) whose models may run "
                "here."
            )
        if fields.get("signer") not in {signer.id for signer in self.signers}:
            raise UntrustedError(
                f"the sealed file is not unpickled: it is signed by a stranger, and not by any of the trusted signers "
                f"({', '.join(signer.id for signer in self.signers)})."
            )


def set_trusted(*, signers: Iterable[Signer | str] = (), types: Iterable[str] = (), allow_code: bool = False) -> None:
    """Set whom and what this process trusts when it reads sealed models, beside what each call names.

    It is for programs that unpickle what others wrapped, where no argument can be given: a server that does
    ``joblib.load``. It protects against models of strangers, as far as the signers are those you think. It leaks
    nothing. It does not open anything: that takes the key or identity.

    Parameters
    ----------
    signers : iterable of Signer or str
        Whose models may be unpickled.
    types : iterable of str
        Full names of the types that unsigned files may hold, beside those that skops itself knows.
    allow_code : bool, default=False
        Whether models of trusted signers, and those under an own key, may bring their own code.

    Raises
    ------
    ParameterError, ParameterTypeError
        A signer is none, or the types are not names.

    Examples
    --------
    >>> from modelpriv import SigningKey
    >>> from modelpriv.sealing import set_trusted
    >>> author = SigningKey.generate().signer
    >>> set_trusted(signers=[author])
    >>> set_trusted()
    """
    process.settings.trusted = Trust(
        tuple(read_signers(signers, parameter="signers")), _read_types(types, "types"), _flag(allow_code)
    )


def to_trust(trusted_signers: object = (), trusted_types: object = (), allow_code: object = False) -> Trust:  # noqa: FBT002 - checked here
    """Read the parameters that say what a reader trusts, and add what the process does."""
    always = process.settings.trusted or Trust()
    return Trust(
        (*read_signers(trusted_signers), *always.signers),
        (*_read_types(trusted_types, "trusted_types"), *always.types),
        _flag(allow_code) or always.allow_code,
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
