"""Readers cannot write for each other: none of them can put another body under the owner's stanza."""

import io
import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv._core import json
from modelpriv.errors import KeyUnavailableError, ParameterError, SealedFileError, UntrustedError
from modelpriv.keys import Identity, Keyring, SigningKey, stanzas
from modelpriv.keys.providers.passphrase import PassphraseProvider
from modelpriv.sealing.format import layout, slots

_INSIDER = runpy.run_path(str(Path(__file__).with_name("insider.py")))
Parts, pickled = _INSIDER["Parts"], _INSIDER["pickled"]

OWNER, READER, AUTHOR = Keyring.generate(), Keyring.generate(), SigningKey.generate()
PARTNER = Identity.generate("x25519")
REFUSED = (SealedFileError, KeyUnavailableError, UntrustedError)
# How someone opens a file: what dump takes for it, what load takes, and what takes the stanza apart.
WAYS = {
    "keyring": ({"key": OWNER}, {"key": OWNER}, {"keyring": OWNER}),
    "passphrase": ({"passphrase": "first"}, {"passphrase": "first"}, {"passphrase": "first"}),
    "wrapped": (
        {"wrap_with": PassphraseProvider("second")},
        {"provider": PassphraseProvider("second")},
        {"providers": [PassphraseProvider("second")]},
    ),
    "recipient": ({"recipients": [PARTNER.recipient]}, {"identity": PARTNER}, {"identity": PARTNER}),
}
NEW = {
    "key": "new_key",
    "passphrase": "new_passphrase",
    "wrap_with": "new_provider",
    "recipients": "new_recipients",
}
PAIRS = list(itertools.permutations(WAYS, 2))


def sealed_for(*names, model=None):
    """A file that opens in these ways, signed where that is what counts."""
    given = {name: value for way in names for name, value in WAYS[way][0].items()}
    signed = {"sign_with": AUTHOR} if "recipient" in names else {}
    return sealing.dumps(Ridge(alpha=3) if model is None else model, **given, **signed)


def refuses(data, bomb, **opening):
    """Assert that a file is refused, and that nothing was unpickled; give the words."""
    before = bomb.exploded
    with pytest.raises(REFUSED) as refused:
        sealing.loads(data, **opening)
    assert bomb.exploded == before
    return str(refused.value)


def trusting(names, opening):
    """What the owner passes to load."""
    return opening | ({"trusted_signers": [AUTHOR.signer]} if "recipient" in names else {})


@pytest.mark.parametrize(("owner", "reader"), PAIRS)
def test_the_honest_file_opens_in_both_ways(owner, reader):
    """The attacks below fail because of what they change: the file itself opens for owner and reader."""
    data = sealed_for(owner, reader)
    for name in (owner, reader):
        assert sealing.loads(data, **trusting((owner, reader), WAYS[name][1])).alpha == 3


@pytest.mark.parametrize(("owner", "reader"), PAIRS)
def test_another_body_under_the_owners_stanza(owner, reader, bomb):
    """A reader encrypts another body with the file key and leaves the owner's stanza: the owner refuses it."""
    data = sealed_for(owner, reader)
    forged = Parts(data, **WAYS[reader][2]).write(pickled(bomb()))
    refuses(forged, bomb, **trusting((owner, reader), WAYS[owner][1]))


@pytest.mark.parametrize(("owner", "reader"), PAIRS)
def test_another_body_after_a_rekey(owner, reader, bomb, tmp_path):
    """What a reader kept of a file is of no use once it was rekeyed: neither alone, nor mixed with the new file."""
    old = sealed_for(owner, reader)
    path, names = tmp_path / "m", (owner, reader)
    path.write_bytes(old)
    new = {NEW[name]: value for name, value in WAYS[owner][0].items()}
    signing = {"sign_with": AUTHOR} if "recipient" in names else {}
    sealing.rekey(path, **WAYS[owner][1], **new, **signing)
    forged = Parts(old, **WAYS[reader][2]).write(pickled(bomb()))
    refuses(forged, bomb, **trusting(names, WAYS[owner][1]))
    fresh = path.read_bytes()
    with pytest.raises(KeyUnavailableError):
        Parts(fresh, **WAYS[reader][2])
    ends = layout.PRELUDE + layout.Prelude.read(fresh, len(fresh)).manifest
    kept = Parts(old, **WAYS[reader][2])
    kept.manifest = fresh[layout.PRELUDE : ends]
    refuses(kept.write(pickled(bomb())), bomb, **trusting(names, WAYS[owner][1]))


