"""Which labels of a column are frequent: known by keyed tags, so that a fitted object holds no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv._columns.plain import array_from_plain, array_to_plain
from modelpriv.kernels.prf import pool
from modelpriv.transformers.tags import tags

if TYPE_CHECKING:
    from modelpriv._columns.arrow import Array
    from modelpriv.transformers.fitted import State

__all__ = ["both", "counted", "frequent", "merged_rare"]


def counted(labels: Array, key: bytes) -> State:
    """Return the tags of the labels in a part of a column, and how often each occurs."""
    filled: Any = labels.drop_null()
    counts = filled.value_counts()
    found = pa.array(tags(counts.field("values"), key, nulls=False).view("V16").ravel().tolist(), pa.binary(16))
    return {"tags": found, "counts": counts.field("counts").to_numpy(zero_copy_only=False)}


def both(one: State, other: State) -> State:
    """Return the tags and counts of two parts together."""
    joined = pa.concat_arrays([one["tags"], other["tags"]])
    counts = np.concatenate([one["counts"], other["counts"]])
    encoded: Any = joined.dictionary_encode()
    places = encoded.indices.to_numpy(zero_copy_only=False)
    total = np.bincount(places, weights=counts, minlength=len(encoded.dictionary)).astype(np.int64)
    return {"tags": encoded.dictionary, "counts": total}


def frequent(state: State, least: int) -> State:
    """Return the tags of the labels that occur often enough, in ascending order, and no count."""
    kept = state["tags"].filter(pa.array(state["counts"] >= least))
    return array_to_plain(kept.take(pc.sort_indices(kept)))


def merged_rare(labels: Array, known: State, key: bytes, other: str) -> Array:
    """Replace the labels that are not frequent."""
    encoded: Any = labels.dictionary_encode()
    different = encoded.dictionary
    if not len(different):
        return labels
    places = pool.position(tags(different, key, nulls=False), array_from_plain(known))
    shown = pc.if_else(pa.array(places >= 0), different, pa.scalar(other, different.type))
    return shown.take(encoded.indices)
