"""Typed cells become the documented bytes, equal for equal values only, and come back exactly."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelpriv._columns.cells import NULL, decode, enc_rows, encode, logical_type
from modelpriv._columns.cells import plain_bytes as cell_bytes
from modelpriv.errors import DecryptionError, InputError
from modelpriv.keys.derivation import enc

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
INT64 = st.integers(-(2**63), 2**63 - 1)
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def decimals(precision, scale):
    """Every number that a decimal type holds."""
    limit = 10**precision - 1
    return st.integers(-limit, limit).map(lambda number: Decimal((number < 0, _digits(number), -scale)))


def _digits(number):
    return tuple(map(int, str(abs(number))))


CELLS = {
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.bool_(): st.booleans(),
    pa.binary(): st.binary(),
    pa.large_binary(): st.binary(),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.date32(): st.dates(),
    pa.time32("s"): st.integers(0, 86_399),
    pa.time32("ms"): st.integers(0, 86_399_999),
    pa.time64("us"): st.integers(0, 86_399_999_999),
    pa.time64("ns"): st.integers(0, 86_399_999_999_999),
    pa.float32(): st.floats(width=32),
    pa.float64(): st.floats(),
    pa.decimal128(38, 38): decimals(38, 38),
    pa.decimal128(7, 2): decimals(7, 2),
    pa.decimal128(20, 0): decimals(20, 0),
    pa.decimal256(76, 10): decimals(76, 10),
    **{getattr(pa, f"int{n}")(): st.integers(-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (8, 16, 32, 64)},
    **{getattr(pa, f"uint{n}")(): st.integers(0, 2**n - 1) for n in (8, 16, 32, 64)},
    **{pa.timestamp(unit): INT64 for unit in UNITS},
    **{pa.timestamp(unit, "Europe/Rome"): INT64 for unit in UNITS},
    **{pa.duration(unit): INT64 for unit in UNITS},
}


@st.composite
def arrays(draw, types=tuple(CELLS)):
    """Draw an array of any type, with nulls, perhaps a slice that starts anywhere."""
    type_ = draw(st.sampled_from(types))
    cells = pa.array(draw(st.lists(st.none() | CELLS[type_], max_size=20)), type_)
    return cells.slice(draw(st.integers(0, len(cells))))


def plain_bytes(cells, *, joined=False):
    """Give tagged bytes, by default those that keep ints and floats apart."""
    return cell_bytes(cells, joined=joined)


def opened(cells, type_=None, *, joined=False):
    """Give what canonical bytes decode to, as after decryption."""
    tag, encoded = encode(cells, joined=joined)
    tags = np.frombuffer(tag, np.uint8) if isinstance(tag, bytes) else tag
    tags = np.where(cells.is_null().to_numpy(zero_copy_only=False), 0, tags).astype(np.uint8)
    return decode(tags, encoded.cast(pa.binary()), type_, what="column 'c'")


def as_numbers(cells):
    """Let floats be compared by their bits, one NaN for all, and times by their number."""
    if pa.types.is_floating(cells.type):
        wide = cells.cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False)
        return np.where(np.isnan(wide), np.nan, wide).tobytes(), cells.is_null().to_pylist()
    if pa.types.is_temporal(cells.type):
        cells = cells.view(pa.int32() if cells.type.bit_width == 32 else pa.int64())
    return cells.to_pylist()


@given(arrays())
def test_cells_come_back(cells):
    """What was encoded decodes to the same cells of the same type, wherever a slice begins."""
    back = opened(cells, cells.type)
    back.validate(full=True)
    assert back.type == cells.type
    assert as_numbers(back) == as_numbers(cells)


@given(arrays())
def test_cells_come_back_without_their_type(cells):
    """Without the fitted type, the cells decode to equal values of the logical type's default."""
    back = opened(cells)
    if cells.null_count == len(cells):
        assert back.type == pa.null()
    else:
        assert logical_type(back.type) == logical_type(cells.type)
        assert plain_bytes(back).cast(pa.binary()).equals(plain_bytes(cells).cast(pa.binary()))


@pytest.mark.parametrize("kind", [pa.timestamp, pa.duration])
def test_the_default_unit_holds_all(kind):
    """Without the fitted type, times take microseconds, or the first other unit that holds all of them exactly."""
    units = {
        (1, "s"): "us",
        (1, "ms"): "us",
        (1, "ns"): "ns",
        (2**62, "s"): "s",
        (2**62, "ms"): "ms",
        (2**62, "us"): "us",
    }
    for (number, unit), expected in units.items():
        back = opened(pa.array([number, None], kind(unit)))
        assert back.type == kind(expected)
        assert back.equals(pa.array([number, None], kind(unit)).cast(kind(expected)))