@pytest.mark.parametrize(("owner", "reader"), PAIRS)
def test_another_body_under_the_owners_stanza_of_a_rewrap(owner, reader, bomb, tmp_path):
    """The stanza that a rewrap adds for a newer key of the owner is bound to the body as well."""
    path, names, newer = tmp_path / "m", (owner, reader), OWNER.rotate()
    path.write_bytes(sealed_for(owner, reader))
    sealing.rewrap(path, **WAYS[reader][1], add=newer)
    assert sealing.load(path, **trusting(names, {"key": newer.retire(OWNER.primary)})).alpha == 3
    forged = Parts(path.read_bytes(), **WAYS[reader][2]).write(pickled(bomb()))
    refuses(forged, bomb, **trusting(names, {"key": newer}))


def test_a_digest_that_fits_the_other_body(bomb):
    """A reader who writes the digest of the new body into the owner's stanza breaks the stanza."""
    parts = Parts(sealed_for("keyring", "passphrase"), passphrase="first")
    parts.write(pickled(bomb()))
    fitting = [way | {"body": stanzas.to_base64(parts.digest())} for way in parts.stanzas]
    assert "altered" in refuses(parts.write(ways=fitting), bomb, key=OWNER)


def test_a_digest_that_is_taken_off(bomb):
    """The stanza of a shared file does not open without its digest, and not as one of another origin."""
    parts = Parts(sealed_for("keyring", "passphrase"), passphrase="first")
    bare = [{name: value for name, value in way.items() if name != "body"} for way in parts.stanzas]
    refuses(parts.write(pickled(bomb()), ways=bare), bomb, key=OWNER)
    parts.manifest = json.dump(json.load(parts.manifest) | {"origin": "sole"})
    refuses(parts.write(pickled(bomb()), ways=parts.stanzas[:1]), bomb, key=OWNER)


def test_a_shared_stanza_without_a_digest(bomb):
    """A file of origin shared whose stanza is bound to no body is refused, though its holder made it."""
    parts = Parts(sealed_for("keyring", "passphrase"), keyring=OWNER)
    unbound = stanzas.wrap(parts.file_key, context=parts.context, keyring=OWNER)
    assert "put together" in refuses(parts.write(pickled(bomb()), ways=unbound), bomb, key=OWNER)


def test_the_floe_header_is_part_of_the_digest():
    """The digest covers the header, so that segments cannot be taken for those of another message."""
    parts = Parts(sealed_for("keyring", "passphrase"), keyring=OWNER)
    before = parts.digest()
    parts.body = bytes([parts.body[0] ^ 1]) + parts.body[1:]
    assert parts.digest() != before


@pytest.mark.parametrize("mebibytes", [0, 1, 3, 12])
def test_every_length_is_bound(mebibytes, bomb):
    """Short and long bodies, which are written and read on several threads, are verified to the last segment."""
    array = np.arange(mebibytes * 2**17, dtype=float)
    data = sealing.dumps(array, key=OWNER, passphrase="first")
    np.testing.assert_array_equal(sealing.loads(data, key=OWNER), array)
    parts = Parts(data, passphrase="first")
    plaintext = parts.plaintext()
    plaintext[-1] ^= 1
    refuses(parts.write(plaintext), bomb, key=OWNER)


# --- sole ---


