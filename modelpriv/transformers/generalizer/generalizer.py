"""Generalizer: coarser values instead of exact ones, such as an age group, a year, an area or a group of categories."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv._columns.dtypes import default_dtype, is_text
from modelpriv._columns.frame import Built
from modelpriv._columns.refusals import convert
from modelpriv._core.checks import plural
from modelpriv._core.warn import warn
from modelpriv.errors import InputError, ParameterError, ProtectionWarning
from modelpriv.kernels.coarse.periods import PERIODS
from modelpriv.transformers.fitted import without
from modelpriv.transformers.generalizer.hierarchy import by_group, read_hierarchy
from modelpriv.transformers.generalizer.parameters import (
    GENERALIZER_RULES,
    check_generalizer_parameters,
    output_of,
    way_of,
)
from modelpriv.transformers.generalizer.rare import both, counted, frequent, merged_rare
from modelpriv.transformers.keyed import KeyedCall, KeyedColumnTransformer
from modelpriv.transformers.tags import KEY_LENGTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sklearn.utils import Tags

    from modelpriv._columns.arrow import Array
    from modelpriv._columns.frame import Column, Frame
    from modelpriv._core.checks import Rules
    from modelpriv.keys import AnyKeyring
    from modelpriv.transformers.fitted import State
    from modelpriv.transformers.generalizer.ways import Way

__all__ = ["Generalizer"]


class Generalizer(KeyedColumnTransformer):
    """Replace exact values by coarser ones: an age by an age group, a date by its year, a postcode by its area.

    *Protects* the exact value: a cell becomes one of few classes, and cells of one class are equal. A cell that fits no
    class is covered, never passed: its label becomes `other`, any other output becomes null, and a `ProtectionWarning`
    counts such cells.

    *Leaks* the class of each cell, and which cells are null. Several classes together, such as an age group, a sex and
    an area, may still single out one person: look at the whole table, and choose coarser classes for those.

    *Does not* change how the columns of a row belong together, and *does not* give anything back.

    Parameters
    ----------
    to : str
        What the cells become:

        ================  =================================  =========================================  ==============
        to                cells                              classes                                    parameters
        ================  =================================  =========================================  ==============
        ``"interval"``    numbers                            intervals of one width, ``[30, 35)``       width, origin,
                                                                                                        bottom, top
        ``"bins"``        numbers                            between given edges; the first and the     bins, labels
                                                             last are open
        ``"rounded"``     numbers                            the closest multiple                       width, bottom,
                                                                                                        top
        ``"bounded"``     numbers                            each number itself, between two bounds     bottom, top
        ``"latitude"``,   degrees                            cells of a grid                            width
        ``"longitude"``
        ``"decade"``,     dates, timestamps, texts such as   periods: ``1980s``, ``1987``,              bottom, top
        ``"year"``,       1987-03-14, integers such as       ``1987-Q1``, ``1987-03``, ``1987-W11``
        ``"quarter"``,    19870314                           (of ISO 8601)
        ``"month"``,
        ``"week"``
        ``"prefix"``      codes                              the first characters                       length
        ``"zip3"``        ZIP codes                          their first three digits, ``000`` where    sparse
                                                             few people live
        ``"hierarchy"``   categories                         their group                                hierarchy,
                                                                                                        level
        ``"network"``     IP addresses                       ``192.0.2.0/24``                           ipv4, ipv6
        ``"frequent"``    text, integers, bools, dates,      each value itself, if it is frequent       min_count
                          decimals
        ================  =================================  =========================================  ==============
    columns : list of str or int, callable, optional
        The columns to generalize, by name or position; by default all. All others pass through.
    output : {"label", "lower", "midpoint", "code"}, optional
        A class as text; by its lower bound or its midpoint, which keep the dtype of dates; or by a whole number that
        grows with the class. An open class has the bound that it begins or ends at. The default is "label", but
        "midpoint" for ``"rounded"`` and "lower" for ``"bounded"``.
    width : float, optional
        How wide intervals and grid cells are, or what numbers are rounded to a multiple of.
    origin : float, default=0
        One of the edges of the intervals.
    bottom, top : float, date or str, optional
        All that is smaller than `bottom` is one class, and all from `top` on is another. For periods a date, or a text
        such as "1936-01-01"; a class that the bound cuts belongs to the open one.
    bins : list of float, optional
        The edges, in ascending order.
    labels : list of str, optional
        Names of the bins, one more than edges.
    length : int, optional
        How many characters of a code stay. A code that is shorter fits no class; one that is as long stays whole.
        Integers lack leading zeros: make text of full width of them first, where codes have them.
    sparse : {"census-2000", "census-2010", "census-2020"}, default="census-2000"
        The census whose sparse areas become ``000``: 17, 14 and 18 of them.
    hierarchy : dict, table or path, optional
        Each value with its group, or with its groups from the finest to the coarsest: a dict of values to texts or
        lists of texts, a table with a column of values and one for each level, or a CSV file in the form of ARX.
    level : int, default=1
        Which groups of the hierarchy; 1 is the finest.
    ipv4, ipv6 : int, default=24 and 48
        How many bits of an address stay.
    min_count : int, optional
        Labels that occurred less often in a column at `fit` become `other`, and so do those that `fit` did not see.
        Needs `key`: the fitted object knows the frequent labels by keyed tags.
    other : str, optional
        The label of what is covered; by default ``"*"``, and ``"000"`` for ``"zip3"``.
    key : Keyring or str, optional
        The keyring, or a URI that names it, for `min_count`.
    context : str or dict of str, optional
        What the tags of a column are tied to: a dict of names to texts, or one text for all declared columns; by
        default each column's name.
    null : {"keep", "protect", "raise"}, default="keep"
        Leave nulls where they are, cover them with `other`, or refuse them.

    Attributes
    ----------
    key_id_ : str
        With `min_count`, the id of the key that `fit` pinned: 8 hexadecimal digits.
    n_features_in_ : int
        Number of columns that `fit` saw.
    feature_names_in_ : numpy array of str
        Their names, if they had any.

    Notes
    -----
    ``"zip3"`` follows the Safe Harbor of HIPAA, 45 CFR 164.514(b)(2)(i)(B). The list of Census 2000 is that of the HHS,
    "Guidance Regarding Methods for De-identification of Protected Health Information" (2012). Codes of nine digits lose
    the last four, integers get the zeros back that they lack. A prefix without ZIP codes, and a military one, becomes
    ``000`` too. For ages, the same rule asks for ``top=90``; a year of birth that shows such an age needs `bottom`.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import Generalizer
    >>> people = pd.DataFrame({"age": [37, 91], "born": ["1987-03-14", "1933-01-30"], "zip": ["02139-4307", "03601"]})
    >>> Generalizer("interval", width=5, top=90, columns=["age"]).fit_transform(people)["age"].tolist()
    ['[35, 40)', '>=90']
    >>> Generalizer("decade", columns=["born"]).fit_transform(people)["born"].tolist()
    ['1980s', '1930s']
    >>> Generalizer("zip3", columns=["zip"]).fit_transform(people)["zip"].tolist()
    ['021', '000']
    """

    _by_parts = True
    _parameter_rules: ClassVar[Rules] = GENERALIZER_RULES

    def __init__(
        self,
        to: str,
        *,
        columns: object = None,
        output: str | None = None,
        width: float | None = None,
        origin: float = 0,
        bottom: object = None,
        top: object = None,
        bins: list[float] | None = None,
        labels: list[str] | None = None,
        length: int | None = None,
        sparse: str = "census-2000",
        hierarchy: object = None,
        level: int = 1,
        ipv4: int = 24,
        ipv6: int = 48,
        min_count: int | None = None,
        other: str | None = None,
        key: object = None,
        context: object = None,
        null: str = "keep",
    ) -> None:
        self.to = to
        self.columns = columns
        self.output = output
        self.width = width
        self.origin = origin
        self.bottom = bottom
        self.top = top
        self.bins = bins
        self.labels = labels
        self.length = length
        self.sparse = sparse
        self.hierarchy = hierarchy
        self.level = level
        self.ipv4 = ipv4
        self.ipv6 = ipv6
        self.min_count = min_count
        self.other = other
        self.key = key
        self.context = context
        self.null = null

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.min_count is not None or self.to == "hierarchy"
        return tags

    def _check_parameters(self) -> None:
        check_generalizer_parameters(self)
        self._check_context()

    def _begin(self, frame: Frame, references: Mapping[Any, Column], *, fitting: bool) -> _GeneralizerCall:
        hierarchy = None
        if self.to == "hierarchy":
            hierarchy = read_hierarchy(self.hierarchy, self.level) if fitting else self._kept("hierarchy")
        way = way_of(self) if hierarchy is None else by_group(hierarchy)
        if self.min_count is None:
            no_keys: Any = None
            return _GeneralizerCall(frame, references, no_keys, "", self.context, way, hierarchy)
        call = super()._begin(frame, references, fitting=fitting)
        return _GeneralizerCall(frame, references, call.keys, call.key_id, self.context, way, hierarchy)

    def _fit_part(self, column: Column, call: _GeneralizerCall) -> State:
        self._check_type(column, call.way)
        if self.min_count is None:
            return {}
        context = call.context_of(column)
        return {"context": context} | counted(self._labels(column, call), self._secret(call, context))

    def _merge_states(self, one: State, other: State, call: KeyedCall) -> State:  # noqa: ARG002 - one face
        return one if self.min_count is None else one | both(one, other)

    def _finish_states(self, states: dict[int, State], call: _GeneralizerCall) -> dict[int, State]:  # noqa: ARG002
        if self.min_count is None:
            return states
        least = int(self.min_count)
        return {p: without(s, "tags", "counts") | {"known": frequent(s, least)} for p, s in states.items()}

    def _finish_fit(self, call: Any) -> None:
        self._keep(hierarchy=call.hierarchy)
        if self.min_count is not None:
            self.key_id_ = call.key_id

    def _protect_column(self, column: Column, state: State, call: _GeneralizerCall) -> Built:
        call.covered[column.name] = 0  # fit may have counted some before
        built = super()._protect_column(column, state, call)
        covered, cells = call.covered[column.name], len(column.data) - column.data.null_count
        if covered:
            became = f"became {self._other()!r}" if output_of(self) == "label" else "became null"
            warn(
                f"Column {column.name!r}: {covered:,} of {plural(cells, 'cell')} fit no class of to={self.to!r} and "
                f"{became}. If more of them should show a class, correct them first.",
                ProtectionWarning,
            )
        return _with_nan(built) if column.dtype.container == "numpy" else built

    def _transform_column(self, column: Column, state: State, call: _GeneralizerCall) -> Built:
        self._check_type(column, call.way)
        output = output_of(self)
        if output != "label":
            return self._typed(column, self._coarse(column, call, output), output)
        labels = self._labels(column, call)
        if self.min_count is not None:
            labels = merged_rare(labels, state["known"], self._secret(call, state["context"]), self._other())
        if self.null == "protect" and labels.null_count:
            labels = labels.fill_null(self._other())
        return Built(labels, column.dtype.as_text())

    def _move_to(self, keys: AnyKeyring) -> None:
        if self.min_count is not None and hasattr(self, "key_id_"):
            raise ParameterError("with min_count it has no labels to make new tags for. Fit it again.")
        super()._move_to(keys)

    def _labels(self, column: Column, call: _GeneralizerCall) -> Array:
        """Return each cell's label, with `other` where a cell fits no class; nulls stay."""
        labels = self._coarse(column, call, "label")
        if labels.null_count == column.data.null_count:
            return labels
        lost = pc.and_(labels.is_null(), column.data.is_valid())
        return pc.if_else(lost, pa.scalar(self._other(), labels.type), labels)

    def _coarse(self, column: Column, call: _GeneralizerCall, output: str) -> Array:
        """Return the coarser cells, and count those that fit no class."""
        cells = column.data
        if pa.types.is_null(cells.type):
            return pa.nulls(len(cells), pa.large_string() if output == "label" else None)
        coarse = convert(lambda: call.way.run(cells, output), column.name, column.dtype, f"a class of to={self.to!r}")
        call.covered[column.name] += coarse.null_count - cells.null_count
        return coarse

    def _typed(self, column: Column, coarse: Array, output: str) -> Built:
        """Return bounds of dates, and bounded numbers, in the dtype that they had; others in that of their kind."""
        dates = self.to in PERIODS and output != "code" and coarse.type == column.data.type
        if dates or pa.types.is_null(coarse.type):
            return Built(coarse, column.dtype)
        if is_text(coarse.type):
            return Built(coarse, column.dtype.as_text())
        if self.to == "bounded" and column.dtype.cell is None:
            with suppress(pa.ArrowException):  # a bound that the column's own dtype cannot hold
                return Built(coarse.cast(column.data.type), column.dtype)
        return Built(coarse, default_dtype(column.dtype.container, coarse.type))

    def _check_type(self, column: Column, way: Way) -> None:
        type_ = column.data.type
        if not pa.types.is_null(type_) and not way.fits(type_):
            raise InputError(
                f"Column {column.name!r} ({column.dtype}) holds {type_}, and to={self.to!r} takes {way.takes}. "
                "Convert it first, or choose another way."
            )

    def _secret(self, call: _GeneralizerCall, context: str) -> bytes:
        return call.keys.working_key("generalize", context=context, length=KEY_LENGTH, key_id=call.key_id)

    def _other(self) -> str:
        return self.other or ("000" if self.to == "zip3" else "*")


@dataclass(frozen=True, slots=True)
class _GeneralizerCall(KeyedCall):
    """What one call works on, with the way to generalize, and how many cells of each column fit no class."""

    way: Way
    hierarchy: State | None
    covered: Counter[Any] = field(default_factory=Counter)


def _with_nan(built: Built) -> Built:
    """Return integers with nulls as floats: an array of numbers has no null but NaN."""
    data: Any = built.data
    if isinstance(data, np.ma.MaskedArray):
        data = pa.array(data.data, mask=np.ma.getmaskarray(data))
    if isinstance(data, np.ndarray) or not pa.types.is_integer(data.type) or not data.null_count:
        return built
    return Built(data.cast(pa.float64()), default_dtype(built.dtype.container, pa.float64()))
