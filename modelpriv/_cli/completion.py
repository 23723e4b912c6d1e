"""The command ``completion``: what a shell needs to complete the commands, written from the parser."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, NamedTuple

from modelpriv._cli.answers import Answer, answer
from modelpriv._cli.parser import summary

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from modelpriv._cli.parser import Parser

__all__ = ["add"]

_WORDS = """\
Write what SHELL needs to complete the commands, their options and files. It also defines 'modelpriv' as a short name
of 'python -m modelpriv' with this Python, where no such command is there, since that is the name that is completed.
Values, such as key ids, are not completed, and nothing of yours is read or protected."""


class _Place(NamedTuple):
    """A place in the command line: the commands before it, and what may follow, each with its help."""

    at: str
    commands: dict[str, str]
    options: dict[str, str]
    choices: dict[str, list[str]]


def add(parser: Parser, whole: Parser) -> None:
    """Add the command to a parser; it completes what the whole one takes."""

    def write(given: argparse.Namespace) -> Answer:
        text = _SHELLS[given.shell](list(_places(whole, "")))
        return answer(text.rstrip("\n"), shell=given.shell, script=text)

    command = parser.add_command(
        "completion",
        write,
        _WORDS,
        usage="SHELL [--json]",
        examples=["completion bash > ~/.local/share/bash-completion/completions/modelpriv", "completion fish"],
    )
    command.add_argument("shell", metavar="SHELL", choices=list(_SHELLS), help="bash, zsh or fish")


def _places(parser: Parser, at: str) -> Iterator[_Place]:
    """Give the place of a parser, and of all that are in it."""
    options = {
        name: (one.help or "") for one in parser.arguments for name in one.option_strings if name.startswith("--")
    }
    choices = {
        one.option_strings[-1] if one.option_strings else "": list(map(str, one.choices))
        for one in parser.arguments
        if one.choices
    }
    commands = {name: summary(one.description or "").rstrip(".") for name, one in parser.commands.items()}
    yield _Place(at, commands, options, choices)
    for name, one in parser.commands.items():
        yield from _places(one, f"{at} {name}".strip())


def _words_of(place: _Place) -> list[str]:
    """Return what is offered where no option is begun."""
    return [*place.commands, *place.choices.get("", ())]


def _short_name(form: str) -> str:
    return form.format(python=shlex.quote(sys.executable))


def _bash(places: list[_Place]) -> str:
    known = "|".join(f'"{place.at}"' for place in places if place.at)
    words = "".join(
        f"    {shlex.quote(place.at)}) words={shlex.quote(' '.join(_words_of(place)))}; "
        f"options={shlex.quote(' '.join(place.options))} ;;\n"
        for place in places
    )
    values = "".join(
        f"    {shlex.quote(f'{place.at} {option}')}) words={shlex.quote(' '.join(choices))}; cur=$cur ;;\n"
        for place in places
        for option, choices in place.choices.items()
        if option
    )
    return f"""\
# Completion of modelpriv for bash.
{_short_name('type modelpriv >/dev/null 2>&1 || modelpriv() {{ {python} -m modelpriv "$@"; }}')}
_modelpriv() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} at="" words="" options="" word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "${{at:+$at }}$word" in {known}) at="${{at:+$at }}$word" ;; esac
  done
  case "$at" in
{words}  esac
  case "$at $before" in
{values}  esac
  [[ $cur == -* ]] && words=$options
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _modelpriv modelpriv
"""


def _zsh(places: list[_Place]) -> str:
    def described(offered: dict[str, str]) -> str:
        return " ".join(shlex.quote(f"{name}:{said}") for name, said in offered.items())

    known = "|".join(f'"{place.at}"' for place in places if place.at)
    cases = "".join(
        f"    {shlex.quote(place.at)}) words_=({described(dict.fromkeys(_words_of(place), '') | place.commands)}); "
        f"options=({described(place.options)}) ;;\n"
        for place in places
    )
    values = "".join(
        f"    {shlex.quote(f'{place.at} {option}')}) words_=({' '.join(map(shlex.quote, choices))}) ;;\n"
        for place in places
        for option, choices in place.choices.items()
        if option
    )
    return f"""\
#compdef modelpriv
# Completion of modelpriv for zsh; load it after compinit.
{_short_name('(( $+commands[modelpriv] )) || modelpriv() {{ {python} -m modelpriv "$@" }}')}
_modelpriv() {{
  local at="" word
  local -a words_ options
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    case "${{at:+$at }}$word" in {known}) at="${{at:+$at }}$word" ;; esac
  done
  case "$at" in
{cases}  esac
  case "$at ${{words[CURRENT-1]}}" in
{values}  esac
  if [[ $PREFIX == -* ]]; then
    _describe option options
  elif (( $#words_ )); then
    _describe word words_
  else
    _files
  fi
}}
compdef _modelpriv modelpriv
"""


def _fish(places: list[_Place]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    known = " ".join(quoted(place.at) for place in places if place.at)
    made = []
    for place in places:
        here = f"complete -c modelpriv -n {quoted(f'__modelpriv_is {quoted(place.at)}')}"
        commands = {**dict.fromkeys(place.choices.get("", ()), ""), **place.commands}
        made += [f"{here} -f -a {name} -d {quoted(said)}" for name, said in commands.items()]
        for option, said in place.options.items():
            chosen = f" -x -a {quoted(' '.join(place.choices[option]))}" if option in place.choices else ""
            made.append(f"{here} -l {option[2:]} -d {quoted(said)}{chosen}")
    python = quoted(sys.executable)
    return f"""\
# Completion of modelpriv for fish.
type -q modelpriv; or function modelpriv; {python} -m modelpriv $argv; end
function __modelpriv_is
    set -l at
    for word in (commandline -opc)[2..-1]
        contains -- (string join ' ' -- $at $word) {known}; and set at $at $word
    end
    set -l here (string join ' ' -- $at)
    test "$here" = "$argv[1]"
end
{chr(10).join(made)}
"""


_SHELLS: dict[str, Callable[[list[_Place]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
