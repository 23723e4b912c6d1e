"""The command ``grant``: give one person the keys of some columns, and look at what was granted."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from modelpriv._cli.answers import Answer, answer, lines, plain
from modelpriv._cli.incoming import public, uri
from modelpriv.errors import ParameterError
from modelpriv.keys import Grant, Identity, Keyring, Recipient, Signer, SigningKey

if TYPE_CHECKING:
    from modelpriv._cli.parser import Parser

__all__ = ["add"]

_GRANT = """\
Grant one person the keys of some columns, and open grants. To see what a grant says without opening it, use inspect."""
_MAKE = """\
Write a grant to FILE: the keys of the named contexts (usually the names of columns), sealed to one recipient and signed
by you. Its holder reads and writes these columns in every table that uses their names, and no other ones. The library
enforces --uses and --expires; mathematics does not. A grant cannot be taken back: to end it, rotate, and move the
tables. FILE is not replaced if it exists."""
_OPEN = """\
Open the grant in FILE as its recipient, and show what it gives: contexts, uses, until when, and the ids of the keys. It
fails if it is for another person, was altered, has expired, or was signed by no one whom you name. The keys are not
shown and not stored: pass Grant.load(FILE).open(...) as key= in Python. That a grant opens does not say that its
contexts are those that you asked for."""


def add(parser: Parser) -> None:
    """Add the family."""
    family = parser.add_family("grant", _GRANT)
    make = family.add_command(
        "make",
        _make,
        _MAKE,
        usage=(
            "FILE --key URI --recipient LINE --sign-with URI [--expires TIME] [--json]\n"
            "         [--uses USE ...] --contexts CONTEXT ..."
        ),
        examples=["grant make ada.grant --key env:KEY --recipient ada.recipient --sign-with env:SIGN --contexts email"],
    )
    make.add_argument("file", metavar="FILE", help="the file of the grant")
    make.add_argument("--key", required=True, type=uri("keyring"), metavar="URI", help="the keyring")
    make.add_argument(
        "--recipient", required=True, type=public(Recipient), metavar="LINE", help="the person's line, or its file"
    )
    make.add_argument("--sign-with", required=True, type=uri("signing key"), metavar="URI", help="your signing key")
    make.add_argument("--contexts", required=True, nargs="+", metavar="CONTEXT", help="the names of the columns")
    make.add_argument("--uses", nargs="+", metavar="USE", help="what the keys are for, such as siv-deterministic")
    make.add_argument("--expires", type=_time, metavar="TIME", help="a date or time, such as 2031-01-01; UTC")
    opened = family.add_command(
        "open",
        _open,
        _OPEN,
        usage="FILE --identity URI [--json] --trusted-signers LINE ...",
        examples=["grant open ada.grant --identity file:ada.json --trusted-signers team.signer"],
    )
    opened.add_argument("file", metavar="FILE", help="the file of the grant")
    opened.add_argument("--identity", required=True, type=uri("identity"), metavar="URI", help="your identity")
    opened.add_argument(
        "--trusted-signers",
        required=True,
        nargs="+",
        type=public(Signer),
        metavar="LINE",
        help="the signers whose grants you take: their lines, or the files of these",
    )


def _make(given: argparse.Namespace) -> Answer:
    if Path(given.file).exists():
        raise ParameterError(f"{given.file!r} is there already, and is not replaced. Give another path.")
    signing_key = SigningKey.from_uri(given.sign_with)
    grant = Keyring.from_uri(given.key).grant(
        given.contexts,
        recipient=given.recipient,
        sign_with=signing_key,
        uses=given.uses,
        expires=given.expires,
    )
    grant.save(given.file)
    who = f"recipient {grant.recipient_id}, signed by {signing_key.signer.id}"
    return answer(
        f"{plain(given.file)}: grant {grant.id} for {who}.",
        file=given.file,
        id=grant.id,
        recipient=grant.recipient_id,
        signer=signing_key.signer.id,
        contexts=given.contexts,
    )


def _open(given: argparse.Namespace) -> Answer:
    grant = Grant.load(given.file)
    keys = grant.open(identity=Identity.from_uri(given.identity), trusted_signers=given.trusted_signers)
    scope = keys.scope
    expires = None if scope.expires is None else scope.expires.isoformat()
    facts = [
        ("contexts", ", ".join(map(repr, scope.contexts))),
        ("uses", "all" if scope.uses is None else ", ".join(scope.uses)),
        ("expires", expires or "never"),
        ("key ids", ", ".join(keys.key_ids)),
    ]
    return answer(
        f"{plain(given.file)}: grant {grant.id} is yours, and signed by one whom you trust\n{lines(facts)}",
        file=given.file,
        id=grant.id,
        contexts=list(scope.contexts),
        uses=None if scope.uses is None else list(scope.uses),
        expires=expires,
        key_ids=list(keys.key_ids),
    )


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a time reads 2031-01-01 or 2031-01-01T12:00+00:00.") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
