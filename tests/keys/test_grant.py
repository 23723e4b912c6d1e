"""Grants: one person reads what was granted to them, and cannot climb; nobody makes a grant but who may."""

import gc
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import product

import pandas as pd
import pytest

from modelpriv import FieldEncryptor
from modelpriv._core import json
from modelpriv.audit import AuditLog, verify
from modelpriv.errors import (
    DecryptionError,
    KeyUnavailableError,
    ModelprivError,
    ParameterError,
    ParameterTypeError,
    SealedFileError,
)
from modelpriv.keys import Grant, Identity, Keyring, SigningKey, scoped
from modelpriv.keys import grant as grants
from modelpriv.keys.derivation import RING_USES, WORKING_USES

CONTEXTS = ["email", "phone", "id"]
TABLE = pd.DataFrame({"email": ["a@b.org", "c@d.org"], "phone": ["1", "2"]})


@pytest.fixture(scope="module")
def ada():
    """The person whom things are granted to."""
    return Identity.generate("x25519")


@pytest.fixture(scope="module")
def bob():
    """Another person."""
    return Identity.generate("x25519")


@pytest.fixture(scope="module")
def owner():
    """Who signs."""
    return SigningKey.generate()


@pytest.fixture
def made(keyring, ada, owner):
    """A grant of one context."""
    return keyring.grant(["email"], recipient=ada.recipient, sign_with=owner)


@pytest.fixture
def opened(made, ada, owner):
    """What Ada has of it."""
    return made.open(identity=ada, trusted_signers=[owner.signer])


def refused(content, error, identity, signers, match=None):
    """Neither reading nor opening these bytes gives a keyring."""
    with pytest.raises(error, match=match) as raised:
        grants.Grant(content).open(identity=identity, trusted_signers=signers)
    return str(raised.value)


@pytest.mark.parametrize("kind", ["x-wing", "x25519", "p-256", "rsa"])
@pytest.mark.parametrize("signs", ["ed25519", "ml-dsa-65"])
def test_a_grant(keyring, tmp_path, kind, signs):
    """A grant goes through a file to its recipient, whatever the sorts of their keys."""
    identity, key = Identity.generate(kind), SigningKey.generate(signs)
    keyring.grant(["email", "phone"], recipient=str(identity.recipient), sign_with=key).save(tmp_path / "g")
    found = Grant.load(tmp_path / "g").open(identity=identity, trusted_signers=[str(key.signer)])
    assert found.contexts == ("email", "phone")
    for context, use in product(found.contexts, WORKING_USES):
        wanted = keyring.working_key(use, context=context, length=64)
        assert found.working_key(use, context=context, length=64) == wanted


def test_it_is_for_the_transformers(keyring, opened):
    """What was granted reads and writes its column, joins intact, and nothing else."""
    released = FieldEncryptor("deterministic", key=keyring).fit_transform(TABLE)
    reader = FieldEncryptor("deterministic", key=opened)
    assert reader.inverse_transform(released[["email"]]).equals(TABLE[["email"]])
    assert reader.fit_transform(TABLE[["email"]]).equals(released[["email"]])
    with pytest.raises(KeyUnavailableError, match="does not hold context 'phone'; it holds 'email'"):
        FieldEncryptor("deterministic", key=opened).inverse_transform(released[["phone"]])


@pytest.mark.parametrize("held", CONTEXTS)
def test_it_does_not_climb(keyring, ada, owner, held):
    """From a grant of one context no use of another, and no key of the ring, is had by any key that is in it."""
    newer = keyring.rotate()
    got = newer.grant([held], recipient=ada.recipient, sign_with=owner).open(
        identity=ada, trusted_signers=[owner.signer]
    )
    secrets = {key for by_context in got._context_keys.values() for key in by_context.values()} | {
        *got._audit_keys.values()
    }
    others = [context for context in CONTEXTS if context != held]
    wanted = {
        newer.working_key(use, context=context, length=32, key_id=key_id)
        for use, context, key_id in product(WORKING_USES, others, newer.key_ids)
    } | {newer.ring_key(use, length=32, key_id=key_id) for use, key_id in product(RING_USES, newer.key_ids)}
    assert not secrets & wanted
    assert len(secrets) == 2 * len(newer.key_ids)
    for use, context in product(WORKING_USES, others):
        with pytest.raises(KeyUnavailableError):
            got.working_key(use, context=context, length=32)


def test_nobody_can_tell_what_is_granted(keyring, ada, owner):
    """Without the recipient's key nobody can tell what a grant is for; its holder cannot tell what else exists."""
    made = bytes(keyring.grant(["diagnosis"], recipient=ada.recipient, sign_with=owner))
    assert b"diagnosis" not in made
    assert keyring.primary.encode() not in made


