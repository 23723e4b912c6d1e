"""A policy with record=True makes each use by a reader an event; without it, and for the author, none is recorded."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from modelpriv import AccessPolicy, EncryptedEstimator, KeyedProjection
from modelpriv._core import events
from modelpriv.errors import ParameterTypeError

X = np.eye(4)[:, :2] + 1.0


@pytest.fixture
def heard():
    """The events that are recorded."""
    found = []
    listener = events.Listener(lambda facts, created: found.append(facts))
    listener.attach()
    yield found
    listener.detach()


def read(keyring, record):
    """A model as a reader has it."""
    inner = make_pipeline(KeyedProjection(key=keyring), Ridge()).fit(X, [1, 2, 3, 4])
    model = EncryptedEstimator(inner, key=keyring, policy=AccessPolicy(record=record))
    return pickle.loads(pickle.dumps(model)).unlock(key=keyring)


def test_each_use_is_one_event(keyring, heard):
    """A use is one event with its rows and the keys of the steps, also one that fails."""
    model = read(keyring, record=True)
    heard.clear()
    model.predict(X)
    model.predict(X=pd.DataFrame(X))
    with pytest.raises(ValueError, match="features"):
        model.predict(X[:, :1])
    assert [(one["action"], one["rows"], one["result"]) for one in heard] == [
        ("predict", 4, "ok"),
        ("predict", 4, "ok"),
        ("predict", 4, "ValueError"),
    ]
    assert heard[0]["key_ids"] == [keyring.primary]


def test_what_has_no_length(keyring, heard):
    """Sparse rows count by their shape."""
    assert events.rows_of(sparse.csr_matrix(X)) == 4
    assert events.rows_of(object()) is None


def test_it_is_off_by_default(keyring, heard):
    """Without record, only the keyed steps are events."""
    model = read(keyring, record=False)
    heard.clear()
    model.predict(X)
    assert [one["subject"] for one in heard] == ["KeyedProjection"]


def test_record_is_a_bool():
    """What is no bool is refused by name."""
    with pytest.raises(ParameterTypeError, match="record"):
        AccessPolicy(record="yes")
