"""Attacks on sealed files: none opens anything, and none reaches the unpickler."""

import contextlib
import io
import itertools
import json
import pickle
import secrets
import struct
from hashlib import sha256

import joblib
import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv._core import json as canonical_json
from modelpriv._core import magic
from modelpriv.errors import KeyUnavailableError, SealedFileError, SealedFileWarning
from modelpriv.keys import Keyring, stanzas
from modelpriv.sealing import serializers
from modelpriv.sealing.format import buffers, floe, layout, slots

KEYRING = Keyring.generate()
REFUSED = (SealedFileError, KeyUnavailableError)
MIB = 2**20


@pytest.fixture(scope="module")
def several():
    """A file of four segments."""
    return sealing.dumps([bytes(3 * MIB)], key=KEYRING)


def pieces(obj):
    return buffers.lay_out(*serializers.take_apart(obj, serializers.BY_REFERENCE))


def forge(pieces, *, manifest=None, file_key=None, envelope_key=None, ways=None, key=KEYRING):
    """Write a file as someone would who has the key, with whatever they please in each part."""
    file_key = file_key or secrets.token_bytes(32)
    manifest = layout.new_manifest(None) if manifest is None else manifest
    context = slots.wrap_context(manifest, "sole")
    ways = stanzas.wrap(file_key, context=context, keyring=key) if ways is None else ways(file_key, context)
    length = sum(map(len, pieces))
    prelude = layout.Prelude(len(manifest), floe.encrypted_length(length))
    slot = slots.write(envelope_key or file_key, ways, prelude=prelude, manifest=manifest)
    out = io.BytesIO()
    out.write(bytes(prelude) + manifest + 2 * slot)
    message = floe.Message(slots.derive(file_key, "body"), sha256(manifest).digest())
    with floe.Writer(message, length, out.write) as writer:
        for piece in pieces:
            writer.write(memoryview(piece))
    return out.getvalue()


def manifest_with(**changes):
    return canonical_json.dump(json.loads(layout.new_manifest(None)) | changes)


def refuses(data, bomb, **opening):
    """Assert that some bytes are refused with an error of the library, and that nothing was unpickled."""
    before = bomb.exploded
    with pytest.raises(REFUSED) as refused:
        sealing.loads(bytes(data), **(opening or {"key": KEYRING}))
    assert bomb.exploded == before
    return str(refused.value)


def test_the_bomb_is_real(bomb):
    """An honest file with the payload that must not be reached reaches it: the tests below can fail."""
    sealing.loads(sealing.dumps(bomb(), key=KEYRING), key=KEYRING)
    sealing.loads(forge(pieces(bomb())), key=KEYRING)
    assert bomb.exploded == 2


# --- the bytes ---


def test_every_cut(bomb, split):
    """A file that was cut, at or inside every part, is refused."""
    data = sealing.dumps(bomb(), key=KEYRING)
    ends = [0, *itertools.accumulate(map(len, split(data)))]
    for length in {*range(0, len(data), 97), *(max(0, end + step) for end in ends[:-1] for step in (-1, 0, 1))}:
        assert "cut" in refuses(data[:length], bomb) or length < len(magic.SEALED.begins)
    refuses(data[:-1], bomb)


def test_something_behind(bomb):
    """A file with anything behind its end is refused."""
    assert "added" in refuses(sealing.dumps(bomb(), key=KEYRING) + b"\0", bomb)


def test_every_flipped_bit(bomb, split):
    """One flipped bit anywhere is refused; in one of the two slots, which say the same, the other one counts."""
    data = sealing.dumps(bomb(), key=KEYRING)
    prelude, manifest, slot, _, _ = split(data)
    slots = range(len(prelude + manifest), len(prelude + manifest) + 2 * len(slot))
    for position in set(range(len(data))) - set(slots):
        refuses(flipped(data, position), bomb)
    assert not bomb.exploded
    for position in slots[::61]:
        with pytest.warns(SealedFileWarning, match="damaged"):
            sealing.loads(flipped(data, position), key=KEYRING)


def test_a_flipped_bit_in_both_slots(bomb, split):
    """A file both of whose slots were changed is refused."""
    prelude, manifest, slot, _, body = split(sealing.dumps(bomb(), key=KEYRING))
    for position in {*range(400), *range(400, len(slot), 61)}:
        changed = flipped(slot, position)
        refuses(prelude + manifest + changed + changed + body, bomb)


def flipped(data, position):
    altered = bytearray(data)
    altered[position] ^= 1 << (position % 8)
    return bytes(altered)


@pytest.mark.filterwarnings("ignore::modelpriv.errors.SealedFileWarning")
@given(data=st.data())
@settings(max_examples=150)
def test_random_damage(data):
    """Whatever is done to the bytes of a file, it is refused as a file, or opens to what it held."""
    whole = bytearray(sealing.dumps(Ridge(alpha=7.5), key=KEYRING))
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 50)))
    whole[start:end] = data.draw(st.binary(max_size=50))
    with contextlib.suppress(REFUSED):
        assert sealing.loads(bytes(whole), key=KEYRING).alpha == 7.5


@given(data=st.binary(max_size=300))
def test_random_bytes(data):
    """Random bytes, behind a right magic or not, are refused as a file."""
    for attempt in (data, magic.SEALED.begins + data, magic.SEALED.begins + b"\2\0\0\0" + data):
        with pytest.raises(SealedFileError):
            sealing.loads(attempt, key=KEYRING)
        with pytest.raises(SealedFileError):
            sealing.inspect(io.BytesIO(attempt))


@pytest.mark.parametrize("field", range(12, 40, 4))
@pytest.mark.parametrize("value", [1, 2**20 + 1, 2**31, 2**32 - 1])
def test_hostile_lengths(field, value, bomb, traced_peak):
    """Lengths that are not the file's are refused before memory is taken for them."""
    data = bytearray(sealing.dumps(bomb(), key=KEYRING))
    struct.pack_into("<I", data, field, value)
    assert traced_peak(lambda: refuses(data, bomb)) < MIB


# --- parts that were exchanged ---


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [0, 1, 3, 2], [0, 0, 1, 2, 3], [0, 1, 2], [1, 2, 3], [0, 1, 3]])
def test_segments_out_of_place(order, several, split, bomb):
    """Segments that are swapped, repeated or dropped are refused, also with a prelude that fits."""
    prelude, manifest, slot, _, body = split(several)
    size = floe.SEGMENT + floe.OVERHEAD
    cut = [body[at : at + size] for at in range(floe.HEADER, len(body), size)]
    assert len(cut) == 4
    altered = body[: floe.HEADER] + b"".join(cut[number] for number in order)
    refuses(prelude + manifest + slot + slot + altered, bomb)
    fitting = bytes(layout.Prelude(len(manifest), len(altered)))
    refuses(fitting + manifest + slot + slot + altered, bomb)


def test_a_segment_of_another_file(several, split, bomb):
    """A segment of another file under the same key is refused."""
    *head, body = split(several)
    other = split(sealing.dumps([bytes(3 * MIB)], key=KEYRING))[-1]
    size = floe.SEGMENT + floe.OVERHEAD
    at = floe.HEADER + size
    refuses(b"".join(head) + body[:at] + other[at : at + size] + body[at + size :], bomb)


@pytest.mark.filterwarnings("ignore::modelpriv.errors.SealedFileWarning")
def test_parts_of_two_files(split):
    """However the parts of two files are combined, what opens is the manifest and the body of one of them."""
    files = [split(sealing.dumps(Ridge(alpha=number), key=KEYRING, metadata={"n": number})) for number in (1, 2)]
    opened = 0
    for choice in itertools.product((0, 1), repeat=5):
        data = b"".join(files[which][part] for part, which in enumerate(choice))
        try:
            alpha = sealing.loads(data, key=KEYRING).alpha
        except REFUSED:
            continue
        opened += 1
        assert alpha == choice[1] + 1 == choice[4] + 1
    assert opened


def test_stanzas_stripped_added_swapped_or_copied(bomb, split):
    """An envelope whose list of stanzas was changed by someone without the file key is refused."""
    data = sealing.dumps(bomb(), key=KEYRING, passphrase="first")
    other = sealing.dumps(bomb(), key=KEYRING, passphrase="second")
    prelude, manifest, slot, _, body = split(data)
    mine, theirs = slots.read(slot)[1], slots.read(split(other)[2])[1]
    for changed in (
        [mine[0]],
        [mine[1]],
        mine[::-1],
        [*mine, theirs[1]],
        [*mine, mine[0]],
        [mine[0], theirs[1]],
        theirs,
        [],
    ):
        text = canonical_json.dump(changed)
        head = slot[:8] + len(text).to_bytes(4, "little") + slot[12:44]
        altered = (head + text).ljust(len(slot), b"\0")
        for opening in ({"key": KEYRING}, {"passphrase": "first"}, {"passphrase": "second"}):
            refuses(prelude + manifest + altered + altered + body, bomb, **opening)


def test_one_body_for_two_keys(bomb, split):
    """Someone who puts their own envelope around another's body, correct in itself, is refused by the body."""
    prelude, manifest, _, _, body = split(sealing.dumps(bomb(), key=KEYRING))
    own = Keyring.generate()
    file_key = secrets.token_bytes(32)
    ways = stanzas.wrap(file_key, context=slots.wrap_context(manifest, "sole"), keyring=own)
    slot = slots.write(
        file_key, ways, prelude=layout.Prelude.read(prelude, len(prelude + manifest + body) + 8192), manifest=manifest
    )
    assert "body" in refuses(prelude + manifest + slot + slot + body, bomb, key=own)


