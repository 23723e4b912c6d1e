"""Cell tokens: the documented bytes, one text for each of them, and nothing else that opens."""

import base64
from random import Random

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.errors import ParameterError
from modelpriv.kernels.aes import ragged
from modelpriv.kernels.aes.token import ALTERED, NOT_A_TOKEN, OK, UNKNOWN_KEY, WRONG_MODE, header, key_ids, open_, seal

KEYS = {b"key1": bytes(range(64)), b"key2": bytes(range(64, 128)), b"\0\0\0\1": bytes(64)}
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
MODES = {"deterministic": 0x11, "randomized": 0x12}
both_modes = pytest.mark.parametrize("mode", MODES)


def sealed(cells, mode="deterministic", key_id=b"key1", data=(b"context", b""), **options):
    cells = cells if isinstance(cells, pa.Array) else pa.array(cells, pa.large_string())
    options = {"prefix": b"\1"} | options
    own = header(mode, key_id, padded="pad" in options and options["pad"] is not None)
    return seal(KEYS[key_id], cells, header=own, associated_data=data, **options)


def opened(tokens, mode="deterministic", data=(b"context", b"")):
    tokens = tokens if isinstance(tokens, pa.Array) else pa.array(tokens, pa.large_string())
    return open_(KEYS, tokens, mode=mode, associated_data=data)


def by_hand(cell, key_id=b"key1", data=(b"context", b""), prefix=b"\1", first=b"\x11"):
    """A deterministic token, from the library's calls for one cell."""
    head = first + key_id
    plain = prefix + (cell if isinstance(cell, bytes) else cell.encode())
    whole = head + AESSIV(KEYS[key_id]).encrypt(plain, [head, *data])
    return base64.urlsafe_b64encode(whole).rstrip(b"=").decode()


def texts(cells):
    return [None if cell is None else cell.decode() for cell in cells.to_pylist()]


def a_text(random, longest):
    return "".join(random.choices("abcdefghij -é😀", k=random.randint(0, longest)))


cells_of_any_length = st.lists(st.none() | st.text(max_size=60), max_size=80)


@given(cells=cells_of_any_length, long=st.integers(0, 3000), prefix=st.sampled_from([b"", b"\1", b"ab"]))
def test_tokens_are_the_documented_bytes(cells, long, prefix):
    """Header, synthetic IV and ciphertext in unpadded base64url: what anyone gets with the library for one cell."""
    cells = [*cells, "x" * long]
    expected = [None if cell is None else by_hand(cell, prefix=prefix) for cell in cells]
    assert sealed(cells, prefix=prefix).to_pylist() == expected


@both_modes
@given(cells=cells_of_any_length, pad=st.none() | st.integers(1, 70), bound=st.booleans())
def test_round_trip(mode, cells, pad, bound):
    """What was sealed opens to the same cells, nulls where they were."""
    data = [b"context", pa.array([f"row {row}" for row in range(len(cells))], pa.string())] if bound else [b"context"]
    result = opened(sealed(cells, mode, data=data, pad=pad), mode, data=data)
    assert texts(result.cells) == cells
    assert not result.verdict.any()
    assert result.tags.tolist() == [int(cell is not None) for cell in cells]


@both_modes
def test_columns_have_no_seams(mode):
    """Cells of all lengths, in several spans and two threads, are sealed and opened where they stand."""
    random = Random(1)
    cells = [None if random.random() < 0.05 else a_text(random, 30) for _ in range(5 * ragged.SPAN_ROWS + 3)]
    for row in range(0, len(cells), 9001):
        cells[row] = "long " * random.randint(20, 2000)
    tokens = sealed(cells, mode)
    tokens.validate(full=True)
    assert texts(opened(tokens, mode).cells) == cells
    if mode == "deterministic":
        assert all(by_hand(cells[row]) == tokens[row].as_py() for row in range(0, len(cells), 997) if cells[row])


