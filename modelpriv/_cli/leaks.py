"""The command ``leaks``: what a file or folder shows in plain text, with an exit code for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelpriv._cli.answers import Answer, Exit
from modelpriv.leaks import leak_report

if TYPE_CHECKING:
    import argparse

    from modelpriv._cli.parser import Parser

__all__ = ["add"]

_WORDS = """\
List what PATH, a file or a folder, shows in plain text. Nothing is loaded, and no value is shown: only where it is. Any
text, number or array is of high severity, the name of a class of medium, and where a key is kept of low: --fail-on
moves the line between the exit codes 0 and 1. It does not see what a protected value still says, such as which tokens
are equal."""


def add(parser: Parser) -> None:
    """Add the command."""
    leaks = parser.add_command(
        "leaks",
        _leaks,
        _WORDS,
        usage="PATH [--fail-on SEVERITY] [--json]",
        examples=["leaks artifacts/", "leaks model.joblib --fail-on high --json"],
        found="something of medium severity or more is (see --fail-on)",
    )
    leaks.add_argument("path", metavar="PATH", type=Path, help="a file or folder")
    leaks.add_argument(
        "--fail-on",
        choices=["low", "medium", "high"],
        default="medium",
        help="the lowest severity that gives exit code 1; medium by default",
    )


def _leaks(given: argparse.Namespace) -> Answer:
    report = leak_report(given.path)
    found = Exit.REFUSED if report.at_least(given.fail_on) else Exit.DONE
    return Answer(str(report), report.to_json(), Exit.NOT_READ if report.unread else found)