@given(arrays())
def test_a_slice_encodes_as_its_copy(cells):
    """The canonical bytes of a slice are those of a copy of it, cell for cell."""
    copy = pa.concat_arrays([cells, cells.slice(0, 0)]) if len(cells) else pa.array([], cells.type)
    assert plain_bytes(cells).equals(plain_bytes(copy))
    assert encode(cells, joined=False)[1].to_pylist() == [
        encode(cells.slice(i, 1), joined=False)[1][0].as_py() for i in range(len(cells))
    ]


@given(arrays(), arrays())
def test_different_types_share_no_bytes(one, other):
    """Cells of different logical types never have equal tagged bytes, and unequal cells of one type do not either."""
    if logical_type(one.type) == logical_type(other.type) and one.type != other.type:
        return
    cells = [(logical_type(c.type), n, raw) for c in (one, other) for n, raw in zip(*_told_apart(c), strict=True)]
    for kind, number, raw in cells:
        for other_kind, other_number, other_raw in cells:
            assert (raw == other_raw) == ((kind, number) == (other_kind, other_number))


def _told_apart(cells):
    cells = cells.drop_null()
    numbers = as_numbers(cells)
    if isinstance(numbers, tuple):
        numbers = [numbers[0][8 * i : 8 * i + 8] for i in range(len(cells))]
    return numbers, plain_bytes(cells).to_pylist()


@given(st.integers(-128, 127))
def test_integers_of_all_widths_are_equal(number):
    """An integer has the same bytes in every width that holds it."""
    types = [t for t in CELLS if pa.types.is_integer(t) and (number >= 0 or pa.types.is_signed_integer(t))]
    assert len({plain_bytes(pa.array([number], type_))[0].as_py() for type_ in types}) == 1


@given(st.integers(2**63, 2**64 - 1))
def test_integers_beyond_int64_show_no_size(number):
    """An integer that an int64 does not hold has a tag of its own, and as many bytes as all others."""
    tags, encoded = encode(pa.array([number, 5, None], pa.uint64()), joined=False)
    assert tags.tolist()[:2] == [12, 2]
    assert encoded.to_pylist() == [number.to_bytes(8, "big"), (5).to_bytes(8, "big"), None]


WHOLE = st.integers(-(2**63), 2**64 - 1) | st.integers(-(2**53), 2**53)


@given(WHOLE | st.floats().map(lambda x: x if np.isfinite(x) and abs(x) < 2**63 else 0.5), st.data())
def test_equal_numbers_have_equal_bytes_where_cells_are_joined(number, data):
    """Where equal cells are to have equal tokens, numbers have equal bytes if they are equal, and only then."""
    wide = pa.array([float(number)])
    neighbours = data.draw(st.lists(st.floats(), max_size=3))
    mixed = pa.array([*neighbours, float(number)])
    assert plain_bytes(mixed, joined=True)[-1] == plain_bytes(wide, joined=True)[0]
    if isinstance(number, int):
        whole = pa.array([number], pa.int64() if number < 2**63 else pa.uint64())
        equal = plain_bytes(whole, joined=True).to_pylist() == plain_bytes(wide, joined=True).to_pylist()
        assert equal == (number == float(number) and float(number) < 2.0**64)


@given(arrays())
def test_joined_cells_come_back(cells):
    """What was encoded to be joined decodes to the same cells of the same type, but for the sign of -0.0."""
    back = opened(cells, cells.type, joined=True)
    if pa.types.is_floating(cells.type):
        assert np.array_equal(
            *(np.array(each.cast(pa.float64()).to_pylist(), float) for each in (back, cells)), equal_nan=True
        )
    else:
        assert back.equals(cells)


def test_zeros_are_equal_where_cells_are_joined():
    """-0.0 is 0.0 and 0 where equal cells are to have equal tokens; elsewhere it keeps its sign."""
    assert len({plain_bytes(pa.array([zero]), joined=True)[0].as_py() for zero in (0, 0.0, -0.0)}) == 1
    assert len({plain_bytes(pa.array([zero]))[0].as_py() for zero in (0, 0.0, -0.0)}) == 3


def test_joined_floats_without_their_type_are_floats_if_one_is():
    """Whole numbers among fractions decode to floats, and whole numbers alone to integers."""
    assert opened(pa.array([1.0, 2.5]), joined=True).equals(pa.array([1.0, 2.5]))
    assert opened(pa.array([1.0, 2.0]), joined=True).equals(pa.array([1, 2]))


@given(st.integers(2**52, 2**62 - 1).map(lambda half: 2 * half + 1))  # odd, and above 2**53
def test_an_integer_that_a_float_does_not_hold_is_refused(number):
    """An integer never decodes to a float that is not equal to it."""
    with pytest.raises(InputError, match="does not fit double"):
        opened(pa.array([number]), pa.float64())