def test_repeated_values():
    """A column of few values, where each is sealed but once, has the same tokens as any other."""
    random = Random(2)
    values = [None, "", "long " * 1000, *(a_text(random, 40) for _ in range(100))]
    cells = [random.choice(values) for _ in range(80_000)]
    expected = {value: None if value is None else by_hand(value) for value in values}
    assert sealed(cells).to_pylist() == [expected[cell] for cell in cells]
    assert texts(opened(sealed(cells)).cells) == cells


@both_modes
def test_a_long_column_of_nulls(mode):
    """A long column without a single value comes out as it is."""
    cells = pa.nulls(70_000, pa.string())
    assert sealed(cells, mode).null_count == opened(sealed(cells, mode), mode).cells.null_count == len(cells)


def test_what_opened_is_not_shown():
    """The repr of what a column opened to holds no cell, neither as text nor as digits."""
    shown = repr(opened(sealed(["cAnArY"])))
    assert "cAnArY" not in shown
    assert b"cAnArY".hex() not in shown.lower()


def test_equal_cells():
    """Deterministic tokens of equal cells are equal; randomized ones never are."""
    cells = ["same"] * 70_000
    assert len(sealed(cells).unique()) == 1
    assert len(sealed(cells, "randomized").unique()) == len(cells)
    assert sealed(cells[:5], "randomized").to_pylist() != sealed(cells[:5], "randomized").to_pylist()


@both_modes
def test_text_form(mode):
    """A token is base64url text without padding, of the size of offsets that the cells have."""
    for type_ in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        tokens = sealed(pa.array(["a", None, "ab" * 20], type_), mode)
        assert tokens.type == (pa.large_string() if "large" in str(type_) else pa.string())
        assert set("".join(tokens.drop_null().to_pylist())) <= set(BASE64URL)


