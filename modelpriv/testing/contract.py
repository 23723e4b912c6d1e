"""The checks of the contract, and the function that runs them all."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import estimator_html_repr

from modelpriv.errors import ProtectionWarning
from modelpriv.testing.sight import files, key_forms, mentions, refused, require, seen_in
from modelpriv.testing.tables import (
    CANARY,
    SECRET,
    bad_tables,
    cells_of,
    containers,
    dtypes_of,
    names_of,
    people,
    rest_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sklearn.base import BaseEstimator

__all__ = ["check_privacy_transformer"]


def check_privacy_transformer(transformer: BaseEstimator) -> None:
    """Check that a column transformer keeps the contract, on every kind of table.

    Parameters
    ----------
    transformer : estimator
        A column transformer with the parameter `columns`, or `quasi`. It is cloned, never fitted itself; this
        parameter, and where it has one its `context`, are set to those of the checks' own table. It has to take text.
        Nulls have to stay where they are if it has a parameter `null`.

    Raises
    ------
    AssertionError
        The contract is broken; the message says which part of it, and on which kind of table.

    Examples
    --------
    >>> from modelpriv import FieldEncryptor, Keyring
    >>> from modelpriv.testing import check_privacy_transformer
    >>> check_privacy_transformer(FieldEncryptor(key=Keyring.generate()))
    """
    for container in containers():
        for check in _CHECKS:
            try:
                with warnings.catch_warnings(action="ignore", category=ProtectionWarning):  # of the checks' own table
                    check(_prepared(transformer), container)
            except AssertionError as error:
                raise AssertionError(f"{check.__name__} on {container}: {error}") from error
            except Exception as error:
                kind = type(error).__name__
                raise AssertionError(f"{check.__name__} on {container}: a good call raised {kind}") from error


def check_nothing_leaves_untouched(transformer: BaseEstimator, container: str) -> None:
    """Every cell of a declared column that is not null differs from what came in."""
    table = people(container)
    before, after = cells_of(table), cells_of(transformer.fit_transform(table))
    for row, cell in enumerate(before[SECRET]):
        require(cell is None or CANARY not in str(after[SECRET][row]), f"the cell in row {row} left in plain text")
    require(not mentions(files(transformer, table)), "a fitted object's pickle holds a cell")


def check_rest_comes_back(transformer: BaseEstimator, container: str) -> None:
    """Keep container, names, index, order, nulls and all other columns as they were, and the input untouched."""
    table = people(container)
    kept = copy.deepcopy(table)
    for result in (transformer.fit_transform(table), transformer.transform(table)):
        require(type(result) is (np.ndarray if container == "list" else type(table)), "another container came back")
        require(names_of(result) == names_of(table), "the columns' names or order changed")
        before, after = cells_of(table), cells_of(result)
        rest = [position for position in range(len(before)) if position != SECRET]
        require(
            all(repr(before[p]) == repr(after[p]) for p in rest)
            and rest_of(dtypes_of(table)) == rest_of(dtypes_of(result)),
            "a column that was not declared changed",
        )
        if "null" in transformer.get_params():  # else null is a value like others, and protected like them
            require([c is None for c in before[SECRET]] == [c is None for c in after[SECRET]], "the nulls moved")
        if container == "pandas":
            require(result.index.identical(table.index), "the index changed")
    require(cells_of(kept) == cells_of(table) and names_of(kept) == names_of(table), "the input was changed")


def check_round_trip_or_none(transformer: BaseEstimator, container: str) -> None:
    """Undo exactly what can be undone; what cannot be has no `inverse_transform`."""
    table = people(container)
    result = transformer.fit_transform(table)
    if hasattr(transformer, "inverse_transform"):
        back = transformer.inverse_transform(result)
        require(repr(cells_of(back)) == repr(cells_of(table)), "inverse_transform does not give the table back")
        require(container == "list" or dtypes_of(back) == dtypes_of(table), "inverse_transform changes dtypes")


def check_nothing_in_sight(transformer: BaseEstimator, container: str) -> None:
    """No cell and no key is in a repr, an HTML repr, the parameters, a log record or a warning."""
    table = people(container)
    with seen_in() as seen:
        transformer.fit_transform(table)
        transformer.transform(table)
        seen += [repr(transformer), str(transformer), estimator_html_repr(transformer), repr(transformer.get_params())]
        seen += [repr(vars(transformer))]
    require(not mentions(seen), "a cell is in sight")
    written = [text.encode() for text in seen] + files(transformer, table)
    require(not any(form in text for text in written for form in key_forms(transformer)), "a key is in sight")


def check_errors_are_clear_and_blind(transformer: BaseEstimator, container: str) -> None:
    """Every bad table is refused with the column's name where there is one, and never with a cell."""
    table = people(container)
    for what, bad, word in bad_tables(container):
        for call in (transformer.fit, transformer.fit_transform):
            refused(call, bad, what, word)
    transformer.fit(table)
    for what, bad, word in bad_tables(container):
        refused(transformer.transform, bad, what, word)
    missing = clone(transformer).set_params(**{_declaring(transformer): ["not there"]})
    refused(missing.fit, table, "a declared column that is not there", "not there")


