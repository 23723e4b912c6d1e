"""The command ``python -m modelpriv audit``: what it says, as JSON too, and how it ends."""

import json

import pytest

from modelpriv import Keyring
from modelpriv.__main__ import main
from modelpriv._core import events
from modelpriv.audit import AuditLog, acting_as

KEY = ("--key", "env:MODELPRIV_KEYRING")


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, keyring):
    """Run the command where the keyring is in the environment, and give its code and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELPRIV_KEYRING", keyring.export_secret())

    def command(*arguments):
        code = main(["audit", *arguments])
        written = capsys.readouterr()
        assert (code == 0) == (not written.err)
        return code, written.out + written.err

    return command


@pytest.fixture
def log(run, tmp_path, keyring):
    """A log of two files."""
    with AuditLog(tmp_path / "log", key=keyring) as made:
        with acting_as("ada@example.org"), events.event("transform", "FieldEncryptor", columns=["email\x1b[31m"]):
            pass
        made.rotate()
    return made


def test_verify(run, log):
    """A whole log ends with 0, its id, its lines, its files and the head to note, in words and as JSON."""
    code, said = run("verify", "log", *KEY)
    assert (code, "6 lines in 2 files, all whole" in said, said.split()[-1]) == (0, True, str(log.head()))
    found = json.loads(run("verify", "log", *KEY, "--json")[1])
    assert found == {"id": log.id, "lines": 6, "head": str(log.head()), "files": ["log.000001", "log"]}


def test_verify_a_folder(run, log):
    """A folder is verified, also against a head and an id."""
    given = ("--expected-head", str(log.head()), "--expected-id", log.id)
    assert run("verify", ".", *KEY, *given)[0] == 0
    assert run("verify", ".", *KEY, "--expected-id", "0" * 32)[0] == 3


def test_an_altered_log(run, log, tmp_path):
    """An altered log, and a missing file, end with 1 and the reason."""
    path = tmp_path / "log.000001"
    path.write_bytes(path.read_bytes().replace(b"transform", b"transfarm"))
    code, said = run("verify", "log", *KEY)
    assert (code, "log.000001, line 3: it was altered" in said) == (1, True)
    path.unlink()
    code, said = run("verify", "log", *KEY)
    assert (code, "file 1 of the log is missing" in said) == (1, True)
    assert run("verify", "log", *KEY, "--first-file", "2")[0] == 0


def test_what_cannot_be_checked(run, log, monkeypatch):
    """A log or key that is not there ends with 3."""
    assert run("verify", "nowhere", *KEY)[0] == 3
    monkeypatch.setenv("MODELPRIV_KEYRING", Keyring.generate().export_secret())
    assert run("verify", "log", *KEY)[0] == 3
    monkeypatch.delenv("MODELPRIV_KEYRING")
    assert run("verify", "log", *KEY)[0] == 3
    assert log.head().count == 6


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "log"],
        ["rotate", "log"],
        ["show"],
        ["verify", "log", *KEY, "--first-file", "x"],
        ["verify", "log", *KEY, "--expected-head", "canary"],
        ["verify", "log", *KEY, "--expected-id", "canary"],
        ["verify", "log", *KEY, "--grant", "canary"],
        ["show", "log", "--last", "0"],
    ],
)
def test_wrong_use(run, log, arguments):
    """A command that lacks its key or its log, or has a malformed id, head or number, ends with 2."""
    code, said = run(*arguments)
    assert (code, "canary" in said) == (2, False)
    assert log.head().count == 6


def test_the_log_of_a_grant(run, keyring, tmp_path):
    """The log of a grant's holder is verified by its owner with the option that the refusal names."""
    scoped = keyring.scoped(["email"])
    AuditLog(tmp_path / "theirs", key=scoped).start().stop()
    code, said = run("verify", "theirs", *KEY)
    assert (code, f"--grant {scoped.scope.id}" in said) == (3, True)
    assert run("verify", "theirs", *KEY, "--grant", scoped.scope.id)[0] == 0


def test_rotate(run, log):
    """Rotating says where the new file begins and what head to note; the log stays whole."""
    code, said = run("rotate", "log", *KEY)
    assert (code, "rotated; the new file begins with line 8" in said, said.split()[-1]) == (0, True, str(log.head()))
    found = json.loads(run("rotate", "log", *KEY, "--expected-id", log.id, "--json")[1])
    assert found == {"id": log.id, "lines": 10, "head": str(log.head())}
    assert "10 lines in 4 files" in run("verify", "log", *KEY)[1]


def test_rotate_what_is_no_log(run, tmp_path):
    """Rotating does not create a log."""
    code, said = run("rotate", "nowhere", *KEY)
    assert (code, "nowhere.head is not there" in said) == (1, True)
    assert not list(tmp_path.iterdir())


def test_rotate_another_log(run, log):
    """Rotating a log with another id is refused."""
    assert run("rotate", "log", *KEY, "--expected-id", "0" * 32)[0] == 1
    assert log.head().count == 6


def test_show(run, log):
    """A verified log is shown line by line over all files, with for whom, and nothing that a terminal obeys."""
    code, said = run("show", "log", *KEY)
    lines = said.splitlines()
    assert (code, len(lines)) == (0, 6)
    assert [line.split()[0] for line in lines] == list("123456")
    assert "for ada@example.org transform FieldEncryptor ok" in lines[2]
    assert "\x1b" not in said
    assert log.id in lines[0]


def test_show_as_json(run, log):
    """As JSON each line is an event with all its fields."""
    events_shown = [json.loads(line) for line in run("show", "log", *KEY, "--json")[1].splitlines()]
    assert [event["action"] for event in events_shown] == ["open", "start", "transform", "close", "open", "stop"]
    assert events_shown[2]["who"] == "ada@example.org"
    assert log.head().count == 6


def test_show_the_last(run, log):
    """The last lines are shown alone."""
    assert [line.split()[0] for line in run("show", "log", *KEY, "--last", "2")[1].splitlines()] == ["5", "6"]
    assert log.head().count == 6


def test_show_without_a_key(run, log):
    """Without a key the lines of one file are shown, and that they are not verified."""
    code, said = run("show", "log.000001")
    assert (code, len(said.splitlines()), said.startswith("unverified")) == (0, 5, True)
    assert log.head().count == 6


def test_show_an_altered_log(run, log, tmp_path):
    """With a key nothing of an altered log is shown."""
    path = tmp_path / "log"
    path.write_bytes(path.read_bytes().replace(b'"stop"', b'"step"'))
    code, said = run("show", "log", *KEY)
    assert (code, "line 6: it was altered" in said, "ada@" in said) == (1, True, False)
    assert log


@pytest.mark.parametrize("content", [b"\xff\n", b"5\n", b'{"a":', b'{"format":"modelpriv keyring"}\n'])
def test_show_what_is_no_log(run, tmp_path, content):
    """A file that holds something else is refused by its line."""
    (tmp_path / "file").write_bytes(content)
    code, said = run("show", "file")
    assert (code, "file, line 1: it is not a line of an audit log" in said) == (1, True)
