"""Replacer: realistic fakes instead of names, addresses, and anything else that Faker or the user can make."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.cells import logical_type
from modelpriv._columns.dtypes import is_text
from modelpriv._columns.frame import Built, open_frame
from modelpriv._columns.plain import array_from_plain, array_to_plain
from modelpriv._core.checks import Flag, InstanceOf, ListOf, OneOf, Rules, Satisfies, Text, Whole
from modelpriv.errors import InputError, ParameterError
from modelpriv.kernels.prf import pool as kernel
from modelpriv.kernels.prf import pseudonym
from modelpriv.kernels.prf.pseudonym import SAFE64
from modelpriv.kernels.prf.sketch import smallest, united
from modelpriv.transformers.fitted import without
from modelpriv.transformers.keyed import KEYED_RULES, KeyedCall, KeyedColumnTransformer, context_of
from modelpriv.transformers.replacer.fakes import collected, typed, warn_of_sharing, without_known
from modelpriv.transformers.replacer.pools import Recipe, interleaved, make_pool, to_pool
from modelpriv.transformers.tags import KEY_LENGTH, check_same_type, different_tags, tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from modelpriv._columns.arrow import Array
    from modelpriv._columns.frame import Column
    from modelpriv.keys import AnyKeyring
    from modelpriv.transformers.fitted import State

__all__ = ["Replacer"]

_SEED = 32  # bytes


def _is_collection(values: object) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, (str, bytes, dict))


class Replacer(KeyedColumnTransformer):
    """Replace the values of columns by realistic fakes: names, addresses, dates, or a list of your own.

    A keyed pseudorandom function of the value (the synthetic IV of AES-SIV, RFC 5297) chooses the fake from a pool that
    Faker makes from a secret seed. So the same value gets the same fake in every row, table, process and machine with
    the key, for columns of the same context. No value is kept, and there is no way back.

    *Protects* the values: without the key a fake says nothing about its value, and an attacker cannot try values out.

    *Leaks* which cells are null and, since equal values get equal fakes, how often a value occurs: someone who knows
    that half of all rows are about one person finds that person's rows, though not by name. If `provider_args` or
    `values` give few fakes, a fake may by chance be the value itself.

    *Does not* keep different values apart. With `n` different values and `m` fakes, about ``n * n / (2 * m)`` pairs of
    values share a fake: 50 among 1,000 values and the 10,000 fakes of the default, 5,000 among 10,000, 500,000 among
    100,000 (Faker's names repeat, so a tenth more for them). Every true join is kept, these false ones are added. `fit`
    warns (`ProtectionWarning`) where it expects more than one such pair in 1,000 rows, unless the fakes are your own
    `values`. Take ``unique=True``, a larger `pool_size`, a `Pseudonymizer` or a `FieldEncryptor` where joins matter. It
    *does not* keep any relation between columns, such as an age and a birth date, except that of `subject`.

    Fakes that Faker counts from today, such as ``date_of_birth``, change with the day of the fit: pass fixed dates, as
    in ``Replacer("date_between", provider_args={"start_date": date(1930, 1, 1), "end_date": date(2009, 12, 31)})``.
    Another release of Faker may make a different pool; a fitted object keeps its own.

    Parameters
    ----------
    provider : str, default="name"
        Name of a Faker provider of text, numbers, bools, dates, times or bytes.
    key : Keyring or str
        The keyring, or a URI that names it, such as ``"env:MODELPRIV_KEYRING"``. Another primary key gives other fakes.
    locale : str or list of str, default="en_US"
        Faker's locale, or several that each make an equal part of the fakes.
    provider_args : dict, optional
        Keyword arguments of the provider.
    values : list, set or column of values, optional
        Your own fakes, instead of a provider's. They are not changed; one that you repeat is chosen more often. A set
        is taken in ascending order.
    pool_size : int, default=10_000
        How many fakes the provider makes.
    unique : bool, default=False
        Give no two values that `fit` saw in a context the same fake. Which value gets which fake then depends on all of
        them, so two fits agree only on equal sets of values: fit once, on all tables.
    unseen : {"raise", "pseudonym"}, default="raise"
        With ``unique=True``, what happens to a value that `fit` did not see: an error, or a pseudonym like those of
        `Pseudonymizer` (text only).
    subject : str or int, optional
        Column whose value chooses the fake, such as a customer's id. It passes through and may hold no nulls.
        Replacers with the same key, subject, locale and `pool_size` invent the same person in every row: name, user
        name and e-mail address belong together, as far as the locale spells them alike. Columns of one Replacer get the
        same fake, unless `context` keeps them apart.
    context : str or dict of str, optional
        Columns of the same context get the same fake for the same value: a dict of names to texts, or one text for all
        declared columns; by default the name of the column whose value chooses.
    columns : list of str or int, callable, optional
        The columns to replace, by name or position; by default all. All others pass through.
    null : {"keep", "protect", "raise"}, default="keep"
        Leave nulls where they are, give them a fake too, or refuse them.
    verbose : bool, default=False
        Show a progress bar while a pool is made (needs tqdm).

    Attributes
    ----------
    key_id_ : str
        The id of the key that `fit` pinned: 8 hexadecimal digits.
    n_features_in_ : int
        Number of columns that `fit` saw.
    feature_names_in_ : numpy array of str
        Their names, if they had any.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import Keyring, Replacer
    >>> keys = Keyring.generate()
    >>> people = pd.DataFrame({"name": ["Ada Lovelace", "Alan Turing", "Ada Lovelace", None], "visits": [3, 1, 4, 1]})
    >>> step = Replacer("name", columns=["name"], key=keys).fit(people)
    >>> released = step.transform(people)
    >>> bool(released["name"][0] == released["name"][2])
    True
    >>> bool(released["name"].isin(people["name"].dropna()).any())
    False

    The fakes can be a list of your own, and one column can choose for others:

    >>> ward = Replacer(values=["north", "south", "east", "west"], columns=["ward"], subject="id", key=keys)
    >>> beds = pd.DataFrame({"id": [7, 8, 7], "ward": ["A3", "A3", "B1"]})
    >>> moved = ward.fit_transform(beds)
    >>> bool(moved["ward"][0] == moved["ward"][2])
    True
    """

    _by_parts = True
    _parameter_rules: ClassVar[Rules] = KEYED_RULES | {
        "provider": [Text()],
        "locale": [Text(), ListOf(Text(), words="a list of locales")],
        "provider_args": [InstanceOf(dict), None],
        "values": [
            Satisfies(_is_collection, "a list, a set or a column"),
            None,
        ],
        "pool_size": [Whole(least=1)],
        "unique": [Flag()],
        "unseen": [OneOf("raise", "pseudonym")],
        "verbose": [Flag()],
    }
    _reference_parameter = "subject"

    def __init__(
        self,
        provider: str = "name",
        *,
        key: object = None,
        locale: str | list[str] = "en_US",
        provider_args: Mapping[str, Any] | None = None,
        values: object = None,
        pool_size: int = 10_000,
        unique: bool = False,
        unseen: str = "raise",
        subject: object = None,
        context: object = None,
        columns: object = None,
        null: str = "keep",
        verbose: bool = False,
    ) -> None:
        self.provider = provider
        self.key = key
        self.locale = locale
        self.provider_args = provider_args
        self.values = values
        self.pool_size = pool_size
        self.unique = unique
        self.unseen = unseen
        self.subject = subject
        self.context = context
        self.columns = columns
        self.null = null
        self.verbose = verbose

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.unseen == "pseudonym" and not self.unique:
            raise ParameterError("unseen='pseudonym' works only with unique=True: otherwise every value has a fake.")
        if self.values is not None:
            self._check_values()

    def _check_values(self) -> None:
        for parameter in ("provider", "locale", "provider_args", "pool_size"):
            if getattr(self, parameter) != _DEFAULTS[parameter]:
                raise ParameterError(
                    f"values and {parameter} were both given. Pass values, or let Faker make the fakes."
                )

    def _reference_names(self) -> Sequence[Any]:
        return () if self.subject is None else (self.subject,)

    def _fit_part(self, column: Column, call: KeyedCall) -> State:
        chooser, context = self._chooser(column, call), self._context(column, call)
        state = {"name": column.name, "context": context, "logical": logical_type(chooser.data.type)}
        filled = self.null == "protect" or not column.data.null_count
        cells = chooser.data if filled else chooser.data.filter(column.data.is_valid())
        key = self._secret(call, context)[:KEY_LENGTH]
        found = different_tags(cells, key, nulls=self.null == "protect")
        if self.unique:
            state["known"] = [array_to_plain(kernel.distinct(found))]
        else:
            state |= {"rows": len(cells), "sketch": smallest(found)}
        return state

    def _merge_states(self, one: State, other: State, call: KeyedCall) -> State:
        merged = super()._merge_states(one, other, call)
        if self.unique:
            return merged | {"known": collected(one["known"] + other["known"])}
        return merged | {"rows": one["rows"] + other["rows"], "sketch": united(one["sketch"], other["sketch"])}

    def _finish_states(self, states: dict[int, State], call: KeyedCall) -> dict[int, State]:
        """Make the fakes of each context: columns of one context share them."""
        contexts = dict.fromkeys(state["context"] for state in states.values())
        fakes = {
            context: self._fakes([state for state in states.values() if state["context"] == context], call)
            for context in contexts
        }
        return {
            p: without(state, "known", "rows", "sketch") | {"fakes": fakes[state["context"]]}
            for p, state in states.items()
        }

    def _transform_column(self, column: Column, state: State, call: KeyedCall) -> Built:
        chooser = self._chooser(column, call)
        check_same_type(chooser, state["logical"])
        pool, dtype = typed(array_from_plain(state["fakes"]["pool"]), column.dtype)
        places, absent = self._places(chooser, state, call), None
        if self.null == "keep" and column.data.null_count:
            absent = column.data.is_null().to_numpy(zero_copy_only=False)
        if not self.unique:
            return Built(pool.take(pa.array(places, mask=absent)), dtype)
        unseen = places < 0
        if absent is not None:
            unseen &= ~absent
        picked = pool.take(pa.array(places, mask=unseen if absent is None else unseen | absent))
        if unseen.any():
            picked = self._replace_unseen(picked, unseen, chooser, state["context"], call)
        return Built(picked, dtype)

    def _move_to(self, keys: AnyKeyring) -> None:
        if hasattr(self, "_states"):
            if self.unique:
                raise ParameterError("with unique=True it has no values to choose new fakes for. Fit it again.")
            call = KeyedCall(open_frame([[0]]), {}, keys, keys.primary, self.context)
            fakes = {p: without_known(self._pool(call, state["context"])) for p, state in self._states.items()}
            self._keep(columns={p: state | {"fakes": fakes[p]} for p, state in self._states.items()})
        super()._move_to(keys)

    def _places(self, chooser: Column, state: State, call: KeyedCall) -> npt.NDArray[Any]:
        """Return each row's place in the pool; -1 for a value without one."""
        found = self._tags(chooser, state["context"], call)
        if self.unique:
            return kernel.position(found, array_from_plain(state["fakes"]["known"]))
        return kernel.index(found, state["fakes"]["pool"]["length"])

    def _chooser(self, column: Column, call: KeyedCall) -> Column:
        """Return the column whose values choose: the subject's, else the column itself."""
        return column if self.subject is None else call.references[self.subject]

    def _context(self, column: Column, call: KeyedCall) -> str:
        if isinstance(self.context, dict) and column.name in self.context:
            return call.context_of(column)
        return context_of(self._chooser(column, call).name, self.context)

    def _tags(self, chooser: Column, context: str, call: KeyedCall) -> npt.NDArray[Any]:
        return tags(chooser.data, self._secret(call, context)[:KEY_LENGTH], nulls=self.null == "protect")

    def _secret(self, call: KeyedCall, context: str) -> bytes:
        """Derive the key of the PRF and, after it, the seed of the pool."""
        return call.keys.working_key("replace", context=context, length=KEY_LENGTH + _SEED, key_id=call.key_id)

    def _pool(self, call: KeyedCall, context: str) -> Array:
        if self.values is not None:
            pool = to_pool(self.values, origin="values")
            pool = pool.unique() if self.unique else pool
        else:
            seed = self._secret(call, context)[KEY_LENGTH:]
            pool = interleaved([make_pool(recipe, seed, progress=self.verbose) for recipe in self._recipes()])
            pool = pool.unique() if self.unique else pool
        if self.unseen == "pseudonym" and not is_text(pool.type):
            raise ParameterError(
                f"unseen='pseudonym' gives text, but the fakes are {logical_type(pool.type)}. Use unseen='raise'."
            )
        return pool

    def _recipes(self) -> list[Recipe]:
        """Return the recipe of each locale's part of the pool."""
        locales = [self.locale] if isinstance(self.locale, str) else list(self.locale)
        size, more = divmod(int(self.pool_size), len(locales))
        recipe = Recipe(
            self.provider,
            self.provider_args or {},
            locales[0],
            size,
            persons=self.subject is not None,
            unique=self.unique,
        )
        sizes = [size + (place < more) for place in range(len(locales))]
        return [replace(recipe, locale=locale, size=size) for locale, size in zip(locales, sizes, strict=True) if size]

    # --- unique fakes ---

    def _fakes(self, states: list[State], call: KeyedCall) -> State:
        """Return the pool of a context and, if fakes are unique, the tags of the values that have one."""
        pool = self._pool(call, states[0]["context"])
        if not self.unique:
            if self.values is None:
                warn_of_sharing(states, pool)
            return without_known(pool)
        known = kernel.merged(array_from_plain(chunk) for state in states for chunk in state["known"])
        if len(known) > len(pool):
            raise ParameterError(
                f"unique=True: column {states[-1]['name']!r} needs {len(known)} different fakes, but there are "
                f"{len(pool)}. {self._remedy(len(pool))}."
            )
        return {"pool": array_to_plain(pool), "known": array_to_plain(known)}

    def _remedy(self, size: int) -> str:
        if self.values is not None:
            return "Give more values"
        return "The provider has no more: take another one, or values" if size < self.pool_size else "Raise pool_size"

    def _replace_unseen(
        self, picked: Array, unseen: npt.NDArray[Any], chooser: Column, context: str, call: KeyedCall
    ) -> Array:
        if self.unseen == "raise":
            raise InputError(
                f"Column {chooser.name!r} has values that fit did not see, the first in row "
                f"{call.first_row + unseen.argmax()}, and with unique=True they have no fake. Fit on all tables, or "
                "pass unseen='pseudonym'."
            )
        key = call.keys.working_key("pseudonym", context=context, length=KEY_LENGTH, key_id=call.key_id)
        mask = pa.array(unseen)
        found = tags(chooser.data.filter(mask), key, nulls=self.null == "protect")
        written = pseudonym.text(found, pseudonym.longest(SAFE64))
        return pc.replace_with_mask(picked, mask, pseudonym.to_arrow(written))


_DEFAULTS = {"provider": "name", "locale": "en_US", "provider_args": None, "pool_size": 10_000}
