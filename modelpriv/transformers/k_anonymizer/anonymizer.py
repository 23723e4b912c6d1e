"""KAnonymizer: generalise the quasi-identifiers of a table until every row hides among k."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from modelpriv._columns.dtypes import default_dtype
from modelpriv._columns.frame import Built, Column, as_names, nulls_alone
from modelpriv._columns.plain import array_from_plain
from modelpriv._core.checks import InstanceOf, Number, OneOf, Rules, Whole, plural
from modelpriv._core.warn import warn
from modelpriv.errors import InputError, ParameterError, ProtectionWarning
from modelpriv.kernels.grouping.limits import CLOSENESS, DIVERSITY
from modelpriv.kernels.grouping.mondrian import Tree, mondrian
from modelpriv.transformers.base import BaseColumnTransformer, Call
from modelpriv.transformers.declared import find_column
from modelpriv.transformers.k_anonymizer.by_tree import as_target, by_tree, itself
from modelpriv.transformers.k_anonymizer.fitting import Fitted, by_name, fitted
from modelpriv.transformers.k_anonymizer.full_domain import classes_of, full_domain
from modelpriv.transformers.k_anonymizer.hierarchy import COVER, read_hierarchy
from modelpriv.transformers.k_anonymizer.places import inside, numbers_of
from modelpriv.transformers.k_anonymizer.quasi import Quasi, as_quasi
from modelpriv.transformers.k_anonymizer.requirements import requirements

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from sklearn.utils import Tags

    from modelpriv._columns.frame import Frame
    from modelpriv.transformers.fitted import State
    from modelpriv.transformers.k_anonymizer.requirements import Requirements

__all__ = ["KAnonymizer"]


class KAnonymizer(BaseColumnTransformer):
    """Generalise quasi-identifiers, such as age and postcode, until every row shares them with at least `k` - 1 others.

    Mondrian (LeFevre, DeWitt and Ramakrishnan, 2006) cuts the table into regions: each by the column that loses most,
    at the value nearest the median, as long as both sides have `k` rows and keep `l` and `t`. All rows of a region then
    show the same: ``[23, 41]`` for numbers, dates and times, ``{Bern, Ulm}`` for categories, the lowest common node of
    a hierarchy, and ``*`` where a region mixes nulls with values, or has all values of a category.

    *Protects* against linking: someone who knows a person's quasi-identifiers finds `k` rows or more, not one. With
    `l` and `t` these rows do not agree on the sensitive columns either. **This holds for the table that was fitted**,
    in what `fit_transform` gives, or `transform` of the same table. New rows get the region that they fall into, so a
    model can be tested on them, but few of them may be in a region, or one.

    *Leaks* the ranges, which region each row is in, every column that is not a quasi-identifier, and how many people
    share a region. Someone who knows that a person is in the table and knows columns that you left out of `quasi` may
    still find the row. Two releases of the same people can be combined.

    *Does not* give differential privacy, and does not protect what a model learns. A fitted object holds the ends of
    the regions' ranges and the categories in them, as the result shows them; with middles, the values at the cuts.
    Seal it like the model.

    Parameters
    ----------
    k : int, default=5
        How many rows a class has, at least.
    quasi : list of str or int, callable, optional
        The quasi-identifiers, by name or position; by default all columns but the sensitive ones. All others pass
        through.
    sensitive : str or int, or list of them, optional
        The columns that `l` and `t` are about. They pass through.
    l : int or tuple, optional
        An int, or ``("distinct", l)``: that many different sensitive values in each class. ``("entropy", l)``: their
        entropy is at least ``log(l)``. ``("recursive", c, l)``: recursive (c, l)-diversity.
    t : float or tuple, optional
        How far the sensitive values of a class may be from those of the table, from 0 to 1: by rank for numbers, dates,
        times and ordered categories, else with all values equally far apart; or ``("ordered", t)``,
        ``("categorical", t)``.
    method : {"mondrian", "microaggregation", "target", "full-domain"}, default="mondrian"
        How regions are found. ``"mondrian"`` cuts the widest column near its median, and categories of few values
        first. ``"microaggregation"`` grows a tree that keeps the rows of a region near each other: the sum of squared
        distances from their mean falls the most with each cut. ``"target"`` grows a tree whose cuts serve to predict
        the `y` that `fit` got, so that models lose the least; the regions then follow `y`, and show something of it.
        Both are the trees of scikit-learn with at least `k` rows in a leaf, and take longer. ``"full-domain"`` gives
        all rows the same level of each hierarchy, and columns without one either their values or the cover: of all
        choices the one that loses least, by ``loss_["gcp"]`` without suppressed rows. It tries at most 20,000 choices,
        and warns if that was not enough to be sure.
    hierarchies : dict, optional
        By column, the categories above its values: a table or list of rows, each a value and then its ancestors from
        narrow to wide, as ARX has them; or a dict of values to lists of ancestors. Values are compared as text.
    suppress : float, default=0.0
        For ``method="full-domain"``: the share of rows that may be covered whole, from 0 to 1. They are in no class.
    weights : dict of str to float, optional
        How much the width of a column counts, by default 1: a column with more weight is cut more often.
    output : {"range", "mean", "median"}, default="range"
        What the cells of a class become. ``"range"`` gives text; a cell of a new row that its region does not hold is
        covered by ``*``, and a `ProtectionWarning` counts such rows. ``"mean"`` and ``"median"`` give numbers and times
        the middle of those in the class, and other columns the most frequent value, for models; a new row gets that of
        the region whose cuts it is between, and only categories and nulls that `fit` did not see are covered.

    Attributes
    ----------
    classes_ : numpy array of int
        The number of rows of each class.
    risk_ : dict of str to float
        ``"highest"`` and ``"mean"``: the risk of a row, one divided by the size of its class.
    loss_ : dict
        ``"gcp"``: the global certainty penalty, from 0 (nothing is lost) to 1, and ``"ncp"``: its parts by column.
        ``"discernibility"``: the sum of squared class sizes. ``"average_class"``: the rows of a class divided by `k`.
        ``"suppressed"``: rows that are covered.
    n_features_in_ : int
        The number of columns seen in `fit`.
    feature_names_in_ : numpy array of str
        Their names, where all are text.

    See Also
    --------
    modelpriv.evidence.KAnonymity : A check of any table.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import KAnonymizer
    >>> people = pd.DataFrame({"age": [23, 29, 31, 47, 52, 58], "zip": ["021", "021", "021", "100", "945", "100"],
    ...                        "ill": ["flu", "cold", "flu", "gout", "flu", "cold"]})
    >>> step = KAnonymizer(k=3, quasi=["age", "zip"])
    >>> step.fit_transform(people)
            age         zip   ill
    0  [23, 31]         021   flu
    1  [23, 31]         021  cold
    2  [23, 31]         021   flu
    3  [47, 58]  {100, 945}  gout
    4  [47, 58]  {100, 945}   flu
    5  [47, 58]  {100, 945}  cold
    >>> step.classes_, step.risk_["highest"] == 1 / 3
    (array([3, 3]), True)
    """

    null: str = "keep"  # a category of its own
    _parameter_rules: ClassVar[Rules] = {
        "k": [Whole(least=2)],
        "l": [*DIVERSITY, None],
        "t": [*CLOSENESS, None],
        "method": [OneOf("mondrian", "microaggregation", "target", "full-domain")],
        "suppress": [Number(least=0, most=1)],
        "hierarchies": [InstanceOf(dict), None],
        "weights": [InstanceOf(dict), None],
        "output": [OneOf("range", "mean", "median")],
    }

    def __init__(
        self,
        k: int = 5,
        *,
        quasi: object = None,
        sensitive: object = None,
        l: object = None,  # noqa: E741 - the field's letter
        t: object = None,
        method: str = "mondrian",
        hierarchies: Mapping[Any, Any] | None = None,
        suppress: float = 0.0,
        weights: Mapping[Any, float] | None = None,
        output: str = "range",
    ) -> None:
        self.k = k
        self.quasi = quasi
        self.sensitive = sensitive
        self.l = l
        self.t = t
        self.method = method
        self.hierarchies = hierarchies
        self.suppress = suppress
        self.weights = weights
        self.output = output

    def _check_parameters(self) -> None:
        if (self.l is not None or self.t is not None) and self.sensitive is None:
            raise ParameterError("l and t need sensitive: name the columns that they are about.")
        whole = self.method == "full-domain"
        if self.suppress and not whole:
            raise ParameterError(f"method={self.method!r} suppresses no rows. Set suppress=0, or method='full-domain'.")
        if whole and self.output != "range":
            raise ParameterError("method='full-domain' has levels, not middles. Set output='range', or another method.")
        wrong = [name for name, weight in (self.weights or {}).items() if not _is_weight(weight)]
        if wrong:
            raise ParameterError(f"weights of {wrong!r} must be numbers above 0.")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.method == "target"
        return tags

    # --- which columns ---

    def _find_columns(self, frame: Frame) -> list[int]:
        sensitive = self._find_sensitive(frame)
        quasi = self.quasi(frame.native) if callable(self.quasi) else self.quasi
        if quasi is None:
            found = [position for position in range(len(frame.names)) if position not in sensitive]
        else:
            listed = as_names(quasi)
            found = [find_column(frame, name, "quasi") for name in ([quasi] if listed is None else listed)]
        if not found:
            raise ParameterError("quasi names no column, so nothing would be protected. Name a column.")
        if len(set(found)) < len(found):
            raise ParameterError("quasi names a column twice. Name each column once.")
        if both := sorted(set(found) & set(sensitive)):
            raise ParameterError(
                f"quasi and sensitive both name {frame.names[both[0]]!r}. A class shows one value of each "
                "quasi-identifier, so leave it out of one of them."
            )
        return sorted(found)

    def _find_sensitive(self, frame: Frame) -> list[int]:
        if self.sensitive is None:
            return []
        listed = as_names(self.sensitive)
        names = [self.sensitive] if listed is None else listed
        return [find_column(frame, name, "sensitive") for name in names]

    def _check_declared(self, frame: Frame, fitted: list[int]) -> None:
        comparable = not callable(self.quasi) and frame.named == (self._names is not None)
        if comparable and self._find_columns(frame) != fitted:
            raise ParameterError("quasi was changed since fit. Fit again, so that the new columns are protected.")

    # --- fit ---

    def _begin(self, frame: Frame, references: Mapping[Any, Column], *, fitting: bool) -> _KCall:
        if fitting and frame.n_rows < self.k:
            raise InputError(
                f"The table has n_samples={frame.n_rows}, fewer than k={self.k}, so no row can hide among {self.k}. "
                "Fit on more rows, or ask for a smaller k."
            )
        return _KCall(frame, references)

    def _fit_part(self, column: Column, call: _KCall) -> State:  # noqa: ARG002 - all columns are taken together
        return {"column": column}

    def _finish_states(self, states: dict[int, State], call: _KCall) -> dict[int, State]:
        columns = [state["column"] for state in states.values()]
        hierarchies = by_name(call.frame, list(states), self.hierarchies, "hierarchies")
        weights = by_name(call.frame, list(states), self.weights, "weights")
        quasi = [
            as_quasi(column, None if given is None else read_hierarchy(given, column.name), float(weight or 1))
            for column, given, weight in zip(columns, hierarchies, weights, strict=True)
        ]
        sensitive = [nulls_alone(call.frame.column(position)) for position in self._find_sensitive(call.frame)]
        keeps = requirements(sensitive, self.l, self.t)
        if keeps is not None:
            keeps.check_table()
        found = self._found(quasi, keeps, call)
        call.found.append(found)
        return dict(zip(states, found.states, strict=True))

    def _found(self, quasi: list[Quasi], keeps: Requirements | None, call: _KCall) -> Fitted:
        """Return what the method finds."""
        k = int(self.k)
        if self.method == "full-domain":
            return full_domain(quasi, k, keeps, float(self.suppress))
        if self.method == "mondrian":
            return fitted(quasi, mondrian([one.axis for one in quasi], k, keeps), k, self.output)
        target = itself(quasi) if self.method == "microaggregation" else as_target(call.target, call.frame.n_rows)
        return fitted(quasi, by_tree(quasi, target, k, keeps), k, self.output)

    def _finish_fit(self, call: _KCall) -> None:
        found = call.found[0]
        self._keep(tree=found.tree, way=found.way)
        self.classes_ = found.sizes
        rows = int(found.sizes.sum())
        self.risk_ = {"highest": 1 / int(found.sizes.min(initial=rows or 1)), "mean": len(found.sizes) / max(1, rows)}
        self.loss_ = found.loss

    # --- transform ---

    def _built(self, columns: Mapping[int, Column], call: _KCall) -> dict[int, Built]:
        if call.found:
            classes = call.found[0].labels
            outside = dict.fromkeys(columns, classes < 0)
        elif self._kept("tree") is None:
            classes = classes_of(columns, self._states, self._kept("way"))
            outside = dict.fromkeys(columns, classes < 0)
            _warn_of_outside(classes < 0)
        else:
            numbers = {position: numbers_of(column, self._states[position]) for position, column in columns.items()}
            classes = Tree(*self._kept("tree")).find(list(numbers.values()))
            outside = {position: ~inside(self._states[position], classes, own) for position, own in numbers.items()}
            _warn_of_outside(np.any(list(outside.values()), axis=0))
        return super()._built(columns, replace(call, classes=np.maximum(classes, 0), outside=outside))

    def _protect_column(self, column: Column, state: State, call: _KCall) -> Built:
        covered = call.outside[call.frame.names.index(column.name)]
        cells = array_from_plain(state["cells"])
        dtype = column.dtype.as_text() if pa.types.is_large_string(cells.type) else None
        absent = np.append(state["absent"], False)[call.classes]  # there may be no class
        if dtype is None:
            return Built(cells.take(pa.array(call.classes, mask=covered | absent)), _middle_dtype(column, cells))
        places = np.where(covered, len(cells), call.classes)
        every = pa.concat_arrays([cells, pa.array([COVER], cells.type)])
        return Built(every.take(pa.array(places, mask=absent & ~covered)), dtype)


@dataclass(frozen=True, slots=True)
class _KCall(Call):
    """What one call works on: what a fit found, or the class of each row and the cells that are covered by column."""

    found: list[Fitted] = field(default_factory=list)
    classes: Any = None
    outside: dict[int, npt.NDArray[np.bool_]] = field(default_factory=dict)


def _middle_dtype(column: Column, cells: Any) -> Any:
    """Return the dtype of a column of middles: floats become the container's, times stay as they are."""
    if pa.types.is_temporal(cells.type):
        return column.dtype
    return default_dtype(column.dtype.container, cells.type)


def _warn_of_outside(outside: npt.NDArray[np.bool_]) -> None:
    count = int(outside.sum())
    if count:
        warn(
            f"{plural(count, 'row')} of {len(outside):,} {'is' if count == 1 else 'are'} not in a region that was "
            "fitted: the cells outside of it are covered. k-anonymity holds for the table that was fitted.",
            ProtectionWarning,
        )


def _is_weight(weight: object) -> bool:
    rule = Number(least=0)
    return rule.takes(weight) and not rule.fault(weight) and weight != 0
