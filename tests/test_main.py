"""The command as a whole: it teaches, ends by one rule, and neither takes nor shows a secret."""

import getpass
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelpriv.__main__ import build, main
from modelpriv._cli import keyrings
from modelpriv._cli.parser import PROGRAM
from modelpriv.keys import Identity, SigningKey

PASSPHRASE = "canary words"


def walk(parser, at=()):
    """Every command and family, by its words."""
    yield at, parser
    for name, one in parser.commands.items():
        yield from walk(one, (*at, name))


PAGE = (Path(__file__).parent.parent / "docs" / "command.md").read_text()
COMMANDS = dict(walk(build()))
LEAVES = [words for words, parser in COMMANDS.items() if not parser.commands]


def test_the_commands():
    """These are all commands: a new one is taught, documented and completed like them."""
    assert [" ".join(words) for words in LEAVES] == [
        *("keygen", "rotate", "retire", "identity make", "identity show", "signer make", "signer show"),
        *("grant make", "grant open", "policy suggest", "policy check", "policy plan", "policy diff", "protect"),
        *("rewrap", "rekey", "repin", "usage", "inspect", "leaks"),
        *("audit verify", "audit show", "audit rotate", "completion"),
    ]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_teaches(words, capsys):
    """Each command explains itself, on lines that fit a terminal."""
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert len(said.splitlines()) > 5
    assert max(map(len, said.splitlines())) <= 120


@pytest.fixture
def _public_lines(tmp_path, monkeypatch):
    """The files of public lines that examples name."""
    monkeypatch.chdir(tmp_path)
    Identity.generate("x25519").recipient.save("ada.recipient")
    SigningKey.generate().signer.save("team.signer")


@pytest.mark.usefixtures("_public_lines")
@pytest.mark.parametrize("words", [(), *LEAVES], ids=" ".join)
def test_the_examples_of_the_help_parse(words):
    """Each command's help has an example, and every example is a call of it that parses."""
    examples = re.findall(rf"^  {PROGRAM} (.*)$", COMMANDS[words].format_help(), re.MULTILINE)
    assert examples
    for example in examples:
        call = shlex.split(re.split(r" {3}| > ", example)[0])
        assert tuple(call[: len(words)]) == words
        assert build().read(call).run


@pytest.mark.usefixtures("_public_lines")
def test_the_calls_of_the_page_parse():
    """Every call on the command's page parses, and each command is in its table of JSON fields."""
    calls = re.findall(rf"^(?:\$ )?{PROGRAM} (.*)$", PAGE, re.MULTILINE)
    assert len(calls) > 15
    assert all(build().read(shlex.split(re.split(" > ", call)[0])).run for call in calls)
    table = " ".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    assert [words for words in LEAVES if f"`{' '.join(words)}`" not in table] == []


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_the_help_says_how_it_ends_and_what_it_does_not_do(words):
    """Each command names its exit codes, and what it cannot do or protect."""
    said = COMMANDS[words].format_help()
    assert all(re.search(rf"\b{code} \w", said.partition("exit codes:")[2]) for code in range(4))
    assert re.search(r"\b(cannot|can not|not|no one|nothing|never)\b", COMMANDS[words].description)
    assert re.search(
        r"protect|lose|harmless|shut out|trust|take back|say|learnt|see|read|shows", COMMANDS[words].description
    )


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_the_usage_names_every_argument(words):
    """The usage line, which is written by hand so that lists come last, names all that the command takes."""
    parser = COMMANDS[words]
    usage = parser.format_usage()
    for one in parser.arguments:
        name = one.option_strings[-1] if one.option_strings else one.metavar
        assert name == "--help" or re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", usage), name


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_no_secret_is_an_argument(words):
    """No option takes a passphrase or key as its value: those that mention one are switches, or take a URI."""
    for one in COMMANDS[words].arguments:
        if re.search("passphrase|password|secret|pin|token", " ".join([one.dest, *one.option_strings])):
            assert one.nargs == 0, one.dest
        if one.dest in {"key", "new_key", "identity", "sign_with"}:
            assert one.type is not None


def ends(capsys, *arguments):
    """Run the command, and give its exit code and what it wrote on standard error."""
    code = main(list(arguments))
    written = capsys.readouterr()
    assert "canary" not in written.out + written.err
    return code, written.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["audit"],
        ["canary"],
        ["keygen"],
        ["keygen", "k", "canary"],
        ["keygen", "k", "--passphrase", "canary"],
        ["keygen", "k", "--passphrase=canary"],
        ["rotate", "k", "--distrust=canary"],
        ["identity", "canary"],
        ["signer", "make", "k", "--kind", "canary"],
        ["rotate", "file:k?pin=canary"],
        ["repin", "k", "--key", "canary"],
        ["repin", "k", "--key"],
        ["leaks", "k", "--fail", "high"],
    ],
)
def test_a_wrong_call(arguments, capsys):
    """It ends with 2, shows the usage and where the help is, and does not repeat what was given."""
    code, said = ends(capsys, *arguments)
    assert code == 2
    assert "usage: python -m modelpriv" in said
    assert re.search(r"modelpriv: .*\. See: python -m modelpriv.* --help$", said.strip())


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device", "keys.json"), PermissionError(13, "Denied", "k")]
)
def test_an_error_of_the_system(capsys, monkeypatch, tmp_path, error):
    """An error of the system is one sentence with the path and what to do, and ends with 3."""

    def fails(path, passphrase):
        raise error

    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys.json").touch()
    monkeypatch.setattr(keyrings.Keyring, "load", fails)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    code, said = ends(capsys, "rotate", "keys.json")
    assert (code, said.count("\n")) == (3, 1)
    assert said.startswith(f"modelpriv: {error.filename}: {error.strerror}. Check")


