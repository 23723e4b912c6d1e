"""Who vouches for a sealed file: nothing is unpickled that a stranger can have written."""

import io
import runpy
import secrets
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from modelpriv import EncryptedEstimator, sealing
from modelpriv._core import json
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError, UntrustedError
from modelpriv.keys import Identity, Keyring, SigningKey, set_providers, stanzas
from modelpriv.sealing import access, contents
from modelpriv.sealing.format import buffers, layout

_INSIDER = runpy.run_path(str(Path(__file__).with_name("insider.py")))
Parts, pickled = _INSIDER["Parts"], _INSIDER["pickled"]

KINDS = ("ed25519", "ml-dsa-65")


@pytest.fixture(scope="module")
def ada():
    return Identity.generate("x25519")


@pytest.fixture(scope="module")
def author():
    return SigningKey.generate()


@pytest.fixture(autouse=True)
def _trust_nobody():
    """Leave the process's trust as it was."""
    yield
    sealing.set_trusted()


def manifest_of(data):
    """The fields of a file's manifest."""
    end = layout.PRELUDE + layout.Prelude.read(data, len(data)).manifest
    return layout.read_manifest(data[layout.PRELUDE : end])


def refuses(data, bomb, error=UntrustedError, **opening):
    """Assert that a file is refused, and that nothing was unpickled; give the words."""
    before = bomb.exploded
    with pytest.raises(error) as refused:
        sealing.loads(bytes(data), **opening)
    assert bomb.exploded == before
    return str(refused.value)


# --- what is trusted is opened ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", ["x-wing", "x25519", "p-256", "rsa"])
def test_for_a_partner(kind, reader, tmp_path):
    """What is sealed to a recipient and signed opens with the identity where the signer is trusted, of every kind."""
    partner, author = Identity.generate(reader), SigningKey.generate(kind)
    sealing.dump(Ridge(alpha=3), tmp_path / "m", recipients=[str(partner.recipient)], sign_with=author)
    opened = sealing.load(tmp_path / "m", identity=partner, trusted_signers=[str(author.signer)])
    assert opened.alpha == 3


@pytest.mark.parametrize("mebibytes", [0, 1, 3, 12])
def test_every_length_is_signed(mebibytes, keyring, author):
    """Short and long bodies, which are read on two threads, are verified."""
    array = np.arange(mebibytes * 2**17, dtype=float)
    data = sealing.dumps(array, key=keyring, sign_with=author)
    np.testing.assert_array_equal(sealing.loads(data, key=keyring, trusted_signers=[author.signer]), array)


def test_whichever_way_opens_it(keyring, ada, author, bomb):
    """A signed file needs a trusted signature whether its key, a passphrase or an identity opens it."""
    data = sealing.dumps(bomb(), key=keyring, passphrase="an example", recipients=[ada.recipient], sign_with=author)
    ways = ({"key": keyring}, {"passphrase": "an example"}, {"identity": ada})
    for opening in ways:
        assert "trusted_signers" in refuses(data, bomb, **opening)
    for opening in ways:
        sealing.loads(data, **opening, trusted_signers=[author.signer])
    assert bomb.exploded == len(ways)


def test_the_process_trusts(keyring, author):
    """What set_trusted names is trusted by every call, until it is called again."""
    data = sealing.dumps(Ridge(), key=keyring, sign_with=author)
    sealing.set_trusted(signers=[author.signer])
    sealing.loads(data, key=keyring)
    sealing.set_trusted()
    with pytest.raises(UntrustedError):
        sealing.loads(data, key=keyring)


def test_a_key_vouches_by_itself(keyring):
    """What only the reader's own key or passphrase opens needs no signature."""
    sealing.loads(sealing.dumps(Ridge(), key=keyring), key=keyring)
    sealing.loads(sealing.dumps(Ridge(), passphrase="an example"), passphrase="an example")


# --- what is not ---


def test_a_stranger(ada, author, bomb):
    """A stranger's file, correct in itself, is not unpickled."""
    data = sealing.dumps(bomb(), recipients=[ada.recipient], sign_with=SigningKey.generate())
    assert "stranger" in refuses(data, bomb, identity=ada, trusted_signers=[author.signer])


def test_a_stripped_signature(ada, author, bomb):
    """A file whose signature was taken off, by a recipient who can make the envelope fit, is not unpickled."""
    parts = Parts(sealing.dumps(bomb(), recipients=[ada.recipient], sign_with=author), identity=ada)
    data = parts.write(trailer=b"")
    assert "not signed" in refuses(data, bomb, identity=ada, trusted_signers=[author.signer])


