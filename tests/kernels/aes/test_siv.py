"""AES-SIV over a column: the bytes of the standard and of the library, cell by cell, and verdicts that miss nothing."""

from random import Random

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography_vectors import open_vector_file
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.errors import DecryptionError, InputError, InputTypeError, ParameterError
from modelpriv.kernels.aes import ragged
from modelpriv.kernels.aes.siv import open_, prf, seal, try_open

KEY = bytes(range(64))


def published():
    """The vectors that the library is tested with; the first two are those of RFC 5297, A.1 and A.2."""
    found = [{}]
    with open_vector_file("ciphers/AES/SIV/openssl.txt", "r") as file:
        for line in file:
            name, _, value = line.partition("=")
            if not value and found[-1]:
                found.append({})
            elif not line.startswith("#") and value:
                found[-1][name.strip()] = value.strip()
    return [vector for vector in found if vector]


def random_column(random, count, longest, nulls=0.0):
    return [None if random.random() < nulls else random.randbytes(random.randint(0, longest)) for _ in range(count)]


def one_by_one(key, cells, data=()):
    """What the library gives for each cell."""
    cipher = AESSIV(key)
    strings = [[datum if isinstance(datum, bytes) else datum[row] for datum in data] for row in range(len(cells))]
    return [None if cell is None else cipher.encrypt(cell, some) for cell, some in zip(cells, strings, strict=True)]


def arrow(data):
    return [datum if isinstance(datum, bytes) else pa.array(datum, pa.binary()) for datum in data]


@pytest.mark.parametrize("copies", [1, 100], ids=["one cell", "a column"])
@pytest.mark.parametrize("vector", published(), ids=lambda vector: vector["COUNT"])
def test_published_vectors(vector, copies):
    """The vectors of RFC 5297 and of the library come out, for a single cell and for a column of it."""
    key, plain, tag, cipher = (bytes.fromhex(vector[name]) for name in ("Key", "Plaintext", "Tag", "Ciphertext"))
    data = [bytes.fromhex(value) for name, value in vector.items() if name.startswith("AAD")]
    assert seal(key, pa.array([plain] * copies), data).to_pylist() == [tag + cipher] * copies
    assert open_(key, pa.array([tag + cipher] * copies), data).to_pylist() == [plain] * copies


def test_known_vectors_are_there():
    """The two examples of RFC 5297, appendix A, are among the vectors."""
    tags = {vector["Tag"] for vector in published()}
    assert {"85632d07c6e8f37f950acd320a2ecc93", "7bdb6e3b432667eb06f4d14bff2fbd0f"} <= tags


@pytest.mark.parametrize("key_length", [32, 48, 64])
def test_agrees_with_the_library_on_every_length(key_length):
    """Ten thousand random cells, of all lengths from 0 to 300, are sealed and opened as the library does it."""
    random = Random(key_length)
    key = random.randbytes(key_length)
    cells = [random.randbytes(number % 301) for number in range(10_000)]
    data = [b"context", random_column(random, len(cells), 40), b""]
    sealed = seal(key, pa.array(cells, pa.binary()), arrow(data))
    assert sealed.to_pylist() == one_by_one(key, cells, data)
    assert open_(key, sealed, arrow(data)).to_pylist() == cells


def test_agrees_with_the_library_on_long_cells():
    """Cells of kilobytes and megabytes, among short ones and nulls, are sealed and opened as the library does it."""
    random = Random(1)
    lengths = [3, 0, 2**20, 17, 2047, 2048, 2049, 3 * 2**20 + 1, 5000, 129, 128, 127] + [3000] * 40
    cells = [random.randbytes(length) for length in lengths] + [None, b"last"]
    data = [random_column(random, len(cells), 5000)]
    sealed = seal(KEY, pa.array(cells, pa.binary()), arrow(data))
    assert sealed.to_pylist() == one_by_one(KEY, cells, data)
    assert open_(KEY, sealed, arrow(data)).to_pylist() == cells


