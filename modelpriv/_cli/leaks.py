"""The command ``leaks``: what a file or folder shows in plain text, with an exit code for CI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelpriv.leaks import LeakReport, leak_report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

_WORDS = """\
List what PATH, a file or a folder, shows in plain text. Nothing is loaded, and no value is shown: only where it is. The
exit code is 0 if nothing is found, 1 if something of medium or high severity is, and 2 if a file could not be read to
its end. Any text, number or array is of high severity, the name of a class of medium, and where a key is kept of low:
--fail-on moves the line."""

_NOTHING, _FOUND, _NOT_READ = range(3)


def add(commands: Any, command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command to the parser, by the function that makes one."""
    parser = command(commands, "leaks", run, _WORDS)
    parser.add_argument("path", metavar="PATH", type=Path)
    parser.add_argument("--json", action="store_true", help="write JSON, for a program")
    parser.add_argument(
        "--fail-on",
        choices=["low", "medium", "high"],
        default="medium",
        help="the lowest severity that gives exit code 1; medium by default",
    )
    parser.set_defaults(exit_code=lambda _: _NOT_READ)


def run(given: argparse.Namespace) -> tuple[str, int]:
    """Give what is written, and the exit code."""
    report = leak_report(given.path)
    if report.unread:
        return _written(report, given), _NOT_READ
    return _written(report, given), _FOUND if report.at_least(given.fail_on) else _NOTHING


def _written(report: LeakReport, given: argparse.Namespace) -> str:
    return report.to_json() if given.json else str(report)