def test_a_stripped_signature_where_the_process_trusts(ada, author, bomb):
    """The same where only the process names signers, or types that unsigned files may hold."""
    parts = Parts(sealing.dumps(bomb(), recipients=[ada.recipient], sign_with=author), identity=ada)
    data = parts.write(trailer=b"")
    sealing.set_trusted(signers=[author.signer], types=["mylib.Step"])
    assert "not signed, and anyone with the recipient's public key" in refuses(data, bomb, identity=ada)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_of_another_algorithm(kind, ada, bomb):
    """A signature of the other kind under the trusted signer's name is refused."""
    author = SigningKey.generate(kind)
    other = SigningKey.generate(next(one for one in KINDS if one != kind))
    parts = Parts(sealing.dumps(bomb(), recipients=[ada.recipient], sign_with=author), identity=ada)
    forged = parts.write(sign_with=other)
    found = json.load(Parts(forged, identity=ada).trailer) | {"signer": author.signer.id}
    data = parts.write(trailer=json.dump(found))
    refuses(data, bomb, SealedFileError, identity=ada, trusted_signers=[author.signer])
    refuses(data, bomb, SealedFileError, identity=ada, trusted_signers=[author.signer, other.signer])


def test_a_recipient_rewrites_the_body_under_the_owners_stanza(keyring, ada, author, bomb):
    """A recipient knows the file's key, and puts another body under the owner's own stanza: the owner refuses it."""
    honest = sealing.dumps(Ridge(), key=keyring, recipients=[ada.recipient], sign_with=author)
    parts = Parts(honest, identity=ada)
    mine = [way for way in parts.stanzas if way["type"] == "keyring"]
    forged = parts.write(pickled(bomb()), ways=mine)
    assert "not the one that was signed" in refuses(
        forged, bomb, SealedFileError, key=keyring, trusted_signers=[author.signer]
    )


def test_a_recipient_says_that_only_the_owner_wrote(keyring, ada, author, bomb):
    """A recipient cannot make the file one of origin 'sole': its stanzas belong to the manifest that it had."""
    parts = Parts(sealing.dumps(Ridge(), key=keyring, recipients=[ada.recipient], sign_with=author), identity=ada)
    parts.manifest = json.dump(json.load(parts.manifest) | {"origin": "sole"})
    mine = [way for way in parts.stanzas if way["type"] == "keyring"]
    refuses(parts.write(pickled(bomb()), ways=mine, trailer=b""), bomb, KeyUnavailableError, key=keyring)


def test_a_recipient_in_a_file_of_origin_sole(keyring, ada, bomb):
    """A file that says only holders of its keys wrote it, and opens for a recipient too, is refused by all of them."""
    parts = Parts(sealing.dumps(bomb(), key=keyring), keyring=keyring)
    context = parts.context
    ways = [*parts.stanzas, *stanzas.wrap(parts.file_key, context=context, recipients=[ada.recipient])]
    for opening in ({"key": keyring}, {"identity": ada}):
        assert "put together" in refuses(parts.write(ways=ways), bomb, SealedFileError, **opening)


def test_an_insider_alters_one_weight(ada, author):
    """Who has the file's key and not the signing key cannot change one weight unseen."""
    model = Ridge().fit(np.eye(3), [1.0, 2.0, 3.0])
    parts = Parts(sealing.dumps(model, recipients=[ada.recipient], sign_with=author), identity=ada)
    plaintext = parts.plaintext()
    at = plaintext.find(model.coef_.tobytes())
    plaintext[at] ^= 1
    altered = parts.write(plaintext)
    with pytest.raises(SealedFileError, match="not the one that was signed"):
        sealing.loads(altered, identity=ada, trusted_signers=[author.signer])


def test_a_signature_of_another_file(ada, author, bomb):
    """The signature of one file does not vouch for another, not even with the same contents."""
    one, other = (
        Parts(sealing.dumps(bomb(), recipients=[ada.recipient], sign_with=author), identity=ada) for _ in range(2)
    )
    refuses(one.write(trailer=other.trailer), bomb, SealedFileError, identity=ada, trusted_signers=[author.signer])


