"""The envelope: any of its stanzas opens it, and nothing else does."""

import copy
import json

import pytest

from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError
from modelpriv.keys import Identity, Keyring
from modelpriv.keys import stanzas as envelope
from modelpriv.keys.keyring import build
from modelpriv.keys.providers import passphrase as passphrases
from modelpriv.keys.text import to_base64

KEY, CONTEXT, PASSPHRASE = bytes(range(32)), b"what it is for", "an example, and no secret"

pytestmark = pytest.mark.usefixtures("cheap_argon2")


@pytest.fixture
def stanzas(keyring):
    """One stanza of each kind."""
    return envelope.wrap(KEY, context=CONTEXT, keyring=keyring, passphrase=PASSPHRASE)


def test_each_way_opens(keyring, stanzas):
    """The keyring opens, and so does the passphrase, alone or with each other."""
    for given in ({"keyring": keyring}, {"passphrase": PASSPHRASE}, {"keyring": keyring, "passphrase": PASSPHRASE}):
        assert envelope.unwrap(stanzas, context=CONTEXT, **given) == KEY


def test_json_keeps_the_stanzas(keyring, stanzas):
    """Stanzas can be written as JSON and read again."""
    assert envelope.unwrap(json.loads(json.dumps(stanzas)), context=CONTEXT, keyring=keyring) == KEY


def test_the_stanzas_hide_the_key(keyring, stanzas):
    """No stanza shows the key that it wraps."""
    assert to_base64(KEY)[:20] not in json.dumps(stanzas)


def test_an_older_key_opens(keyring, stanzas):
    """A rotated keyring opens what was wrapped before, and wraps under its new key."""
    rotated = keyring.rotate()
    assert envelope.unwrap(stanzas, context=CONTEXT, keyring=rotated) == KEY
    assert envelope.key_ids(envelope.wrap(KEY, context=CONTEXT, keyring=rotated)) == (rotated.primary,)


def test_key_ids(keyring, stanzas):
    """The key ids of an envelope are those of its keyring stanzas."""
    assert envelope.key_ids(stanzas) == (keyring.primary,)


def test_wrapped_with_nothing():
    """A key is not wrapped with nothing."""
    with pytest.raises(ParameterError, match="keyring, a passphrase, recipients or a provider"):
        envelope.wrap(KEY, context=CONTEXT)


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_has_32_bytes(keyring, length):
    """A key of another length is refused."""
    with pytest.raises(ParameterError, match=f"32 bytes, got {length}"):
        envelope.wrap(bytes(length), context=CONTEXT, keyring=keyring)


def test_another_context(keyring, stanzas):
    """A stanza does not open in another context than its own."""
    for given in ({"keyring": keyring}, {"passphrase": PASSPHRASE}):
        with pytest.raises(KeyUnavailableError, match="altered"):
            envelope.unwrap(stanzas, context=b"another", **given)


def test_another_keyring(keyring, stanzas):
    """A keyring without the key is told which key ids would do, and which it has."""
    other = Keyring.generate()
    with pytest.raises(KeyUnavailableError, match=f"key id {keyring.primary} or a passphrase.*{other.primary}"):
        envelope.unwrap(stanzas, context=CONTEXT, keyring=other)


def test_a_wrong_passphrase_is_said(stanzas):
    """A wrong passphrase is called that, and not shown."""
    with pytest.raises(KeyUnavailableError, match="passphrase is wrong") as raised:
        envelope.unwrap(stanzas, context=CONTEXT, passphrase="canary")
    assert "canary" not in str(raised.value)


def test_a_passphrase_where_there_is_none(keyring):
    """A passphrase for what no passphrase opens is told what does."""
    stanzas = envelope.wrap(KEY, context=CONTEXT, keyring=keyring)
    with pytest.raises(KeyUnavailableError, match=f"opens with key id {keyring.primary}; given: a passphrase"):
        envelope.unwrap(stanzas, context=CONTEXT, passphrase=PASSPHRASE)


def test_nothing_given(stanzas):
    """With nothing to open it, an envelope says what would."""
    with pytest.raises(KeyUnavailableError, match=r"or a passphrase; given: nothing\."):
        envelope.unwrap(stanzas, context=CONTEXT)