@given(st.floats(width=16))
def test_floats_of_all_widths_are_equal(number):
    """A float has the same bytes in every width that holds it."""
    cells = [pa.array(np.array([number], dtype)) for dtype in (np.float16, np.float32, np.float64)]
    assert len({plain_bytes(cell)[0].as_py() for cell in cells}) == 1


@given(st.integers(-(2**33), 2**33))
def test_times_of_all_units_are_equal(seconds):
    """A timestamp or duration has the same bytes in every unit; a time zone does not change an instant's."""
    for kind in (pa.timestamp, pa.duration):
        raw = {plain_bytes(pa.array([seconds * 10**9 // ns], kind(unit)))[0].as_py() for unit, ns in UNITS.items()}
        assert len(raw) == 1
    zones = ["UTC", "Europe/Rome", "-11:00"]
    instants = {plain_bytes(pa.array([seconds], pa.timestamp("s", zone)))[0].as_py() for zone in zones}
    assert len(instants) == 1
    assert plain_bytes(pa.array([seconds], pa.timestamp("s")))[0].as_py() not in instants


@given(st.integers(0, 86_399))
def test_clock_times_of_all_units_are_equal(seconds):
    """A time of day has the same bytes in every unit."""
    types = [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")]
    cells = [pa.array([seconds * 10**9 // UNITS[type_.unit]], type_) for type_ in types]
    assert len({plain_bytes(cell)[0].as_py() for cell in cells}) == 1


@given(st.integers(-(10**6), 10**6), st.integers(0, 5))
def test_decimals_of_all_scales_are_equal(number, scale):
    """A decimal has the same bytes, plain notation without trailing zeros, in every precision and scale."""
    value = Decimal(number).scaleb(-scale)
    types = [pa.decimal128(20, 5), pa.decimal128(38, 9), pa.decimal256(76, 40), pa.decimal256(60, scale)]
    plain = format(value, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    expected = b"\x09" + (plain if value else "0").ljust(80).encode()
    assert {plain_bytes(pa.array([value], type_))[0].as_py() for type_ in types} == {expected}


@pytest.mark.parametrize(
    ("cells", "hexadecimal"),
    [
        (pa.array(["Zoë"]), "01 5a6fc3ab"),
        (pa.array([5], pa.int8()), "02 0000000000000005"),
        (pa.array([-1], pa.int32()), "02 ffffffffffffffff"),
        (pa.array([2**64 - 1], pa.uint64()), "0c ffffffffffffffff"),
        (pa.array([1.5], pa.float32()), "03 3ff8000000000000"),
        (pa.array([-0.0]), "03 8000000000000000"),
        (pa.array([float("nan")]), "03 7ff8000000000000"),
        (pa.array([True]), "04 01"),
        (pa.array([-1], pa.timestamp("ns")), "05 00 ffffffffffffffff 3b9ac9ff"),
        (pa.array([1], pa.timestamp("s", "Asia/Tokyo")), "05 01 0000000000000001 00000000"),
        (pa.array([dt.date(1969, 12, 31)]), "06 ffffffff"),
        (pa.array([dt.time(0, 0, 1)], pa.time32("s")), "07 000000003b9aca00"),
        (pa.array([-1], pa.duration("ms")), "08 ffffffffffffffff 3b8b87c0"),
        (pa.array([Decimal("-12.50")]), "09 2d31322e35" + "20" * 75),
        (pa.array([Decimal("1E-30")]), "09 302e" + "30" * 29 + "31" + "20" * 48),
        (pa.array([Decimal(100)], pa.decimal128(5, -2)), "09 313030" + "20" * 77),
        (pa.array([b"\0\xff"]), "0a 00ff"),
        (pa.array([b"ab"], pa.binary(2)), "0a 6162"),
    ],
    ids=str,
)
def test_canonical_bytes_are_the_documented_ones(cells, hexadecimal):
    """The tag and canonical form of each type are those of the format, byte for byte."""
    assert plain_bytes(cells)[0].as_py() == bytes.fromhex(hexadecimal)


def test_every_nan_is_one():
    """Every NaN, whatever its sign and payload, has the same bytes."""
    odd = np.array([0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001], np.uint64).view(np.float64)
    assert len(set(plain_bytes(pa.array(odd)).to_pylist())) == 1


@pytest.mark.parametrize("type_", [*CELLS, pa.null(), pa.date64(), pa.float16()], ids=str)
def test_nulls_stay_null(type_):
    """A null has no bytes, in a column of nulls or of no rows too, and decodes to a null."""
    for cells in (pa.nulls(3, type_), pa.nulls(0, type_)):
        assert plain_bytes(cells).to_pylist() == [None] * len(cells)
        assert opened(cells, type_).to_pylist() == [None] * len(cells)
        assert opened(cells, type_).type == type_


def test_protected_nulls_decode_to_nulls():
    """A cell whose tag says null is null, whatever else the column holds."""
    tags = np.array([1, NULL, 0], np.uint8)
    back = decode(tags, pa.array([b"a", b"", None]), pa.string(), what="column 'c'")
    assert back.to_pylist() == ["a", None, None]


def test_a_column_fitted_without_cells_takes_what_comes():
    """A column that held only nulls at fit takes cells of any type later, in that type's default."""
    assert opened(pa.array([5, None], pa.int8()), pa.null()).equals(pa.array([5, None], pa.int64()))


@pytest.mark.parametrize(
    ("tags", "words"),
    [([1, 2], "several types .text, int."), ([1, 77], "not know .77."), ([77, 77], "not know .77.")],
)
def test_other_tags_are_refused(tags, words):
    """Cells of several types, or of a type that is not known, are refused with the column's name."""
    with pytest.raises(DecryptionError, match="column 'c'.*" + words):
        decode(np.array(tags, np.uint8), pa.array([b"a", b"b"]), None, what="column 'c'")


@given(arrays(), arrays())
def test_another_type_than_the_fitted_is_refused(cells, other):
    """Cells of one logical type never decode into another one, but integers into floats that equal them."""
    kinds = logical_type(cells.type), logical_type(other.type)
    if kinds[0] != kinds[1] and kinds != ("int", "float") and cells.null_count < len(cells):
        with pytest.raises((DecryptionError, InputError), match="column 'c'"):
            opened(cells, other.type)


@pytest.mark.parametrize(
    ("cells", "narrow"),
    [
        (pa.array([777_777]), pa.int16()),
        (pa.array([2**63 + 777_777], pa.uint64()), pa.int64()),
        (pa.array([-777_777]), pa.uint64()),
        (pa.array([0.777_777]), pa.float32()),
        (pa.array([7e77]), pa.float32()),
        (pa.array([777_777_001], pa.timestamp("ns")), pa.timestamp("us")),
        (pa.array([2**62], pa.timestamp("s")), pa.timestamp("ns")),
        (pa.array([777_777_001], pa.duration("ns")), pa.duration("ms")),
        (pa.array([-(2**62)], pa.duration("s")), pa.duration("ns")),
        (pa.array([777_777_001], pa.time64("ns")), pa.time32("ms")),
        (pa.array([Decimal("7.77777")]), pa.decimal128(10, 2)),
        (pa.array([Decimal(777_777)]), pa.decimal128(4, 0)),
        (pa.array([Decimal(777_777)]), pa.decimal128(10, -2)),
        (pa.array([b"777777"]), pa.binary(3)),
        (pa.array([777_777], pa.timestamp("s", "UTC")), pa.timestamp("s")),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_without_the_cell(cells, narrow):
    """A cell that the fitted type cannot hold exactly is refused, and no error in the chain shows it."""
    with pytest.raises(InputError, match=r"column 'c': holds a .* that does not fit") as caught:
        opened(cells, narrow)
    assert "777" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_wall_clocks_and_instants_do_not_mix():
    """Timestamps with and without a time zone do not decode as one column."""
    encoded = pa.concat_arrays(
        [encode(pa.array([1], pa.timestamp("s", zone)), joined=False)[1] for zone in (None, "UTC")]
    )
    with pytest.raises(InputError, match="column 'c'"):
        decode(np.array([5, 5], np.uint8), encoded, None, what="column 'c'")


def test_damaged_bytes_are_refused():
    """Bytes of a length that the type does not have are refused, not read past their end."""
    for tag in (2, 3, 4, 5, 6, 7, 8):
        with pytest.raises(InputError, match="column 'c'"):
            decode(np.array([tag], np.uint8), pa.array([b"123"]), None, what="column 'c'")


def test_a_cell_that_its_type_does_not_allow_is_not_shown():
    """A column with a cell out of its type's range is refused, and no error in the chain shows the cell."""
    for broken in (
        pa.array([777_777_777_777_777_777], pa.int64()).view(pa.time64("us")),
        pa.array([777_777_777], pa.int64()).view(pa.date64()),
    ):
        with pytest.raises(InputError, match="outside the type's range") as caught:
            encode(broken, joined=False)
        assert "777" not in repr(caught.value)
        assert caught.value.__context__ is None


@given(st.lists(st.tuples(st.binary(), st.binary()), min_size=1, max_size=5), st.binary())
def test_rows_are_joined_as_the_derivation_joins_items(rows, constant):
    """Row by row, columns and constants are joined as `enc` joins items."""
    one, other = (pa.array(cells, type_) for cells, type_ in zip(zip(*rows, strict=True), _BINARY, strict=True))
    assert enc_rows(one, constant, other).to_pylist() == [enc(a, constant, b) for a, b in rows]


_BINARY = (pa.binary(), pa.large_binary())
