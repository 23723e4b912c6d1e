"""The parameters of a Generalizer: which go with which, and the way to generalize that they choose."""

from __future__ import annotations

import datetime as dt
import math
import os
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from modelpriv._core.checks import InstanceOf, ListOf, Number, OneOf, Rules, Satisfies, Text, Whole
from modelpriv.errors import ParameterError
from modelpriv.kernels.coarse.periods import PERIODS, Periods
from modelpriv.kernels.coarse.steps import Edges, Rounded, Steps
from modelpriv.kernels.coarse.zip3 import SPARSE
from modelpriv.transformers.generalizer.ways import (
    Way,
    bounded,
    by_number,
    by_period,
    by_prefix,
    by_zip3,
    in_networks,
    itself,
)
from modelpriv.transformers.keyed import KEYED_RULES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GENERALIZER_RULES", "check_generalizer_parameters", "output_of", "way_of"]

ALL = ("label", "lower", "midpoint", "code")
ENDS = ("bottom", "top")

# What each way takes: the parameters that it needs, those that it may have, and its outputs, the default one first.
TAKES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "interval": (("width",), ("origin", *ENDS), ALL),
    "bins": (("bins",), ("labels",), ALL),
    "rounded": (("width",), ENDS, ("midpoint", "label", "code")),
    "bounded": ((), ENDS, ("lower", "label")),
    "latitude": (("width",), (), ALL),
    "longitude": (("width",), (), ALL),
    **dict.fromkeys(PERIODS, ((), ENDS, ALL)),
    "prefix": (("length",), (), ("label",)),
    "zip3": ((), ("sparse",), ("label", "code")),
    "hierarchy": (("hierarchy",), ("level",), ("label", "code")),
    "network": ((), ("ipv4", "ipv6"), ("label", "lower")),
    "frequent": (("min_count",), (), ("label",)),
}
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("width", "bottom", "top", "bins", "labels", "length", "hierarchy")),
    "origin": 0,
    "sparse": "census-2000",
    "level": 1,
    "ipv4": 24,
    "ipv6": 48,
}


def _is_end(value: object) -> bool:
    return isinstance(value, (str, dt.date)) or Number().takes(value)


def _is_table(value: object) -> bool:
    return isinstance(value, (dict, str, os.PathLike)) or hasattr(value, "columns")


END = Satisfies(_is_end, "a number, or for dates a date or a text such as '1936-01-01'")
GENERALIZER_RULES: Rules = KEYED_RULES | {
    "to": [OneOf(*TAKES)],
    "output": [OneOf(*ALL), None],
    "width": [Number(), None],
    "origin": [Number()],
    "bottom": [END, None],
    "top": [END, None],
    "bins": [ListOf(Number(), words="a list of ascending numbers"), None],
    "labels": [ListOf(Text(), words="a list of texts"), None],
    "length": [Whole(least=1), None],
    "sparse": [OneOf(*SPARSE)],
    "hierarchy": [
        Satisfies(_is_table, "a dict of values and groups, a table, or the path of a file"),
        None,
    ],
    "level": [Whole(least=1)],
    "ipv4": [Whole(least=0, most=31)],
    "ipv6": [Whole(least=0, most=127)],
    "min_count": [Whole(least=2), None],
    "other": [Text(), None],
    "context": [Text(), InstanceOf(dict, words="a dict of column names to texts"), None],
}


