"""Walking through an object to every estimator in it, at any depth, with the path that leads to each."""

import functools
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

__all__ = ["estimators"]


def estimators(thing: object) -> Iterator[tuple[str, BaseEstimator]]:
    """Find every estimator in an object, the outermost first, each once.

    It looks into attributes, lists, dicts, sets, arrays of objects, methods, partial functions and what functions
    close over; not into what an object keeps outside of Python.

    Yields
    ------
    path, estimator : str, estimator
        The path as one would write it behind the object: ``.steps[0][1]``; empty for the object itself.
    """
    seen: set[int] = set()
    nodes = [("", thing)]
    while nodes:
        path, node = nodes.pop()
        if id(node) in seen or isinstance(node, str | bytes | int | float | complex | type | None):
            continue
        seen.add(id(node))
        if isinstance(node, BaseEstimator):
            yield path, node
        nodes += reversed([(path + step, one) for step, one in _below(node)])


def _below(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from ((f"[{key!r}]" if isinstance(key, str | int) else "[...]", value) for key, value in node.items())
    elif isinstance(node, list | tuple | set | frozenset):
        yield from ((f"[{number}]", one) for number, one in enumerate(node))
    elif isinstance(node, np.ndarray):
        if node.dtype == object:
            yield from ((f".flat[{number}]", one) for number, one in enumerate(node.ravel().tolist()))
    elif isinstance(node, MethodType):
        yield ".__self__", node.__self__
    elif isinstance(node, functools.partial):
        yield from ((".func", node.func), (".args", node.args), (".keywords", node.keywords))
    elif isinstance(node, FunctionType):
        cells = node.__closure__ or ()
        yield from (
            (f".{name}", cell.cell_contents) for name, cell in zip(node.__code__.co_freevars, cells, strict=True)
        )
    else:
        yield from ((f".{name}", value) for name, value in getattr(node, "__dict__", {}).items())
