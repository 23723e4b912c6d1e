"""The commands ``identity`` and ``signer`` make private keys, and show what is public of them alone."""

import json
from types import SimpleNamespace

import pytest

from modelpriv import Identity, Recipient, Signer, SigningKey

FAMILIES = [("identity", "recipient", Identity, Recipient), ("signer", "signer", SigningKey, Signer)]


@pytest.fixture(params=FAMILIES, ids=["identity", "signer"])
def family(request):
    """The name of the family, of its public line, and both classes."""
    return request.param


def public(key):
    return key.recipient if isinstance(key, Identity) else key.signer


def test_make_and_show(run, ask, family):
    """What is made opens by its URI, and its public line is shown: alone, to be written to a file."""
    name, line, cls, public_cls = family
    made = ask(name, "make", "key.json")
    key = cls.from_uri("file:key.json")
    assert made == {
        "to": "key.json",
        "kind": public(key).kind,
        "id": public(key).id,
        line: str(public(key)),
    }
    code, said = run(name, "show", "key.json")
    assert (code, public_cls(said)) == (0, public(key))
    assert len(said.splitlines()) == 1
    assert ask(name, "show", "file:key.json") == {field: made[field] for field in ("kind", "id", line)}


@pytest.mark.parametrize(("name", "kind"), [("identity", "p-256"), ("identity", "x25519"), ("signer", "ml-dsa-65")])
def test_kinds(ask, name, kind):
    """Another kind of key is made if it is asked for."""
    assert ask(name, "make", "key.json", "--kind", kind)["kind"] == kind


def test_show_by_a_uri(run, family, monkeypatch):
    """The key may be in the environment; what is missing there, or is another thing, cannot be had."""
    name, _, cls, _ = family
    key = cls.generate()
    monkeypatch.setenv("MODELPRIV_PRIVATE", key.export_secret())
    assert run(name, "show", "env:MODELPRIV_PRIVATE") == (0, f"{public(key)}\n")
    assert run(name, "show", "env:MODELPRIV_NOWHERE")[0] == 3
    monkeypatch.setenv("MODELPRIV_PRIVATE", "canary")
    assert run(name, "show", "env:MODELPRIV_PRIVATE")[0] == 3


def test_show_an_altered_file(run, family, tmp_path):
    """A file whose public line was changed for another one shows none."""
    name, line, cls, _ = family
    run(name, "make", "key.json")
    fields = json.loads((tmp_path / "key.json").read_text())
    fields["public"][line] = str(public(cls.generate()))
    (tmp_path / "key.json").write_text(json.dumps(fields, separators=(",", ":"), sort_keys=True) + "\n")
    code, said = run(name, "show", "key.json")
    assert code == 3
    assert fields["public"][line] not in said


def test_nothing_is_replaced(run, family, tmp_path):
    """A file that is there stays."""
    name, *_ = family
    (tmp_path / "key.json").write_text("mine")
    assert run(name, "make", "key.json")[0] == 1
    assert (tmp_path / "key.json").read_text() == "mine"


def test_into_the_systems_keyring(run, ask, family, monkeypatch):
    """A key is stored in the system's keyring, and shown from there."""
    keyring = pytest.importorskip("keyring", reason="install keyring")
    held = {}
    backend = SimpleNamespace(
        get_password=lambda service, user: held.get((service, user)),
        set_password=lambda service, user, text: held.update({(service, user): text}),
    )
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)
    name, line, *_ = family
    made = ask(name, "make", "keyring:modelpriv/ada")
    assert made["to"] == "keyring:modelpriv/ada"
    assert run(name, "show", "keyring:modelpriv/ada") == (0, f"{made[line]}\n")


def test_wrong_calls(run, family):
    """An unknown kind, and a place for secrets in the URI, end with 2 and are not repeated."""
    name, *_ = family
    assert run(name, "make", "key.json", "--kind", "canary")[0] == 2
    assert run(name, "show", "file:key.json?pin=canary")[0] == 2
    assert run(name)[0] == 2
