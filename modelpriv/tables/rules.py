"""Rules for the columns of a table: what a user writes, resolved to one rule for every column of a table."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelpriv._columns.frame import as_names
from modelpriv.errors import InputError, ParameterError, ParameterTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelpriv._columns.frame import Frame

__all__ = ["ColumnRule", "members", "pairs", "replaced", "resolve"]

_SHOWN = 20  # names of columns in a message


@dataclass(frozen=True)
class ColumnRule:
    """What becomes of some columns.

    Attributes
    ----------
    positions : tuple of int
        The columns of the input.
    names : tuple
        Their names in the output.
    steps : tuple of estimators, or str
        What protects them, in order; or "keep" or "drop".
    label : str
        How the rule is called in messages and parameters: as the user wrote its key.
    """

    positions: tuple[int, ...]
    names: tuple[Any, ...]
    steps: tuple[Any, ...] | str
    label: str

    @property
    def protects(self) -> bool:
        """Whether transformers change these columns."""
        return not isinstance(self.steps, str)


def pairs(rules: object) -> list[tuple[Any, Any]]:
    """Return rules as the user wrote them, a dict or a list of pairs, as a list of pairs.

    Raises
    ------
    ParameterTypeError
        They are neither.
    """
    if isinstance(rules, Mapping):
        return list(rules.items())
    if isinstance(rules, list | tuple) and all(isinstance(rule, tuple) and len(rule) == 2 for rule in rules):  # noqa: PLR2004 - a pair
        return list(rules)
    raise ParameterTypeError(
        f"rules must be a dict of columns to rules, or a list of (columns, rule) pairs, got {type(rules).__name__}."
    )


def members(rules: object) -> Iterator[tuple[str, Any]]:
    """Return each transformer in the rules, under the name that its nested parameters have."""
    for key, value in pairs(rules):
        steps = value[1] if _is_derived(value) else value
        if isinstance(steps, list):
            yield from ((f"{label(key)}[{number}]", step) for number, step in enumerate(steps))
        elif not isinstance(steps, str):
            yield label(key), steps


def replaced(rules: object, name: str, step: object) -> Any:
    """Return the rules with another transformer under the name that `members` gives."""
    changed = []
    for key, value in pairs(rules):
        source, steps = value if _is_derived(value) else (None, value)
        if label(key) == name:
            steps = step
        elif isinstance(steps, list):
            steps = [step if f"{label(key)}[{number}]" == name else one for number, one in enumerate(steps)]
        changed.append((key, (source, steps) if _is_derived(value) else steps))
    return dict(changed) if isinstance(rules, Mapping) else changed


def label(key: Any) -> str:
    """Return how the key of a rule is called."""
    if isinstance(key, re.Pattern):
        return str(key.pattern)
    if isinstance(key, tuple):
        return ",".join(map(str, key))
    return str(key) if not callable(key) else getattr(key, "__name__", type(key).__name__)


def resolve(rules: object, frame: Frame, *, unnamed: str, missing: str) -> list[ColumnRule]:
    """Return one rule for every column of a table, in the table's order; derived columns follow their source.

    Raises
    ------
    ParameterError, ParameterTypeError
        A rule makes no sense, two rules are for one column, or a column of the rules is missing.
    InputError
        Columns of the table have no rule.
    """
    written = pairs(rules)
    owner: dict[int, str] = {}
    named: set[int] = set()
    found: list[ColumnRule] = []
    for key, value in sorted(written, key=lambda pair: not _is_exact(pair[0], frame)):  # a name goes before a selector
        steps = _steps(key, value[1] if _is_derived(value) else value)
        if _is_derived(value):
            found.append(_derived(key, value[0], steps, frame))
            continue
        exact = _is_exact(key, frame)
        positions = [position for position in _matching(key, frame, missing) if exact or position not in named]
        for position in positions:
            if position in owner:
                raise ParameterError(
                    f"rules has two rules for column {frame.names[position]!r}: {owner[position]} and {label(key)}. "
                    "Keep one."
                )
            owner[position] = label(key)
        named |= set(positions) if exact else set()
        if positions:
            names = tuple(frame.names[position] for position in positions)
            found.append(ColumnRule(tuple(positions), names, steps, label(key)))
    found += _unnamed([p for p in range(len(frame.names)) if p not in owner], frame, unnamed)
    return sorted(found, key=lambda rule: (min(rule.positions), rule.names != _sources(rule, frame)))


def _sources(rule: ColumnRule, frame: Frame) -> tuple[Any, ...]:
    return tuple(frame.names[position] for position in rule.positions)


def _steps(key: Any, steps: Any) -> tuple[Any, ...] | str:
    """Read the right side of a rule."""
    if isinstance(steps, str):
        if steps not in {"keep", "drop"}:
            raise ParameterError(
                f"the rule for {label(key)} is {steps!r}: write a transformer, a list of them, 'keep' or 'drop'."
            )
        return steps
    listed = steps if isinstance(steps, list) else [steps]
    if not listed or not all(hasattr(step, "fit") and hasattr(step, "transform") for step in listed):
        raise ParameterTypeError(
            f"the rule for {label(key)} must be a transformer, a list of transformers, 'keep' or 'drop', got "
            f"{type(steps).__name__}."
        )
    if any(isinstance(step, type) for step in listed):
        raise ParameterTypeError(f"the rule for {label(key)} is a class: write an instance, with parentheses.")
    return tuple(listed)


def _is_derived(value: Any) -> bool:
    """Tell whether a rule makes a further column of another one."""
    return isinstance(value, tuple) and len(value) == 2  # noqa: PLR2004 - a column and its rule


def _derived(key: Any, source: Any, steps: tuple[Any, ...] | str, frame: Frame) -> ColumnRule:
    if not isinstance(key, Hashable) or key in frame.names or isinstance(key, tuple | re.Pattern) or callable(key):
        raise ParameterError(
            f"the rule for {label(key)} makes a further column of {source!r}, so its name must be one text that no "
            "column of the table has."
        )
    if source not in frame.names:
        raise ParameterError(f"the rule for {label(key)} takes column {source!r}, which the table does not have.")
    if isinstance(steps, str):
        raise ParameterError(f"the rule for {label(key)} must be a transformer: a copy would be kept in plain text.")
    return ColumnRule((frame.names.index(source),), (key,), steps, label(key))


def _is_exact(key: Any, frame: Frame) -> bool:
    """Tell whether a key names columns, and does not select them."""
    return not (callable(key) or isinstance(key, re.Pattern)) or (isinstance(key, Hashable) and key in frame.names)


def _matching(key: Any, frame: Frame, missing: str) -> list[int]:
    """Return the positions of the columns that a key means."""
    if isinstance(key, Hashable) and key in frame.names:
        return [frame.names.index(key)]
    if isinstance(key, re.Pattern):
        positions = [p for p, name in enumerate(frame.names) if isinstance(name, str) and key.fullmatch(name)]
        absent: Sequence[Any] = () if positions else [key.pattern]
    elif callable(key):
        chosen = as_names(key(frame.native))
        if chosen is None:
            raise ParameterTypeError(f"the selector {label(key)} must return a list of names.")
        positions = [frame.names.index(name) for name in chosen if name in frame.names]
        absent = [name for name in chosen if name not in frame.names]
    else:
        wanted = key if isinstance(key, tuple) else (key,)
        positions = [frame.names.index(name) for name in wanted if name in frame.names]
        absent = [name for name in wanted if name not in frame.names]
    if absent and missing == "raise":
        raise InputError(
            f"rules names columns {_listed(absent)}, which the table does not have. Its columns are "
            f"{_listed(frame.names)}. Correct the name, or pass missing='ignore'."
        )
    return positions


def _unnamed(positions: list[int], frame: Frame, unnamed: str) -> list[ColumnRule]:
    if positions and unnamed == "raise":
        names = [frame.names[position] for position in positions]
        raise InputError(
            f"no rule names columns {_listed(names)}. Give each a rule: a transformer, 'keep' or 'drop'. Or pass "
            "unnamed='drop' to leave out what has none."
        )
    return [ColumnRule((position,), (frame.names[position],), "drop", "unnamed") for position in positions]


def _listed(names: Sequence[Any]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        ", ".join(name if isinstance(name, str) and name.startswith("that ") else repr(name) for name in names[:_SHOWN])
        + more
    )
