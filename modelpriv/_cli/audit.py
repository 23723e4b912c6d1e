"""The command ``python -m modelpriv audit``: verify a log, show its lines, rotate it."""

import argparse
import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modelpriv._core.checks import plural
from modelpriv.audit import AuditLog
from modelpriv.audit.chain import LONGEST_LINE
from modelpriv.audit.head import head_path
from modelpriv.audit.parts import lines_of, opened
from modelpriv.audit.verification import examine
from modelpriv.errors import ParameterError, SealedFileError

__all__ = ["add"]

_VERIFY = """\
Check every line of the audit log LOG, in all files that it was rotated to, and that none is missing. LOG is the log or
its folder. With --expected-head, a text that an earlier run of this command gave and that was kept elsewhere, a log
that was put back to an earlier state is found too; with --expected-id, another log of the same keyring.

The command ends with 0 if all is whole, 1 if the log was altered, cut or replaced, 2 if it was called wrongly, and 3 if
it could not be checked: the key, the log or its head cannot be had, or the log is another writer's."""
_SHOW = """\
Show the lines of the audit log LOG, the oldest first. With --key they are verified first, in all files that the log was
rotated to. Without it only LOG itself is shown, and no one can tell whether it was altered."""
_ROTATE = """\
Close the current file of the audit log LOG and open the next one, while programs write to it. A file that still has the
name LOG is renamed to LOG.000001 and so on; one that logrotate renamed keeps its name. Call this in 'postrotate', as a
user who may write the log."""
_UNVERIFIED = "unverified, since there is no --key:"
_REFUSED, _NOT_CHECKED = 1, 3

Command = Callable[[Any, str, Callable[[argparse.Namespace], str], str], argparse.ArgumentParser]


def add(commands: Any, command: Command) -> None:
    """Add the family to the parser, by the function that makes a command."""
    family = commands.add_parser("audit", help="Work with audit logs.").add_subparsers(required=True, metavar="COMMAND")
    verify = command(family, "verify", _verify, _VERIFY)
    show = command(family, "show", _show, _SHOW)
    rotate = command(family, "rotate", _rotate, _ROTATE)
    verify.set_defaults(exit_code=lambda error: _REFUSED if isinstance(error, SealedFileError) else _NOT_CHECKED)
    for parser in (verify, show, rotate):
        parser.add_argument("log", metavar="LOG", type=Path)
        needed = parser is not show
        parser.add_argument("--key", required=needed, metavar="URI", help="the keyring that the log was written with")
        parser.add_argument("--expected-id", metavar="ID", help="the id of the log")
        parser.add_argument("--json", action="store_true", help="give JSON")
    for parser in (verify, show):
        parser.add_argument("--expected-head", metavar="HEAD", help="a head that was noted earlier, ID:COUNT:MAC")
        parser.add_argument(
            "--grant", metavar="ID", help="the grant whose holder kept the log, if not the ring's owner"
        )
        parser.add_argument(
            "--first-file", type=int, default=1, metavar="N", help="the oldest file that is kept, by its number"
        )
    show.add_argument("--last", type=int, metavar="N", help="show the last N lines only")


def _verify(given: argparse.Namespace) -> str:
    head, paths = _examined(given)
    if given.json:
        files = [str(path) for path in paths]
        return json.dumps({"id": head.log_id, "lines": head.count, "head": str(head), "files": files})
    counted = f"{plural(head.count, 'line')} in {plural(len(paths), 'file')}"
    return f"{given.log}: {counted}, all whole. Note this head elsewhere: {head}"


def _show(given: argparse.Namespace) -> str:
    paths = _examined(given).paths if given.key else (given.log,)
    shown = deque(map(_as_json if given.json else _as_text, _fields(paths)), maxlen=given.last)
    if not given.key and not given.json:
        shown.appendleft(_UNVERIFIED)
    return "\n".join(shown)


def _rotate(given: argparse.Namespace) -> str:
    if not Path(head_path(str(given.log))).exists():
        raise ParameterError(f"{given.log} is not a log that can be rotated: {head_path(given.log.name)} is not there.")
    head = AuditLog(given.log, key=given.key, expected_id=given.expected_id).rotate()
    if given.json:
        return json.dumps({"id": head.log_id, "lines": head.count, "head": str(head)})
    return f"{given.log}: rotated; the new file begins with line {head.count}. Note this head elsewhere: {head}"


def _examined(given: argparse.Namespace) -> Any:
    return examine(
        given.log,
        key=given.key,
        expected_head=given.expected_head,
        expected_id=given.expected_id,
        grant=given.grant,
        first_file=given.first_file,
    )


def _fields(paths: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    for path in paths:
        with opened(path) as file:
            for count, line in enumerate(lines_of(file, str(path), LONGEST_LINE), 1):
                yield _event(line, f"{path}, line {count}")


def _event(line: bytes, name: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise SealedFileError(f"{name}: it is not a line of an audit log.")
    return fields


def _as_json(fields: dict[str, Any]) -> str:
    return json.dumps(fields)


def _as_text(fields: dict[str, Any]) -> str:
    """Return one event as a line to read: ASCII, since anyone may have written what is in it."""
    first = [fields.pop(name, "?") for name in ("seq", "time", "user", "action", "subject", "result")]
    if (who := fields.pop("who", None)) is not None:
        first[2] = f"{first[2]} for {who}"
    rest = {name: held for name, held in fields.items() if name not in {"mac", "by", "host", "pid"}}
    return " ".join([*map(_plain, first), *(f"{_plain(name)}={json.dumps(held)}" for name, held in rest.items())])


def _plain(value: object) -> str:
    return ascii(value)[1:-1] if isinstance(value, str) else ascii(value)