@both_modes
@pytest.mark.parametrize("copies", [1, 40], ids=["one cell", "a column"])
def test_no_changed_character_opens(mode, copies):
    """A token with one character changed, at any position, to any other, does not open; its neighbours do."""
    whole = sealed(["cell!"], mode)[0].as_py()
    changed = [
        whole[:at] + other + whole[at + 1 :]
        for at in range(len(whole))
        for other in [
            *(BASE64URL if at == len(whole) - 1 else BASE64URL[at % 7 :: 7]),
            "+",
            "/",
            "=",
            " ",
            "\n",
            "\0",
            "é",
        ]
        if other != whole[at]
    ]
    step = max(copies, len(changed) // 30) if copies == 1 else copies
    for first in range(0, len(changed), step):
        some = changed[first : first + copies]
        result = opened([token for other in some for token in (other, whole)], mode)
        assert (result.verdict != OK).tolist() == [True, False] * len(some)
        assert texts(result.cells) == [None, "cell!"] * len(some)
        assert result.tags.tolist() == [0, 1] * len(some)


@both_modes
def test_no_other_length_opens(mode):
    """A token that is cut or lengthened, by any text, does not open."""
    whole = sealed(["cell"], mode)[0].as_py()
    others = [whole[:length] for length in range(len(whole))]
    others += [whole + more for more in ("A", "=", "==", "AA", "AAA", "AAAA", "\n", " ")]
    others += [more + whole for more in ("A", "=", " ", "\n", "AAAA")]
    result = opened(others, mode)
    assert result.verdict.all()
    assert result.cells.null_count == len(others)


@pytest.mark.parametrize("rest", [1, 2])
def test_spare_bits_are_zero(rest):
    """Of the texts that decode to a token's bytes, only the one that encoding gives is a token."""
    cell = next("x" * length for length in range(4) if (21 + 1 + length) % 3 == rest)
    whole = sealed([cell])[0].as_py()
    last = BASE64URL.index(whole[-1])
    twins = [whole[:-1] + BASE64URL[last + more] for more in range(1, 16 if rest == 1 else 4)]
    padding = "=" * (-len(whole) % 4)
    assert all(base64.urlsafe_b64decode(twin + padding) == base64.urlsafe_b64decode(whole + padding) for twin in twins)
    assert (opened(twins).verdict == NOT_A_TOKEN).all()


@both_modes
@given(text=st.text(max_size=80) | st.text(BASE64URL, max_size=80))
def test_no_random_text_opens(mode, text):
    """A text that was not sealed does not open."""
    result = opened([text], mode)
    assert result.verdict[0] != OK
    assert result.cells[0].as_py() is None


def test_the_other_mode():
    """A token opens in the mode that it was sealed in, and the verdict says so."""
    for mode, other in (MODES, [*MODES][::-1]):
        assert (opened(sealed(["cell"] * 3, mode), other).verdict == WRONG_MODE).all()


@both_modes
@pytest.mark.parametrize("data", [(b"other", b""), (b"context",), (b"context", b"row"), (b"", b"context")], ids=str)
def test_other_associated_data(mode, data):
    """A token from another column or context, or bound otherwise, counts as altered."""
    assert (opened(sealed(["cell", "word" * 9], mode), mode, data=data).verdict == ALTERED).all()


@both_modes
def test_moved_to_another_row(mode):
    """Tokens that are bound to their rows do not open in others."""
    data = [b"context", pa.array([f"{row}" for row in range(60)])]
    tokens = sealed(["cell"] * 60, mode, data=data)
    result = opened(tokens.take(pa.array([1, 0, *range(2, 60)])), mode, data=data)
    assert result.verdict.tolist() == [ALTERED, ALTERED] + [OK] * 58


@both_modes
def test_a_mix_of_keys(mode):
    """In one column each token opens under the key that it names; those that name no key of the ring do not."""
    random = Random(3)
    cells = [a_text(random, 40) for _ in range(400)]
    named = [random.choice([*KEYS, b"none"]) for _ in cells]
    data = [b"context", pa.array([f"{row}" for row in range(400)])]
    by_key = {key_id: sealed(cells, mode, key_id, data=data).to_pylist() for key_id in KEYS}
    stranger = seal(bytes(64), pa.array(cells), header=header(mode, b"none"), associated_data=data, prefix=b"\1")
    by_key[b"none"] = stranger.to_pylist()
    tokens = pa.array([by_key[key_id][row] for row, key_id in enumerate(named)])
    result = opened(tokens, mode, data=data)
    assert result.verdict.tolist() == [UNKNOWN_KEY if key_id == b"none" else OK for key_id in named]
    assert texts(result.cells) == [
        None if key_id == b"none" else cell for key_id, cell in zip(named, cells, strict=True)
    ]
    assert key_ids(tokens).to_pylist() == named


def test_another_key_of_the_same_id():
    """A token under a key that only shares the id does not open."""
    tokens = sealed(["cell"] * 40)
    assert (
        open_({b"key1": bytes(64)}, tokens, mode="deterministic", associated_data=[b"context", b""]).verdict == ALTERED
    ).all()


def test_key_ids():
    """The key id is read without a key; cells that are null or do not begin as a token have none."""
    cells = [*sealed(["", "x" * 5000], "randomized").to_pylist(), None, "", "no token", "E" * 27, "é" * 30, "A" * 40]
    tokens = pa.array([*sealed(["cell"], key_id=b"key2").to_pylist(), *cells])
    assert key_ids(tokens).to_pylist() == [b"key2", b"key1", b"key1", *[None] * 6]


@both_modes
@pytest.mark.parametrize("pad", [1, 16, 50])
def test_padding_hides_lengths(mode, pad):
    """With padding, cells up to the next multiple have tokens of one length."""
    tokens = sealed(["x" * length for length in range(pad - 1)] if pad > 1 else [""], mode, pad=pad)
    assert len(set(map(len, tokens.to_pylist()))) == 1


@both_modes
def test_padding_comes_off_by_itself(mode):
    """Padded tokens of any width, and others between them, open without being told, whatever their cells end with."""
    cells = ["", "\x80", "a\0\0", "x" * 70, "cell"]
    tokens = [text for pad in (None, 1, 16, 50) for text in sealed(cells, mode, pad=pad).to_pylist()]
    result = opened([*tokens, None], mode)
    assert texts(result.cells) == [*cells * 4, None]
    assert not result.verdict.any()


def test_padding_cannot_be_denied():
    """A padded token does not open as one that is not, nor the other way round: the header is authenticated."""
    raw = [bytearray(base64.urlsafe_b64decode(sealed(["cell"], pad=pad)[0].as_py() + "==")) for pad in (16, None)]
    for one in raw:
        one[0] ^= 0x08
    texts_ = [base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in raw]
    assert opened(texts_).verdict.tolist() == [ALTERED, ALTERED]


def test_padding_is_what_the_header_says():
    """Sealing refuses a header that speaks of padding where there is none, or is silent where there is some."""
    for padded, pad in ((True, None), (False, 16)):
        with pytest.raises(ParameterError, match="pad"):
            seal(KEYS[b"key1"], pa.array(["x"]), header=header("deterministic", b"key1", padded=padded), pad=pad)


@pytest.mark.parametrize(
    ("plain", "verdict"),
    [
        (b"\1cell\x80" + bytes(10), OK),
        (b"\1" + bytes(14) + b"\x80", OK),
        (b"\1cell" + bytes(11), ALTERED),
        (b"\1cell", ALTERED),
        (b"\1cell\x81" + bytes(10), ALTERED),
        (b"\x80" + bytes(15), ALTERED),
        (bytes(16), ALTERED),
        (b"", ALTERED),
    ],
)
def test_padding_is_strict(plain, verdict):
    """Only the padding of ISO 7816-4 comes off, one mark and zeros behind a cell; else the token counts as altered."""
    tokens = [by_hand(cell, prefix=b"", first=b"\x19") for cell in (plain, b"\1next\x80" + bytes(10))]
    result = opened(tokens)
    assert result.verdict.tolist() == [verdict, OK]
    assert result.cells[1].as_py() == b"next"
    assert (result.cells[0].as_py() is None) == (verdict != OK)


def test_an_empty_plaintext():
    """A token without any plaintext, where the type should be, is none of ours."""
    assert opened(sealed([""], prefix=b"")).verdict.tolist() == [ALTERED]


def test_worked_example():
    """The documented token, byte by byte: header, synthetic IV, ciphertext."""
    whole = base64.urlsafe_b64decode(sealed(["ada@example.org"])[0].as_py() + "==")
    assert whole[:5] == bytes([0x11]) + b"key1"
    assert len(whole) == 5 + 16 + 1 + len("ada@example.org")
    assert AESSIV(KEYS[b"key1"]).decrypt(whole[5:], [whole[:5], b"context", b""]) == b"\1ada@example.org"


def test_randomized_example():
    """A randomized token has its nonce behind the header, and takes it in last."""
    whole = base64.urlsafe_b64decode(sealed(["cell"], "randomized")[0].as_py() + "==")
    assert whole[:5] == bytes([0x12]) + b"key1"
    assert AESSIV(KEYS[b"key1"]).decrypt(whole[21:], [whole[:5], b"context", b"", whole[5:21]]) == b"\1cell"


@pytest.mark.parametrize("cells", [[], [None, None]], ids=str)
@both_modes
def test_columns_without_cells(mode, cells):
    """Columns without rows or with nulls alone come back as they are."""
    tokens = sealed(cells, mode)
    assert tokens.to_pylist() == cells
    assert opened(tokens, mode).cells.to_pylist() == cells
    assert key_ids(tokens).to_pylist() == cells


def test_parameters_are_checked():
    """A mode that does not exist, or a key id of another length, is refused."""
    with pytest.raises(ParameterError, match="'deterministic', 'randomized'"):
        header("format-preserving", b"key1")
    with pytest.raises(ParameterError, match="'deterministic', 'randomized'"):
        opened(["token"], "other")
    with pytest.raises(ParameterError, match="has 4"):
        header("randomized", b"key")