def test_every_flipped_bit_of_a_signed_file(keyring, author, bomb):
    """One flipped bit in manifest, body or trailer of a signed file is refused before anything runs."""
    data = sealing.dumps(bomb(), key=keyring, sign_with=author)
    prelude = layout.Prelude.read(data, len(data))
    start = layout.PRELUDE + prelude.manifest
    for position in {*range(start), *range(start + 2 * prelude.slot, len(data))}:
        altered = bytearray(data)
        altered[position] ^= 1 << (position % 8)
        refuses(altered, bomb, (SealedFileError, KeyUnavailableError), key=keyring, trusted_signers=[author.signer])


@pytest.mark.parametrize("cut", [1, 31, 32, 100])
def test_a_cut_trailer(cut, keyring, author, bomb):
    """A trailer that was cut is refused, by an insider who adapts the lengths too."""
    parts = Parts(sealing.dumps(bomb(), key=keyring, sign_with=author), keyring=keyring)
    for trailer in (parts.trailer[:-cut], parts.trailer[cut:], parts.trailer[: 32 - cut if cut < 32 else 32]):
        refuses(parts.write(trailer=trailer), bomb, SealedFileError, key=keyring, trusted_signers=[author.signer])


def test_a_signature_where_there_can_be_none(keyring, author, bomb):
    """A trailer behind a file of origin sole is refused: nothing says that it counts."""
    parts = Parts(sealing.dumps(bomb(), key=keyring), keyring=keyring)
    assert "put together" in refuses(
        parts.write(sign_with=author), bomb, SealedFileError, key=keyring, trusted_signers=[author.signer]
    )


# --- shown ---


def test_inspect_shows_recipients_and_signer(keyring, ada, author, tmp_path):
    """Without a key the ids of recipients and signer are shown, as claims, and what wraps the key is not."""
    path = tmp_path / "m"
    sealing.dump(Ridge(), path, key=keyring, recipients=[ada.recipient], sign_with=author)
    claims = sealing.inspect(path)
    assert (claims.origin, claims.signer) == ("signed", author.signer.id)
    assert claims.stanzas == (
        {"type": "keyring", "key_id": keyring.primary},
        {"type": "x25519", "recipient": ada.recipient.id},
    )
    assert str(claims).startswith("unverified")
    assert sealing.inspect(io.BytesIO(path.read_bytes())) == claims


def test_wrong_parameters(keyring, ada, author, tmp_path):
    """Signers, keys, types and flags that are none are refused with parameter and type."""
    data = sealing.dumps(Ridge(), key=keyring, sign_with=author)
    for wrong in ({"trusted_signers": author.signer}, {"trusted_signers": [author]}, {"trusted_types": "Ridge"}):
        with pytest.raises(ParameterTypeError, match=next(iter(wrong))):
            sealing.loads(data, key=keyring, **wrong)
    with pytest.raises(ParameterTypeError, match="allow_code"):
        sealing.loads(data, key=keyring, allow_code=1)
    with pytest.raises(ParameterTypeError, match="identity must be an Identity"):
        sealing.loads(data, identity=ada.recipient)
    with pytest.raises(ParameterTypeError, match="sign_with must be a SigningKey"):
        sealing.dumps(Ridge(), key=keyring, sign_with=author.signer)
    with pytest.raises(ParameterTypeError, match="recipients"):
        sealing.dumps(Ridge(), recipients=ada.recipient)
    with pytest.raises(ParameterError, match="recipients is empty"):
        sealing.dumps(Ridge(), recipients=[])
    with pytest.raises(ParameterError, match="code must be one of"):
        sealing.dumps(Ridge(), key=keyring, code="by-name")
    with pytest.raises(ParameterError, match="identity"):
        sealing.loads(data)


class _Elsewhere:
    """A provider that must not be asked."""

    type = "vault"
    asked = 0

    def wrap(self, data_key, context):
        return {"type": "vault", "url": "https://vault.example", "key": "k", "wrapped": "AAAA"}

    def unwrap(self, blob, context):
        type(self).asked += 1
        raise KeyUnavailableError("it does not open")

    def describe(self):
        return "an example"


def test_a_provider_in_a_strangers_file(ada, author, keyring):
    """What a file says of a provider is shown, and only one that the caller configured is ever asked."""
    data = sealing.dumps(Ridge(), recipients=[ada.recipient], wrap_with=_Elsewhere(), sign_with=author)
    assert {"type": "vault", "url": "https://vault.example", "key": "k"} in sealing.inspect(io.BytesIO(data)).stanzas
    for opening in ({"identity": ada}, {"key": keyring}):
        with pytest.raises((UntrustedError, KeyUnavailableError)):
            sealing.loads(data, **opening)
    assert not _Elsewhere.asked
    with pytest.raises(KeyUnavailableError, match="does not open"):
        sealing.loads(data, provider=_Elsewhere())
    assert _Elsewhere.asked


