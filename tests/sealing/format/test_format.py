"""The format is what is documented: a decoder that shares nothing with the package opens what the package writes."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from sklearn.linear_model import Ridge

from modelpriv import EncryptedEstimator, Keyring, SigningKey, sealing
from modelpriv.keys.keyring import build

RING_KEY = bytes(range(32))

DECODER = Path(__file__).parents[3] / "docs" / "examples" / "decode_sealed.py"


@pytest.fixture(scope="module")
def decode():
    """The decoder that the page on the format shows."""
    return runpy.run_path(str(DECODER))["decode"]


def test_the_decoder_shares_nothing():
    """The decoder imports Python's own modules and cryptography, and is as short as the page says."""
    source = DECODER.read_text().partition('if __name__ == "__main__":')[0]
    imports = [line.split()[1].partition(".")[0] for line in source.splitlines() if line.startswith(("import", "from"))]
    assert {name for name in imports if name not in __import__("sys").stdlib_module_names} == {"cryptography"}
    body = source.partition("def decode")[2].partition("def enc")[0]
    assert sum(bool(line.strip()) and not line.strip().startswith("#") for line in body.splitlines()) <= 60


@pytest.mark.parametrize("size", [1, 200_000, 500_000])
def test_a_decoder_of_its_own(size, decode):
    """What dump writes is opened by the decoder above, whatever its size."""
    array = np.random.default_rng(0).random(size)
    data = sealing.dumps(
        {"array": array, "text": "text"}, key=build([RING_KEY]), passphrase="an example", metadata={"a": 1}
    )
    back = decode(data, ring_key=RING_KEY)
    np.testing.assert_array_equal(back["array"], array)
    assert back["text"] == "text"
    np.testing.assert_array_equal(decode(data, passphrase=b"an example")["array"], array)


def test_it_opens_what_stands_in_a_pickle(decode):
    """The bytes in the pickle of an EncryptedEstimator are of the same format."""
    model = EncryptedEstimator(Ridge().fit([[0.0], [1.0]], [0.0, 1.0]), key=build([RING_KEY]))
    back = decode(model.__getstate__()["sealed"], ring_key=RING_KEY)
    np.testing.assert_array_equal(back.coef_, model.coef_)


def test_after_a_rewrap(tmp_path, decode):
    """A file whose envelope was changed is of the same format too."""
    keyring = build([RING_KEY])
    newer = build([RING_KEY, bytes(32)])
    sealing.dump(Ridge(alpha=3), tmp_path / "sole", key=build([bytes(32)]))
    sealing.rewrap(tmp_path / "sole", key=newer, add=newer, remove=newer.key_ids[1])
    sealing.dump(Ridge(alpha=3), tmp_path / "shared", key=Keyring.generate(), passphrase="an example")
    sealing.rewrap(tmp_path / "shared", passphrase="an example", add=keyring, remove="passphrase")
    for name in ("sole", "shared"):
        sealing.rewrap(tmp_path / name, key=keyring, remove=[way["key_id"] for way in others(tmp_path / name, keyring)])
        assert decode((tmp_path / name).read_bytes(), ring_key=RING_KEY).alpha == 3


def others(path, keyring):
    """The stanzas of other keys than the primary of a keyring."""
    return [way for way in sealing.inspect(path).stanzas if way["key_id"] != keyring.primary]


def test_it_verifies_signatures(decode):
    """The decoder opens a signed file with the signer's public key, and not with another one."""
    author, other = SigningKey.generate(), SigningKey.generate()
    data = sealing.dumps(np.arange(500_000.0), key=build([RING_KEY]), sign_with=author)
    assert len(decode(data, ring_key=RING_KEY, ed25519=author.signer._public)) == 500_000
    with pytest.raises(InvalidSignature):
        decode(data, ring_key=RING_KEY, ed25519=other.signer._public)


def test_it_refuses_what_was_altered(decode):
    """The decoder is one that can fail: with an altered byte in each part it does."""
    data = sealing.dumps(Ridge(), key=build([RING_KEY]))
    for position in (60, len(data) - 200, len(data) - 1):
        altered = bytearray(data)
        altered[position] ^= 1
        with pytest.raises((AssertionError, InvalidTag)):
            decode(bytes(altered), ring_key=RING_KEY)
