"""How secrets come in: a passphrase from the environment or a prompt, a key by its URI, never on a command line."""

from __future__ import annotations

import argparse
import contextlib
import errno
import getpass
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modelpriv._cli.answers import UnreadableError
from modelpriv._columns.files import read_table
from modelpriv._core import process
from modelpriv.errors import InputError, KeyUnavailableError, ParameterError
from modelpriv.keys import Recipient, Signer
from modelpriv.keys.providers import os_keyring
from modelpriv.keys.uri import KeyringURI, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from modelpriv.keys import Identity, Keyring, SigningKey

__all__ = ["NEW_PASSPHRASE", "PASSPHRASE", "ask", "asking", "id_of", "place", "public", "store", "table", "uri"]

PASSPHRASE = "MODELPRIV_PASSPHRASE"  # noqa: S105 - the name of a variable
NEW_PASSPHRASE = "MODELPRIV_NEW_PASSPHRASE"  # noqa: S105 - the same
_SCHEMES = ("env:", "keyring:", "file:")

Line = TypeVar("Line", Recipient, Signer)
T = TypeVar("T")


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Ask for the passphrase of every file that is opened in this block by its URI."""
    before = process.settings.passphrase
    if before is None:
        process.settings.passphrase = ask
    try:
        yield
    finally:
        process.settings.passphrase = before


def ask(name: str, variable: str = PASSPHRASE, *, new: bool = False) -> str:
    """Return a passphrase from the environment, or ask for it at the terminal; twice if it is new.

    Raises
    ------
    KeyUnavailableError
        There is neither a variable nor a terminal.
    ParameterError
        The two passphrases differ.
    """
    if (found := os.environ.get(variable)) is not None:
        return found
    if sys.stdin is None or not sys.stdin.isatty():
        raise KeyUnavailableError(f"{name} needs a passphrase: set {variable}, or run this at a terminal.")
    first = getpass.getpass(f"{'New passphrase' if new else 'Passphrase'} for {name}: ")
    if new and getpass.getpass("Again: ") != first:
        raise ParameterError("the two passphrases differ.")
    return first


def uri(kind: str) -> Callable[[str], str]:
    """Return what reads the URI of a kind of key from the command line."""
    return lambda text: _refused(lambda: parse(text, kind).uri)


def place(kind: str) -> Callable[[str], KeyringURI]:
    """Return what reads the URI of a kind of key, or the path of its file."""
    return lambda text: _refused(lambda: parse(text if text.startswith(_SCHEMES) else f"file:{text}", kind))


def public(cls: type[Line]) -> Callable[[str], Line]:
    """Return what reads a public key: its line of text, or a file that holds it."""

    def read(text: str) -> Line:
        is_line = text.lstrip().startswith(("modelpriv_", "-----BEGIN "))
        return _refused(lambda: cls(text) if is_line else cls.load(text))

    return read


def id_of(digits: int, what: str) -> Callable[[str], str]:
    """Return what reads an id, which would otherwise be looked for in vain."""

    def read(text: str) -> str:
        if not re.fullmatch(f"[0-9a-f]{{{digits}}}", text):
            raise argparse.ArgumentTypeError(f"the id of {what} has {digits} hexadecimal digits.")
        return text

    return read


def table(path: str, text: Iterable[str] = ()) -> Any:
    """Read a table that the command was given; these columns of a CSV file stay text.

    Raises
    ------
    UnreadableError
        The file holds none.
    OSError
        The file cannot be read.
    """
    try:
        return read_table(path, text)
    except InputError as error:
        raise UnreadableError(str(error)) from None


def store(key: Keyring | Identity | SigningKey, where: KeyringURI) -> None:
    """Put a new key where nothing is yet.

    Raises
    ------
    ParameterError
        Something is there, or it is a place that cannot be written from here.
    KeyUnavailableError
        There is no passphrase, or the system's keyring cannot be written.
    OSError
        The file cannot be written.
    """
    if where.scheme == "env":
        raise ParameterError(
            "an environment variable cannot be set from here: make a file, or an entry keyring:SERVICE/USER."
        )
    if where.scheme == "keyring":
        service, user = where.place.split("/")
        os_keyring.write(service, user, key.export_secret())
        return
    path = Path(where.place).expanduser()
    if path.exists():
        raise ParameterError(f"{str(path)!r} is there already, and is not replaced. Give another path.")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))
    key.save(path, passphrase=ask(str(path), new=True))


def _refused(read: Callable[[], T]) -> T:
    """Read a value; argparse would repeat it where it is wrong."""
    try:
        return read()
    except ParameterError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
