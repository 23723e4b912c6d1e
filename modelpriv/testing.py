"""The contract that every column transformer of modelpriv keeps, as checks that run on any of them.

Use it on your own transformers, and on ours with your own parameters::

    check_privacy_transformer(Masker("phone"))
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import pickle
import warnings
from base64 import b64encode, urlsafe_b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import estimator_html_repr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CANARY", "CONTAINERS", "check_privacy_transformer", "containers", "people"]

CANARY = "cAnArY"
"""Stands in every cell that is to be protected, and may be seen nowhere afterwards."""

CONTAINERS = ("pandas", "polars", "pyarrow", "numpy", "list")

_SECRET, _ROWS = 1, 6


def check_privacy_transformer(transformer: Any) -> None:
    """Check that a column transformer keeps the contract, on every kind of table.

    Parameters
    ----------
    transformer : estimator
        A column transformer with the parameter `columns`. It is cloned, never fitted itself; its `columns`, and where
        it has one its `context`, are set to those of the checks' own table. It has to take text.

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
                check(_prepared(transformer), container)
            except AssertionError as error:
                raise AssertionError(f"{check.__name__} on {container}: {error}") from error
            except Exception as error:
                kind = type(error).__name__
                raise AssertionError(f"{check.__name__} on {container}: a good call raised {kind}") from error


def people(container: str) -> Any:
    """Return the checks' table: a row's number, secrets with a null, amounts; pandas has a duplicated index."""
    names = [f"{CANARY} {word}" for word in ("Ada Lovelace", "Grace Hopper", "Ada Lovelace", "Łukasz Żak", "李小龙")]
    cells = {"row": list(range(_ROWS)), "secret": [*names, None], "amount": [1.5, -0.0, 2.5, 1e300, 0.1, 7.0]}
    return _build(container, cells)


def containers() -> list[str]:
    """Return the kinds of table that can be tried here: polars is optional."""
    return [name for name in CONTAINERS if name != "polars" or importlib.util.find_spec("polars")]


# --- the contract ----------------------------------------------------------------------------------------------------


def check_nothing_leaves_untouched(transformer: Any, container: str) -> None:
    """Every cell of a declared column that is not null differs from what came in."""
    table = people(container)
    before, after = _cells(table), _cells(transformer.fit_transform(table))
    for row, cell in enumerate(before[_SECRET]):
        _require(cell is None or CANARY not in str(after[_SECRET][row]), f"the cell in row {row} left in clear")
    _require(not _mentions(_files(transformer, table)), "a fitted object's pickle holds a cell")


def check_rest_comes_back(transformer: Any, container: str) -> None:
    """Keep container, names, index, order, nulls and all other columns as they were, and the input untouched."""
    table = people(container)
    kept = copy.deepcopy(table)
    for result in (transformer.fit_transform(table), transformer.transform(table)):
        _require(type(result) is (np.ndarray if container == "list" else type(table)), "another container came back")
        _require(_names(result) == _names(table), "the columns' names or order changed")
        before, after = _cells(table), _cells(result)
        rest = [position for position in range(len(before)) if position != _SECRET]
        _require(
            all(repr(before[p]) == repr(after[p]) for p in rest) and _rest(_dtypes(table)) == _rest(_dtypes(result)),
            "a column that was not declared changed",
        )
        _require([c is None for c in before[_SECRET]] == [c is None for c in after[_SECRET]], "the nulls moved")
        if container == "pandas":
            _require(result.index.identical(table.index), "the index changed")
    _require(_cells(kept) == _cells(table) and _names(kept) == _names(table), "the input was changed")


def check_round_trip_or_none(transformer: Any, container: str) -> None:
    """Undo exactly what can be undone; what cannot be has no `inverse_transform`."""
    table = people(container)
    result = transformer.fit_transform(table)
    if hasattr(transformer, "inverse_transform"):
        back = transformer.inverse_transform(result)
        _require(repr(_cells(back)) == repr(_cells(table)), "inverse_transform does not give the table back")
        _require(container == "list" or _dtypes(back) == _dtypes(table), "inverse_transform changes dtypes")


def check_nothing_in_sight(transformer: Any, container: str) -> None:
    """No cell and no key is in a repr, an HTML repr, the parameters, a log record or a warning."""
    table = people(container)
    with _seen() as seen:
        transformer.fit_transform(table)
        transformer.transform(table)
        seen += [repr(transformer), str(transformer), estimator_html_repr(transformer), repr(transformer.get_params())]
        seen += [repr(vars(transformer))]
    _require(not _mentions(seen), "a cell is in sight")
    written = [text.encode() for text in seen] + _files(transformer, table)
    _require(not any(form in text for text in written for form in _keys(transformer)), "a key is in sight")


