"""What all tests share: the environment, hypothesis' profile, a keyring, and the kinds of table that are protected."""

import gc
import os
import re
import runpy
import tracemalloc
from pathlib import Path

os.environ["SCIPY_ARRAY_API"] = "1"  # read when scipy is imported; scikit-learn's array API checks need it

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings

# Two shared cores make single examples slow at random: a deadline would fail on the machine, not on the code.
settings.register_profile(
    "modelpriv", deadline=None, max_examples=40, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("modelpriv")


def pytest_make_parametrize_id(val, argname):
    """Name long texts and bytes by their place: what is random in them would differ in each of xdist's processes."""
    return argname if isinstance(val, str | bytes) and len(val) > 60 else None


def pytest_itemcollected(item):
    """Leave the addresses of objects out of test ids, for the same reason."""
    item._nodeid = re.sub(r" at 0x[0-9a-f]+", "", item.nodeid)


@pytest.fixture(autouse=True)
def _no_keys_from_outside(monkeypatch):
    """A keyring, passphrase or store of MLflow in the developer's environment must not decide what a test sees."""
    for name in list(os.environ):
        if name.startswith(("MODELPRIV_", "MLFLOW_")):  # MLflow itself writes there what is chosen in Python
            monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def keyring():
    """A keyring of its own for each test, so that no test opens what another one wrote."""
    from modelpriv.keys import Keyring  # noqa: PLC0415 - a test of a kernel needs no keys

    return Keyring.generate()


@pytest.fixture(scope="session")
def interrupt_everywhere():
    """Let a save die at every step that it takes on the disk: see the function in ``interruption.py``."""
    # By path: test files are imported without their folder being on the import path.
    return runpy.run_path(str(Path(__file__).with_name("interruption.py")))["interrupt_everywhere"]


def _rows(data):
    return list(map(list, zip(*data.values(), strict=True)))


CONTAINERS = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "numpy": lambda data: np.array(_rows(data), dtype=object),
    "list": _rows,
}


@pytest.fixture(params=CONTAINERS)
def container(request):
    """Each kind of table in turn, as a function that builds it from a dict of lists (names, then cells)."""
    return CONTAINERS[request.param]


class Bomb:
    """Counts, when it is unpickled, that it was."""

    exploded = 0

    def __init__(self, filling=b""):
        self.filling = filling

    def __reduce__(self):
        return explode, (self.filling,)


def explode(filling):
    Bomb.exploded += 1
    return filling


@pytest.fixture
def bomb(monkeypatch):
    """The class of payloads that must not be reached; ``exploded`` counts how often one was."""
    monkeypatch.setattr(Bomb, "exploded", 0)
    return Bomb


@pytest.fixture
def traced_peak():
    """Run something and give the most memory that it had allocated at once."""

    def measure(run):
        gc.collect()
        tracemalloc.start()
        try:
            run()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure
