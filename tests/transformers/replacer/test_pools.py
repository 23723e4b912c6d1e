"""Pools of fakes: decided by the seed and the recipe alone, of one type, kept within the process."""

import datetime as dt
import random
import subprocess
import sys
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from faker import Faker
from faker.generator import random as fakers_own

from modelpriv.errors import ParameterError
from modelpriv.transformers.replacer import pools
from modelpriv.transformers.replacer.pools import Recipe, make_pool, to_pool

SEED = b"seed"


def recipe(provider="name", *, locale="en_US", size=20, persons=False, unique=False, **arguments):
    return Recipe(provider, arguments, locale, size, persons=persons, unique=unique)


@pytest.fixture(autouse=True)
def _no_kept_pools(monkeypatch):
    monkeypatch.setattr(pools, "_pools", type(pools._pools)())


def made_elsewhere(seed, hash_seed):
    """The same pool, made by another process with another hash seed and time zone."""
    code = (
        "from modelpriv.transformers.replacer.pools import *\n"
        f"for name in ('name', 'address', 'passport_gender'):\n"
        f"    print(make_pool(Recipe(name, {{}}, 'en_US', 20, persons=False, unique=False), {seed!r}).to_pylist())"
    )
    environment = {"PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo", "PATH": ""}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_every_process_makes_the_same_pool():
    """Seed and recipe decide the pool, also where a provider asks Python's shared generator (passport_gender)."""
    here = [make_pool(recipe(name), SEED).to_pylist() for name in ("name", "address", "passport_gender")]
    assert made_elsewhere(SEED, "1") == "".join(f"{pool}\n" for pool in here)


def test_the_seed_decides():
    """Another seed makes another pool."""
    assert make_pool(recipe(), SEED) != make_pool(recipe(), b"other")


def test_nobody_elses_numbers_change():
    """Neither Python's nor Faker's shared generators are seeded or moved."""
    faker = Faker()
    before = random.getstate(), fakers_own.getstate()
    make_pool(recipe("rfc", locale="es_MX"), SEED)
    make_pool(recipe(unique=True), SEED)
    make_pool(recipe(persons=True), SEED)
    assert (random.getstate(), fakers_own.getstate()) == before
    assert not faker.unique._seen


def test_a_pool_is_made_once():
    """The same recipe and seed give the same pool object, without Faker."""
    first = make_pool(recipe("pyint", min_value=1, max_value=9), SEED)
    assert make_pool(recipe("pyint", min_value=1, max_value=9), SEED) is first
    assert make_pool(recipe("pyint", min_value=1, max_value=8), SEED) is not first


def test_kept_pools_are_few():
    """The pools that are kept do not grow without end: the one unused for longest goes."""
    first = make_pool(recipe("pyint", size=1), SEED)
    for size in range(2, pools._LIMIT + 2):
        make_pool(recipe("pyint", size=size), SEED)
    assert len(pools._pools) == pools._LIMIT
    assert make_pool(recipe("pyint", size=1), SEED) is not first


def test_arguments_that_cannot_be_named_are_taken_all_the_same():
    """A pool whose arguments cannot be pickled is made each time."""
    pool = make_pool(recipe("random_element", elements=Unpicklable("ab")), SEED)
    assert set(pool.to_pylist()) == {"a", "b"}
    assert not pools._pools


class Unpicklable(str):
    """A text that refuses to be pickled."""

    __slots__ = ()

    def __reduce_ex__(self, protocol):
        raise TypeError


@pytest.mark.parametrize(
    ("provider", "type_"),
    [
        ("name", pa.large_string()),
        ("boolean", pa.bool_()),
        ("pyint", pa.int64()),
        ("pyfloat", pa.float64()),
        ("date_of_birth", pa.date32()),
        ("date_time", pa.timestamp("us")),
        ("time_object", pa.time64("us")),
        ("time_delta", pa.duration("us")),
        ("json_bytes", pa.binary()),
    ],
)
def test_providers_keep_their_type(provider, type_):
    """What a provider gives is what the pool holds: no date becomes a text."""
    assert make_pool(recipe(provider, size=3), SEED).type == type_


def test_decimals_stay_decimals():
    """A provider of decimals gives decimals, with all their digits."""
    (latitude,) = make_pool(recipe("latitude", size=1), SEED).to_pylist()
    assert isinstance(latitude, Decimal)


@pytest.mark.parametrize("provider", ["profile", "latlng", "words", "null_boolean", "pydecimal"])
def test_providers_of_no_cells_are_refused(provider):
    """A provider of dicts, tuples, lists, nulls or endless decimals is refused by name."""
    with pytest.raises(ParameterError, match=provider):
        make_pool(recipe(provider), SEED)


@pytest.mark.parametrize("provider", ["nmae", "seed_instance", "add_provider", "parse", "_seed", "", "__class__"])
def test_unknown_providers_are_refused(provider):
    """What is not a provider, be it a method of Faker's generator, is refused by name."""
    with pytest.raises(ParameterError, match=f"provider='{provider}' is not a Faker provider in locale 'en_US'"):
        make_pool(recipe(provider), SEED)


def test_near_providers_are_named():
    """The error on a mistyped provider names those that look like it."""
    with pytest.raises(ParameterError, match=r"similar are .*'phone_number'"):
        make_pool(recipe("phone_numbr"), SEED)