def check_errors_are_clear_and_blind(transformer: Any, container: str) -> None:
    """Every bad table is refused with the column's name where there is one, and never with a cell."""
    table = people(container)
    for what, bad, word in _bad_tables(container):
        for call in (transformer.fit, transformer.fit_transform):
            _refused(call, bad, what, word)
    transformer.fit(table)
    for what, bad, word in _bad_tables(container):
        _refused(transformer.transform, bad, what, word)
    missing = clone(transformer).set_params(columns=["not there"])
    _refused(missing.fit, table, "a declared column that is not there", "not there")


def check_copies_protect_alike(transformer: Any, container: str) -> None:
    """Protect alike with a copy, a deep copy and a pickle of the same process; a clone is unfitted."""
    table = people(container)
    result = transformer.fit_transform(table)
    _require(not hasattr(clone(transformer), "n_features_in_"), "a clone is fitted")
    for other in (copy.deepcopy(transformer), copy.copy(transformer), pickle.loads(pickle.dumps(transformer))):  # noqa: S301 - its own pickle
        if hasattr(transformer, "inverse_transform"):
            _require(
                _cells(other.inverse_transform(result)) == _cells(table),
                "a copy does not open what the original protected",
            )
        else:
            _require(_cells(other.transform(table)) == _cells(result), "a copy protects otherwise than the original")


def check_no_rows(transformer: Any, container: str) -> None:
    """`fit` refuses a table without rows, and `transform` takes one."""
    table = people(container)
    if container == "list":
        return  # a list without rows has no columns either
    empty = table[:0] if container != "pyarrow" else table.slice(0, 0)
    _refused(transformer.fit, empty, "a table without rows", "sample")
    try:
        result = transformer.fit(table).transform(empty)
    except (ValueError, TypeError) as error:
        raise AssertionError("transform refuses a table without rows") from error
    _require(len(_cells(result)[0]) == 0 and _names(result) == _names(table), "a table without rows does not pass")


def check_output_is_set(transformer: Any, container: str) -> None:
    """`set_output` gives pandas and polars frames with the same names, whatever came in."""
    table = people(container)
    names = ["x0", "x1", "x2"] if container in {"numpy", "list"} else _names(table)
    for wanted in ("pandas", "polars"):
        if wanted in containers():
            result = clone(transformer).set_output(transform=wanted).fit_transform(table)
            _require(type(result).__module__.split(".")[0] == wanted, f"set_output({wanted!r}) gives {type(result)}")
            _require(list(result.columns) == names, "set_output gives other names")


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

# --- how the checks look at things -----------------------------------------------------------------------------------


def _prepared(transformer: Any) -> Any:
    """Clone a transformer and declare the column with the secrets, by position where names may be missing."""
    own = clone(transformer).set_params(columns=[_SECRET])
    if "context" in own.get_params() and own.context is None:
        own.set_params(context="secret")
    return own


def _build(container: str, cells: dict[str, Any]) -> Any:
    if container == "pandas":
        return pd.DataFrame(cells, index=[3, 3, 1, 2, 5, 4][: len(cells["row"])])
    if container == "polars":
        import polars as pl  # noqa: PLC0415 - optional, and asked for

        return pl.DataFrame(cells, strict=False)
    if container == "pyarrow":
        return pa.table(cells)
    rows = [list(row) for row in zip(*cells.values(), strict=True)]
    return rows if container == "list" else np.array(rows, dtype=object)


