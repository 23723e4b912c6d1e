"""The command ``audit``: verify a log, show its lines, rotate it."""

from __future__ import annotations

import argparse
import json
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelpriv._cli.answers import Answer, answer, plain
from modelpriv._cli.incoming import id_of, uri
from modelpriv._core.checks import plural
from modelpriv.audit import AuditLog
from modelpriv.audit.chain import LONGEST_LINE
from modelpriv.audit.head import Head, head_path
from modelpriv.audit.parts import lines_of, opened
from modelpriv.audit.verification import examine
from modelpriv.errors import ParameterError, SealedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelpriv._cli.parser import Parser

__all__ = ["add"]

_FAMILY = "Verify audit logs, show their lines, and rotate them."
_VERIFY = """\
Check every line of the audit log LOG, in all files that it was rotated to, and that none is missing. LOG is the log or
its folder. With --expected-head, a text that an earlier run of this command gave and that was kept elsewhere, a log
that was put back to an earlier state is found too; with --expected-id, another log of the same keyring. It does not say
that all that happened was recorded, only that what was recorded is whole."""
_SHOW = """\
Show the lines of the audit log LOG, the oldest first; with --json, a line of JSON for each. With --key they are
verified first, in all files that the log was rotated to. Without it only LOG itself is shown, and no one can tell
whether it was altered: that protects nothing."""
_ROTATE = """\
Close the current file of the audit log LOG and open the next one, while programs write to it. A file that still has the
name LOG is renamed to LOG.000001 and so on; one that logrotate renamed keeps its name. Call this in 'postrotate', as a
user who may write the log. It does not protect files that are then deleted: verify says which one is missing."""
_UNVERIFIED = "unverified, since there is no --key:"
_IN_EACH = {"seq", "time", "action", "mac"}
_NOTED = "--expected-head HEAD] [--expected-id ID] [--grant ID] [--first-file N"


def add(parser: Parser) -> None:
    """Add the family."""
    family = parser.add_family("audit", _FAMILY)
    verify = family.add_command(
        "verify",
        _verify,
        _VERIFY,
        usage=f"LOG --key URI\n         [{_NOTED}] [--json]",
        examples=["audit verify audit.jsonl --key file:keys.json"],
        found="the log was altered, cut or replaced",
    )
    show = family.add_command(
        "show",
        _show,
        _SHOW,
        usage=f"LOG [--key URI] [--last N]\n         [{_NOTED}] [--json]",
        examples=["audit show audit.jsonl --key file:keys.json --last 20", "audit show audit.jsonl --json"],
    )
    rotate = family.add_command(
        "rotate",
        _rotate,
        _ROTATE,
        usage="LOG --key URI [--expected-id ID] [--json]",
        examples=["audit rotate /var/log/app/audit.jsonl --key file:keys.json"],
    )
    for one in (verify, show, rotate):
        one.add_argument("log", metavar="LOG", type=Path, help="the log; for verify and show its folder too")
        key = "the keyring that the log was written with"
        one.add_argument("--key", required=one is not show, type=uri("keyring"), metavar="URI", help=key)
        one.add_argument("--expected-id", type=id_of(32, "a log"), metavar="ID", help="the id of the log")
    for one in (verify, show):
        one.add_argument("--expected-head", type=_head, metavar="HEAD", help="a head that was noted: ID:COUNT:MAC")
        whose = "the grant whose holder kept the log, if not the ring's owner"
        one.add_argument("--grant", type=id_of(16, "a grant"), metavar="ID", help=whose)
        oldest = "the oldest file that is kept, by its number"
        one.add_argument("--first-file", type=_number, default=1, metavar="N", help=oldest)
    show.add_argument("--last", type=_number, metavar="N", help="show the last N lines only")


def _head(text: str) -> Head:
    try:
        return Head.read(text)
    except ParameterError:
        raise argparse.ArgumentTypeError("the text of a head reads ID:COUNT:MAC.") from None


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("give a whole number of at least 1.")
    return int(text)


def _verify(given: argparse.Namespace) -> Answer:
    head, paths = _examined(given)
    counted = f"{plural(head.count, 'line')} in {plural(len(paths), 'file')}"
    return answer(
        f"{plain(given.log)}: {counted}, all whole. Note this head elsewhere: {head}",
        id=head.log_id,
        lines=head.count,
        head=str(head),
        files=[str(path) for path in paths],
    )


def _show(given: argparse.Namespace) -> Answer:
    paths = _examined(given).paths if given.key else (given.log,)
    shown = deque(map(json.dumps if given.json else _as_text, _fields(paths)), maxlen=given.last)
    if not given.key and not given.json:
        shown.appendleft(_UNVERIFIED)
    text = "\n".join(shown)
    return Answer(text, text)


def _rotate(given: argparse.Namespace) -> Answer:
    if not Path(head_path(str(given.log))).exists():
        raise ParameterError(f"{given.log} is not a log that can be rotated: {head_path(given.log.name)} is not there.")
    head = AuditLog(given.log, key=given.key, expected_id=given.expected_id).rotate()
    return answer(
        f"{plain(given.log)}: rotated; the new file begins with line {head.count}. Note this head elsewhere: {head}",
        id=head.log_id,
        lines=head.count,
        head=str(head),
    )


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
    if not isinstance(fields, dict) or not fields.keys() >= _IN_EACH:
        raise SealedFileError(f"{name}: it is not a line of an audit log.")
    return fields


def _as_text(fields: dict[str, Any]) -> str:
    """Return one event as a line to read: ASCII, since anyone may have written what is in it."""
    first = [fields.pop(name, "?") for name in ("seq", "time", "user", "action", "subject", "result")]
    if (who := fields.pop("who", None)) is not None:
        first[2] = f"{first[2]} for {who}"
    rest = {name: held for name, held in fields.items() if name not in {"mac", "by", "host", "pid"}}
    return " ".join([*map(_ascii, first), *(f"{_ascii(name)}={json.dumps(held)}" for name, held in rest.items())])


def _ascii(value: object) -> str:
    return ascii(value)[1:-1] if isinstance(value, str) else ascii(value)
