"""The commands of a keyring's life: make one, rotate it, retire its older keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelpriv._cli.answers import Answer, answer, plain
from modelpriv._cli.incoming import ask, id_of, place, store
from modelpriv._cli.parser import Parser, WrongCallError
from modelpriv.errors import ParameterError
from modelpriv.keys import Keyring

if TYPE_CHECKING:
    import argparse

    from modelpriv.keys.uri import KeyringURI

__all__ = ["add"]

_KEYGEN = """\
Make a keyring with one new key. TO is a file, wrapped under a passphrase by Argon2id, or keyring:SERVICE/USER, an entry
of the system's keyring. Nothing that exists is replaced. The passphrase comes from MODELPRIV_PASSPHRASE, or is asked
for. If you lose the keyring, you lose all that it protects: keep a copy in another place. A weak passphrase does not
protect a file that others get."""
_ROTATE = """\
Put a new key in front of the keyring in FILE. What is written from now on uses it, and what was written before still
opens: so rotate alone shuts no one out who has an older key. Then move models with rewrap and repin, and tables with
FieldEncryptor.rewrap; usage says what still needs an older key, and retire takes that out.

With --distrust the older keys, which leaked, open tokens but no model any more, since others could write one.

A file that a provider wraps, such as an HSM or Vault, is rotated in Python:
Keyring.load(FILE, provider=...).rotate().save(FILE, wrap_with=...)."""
_RETIRE = """\
Take an older key out of the keyring in FILE. What was written under it can then not be read, by anyone. So name with
--check all that may need it, files and folders: if one of them does, or cannot be read, nothing is changed and the exit
code is 1. Nothing else is looked at, and FILE itself is passed over. Pseudonyms, fakes and format-preserving ciphertext
name no key and are not seen. Keep a backup of the keyring until you are sure."""


def add(parser: Parser) -> None:
    """Add the commands."""
    keygen = parser.add_command(
        "keygen",
        _keygen,
        _KEYGEN,
        usage="TO [--json]",
        examples=["keygen keys.json", "keygen keyring:modelpriv/ada"],
    )
    keygen.add_argument("to", metavar="TO", type=place("keyring"), help="a file, or keyring:SERVICE/USER")
    rotate = parser.add_command(
        "rotate",
        _rotate,
        _ROTATE,
        usage="FILE [--distrust] [--json]",
        examples=["rotate keys.json", "rotate keys.json --distrust"],
    )
    rotate.add_argument("file", metavar="FILE", type=place("keyring"), help="the keyring file")
    rotate.add_argument("--distrust", action="store_true", help="the older keys leaked: they open no models any more")
    _add_retire(parser)


def _add_retire(parser: Parser) -> None:
    retire = parser.add_command(
        "retire",
        _retire,
        _RETIRE,
        usage="FILE KEY_ID (--check PATH ... | --no-check) [--ignore PATTERN ...] [--json]",
        examples=[
            "retire keys.json 5e0c92d1 --check models/ tables/",
            'retire keys.json 5e0c92d1 --check registry/ --ignore "*.png" "*.lock"',
        ],
    )
    retire.add_argument("file", metavar="FILE", type=place("keyring"), help="the keyring file")
    retire.add_argument("key_id", metavar="KEY_ID", type=id_of(8, "a key"), help="the id of the older key")
    retire.add_argument("--check", nargs="+", metavar="PATH", help="what may still need the key")
    retire.add_argument("--no-check", action="store_true", help="look at nothing: you know that nothing needs the key")
    retire.add_argument(
        "--ignore", nargs="+", default=(), metavar="PATTERN", help="paths in those folders to pass over"
    )


def _keygen(given: argparse.Namespace) -> Answer:
    keys = Keyring.generate()
    store(keys, given.to)
    to = _name(given.to)
    return answer(
        f"{plain(to)}: a keyring with key id {keys.primary}. Keep a copy in another place.", to=to, key_id=keys.primary
    )


def _rotate(given: argparse.Namespace) -> Answer:
    keys, path, passphrase = _opened(given.file)
    rotated = keys.rotate(distrust=given.distrust)
    rotated.save(path, passphrase=passphrase)
    older = list(rotated.key_ids[1:])
    return answer(
        f"{plain(path)}: new key id {rotated.primary}; older: {', '.join(older)}.",
        file=str(path),
        key_id=rotated.primary,
        older=older,
        distrusted=sorted(rotated.distrusted),
    )


def _retire(given: argparse.Namespace) -> Answer:
    if bool(given.check) == given.no_check:
        raise WrongCallError(
            "name all that may still need the key with --check PATH ..., or give --no-check if you know that nothing "
            "does."
        )
    keys, path, passphrase = _opened(given.file)
    check = [_with_whole_path(one, path) for one in given.check or ()]
    kept = keys.retire(given.key_id, check=check, ignore=[*given.ignore, str(path.resolve())])
    kept.save(path, passphrase=passphrase)
    return answer(
        f"{plain(path)}: key id {given.key_id} is retired; left: {', '.join(kept.key_ids)}.",
        file=str(path),
        retired=given.key_id,
        key_ids=list(kept.key_ids),
    )


def _with_whole_path(checked: str, keyring: Path) -> str:
    """Return the whole path of a folder that the keyring is in: by its own, the keyring is passed over there."""
    whole = Path(checked).resolve()
    return str(whole) if whole in keyring.resolve().parents else checked


def _opened(where: KeyringURI) -> tuple[Keyring, Path, str]:
    """Open a keyring file, to be written back under the same passphrase."""
    if where.scheme != "file":
        raise ParameterError(
            f"{where.uri} is not a file, and only files are changed from here. In Python, change what "
            f"Keyring.from_uri({where.uri!r}) returns, and store its export_secret() there."
        )
    path = Path(where.place).expanduser()
    path.stat()  # a file that is not there needs no passphrase
    passphrase = ask(str(path))
    return Keyring.load(path, passphrase=passphrase), path, passphrase


def _name(where: KeyringURI) -> str:
    return where.place if where.scheme == "file" else where.uri
