"""How a whole table is protected: the rules resolved, their transformers run, the result put together and checked."""

from __future__ import annotations

import time
import weakref
from typing import TYPE_CHECKING, Any

from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from modelpriv._columns.families import families
from modelpriv._columns.frame import open_frame
from modelpriv._core import compat, events
from modelpriv._core.checks import InstanceOf, OneOf, check
from modelpriv.errors import InputError, ParameterError, ParameterTypeError
from modelpriv.tables import claims, parts, policy, restoring
from modelpriv.tables.nested import NestedRules
from modelpriv.tables.profiles import check_roles
from modelpriv.tables.rules import ColumnRule, pairs, resolve
from modelpriv.tables.summary import Summary
from modelpriv.transformers.fitted import PlainState
from modelpriv.transformers.names import NamedColumns

if TYPE_CHECKING:
    from collections.abc import Callable

    from sklearn.utils import Tags

    from modelpriv._columns.arrow import Table
    from modelpriv._columns.frame import Built, Frame

__all__ = ["ProtectingTables", "summaries"]


class ProtectingTables(NamedColumns, PlainState, TransformerMixin, NestedRules):
    """Protects the columns of a table by rules, all of them or none."""

    unnamed: str
    missing: str
    check: Any
    claim: str | None
    roles: Any

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _fit(self, X: Table, y: object) -> tuple[Frame, list[ColumnRule], list[parts.Outcome], dict[str, int], float]:
        start, whole = time.perf_counter(), dict[str, int]()
        self._check_parameters()
        frame = open_frame(X)
        if frame.n_rows == 0:
            raise InputError(
                f"Found array with 0 sample(s) (shape=(0, {len(frame.names)})) while a minimum of 1 is required by "
                "Deidentifier."
            )
        self._check_index(frame)
        rules = self._resolved(frame)
        claims.check_claim(str(self.claim), self._answers(rules, frame))
        steps = [parts.prepared(rule, frame, self.key) if rule.protects else [] for rule in rules]
        outcomes = [
            parts.fit_part(rule, made, frame, y, whole) if rule.protects else []
            for rule, made in zip(rules, steps, strict=True)
        ]
        released = [name for name, _, _ in _columns(rules, outcomes)]
        self._check_released(released)
        # Set only now, so that a fit that fails does not change the object.
        self._check_names(frame, reset=True)
        restorer = restoring.order(rules, steps, frame.names)
        self.steps_ = [(rule.label, made) for rule, made in zip(rules, steps, strict=True)]
        self.restorable_ = [name for number in restorer for name in rules[number].names]
        self._keep(
            names=frame.names if frame.named else None,
            columns_in=frame.names,
            kinds=families(frame),
            released=released,
            restorer=restorer,
            rules=[(rule.positions, rule.names, "" if rule.protects else rule.steps, rule.label) for rule in rules],
        )
        return frame, rules, outcomes, whole, start

    def _released(
        self, frame: Frame, rules: list[ColumnRule], outcomes: list[parts.Outcome], whole: dict[str, int], start: float
    ) -> Table:
        """Put the released table together, and give it out once it has passed the checks."""
        table = frame.assembled(_columns(rules, outcomes))
        for check_result in self._checks():
            check_result(table)
        digest = self._digest()
        events.note(policy=digest)
        summaries[self] = _summary(frame, rules, whole, time.perf_counter() - start, digest)
        return frame.as_wanted(table, compat.wanted_output(self))

    def _answers(self, rules: list[ColumnRule], frame: Frame) -> list[claims.Answered]:
        """Return the clauses of the claim, with what answers them."""
        return [] if self.claim is None else claims.answers(self.claim, rules, frame.names, self.roles or {})

    def _digest(self) -> str | None:
        """Return the digest of the rules as a policy; None if they cannot be written as one."""
        try:
            return policy.digest(policy.describe(self.get_params(deep=False)))
        except ParameterError:
            return None

    def _resolved(self, frame: Frame) -> list[ColumnRule]:
        return resolve(self.rules, frame, unnamed=self.unnamed, missing=self.missing)

    def _rules(self) -> list[ColumnRule]:
        """Return the rules as `fit` resolved them."""
        kept = zip(self._kept("rules"), self.steps_, strict=True)
        return [
            ColumnRule(tuple(positions), tuple(names), word or tuple(steps), label)
            for (positions, names, word, label), (_, steps) in kept
        ]

    def _check_parameters(self) -> None:
        check("unnamed", self.unnamed, OneOf("raise", "drop"))
        check("missing", self.missing, OneOf("raise", "ignore"))
        check("claim", self.claim, OneOf(*claims.CLAIMS), None)
        check("roles", self.roles, InstanceOf(dict, words="a dict of columns to roles"), None)
        check_roles(self.roles or {})
        self._checks()

    def _checks(self) -> list[Callable[[Any], object]]:
        """Return the functions that look at the result."""
        listed = self.check if isinstance(self.check, list | tuple) else [self.check]
        found: list[Any] = [getattr(one, "check", one) for one in listed if one is not None]
        if odd := [type(one).__name__ for one in found if not callable(one)]:
            raise ParameterTypeError(f"check must be an object with a method check, or a function, got {odd[0]}.")
        return found

    @staticmethod
    def _check_index(frame: Frame) -> None:
        """Refuse a pandas index that is more than numbers of rows: no rule names it, and it would come out as it is."""
        index: Any = getattr(frame.native, "index", None)
        if hasattr(index, "nlevels") and (index.nlevels > 1 or index.name is not None or index.dtype.kind not in "iu"):
            raise InputError(
                f"The table's index {list(index.names)!r} has no rule. Make it a column with reset_index(), or leave "
                "it out with reset_index(drop=True)."
            )

    def _check_kinds(self, frame: Frame) -> None:
        """Refuse columns of another family of types than at fit: what was harmless may hold names now."""
        kept, found = self._kept("kinds"), families(frame)
        for rule in self._rules():
            for position in rule.positions:
                before, now = kept[position], found[position]
                if before != now and "nothing" not in {before, now} and rule.steps != "drop":
                    raise InputError(
                        f"Column {frame.names[position]!r} held {before} at fit and now holds {now}. Convert it, or "
                        "fit again."
                    )

    def _check_released(self, released: list[Any]) -> None:
        twice = sorted({str(name) for name in released if released.count(name) > 1})
        if twice:
            raise ParameterError(f"the rules give more than one column of the names {', '.join(twice)}: rename one.")
        if not released:
            raise ParameterError("the rules drop every column, so nothing would come out.")

    def _opened(self, X: Table) -> Frame:
        """Open a released table, which has to have the columns that were released."""
        check_is_fitted(self, "n_features_in_")
        frame = open_frame(X)
        if frame.names != self._kept("released"):
            raise InputError(f"Pass what transform gave, with these columns: {self._kept('released')!r}.")
        return frame

    def _opened_by_rules(self, X: Table) -> Table:
        """Open the tokens of a released table by the rules and the key alone."""
        self._check_parameters()
        frame = open_frame(X)
        own = [(key, value) for key, value in pairs(self.rules) if not isinstance(value, tuple)]
        opened: dict[Any, Built] = {}
        for rule in resolve(own, frame, unnamed="drop", missing="ignore"):
            steps = parts.prepared(rule, frame, self.key) if rule.protects else []
            if len(steps) == 1 and hasattr(steps[0], "needs_rewrap"):
                opened |= restoring.apply("inverse_transform", rule, steps, frame, names=frame.names, restored={})
        return frame.replaced({frame.names.index(name): built for name, built in opened.items()})

    def _with_tokens(self) -> list[tuple[ColumnRule, list[Any]]]:
        """Return the rules that a FieldEncryptor alone fulfils."""
        found = zip(self._rules(), self.steps_, strict=True)
        return [(rule, steps) for rule, (_, steps) in found if len(steps) == 1 and hasattr(steps[0], "needs_rewrap")]


