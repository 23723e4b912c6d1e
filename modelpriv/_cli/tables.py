"""The commands for whole tables: a policy checked, shown and compared, and a table protected by it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelpriv._cli.answers import Answer, Exit, lines, plain
from modelpriv._cli.incoming import table, uri
from modelpriv._columns.files import write_table
from modelpriv.errors import ParameterError
from modelpriv.keys import Keyring
from modelpriv.tables import Deidentifier, policy_files, suggest_policy
from modelpriv.tables import policy as policies
from modelpriv.tables.comparing import compare

if TYPE_CHECKING:
    import argparse

    from modelpriv._cli.parser import Parser

__all__ = ["add"]

_SUGGEST = """\
Write a policy to begin with: a rule for each column of TABLE, a Parquet or CSV file, from what its header and cells
say, with the evidence as notes. Where it says review, you decide; such a policy is refused until you have. It cannot
know what the table is released for, so read every rule. Nothing is protected."""
_CHECK = """\
Check a policy file: that every field, parameter and value is known, and nothing is left to review. With --data, also
that it has a rule for every column of a table, a Parquet or CSV file, and that each rule fits its first rows. Nothing
is protected. It cannot tell whether the rules protect enough."""
_PLAN = """\
Show what a policy does to each column of a table, what the result still shows, and whether a column comes back. The
table is a Parquet or CSV file; nothing of it is shown but names and kinds of columns. It protects nothing."""
_DIFF = """\
Compare two policies: which columns a change shows more of or less, and what their rules are. Exit code 1 means that
they differ. It compares rules, not what they do to the rows of a table."""
_PROTECT = """\
Protect TABLE by a policy, and write the result to OUT: Parquet or CSV, by its suffix. All of it is written or nothing.
A column that the policy does not name is refused. The summary says how many cells did not fit their format. The table
has to fit into memory. It cannot tell whether someone can be singled out."""


def add(parser: Parser) -> None:
    """Add the commands."""
    family = parser.add_family("policy", "Work with policies: files that say what becomes of each column of a table.")
    suggest = family.add_command(
        "suggest",
        _suggest,
        _SUGGEST,
        usage="TABLE FILE [--json]",
        examples=["policy suggest people.csv people.toml"],
    )
    suggest.add_argument("table", metavar="TABLE", help="a Parquet or CSV file")
    suggest.add_argument("file", metavar="FILE", help="where to write the policy: .toml, .json or .yaml")
    check = family.add_command(
        "check",
        _check,
        _CHECK,
        usage="FILE [--data TABLE] [--json]",
        examples=["policy check people.toml", "policy check people.toml --data people.parquet"],
    )
    check.add_argument("file", metavar="FILE", help="a policy: .toml, .json or .yaml")
    check.add_argument("--data", metavar="TABLE", help="a Parquet or CSV file")
    plan = family.add_command(
        "plan",
        _plan,
        _PLAN,
        usage="FILE --data TABLE [--json]",
        examples=["policy plan people.toml --data people.csv"],
    )
    plan.add_argument("file", metavar="FILE", help="a policy")
    plan.add_argument("--data", metavar="TABLE", required=True, help="a Parquet or CSV file")
    diff = family.add_command(
        "diff",
        _diff,
        _DIFF,
        usage="BEFORE AFTER [--json]",
        examples=["policy diff main/people.toml people.toml"],
        found="they differ",
    )
    diff.add_argument("before", metavar="BEFORE", help="a policy")
    diff.add_argument("after", metavar="AFTER", help="a policy")
    protect = parser.add_command(
        "protect",
        _protect,
        _PROTECT,
        usage="TABLE OUT --policy FILE [--key URI] [--force] [--json]",
        examples=["protect people.csv released.parquet --policy people.toml --key file:keys.json"],
    )
    protect.add_argument("table", metavar="TABLE", help="a Parquet or CSV file")
    protect.add_argument("out", metavar="OUT", help="where to write: .parquet or .csv")
    protect.add_argument("--force", action="store_true", help="replace OUT, but never TABLE itself")
    protect.add_argument("--policy", metavar="FILE", required=True, help="the policy")
    protect.add_argument("--key", metavar="URI", type=uri("keyring"), help="the keyring, for rules that need one")


def _suggest(given: argparse.Namespace) -> Answer:
    if Path(given.file).exists():
        raise ParameterError(f"{given.file!r} is there already, and is not replaced. Give another path.")
    policy = suggest_policy(table(given.table))
    policy_files.write(given.file, policy)
    review = [name for name, rule in policy["columns"].items() if rule == "review"]
    facts = {"columns": len(policy["columns"]), "review": review}
    shown = facts | {"review": ", ".join(review) or "nothing"}
    return Answer(f"{plain(given.file)}: written.\n{lines(shown.items())}", json.dumps(facts | {"file": given.file}))


def _check(given: argparse.Namespace) -> Answer:
    step = Deidentifier.from_policy(given.file)
    document = step.to_policy()
    rules = len(document["columns"]) + len(document.get("groups", ()))
    facts: dict[str, Any] = {"digest": policies.digest(document), "rules": rules}
    if given.data:
        rows = table(given.data, _text(given.file))
        plan = step.plan(rows)
        step.set_params(key=Keyring.generate()).fit_transform(rows.head(_TRIED))
        facts["columns"] = len(plan.columns)
    return Answer(f"{plain(given.file)}: the policy can be used.\n{lines(facts.items())}", json.dumps(facts))


_TRIED = 1000  # rows on which a check tries every rule


def _plan(given: argparse.Namespace) -> Answer:
    document, parameters = policy_files.read(given.file)
    plan = Deidentifier(**parameters).plan(table(given.data, document.get("text", ())))
    return Answer("\n".join(map(plain, str(plan).splitlines())), plan.to_json())


def _diff(given: argparse.Namespace) -> Answer:
    changes = compare(*(policy_files.read(path)[1] for path in (given.before, given.after)))
    text = "\n".join(plain(str(change)) for change in changes) or "the policies have the same rules."
    return Answer(text, json.dumps([asdict(change) for change in changes]), Exit.REFUSED if changes else Exit.DONE)


def _protect(given: argparse.Namespace) -> Answer:
    if Path(given.out).exists():
        own = Path(given.table).exists() and Path(given.out).samefile(given.table)
        if own or not given.force:
            why = "the table itself" if own else "there already: give another path, or --force"
            raise ParameterError(f"{given.out!r} is not replaced, since it is {why}.")
    step = Deidentifier.from_policy(given.policy, key=given.key)
    released = step.fit_transform(table(given.table, _text(given.policy)))
    write_table(released, given.out)
    said = step.summary_
    facts = {
        "rows": said.rows,
        "protected": list(said.protected),
        "kept": list(said.kept),
        "dropped": list(said.dropped),
    }
    facts |= {"made": list(said.made), "covered_whole": said.whole, "policy": said.policy}
    shown = {name: ", ".join(fact) if isinstance(fact, list) else fact for name, fact in facts.items()}
    return Answer(f"{plain(given.out)}: written.\n{lines(shown.items())}", json.dumps(facts | {"out": given.out}))


def _text(policy: str) -> list[str]:
    """Return the columns that a policy reads as text from CSV files."""
    return list(policy_files.read(policy)[0].get("text", ()))
