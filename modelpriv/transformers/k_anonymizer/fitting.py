"""From the classes of a table to what a fitted KAnonymizer keeps: the cells of each class, its cuts, risk and loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modelpriv.kernels.grouping.classes import Groups
from modelpriv.transformers.declared import find_column
from modelpriv.transformers.k_anonymizer.places import state_of
from modelpriv.transformers.k_anonymizer.recoding import as_words, members_of, middles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from modelpriv._columns.frame import Frame
    from modelpriv.kernels.grouping.mondrian import Regions
    from modelpriv.transformers.fitted import State
    from modelpriv.transformers.k_anonymizer.quasi import Quasi

    Ints = npt.NDArray[np.int64]

__all__ = ["Fitted", "by_name", "fitted", "loss_of"]


@dataclass(frozen=True)
class Fitted:
    """What a fit found: the class of each row, -1 for none, their sizes, the state of each column, and the loss."""

    labels: Ints
    sizes: Ints
    states: list[State]
    tree: tuple[Ints, Ints, Ints, Ints] | None
    loss: dict[str, Any]
    way: list[Ints] | None = None  # how new rows find a class where there is no tree


def fitted(quasi: Sequence[Quasi], regions: Regions, k: int, output: str) -> Fitted:
    """Return what is kept of regions."""
    groups = Groups(regions.labels, np.bincount(regions.labels))
    tree, threshold, states, losses = regions.tree, regions.tree.threshold.copy(), [], []
    for number, one in enumerate(quasi):
        members = members_of(one, groups, regions.low[number], regions.high[number])
        words = as_words(one, members) if output == "range" else middles(one, groups, output)
        cut = tree.column == number
        state, threshold[cut] = state_of(one, members, words, tree.threshold[cut], middles=output != "range")
        states.append(state)
        losses.append(float((members.loss * groups.sizes).sum() / len(groups.labels)))
    names = [one.column.name for one in quasi]
    loss = loss_of(dict(zip(names, losses, strict=True)), groups.sizes, k, 0)
    return Fitted(groups.labels, groups.sizes, states, (tree.column, threshold, tree.left, tree.right), loss)


def by_name(frame: Frame, positions: Sequence[int], given: Mapping[Any, Any] | None, parameter: str) -> list[Any]:
    """Return what a parameter gives for each of some columns, by name or position; None where it gives nothing."""
    found = {find_column(frame, name, parameter): thing for name, thing in (given or {}).items()}
    return [found.get(position) for position in positions]


def loss_of(ncp: dict[Any, float], sizes: Ints, k: int, suppressed: int) -> dict[str, Any]:
    """Return the loss of a table by its usual measures, from the loss of its columns and the size of its classes."""
    rows = int(sizes.sum()) + suppressed
    return {
        "gcp": sum(ncp.values()) / len(ncp),
        "ncp": ncp,
        "discernibility": int((sizes**2).sum()) + suppressed * rows,
        "average_class": float(sizes.mean() / k) if len(sizes) else 0.0,
        "suppressed": suppressed,
    }
