"""A sealed model's file is trusted by its form in every part: what says more than ciphertext needs is found."""

import json
import os
import struct

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from modelpriv import Keyring, dumps
from modelpriv.leaks.ciphertext import count_plain
from modelpriv.leaks.content import Content
from modelpriv.leaks.files import leaks_in
from modelpriv.sealing import leak_report

CANARY = "canary-b6ac18d3"
DATA = dumps(Ridge(), key=Keyring.generate())
MANIFEST, SLOT = struct.unpack_from("<2I", DATA, 12)
(BODY,) = struct.unpack_from("<Q", DATA, 24)
FIELDS = json.loads(DATA[40 : 40 + MANIFEST])
ENVELOPE = DATA[40 + MANIFEST : 40 + MANIFEST + 2 * SLOT]
STANZAS = json.loads(ENVELOPE[44 : 44 + struct.unpack_from("<I", ENVELOPE, 8)[0]])
(STANZA,) = STANZAS


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def build(fields=FIELDS, envelope=ENVELOPE, body=DATA[-BODY:], trailer=b""):
    """Write a sealed model by its parts; a manifest may be bytes."""
    manifest = fields if isinstance(fields, bytes) else canonical(fields)
    slot = len(envelope) // 2
    prelude = struct.pack("<8sIIIIQQ", DATA[:8], 2, len(manifest), slot, 0, len(body), len(trailer))
    return prelude + manifest + envelope + body + trailer


def slots(stanzas, *, sequence=1):
    """Write the envelope of some stanzas, in both slots."""
    text = stanzas if isinstance(stanzas, bytes) else canonical(stanzas)
    return (struct.pack("<QI32s", sequence, len(text), os.urandom(32)) + text).ljust(SLOT, b"\0") * 2


def test_the_parts_are_whole():
    """Put together again unchanged, the parts are the file, and show nothing."""
    assert build() == DATA
    assert leak_report([build(envelope=slots(STANZAS))]).leaks == ()


MANIFESTS = {
    "another field": FIELDS | {"note": CANARY},
    "origin": FIELDS | {"origin": CANARY},
    "file_id": FIELDS | {"file_id": CANARY},
    "suite": FIELDS | {"suite": CANARY},
    "signer": FIELDS | {"signer": [CANARY]},
    "needs": FIELDS | {"needs": [{"key_id": CANARY}]},
    "needs a dict": FIELDS | {"needs": {"a": CANARY}},
    "needs a number": FIELDS | {"needs": [{"steps": 4111111111111111}]},
    "a version": FIELDS | {"versions": {"python": "3.11-" + CANARY}},
    "versions of others": FIELDS | {"versions": {CANARY: "3.11"}},
    "metadata": FIELDS | {"metadata": {"a": CANARY}},
    "metadata that is a number": FIELDS | {"metadata": 0},
    "a list": [CANARY],
    "no JSON": b"{" + CANARY.encode(),
    "spaces": canonical(FIELDS) + b" \n ",
}
ENVELOPES = {
    "a key id": slots([STANZA | {"key_id": CANARY}]),
    "a type": slots([{"type": CANARY}]),
    "another field": slots([STANZA | {"note": CANARY}]),
    "a text": slots(CANARY),
    "no JSON": slots(CANARY.encode()),
    "words in place of a wrapped key": slots([STANZA | {"wrapped": "HIV_positive_patient_Ada_Lovelace"}]),
    "a cost": slots([{"type": "argon2id", "passes": 411111111}]),
    "a sequence number": slots(STANZAS, sequence=2**63),
    "the second slot": ENVELOPE[:SLOT] + slots([CANARY])[:SLOT],
    "between zeros": bytes(SLOT) + bytes(100) + CANARY.encode().ljust(SLOT - 100, b"\0"),
}
BODIES = {
    "a short text": CANARY.encode(),
    "a text": (CANARY.encode() * 100)[:1000],
    "a text behind the header": DATA[-BODY:][:78] + b"HIV positive, Ada Lovelace, 1987-03-14",
    "numbers": np.arange(20).tobytes(),
    "zeros": bytes(200),
}
TRAILERS = {
    "a text": CANARY.encode(),
    "a signer": canonical({"signer": CANARY, "value": "x" * 86}),
    "a field": canonical({"note": CANARY, "signer": "0" * 16, "value": "x" * 86}),
    "a space": canonical({"signer": "0" * 16, "value": "x" * 86}) + b" ",
}
FORGED = {
    **{f"manifest: {name}": build(fields) for name, fields in MANIFESTS.items()},
    **{f"envelope: {name}": build(envelope=envelope) for name, envelope in ENVELOPES.items()},
    **{f"body: {name}": build(body=body) for name, body in BODIES.items()},
    **{f"trailer: {name}": build(trailer=trailer) for name, trailer in TRAILERS.items()},
}


@pytest.mark.parametrize("data", FORGED.values(), ids=FORGED.keys())
def test_a_forged_part(tmp_path, data):
    """A part that is not as modelpriv writes it is a finding of high severity, in a file and in a pickle."""
    path = tmp_path / "model.mpriv"
    path.write_bytes(data)
    assert leak_report(path).at_least("high")
    assert leak_report([data]).at_least("high")
    assert CANARY not in str(leak_report(path))


def test_where_a_provider_keeps_its_key(tmp_path):
    """What an envelope says of a provider's key is of low severity."""
    path = tmp_path / "model.mpriv"
    path.write_bytes(build(envelope=slots([{"type": "vault-transit", "mount": "transit", "key": "models"}])))
    assert {(leak.kind, leak.severity) for leak in leak_report(path, strict=True)} == {("key", "low")}


@pytest.mark.parametrize("length", [1, 7, 39, 40, 41, 4096])
def test_a_file_that_comes_in_pieces(length):
    """A sealed model is known as one however its bytes come, and a text in it is found across two pieces."""

    def pieces(data):
        return [data[start : start + length] for start in range(0, len(data), length)]

    whole = Content("", lambda: iter(pieces(DATA)))
    assert list(leaks_in(whole)) == []
    middle = DATA[-BODY:][:100] + b"HIV positive, Ada Lovelace, 1987-03-14" + DATA[-BODY:][138:]
    assert list(leaks_in(Content("", lambda: iter(pieces(build(body=middle))))))


def test_random_bytes_pass():
    """Random bytes, in pieces of any length, are never taken for plain text."""
    random = np.random.default_rng(0)
    for length in (*range(250, 300), 4095, 4096, 4097, 2**20):
        assert count_plain(random.bytes(32), random.bytes(length)) == 0