def test_agrees_with_the_library_beyond_a_span():
    """A column that is worked on in several spans, and in two threads, has no seams."""
    random = Random(2)
    cells = random_column(random, 5 * ragged.SPAN_ROWS + 7, 40, nulls=0.05)
    cells[ragged.SPAN_ROWS] = random.randbytes(10_000)
    sealed = seal(KEY, pa.array(cells, pa.binary()), [b"context"])
    seams = [*range(0, len(cells), 997), *range(0, len(cells), ragged.SPAN_ROWS), len(cells) // 2, len(cells) - 1]
    near = sorted({row + step for row in seams for step in (-2, -1, 0, 1) if 0 <= row + step < len(cells)})
    assert sealed.take(pa.array(near)).to_pylist() == one_by_one(KEY, [cells[row] for row in near], [b"context"])
    assert open_(KEY, sealed, [b"context"]).to_pylist() == cells


@given(
    cells=st.lists(st.none() | st.binary(max_size=70), max_size=60),
    data=st.lists(st.none() | st.binary(max_size=40), max_size=4),
    seed=st.integers(0, 2**32),
)
def test_agrees_with_the_library_on_any_column(cells, data, seed):
    """Whatever the cells, nulls, and number and kind of associated data are, the bytes are the library's."""
    random = Random(seed)
    data = [random_column(random, len(cells), 40) if datum is None else datum for datum in data]
    sealed = seal(KEY, pa.array(cells, pa.binary()), arrow(data))
    assert sealed.to_pylist() == one_by_one(KEY, cells, data)
    assert open_(KEY, sealed, arrow(data)).to_pylist() == cells


@pytest.mark.parametrize("count", [0, 1, 126])
def test_number_of_associated_data(count):
    """Up to 126 associated data are taken in, as the library takes them."""
    data = [bytes([number]) * number for number in range(count)]
    cells = [b"cell"] * 50
    assert seal(KEY, pa.array(cells), data).to_pylist() == one_by_one(KEY, cells, data)


def test_too_many_associated_data():
    """The standard has no room for 127 associated data."""
    with pytest.raises(ParameterError, match="126"):
        seal(KEY, pa.array([b"cell"]), [b""] * 127)


@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary(), pa.string(), pa.large_string()], ids=str)
def test_types(type_):
    """Text and binary columns, large or not, give binary ones of the same size of offsets."""
    cells = pa.array(["é", None, "", "ab"], type_)
    sealed = seal(KEY, cells)
    assert sealed.type == (pa.large_binary() if "large" in str(type_) else pa.binary())
    assert open_(KEY, sealed).cast(type_).equals(cells)


def test_offsets_grow_where_they_must(monkeypatch):
    """Cells that 32-bit offsets cannot reach any more come out with 64-bit ones."""
    monkeypatch.setattr(ragged, "_LONGEST_SMALL", 49)
    assert seal(KEY, pa.array([b"ab", b""])).type == pa.binary()
    assert seal(KEY, pa.array([b"ab", b"", b""])).type == pa.large_binary()


@pytest.mark.parametrize(("start", "length"), [(0, 0), (0, 1), (1, 60), (99, 1), (40, 60)])
def test_slices(start, length):
    """A slice of an array, of cells or of associated data, counts alone."""
    random = Random(3)
    cells, data = random_column(random, 100, 40, nulls=0.2), random_column(random, 100, 40)
    rows = slice(start, start + length)
    sealed = seal(KEY, pa.array(cells, pa.binary())[rows], [pa.array(data, pa.binary())[rows]])
    assert sealed.to_pylist() == one_by_one(KEY, cells[rows], [data[rows]])


@pytest.mark.parametrize("cells", [[], [None], [None, None, b""], [b""]], ids=str)
def test_little_columns(cells):
    """Columns without cells, with nulls alone, or with one empty cell are no special case."""
    sealed = seal(KEY, pa.array(cells, pa.binary()), [b"context"])
    assert sealed.to_pylist() == one_by_one(KEY, cells, [b"context"])
    assert open_(KEY, sealed, [b"context"]).to_pylist() == cells