def test_what_a_terminal_obeys(capsys, tmp_path, monkeypatch):
    """A file's name cannot send control characters to the terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    assert main(["rotate", "a\x1b[31m\nb"]) == 3
    assert main(["keygen", "a\x1b[31m"]) == 0
    assert main(["usage", "a\x1b[31m", "n\x1bo"]) == 3
    written = capsys.readouterr()
    assert "\x1b" not in written.out + written.err


def test_the_passphrase_is_asked_for(capsys, monkeypatch, tmp_path):
    """At a terminal the passphrase is asked for, twice for a new file; elsewhere it must be set."""
    monkeypatch.chdir(tmp_path)
    for closed in (None, SimpleNamespace(isatty=lambda: False)):
        monkeypatch.setattr(sys, "stdin", closed)
        code, said = ends(capsys, "keygen", "keys.json")
        assert (code, "set MODELPRIV_PASSPHRASE" in said) == (3, True)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    answers, asked = iter([PASSPHRASE, "another", PASSPHRASE, PASSPHRASE, PASSPHRASE, PASSPHRASE]), []
    monkeypatch.setattr(getpass, "getpass", lambda prompt: asked.append(prompt) or next(answers))
    code, said = ends(capsys, "keygen", "keys.json")
    assert (code, "the two passphrases differ" in said) == (1, True)
    assert ends(capsys, "keygen", "keys.json")[0] == 0
    assert ends(capsys, "rotate", "keys.json")[0] == 0
    assert ends(capsys, "rewrap", "nowhere", "--key", "file:keys.json")[0] == 3  # a URI, which the library opens
    assert asked[-2:] == ["Passphrase for keys.json: ", "Passphrase for file:keys.json: "]


@pytest.mark.parametrize("given_up", [KeyboardInterrupt, EOFError])
def test_giving_up_at_the_prompt(capsys, monkeypatch, tmp_path, given_up):
    """Control-C and the end of input at the prompt end the command in words, and nothing is written."""

    def fails(prompt):
        raise given_up

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(getpass, "getpass", fails)
    assert ends(capsys, "keygen", "keys.json") == (130, "modelpriv: interrupted; nothing more was done.\n")
    assert not list(tmp_path.iterdir())


def test_the_processs_callback_stays(monkeypatch, capsys, tmp_path):
    """A program that calls `main` keeps the passphrase callback that it set, and gets none that it did not set."""
    from modelpriv._core import process  # noqa: PLC0415 - here alone

    monkeypatch.chdir(tmp_path)
    ends(capsys, "leaks", "nowhere")
    assert process.settings.passphrase is None
    monkeypatch.setattr(process.settings, "passphrase", len)
    ends(capsys, "leaks", "nowhere")
    assert process.settings.passphrase is len


def python(*arguments, **settings):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **settings)


def test_it_is_a_module(tmp_path):
    """``python -m modelpriv`` runs it, and its exit code is the process's."""
    done = python("-m", "modelpriv", "inspect", str(tmp_path / "nowhere"))
    assert done.returncode == 3
    assert done.stderr.startswith("modelpriv: ")
    assert not done.stdout


def test_a_secret_is_in_no_argument_of_the_process(tmp_path, monkeypatch):
    """While a real process makes and rotates a keyring, what others see of it, its arguments, has no passphrase."""
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)
    code = (
        "import sys; from pathlib import Path; from modelpriv.__main__ import main\n"
        "codes = [main([name, 'keys.json', '--json']) for name in ('keygen', 'rotate')]\n"
        "print(codes, Path('/proc/self/cmdline').read_bytes() if sys.platform == 'linux' else sys.argv)"
    )
    done = python("-c", code, cwd=tmp_path)
    *said, last = done.stdout.splitlines()
    assert [set(json.loads(line)) for line in said] == [{"to", "key_id"}, {"file", "key_id", "older", "distrusted"}]
    assert last.startswith("[0, 0]")
    assert "canary" not in done.stdout + done.stderr


def test_a_reader_that_has_seen_enough(tmp_path):
    """Where the output goes to a program that ends first, such as head, the command ends in silence."""
    code = (
        "import os, sys; from modelpriv.__main__ import main\n"
        "r, w = os.pipe(); os.close(r); os.dup2(w, 1); sys.exit(main(['completion', 'bash']))"
    )
    done = python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
