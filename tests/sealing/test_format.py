"""The format is what is documented: a decoder that shares nothing with the package opens what the package writes."""

import hmac
import io
import json
import pickle
import struct
from base64 import urlsafe_b64decode
from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from sklearn.linear_model import Ridge

from modelpriv import EncryptedEstimator, sealing
from modelpriv.keys.keyring import build

RING_KEY = bytes(range(32))


def enc(*items):
    items = [item.encode() if isinstance(item, str) else item for item in items]
    return b"".join(len(item).to_bytes(4, "big") + item for item in items)


def decode(data, ring_key):
    """Open the bytes of a sealed file with the ring key that wraps its key, and give what was pickled into it."""
    magic, version, manifest_length, slot_length, zero, body_length, trailer_length = struct.unpack_from(
        "<8sIIIIQQ", data
    )
    assert (magic, version, zero, trailer_length) == (b"\x8fmpriv\r\n", 1, 0, 0)
    prelude, file = data[:40], io.BytesIO(data[40:])
    manifest, slots = file.read(manifest_length), [file.read(slot_length) for _ in range(2)]
    digest = sha256(manifest).digest()
    slot = max(slots, key=lambda slot: struct.unpack_from("<Q", slot))
    _, stanzas_length, mac = struct.unpack_from("<QI32s", slot)
    (wrapped,) = [way["wrapped"] for way in json.loads(slot[44 : 44 + stanzas_length]) if way["type"] == "keyring"]

    wrap_key = HKDF(SHA256(), 64, salt=None, info=enc("modelpriv/1", "ring", "wrap")).derive(ring_key)
    wrapped = urlsafe_b64decode(wrapped + "=" * (-len(wrapped) % 4))
    file_key = AESSIV(wrap_key).decrypt(wrapped, [enc("modelpriv/1", "sealed", digest)])
    keys = {
        use: HKDFExpand(SHA256(), 32, enc("modelpriv/1", "sealed", use)).derive(file_key)
        for use in ("body", "envelope")
    }
    blank = slot[:12] + bytes(32) + slot[44:]
    assert hmac.compare_digest(mac, hmac.digest(keys["envelope"], prelude + digest + blank, "sha256"))

    header = file.read(74)

    def kdf(key, purpose, length):
        return HKDFExpand(SHA384(), length, header[:42] + purpose + digest).derive(key)

    assert header[42:] == kdf(keys["body"], b"HEADER_TAG:", 32)
    cipher = AESGCM(kdf(kdf(keys["body"], b"MESSAGE_KEY:", 48), b"DEK:" + bytes(8), 32))
    size, left, number, parts = int.from_bytes(header[2:6], "big"), body_length - 74, 0, []
    while left:
        segment = file.read(min(size, left))
        left -= len(segment)
        assert segment[:4] == (len(segment).to_bytes(4, "big") if not left else b"\xff\xff\xff\xff")
        context = number.to_bytes(8, "big") + (b"\0" if left else b"\1")
        parts.append(cipher.decrypt(segment[4:16], segment[16:], context))
        number += 1
    assert not file.read()

    plaintext = io.BytesIO(b"".join(parts))
    stream_length, count = struct.unpack("<QQ", plaintext.read(16))
    lengths = struct.unpack(f"<{count}Q", plaintext.read(8 * count))
    stream, buffers = plaintext.read(stream_length), [bytearray(plaintext.read(length)) for length in lengths]
    assert not plaintext.read()
    return pickle.loads(stream, buffers=buffers)


@pytest.mark.parametrize("size", [1, 200_000, 500_000])
def test_a_decoder_of_its_own(size):
    """What dump writes is opened by the decoder above, whatever its size."""
    array = np.random.default_rng(0).random(size)
    data = sealing.dumps(
        {"array": array, "text": "text"}, key=build([RING_KEY]), passphrase="an example", metadata={"a": 1}
    )
    back = decode(data, RING_KEY)
    np.testing.assert_array_equal(back["array"], array)
    assert back["text"] == "text"


def test_it_opens_what_stands_in_a_pickle():
    """The bytes in the pickle of an EncryptedEstimator are of the same format."""
    model = EncryptedEstimator(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), key=build([RING_KEY]))
    back = decode(model.__getstate__()["sealed"], RING_KEY)
    np.testing.assert_array_equal(back.coef_, model.coef_)


def test_after_a_rewrap(tmp_path):
    """A file whose envelope was changed is of the same format too."""
    keyring = build([RING_KEY])
    sealing.dump(Ridge(alpha=3), tmp_path / "model.mpriv", key=keyring)
    sealing.rewrap(tmp_path / "model.mpriv", key=keyring, add_passphrase="an example")
    assert decode((tmp_path / "model.mpriv").read_bytes(), RING_KEY).alpha == 3