def test_a_provider_opens(author):
    """A file that a provider wraps opens with it, from load or from the process, and needs a trusted signer."""

    class Here:
        type = "here"

        def wrap(self, data_key, context):
            return {"type": "here", "wrapped": (bytes(a ^ 7 for a in data_key) + context).hex()}

        def unwrap(self, blob, context):
            data = bytes.fromhex(blob["wrapped"])
            if data[32:] != context:
                raise KeyUnavailableError("another context")
            return bytes(a ^ 7 for a in data[:32])

        def describe(self):
            return "here"

    data = sealing.dumps(Ridge(alpha=3), wrap_with=Here(), sign_with=author)
    assert sealing.loads(data, provider=Here(), trusted_signers=[author.signer]).alpha == 3
    with pytest.raises(UntrustedError):
        sealing.loads(data, provider=Here())


def test_a_passphrase_as_a_provider_is_a_passphrase(keyring):
    """A PassphraseProvider makes a file that only the passphrase opens, so it needs no signature."""
    from modelpriv.keys.providers.passphrase import PassphraseProvider  # noqa: PLC0415

    data = sealing.dumps(Ridge(), wrap_with=PassphraseProvider("an example"))
    sealing.loads(data, passphrase="an example")
    sealing.loads(data, provider=PassphraseProvider("an example"))


def test_forged_lengths_of_keys(ada, author):
    """What a provider gives back is a key of the right length, or the file is refused."""

    class Short(_Elsewhere):
        def unwrap(self, blob, context):
            return secrets.token_bytes(16)

    data = sealing.dumps(Ridge(), wrap_with=Short(), sign_with=author)
    with pytest.raises(SealedFileError, match="no key"):
        sealing.loads(data, provider=Short(), trusted_signers=[author.signer])


def test_the_manifest_says_what_counts(keyring, ada, author):
    """Origin and serializer follow from the ways in and the signature, and other combinations are refused."""
    cases = [
        ({"key": keyring}, ("sole", "pickle-5")),
        ({"passphrase": "an example"}, ("sole", "pickle-5")),
        ({"key": keyring, "passphrase": "an example"}, ("shared", "pickle-5")),
        ({"key": keyring, "code": "by-value"}, ("sole", "cloudpickle-5")),
        ({"key": keyring, "sign_with": author}, ("signed", "pickle-5")),
        ({"recipients": [ada.recipient], "sign_with": author}, ("signed", "pickle-5")),
        ({"recipients": [ada.recipient]}, ("signed", "skops")),
        ({"key": keyring, "recipients": [ada.recipient]}, ("signed", "skops")),
    ]
    for ways, expected in cases:
        manifest = manifest_of(sealing.dumps(Ridge(), **ways))
        assert (manifest["origin"], manifest["serializer"]) == expected
    manifest = json.load(layout.new_manifest(None)) | {"origin": "sole", "serializer": "skops"}
    with pytest.raises(SealedFileError, match="does not know"):
        layout.read_manifest(json.dump(manifest))


def test_what_a_keyring_of_another_says(ada, author):
    """An error of a file that does not open names recipients, key ids and what was given."""
    data = sealing.dumps(Ridge(), recipients=[ada.recipient], sign_with=author)
    other = Keyring.generate()
    with pytest.raises(KeyUnavailableError) as refused:
        sealing.loads(data, key=other, trusted_signers=[author.signer])
    assert ada.recipient.id in str(refused.value)
    assert other.primary in str(refused.value)


def test_another_trusted_signer_in_the_authors_place(ada, author):
    """Somebody whom the reader trusts too cannot put their signature in the author's place: the manifest names hers."""
    parts = Parts(sealing.dumps(Ridge(), recipients=[ada.recipient], sign_with=author), identity=ada)
    eve = SigningKey.generate()
    with pytest.raises(UntrustedError):
        sealing.loads(parts.write(sign_with=eve), identity=ada, trusted_signers=[author.signer, eve.signer])


def test_no_work_for_strangers(ada, author, monkeypatch):
    """A stranger's file is refused by its manifest, before its body is read."""
    data = sealing.dumps(Ridge(), recipients=[ada.recipient], sign_with=SigningKey.generate())
    monkeypatch.setattr(buffers, "read", lambda *_: pytest.fail("the body was read"))
    with pytest.raises(UntrustedError, match="stranger"):
        sealing.loads(data, identity=ada, trusted_signers=[author.signer])


