"""The command ``inspect``: what a file says of itself, by what its first bytes say it is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelpriv._cli.answers import Answer, UnreadableError, lines
from modelpriv._core import magic
from modelpriv.errors import InputError, InputTypeError
from modelpriv.evidence.usage import key_usage
from modelpriv.keys import Grant, Recipient, Signer, container
from modelpriv.sealing import inspect

if TYPE_CHECKING:
    import argparse

    from modelpriv._cli.parser import Parser

__all__ = ["add"]

_WORDS = """\
Show what FILE says of itself, without a key: a sealed model or a folder that holds one, a keyring file, an identity, a
signing key, a public line, a grant, or the key ids of what else names some, such as the tokens in a table. Until it is
opened with a key no one can tell whether any of it is true, so decide nothing by it."""
_LINES = {b"modelpriv_recipient_": ("recipient", Recipient), b"modelpriv_signer_": ("signer", Signer)}
_KINDS = {kind: kind.name for kind in (magic.KEYRING, magic.IDENTITY, magic.SIGNING_KEY)}


def add(parser: Parser) -> None:
    """Add the command."""
    command = parser.add_command(
        "inspect",
        _inspect,
        _WORDS,
        usage="FILE [--json]",
        examples=["inspect model.mpriv", "inspect keys.json --json"],
    )
    command.add_argument("file", metavar="FILE", type=Path, help="the file")


def _inspect(given: argparse.Namespace) -> Answer:
    path = given.file
    kind = magic.SEALED if path.is_dir() else magic.identify(_begins(path))
    if kind == magic.SEALED:
        found = inspect(path)
        policy = None if found.policy is None else found.policy.to_json()
        return Answer(str(found), _json(kind.name, {**asdict(found), "policy": policy}))
    if kind == magic.GRANT:
        grant = Grant.load(path)
        claims = {"id": grant.id, "recipient": grant.recipient_id}
        return _claimed(kind.name, claims)
    if kind in _KINDS:
        return _claimed(_KINDS[kind], container.read_public(path, _KINDS[kind]))
    for begins, (name, cls) in _LINES.items():
        if _begins(path).startswith(begins):
            line = cls.load(path)
            return _claimed(name, {"id": line.id, "kind": line.kind, name: str(line)})
    try:
        usage = key_usage(path)
    except (InputError, InputTypeError) as error:
        raise UnreadableError(str(error)) from None
    if not usage:
        raise UnreadableError(f"{str(path)!a} holds no token, and nothing else that names a key of modelpriv.")
    return Answer(str(usage), _json("key ids", json.loads(usage.to_json())))


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _claimed(kind: str, claims: dict[str, Any]) -> Answer:
    shown = lines((name, repr(claim)) for name, claim in sorted(claims.items()))
    return Answer(f"unverified: {kind} file\n{shown}", _json(kind, claims))


def _json(kind: str, claims: dict[str, Any]) -> str:
    return json.dumps({"kind": kind, "verified": False, "claims": claims})
