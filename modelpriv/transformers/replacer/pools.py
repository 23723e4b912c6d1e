"""Pools of fake values: made by Faker from a secret seed, or given by the user, and kept within the process."""

from __future__ import annotations

import difflib
import functools
import hashlib
import inspect
import pickle
import random
import threading
from collections import OrderedDict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from modelpriv._columns.arrow import pc
from modelpriv._columns.dtypes import is_text
from modelpriv._columns.frame import read_cells
from modelpriv._core.checks import plural
from modelpriv.errors import InputError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Recipe", "interleaved", "make_pool", "repeats", "to_pool"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a pool is made of, besides the seed.

    With `persons`, all pools of a seed and locale are about the same persons, place by place. With `unique`, a pool has
    no value twice.
    """

    provider: str
    arguments: Mapping[str, Any]
    locale: str
    size: int
    persons: bool
    unique: bool


def make_pool(recipe: Recipe, seed: bytes, *, progress: bool = False) -> pa.Array[Any]:
    """Make a pool with Faker, or return the one that this process made before.

    Parameters
    ----------
    recipe : Recipe
        What the pool is made of.
    seed : bytes
        Where the randomness comes from, derived from a key.
    progress : bool
        Whether to show a progress bar (tqdm).

    Returns
    -------
    pyarrow.Array
        The values: `recipe.size` of them, or fewer if they are to be unique and the provider has no more.

    Raises
    ------
    ParameterError, ParameterTypeError
        There is no such provider or locale, it does not take the arguments, or its values are not cells.
    """
    name = _name(recipe, seed)
    pool = _kept(name)
    if pool is None:
        pool = _draw(recipe, seed, progress=progress)
        _keep(name, pool)
    return pool


def interleaved(pools: list[pa.Array[Any]]) -> pa.Array[Any]:
    """Return the values of several pools in turn, so that a place has the same pool whatever it is asked for."""
    if len(pools) == 1:
        return pools[0]
    places = np.concatenate([np.arange(len(pool)) * len(pools) + number for number, pool in enumerate(pools)])
    together: Any = pa.concat_arrays(pools)
    turns: pa.Array[Any] = together.take(pa.array(np.argsort(places, kind="stable")))
    return turns


def repeats(pool: pa.Array[Any]) -> float:
    """Return how probable it is that two places, chosen at random, hold the same value."""
    shares = pc.value_counts(pool).field("counts").to_numpy() / len(pool)
    return float((shares**2).sum())


def to_pool(values: Any, *, origin: str) -> pa.Array[Any]:
    """Turn values of one type into a pool.

    Parameters
    ----------
    values : list, tuple, set, pandas, polars or pyarrow column, or numpy array
        Texts, numbers, bools, dates, times or bytes, all of one type.
    origin : str
        Where they come from, for the error.

    Raises
    ------
    ParameterError
        There are no values, they have several types, or one of them is null or cannot be a cell.
    """
    if len(values) == 0:
        raise ParameterError(f"{origin} gives no values. A pool needs at least one.")
    try:
        pool: Any = read_cells(values, origin)
    except InputError:
        kinds = ", ".join(sorted({type(value).__name__ for value in values}))
        raise ParameterError(
            f"{origin} gives values of type {kinds}. A pool holds values of one type: text, integers of up to 64 bits, "
            f"floats, bools, dates, times, timestamps, durations, decimals of up to 76 digits, or bytes."
        ) from None
    if pool.null_count:
        raise ParameterError(f"{origin} gives {plural(pool.null_count, 'null')}. A fake cannot be null.")
    # A copy: Arrow may use the user's own memory, and a change of the list must not change the fakes.
    own: pa.Array[Any] = pool.take(pa.array(np.arange(len(pool))))
    if isinstance(values, AbstractSet):
        own = own.take(pc.sort_indices(own))  # its own order changes from process to process
    return own.cast(pa.large_string()) if is_text(own.type) else own


# --- the pools of this process ---------------------------------------------------------------------------------------

_LIMIT = 32
_pools: OrderedDict[bytes, pa.Array[Any]] = OrderedDict()
_lock = threading.Lock()


def _name(recipe: Recipe, seed: bytes) -> bytes | None:
    """Name a pool by a digest, which tells nothing of the seed; None if its arguments cannot be named."""
    fields = (recipe.provider, recipe.locale, recipe.size, recipe.persons, recipe.unique, dict(recipe.arguments))
    try:
        return hashlib.sha256(seed + pickle.dumps(fields)).digest()
    except Exception:  # noqa: BLE001 - arguments may be any object, and refuse in their own way
        return None


def _kept(name: bytes | None) -> pa.Array[Any] | None:
    with _lock:
        if name is None or name not in _pools:
            return None
        _pools.move_to_end(name)
        return _pools[name]


def _keep(name: bytes | None, pool: pa.Array[Any]) -> None:
    if name is None:
        return
    with _lock:
        _pools[name] = pool
        while len(_pools) > _LIMIT:
            _pools.popitem(last=False)


# --- Faker -----------------------------------------------------------------------------------------------------------


def _draw(recipe: Recipe, seed: bytes, *, progress: bool) -> pa.Array[Any]:
    counted = _counter() if progress else iter
    faker = _generator(recipe.locale)
    _check_provider(faker, recipe)
    # A provider of one sex is asked for that sex, whatever the person's is.
    together = recipe.persons and not recipe.provider.endswith(("_male", "_female", "_nonbinary"))
    persons = _Persons(faker, _generator(recipe.locale), seed) if together else None
    provider = getattr(faker, recipe.provider)  # only now: persons may have replaced it
    faker.seed_instance(seed)

    def draw(place: int) -> Any:
        if persons is not None:
            persons.next(place)
        return provider(**recipe.arguments)

    origin = f"provider {recipe.provider!r}"
    # A few providers use Python's shared generator: it is seeded for them and restored, so that their values can be
    # reproduced and no other code gets other numbers.
    with _lock:
        shared = random.getstate()
        random.seed(seed)
        try:
            if recipe.unique:
                values = _draw_unique(draw, recipe.size, counted)
            else:
                values = [draw(place) for place in counted(range(recipe.size))]
        except Exception as error:  # noqa: BLE001 - providers fail in their own ways; they see no cell
            failure = f"{type(error).__name__}: {error}"
        else:
            failure = ""
        finally:
            random.setstate(shared)
    if failure:
        raise ParameterError(
            f"{origin} fails with provider_args {sorted(recipe.arguments)} ({failure}). It takes "
            f"{_parameters(provider)}."
        )
    return to_pool(values, origin=origin)


def _draw_unique(draw: Callable[[int], Any], size: int, counted: Callable[[Iterable[int]], Iterable[int]]) -> list[Any]:
    """Draw until there are enough different values, or hardly any new ones come."""
    found: dict[Any, None] = {}
    drawn = 0
    fresh = attempts = size
    while len(found) < size and fresh * 100 >= attempts:
        before = len(found)
        found.update(dict.fromkeys(map(draw, counted(range(drawn, drawn + attempts)))))
        drawn += attempts
        fresh = len(found) - before
        attempts = max(2 * (size - len(found)), 100)
    return list(found)[:size]


def _counter() -> Callable[[Iterable[int]], Iterable[int]]:
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped] # noqa: PLC0415 - optional, imported where it is used
    except ModuleNotFoundError:
        raise ParameterError("verbose=True shows progress with tqdm, which is missing: pip install tqdm.") from None
    return functools.partial(tqdm, desc="fakes", unit="")


def _generator(locale: str) -> Any:
    from faker.config import AVAILABLE_LOCALES  # noqa: PLC0415 - slow to import, so only when a pool is made
    from faker.factory import Factory  # noqa: PLC0415

    try:
        return Factory.create(locale)
    except AttributeError:
        near = _near(locale, AVAILABLE_LOCALES)
    raise ParameterError(f"locale={locale!r} is not one of Faker's locales{near}. They look like 'en_US' or 'zh_CN'.")


def _check_provider(faker: Any, recipe: Recipe) -> None:
    # The generator has other methods too, such as `seed_instance`: only what its providers brought makes fakes.
    known = {
        name
        for provider in faker.get_providers()
        for name in dir(provider)
        if not name.startswith("_") and callable(getattr(provider, name))
    }
    if recipe.provider not in known:
        near = _near(recipe.provider, known)
        raise ParameterError(f"provider={recipe.provider!r} is not a Faker provider in locale {recipe.locale!r}{near}.")


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=3)
    return f"; similar are {', '.join(map(repr, near))}" if near else ""


def _parameters(provider: Callable[..., Any]) -> str:
    return ", ".join(inspect.signature(provider).parameters) or "none"


class _Persons:
    """The person of each place, so that a name, a user name and an e-mail address at one place belong together.

    Faker draws a first name for a name and another one for an e-mail address. Here the parts of a name are drawn once
    for each place, from a seed of the place alone, and every provider that asks the generator for them gets those.
    """

    def __init__(self, faker: Any, source: Any, seed: bytes) -> None:
        self._faker = faker
        self._source = source
        self._seed = seed
        self._place = 0
        self._parts: dict[str, str] = {}
        self._first = {sex: getattr(source, f"first_name_{sex}") for sex in _SEXES}
        self._last = {sex: getattr(source, f"last_name_{sex}") for sex in _SEXES}
        for part in ("first_name", "last_name"):
            for ending in ("", *(f"_{sex}" for sex in (*_SEXES, "nonbinary"))):
                self._answer(part + ending, functools.partial(self._part, part))
                source.set_formatter(part + ending, functools.partial(self._part, part))
        self._answer("user_name", functools.partial(self._part, "user_name"))
        self._answer("name", self._name)

    def next(self, place: int) -> None:
        self._parts = {}
        self._place = place

    def _name(self) -> str:
        name: str = getattr(self._faker, f"name_{self._part('sex')}")()
        return name

    def _answer(self, name: str, formatter: Callable[[], str]) -> None:
        """Let patterns (through the generator) and other methods (through the provider) get the person's part."""
        for provider in self._faker.get_providers():
            if hasattr(provider, name):
                setattr(provider, name, formatter)
        self._faker.set_formatter(name, formatter)

    def _part(self, part: str) -> str:
        if not self._parts:
            self._source.seed_instance(self._seed + self._place.to_bytes(8, "big"))
            sex = self._source.random.choice(_SEXES)
            self._parts = {"sex": sex, "first_name": self._first[sex](), "last_name": self._last[sex]()}
            self._parts["user_name"] = self._source.user_name()
        return self._parts[part]


_SEXES = ("female", "male")