def test_a_stanza_that_only_bears_the_name(keyring, ada, author, tmp_path):
    """A stanza under the name of a key or recipient that does not open the file is replaced by one that does."""
    path = tmp_path / "m"
    whole = sealing.dumps(Ridge(alpha=3), passphrase="an example", recipients=[ada.recipient], sign_with=author)
    parts = Parts(whole, passphrase="an example")
    context = parts.context
    false = [
        *stanzas.wrap(bytes(32), context=context, keyring=keyring, recipients=[ada.recipient]),
        {"type": "of tomorrow", "key_id": keyring.primary, "recipient": ada.recipient.id},
    ]
    passphrase = [way for way in parts.stanzas if way["type"] == "argon2id"]
    path.write_bytes(parts.write(ways=[*false, *passphrase]))
    sealing.rewrap(path, passphrase="an example", add=[keyring, ada.recipient], remove="passphrase")
    for opening in ({"key": keyring}, {"identity": ada}):
        assert sealing.load(path, **opening, trusted_signers=[author.signer]).alpha == 3


def test_recipients_are_removed_as_they_were_added(ada, author, tmp_path):
    """A recipient is removed as an object or by its id, and an identity in its place is refused with the remedy."""
    path, eve = tmp_path / "m", Identity.generate("x25519")
    sealing.dump(Ridge(), path, recipients=[ada.recipient], sign_with=author)
    with pytest.raises(ParameterTypeError, match=r"identity\.recipient"):
        sealing.rewrap(path, identity=ada, add=eve)
    for remove in (eve.recipient, [eve.recipient], eve.recipient.id):
        sealing.rewrap(path, identity=ada, add=eve.recipient)
        sealing.rewrap(path, identity=ada, remove=remove)
        assert len(sealing.inspect(path).stanzas) == 1


def test_rewraps_at_once(keyring, ada, author, tmp_path):
    """Of several rewraps at once none is lost."""
    path = tmp_path / "m"
    sealing.dump(Ridge(), path, key=keyring, sign_with=author)
    others = [Identity.generate("x25519").recipient for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: sealing.rewrap(path, key=keyring, add=one), others))
    assert {way.get("recipient") for way in sealing.inspect(path).stanzas} == {None, *(one.id for one in others)}


def test_providers_are_asked_only_where_nothing_else_is_given(keyring, author):
    """A configured provider is not asked for a file that a key shall open, nor when a locked object is looked at."""
    set_providers(_Elsewhere())
    try:
        _Elsewhere.asked = 0
        data = sealing.dumps(Ridge(), wrap_with=_Elsewhere(), sign_with=author)
        with pytest.raises(KeyUnavailableError):
            sealing.loads(data, key=keyring)
        odd = EncryptedEstimator.__new__(EncryptedEstimator)
        odd.__setstate__({"sealed": data, "key": None})
        assert "locked" in repr(odd)
        assert not hasattr(odd, "coef_")
        assert not _Elsewhere.asked
        with pytest.raises(KeyUnavailableError):
            sealing.loads(data)
        assert _Elsewhere.asked
    finally:
        set_providers()


def test_costly_passphrases_add_up(keyring, bomb):
    """Passphrase stanzas that would take long together are refused before one of them is tried."""
    parts = Parts(sealing.dumps(bomb(), key=keyring), keyring=keyring)
    context = parts.context
    costly = [
        stanzas.wrap(parts.file_key, context=context, passphrase="x")[0] | {"passes": 10, "memory_kib": 256 * 1024}
        for _ in range(2)
    ]
    refuses(parts.write(ways=costly), bomb, SealedFileError, passphrase="an example")


def test_more_arrays_than_the_stream_can_name(keyring, bomb):
    """A table of more arrays than the stream has bytes is refused before any of them is made."""
    parts = Parts(sealing.dumps(bomb(), key=keyring), keyring=keyring)
    table = struct.pack("<2Q", 5, 1000) + bytes(8 * 1000) + b"12345"
    assert "table" in refuses(parts.write(table), bomb, SealedFileError, key=keyring)


def test_what_holds_a_passphrase_does_not_show_it():
    """What carries the parameters from room to room shows no passphrase where a debugger prints locals."""
    for held in (access.Ways(passphrase="hunter2"), access.Opener(passphrase="hunter2")):
        assert "hunter2" not in repr(held)
    assert "hunter2" not in repr(contents.Request(passphrase="hunter2"))
