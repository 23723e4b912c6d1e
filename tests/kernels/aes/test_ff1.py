"""FF1 over a column: the samples of NIST, the steps of the standard done one by one, domains that are too small."""

import math
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from ffx import FF1
from hypothesis import assume, given
from hypothesis import strategies as st

from modelpriv.errors import InputError, InputTypeError, ParameterError
from modelpriv.kernels.aes import ff1
from modelpriv.kernels.aes.ff1 import decrypt, encrypt

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
KEY = bytes(range(32))

# The samples of NIST for FF1, 1 to 9: for each length of the key, three of radix, plaintext, tweak and ciphertext.
NIST_KEY = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
DECIMAL, TWEAKED = (10, "0123456789", ""), (10, "0123456789", "39383736353433323130")
ALPHANUMERIC = (36, "0123456789abcdefghi", "3737373770717273373737")
SAMPLES = [
    (16, *DECIMAL, "2433477484"),
    (16, *TWEAKED, "6124200773"),
    (16, *ALPHANUMERIC, "a9tv40mll9kdu509eum"),
    (24, *DECIMAL, "2830668132"),
    (24, *TWEAKED, "2496655549"),
    (24, *ALPHANUMERIC, "xbj3kv35jrawxv32ysr"),
    (32, *DECIMAL, "6657667009"),
    (32, *TWEAKED, "1001623463"),
    (32, *ALPHANUMERIC, "xs8a0azh2avyalyzuwd"),
]


def straight_from_the_standard(key, radix, numerals, tweak):
    """Algorithm 7 of SP 800-38G step by step, on Python's integers; steps are named as there."""

    def num(string):
        return sum(numeral * radix**place for place, numeral in enumerate(reversed(string)))

    def string(number, length):
        return [number // radix**place % radix for place in reversed(range(length))]

    def prf(message):
        return Cipher(AES(key), CBC(bytes(16))).encryptor().update(message)[-16:]

    n, t = len(numerals), len(tweak)
    u = n // 2  # 1
    v = n - u
    a, b_half = numerals[:u], numerals[u:]  # 2
    b = math.ceil(((radix**v - 1).bit_length()) / 8)  # 3
    d = 4 * math.ceil(b / 4) + 4  # 4
    p = bytes([1, 2, 1, *radix.to_bytes(3), 10, u % 256, *n.to_bytes(4), *t.to_bytes(4)])  # 5
    for i in range(10):
        q = tweak + bytes((-t - b - 1) % 16) + bytes([i]) + num(b_half).to_bytes(b)  # 6.i
        r = prf(p + q)  # 6.ii
        masks = [number.to_bytes(16) for number in range(1, math.ceil(d / 16))]  # 6.iii
        s = r + b"".join(prf(bytes(x ^ y for x, y in zip(r, mask, strict=True))) for mask in masks)
        y = int.from_bytes(s[:d])  # 6.iv
        m = v if i % 2 else u  # 6.v
        c = (num(a) + y) % radix**m  # 6.vi
        a, b_half = b_half, string(c, m)  # 6.vii to 6.ix
    return a + b_half


def read(text):
    return [DIGITS.index(character) for character in text]


@pytest.mark.parametrize(("key_length", "radix", "plain", "tweak", "cipher"), SAMPLES)
def test_nist_samples(key_length, radix, plain, tweak, cipher):
    """The nine samples of NIST come out and open again, and from the reference of these tests too."""
    key, tweak = bytes.fromhex(NIST_KEY)[:key_length], bytes.fromhex(tweak)
    numerals = np.array([read(plain)] * 3)
    encrypted = encrypt(key, radix, numerals, tweak)
    assert encrypted.tolist() == [read(cipher)] * 3
    assert np.array_equal(decrypt(key, radix, encrypted, tweak), numerals)
    assert straight_from_the_standard(key, radix, read(plain), tweak) == read(cipher)


@given(
    radix=st.sampled_from([2, 3, 10, 16, 26, 36, 62, 255, 256, 257, 65535, 65536]) | st.integers(2, 65536),
    length=st.integers(2, 70),
    key_length=st.sampled_from([16, 24, 32]),
    seed=st.integers(0, 2**32),
)
def test_agrees_with_the_standard(radix, length, key_length, seed):
    """On any radix, length and tweaks, extreme numerals among them, the column gives what the standard's steps give."""
    assume(radix**length >= ff1.LEAST_VALUES)
    random = Random(seed)
    key = random.randbytes(key_length)
    numerals = [[random.choice([0, radix - 1, random.randrange(radix)]) for _ in range(length)] for _ in range(4)]
    tweaks = [random.randbytes(random.choice([0, 1, 7, 15, 16, 17, 40])) for _ in numerals]
    expected = [
        straight_from_the_standard(key, radix, some, tweak) for some, tweak in zip(numerals, tweaks, strict=True)
    ]
    encrypted = encrypt(key, radix, np.array(numerals), pa.array(tweaks, pa.binary()))
    assert encrypted.tolist() == expected
    assert decrypt(key, radix, encrypted, pa.array(tweaks, pa.binary())).tolist() == numerals
    assert encrypt(key, radix, np.array(numerals[:1]), tweaks[0]).tolist() == expected[:1]


@pytest.mark.parametrize(("radix", "length"), [(2, 500), (10, 1000), (65536, 100)])
def test_long_strings(radix, length):
    """Strings whose halves have hundreds of bits are exact."""
    random = Random(length)
    numerals = [[random.randrange(radix) for _ in range(length)] for _ in range(2)]
    expected = [straight_from_the_standard(KEY, radix, some, b"tweak") for some in numerals]
    assert encrypt(KEY, radix, np.array(numerals), b"tweak").tolist() == expected
    assert decrypt(KEY, radix, np.array(expected), b"tweak").tolist() == numerals


@given(radix=st.integers(2, 36), length=st.integers(2, 60), tweak=st.binary(max_size=40), seed=st.integers(0, 2**32))
def test_agrees_with_libffx(radix, length, tweak, seed):
    """Another implementation gives the same strings, for random radixes, lengths and tweaks, and takes ours back."""
    assume(radix**length >= ff1.LEAST_VALUES)
    random = Random(seed)
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    key = random.randbytes(random.choice([16, 24, 32]))
    plain = np.array([random.choices(range(radix), k=length) for _ in range(5)])
    peer = FF1(key, radix=radix)
    sealed = ["".join(letters[number] for number in row) for row in encrypt(key, radix, plain, tweak).tolist()]
    texts = ["".join(letters[number] for number in row) for row in plain.tolist()]
    assert sealed == [peer.encrypt(text, tweak=tweak) for text in texts]
    assert [peer.decrypt(text, tweak=tweak) for text in sealed] == texts


def test_a_column_longer_than_a_batch():
    """All rows of a long column are encrypted, each by itself."""
    numerals = np.random.default_rng(0).integers(0, 10, (20_000, 16), dtype=np.uint8)
    encrypted = encrypt(KEY, 10, numerals, b"tweak")
    rows = [0, 8191, 8192, 16383, 16384, 19_999]
    expected = [straight_from_the_standard(KEY, 10, numerals[row].tolist(), b"tweak") for row in rows]
    assert encrypted[rows].tolist() == expected
    assert np.array_equal(decrypt(KEY, 10, encrypted, b"tweak"), numerals)


def test_tweaks_of_many_lengths():
    """Each row takes its own tweak, wherever it stands and however long it is."""
    numerals = np.tile(np.arange(10), (200, 1))
    tweaks = [b"t" * (row % 23) for row in range(200)]
    encrypted = encrypt(KEY, 10, numerals, pa.array(tweaks))
    assert encrypted[23:].tolist() == encrypted[:-23].tolist()
    assert len(np.unique(encrypted, axis=0)) == 23
    assert encrypted[5].tolist() == straight_from_the_standard(KEY, 10, list(range(10)), tweaks[5])


def test_it_is_a_permutation():
    """No two strings of a domain have the same result: all million of six digits appear once."""
    numbers = np.arange(1_000_000)
    numerals = (numbers[:, None] // 10 ** np.arange(5, -1, -1) % 10).astype(np.uint8)
    encrypted = encrypt(KEY, 10, numerals) @ 10 ** np.arange(5, -1, -1)
    assert len(np.unique(encrypted)) == len(numbers)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64])