READER = """
import sys, pandas as pd
from modelpriv import FieldEncryptor
from modelpriv.keys import Grant, Identity
identity = Identity.from_secret(sys.stdin.readline())
keys = Grant.load(sys.argv[1]).open(identity=identity, trusted_signers=[sys.argv[2]])
step = FieldEncryptor("deterministic", key=keys)
released = pd.read_json(sys.argv[3], dtype=False)
print(*step.inverse_transform(released[["email"]])["email"])
print(released.merge(step.fit_transform(pd.DataFrame({"email": ["a@b.org"]})), on="email").shape[0])
try:
    FieldEncryptor("deterministic", key=keys).inverse_transform(released[["phone"]])
except ValueError as error:
    print(type(error).__name__, "'phone'" in str(error))
"""


def test_in_a_process_of_her_own(keyring, made, ada, owner, tmp_path):
    """A process with the grant and nothing else reads e-mail, joins on it, and fails on phone."""
    FieldEncryptor("deterministic", key=keyring).fit_transform(TABLE).to_json(tmp_path / "table")
    made.save(tmp_path / "grant")
    done = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path / "grant"), str(owner.signer), str(tmp_path / "table")],
        input=ada.export_secret() + "\n",
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["a@b.org", "c@d.org", "1", "KeyUnavailableError", "True"]


def test_a_stranger_signs_nothing(made, keyring, ada, owner):
    """A grant that a stranger signed, or nobody, is refused before anything of it is opened."""
    forged = bytes(keyring.grant(["email"], recipient=ada.recipient, sign_with=SigningKey.generate()))
    assert owner.signer.id in refused(forged, SealedFileError, ada, [owner.signer], "by a stranger")
    whole = json.load(bytes(made))
    unsigned = {name: value for name, value in whole.items() if name != "signature"}
    refused(json.dump(unsigned) + b"\n", SealedFileError, ada, [owner.signer], "not signed")


def test_a_stranger_under_the_owners_name(made, ada, owner):
    """A signature by another key that claims to be the owner's does not fit."""
    whole = json.load(bytes(made))
    signature = SigningKey.generate().sign(grants._message({k: v for k, v in whole.items() if k != "signature"}))
    whole["signature"]["value"] = grants.to_base64(signature)
    refused(json.dump(whole) + b"\n", SealedFileError, ada, [owner.signer], "signature is not that of signer")


def test_a_recipient_cannot_make_more_of_it(made, opened, keyring, ada, bob, owner):
    """Whoever opened a grant can neither widen it nor make it out to somebody else under its owner's name."""
    whole = json.load(bytes(made))
    wider = json.load(bytes(keyring.grant(CONTEXTS, recipient=ada.recipient, sign_with=SigningKey.generate())))
    for name in ("sealed", "stanza", "id"):
        refused(json.dump(whole | {name: wider[name]}) + b"\n", SealedFileError, ada, [owner.signer], "altered")
    # With all that is in hers she makes one for Bob; the signature is all that is missing.
    passed_on = json.load(bytes(grants.make(opened, bob.recipient, SigningKey.generate())))
    passed_on["signature"] = whole["signature"]
    refused(json.dump(passed_on) + b"\n", SealedFileError, bob, [owner.signer], "altered")


def test_every_change_is_found(made, ada, owner):
    """No byte of a grant can be changed, and none cut."""
    content = bytes(made)
    for at in range(0, len(content), 7):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        refused(changed, ModelprivError, ada, [owner.signer])
        refused(content[:at], ModelprivError, ada, [owner.signer])


def test_for_somebody_else(made, bob, owner):
    """Another person's identity does not open it, and both are named."""
    said = refused(bytes(made), KeyUnavailableError, bob, [owner.signer], "is for recipient")
    assert made.recipient_id in said
    assert bob.recipient.id in said


def test_made_out_to_another(made, bob, owner):
    """A grant with another recipient's name put on it is not signed so."""
    whole = json.load(bytes(made)) | {"recipient": bob.recipient.id}
    refused(json.dump(whole) + b"\n", SealedFileError, bob, [owner.signer], "altered")


def test_expired(keyring, ada, owner):
    """A grant that has expired does not open, and one that expires in use gives no more keys."""
    now = datetime.now(UTC)
    late = keyring.grant(["email"], recipient=ada.recipient, sign_with=owner, expires=now - timedelta(seconds=2))
    refused(bytes(late), KeyUnavailableError, ada, [owner.signer], "expired at")
    soon = keyring.grant(["email"], recipient=ada.recipient, sign_with=owner, expires=now + timedelta(hours=1))
    got = soon.open(identity=ada, trusted_signers=[owner.signer])
    assert got.scope.expires == (now + timedelta(hours=1)).replace(microsecond=0)


