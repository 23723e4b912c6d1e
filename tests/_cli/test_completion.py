"""The command ``completion``: the shells themselves complete every command, option and choice."""

import shutil
import subprocess

import pytest

from modelpriv.__main__ import build


def shell(name, script, *arguments):
    """Run a script in a real shell."""
    if shutil.which(name) is None:
        pytest.skip(f"install {name}")
    done = subprocess.run([name, *arguments, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split()


@pytest.fixture
def completed(run):
    """What a shell offers at the end of a line."""

    def bash(line):
        words = line.split(" ")
        array = " ".join(f"'{word}'" for word in words)
        script = f"COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _modelpriv; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        return shell("bash", run("completion", "bash")[1] + script, "--norc", "--noprofile")

    def fish(line):
        script = run("completion", "fish")[1] + f"complete -C '{line}' | string replace -r '\\t.*' ''; true"
        return shell("fish", script, "--no-config")

    def zsh(line):
        words = line.split(" ")
        array = " ".join(f"'{word}'" for word in words)
        # Outside of an interactive line there is no completion system, so what it would be told is written instead.
        told = (
            'compdef() { :; }; _files() { echo; }; _describe() { local one; for one in "${(@P)2}"; '
            "do [[ $one == ${PREFIX}* ]] && echo ${one%%:*}; done; true; }\n"
        )
        script = told + run("completion", "zsh")[1]
        script += f"\nwords=({array}); CURRENT={len(words)}; PREFIX=${{words[CURRENT]}}; _modelpriv"
        return shell("zsh", script, "-f")

    return {"bash": bash, "fish": fish, "zsh": zsh}


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_commands_options_and_choices(completed, name):
    """Commands are completed at each depth, options after a dash, and choices after their option."""
    complete = completed[name]
    assert sorted(complete("modelpriv re")) == ["rekey", "repin", "retire", "rewrap"]
    assert sorted(complete("modelpriv audit ")) == ["rotate", "show", "verify"]
    assert sorted(complete("modelpriv audit verify log --expected-")) == ["--expected-head", "--expected-id"]
    assert sorted(complete("modelpriv identity make --kind x")) == ["x-wing", "x25519"]
    assert sorted(complete("modelpriv completion ")) == ["bash", "fish", "zsh"]


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_every_word_is_there(run, ask, name):
    """The text holds every command and every option, as JSON too, and only once it is asked for."""

    def check(parser):
        for word in (*parser.commands, *(one.option_strings[-1] for one in parser.arguments if one.option_strings)):
            assert word.lstrip("-") in text
        for one in parser.commands.values():
            check(one)

    text = run("completion", name)[1]
    check(build())
    assert ask("completion", name) == {"shell": name, "script": text}


def test_another_shell(run):
    """A shell that is not known is a wrong call."""
    assert run("completion", "tcsh")[0] == 2
