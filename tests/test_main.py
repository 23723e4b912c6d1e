"""The command is thin, teaches, and never takes or shows a secret."""

import getpass
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from modelpriv import AuditLog, FieldEncryptor, Identity, Keyring, dump
from modelpriv.__main__ import main
from modelpriv.keys import SigningKey

PASSPHRASE = "canary words"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs the command where a passphrase is set, and gives its code and what it wrote."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", PASSPHRASE)

    def command(*arguments):
        code = main(list(arguments))
        written = capsys.readouterr()
        assert "canary" not in written.out + written.err
        assert (code == 0) == (not written.err)
        return code, written.out + written.err

    return command


def test_keygen_and_rotate(run):
    """A keyring file is made, opened by its URI, and rotated in place."""
    code, said = run("keygen", "keys.json")
    keys = Keyring.from_uri("file:keys.json")
    assert (code, keys.primary in said) == (0, True)
    code, said = run("rotate", "keys.json")
    newer = Keyring.from_uri("file:keys.json")
    assert newer.key_ids[1:] == keys.key_ids
    assert f"new key id {newer.primary}; older: {keys.primary}" in said


def test_keygen_replaces_nothing(run):
    """A file that is there is left as it is."""
    run("keygen", "keys.json")
    keys = Keyring.from_uri("file:keys.json")
    code, said = run("keygen", "keys.json")
    assert (code, "is there already" in said) == (1, True)
    assert Keyring.from_uri("file:keys.json").key_ids == keys.key_ids


def test_keygen_takes_the_words_of_a_uri(run, tmp_path):
    """The URI of a file names that file, and a variable of the environment is refused: nothing could set it."""
    assert run("keygen", "file:keys.json")[0] == 0
    assert Keyring.from_uri("file:keys.json").primary
    code, said = run("keygen", "env:MODELPRIV_KEYRING")
    assert (code, "cannot be set from here" in said) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_keygen_into_the_systems_keyring(run, monkeypatch):
    """A keyring is stored in the system's keyring, once."""
    keyring = pytest.importorskip("keyring", reason="install keyring")
    held = {}
    backend = SimpleNamespace(
        get_password=lambda service, user: held.get((service, user)),
        set_password=lambda service, user, text: held.update({(service, user): text}),
    )
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    assert run("keygen", "keyring:modelpriv/ada")[0] == 0
    assert Keyring.from_uri("keyring:modelpriv/ada").export_secret() == held["modelpriv", "ada"]
    assert run("keygen", "keyring:modelpriv/ada")[0] == 1


def test_inspect(run, keyring):
    """Models, keyring files, identities, signing keys, grants and tables are shown by what they are."""
    dump(Ridge(), "model", key=keyring)
    keyring.save("keys", passphrase=PASSPHRASE)
    identity, signing_key = Identity.generate("x25519"), SigningKey.generate()
    identity.save("identity", passphrase=PASSPHRASE)
    signing_key.save("signing", passphrase=PASSPHRASE)
    grant = keyring.grant(["email"], recipient=identity.recipient, sign_with=signing_key)
    grant.save("grant")
    FieldEncryptor(key=keyring).fit_transform(pd.DataFrame({"a": ["x", "y"]})).to_parquet("table")
    for file, word in {
        "model": f"'key_id': '{keyring.primary}'",
        "keys": keyring.primary,
        "identity": str(identity.recipient),
        "signing": str(signing_key.signer),
        "grant": grant.id,
        "table": f"{keyring.primary}  2",
    }.items():
        code, said = run("inspect", file)
        assert (code, word in said) == (0, True), said
        assert ("unverified" in said) == (file != "table")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format":"modelpriv keyring"}', b"\x8fmpriv\r\n", b"canary"])
def test_inspect_refuses_other_files(run, tmp_path, content):
    """A file of another kind, or a broken one, is refused in words."""
    (tmp_path / "file").write_bytes(content)
    assert run("inspect", "file")[0] == 1
    assert run("inspect", "nowhere")[0] == 1


def test_audit_verify(run, tmp_path):
    """A log is verified, with its head to note; a changed one is refused with the line."""
    run("keygen", "keys.json")
    AuditLog("log", key="file:keys.json").start().stop()
    code, said = run("audit", "verify", "log", "--key", "file:keys.json")
    assert (code, "3 lines in 1 file, all whole" in said) == (0, True)
    head = said.split()[-1]
    assert run("audit", "verify", "log", "--key", "file:keys.json", "--expected-head", head)[0] == 0
    scoped = Keyring.from_uri("file:keys.json").scoped(["email"])
    AuditLog("theirs", key=scoped).start().stop()
    code, said = run("audit", "verify", "theirs", "--key", "file:keys.json")
    assert (code, f"grant={scoped.scope.id!r}" in said) == (3, True)
    assert run("audit", "verify", "theirs", "--key", "file:keys.json", "--grant", scoped.scope.id)[0] == 0
    lines = (tmp_path / "log").read_bytes()
    (tmp_path / "log").write_bytes(lines.replace(b"start", b"Start"))
    code, said = run("audit", "verify", "log", "--key", "file:keys.json")
    assert (code, "line 2" in said) == (1, True)
    assert run("audit", "verify", "nowhere", "--key", "file:keys.json")[0] == 3


def test_a_wrong_passphrase(run, monkeypatch):
    """A wrong passphrase is refused in words, and not shown."""
    run("keygen", "keys.json")
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "canary too")
    code, said = run("rotate", "keys.json")
    assert (code, "passphrase is wrong" in said) == (1, True)


def test_the_passphrase_is_asked_for(run, monkeypatch):
    """At a terminal the passphrase is asked for, twice for a new file; elsewhere it must be set."""
    monkeypatch.delenv("MODELPRIV_PASSPHRASE")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))
    assert "set MODELPRIV_PASSPHRASE" in run("keygen", "keys.json")[1]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    answers = iter([PASSPHRASE, "another", PASSPHRASE, PASSPHRASE, PASSPHRASE])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
    assert "the two passphrases differ" in run("keygen", "keys.json")[1]
    assert run("keygen", "keys.json")[0] == 0
    assert run("rotate", "keys.json")[0] == 0


@pytest.mark.parametrize("arguments", [["keygen", "k", "--passphrase", "x"], ["rotate", "k", "x"], [], ["audit"]])
def test_no_secret_is_an_argument(arguments, capsys):
    """There is no place for a secret on the command line, and no command without a name."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: python -m modelpriv" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [[], ["keygen"], ["rotate"], ["inspect"], ["audit", "verify"], ["audit", "show"], ["audit", "rotate"]]
)
def test_help_teaches(command, capsys):
    """Each command explains itself; lines fit a terminal."""
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    said = capsys.readouterr().out
    assert len(said.splitlines()) > 5
    assert max(map(len, said.splitlines())) <= 120


def test_it_is_a_module(tmp_path):
    """``python -m modelpriv`` runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "modelpriv", "inspect", str(tmp_path / "nowhere")], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"modelpriv: ")