def test_padding_is_authenticated(bomb, split):
    """Nothing can be hidden in the room that a slot has left."""
    prelude, manifest, slot, _, body = split(sealing.dumps(bomb(), key=KEYRING))
    altered = slot[:-5] + b"hello"
    refuses(prelude + manifest + altered + altered + body, bomb)


# --- what is no sealed file ---


def test_a_plain_pickle(bomb, tmp_path):
    """A plain pickle in place of a sealed file is refused by name, whoever wrote it, and does not run."""
    for protocol in range(6):
        refuses(pickle.dumps(bomb(), protocol), bomb)
    assert "plain pickle" in refuses(pickle.dumps(bomb()), bomb)
    for compress in (0, 3):
        joblib.dump(bomb(), tmp_path / "model", compress=compress)
        refuses((tmp_path / "model").read_bytes(), bomb)
    assert "zip" in refuses(skops.io.dumps(Ridge()), bomb)


def test_nothing_and_text(bomb):
    """An empty file and a text are refused."""
    assert "empty" in refuses(b"", bomb)
    refuses(b"a text that somebody saved under the wrong name" * 10, bomb)


def test_a_later_format(bomb):
    """A file of a later format is refused as one, and so is a manifest of another format than its file."""
    data = bytearray(sealing.dumps(bomb(), key=KEYRING))
    data[8] = 3
    assert "upgrade modelpriv" in refuses(data, bomb)
    assert "another format" in refuses(forge([b""], manifest=manifest_with(format=3)), bomb)


def test_the_format_of_the_development(bomb):
    """A file of the format that only development versions wrote is refused as that, with what to do."""
    data = bytearray(sealing.dumps(bomb(), key=KEYRING))
    data[8] = 1
    assert "format 1, which only development versions" in refuses(data, bomb)


# --- those who have the key, and files that are hostile from the start ---


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"format":2}',
        b'{"format":2,"format":2}',
        b'{"format":1}',
        manifest_with(suite="NULL"),
        manifest_with(origin="keyring"),
        manifest_with(serializer="cloudpickle"),
        manifest_with(unknown={}),
        manifest_with(versions="3.11"),
        manifest_with(versions={"python": 3}),
        manifest_with(metadata=None),
        manifest_with(file_id=7),
        manifest_with(policy=[]),
        manifest_with(estimator={"class": 7, "parameters": {}}),
        manifest_with(estimator={"class": "Ridge"}),
    ],
)
def test_manifests_that_are_not_known(manifest, bomb):
    """A manifest that asks for something that this version does not do is refused, even with the right key."""
    refuses(forge(pieces(bomb()), manifest=manifest), bomb)


def test_a_duplicate_key_in_the_manifest(bomb):
    """A manifest that says one thing twice is refused, for two readers could read two things."""
    honest = layout.new_manifest(None)
    assert "manifest" in refuses(forge([b""], manifest=honest[:-1] + b',"origin":"sole"}'), bomb)


def test_an_envelope_under_another_key(bomb):
    """A slot whose MAC was made with another key than the one it wraps is refused."""
    assert "envelope" in refuses(forge(pieces(bomb()), envelope_key=bytes(32)), bomb)


def test_too_many_stanzas(bomb):
    """More stanzas than are accepted are refused before any of them is tried."""

    def many(file_key, context):
        return 65 * [{"type": "unknown"}]

    assert "more stanzas" in refuses(forge([b""], ways=many), bomb)


@pytest.mark.parametrize("cost", [{"passes": 11}, {"memory_kib": 256 * 1024 + 1}, {"lanes": 17}])
def test_costly_passphrases(cost, bomb):
    """A stanza that would take more memory or time than is accepted is refused before it does."""

    def costly(file_key, context):
        return [stanzas.wrap(file_key, context=context, passphrase="first")[0] | cost]

    refuses(forge([b""], ways=costly), bomb, passphrase="first")


def test_a_way_that_is_not_known_makes_a_file_for_others(bomb):
    """A file that says only holders of its key can have written it is refused if anything else opens it too."""

    def more(file_key, context):
        return [{"type": "of tomorrow"}, *stanzas.wrap(file_key, context=context, keyring=KEYRING)]

    assert "put together" in refuses(forge(pieces(bomb()), ways=more), bomb)


@pytest.mark.parametrize("count", [1, 2**32, 2**60])
def test_a_hostile_table(count, bomb, traced_peak):
    """A body whose table promises more than there is takes no memory for it, and is not unpickled."""
    stream = pickle.dumps(bomb())
    pieces = [struct.pack("<2Q", len(stream), count), stream]
    assert traced_peak(lambda: refuses(forge(pieces), bomb)) < 3 * MIB


def test_the_last_segment_is_verified_before_the_first_is_unpickled(bomb):
    """Damage at the very end of a large file is found before anything at its beginning runs."""
    data = bytearray(sealing.dumps([bomb(), np.zeros(3 * MIB, dtype=np.uint8)], key=KEYRING))
    data[-1] ^= 1
    assert "segment 3" in refuses(data, bomb)