@pytest.mark.parametrize("copies", [1, 60], ids=["one cell", "a column"])
def test_no_flipped_bit_opens(copies):
    """A cell with one bit flipped, at any position, does not open; its neighbours do."""
    plain = b"a cell of three blocks that ends within the last"
    whole = seal(KEY, pa.array([plain]), [b"context"])[0].as_py()
    flips = [(int.from_bytes(whole) ^ 1 << bit).to_bytes(len(whole)) for bit in range(8 * len(whole))]
    for first in range(0, len(flips), copies):
        some = flips[first : first + copies]
        cells = [cell for flip in some for cell in (flip, whole)]
        opened, good = try_open(KEY, pa.array(cells), [b"context"])
        assert good.tolist() == [False, True] * len(some)
        assert opened.to_pylist() == [None, plain] * len(some)


@pytest.mark.parametrize("length", range(16))
def test_too_short_to_open(length):
    """What is shorter than a tag does not open."""
    whole = seal(KEY, pa.array([b""] * 50))[0].as_py()
    opened, good = try_open(KEY, pa.array([whole[:length], *[whole] * 50]))
    assert good.tolist() == [False] + [True] * 50
    assert opened[0].as_py() is None


def test_nothing_of_an_altered_cell_stays():
    """Where a cell does not open, no byte of its would-be plaintext is left in memory that is handed out."""
    plain = b"plaintext that must not be seen " * 2
    whole = bytearray(seal(KEY, pa.array([plain]))[0].as_py())
    whole[0] ^= 1
    for copies in (1, 60):
        opened, _ = try_open(KEY, pa.array([bytes(whole)] * copies))
        assert not np.frombuffer(opened.buffers()[2], np.uint8).any()


@pytest.mark.parametrize(
    ("key", "data"),
    [(KEY[::-1], [b"context", b"row"]), (KEY, [b"contexT", b"row"]), (KEY, [b"context"]), (KEY, [b"row", b"context"])],
    ids=["other key", "other string", "one string less", "other order"],
)
def test_only_the_same_key_and_strings_open(key, data):
    """Under another key, or with other associated data, nothing opens; the error counts cells and shows none."""
    sealed = seal(KEY, pa.array([b"secret", None, b"word"]), [b"context", b"row"])
    with pytest.raises(DecryptionError, match=r"2 of 3 cells do not open.*row 0") as caught:
        open_(key, sealed, data)
    assert "secret" not in str(caught.value)


def test_moved_to_another_row():
    """A cell that is bound to its row does not open in another one."""
    ids = pa.array([f"{row}" for row in range(100)])
    sealed = seal(KEY, pa.array([b"cell"] * 100), [ids])
    _, good = try_open(KEY, sealed.take(pa.array([1, 0, *range(2, 100)])), [ids])
    assert good.tolist() == [False, False] + [True] * 98


def test_prf_is_the_synthetic_iv():
    """The PRF of a cell is the tag that it is sealed with, and zeros for a null."""
    random = Random(4)
    cells = [*random_column(random, 500, 60, nulls=0.1), random.randbytes(5000)]
    tags = [bytes(16) if cell is None else cell[:16] for cell in one_by_one(KEY, cells, [b"context"])]
    assert [bytes(tag) for tag in prf(KEY, pa.array(cells, pa.binary()), [b"context"])] == tags


@pytest.mark.parametrize("length", [0, 16, 31, 33, 65])
def test_key_length(length):
    """A key that is none of AES-SIV's lengths is refused, and not shown."""
    with pytest.raises(ParameterError, match=rf"{length} bytes.*32, 48 and 64"):
        seal(bytes(length), pa.array([b"cell"]))


@pytest.mark.parametrize("data", [["a"], ["a", None], ["a", "b", "c"]], ids=str)
def test_associated_data_that_do_not_fit(data):
    """A column of associated data has a string for each cell."""
    with pytest.raises(InputError, match="one string for each cell"):
        seal(KEY, pa.array([b"one", b"two"]), [pa.array(data)])


@pytest.mark.parametrize("array", [pa.array([1]), pa.array([b"ab"], pa.binary(2)), pa.array([["a"]])], ids=str)
def test_other_types_are_refused(array):
    """Cells are text or binary; another type is refused by its name."""
    with pytest.raises(InputTypeError, match=str(array.type).split("<")[0].split("[")[0]):
        seal(KEY, array)
