"""The parser of the command line: it teaches, remembers what it offers, and never repeats what it was given."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from modelpriv._cli.answers import Answer

__all__ = ["PROGRAM", "Parser", "WrongCallError", "summary"]

PROGRAM = "python -m modelpriv"
_DONE, _REFUSED = "done", "refused: it would lose something, or a file was altered or is not trusted"
_NOT_READ = "a file or a key could not be read"


class WrongCallError(Exception):
    """The command was called wrongly.

    Parameters
    ----------
    message : str
        What is wrong, without anything that was given.
    parser : Parser, optional
        The parser of the command, where it is not known otherwise.
    """

    def __init__(self, message: str, parser: Parser | None = None) -> None:
        super().__init__(message)
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """The parser of one command, or of a family of commands.

    Attributes
    ----------
    arguments : list of argparse.Action
        What it takes.
    commands : dict of str to Parser
        The commands of the family.
    """

    def __init__(self, **settings: Any) -> None:
        self.arguments: list[argparse.Action] = []
        self.commands: dict[str, Parser] = {}
        self._family: Any = None
        # Without abbreviations: a new option would change what a script means.
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """Add an argument, and remember it."""
        action = super().add_argument(*names, **settings)
        self.arguments.append(action)
        return action

    def add_family(self, name: str, words: str) -> Parser:
        """Add a family of commands."""
        return self._add(name, description=words)

    def add_command(
        self,
        name: str,
        run: Callable[[argparse.Namespace], Answer],
        words: str,
        *,
        usage: str,
        examples: Iterable[str],
        found: str = "",
    ) -> Parser:
        """Add a command.

        Parameters
        ----------
        name : str
            Its name.
        run : callable
            Takes what was given, and answers.
        words : str
            What it does, and what it does not protect; the first sentence is its summary.
        usage : str
            What it takes, after its name: an option that takes many values comes last.
        examples : iterable of str
            Calls of it, without the program.
        found : str, optional
            What exit code 1 means for a command that answers a question.
        """
        shown = "\n".join(f"  {PROGRAM} {example}" for example in examples)
        done = "nothing is found" if found else _DONE
        ends = f"exit codes: 0 {done}; 1 {found or _REFUSED};\n  2 called wrongly; 3 {_NOT_READ}"
        made = self._add(name, description=words, usage=f"%(prog)s {usage}", epilog=f"examples:\n{shown}\n\n{ends}")
        made.add_argument("--json", action="store_true", help="answer with JSON, for a program")
        made.set_defaults(run=run, asks=bool(found), parser=made)
        return made

    def _add(self, name: str, *, description: str, **settings: Any) -> Parser:
        if self._family is None:
            self._family = self.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
        made: Parser = self._family.add_parser(name, help=summary(description), description=description, **settings)
        self.commands[name] = made
        return made

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Read a command line.

        Raises
        ------
        WrongCallError
            The command line is wrong. The message repeats no value, which may be a secret in the wrong place.
        """
        try:
            given, unknown = self.parse_known_args(words)
        except WrongCallError as wrong:
            message = str(wrong)
            for word in words:
                for value in (word, word.partition("=")[2]):
                    message = message.replace(repr(value), "(not shown)") if value else message
            raise WrongCallError(message, wrong.parser) from None
        if unknown:
            named = sorted({word.partition("=")[0] for word in unknown if word.startswith("-")})
            raise WrongCallError(f"it does not take {', '.join(named) or 'that many arguments'}.", given.parser)
        return given

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong, instead of ending the process."""
        raise WrongCallError(message, self)

    def say(self, message: str) -> None:
        """Write what was wrong with a call, and where to read more."""
        self.print_usage(sys.stderr)
        sys.stderr.write(f"modelpriv: {message.rstrip('.')}. See: {self.prog} --help\n")


def summary(words: str) -> str:
    """Return what a command does, as far as the first full stop or colon of its words."""
    return " ".join(re.split(r"[.:]\s", words + " ")[0].split()) + "."
