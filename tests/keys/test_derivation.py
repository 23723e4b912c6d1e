"""Derivation: HKDF-SHA256 over unambiguous encodings, recomputed here from ``hmac`` alone."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.errors import ParameterError
from modelpriv.keys import derivation

RING_KEY = bytes(range(32))

items = st.lists(st.binary(max_size=6) | st.text(st.characters(codec="utf-8"), max_size=4), max_size=4)


def expand(key, info, length):
    """RFC 5869, section 2.3."""
    blocks, block = b"", b""
    while len(blocks) < length:
        block = hmac.digest(key, block + info + bytes([len(blocks) // 32 + 1]), "sha256")
        blocks += block
    return blocks[:length]


def hkdf(key, info, length):
    """RFC 5869, section 2, without a salt."""
    return expand(hmac.digest(bytes(32), key, "sha256"), info, length)


def plain_enc(*texts):
    return b"".join(len(text.encode()).to_bytes(4, "big") + text.encode() for text in texts)


# A format: what was written under these must open for ever.
CONTEXTS = {
    "email": "e8aa23a349eba14f2b8dc8fd1cfc44fdd07bd88433cf17b9a47d02de739f2700",
    "visits.patient_id": "fea82ecd97849991840a6665f62c64eed50eb926c6c5811ffbac390c886d4b3e",
    "": "28cb41aa84d4359343ad37e858b049d3a5b46bcc01b03741438ee8a6ed113387",
    "Größe 名": "01f8e9adbe235daf18017ef04f60ca09db77b4f2d545c4154b4ac9e3a42e4718",
}
WORKING = {
    "siv-deterministic": "343d1711cee509fffa8b4d0df85b03c9836e54aff22a429350062fa158d5c4da"
    "aa76f57265b50ddc503774d7df007b82dbf1e27c9f19ba44dd89610695a254a5",
    "siv-randomized": "4556ad7fa7045b499f6fa543b3c28ab480dba7832df31bfb80509f2876284df1"
    "4fb777dfee0cddc3d682cf47eeee46a27106338ab623b6e272caa98955911fc9",
    "ff1": "687fa4142f42e836dd313716a21ec0096b98734b34303b994e8c210f9944ba7e",
    "pseudonym": "62c8868473f22796d53b5462e8a4ac66bdfcbd4ae9d80d0eb6f4178013611ddb"
    "0a7d8a91cea2021b035e0a0d0b2b7ea889297d55f8fcb203d92c72f6332116da",
    "replace": "7d2e32945c3447d1f25e86993319f4d2b7d5ce50a83c7a5c887a6e0da0e473e4"
    "7cc524758187e993922995de8430a0abd146a3310eea6fd6782c4f49ffe07056",
    "projection": "27ba29997ab14c929ff3b5d76b1b80c39a00cf53dd0a614a47131068882faf81",
    "generalize": "c0d79b78204f1d49400930536a80e3a5f9523a4123d60e6961cd6b202eb06e39"
    "6dab0012086338cda23cea4567207d9824ccd57447a53a9be512c98be85aeab6",
    "date-shift": "b522b65776ea0fda2bbf107365ddda619f2d505121123ddce27179cece0f8398"
    "c553c859627ac4faa3f32617e861ed1d844bc456abc9d8724983aaba16374afd",
}
RING_WIDE = {
    "wrap": "ee1274d3b1dd7bc6a47a6d0c41f9dd85cae12e81430d708bb399e0c8e7964a27"
    "2314c170add6a9215f867e3d7f8f90a7012206abaebf472defd3e13171407943",
    "audit": "8254be4589c8e9fddaeefcc5bb1fefd5adbe08925e0076e8e2cee6cd8810b2cb",
    "key id": "8a72569db688716d081819ead775f8cdee203c0a",
}


def length(vector):
    return len(vector) // 2


@pytest.mark.parametrize("context", CONTEXTS)
def test_context_keys(context):
    """A context's key is HKDF-SHA256 of the ring's key, as it always was."""
    assert derivation.context_key(RING_KEY, context).hex() == CONTEXTS[context]
    assert hkdf(RING_KEY, plain_enc("modelpriv/1", "context", context), 32).hex() == CONTEXTS[context]


@pytest.mark.parametrize("use", WORKING)
def test_working_keys(use):
    """A working key is HKDF-Expand-SHA256 of the context's key, as it always was."""
    context_key, n = bytes.fromhex(CONTEXTS["email"]), length(WORKING[use])
    assert derivation.working_key(context_key, use, n).hex() == WORKING[use]
    assert expand(context_key, plain_enc("modelpriv/1", use), n).hex() == WORKING[use]