def test_it_expires_in_mid_work(keyring, ada, owner, monkeypatch):
    """What was fitted with a grant, and its pickle, protect and open nothing more once it has expired."""
    until = datetime.now(UTC) + timedelta(hours=1)
    made = keyring.grant(["email"], recipient=ada.recipient, sign_with=owner, expires=until)
    got = made.open(identity=ada, trusted_signers=[owner.signer])
    step = FieldEncryptor("deterministic", key=got).fit(TABLE[["email"]])
    released = step.transform(TABLE[["email"]])

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=2)

    monkeypatch.setattr(scoped, "datetime", Later)
    for late in (step, pickle.loads(pickle.dumps(step)), FieldEncryptor("deterministic", key=got)):
        for call in (late.fit_transform, late.inverse_transform):
            with pytest.raises(KeyUnavailableError, match=f"expired at {until:%Y-%m-%d %H:%M}"):
                call(released)


def test_uses(keyring, ada, owner):
    """A grant for some uses serves these and no others."""
    made = keyring.grant(["email"], recipient=ada.recipient, sign_with=owner, uses=["siv-deterministic"])
    got = made.open(identity=ada, trusted_signers=[owner.signer])
    assert FieldEncryptor("deterministic", key=got).fit_transform(TABLE[["email"]]) is not None
    with pytest.raises(KeyUnavailableError, match="not for use 'siv-randomized'"):
        FieldEncryptor(key=got).fit_transform(TABLE[["email"]])


def test_after_a_rotation(keyring, ada, owner, opened):
    """A grant lacks the key of a rotation: what is rewrapped does not open with it, and the error says what helps."""
    newer = keyring.rotate()
    released = FieldEncryptor(key=keyring).fit_transform(TABLE[["email"]])
    moved = FieldEncryptor(key=newer).rewrap(released)
    assert FieldEncryptor(key=opened).inverse_transform(released).equals(TABLE[["email"]])
    with pytest.raises(DecryptionError, match="ask for a new grant"):
        FieldEncryptor(key=opened).inverse_transform(moved)
    fresh = newer.grant(["email"], recipient=ada.recipient, sign_with=owner)
    got = fresh.open(identity=ada, trusted_signers=[owner.signer])
    assert FieldEncryptor(key=got).inverse_transform(moved).equals(TABLE[["email"]])


def test_an_object_of_the_owner_after_a_rotation(keyring, opened):
    """A fitted object that is pinned to a key the grant lacks says that, by key id."""
    newer = keyring.rotate()
    step = FieldEncryptor(key=newer).fit(TABLE[["email"]])
    step.set_params(key=opened)
    with pytest.raises(KeyUnavailableError, match=f"does not hold key id {newer.primary}.*new grant"):
        step.transform(TABLE[["email"]])


@pytest.mark.parametrize("signers", [[], (), None, "x", 5])
def test_somebody_must_be_trusted(made, ada, signers):
    """Without a trusted signer nothing is opened: anybody can seal to a public key."""
    with pytest.raises((ParameterError, ParameterTypeError), match="trusted_signers"):
        made.open(identity=ada, trusted_signers=signers)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"recipient": 5}, "recipient"),
        ({"recipient": "canary"}, "line of text"),
        ({"sign_with": None}, "SigningKey"),
        ({"contexts": "email"}, "contexts"),
        ({"contexts": []}, "contexts"),
        ({"uses": ["wrap"]}, "uses"),
        ({"expires": "tomorrow"}, "expires"),
    ],
)
def test_parameters_that_are_refused(keyring, ada, owner, given, match):
    """What makes no sense in a grant is refused by its name."""
    usual = {"contexts": ["email"], "recipient": ada.recipient, "sign_with": owner}
    with pytest.raises((ParameterError, ParameterTypeError), match=match):
        keyring.grant(**usual | given)


def test_opening_takes_an_identity(made, ada, owner):
    """A recipient, or a signing key, opens nothing."""
    for wrong in (ada.recipient, owner, None):
        with pytest.raises(ParameterTypeError, match="identity"):
            made.open(identity=wrong, trusted_signers=[owner.signer])


def test_what_is_no_grant(tmp_path, keyring, made):
    """Another file is no grant, and a later version says so."""
    for content in (b"", b"{}\n", b"canary", bytes(made) + b" ", bytes(made)[:-1]):
        (tmp_path / "g").write_bytes(content)
        with pytest.raises(SealedFileError, match="is not a grant"):
            Grant.load(tmp_path / "g")
    later = json.load(bytes(made)) | {"version": 2}
    (tmp_path / "g").write_bytes(json.dump(later) + b"\n")
    with pytest.raises(SealedFileError, match=r"version 2.*upgrade"):
        Grant.load(tmp_path / "g")
    strange = json.load(bytes(made)) | {"id": "\u001b[canary"}
    (tmp_path / "g").write_bytes(json.dump(strange) + b"\n")
    with pytest.raises(SealedFileError, match="fields") as raised:
        Grant.load(tmp_path / "g")
    assert "canary" not in str(raised.value)