def test_an_equal_key_id(keyring, stanzas):
    """A stanza with this keyring's key id that another key made is said to be that, and hides no other stanza."""
    other = Keyring.generate()
    (stanza,) = envelope.wrap(KEY, context=CONTEXT, keyring=other)
    named = stanza | {"key_id": keyring.primary}
    with pytest.raises(KeyUnavailableError, match=rf"{keyring.primary} \(another key than yours"):
        envelope.unwrap([named], context=CONTEXT, keyring=keyring)
    assert envelope.unwrap([named, *stanzas], context=CONTEXT, keyring=keyring) == KEY


def test_the_stanza_that_opened_is_told(keyring, stanzas):
    """The stanza that gave the key is returned with it."""
    assert envelope.unwrap_by(stanzas, context=CONTEXT, keyring=keyring) == (KEY, stanzas[0])
    assert envelope.unwrap_by(stanzas, context=CONTEXT, passphrase=PASSPHRASE) == (KEY, stanzas[1])


@pytest.mark.parametrize("change", [{"body": to_base64(bytes(32))}, {"body": None}])
def test_a_stanza_is_bound_to_a_body(keyring, change):
    """A stanza for one body opens with its digest, and neither with another digest nor without one."""
    stanzas = envelope.wrap(KEY, context=CONTEXT, keyring=keyring, passphrase=PASSPHRASE, body=b"\1" * 32)
    altered = [{name: value for name, value in (stanza | change).items() if value is not None} for stanza in stanzas]
    for given in ({"keyring": keyring}, {"passphrase": PASSPHRASE}):
        assert envelope.unwrap(stanzas, context=CONTEXT, **given) == KEY
        with pytest.raises(KeyUnavailableError, match="altered"):
            envelope.unwrap(altered, context=CONTEXT, **given)


def test_a_damaged_stanza_does_not_lock_the_others(keyring, stanzas):
    """Where one stanza does not open, the next is tried."""
    broken = stanzas[0] | {"wrapped": to_base64(bytes(48))}
    assert envelope.unwrap([broken, *stanzas], context=CONTEXT, keyring=keyring) == KEY
    assert envelope.unwrap([broken, stanzas[1]], context=CONTEXT, keyring=keyring, passphrase=PASSPHRASE) == KEY


def test_an_unknown_kind_is_passed_over(keyring, stanzas):
    """A stanza of a kind that is not known does not hinder the others, and opens nothing."""
    unknown = {"type": "canary", "anything": 1}
    assert envelope.unwrap([unknown, *stanzas], context=CONTEXT, keyring=keyring) == KEY
    with pytest.raises(KeyUnavailableError, match="a provider of type 'canary'"):
        envelope.unwrap([unknown], context=CONTEXT, keyring=keyring)


@pytest.mark.parametrize(
    "field", ["type", "key_id", "check", "wrapped", "passes", "memory_kib", "lanes", "salt", "commitment"]
)
@pytest.mark.parametrize("value", [None, 5.5, [], {}])
def test_a_damaged_field(keyring, stanzas, field, value):
    """A field of another type is refused, whichever way would open it, before anything is tried."""
    damaged = copy.deepcopy(stanzas)
    for stanza in damaged:
        if field in stanza:
            stanza[field] = value
    with pytest.raises(SealedFileError, match="damaged"):
        envelope.unwrap(damaged, context=CONTEXT, keyring=keyring, passphrase=PASSPHRASE)


@pytest.mark.parametrize(
    "stanzas", [None, 5, "abc", {"type": "keyring"}, [None], [[]], ["keyring"], [{}], [{"type": 5}]]
)
def test_no_stanzas_at_all(keyring, stanzas):
    """What is no list of stanzas is refused."""
    with pytest.raises(SealedFileError, match="stanzas"):
        envelope.unwrap(stanzas, context=CONTEXT, keyring=keyring)


def test_too_many_stanzas(keyring, stanzas, monkeypatch):
    """More than 64 stanzas, or more than 8 for passphrases, are refused before anything is tried."""
    monkeypatch.setattr(passphrases, "Argon2id", None)
    assert envelope.unwrap(stanzas[:1] * 64, context=CONTEXT, keyring=keyring) == KEY
    for many in (stanzas[:1] * 65, stanzas[1:] * 9):
        with pytest.raises(SealedFileError, match="more stanzas than are accepted"):
            envelope.unwrap(many, context=CONTEXT, keyring=keyring, passphrase=PASSPHRASE)