def test_unknown_locales_are_refused():
    """The error on a mistyped locale names it and those that look like it."""
    with pytest.raises(ParameterError, match=r"locale='en_UX' is not one of Faker's locales; similar are .*'en_US'"):
        make_pool(recipe(locale="en_UX"), SEED)


@pytest.mark.parametrize("arguments", [{"wrong": 1}, {"min_value": 5, "max_value": 2}, {"min_value": "x"}])
def test_wrong_arguments_are_refused(arguments):
    """The error on arguments that a provider does not take names the provider, them, and those it takes."""
    with pytest.raises(ParameterError, match=r"provider 'pyint' fails .* It takes min_value, max_value, step"):
        make_pool(recipe("pyint", **arguments), SEED)


def test_unique_pools_repeat_nothing():
    """A unique pool has as many different values as asked for."""
    assert len(set(make_pool(recipe("first_name", size=500, unique=True), SEED).to_pylist())) == 500


def test_unique_pools_end_where_the_provider_does():
    """A provider of few values gives those, and does not draw for ever."""
    assert sorted(make_pool(recipe("boolean", size=500, unique=True), SEED).to_pylist()) == [False, True]


def test_persons_belong_together():
    """First name, last name, name, user name and e-mail address at one place are those of one person."""
    pools = {
        name: make_pool(recipe(name, persons=True, size=60), SEED).to_pylist()
        for name in ("first_name", "last_name", "name", "user_name", "email")
    }
    for first, last, name, user, email in zip(*pools.values(), strict=True):
        assert f"{first} {last}" in name
        assert first.lower() in user or last.lower() in user
        assert email.split("@")[0] == user


def test_persons_have_a_title_of_their_sex():
    """A name of a person has the title and the form of the first name's sex (Russian family names tell it)."""
    names = make_pool(recipe("name", locale="ru_RU", persons=True, size=40), SEED).to_pylist()
    last = make_pool(recipe("last_name", locale="ru_RU", persons=True, size=40), SEED).to_pylist()
    assert all(word in name for word, name in zip(last, names, strict=True))


def test_a_sex_that_is_asked_for_is_given():
    """A provider of one sex gives that sex also where persons are drawn, half of whom are of another one."""
    names = make_pool(recipe("first_name_female", persons=True, size=40), SEED).to_pylist()
    assert names == make_pool(recipe("first_name_female", size=40), SEED).to_pylist()


def test_persons_do_not_depend_on_the_size():
    """The person at a place is the same in a pool of another size."""
    small = make_pool(recipe("first_name", persons=True, size=5), SEED).to_pylist()
    assert make_pool(recipe("first_name", persons=True, size=9), SEED).to_pylist()[:5] == small


def test_progress_is_shown_when_wanted(monkeypatch):
    """Only when it is asked for, tqdm counts the fakes as they are made."""
    counted = []
    stand_in = SimpleNamespace(tqdm=lambda places, **words: (counted.append(n) or n for n in places))
    monkeypatch.setitem(sys.modules, "tqdm.auto", stand_in)
    make_pool(recipe("pyint", size=3), SEED)
    assert counted == []
    make_pool(recipe("pyint", size=4), SEED, progress=True)
    assert counted == [0, 1, 2, 3]


def test_progress_without_tqdm_is_refused(monkeypatch):
    """Where tqdm is not installed, the error says how to get it."""
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ParameterError, match=r"^verbose=True .* pip install tqdm"):
        make_pool(recipe(), SEED, progress=True)


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["a", "b"], pa.large_string()),
        (("a", "b"), pa.large_string()),
        ([1, 2], pa.int64()),
        ([dt.date(2000, 1, 1)], pa.date32()),
        (np.array([1.5, 2.5], np.float32), pa.float32()),
        (pd.Series(["a", "b"]), pa.large_string()),
        (pd.date_range("2000-01-01", periods=3, unit="us"), pa.timestamp("us")),
        (pd.Series(["a", "b"], dtype="category"), pa.large_string()),
        (pl.Series(["a", "b"]), pa.large_string()),
        (pa.array(["a", "b"]), pa.large_string()),
        (pa.chunked_array([["a"], ["b"]]), pa.large_string()),
    ],
)
def test_own_values_of_every_container(values, type_):
    """Lists and columns of every kind become a pool in their own order."""
    pool = to_pool(values, origin="values")
    assert pool.type == type_
    assert pool.to_pylist() == list(values.to_pylist() if isinstance(values, (pa.Array, pa.ChunkedArray)) else values)


@pytest.mark.parametrize(
    "values", [[], ["a", 1], ["a", None], [None], [{}], [2**80], ["\ud800"], np.array([1, np.nan])], ids=str
)
def test_own_values_that_are_no_pool(values):
    """Empty, mixed, null and nested values, and what Arrow cannot hold, are refused."""
    with pytest.raises(ParameterError, match=r"^values gives"):
        to_pool(values, origin="values")


def test_own_values_are_copied():
    """Who changes an array afterwards does not change the pool."""
    values = np.array([1.0, 2.0])
    pool = to_pool(values, origin="values")
    values[0] = 9
    assert pool.to_pylist() == [1.0, 2.0]
