"""What a command answers, for people and as JSON, and the one rule for how every command ends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from modelpriv.errors import KeyUnavailableError, ModelprivError, SealedFileError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

__all__ = ["Answer", "Exit", "UnreadableError", "answer", "exit_of", "for_each", "lines", "plain", "sentence"]


class UnreadableError(ModelprivError):
    """A file that the command was given cannot be read as what it should be."""


_NOT_READ = (OSError, KeyUnavailableError, UnreadableError)


class Exit(IntEnum):
    """The exit codes of all commands."""

    DONE = 0
    REFUSED = 1  # or something was found
    WRONG_CALL = 2
    NOT_READ = 3


@dataclass(frozen=True)
class Answer:
    """What a command says: a text for people, the same as JSON, how it ends, and what went wrong on the way."""

    text: str
    json: str
    code: int = Exit.DONE
    problems: tuple[str, ...] = ()


def answer(text: str, /, **fields: Any) -> Answer:
    """Return an answer whose JSON is an object with these fields."""
    return Answer(text, json.dumps(fields))


def for_each(given: argparse.Namespace, act: Callable[[str], tuple[str, dict[str, Any]]]) -> Answer:
    """Do the same with each of ``given.files``, and answer for all of them; a file that fails does not end it.

    Parameters
    ----------
    given : Namespace
        What was given on the command line.
    act : callable
        Takes a path, and gives the text and the fields that tell what was done.
    """
    lines, done, failed, problems, code = [], [], [], [], Exit.DONE
    for path in given.files:
        try:
            line, fields = act(path)
        except (ModelprivError, OSError) as error:
            why = sentence(error, given.parser.arguments)
            failed.append({"file": path, "why": why})
            named = why.startswith(f"{plain(path)}: ") or repr(path) in why
            problems.append(why if named else f"{plain(path)}: {why}")
            code = max(code, exit_of(error, asks=False))
        else:
            lines.append(f"{plain(path)}: {line}")
            done.append({"file": path, **fields})
    return Answer("\n".join(lines), json.dumps({"files": done, "failed": failed}), code, tuple(problems))


def exit_of(error: Exception, *, asks: bool) -> Exit:
    """Return how a command ends that met an error.

    Parameters
    ----------
    error : Exception
        The error.
    asks : bool
        Whether the command answers a question, such as whether a log is whole. Then everything but a file that was
        altered means that there is no answer.
    """
    if asks:
        return Exit.REFUSED if isinstance(error, SealedFileError) else Exit.NOT_READ
    return Exit.NOT_READ if isinstance(error, _NOT_READ) else Exit.REFUSED


def sentence(error: Exception, options: Iterable[argparse.Action] = ()) -> str:
    """Return what an error says on one line, with the options of a command where it names parameters."""
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{error.filename}: "
        return plain(f"{where}{error.strerror or type(error).__name__}. Check the path, its permissions and the disk.")
    said = str(error)
    for option in options:
        if option.option_strings:
            name = option.option_strings[-1]
            said = re.sub(rf"\b{option.dest}='([^']*)'", rf"{name} \1", said)
            said = re.sub(rf"\b{option.dest}=(?:\[\.\.\.\]|\.\.\.|True|None)?", name, said)
    return plain(said)


def plain(text: object) -> str:
    """Return a text with nothing in it that a terminal obeys: names of files and events may come from strangers."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in str(text))


def lines(parts: Iterable[tuple[str, object]]) -> str:
    """Return named facts, one a line."""
    return "\n".join(f"  {name.replace('_', ' ')}: {plain(fact)}" for name, fact in parts)