@pytest.mark.parametrize(("field", "value"), [("passes", 11), ("memory_kib", 1 << 40), ("lanes", 17)])
def test_costs_above_the_bound(keyring, stanzas, monkeypatch, field, value):
    """A stanza with giant costs is refused before Argon2 runs, though another stanza would open."""
    monkeypatch.setattr(passphrases, "Argon2id", None)
    with pytest.raises(SealedFileError, match="above what is accepted"):
        envelope.unwrap([stanzas[0], stanzas[1] | {field: value}], context=CONTEXT, keyring=keyring)


@pytest.fixture
def identity():
    """An identity of the cheapest kind."""
    return Identity.generate("x25519")


def test_recipients_open(keyring, identity):
    """Each recipient's identity opens, whatever else would."""
    others = [Identity.generate(kind) for kind in ("x-wing", "p-256")]
    everybody = [identity, *others]
    recipients = [one.recipient for one in everybody]
    stanzas = envelope.wrap(KEY, context=CONTEXT, keyring=keyring, recipients=recipients)
    for one in everybody:
        assert envelope.unwrap(json.loads(json.dumps(stanzas)), context=CONTEXT, identity=one) == KEY
    assert envelope.unwrap(stanzas, context=CONTEXT, keyring=Keyring.generate(), identity=identity) == KEY


def test_another_identity(identity):
    """An identity for which there is no stanza is told which recipients there are, and which it is."""
    stanzas = envelope.wrap(KEY, context=CONTEXT, recipients=[identity.recipient])
    other = Identity.generate("x25519")
    with pytest.raises(KeyUnavailableError, match=f"recipient {identity.recipient.id}; given.*{other.recipient.id}"):
        envelope.unwrap(stanzas, context=CONTEXT, identity=other)


def test_a_stanza_for_somebody_else(identity):
    """A stanza that names this recipient but was sealed to another is noticed."""
    (stanza,) = envelope.wrap(KEY, context=CONTEXT, recipients=[Identity.generate("x25519").recipient])
    with pytest.raises(KeyUnavailableError, match=f"{identity.recipient.id} does not open"):
        envelope.unwrap([stanza | {"recipient": identity.recipient.id}], context=CONTEXT, identity=identity)


@pytest.mark.parametrize("recipient", [None, 5, "", "0" * 15, "G" * 16, "0" * 16 + "\n"])
def test_a_recipient_id_is_hexadecimal(identity, recipient):
    """A recipient's id that is none is refused: it would stand in errors."""
    (stanza,) = envelope.wrap(KEY, context=CONTEXT, recipients=[identity.recipient])
    with pytest.raises(SealedFileError, match="'recipient'"):
        envelope.unwrap([stanza | {"recipient": recipient}], context=CONTEXT, identity=identity)


def test_too_many_recipients(identity):
    """A key is not wrapped in more ways than would be read."""
    assert len(envelope.wrap(KEY, context=CONTEXT, recipients=[identity.recipient] * 64)) == 64
    with pytest.raises(ParameterError, match="at most 64"):
        envelope.wrap(KEY, context=CONTEXT, recipients=[identity.recipient] * 65)


@pytest.mark.parametrize("key_id", ["", "0000000", "0000000G", "00000001\n", "\x1b[31mcanary"])
def test_a_key_id_is_hexadecimal(keyring, stanzas, key_id):
    """A key id that is none is refused: it would stand in errors."""
    with pytest.raises(SealedFileError, match="key_id"):
        envelope.unwrap([stanzas[0] | {"key_id": key_id}], context=CONTEXT, keyring=keyring)


def test_a_vector():
    """A stanza of a known keyring opens for ever."""
    ring = build([bytes(range(32))])
    stanza = {
        "type": "keyring",
        "key_id": "8a72569d",
        "check": "tohxbQgYGerXdfjN7iA8Cg",
        "wrapped": "iZJUt5ggMUP61rF7rUnW3JfMGmaZEgO7G8WXjiLoVaceRI5viFdgvuHzKZyOvOZR",
    }
    assert envelope.unwrap([stanza], context=CONTEXT, keyring=ring) == KEY
    assert envelope.wrap(KEY, context=CONTEXT, keyring=ring) == [stanza]