def check_generalizer_parameters(step: Any) -> None:
    """Refuse combinations of parameters that make no sense.

    Raises
    ------
    ParameterError
        With the parameter, the way to generalize, and what to do.
    """
    needed, possible, outputs = TAKES[step.to]
    for name in needed:
        if getattr(step, name) is None:
            raise ParameterError(f"to={step.to!r} needs {name}=. Pass it.")
    for name, default in DEFAULTS.items():
        if name not in needed + possible and not _same(getattr(step, name), default):
            ways = ", ".join(repr(way) for way, (need, may, _) in TAKES.items() if name in need + may)
            raise ParameterError(f"{name} works only with to={ways}, not with to={step.to!r}. Leave it out.")
    output = output_of(step)
    if output not in outputs:
        raise ParameterError(f"to={step.to!r} has no output={output!r}. It has {', '.join(map(repr, outputs))}.")
    if output != "label" and (step.min_count is not None or step.null == "protect"):
        chosen = "min_count" if step.min_count is not None else "null='protect'"
        raise ParameterError(f"{chosen} works only with output='label', not with output={output!r}.")
    if step.to == "bounded" and step.bottom is None and step.top is None:
        raise ParameterError("to='bounded' needs bottom= or top=, or nothing would be protected.")
    if step.min_count is not None and step.key is None:
        raise ParameterError("min_count needs key=: which labels are frequent is kept as keyed tags. Pass a Keyring.")
    _check_numbers(step)


def _check_numbers(step: Any) -> None:
    for name in ("width", "origin"):
        value = getattr(step, name)
        if value is not None and (not math.isfinite(value) or (name == "width" and value <= 0)):
            raise ParameterError(f"{name} must be a finite number{' above 0' if name == 'width' else ''}.")
    ends = [_end(step, name) for name in ENDS]
    if None not in ends and ends[0] >= ends[1]:
        raise ParameterError("bottom must be smaller than top.")
    if step.bins is not None:
        edges = list(step.bins)
        if not all(map(math.isfinite, edges)) or any(a >= b for a, b in pairwise(edges)):
            raise ParameterError("bins must be finite numbers in ascending order, each of them once.")
        if step.labels is not None and len(step.labels) != len(edges) + 1:
            raise ParameterError(
                f"labels must be one more than bins, for the classes below the first and from the last on: "
                f"{len(edges) + 1}, got {len(step.labels)}."
            )


def output_of(step: Any) -> str:
    """Return the output that a step has: the one that was asked for, or the first of its way."""
    return step.output or TAKES[step.to][2][0]


def way_of(step: Any) -> Way:
    """Return the way to generalize that the parameters choose, except for a hierarchy's."""
    ends = [_end(step, name) for name in ENDS]
    if step.to in PERIODS:
        return by_period(Periods(step.to, *ends))
    ways: dict[str, Callable[[], Way]] = {
        "interval": lambda: by_number(Steps(step.width, step.origin, *ends)),
        "bins": lambda: by_number(Edges(step.bins, step.labels)),
        "rounded": lambda: by_number(Rounded(step.width, *ends)),
        "bounded": lambda: bounded(*ends),
        "latitude": lambda: by_number(Steps(step.width, -90, None, None), (-90, 90)),
        "longitude": lambda: by_number(Steps(step.width, -180, None, None), (-180, 180)),
        "prefix": lambda: by_prefix(int(step.length)),
        "zip3": lambda: by_zip3(step.sparse),
        "network": lambda: in_networks(int(step.ipv4), int(step.ipv6)),
        "frequent": itself,
    }
    return ways[step.to]()


def _end(step: Any, name: str) -> Any:
    """Return a bound as a number, or as a day since 1970."""
    value = getattr(step, name)
    if value is None:
        return None
    if step.to in PERIODS:
        try:
            day = dt.date.fromisoformat(value) if isinstance(value, str) else value
            return (dt.date(day.year, day.month, day.day) - dt.date(1970, 1, 1)).days
        except (ValueError, AttributeError):
            raise ParameterError(
                f"{name} must be a date, or a text such as '1936-01-01', with to={step.to!r}."
            ) from None
    try:
        if not isinstance(value, dt.date) and Decimal(str(value)).is_finite() and not isinstance(value, str):
            return value
    except InvalidOperation:
        pass
    raise ParameterError(f"{name} must be a finite number with to={step.to!r}.")


def _same(value: object, default: object) -> bool:
    return value is None if default is None else bool(value == default)