@pytest.fixture
def path(tmp_path):
    """A file that one keyring opens."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=3), path, key=OWNER)
    return path


@pytest.mark.parametrize(
    "add",
    [
        {"add": READER},
        {"add_passphrase": "second"},
        {"add": [OWNER.rotate(), PassphraseProvider("second")]},
        {"add": OWNER.rotate(), "add_passphrase": "second"},
        {"add": PassphraseProvider("second")},
    ],
)
def test_nothing_joins_a_sole_file(add, path):
    """Another secret is not added in place to a file that one keyring opens; rekey is the way, and works."""
    before = path.read_bytes()
    with pytest.raises(ParameterError, match=r"rekey\(new_key=..., new_passphrase=...\)"):
        sealing.rewrap(path, key=OWNER, **add)
    assert path.read_bytes() == before
    sealing.rekey(path, key=OWNER, new_key=OWNER, new_passphrase="second")
    assert sealing.load(path, passphrase="second").alpha == sealing.load(path, key=OWNER).alpha == 3


def test_a_sole_passphrase(tmp_path):
    """A file that one passphrase opens takes no key and no other passphrase in place."""
    sealing.dump(Ridge(), tmp_path / "m", passphrase="first")
    for add in ({"add": OWNER}, {"add_passphrase": "second"}):
        with pytest.raises(ParameterError, match="rekey"):
            sealing.rewrap(tmp_path / "m", passphrase="first", **add)


def test_a_newer_key_of_the_same_keyring(path):
    """A sole file moves to a newer key of its keyring in place, with a stanza that is bound to the body."""
    newer = OWNER.rotate()
    sealing.rewrap(path, key=newer, add=newer, remove=OWNER.primary)
    data = path.read_bytes()
    (stanza,) = Parts(data, keyring=newer).stanzas
    assert "body" in stanza
    assert sealing.load(path, key=newer).alpha == 3


def test_an_older_key_that_leaks_after_a_rotation(path, bomb):
    """Who has the older key and an old copy knows the file key, and cannot write for the newer one."""
    old, newer = path.read_bytes(), OWNER.rotate()
    sealing.rewrap(path, key=newer, add=newer, remove=OWNER.primary)
    current = path.read_bytes()
    leaked = Parts(old, keyring=OWNER)
    mine = Parts(current, keyring=newer).stanzas
    refuses(leaked.write(pickled(bomb()), ways=mine), bomb, key=newer.retire(OWNER.primary))


def test_the_next_rotation_reads_no_body(path, monkeypatch):
    """A second rotation takes over the digest that the first one found."""
    newer = OWNER.rotate()
    newest = newer.rotate()
    sealing.rewrap(path, key=newer, add=newer, remove=OWNER.primary)
    first = Parts(path.read_bytes(), keyring=newer)
    monkeypatch.setattr("modelpriv.sealing.format.digest.of_stored", lambda *_: pytest.fail("the body was read"))
    sealing.rewrap(path, key=newest, add=newest, remove=newer.primary)
    (stanza,) = Parts(path.read_bytes(), keyring=newest).stanzas
    assert stanza["body"] == first.stanzas[0]["body"]


@pytest.mark.parametrize("others", [{"passphrase": "x"}, {"recipients": [PARTNER.recipient]}])
def test_a_sole_file_that_others_open(others, path, bomb):
    """A sole file whose envelope has another way too is refused, also by its owner."""
    parts = Parts(path.read_bytes(), keyring=OWNER)
    ways = [*parts.stanzas, *stanzas.wrap(parts.file_key, context=parts.context, **others)]
    assert "put together" in refuses(parts.write(pickled(bomb()), ways=ways), bomb, key=OWNER)


def test_the_origin_is_part_of_the_context():
    """Stanzas of two origins are bound to different contexts, whatever the manifest."""
    contexts = {slots.wrap_context(b"", origin) for origin in (layout.SOLE, layout.SHARED, layout.SIGNED)}
    assert len(contexts) == 3


def test_what_cannot_seek(tmp_path):
    """A shared file, whose stanzas are made last, is written in order to what cannot go back."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.parts = []

        def writable(self):
            return True

        def write(self, data):
            self.parts.append(bytes(data[:100_000]))
            return len(self.parts[-1])

    pipe = Pipe()
    sealing.dump([bytes(3 * 2**20)], pipe, key=OWNER, passphrase="first")
    assert sealing.loads(b"".join(pipe.parts), key=OWNER) == [bytes(3 * 2**20)]
    with (tmp_path / "log").open("ab") as file:
        file.write(b"before")
        sealing.dump(Ridge(alpha=3), file, key=OWNER, passphrase="first")
    with (tmp_path / "log").open("rb") as file:
        file.seek(6)
        assert sealing.load(file, key=OWNER).alpha == 3
