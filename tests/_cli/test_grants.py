"""The command ``grant``: what is granted opens for its recipient alone, and the answer says what it gives."""

import pytest

from modelpriv import Grant, Identity, Keyring, SigningKey


@pytest.fixture
def people(run, monkeypatch, tmp_path):
    """A keyring, a signing key and an identity in the environment, and the files of both public lines."""
    keys, owner, ada = Keyring.generate(), SigningKey.generate(), Identity.generate("x25519")
    for name, key in (("KEYS", keys), ("OWNER", owner), ("ADA", ada)):
        monkeypatch.setenv(name, key.export_secret())
    ada.recipient.save(tmp_path / "ada.recipient")
    owner.signer.save(tmp_path / "owner.signer")
    return keys, owner, ada


MAKE = ("grant", "make", "ada.grant", "--key", "env:KEYS", "--sign-with", "env:OWNER", "--recipient", "ada.recipient")
OPEN = ("grant", "open", "ada.grant", "--identity", "env:ADA", "--trusted-signers", "owner.signer")


def test_make_and_open(ask, people):
    """A grant is made for a recipient whose line is in a file, and opens with what was granted."""
    keys, owner, ada = people
    made = ask(*MAKE, "--expires", "2099-01-01", "--uses", "siv-deterministic", "--contexts", "email", "phone")
    grant = Grant.load("ada.grant")
    assert made == {
        "file": "ada.grant",
        "id": grant.id,
        "recipient": ada.recipient.id,
        "signer": owner.signer.id,
        "contexts": ["email", "phone"],
    }
    assert ask(*OPEN) == {
        "file": "ada.grant",
        "id": grant.id,
        "contexts": ["email", "phone"],
        "uses": ["siv-deterministic"],
        "expires": "2099-01-01T00:00:00+00:00",
        "key_ids": [keys.primary],
    }


def test_a_line_instead_of_a_file(run, people):
    """Recipient and signer may be pasted as lines; what is shown names the contexts."""
    _, owner, ada = people
    made = [str(ada.recipient) if word == "ada.recipient" else word for word in MAKE]
    assert run(*made, "--contexts", "email")[0] == 0
    code, said = run(*(str(owner.signer) if word == "owner.signer" else word for word in OPEN))
    assert (code, "contexts: 'email'" in said, "expires: never" in said) == (0, True, True)


def test_who_does_not_open_it(run, people, monkeypatch, tmp_path):
    """A stranger's signature is refused with 1; another person, and an expired grant, cannot open it: 3."""
    assert run(*MAKE, "--contexts", "email")[0] == 0
    SigningKey.generate().signer.save(tmp_path / "owner.signer")
    assert run(*OPEN)[0] == 1
    people[1].signer.save(tmp_path / "owner.signer")
    monkeypatch.setenv("ADA", Identity.generate("x25519").export_secret())
    assert run(*OPEN)[0] == 3
    monkeypatch.setenv("ADA", people[2].export_secret())
    (tmp_path / "ada.grant").unlink()
    assert run(*MAKE, "--expires", "2020-01-01", "--contexts", "email")[0] == 0
    assert run(*OPEN)[0] == 3


def test_nothing_is_replaced(run, people, tmp_path):
    """A grant that is there stays, and an unknown use is refused."""
    (tmp_path / "ada.grant").write_text("mine")
    assert run(*MAKE, "--contexts", "email")[0] == 1
    assert (tmp_path / "ada.grant").read_text() == "mine"
    (tmp_path / "ada.grant").unlink()
    assert run(*MAKE, "--uses", "reading", "--contexts", "email")[0] == 1
    assert not (tmp_path / "ada.grant").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--recipient", "modelpriv_recipient_x25519_1_canary"],
        ["--expires", "canary"],
        ["--key", "canary"],
        ["--sign-with", "canary"],
    ],
)
def test_wrong_calls(run, people, wrong):
    """A mistyped line, time or URI ends with 2 and is not repeated; a file of a line that is not there, with 3."""
    assert run(*MAKE, *wrong, "--contexts", "email")[0] == 2
    code, said = run(*MAKE, "--recipient", "nowhere", "--contexts", "email")
    assert (code, "nowhere: No such file" in said) == (3, True)
    assert people


def test_a_secret_in_the_wrong_place(run, people):
    """The text of a key where a URI or line belongs is refused and not repeated."""
    for key, option in zip(people, ("--key", "--sign-with", "--recipient"), strict=True):
        code, said = run(*MAKE, option, key.export_secret(), "--contexts", "email")
        assert code == 2
        assert key.export_secret()[40:50] not in said