def _columns(rules: list[ColumnRule], outcomes: list[parts.Outcome]) -> list[tuple[Any, int, Built | None]]:
    """Return the columns that come out, in the order of the columns that they come from."""
    found: list[tuple[Any, int, Built | None, bool]] = []
    for rule, outcome in zip(rules, outcomes, strict=True):
        if rule.steps == "keep":
            found += [(name, position, None, False) for name, position in zip(rule.names, rule.positions, strict=True)]
        found += [(name, position, built, True) for name, position, built in outcome]
    ordered = sorted(enumerate(found), key=lambda one: (one[1][1], one[0]))
    return [(name, position, built) for _, (name, position, built, _) in ordered]


def _summary(
    frame: Frame, rules: list[ColumnRule], whole: dict[str, int], seconds: float, digest: str | None
) -> Summary:
    def names(chosen: list[ColumnRule]) -> tuple[str, ...]:
        return tuple(str(frame.names[position]) for rule in chosen for position in rule.positions)

    own = [rule for rule in rules if set(rule.names) <= set(frame.names)]
    return Summary(
        frame.n_rows,
        names([rule for rule in own if rule.protects]),
        names([rule for rule in own if rule.steps == "keep"]),
        names([rule for rule in own if rule.steps == "drop"]),
        tuple(str(name) for rule in rules if rule not in own for name in rule.names),
        {name: count for name, count in whole.items() if count},
        seconds,
        digest,
    )


summaries: weakref.WeakKeyDictionary[ProtectingTables, Summary] = weakref.WeakKeyDictionary()
"""What the newest call of each object did: not among its attributes, which a call of transform may not change."""
