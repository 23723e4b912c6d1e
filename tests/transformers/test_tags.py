"""Keyed tags: equal for equal cells of one logical type, whatever the dtype; apart for everything else."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from modelpriv.transformers.tags import KEY_LENGTH, tags

KEY = bytes(range(KEY_LENGTH))


def tag(cells, *, nulls=False):
    return [bytes(row) for row in tags(cells, KEY, nulls=nulls)]


def test_tag_is_the_synthetic_iv():
    """A tag is the synthetic IV of AES-SIV over the cell's canonical bytes, with its type as associated data."""
    assert tag(pa.array(["Ada"])) == [AESSIV(KEY).encrypt(b"Ada", [b"\x01"])[:16]]
    assert tag(pa.array([5])) == [AESSIV(KEY).encrypt((5).to_bytes(8, "big"), [b"\x02"])[:16]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([5], pa.int8()), pa.array([5], pa.uint64())),
        (pa.array(["5"], pa.string()), pa.array(["5"], pa.large_string())),
        (pa.array([0.5], pa.float32()), pa.array([0.5], pa.float64())),
        (
            pa.array([dt.datetime(2000, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)], pa.timestamp("s")),
            pa.array([dt.datetime(2000, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)], pa.timestamp("ns")),
        ),
        (pa.array([Decimal("1.50")]), pa.array([Decimal("1.5")])),
        (pa.array([5]), pa.array([5.0])),
        (pa.array([0.0, 2.5]).slice(0, 1), pa.array([-0.0])),
        (pa.array([2**63, 1], pa.uint64()).slice(0, 1), pa.array([2.0**63])),
    ],
    ids=str,
)
def test_the_dtype_does_not_matter(one, other):
    """Equal cells of one logical type, and equal numbers, have one tag in every width and unit."""
    assert tag(one) == tag(other)


def test_the_type_does_matter():
    """Cells of different logical types have different tags, also where their bytes or texts are alike."""
    cells = [
        pa.array([5]),
        pa.array(["5"]),
        pa.array([b"5"]),
        pa.array([5.5]),
        pa.array([True]),
        pa.array([dt.date(1970, 1, 6)]),
        pa.array([""]),
        pa.array([b""]),
    ]
    assert len({tag(cell)[0] for cell in cells}) == len(cells)


def test_nulls_have_zeros():
    """A null has a tag of zeros, unless it is asked for one."""
    assert tag(pa.array(["a", None]))[1] == bytes(16)


def test_nulls_can_have_a_tag():
    """A null's own tag is the same in columns of all types, and no empty cell's."""
    own = {tag(pa.array([None, cell]), nulls=True)[0] for cell in ("", "a", 5, b"")}
    assert len(own) == 1
    assert own.isdisjoint({bytes(16), *tag(pa.array([""])), *tag(pa.array([b""]))})


def test_slices_are_read_as_slices():
    """A slice of a column has the tags of its own rows."""
    cells = pa.array(["a", None, "c", "d"])
    assert tag(cells.slice(1, 2), nulls=True) == tag(cells, nulls=True)[1:3]