def test_a_contexts_check_value():
    """It is recomputed with `hmac` alone, from the context's key, and it is no working key."""
    context_key = derivation.context_key(RING_KEY, "email")
    assert derivation.context_check(context_key) == expand(context_key, plain_enc("modelpriv/1", "check"), 16)
    assert "check" not in derivation.WORKING_USES


@pytest.mark.parametrize("use", RING_WIDE)
def test_ring_wide_keys(use):
    """A ring-wide key is HKDF-SHA256 of the ring's key, as it always was."""
    n = length(RING_WIDE[use])
    assert derivation.ring_wide_key(RING_KEY, use, n).hex() == RING_WIDE[use]
    assert hkdf(RING_KEY, plain_enc("modelpriv/1", "ring", use), n).hex() == RING_WIDE[use]


def test_every_use_has_a_vector():
    """No use is without a vector here."""
    assert WORKING.keys() == derivation.WORKING_USES
    assert RING_WIDE.keys() == derivation.RING_USES


def test_key_id_and_check_value():
    """The id is the first 4 bytes of the ring-wide key "key id", the check value the 16 that follow."""
    whole = bytes.fromhex(RING_WIDE["key id"])
    assert derivation.key_id(RING_KEY) == whole[:4]
    assert derivation.fingerprint(RING_KEY) == (whole[:4].hex(), whole[4:])
    assert len(whole) == 20


@pytest.mark.parametrize("use", ["", "wrap", "siv", "SIV-deterministic", "key id"])
def test_an_unknown_use_has_no_working_key(use):
    """A use that is not in the list is refused, with the list."""
    with pytest.raises(ParameterError, match="siv-deterministic"):
        derivation.working_key(bytes(32), use, 32)


@pytest.mark.parametrize("use", ["", "ff1", "Wrap"])
def test_an_unknown_use_has_no_ring_wide_key(use):
    """A working use is no ring-wide use."""
    with pytest.raises(ParameterError, match="wrap"):
        derivation.ring_wide_key(bytes(32), use, 32)


def test_enc_by_hand():
    """Each item is its length in 4 bytes, big-endian, then itself; text is UTF-8."""
    assert derivation.enc() == b""
    assert derivation.enc("é", b"", b"ab") == b"\0\0\0\2\xc3\xa9" + b"\0\0\0\0" + b"\0\0\0\2ab"


@given(items, items)
def test_enc_is_unambiguous(one, other):
    """Two lists give the same bytes only if their items have the same bytes."""
    same = [x.encode() if isinstance(x, str) else x for x in one] == [
        x.encode() if isinstance(x, str) else x for x in other
    ]
    assert (derivation.enc(*one) == derivation.enc(*other)) is same


def test_enc_does_not_normalise():
    """Two spellings of one letter stay two contexts."""
    assert derivation.enc("\u00e9") != derivation.enc("e\u0301")


def test_enc_refuses_what_utf8_cannot_say():
    """A lone surrogate is refused, and not shown."""
    with pytest.raises(ParameterError, match="lone surrogate") as raised:
        derivation.enc("canary\ud800")
    assert "canary" not in str(raised.value)
