"""The commands ``identity`` and ``signer``: make a private key, and show the public line that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelpriv._cli.answers import Answer, answer, plain
from modelpriv._cli.incoming import place, store
from modelpriv.keys import Identity, SigningKey
from modelpriv.keys.kem import KINDS as IDENTITIES
from modelpriv.keys.signing import KINDS as SIGNERS

if TYPE_CHECKING:
    import argparse

    from modelpriv._cli.parser import Parser

__all__ = ["add"]

_IDENTITY = """\
Make an identity, and show its public line. An identity opens what others sealed to its recipient, the public line."""
_IDENTITY_MAKE = """\
Make an identity in TO, a file under a passphrase or keyring:SERVICE/USER, and show its recipient: the public line that
others seal to. The line holds no secret. But it does not say whose it is: hand it over where the other person knows
that it is from you. Nothing that exists is replaced; without the identity no one opens what was sealed to it."""
_IDENTITY_SHOW = """\
Show the public line of an identity, its recipient. The identity is opened for that, so that no one who changed the file
can make you hand out another line. What the command shows protects nothing: it is public."""
_SIGNER = """\
Make a signing key, and show its public line. A signing key says who wrote a model or a grant, and opens nothing."""
_SIGNER_MAKE = """\
Make a signing key in TO, a file under a passphrase or keyring:SERVICE/USER, and show its signer: the public line that
readers trust. Hand the line over where they know that it is from you. A signature does not say that what you signed is
harmless, and anyone who gets the key signs as you. Nothing that exists is replaced."""
_SIGNER_SHOW = """\
Show the public line of a signing key, its signer. The key is opened for that, so that no one who changed the file can
make you hand out another line. What the command shows protects nothing: it is public."""
_MADE_IN = "a file, or keyring:SERVICE/USER"
_KEPT_IN = "a file, or a URI: env:NAME, file:PATH, keyring:SERVICE/USER"


def add(parser: Parser) -> None:
    """Add both families."""
    identity, signer = parser.add_family("identity", _IDENTITY), parser.add_family("signer", _SIGNER)
    make = identity.add_command(
        "make",
        _make_identity,
        _IDENTITY_MAKE,
        usage="TO [--kind KIND] [--json]",
        examples=["identity make ada.json", "identity make keyring:modelpriv/ada --kind x25519"],
    )
    make.add_argument("to", metavar="TO", type=place("identity"), help=_MADE_IN)
    make.add_argument("--kind", choices=list(IDENTITIES), default="x-wing", help="the kind of key; x-wing by default")
    show = identity.add_command(
        "show",
        _show_identity,
        _IDENTITY_SHOW,
        usage="IDENTITY [--json]",
        examples=["identity show ada.json > ada.recipient", "identity show env:ADA_IDENTITY --json"],
    )
    show.add_argument("key", metavar="IDENTITY", type=place("identity"), help=_KEPT_IN)
    make = signer.add_command(
        "make",
        _make_signing_key,
        _SIGNER_MAKE,
        usage="TO [--kind KIND] [--json]",
        examples=["signer make team.json", "signer make team.json --kind ml-dsa-65"],
    )
    make.add_argument("to", metavar="TO", type=place("signing key"), help=_MADE_IN)
    make.add_argument("--kind", choices=list(SIGNERS), default="ed25519", help="the scheme; ed25519 by default")
    show = signer.add_command(
        "show",
        _show_signer,
        _SIGNER_SHOW,
        usage="SIGNING_KEY [--json]",
        examples=["signer show team.json > team.signer", "signer show keyring:modelpriv/team"],
    )
    show.add_argument("key", metavar="SIGNING_KEY", type=place("signing key"), help=_KEPT_IN)


def _make_identity(given: argparse.Namespace) -> Answer:
    identity = Identity.generate(given.kind)
    store(identity, given.to)
    line = identity.recipient
    return answer(
        f"{plain(given.to.place)}: an identity. Its recipient, for those who seal to it, is {line.id}:\n{line}",
        to=given.to.place if given.to.scheme == "file" else given.to.uri,
        kind=line.kind,
        id=line.id,
        recipient=str(line),
    )


def _show_identity(given: argparse.Namespace) -> Answer:
    line = Identity.from_uri(given.key.uri).recipient
    return answer(str(line), kind=line.kind, id=line.id, recipient=str(line))


def _make_signing_key(given: argparse.Namespace) -> Answer:
    key = SigningKey.generate(given.kind)
    store(key, given.to)
    line = key.signer
    return answer(
        f"{plain(given.to.place)}: a signing key. Its signer, for those who trust it, is {line.id}:\n{line}",
        to=given.to.place if given.to.scheme == "file" else given.to.uri,
        kind=line.kind,
        id=line.id,
        signer=str(line),
    )


def _show_signer(given: argparse.Namespace) -> Answer:
    line = SigningKey.from_uri(given.key.uri).signer
    return answer(str(line), kind=line.kind, id=line.id, signer=str(line))
