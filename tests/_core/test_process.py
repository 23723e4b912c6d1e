"""Process-wide state: one place, weak where it holds others' objects, and nothing is pickled without its restorer."""

import ast
import gc
import pickle
from pathlib import Path

import pytest

import modelpriv
from modelpriv._core import process
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import Identity, Keyring, SigningKey

PACKAGE = Path(modelpriv.__file__).parent


@pytest.mark.parametrize(
    "make", [Keyring.generate, lambda: Keyring.generate().scoped(["a"]), Identity.generate, SigningKey.generate]
)
def test_without_a_restorer_nothing_is_pickled(make, monkeypatch):
    """An object that holds keys is not pickled at all where its class has no restorer."""
    secret = make()
    monkeypatch.delitem(process.restorers, type(secret))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(ParameterTypeError, match="cannot be pickled"):
            pickle.dumps(secret, protocol)


def test_without_a_counter_nothing_is_retired_unseen(monkeypatch):
    """Where nothing can count, `retire(check=...)` refuses instead of finding no uses."""
    keys = Keyring.generate().rotate()
    monkeypatch.setattr(process.settings, "count_uses", None)
    with pytest.raises(ParameterError, match="import modelpriv"):
        keys.retire(keys.key_ids[1], check=[keys])


def test_what_is_alive_is_held_weakly():
    """A keyring that nothing else holds is gone from the list of live ones."""
    keys = Keyring.generate()
    primary = keys.primary
    assert primary in {live.primary for live in process.keyrings}
    del keys
    gc.collect()
    assert primary not in {live.primary for live in process.keyrings}


def test_no_other_module_has_global_state():
    """No other module of the package rebinds a global name."""
    rebinding = [
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if any(isinstance(node, ast.Global) for node in ast.walk(ast.parse(path.read_text())))
    ]
    assert rebinding == []
