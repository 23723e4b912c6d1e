"""The command ``usage``: which keys files and folders need, before one of them is retired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelpriv._cli.answers import Answer, Exit, sentence
from modelpriv._cli.incoming import id_of
from modelpriv.errors import ModelprivError
from modelpriv.evidence.usage import KeyUsage, Use, key_usage

if TYPE_CHECKING:
    import argparse

    from modelpriv._cli.parser import Parser

__all__ = ["add"]

_WORDS = """\
Count what needs which key, in files and folders with all below them: sealed models and the steps inside, tokens in
tables, pickles and text, keyring files, audit logs. No key is needed for it. With --key-id only that key is looked for,
and the exit code is 1 if anything needs it: ask so before you retire it.

Pseudonyms, fakes, format-preserving ciphertext and projections in a table name no key: they are not seen, nor is what
you do not name. A file that could not be read is listed, and gives exit code 3."""


def add(parser: Parser) -> None:
    """Add the command."""
    usage = parser.add_command(
        "usage",
        _usage,
        _WORDS,
        usage="PATH ... [--key-id KEY_ID] [--progress] [--json] [--ignore PATTERN ...]",
        examples=["usage models/ tables/", 'usage registry/ --key-id 5e0c92d1 --progress --ignore "*.png" "*.lock"'],
        found="with --key-id, something needs the key",
    )
    usage.add_argument("paths", nargs="+", metavar="PATH", help="a file or folder")
    usage.add_argument("--key-id", type=id_of(8, "a key"), metavar="KEY_ID", help="look for this key only")
    usage.add_argument("--progress", action="store_true", help="show how far it is, on standard error")
    usage.add_argument("--ignore", nargs="+", default=(), metavar="PATTERN", help="paths in folders to pass over")


def _usage(given: argparse.Namespace) -> Answer:
    found = _counted(given)
    if given.key_id is not None:
        found = KeyUsage(tuple(use for use in found.uses if use.key_id == given.key_id), found.unread)
    code = Exit.REFUSED if given.key_id in found else Exit.DONE
    return Answer(str(found), found.to_json(), Exit.NOT_READ if found.unread else code)


def _counted(given: argparse.Namespace) -> KeyUsage:
    """Count in all that was given; a path that cannot be read does not end it."""
    uses: list[Use] = []
    unread: list[tuple[str, str]] = []
    for path in given.paths:
        try:
            found = key_usage(path, ignore=given.ignore, verbose=given.progress)
        except (ModelprivError, OSError) as error:
            unread.append((path, sentence(error, given.parser.arguments)))
        else:
            uses += found.uses
            unread += found.unread
    return KeyUsage.of(uses, unread)