def _bad_tables(container: str) -> Iterator[tuple[str, Any, str]]:
    """Yield tables that must be refused: what is wrong, the table, a word that the error must hold."""
    secrets = [f"{CANARY} {number}" for number in range(_ROWS)]
    rest: dict[str, Any] = {"row": list(range(_ROWS)), "secret": secrets, "amount": [0.5] * _ROWS}
    if container in {"numpy", "list"}:
        mixed = _build(container, rest | {"secret": [*secrets[:-1], 7]})
        yield "a column of mixed types", mixed, "1"
        yield "one dimension", np.array(secrets), "Reshape your data"
        yield "no columns", np.empty((_ROWS, 0)), "0 feature(s)"
        yield "complex numbers", np.full((_ROWS, 3), 1j), "omplex"
        yield "a sparse matrix", sparse.csr_matrix(np.eye(3)), "sparse"
    if container == "pandas":
        frame = pd.DataFrame(rest)
        odd = {
            "a column of mixed types": [*secrets[:-1], 7],
            "a column of lists": [[secret] for secret in secrets],
            "a lone surrogate": [*secrets[:-1], f"{CANARY}\ud800"],
        }
        for what, cells in odd.items():
            yield what, frame.assign(secret=pd.Series(cells, dtype=object)), "secret"
        yield "duplicate names", frame.set_axis(["row", "secret", "secret"], axis=1), "secret"
        yield "a series", frame["secret"], "Reshape your data"
    if container == "polars":
        import polars as pl  # noqa: PLC0415 - optional, and asked for

        yield "a lazy frame", pl.DataFrame(rest).lazy(), "lazy"
        yield "nested cells", pl.DataFrame(rest | {"secret": [[secret] for secret in secrets]}), "secret"
        yield (
            "objects",
            pl.DataFrame(rest).with_columns(secret=pl.Series([object()] * _ROWS, dtype=pl.Object)),
            "secret",
        )
    if container == "pyarrow":
        yield "nested cells", pa.table(rest | {"secret": [[secret] for secret in secrets]}), "secret"
        yield "duplicate names", pa.table(rest).rename_columns(["row", "secret", "secret"]), "secret"


def _refused(call: Callable[[Any], Any], bad: Any, what: str, word: str) -> None:
    with _seen() as seen:
        try:
            call(bad)
        except (ValueError, TypeError) as error:
            chain: BaseException | None = error
            message = str(error)
            while chain is not None:
                seen += [str(chain), repr(chain)]
                chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
        else:
            raise AssertionError(f"{what} was not refused")
    _require(word in message, f"the error on {what} does not say {word!r}: {message}")
    _require(not _mentions(seen), f"the error on {what} shows a cell")


@contextmanager
def _seen() -> Iterator[list[str]]:
    """Collect all that is logged and warned of."""
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield seen
        seen += [str(warning.message) for warning in caught]
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def _mentions(texts: list[Any]) -> bool:
    return any((CANARY if isinstance(text, str) else CANARY.encode()) in text for text in texts)


def _files(transformer: Any, table: Any) -> list[bytes]:
    return [pickle.dumps(transformer.fit(table), protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


def _keys(transformer: Any) -> list[bytes]:
    """Return the keys that a transformer works with, in every form in which they could be written."""
    key = transformer.get_params().get("key")
    secrets = list(getattr(key, "_keys", {}).values())
    forms = [f(secret) for secret in secrets for f in (bytes, b64encode, urlsafe_b64encode)]
    forms += [form.encode() for secret in secrets for form in (secret.hex(), repr(secret)[2:-1])]
    return [form.rstrip(b"=") for form in forms] + [key.export_secret().encode()] if secrets else []


def _names(table: Any) -> list[Any]:
    names = getattr(table, "column_names", getattr(table, "columns", None))
    return list(range(3)) if names is None else list(names)


def _cells(table: Any) -> list[list[Any]]:
    """Return a table's columns as lists, with None for every kind of null."""
    if isinstance(table, list):
        table = np.array(table, dtype=object)
    if isinstance(table, np.ndarray):
        columns = [table[:, i].tolist() for i in range(table.shape[1])]
    elif isinstance(table, pd.DataFrame):
        columns = [table.iloc[:, i].tolist() for i in range(table.shape[1])]
    else:
        columns = [
            table[name].to_pylist() if isinstance(table, pa.Table) else table[name].to_list() for name in _names(table)
        ]
    return [[None if cell is None or cell is pd.NA or cell != cell else cell for cell in column] for column in columns]  # noqa: PLR0124 - NaN


def _dtypes(table: Any) -> Any:
    if isinstance(table, pa.Table):
        return [field.type for field in table.schema]
    return (
        [] if isinstance(table, list) else [str(table.dtype)] if isinstance(table, np.ndarray) else list(table.dtypes)
    )


def _rest(dtypes: list[Any]) -> list[Any]:
    """Return the dtypes of the columns that are not declared; an array has one for all, and its cells tell."""
    return dtypes[:_SECRET] + dtypes[_SECRET + 1 :] if len(dtypes) > 1 else []


def _require(kept: object, broken: str) -> None:
    if not kept:
        raise AssertionError(broken)
