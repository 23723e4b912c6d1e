"""EncryptedEstimator around boosters of other packages, whose models are no arrays: XGBoost and LightGBM."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV

from modelpriv import EncryptedEstimator, sealing

RNG = np.random.default_rng(0)
X = RNG.random((120, 4))
Y = (X[:, 0] + 0.2 * RNG.random(120) > 0.6).astype(int)
# What each package writes of its model in clear, found in its pickle below.
WORDS = {"xgboost": b"gradient_booster", "lightgbm": b"feature_importances"}


@pytest.fixture(params=WORDS)
def booster(request):
    """A small booster of each package that is installed, and a word of what it writes."""
    package = pytest.importorskip(request.param)
    made = {
        "xgboost": lambda: package.XGBClassifier(n_estimators=5, n_jobs=1, max_depth=3),
        "lightgbm": lambda: package.LGBMClassifier(n_estimators=5, n_jobs=1, num_leaves=7, verbose=-1),
    }
    return made[request.param](), WORDS[request.param]


def test_it_is_the_booster(booster, keyring):
    """Wrapped, it fits and predicts to the bit as it does bare, is a classifier, and can be cloned."""
    inner, _ = booster
    wrapped, bare = EncryptedEstimator(inner, key=keyring).fit(X, Y), clone(inner).fit(X, Y)
    np.testing.assert_array_equal(wrapped.predict_proba(X), bare.predict_proba(X))
    np.testing.assert_array_equal(wrapped.feature_importances_, bare.feature_importances_)
    assert is_classifier(wrapped)
    assert not hasattr(clone(wrapped), "feature_importances_")


def test_it_is_sealed(booster, keyring, tmp_path):
    """Its own form of model, class and module are ciphertext, and come back exactly."""
    inner, word = booster
    wrapped = EncryptedEstimator(inner, key=keyring).fit(X, Y)
    assert word in pickle.dumps(wrapped.estimator_)
    joblib.dump(wrapped, tmp_path / "model.joblib")
    sealing.dump(wrapped.estimator_, tmp_path / "model.mpriv", key=keyring)
    for name in ("model.joblib", "model.mpriv"):
        data = (tmp_path / name).read_bytes()
        assert not [clear for clear in (word, b"xgboost", b"lightgbm", b"Classifier") if clear in data]
    for read in (joblib.load(tmp_path / "model.joblib"), sealing.load(tmp_path / "model.mpriv", key=keyring)):
        np.testing.assert_array_equal(read.predict_proba(X), wrapped.predict_proba(X))


def test_it_is_searched_in_workers(booster, keyring):
    """A grid search in two workers takes it as any other estimator."""
    inner, _ = booster
    search = GridSearchCV(EncryptedEstimator(inner, key=keyring), {"estimator__n_estimators": [2, 5]}, cv=2, n_jobs=2)
    assert search.fit(X, Y).best_estimator_.predict(X).shape == Y.shape