def test_dtype_stays(dtype):
    """The result has the dtype of the numerals, and they are left as they are."""
    numerals = np.full((5, 8), 9, dtype)
    assert encrypt(KEY, 10, numerals).dtype == dtype
    assert (numerals == 9).all()


def test_no_rows():
    """A column without rows is none the worse."""
    assert encrypt(KEY, 10, np.empty((0, 8), np.uint8)).shape == (0, 8)
    assert encrypt(KEY, 10, np.empty((0, 8), np.uint8), pa.array([], pa.binary())).shape == (0, 8)


@pytest.mark.parametrize(("radix", "length"), [(10, 5), (2, 19), (999, 2), (36, 3), (65536, 1), (10, 0)])
def test_small_domains_are_refused(radix, length):
    """Where all strings could be tried, there is no encryption to be had: fewer than a million of them."""
    with pytest.raises(ParameterError, match="1,000,000"):
        encrypt(KEY, radix, np.zeros((1, length), np.int64))


@pytest.mark.parametrize(("radix", "length"), [(10, 6), (2, 20), (1000, 2)])
def test_the_smallest_domains(radix, length):
    """A million strings are enough."""
    numerals = np.zeros((1, length), np.int64)
    assert np.array_equal(decrypt(KEY, radix, encrypt(KEY, radix, numerals)), numerals)


@pytest.mark.parametrize("radix", [-1, 0, 1, 65537])
def test_radix_out_of_range(radix):
    """A radix is from 2 to 65536."""
    with pytest.raises(ParameterError, match="2 to 65536"):
        encrypt(KEY, radix, np.zeros((1, 40), np.int64))


@pytest.mark.parametrize("length", [0, 15, 33, 64])
def test_key_length(length):
    """A key has one of the lengths of AES."""
    with pytest.raises(ParameterError, match="16, 24 and 32"):
        encrypt(bytes(length), 10, np.zeros((1, 8), np.int64))


@pytest.mark.parametrize("strange", [-1, 10, 255])
def test_numerals_out_of_range(strange):
    """A numeral that the radix does not have is refused, and not shown."""
    with pytest.raises(InputError, match="0 to 9"):
        encrypt(KEY, 10, np.array([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, strange]]))


@pytest.mark.parametrize("numerals", [np.zeros(8, np.int64), np.zeros((2, 8)), np.zeros((2, 8), bool)])
def test_numerals_are_a_matrix_of_integers(numerals):
    """Anything but a matrix of integers is refused."""
    with pytest.raises(InputTypeError, match="matrix of integers"):
        encrypt(KEY, 10, numerals)


@pytest.mark.parametrize("tweaks", [["a"], ["a", "b", "c"], ["a", None]], ids=str)
def test_tweaks_that_do_not_fit(tweaks):
    """There is one tweak for all rows or one for each, and a null is none."""
    with pytest.raises(InputError, match="one for each row"):
        encrypt(KEY, 10, np.zeros((2, 8), np.int64), pa.array(tweaks))
