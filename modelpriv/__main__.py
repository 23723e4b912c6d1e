"""The command ``python -m modelpriv``: keys, sealed models and audit logs, from a shell."""

import os
import sys
import warnings
from collections.abc import Sequence

from modelpriv._cli import audit, completion, grants, inspecting, keyrings, leaks, models, private_keys, tables, usage
from modelpriv._cli.answers import Exit, exit_of, plain, sentence
from modelpriv._cli.incoming import asking
from modelpriv._cli.parser import PROGRAM, Parser, WrongCallError
from modelpriv.errors import ModelprivError

__all__ = ["main"]

_WORDS = """\
Keys, sealed models and audit logs of modelpriv. No secret is ever given on the command line: keys are named by a URI
(env:NAME, file:PATH, keyring:SERVICE/USER), and a passphrase comes from MODELPRIV_PASSPHRASE, or is asked for. The
command protects no more than its library does, and not the memory and the environment of its own process."""
_EPILOG = f"""\
examples:
  {PROGRAM} keygen keys.json                       make a keyring file; asks for a passphrase
  {PROGRAM} rotate keys.json                       put a new key in front; older ones still open
  {PROGRAM} rewrap model.mpriv --key file:keys.json
  {PROGRAM} usage models/ tables/                  what needs which key
  {PROGRAM} leaks artifacts/                       what a folder shows in plain text

exit codes of every command: 0 done, or nothing found; 1 refused, or something found; 2 called wrongly;
  3 a file or a key could not be read"""
_INTERRUPTED = 130  # as shells have it: 128, and the number of the signal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    code : int
        0 if it was done, 1 if it was refused or found something, 2 if it was called wrongly, 3 if something could not
        be read. What went wrong is then on standard error.
    """
    parser = build()
    try:
        given = parser.read(sys.argv[1:] if arguments is None else arguments)
    except WrongCallError as wrong:
        (wrong.parser or parser).say(str(wrong))
        return Exit.WRONG_CALL
    except OSError as error:  # a file that holds a public line
        return _failed(sentence(error), Exit.NOT_READ)
    try:
        with asking(), warnings.catch_warnings():
            warnings.showwarning = _warned  # type: ignore[assignment]  # it needs the message alone
            said = given.run(given)
        _write(said.json if given.json else said.text)
    except WrongCallError as wrong:
        given.parser.say(str(wrong))
        return Exit.WRONG_CALL
    except (ModelprivError, OSError) as error:
        return _failed(sentence(error, given.parser.arguments), exit_of(error, asks=given.asks))
    except (KeyboardInterrupt, EOFError):
        return _failed("interrupted; nothing more was done.", _INTERRUPTED)
    for problem in said.problems:
        _failed(problem, said.code)
    return int(said.code)


def build() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(prog=PROGRAM, description=_WORDS, epilog=_EPILOG)
    for family in (keyrings, private_keys, grants, tables, models, usage, inspecting, leaks, audit):
        family.add(parser)
    completion.add(parser, parser)
    return parser


def _write(text: str) -> None:
    """Write the answer; a reader that has seen enough, such as head, is no error."""
    try:
        sys.stdout.write(text + "\n" if text else "")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warned(message: Warning | str, *_: object) -> None:
    """Write a warning as a sentence, without the line of the source that Python adds."""
    sys.stderr.write(f"modelpriv: note: {plain(message)}\n")


def _failed(why: str, code: int) -> int:
    sys.stderr.write(f"modelpriv: {why}\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
