"""Open a sealed model without modelpriv, by the specification of its file: only Python and `cryptography`."""

import hmac
import io
import json
import pickle
import struct
from base64 import urlsafe_b64decode
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand


def decode(data, *, ring_key=None, passphrase=None, ed25519=None):
    magic, version, *lengths, zero, body_length, trailer_length = struct.unpack_from("<8sIIIIQQ", data)
    assert (magic, version, zero) == (b"\x8fmpriv\r\n", 2, 0)
    prelude, file = data[:40], io.BytesIO(data[40:])
    manifest, *slots = (file.read(length) for length in (*lengths, lengths[1]))
    digest, origin = sha256(manifest).digest(), json.loads(manifest)["origin"]

    # The envelope: of its two slots the one with the higher number gives the key of the file.
    slot = max(slots, key=lambda slot: struct.unpack_from("<Q", slot))
    _, length, mac = struct.unpack_from("<QI32s", slot)
    stanzas = {stanza["type"]: stanza for stanza in json.loads(slot[44 : 44 + length])}
    stanza = stanzas["keyring" if ring_key else "argon2id"]
    if ring_key:
        wrap_key = HKDF(SHA256(), 64, salt=None, info=enc(b"modelpriv/1", b"ring", b"wrap")).derive(ring_key)
    else:
        costs = {"iterations": stanza["passes"], "memory_cost": stanza["memory_kib"], "lanes": stanza["lanes"]}
        derived = Argon2id(salt=unbase64(stanza["salt"]), length=96, **costs).derive(passphrase)
        assert hmac.compare_digest(derived[:32], unbase64(stanza["commitment"]))
        wrap_key = derived[32:]
    assert origin != "shared" or "body" in stanza
    bound = [unbase64(stanza["body"])] if "body" in stanza else []
    context = enc(b"modelpriv/1", b"sealed", digest, origin.encode(), *bound)
    file_key = AESSIV(wrap_key).decrypt(unbase64(stanza["wrapped"]), [context])
    body_key, mac_key = (
        HKDFExpand(SHA256(), 32, enc(b"modelpriv/1", b"sealed", use)).derive(file_key) for use in (b"body", b"envelope")
    )
    blank = slot[:12] + bytes(32) + slot[44:]
    assert hmac.compare_digest(mac, hmac.digest(mac_key, prelude + digest + blank, "sha256"))

    # The body: FLOE. Its header commits to the key, each segment knows its number and whether it is the last.
    header = file.read(74)
    assert hmac.compare_digest(header[42:], kdf(body_key, header, b"HEADER_TAG:", digest, 32))
    message_key = kdf(body_key, header, b"MESSAGE_KEY:", digest, 48)
    size, left, number, plaintext = int.from_bytes(header[2:6], "big"), body_length - 74, 0, b""
    digests = sha256(header).digest()
    while left:
        segment = file.read(min(size, left))
        left -= len(segment)
        digests += sha256(segment).digest()
        assert segment[:4] == (b"\xff\xff\xff\xff" if left else len(segment).to_bytes(4, "big"))
        epoch = number >> 20 << 20
        cipher = AESGCM(kdf(message_key, header, b"DEK:" + epoch.to_bytes(8, "big"), digest, 32))
        associated_data = number.to_bytes(8, "big") + (b"\0" if left else b"\1")
        plaintext += cipher.decrypt(segment[4:16], segment[16:], associated_data)
        number += 1

    # Others may know the file key: the stanza, or the signature in the trailer, vouches for the digest of the body.
    body_digest, trailer = sha256(digests).digest(), file.read()
    assert bound in ([], [body_digest])
    assert len(trailer) == trailer_length
    if origin == "signed":
        signature, signed = unbase64(json.loads(trailer)["value"]), enc(b"modelpriv sealed v2", digest, body_digest)
        Ed25519PublicKey.from_public_bytes(ed25519).verify(signature, signed)

    # Nothing was unpickled until here. Arrays lie behind the pickle, and are used where they lie.
    stream_length, count = struct.unpack_from("<QQ", plaintext)
    sizes, plain = struct.unpack_from(f"<{count}Q", plaintext, 16), io.BytesIO(plaintext[16 + 8 * count :])
    stream, buffers = plain.read(stream_length), [bytearray(plain.read(size)) for size in sizes]
    assert not plain.read()
    return pickle.loads(stream, buffers=buffers)


def enc(*items):
    return b"".join(len(item).to_bytes(4, "big") + item for item in items)


def kdf(key, header, purpose, associated_data, length):
    return HKDFExpand(SHA384(), length, header[:42] + purpose + associated_data).derive(key)


def unbase64(text):
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


if __name__ == "__main__":
    from sklearn.linear_model import Ridge

    import modelpriv

    sealed = modelpriv.dumps(
        Ridge(alpha=0.5).fit([[0.0], [1.0]], [0.0, 1.0]), passphrase="correct horse battery staple"
    )
    model = decode(sealed, passphrase=b"correct horse battery staple")
    print("opened without modelpriv:", model, "that predicts", model.predict([[1.0]]))