def check_copies_protect_alike(transformer: BaseEstimator, container: str) -> None:
    """Protect alike with a copy, a deep copy and a pickle of the same process; a clone is unfitted."""
    table = people(container)
    result = transformer.fit_transform(table)
    require(not hasattr(clone(transformer), "n_features_in_"), "a clone is fitted")
    for other in (copy.deepcopy(transformer), copy.copy(transformer), pickle.loads(pickle.dumps(transformer))):  # noqa: S301 - its own pickle
        if hasattr(transformer, "inverse_transform"):
            require(
                cells_of(other.inverse_transform(result)) == cells_of(table),
                "a copy does not open what the original protected",
            )
        else:
            require(cells_of(other.transform(table)) == cells_of(result), "a copy protects otherwise than the original")


def check_no_rows(transformer: BaseEstimator, container: str) -> None:
    """`fit` refuses a table without rows, and `transform` takes one."""
    table = people(container)
    if container == "list":
        return  # a list without rows has no columns either
    empty = table[:0] if container != "pyarrow" else table.slice(0, 0)
    refused(transformer.fit, empty, "a table without rows", "sample")
    try:
        result = transformer.fit(table).transform(empty)
    except (ValueError, TypeError) as error:
        raise AssertionError("transform refuses a table without rows") from error
    require(len(cells_of(result)[0]) == 0 and names_of(result) == names_of(table), "a table without rows does not pass")


def check_output_is_set(transformer: BaseEstimator, container: str) -> None:
    """`set_output` gives pandas and polars frames with the same names, whatever came in."""
    table = people(container)
    names = ["x0", "x1", "x2"] if container in {"numpy", "list"} else names_of(table)
    for wanted in ("pandas", "polars"):
        if wanted in containers():
            result = clone(transformer).set_output(transform=wanted).fit_transform(table)
            require(type(result).__module__.split(".")[0] == wanted, f"set_output({wanted!r}) gives {type(result)}")
            require(list(result.columns) == names, "set_output gives other names")


_CHECKS: list[Callable[[Any, str], None]] = [
    check_nothing_leaves_untouched,
    check_rest_comes_back,
    check_round_trip_or_none,
    check_nothing_in_sight,
    check_errors_are_clear_and_blind,
    check_copies_protect_alike,
    check_no_rows,
    check_output_is_set,
]


def _declaring(transformer: BaseEstimator) -> str:
    """Return the parameter that declares the columns to protect."""
    return "columns" if "columns" in transformer.get_params() else "quasi"


def _prepared(transformer: BaseEstimator) -> Any:
    """Clone a transformer and declare the column with the secrets, by position where names may be missing."""
    own = clone(transformer).set_params(**{_declaring(transformer): [SECRET]})
    if "context" in own.get_params() and own.context is None:
        own.set_params(context="secret")
    return own
