"""Regions from a decision tree with at least k rows in a leaf: cuts that serve a target, or the columns themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modelpriv.errors import InputError, ParameterError
from modelpriv.kernels.grouping.codes import ranked
from modelpriv.kernels.grouping.mondrian import Regions, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from modelpriv.kernels.grouping.mondrian import Keeps
    from modelpriv.transformers.k_anonymizer.quasi import Quasi

    Ints = npt.NDArray[np.int64]

__all__ = ["as_target", "by_tree", "itself"]

_FEW = 32  # categories that each get a column of their own


def by_tree(quasi: Sequence[Quasi], target: npt.NDArray[Any], k: int, keeps: Keeps | None) -> Regions:
    """Return the leaves of a tree that predicts a target from the columns' numbers.

    Leaves that break a limit are merged with their neighbours, up to the first node that keeps it.
    """
    cells = np.column_stack([one.codes.numbers for one in quasi]).astype(np.float32)
    kind = DecisionTreeClassifier if target.dtype.kind == "i" else DecisionTreeRegressor
    grown = kind(min_samples_leaf=k, random_state=0).fit(cells, target)
    found = grown.tree_
    leaf = found.children_left < 0
    # scikit-learn's threshold lies between two numbers; ours is the first one right.
    threshold = np.where(leaf, -1, np.floor(found.threshold).astype(np.int64) + 1)
    nodes = grown.apply(cells).astype(np.int64)
    tree = Tree(np.where(leaf, -1, found.feature), threshold, found.children_left, found.children_right)
    if keeps is not None:
        tree, nodes = _merged(tree, nodes, keeps)
    return _regions(quasi, tree, nodes)


def as_target(y: Any, rows: int) -> npt.NDArray[Any]:
    """Return a target as whole numbers of classes, or as floats where it is one of numbers that are not whole."""
    if y is None:
        raise ParameterError(
            "method='target' requires y to be passed, but the target y is None. Pass it to fit, or use another method."
        )
    cells = np.asarray(y)
    if cells.shape not in {(rows,), (rows, 1)}:
        raise InputError(f"y has shape {cells.shape}, but the table has {rows} rows. Pass one target for each row.")
    cells = cells.ravel()
    if cells.dtype.kind == "f":
        if not np.isfinite(cells).all():
            raise InputError(f"y is NaN or infinite in row {int((~np.isfinite(cells)).argmax())}. Leave such rows out.")
        if (cells != np.rint(cells)).any():
            return cells.astype(np.float64)
    texts = cells if cells.dtype.kind in "biuf" else cells.astype(str)
    return np.unique(texts, return_inverse=True)[1].astype(np.int64)


def itself(quasi: Sequence[Quasi]) -> npt.NDArray[np.float64]:
    """Return the columns as their own target: numbers by their standard deviation, few categories as a column each."""
    columns = []
    for one in quasi:
        numbers, size = one.codes.numbers, one.codes.size
        if one.kind in {"set", "tree"} and size <= _FEW:
            columns.append((numbers[:, None] == np.arange(size)) * np.sqrt(0.5))
        else:
            places = one.axis.places(numbers)[:, None]
            columns.append(places / (places.std() or 1.0))
        columns[-1] = columns[-1] * one.axis.weight
    return np.concatenate(columns, axis=1)


def _merged(tree: Tree, nodes: Ints, keeps: Keeps) -> tuple[Tree, Ints]:
    """Make leaves of the nodes above leaves that break a limit, until no leaf does."""
    parent = np.zeros(len(tree.column), np.int64)
    inner = tree.column >= 0
    for below in (tree.left, tree.right):
        parent[below[inner]] = np.flatnonzero(inner)
    column = tree.column.copy()
    while True:
        labels, leaves = ranked(nodes, len(column))
        broken = leaves[~keeps(np.arange(len(nodes)), labels, len(leaves))]
        if not len(broken) or (broken == 0).any():
            break
        column[parent[broken]] = -1
        # A row goes up while a node above it is a leaf now.
        above = np.arange(len(column))
        for node in range(1, len(column)):  # a parent comes before its children
            up = above[parent[node]]
            above[node] = up if column[up] < 0 else node
        nodes = above[nodes]
    return Tree(column, tree.threshold, tree.left, tree.right), nodes


def _regions(quasi: Sequence[Quasi], tree: Tree, nodes: Ints) -> Regions:
    labels, leaves = ranked(nodes, len(tree.column))
    threshold = tree.threshold.copy()
    threshold[leaves] = np.arange(len(leaves))
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(len(leaves)))
    low, high = (
        np.stack([ufunc.reduceat(one.codes.numbers[order], starts) for one in quasi])
        for ufunc in (np.minimum, np.maximum)
    )
    return Regions(labels, low, high, Tree(tree.column, threshold, tree.left, tree.right))
