"""The command ``python -m modelpriv``: make and rotate keyring files, look into files, verify an audit log."""

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelpriv._cli import audit, leaks
from modelpriv._core import magic
from modelpriv.errors import InputError, ModelprivError, ParameterError, SealedFileError
from modelpriv.evidence.usage import key_usage
from modelpriv.keys import Grant, Keyring, container
from modelpriv.keys.providers import os_keyring
from modelpriv.keys.uri import parse
from modelpriv.sealing import inspect

__all__ = ["main"]

_PASSPHRASE = "MODELPRIV_PASSPHRASE"  # noqa: S105 - the name of a variable
_HELP = f"""\
Keys and files of modelpriv. No secret is ever given on the command line: a passphrase comes from the environment
variable {_PASSPHRASE}, or is asked for."""
_EXAMPLES = """\
examples:
  python -m modelpriv keygen keys.json                    make a keyring file; asks for a passphrase
  python -m modelpriv keygen keyring:modelpriv/ada        make a keyring in the system's keyring
  python -m modelpriv rotate keys.json                    put a new key in front; older ones still open
  python -m modelpriv inspect model.mpriv                 what a model, keyring, grant or table says of itself
  python -m modelpriv leaks artifacts/                    what a folder shows in plain text; exit code 1 if anything
  python -m modelpriv audit verify audit.jsonl --key file:keys.json

In code, key="file:keys.json" or key="keyring:modelpriv/ada" then names the keyring."""
_KEYGEN = """\
Make a keyring with one new key. TO is a file, wrapped under a passphrase by Argon2id, or keyring:SERVICE/USER, an entry
of the system's keyring. An existing entry is never replaced: if you lose a keyring, you lose all that it protects."""
_ROTATE = """\
Put a new key in front of the keyring in FILE: what is written from now on uses it, and what was written before still
opens. Then move tables with FieldEncryptor.rewrap and models with modelpriv.rewrap; key_usage says what still needs
the older key, and Keyring.retire takes it out. A file that a provider wraps, such as an HSM or Vault, is rotated in
Python: Keyring.load(FILE, provider=...).rotate().save(FILE, wrap_with=...)."""
_INSPECT = """\
Show what FILE says of itself, without a key: a sealed model, a keyring file, a grant, or the key ids of the tokens in a
Parquet or Arrow file. Until it is opened with a key no one can tell whether any of it is true."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    code : int
        0, or 1 if it was refused; the reason is then on standard error. The help of a command names others.
    """
    given = _parser().parse_args(arguments)
    try:
        said = given.run(given)
    except (ModelprivError, OSError) as error:
        sys.stderr.write(f"modelpriv: {error}\n")
        return int(given.exit_code(error))
    lines, code = said if isinstance(said, tuple) else (said, 0)
    sys.stdout.write(lines + "\n")
    return int(code)


def _parser() -> argparse.ArgumentParser:
    def command(parent: Any, name: str, run: Any, words: str) -> argparse.ArgumentParser:
        summary = words.replace("\n", " ").partition(". ")[0].rstrip(".") + "."
        made: argparse.ArgumentParser = parent.add_parser(
            name, help=summary, description=words, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        made.set_defaults(run=run, exit_code=lambda _: 1)
        return made

    parser = argparse.ArgumentParser(
        "python -m modelpriv",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command(commands, "keygen", _keygen, _KEYGEN).add_argument("to", metavar="TO")
    command(commands, "rotate", _rotate, _ROTATE).add_argument("file", metavar="FILE", type=Path)
    command(commands, "inspect", _inspect, _INSPECT).add_argument("file", metavar="FILE", type=Path)
    audit.add(commands, command)
    leaks.add(commands, command)
    return parser


def _keygen(given: argparse.Namespace) -> str:
    keys = Keyring.generate()
    if given.to.startswith("keyring:"):
        service, user = parse(given.to).place.split("/")
        os_keyring.write(service, user, keys.export_secret())
    elif given.to.startswith("env:"):
        raise ParameterError("an environment variable cannot be set from here: make a file, or keyring:SERVICE/USER.")
    else:
        path = Path(given.to.removeprefix("file:"))
        if path.exists():
            raise ParameterError(f"{given.to!r} is there already, and is not replaced.")
        keys.save(path, passphrase=_passphrase(given.to, new=True))
    return f"{given.to}: a keyring with key id {keys.primary}. Keep a copy in another place."


def _rotate(given: argparse.Namespace) -> str:
    passphrase = _passphrase(str(given.file))
    keys = Keyring.load(given.file, passphrase=passphrase).rotate()
    keys.save(given.file, passphrase=passphrase)
    return f"{given.file}: new key id {keys.primary}; older: {', '.join(keys.key_ids[1:])}."


def _inspect(given: argparse.Namespace) -> str:
    """Show a file by what its first bytes say it is."""
    with given.file.open("rb") as file:
        start = file.read(64)
    if start.startswith(magic.SEALED.begins):
        return str(inspect(given.file))
    if start.startswith(b"{"):
        return _inspect_line(given.file)
    if not (usage := key_usage(given.file)):
        raise InputError(f"{given.file} holds no token, and nothing else that names a key of modelpriv.")
    return str(usage)


def _inspect_line(path: Path) -> str:
    try:
        return f"unverified: {Grant.load(path)!r}"
    except SealedFileError:
        pass
    for kind in ("keyring", "identity", "signing key"):
        try:
            public = container.read_public(path, kind)
        except SealedFileError:
            continue
        return "\n".join(
            [f"unverified: {kind} file", *(f"  {name}: {said!r}" for name, said in sorted(public.items()))]
        )
    raise SealedFileError(f"{path} is not a file of modelpriv, or it was cut or altered.")


def _passphrase(name: str, *, new: bool = False) -> str:
    if (found := os.environ.get(_PASSPHRASE)) is not None:
        return found
    if not sys.stdin.isatty():
        raise ParameterError(f"{name} needs a passphrase: set {_PASSPHRASE}, or run this at a terminal.")
    first = getpass.getpass(f"Passphrase for {name}: ")
    if new and getpass.getpass("Again: ") != first:
        raise ParameterError("the two passphrases differ.")
    return first


if __name__ == "__main__":
    sys.exit(main())