def test_what_the_owner_sealed_wrongly(keyring, ada, owner, monkeypatch):
    """A grant whose sealed part is not what it should be is refused as damaged, though it is signed."""
    for payload in ({}, [], {"keys": [["x", 5]]}, {"keys": None}):
        monkeypatch.setattr(grants, "_write", lambda _, payload=payload: payload)
        made = keyring.grant(["email"], recipient=ada.recipient, sign_with=owner)
        refused(bytes(made), SealedFileError, ada, [owner.signer], "damaged")


def test_two_grants_differ(keyring, ada, owner):
    """Each grant has an id, a key and an audit key of its own."""
    one, two = (keyring.grant(["email"], recipient=ada.recipient, sign_with=owner) for _ in "ab")
    assert one.id != two.id
    assert json.load(bytes(one))["sealed"] != json.load(bytes(two))["sealed"]


def test_its_own_audit_log(keyring, made, opened, tmp_path):
    """Its holder keeps a log that the owner verifies from the grant's id, and cannot forge the owner's."""
    log = tmp_path / "audit"
    with AuditLog(log, key=opened):
        FieldEncryptor(key=opened).fit_transform(TABLE[["email"]])
    assert verify(log, key=keyring, grant=made.id).count == verify(log, key=opened).count == 4
    with pytest.raises(KeyUnavailableError, match=f"by the holder of grant {made.id}"):
        verify(log, key=keyring)
    assert f"{keyring.primary}/{made.id}".encode() in log.read_bytes()
    ours = tmp_path / "ours"
    AuditLog(ours, key=keyring).start().stop()
    with pytest.raises(KeyUnavailableError):
        AuditLog(ours, key=opened).start()


def test_it_is_recorded(keyring, ada, owner, tmp_path):
    """Granting, opening and being refused are events with grant, recipient and contexts."""
    stranger = SigningKey.generate().signer
    with AuditLog(tmp_path / "log", key=keyring):
        made = keyring.grant(["email"], recipient=ada.recipient, sign_with=owner)
        made.open(identity=ada, trusted_signers=[owner.signer])
        with pytest.raises(SealedFileError):
            made.open(identity=ada, trusted_signers=[stranger])
    lines = [json.load(line) for line in (tmp_path / "log").read_bytes().splitlines()][2:-1]
    assert [(line["action"], line["result"]) for line in lines] == [
        ("grant", "ok"),
        ("open", "ok"),
        ("open", "UntrustedError"),
    ]
    assert all(line["grant"] == made.id and line["recipient"] == ada.recipient.id for line in lines)
    assert lines[1]["contexts"] == ["email"]


def test_a_grants_pickle(made, opened, ada, owner):
    """A grant's pickle is the grant; what it opened pickles by reference, without a key."""
    again = pickle.loads(pickle.dumps(made))
    assert bytes(again) == bytes(made)
    secrets = [key for held in opened._context_keys.values() for key in held.values()]
    assert not [secret for secret in secrets if secret in pickle.dumps(opened)]
    assert repr(made) == f"<Grant {made.id} for recipient {ada.recipient.id}>"
    with pytest.raises(ParameterError, match=r"Keyring\.grant"):
        Grant()


def test_its_holder_unpickles_the_owners_pipeline(ada, owner):
    """A step that the owner fitted works for the holder of a grant of its context, who passes the opened grant."""
    keyring = Keyring.generate()
    step = FieldEncryptor("deterministic", key=keyring).fit(TABLE[["email"]])
    released, pickled = step.transform(TABLE[["email"]]), pickle.dumps(step)
    made = keyring.grant(["email"], recipient=ada.recipient, sign_with=owner)
    del keyring, step
    gc.collect()
    got = made.open(identity=ada, trusted_signers=[owner.signer])
    step = pickle.loads(pickled)
    with pytest.raises(KeyUnavailableError, match=r"scoped keyring that is at hand: set_params\(key=\.\.\.\)"):
        step.inverse_transform(released)
    assert step.set_params(key=got).inverse_transform(released).equals(TABLE[["email"]])
    assert got.contexts == ("email",)


def test_death_while_saving_a_grant(made, keyring, ada, owner, tmp_path, interrupt_everywhere):
    """A process that dies at any step of a save leaves the old grant or the new one, whole."""
    path, new = tmp_path / "g", keyring.grant(["phone"], recipient=ada.recipient, sign_with=owner)
    states = {made.id: "old", new.id: "new"}
    outcomes = interrupt_everywhere(
        lambda: made.save(path), lambda: new.save(path), lambda: states[Grant.load(path).id]
    )
    assert {state for _, state in outcomes} == {"old", "new"}
