"""Deidentifier: a rule for every column of a table, and the whole table protected at once or not at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from modelpriv._columns.frame import open_frame
from modelpriv._core import compat, events
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.tables import parts, restoring
from modelpriv.tables.looking_ahead import LookingAhead
from modelpriv.tables.made_from_policies import MadeFromPolicies
from modelpriv.tables.protecting import summaries

if TYPE_CHECKING:
    from typing import Self

    from modelpriv._columns.arrow import Table
    from modelpriv._columns.frame import Built
    from modelpriv.tables.summary import Summary

__all__ = ["Deidentifier"]


class Deidentifier(MadeFromPolicies, LookingAhead):
    """Protect a whole table by rules in which every column is named.

    A column without a rule is refused, or dropped if you say so. It is never kept. All columns are protected, or the
    call fails and gives nothing.

    Parameters
    ----------
    rules : dict, or list of pairs
        From columns to what becomes of them. The left side is a column's name, a tuple of names, a compiled regular
        expression that has to match the whole name, or a selector such as `sklearn.compose.make_column_selector`; a
        name goes before the others. The right side is a transformer, a list of transformers that follow one another,
        ``"keep"`` or ``"drop"``; or, to make a further column, a pair of the column that it comes from and a rule:
        ``{"postcode": FieldEncryptor(), "area": ("postcode", Generalizer("zip3"))}``. Parameters of transformers that
        name other columns, such as ``subject=`` and ``bind=``, mean columns of the input.
    key : Keyring or str, optional
        The keyring, or its URI, of all transformers that have none of their own.
    unnamed : {"raise", "drop"}, default="raise"
        What happens to columns without a rule.
    missing : {"raise", "ignore"}, default="raise"
        What happens to rules for columns that the table does not have.
    check : object, callable or list of these, optional
        What the result has to pass before it is given out: objects with a method ``check`` or functions that take the
        result and raise.

    claim : {"hipaa-safe-harbor", "hipaa-limited", "pci-dss", "gdpr-pseudonymised", "gb-t-37964"}, optional
        The legal text whose clauses the rules have to answer; `fit` refuses rules that do not, with the clause. It is
        no legal advice.
    roles : dict of str to str, optional
        What columns hold, for the claim: ``"name"``, ``"postcode"``, ``"date_of_birth"``, ``"measure"`` ...

    Attributes
    ----------
    steps_ : list of (str, list of transformers)
        The fitted transformers of each rule, by how the rule is called.
    restorable_ : list
        The columns that `inverse_transform` gives back.
    summary_ : Summary
        What the newest call of this object did, in numbers. It is not pickled.
    n_features_in_ : int
        The number of columns seen in `fit`.
    feature_names_in_ : numpy array of str
        Their names, where all are text.

    See Also
    --------
    sklearn.compose.ColumnTransformer : Transforms columns, and lets others pass.

    Notes
    -----
    *Protects against* forgetting a column: one that was added, renamed or moved, or that holds another family of types
    than at fit, is refused by name; so is a pandas index that is more than row numbers. *Leaks* what the transformers
    leak, and all of what is kept; `plan` says it column by column. It *cannot* tell whether someone can be singled out:
    pass a ``check``.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import Deidentifier, FieldEncryptor, Keyring, Masker
    >>> people = pd.DataFrame({"id": ["P-1", "P-2"], "phone": ["555-0132", "555-0199"], "age": [36, 41]})
    >>> rules = {"id": FieldEncryptor("deterministic"), "phone": Masker("phone"), "age": "keep"}
    >>> step = Deidentifier(rules, key=Keyring.generate())
    >>> released = step.fit_transform(people)
    >>> released[["phone", "age"]].to_numpy().tolist()
    [['***-0132', 36], ['***-0199', 41]]
    >>> step.inverse_transform(released)["id"].tolist()
    ['P-1', 'P-2']
    """

    def __init__(
        self,
        rules: object,
        *,
        key: object = None,
        unnamed: str = "raise",
        missing: str = "raise",
        check: object = None,
        claim: str | None = None,
        roles: dict[str, str] | None = None,
    ) -> None:
        self.rules = rules
        self.key = key
        self.unnamed = unnamed
        self.missing = missing
        self.check = check
        self.claim = claim
        self.roles = roles

    # --- protecting ---

    @events.audited
    def fit(self, X: Table, y: object = None) -> Self:
        """Resolve the rules for a table, and fit their transformers.

        Parameters
        ----------
        X : pandas, polars or pyarrow table, numpy array or list of rows, shape (n_samples, n_features)
            The table.
        y : array-like, optional
            For transformers that use it.

        Returns
        -------
        self

        Raises
        ------
        InputError, InputTypeError
            A column has no rule, or cannot be protected by it; or `X` is not a table.
        ParameterError, ParameterTypeError
            A rule makes no sense.
        KeyUnavailableError
            The key is not available.
        """
        self._fit(X, y)
        return self

    @events.audited
    def fit_transform(self, X: Table, y: object = None, **fit_params: Any) -> Table:
        """Fit to a table and protect it, reading each column once.

        Parameters
        ----------
        X : table
            The table; it is not changed.
        y : array-like, optional
            For transformers that use it.
        **fit_params
            None are taken.

        Returns
        -------
        table of the same kind as `X`
            The released table: the columns in their order, without those that are dropped, and each further column
            behind the one that it comes from.
        """
        if fit_params:
            raise ParameterTypeError(f"fit_transform of Deidentifier takes X and y only, got {sorted(fit_params)}.")
        return self._released(*self._fit(X, y))

    @events.audited
    def transform(self, X: Table) -> Table:
        """Protect a table that has the columns of the fitted one.

        Parameters
        ----------
        X : table
            The table; it is not changed. It may have no rows.

        Returns
        -------
        table of the same kind as `X`
            The released table.

        Raises
        ------
        InputError
            A column was added, removed, renamed or moved, or holds another family of types.
        """
        check_is_fitted(self, "n_features_in_")
        frame = open_frame(X)
        self._check_names(frame, reset=False)
        self._check_index(frame)
        self._check_kinds(frame)
        start, whole = time.perf_counter(), dict[str, int]()
        rules = self._rules()
        outcomes = [
            parts.transform_part(rule, steps, frame, whole) if rule.protects else []
            for rule, (_, steps) in zip(rules, self.steps_, strict=True)
        ]
        return self._released(frame, rules, outcomes, whole, start)

    def get_feature_names_out(self, input_features: object = None) -> Any:
        """Return the names of the columns that come out.

        Parameters
        ----------
        input_features : array-like of str, optional
            Has to be the names that went in.

        Returns
        -------
        numpy array of str
            The names.
        """
        check_is_fitted(self, "n_features_in_")
        compat.feature_names_in(self, input_features)
        return np.array(self._kept("released"), object)

    # --- the way back, and to newer keys ---

    @events.audited
    def inverse_transform(self, X: Table) -> Table:
        """Give back what can be given back, by the keys: encrypted cells and shifted dates.

        Parameters
        ----------
        X : table
            What `transform` gave.

        Returns
        -------
        table of the same kind as `X`
            The columns that came in and were not dropped, in their order: those of ``restorable_`` as they were, all
            others as they are in `X`. Further columns are left out. Without `fit`, as when you have only the policy
            and the key: all columns of `X`, and those that a `FieldEncryptor` alone encrypted are opened.
        """
        if not hasattr(self, "steps_"):
            return self._opened_by_rules(X)
        frame, rules = self._opened(X), self._rules()
        names, restored = self._kept("columns_in"), dict[Any, "Built"]()
        for number in self._kept("restorer"):
            steps = self.steps_[number][1]
            restored |= restoring.apply(
                "inverse_transform", rules[number], steps, frame, names=names, restored=restored
            )
        own = [name for name in names if name in frame.names]
        return frame.assembled([(name, frame.names.index(name), restored.get(name)) for name in own])

    @events.audited
    def rewrap(self, X: Table) -> Table:
        """Move the tokens of all encrypted columns to the keyring's primary key; this object moves with them.

        Parameters
        ----------
        X : table
            What `transform` gave, with the columns that tokens are bound to.

        Returns
        -------
        table of the same kind as `X`
            The same table under the newer key. What carries no key id, such as pseudonyms, stays.
        """
        frame, moved = self._opened(X), dict[Any, "Built"]()
        for rule, steps in self._with_tokens():
            moved |= restoring.apply("rewrap", rule, steps, frame, names=self._kept("columns_in"), restored={})
        return frame.replaced({frame.names.index(name): built for name, built in moved.items()})

    def needs_rewrap(self, X: Table) -> bool:
        """Tell whether a released table holds tokens of an older key than the keyring's primary one.

        Parameters
        ----------
        X : table
            What `transform` gave.

        Returns
        -------
        bool
            Whether `rewrap` would change a token.
        """
        frame = self._opened(X)
        for rule, (step,) in self._with_tokens():
            table = frame.assembled([(name, frame.names.index(name), None) for name in rule.names])
            if step.needs_rewrap(table):
                return True
        return False

    def tokens_for(self, values: object, *, column: Any) -> list[str]:
        """Return the tokens of some values in a column, under every key of the ring, to search for them.

        Parameters
        ----------
        values : list, Series or array
            Values of the column's type.
        column : str
            A column that is encrypted deterministically.

        Returns
        -------
        list of str
            For ``released[column].isin(...)``.
        """
        for rule, (step,) in self._with_tokens():
            if column in rule.names:
                return list(step.tokens_for(values, column=column))
        raise ParameterError(f"column={column!r} is not a column that a FieldEncryptor alone encrypts.")

    @property
    def summary_(self) -> Summary:
        """What the newest call of this object did, in numbers."""
        if self not in summaries:
            raise AttributeError("summary_ is there after fit_transform or transform of this very object.")
        return summaries[self]
