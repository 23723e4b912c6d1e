"""Delegation: in memory the wrapper is the estimator inside of it, to the checks of scikit-learn too."""

import copy
import inspect
import pickle
import subprocess
import sys
import types
from unittest import SkipTest

import numpy as np
import pytest
import sklearn
from sklearn.base import clone, is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.keys import Identity
from modelpriv.keys.keyring import build
from modelpriv.models.wrapper import EncryptedEstimator
from modelpriv.sealing import AccessPolicy

KEYRING = build([bytes(range(32))])  # the same in every process, because it stands in the names of the checks
RECIPIENT = Identity.generate().recipient
RNG = np.random.default_rng(0)
X = RNG.random((60, 4))
Y = (X[:, 0] + 0.2 * RNG.random(60) > 0.6).astype(int)

INNER = [
    LogisticRegression(max_iter=200),
    Ridge(solver="lsqr"),
    GaussianNB(),
    KNeighborsRegressor(),
    DecisionTreeClassifier(random_state=0),
    ExtraTreesClassifier(5, random_state=0),
    StandardScaler(with_mean=False),
    PCA(random_state=0),
    LocalOutlierFactor(novelty=True),
    AgglomerativeClustering(),
    make_pipeline(StandardScaler(), LogisticRegression()),
    MultiOutputRegressor(Ridge()),
]
# Sample weights and repeated rows are not the same to these, so that they fail two of the checks themselves.
RANDOM = [
    KMeans(n_init=2, random_state=0),
    RandomForestClassifier(5, random_state=0),
    IsolationForest(n_estimators=5, random_state=0),
]


def wrap(estimator, **params):
    return EncryptedEstimator(estimator, key=KEYRING, **params)


def name_of(estimator):
    return type(estimator).__name__


# --- scikit-learn's checks ---


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([wrap(estimator) for estimator in INNER])
def test_checks(estimator, check):
    """Every check of scikit-learn passes around estimators that pass them themselves, with none expected to fail."""
    check(estimator)


def checks_of(estimator):
    """All checks that scikit-learn would run, by name and settings."""
    found = {}
    for _, check in estimator_checks_generator(estimator):
        found[check.func.__name__, *map(str, check.keywords.items())] = check
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inner", RANDOM, ids=name_of)
def test_no_check_is_failed_that_the_inner_estimator_passes(inner):
    """Around an estimator that fails a check itself, all others pass."""
    bare = checks_of(inner)
    assert {name for name, check in checks_of(wrap(inner)).items() if not passes(check, wrap(inner))} == {
        name for name in bare if name[0].startswith("check_sample_weight_equivalence")
    }
    assert not any(passes(bare[name], inner) for name in bare if name[0].startswith("check_sample_weight_equivalence"))


def passes(check, estimator):
    try:
        check(clone(estimator))
    except SkipTest:
        return True
    except Exception:  # noqa: BLE001 - whatever a check raises, it failed
        return False
    return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inner", [*INNER, *RANDOM], ids=name_of)
def test_the_same_checks_run(inner):
    """scikit-learn runs the same checks on the wrapper as on the estimator inside of it."""
    # But for those that it only runs where a hyper-parameter is the estimator's own, or its class is a ClusterMixin.
    left_out = {"check_class_weight_classifiers", "check_class_weight_balanced_linear_classifier"}
    left_out |= {name for name, _ in clustering_checks(inner)} if is_clusterer(inner) else set()
    assert {name for name in checks_of(inner) if name[0] not in left_out} == set(checks_of(wrap(inner)))


def clustering_checks(estimator):
    names = ["check_clusterer_compute_labels_predict", "check_clustering", "check_estimators_partial_fit_n_features"]
    if not hasattr(estimator, "transform"):
        names.append("check_non_transformer_estimators_n_iter")
    return [(name, getattr(estimator_checks, name)) for name in names]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inner", [AgglomerativeClustering(), KMeans(n_init=2, random_state=0)], ids=name_of)
def test_clustering_checks(inner):
    """The checks of clusterers pass too, which scikit-learn would run if the class were a ClusterMixin."""
    for _, check in clustering_checks(inner):
        check("EncryptedEstimator", wrap(inner))


# --- what it does ---


@pytest.mark.parametrize(
    ("inner", "methods"),
    [
        (LogisticRegression(), ["predict", "predict_proba", "predict_log_proba", "decision_function"]),
        (PCA(2), ["transform", "score_samples"]),
        (KMeans(2, n_init=1, random_state=0), ["predict", "transform"]),
        (IsolationForest(n_estimators=5, random_state=0), ["predict", "decision_function", "score_samples"]),
        (make_pipeline(StandardScaler(), Ridge()), ["predict"]),
        (KNeighborsClassifier(), ["predict", "kneighbors"]),
        (MultiOutputRegressor(Ridge()), ["predict"]),
    ],
    ids=lambda value: name_of(value) if not isinstance(value, list) else "",
)
def test_methods_give_what_the_inner_one_gives(inner, methods):
    """Each method gives to the bit what the bare estimator gives."""
    y = np.column_stack([Y, X[:, 1]]) if isinstance(inner, MultiOutputRegressor) else Y
    wrapped, bare = wrap(inner).fit(X, y), clone(inner).fit(X, y)
    for method in methods:
        np.testing.assert_array_equal(getattr(wrapped, method)(X), getattr(bare, method)(X))
    if hasattr(bare, "score"):
        assert wrapped.score(X, y) == bare.score(X, y)


METHODS = ("predict", "predict_proba", "transform", "inverse_transform", "partial_fit", "fit_predict", "score")


def test_there_is_what_the_inner_one_has():
    """Methods are there exactly where the inner estimator has them."""
    for inner in (LogisticRegression(), SVC(), Ridge(), StandardScaler(), AgglomerativeClustering()):
        for method in METHODS:
            assert hasattr(wrap(inner), method) == hasattr(inner, method), (inner, method)


def test_fitted_attributes():
    """What the inner estimator learnt is there as the wrapper's, and not before it is learnt."""
    wrapped = wrap(LogisticRegression())
    assert not any(hasattr(wrapped, name) for name in ("coef_", "classes_", "n_features_in_", "estimator_"))
    wrapped.fit(X, Y)
    np.testing.assert_array_equal(wrapped.coef_, wrapped.estimator_.coef_)
    assert wrapped.n_features_in_ == 4
    assert list(wrapped.classes_) == [0, 1]


def test_attributes_of_the_class():
    """Properties and methods that only some estimators have are there too."""
    wrapped = wrap(make_pipeline(StandardScaler(), Ridge())).fit(X, Y)
    assert set(wrapped.named_steps) == {"standardscaler", "ridge"}
    assert wrap(GridSearchCV(Ridge(), {"alpha": [1]})).fit(X, Y).best_params_ == {"alpha": 1}


def test_hyper_parameters_are_those_of_the_inner_estimator():
    """A hyper-parameter is read and set as on the inner estimator, by its own name or with the prefix."""
    wrapped = wrap(Ridge(alpha=3))
    assert wrapped.alpha == wrapped.get_params()["estimator__alpha"] == 3
    assert wrapped.set_params(estimator__alpha=4).alpha == 4
    assert wrapped.set_params(alpha=5).estimator.alpha == 5
    wrapped.alpha = 6
    assert wrapped.estimator.alpha == 6
    assert "alpha" not in vars(wrapped)
    with pytest.raises(ValueError, match="alhpa"):
        wrapped.set_params(alhpa=1)


def test_what_would_change_the_inner_one_is_not_handed_out():
    """Methods that set something on the inner estimator are not there through the wrapper."""
    wrapped = wrap(Ridge()).fit(X, Y)
    assert not hasattr(wrapped, "set_fit_request")
    assert not hasattr(wrapped, "_validate_params_of_ridge")
    with pytest.raises(AttributeError, match="nothing_"):
        _ = wrapped.nothing_


def test_fit_fits_a_clone():
    """The estimator that was given stays as it was."""
    inner = LogisticRegression()
    wrapped = wrap(inner).fit(X, Y)
    assert wrapped.estimator is inner
    assert not hasattr(inner, "coef_")
    assert wrapped.estimator_ is not inner


def test_around_a_fitted_estimator():
    """Wrapped around a fitted estimator it works at once, and a fit of its own takes the place of what was given."""
    inner = LogisticRegression().fit(X, Y)
    wrapped = wrap(inner)
    check_is_fitted(wrapped)
    np.testing.assert_array_equal(wrapped.predict(X), inner.predict(X))
    assert wrapped.n_features_in_ == 4
    assert not hasattr(wrapped, "estimator_")
    wrapped.fit(X[:, :2], Y)
    assert wrapped.n_features_in_ == 2
    assert inner.n_features_in_ == 4


def test_a_failed_fit_changes_nothing():
    """A fit that fails leaves what was fitted before."""
    wrapped = wrap(LogisticRegression()).fit(X, Y)
    before = wrapped.estimator_
    with pytest.raises(ValueError, match="class"):
        wrapped.fit(X, np.zeros(60))
    assert wrapped.estimator_ is before


def test_fit_and_the_rest_at_once():
    """Fitting and transforming or predicting at once gives what the bare estimator gives, and fits the wrapper."""
    for inner, method in ((PCA(2), "fit_transform"), (KMeans(2, n_init=1, random_state=0), "fit_predict")):
        wrapped = wrap(inner)
        np.testing.assert_array_equal(getattr(wrapped, method)(X), getattr(clone(inner), method)(X))
        check_is_fitted(wrapped)
        assert not hasattr(inner, "n_features_in_")


def test_partial_fit_goes_on():
    """Fitting in parts goes on where the last part ended, and never changes the estimator that was given."""
    given = SGDClassifier(random_state=0).partial_fit(X[:20], Y[:20], classes=[0, 1])
    kept = given.coef_.copy()
    wrapped, bare = wrap(given), SGDClassifier(random_state=0).partial_fit(X[:20], Y[:20], classes=[0, 1])
    for part in (slice(20, 40), slice(40, 60)):
        wrapped.partial_fit(X[part], Y[part])
        bare.partial_fit(X[part], Y[part])
    np.testing.assert_array_equal(wrapped.coef_, bare.coef_)
    np.testing.assert_array_equal(given.coef_, kept)
    fresh = wrap(SGDClassifier(random_state=0)).partial_fit(X, Y, classes=[0, 1])
    assert fresh.score(X, Y) > 0.5


def test_signatures():
    """The signature of what fits is the inner one's, so that scikit-learn sees whether it takes sample weights."""
    for inner in (LogisticRegression(), KNeighborsClassifier(), SGDClassifier(), KMeans()):
        wrapped = wrap(inner)
        assert has_fit_parameter(wrapped, "sample_weight") == has_fit_parameter(inner, "sample_weight")
        for method in ("fit", "partial_fit", "fit_predict"):
            if hasattr(inner, method):
                assert inspect.signature(getattr(wrapped, method)) == inspect.signature(getattr(inner, method))
    assert "LockedError" in EncryptedEstimator.fit.__doc__
    assert wrap(Ridge()).fit.__doc__ == EncryptedEstimator.fit.__doc__


def test_sample_weights_arrive():
    """Sample weights reach the inner estimator, by name and by position."""
    weight = np.arange(60.0)
    expected = Ridge().fit(X, Y, sample_weight=weight).coef_
    np.testing.assert_array_equal(wrap(Ridge()).fit(X, Y, sample_weight=weight).coef_, expected)
    np.testing.assert_array_equal(wrap(Ridge()).fit(X, Y, weight).coef_, expected)
    scored = wrap(Ridge()).fit(X, Y).score(X, Y, sample_weight=weight)
    assert scored == Ridge().fit(X, Y).score(X, Y, sample_weight=weight)


def test_further_arguments_arrive():
    """What a method takes beside X reaches the inner estimator."""
    wrapped = wrap(BayesianRidge()).fit(X, Y)
    mean, deviation = wrapped.predict(X, return_std=True)
    assert mean.shape == deviation.shape == (60,)


def test_metadata_routing():
    """With metadata routing, what the inner estimator requested reaches it, and the rest is refused."""
    weight = np.arange(60.0)
    expected = Ridge().fit(X, Y, sample_weight=weight).coef_
    with sklearn.config_context(enable_metadata_routing=True):
        asks = Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        np.testing.assert_array_equal(wrap(asks).fit(X, Y, sample_weight=weight).coef_, expected)
        search = GridSearchCV(wrap(asks), {"estimator__alpha": [1.0]}, cv=2).fit(X, Y, sample_weight=weight)
        np.testing.assert_array_equal(search.best_estimator_.coef_, expected)
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            wrap(Ridge()).fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize("inner", [*INNER, *RANDOM], ids=name_of)
def test_tags(inner):
    """The tags are those of the inner estimator, and a copy."""
    wrapped = wrap(inner)
    assert get_tags(wrapped) == get_tags(inner)
    assert get_tags(wrapped).input_tags is not get_tags(wrapped.estimator).input_tags
    for kind in (is_classifier, is_regressor, is_clusterer, is_outlier_detector):
        assert kind(wrapped) == kind(inner)


def test_set_output():
    """The container of the output is chosen through the wrapper, before and after a fit."""
    pandas = pytest.importorskip("pandas")
    wrapped = wrap(StandardScaler()).set_output(transform="pandas")
    assert isinstance(wrapped.fit_transform(X), pandas.DataFrame)
    assert isinstance(clone(wrapped).fit(X).transform(X), pandas.DataFrame)
    assert isinstance(wrapped.set_output(transform="default").transform(X), np.ndarray)
    assert list(wrapped.get_feature_names_out()) == ["x0", "x1", "x2", "x3"]
    assert not hasattr(wrap(Ridge()), "set_output")


@pytest.mark.parametrize(
    "build",
    [
        lambda inner: AdaBoostClassifier(inner, n_estimators=3, random_state=0),
        lambda inner: BaggingClassifier(inner, n_estimators=3, random_state=0),
        lambda inner: VotingClassifier([("one", inner), ("two", GaussianNB())], voting="soft"),
        lambda inner: StackingClassifier([("one", inner)], cv=3),
        lambda inner: GridSearchCV(inner, {}, cv=3),
    ],
    ids=["AdaBoost", "Bagging", "Voting", "Stacking", "GridSearch"],
)
def test_inside_other_estimators(build):
    """Inside of another estimator it gives what the bare estimator gives there."""
    bare = build(DecisionTreeClassifier(max_depth=2, random_state=0)).fit(X, Y)
    wrapped = build(wrap(DecisionTreeClassifier(max_depth=2, random_state=0))).fit(X, Y)
    np.testing.assert_array_equal(wrapped.predict_proba(X), bare.predict_proba(X))


def test_bad_parameters_are_refused_by_fit():
    """Parameters are checked when it is fitted, not when it is made."""
    for params, error, words in (
        ({"key": None}, ParameterError, "key=None"),
        ({"key": 7}, ParameterTypeError, "int"),
        ({"key": "nonsense"}, ParameterError, "URI"),
        ({"key": KEYRING, "metadata": {"a": {1}}}, ParameterError, "metadata"),
        ({"key": KEYRING, "metadata": []}, ParameterTypeError, "metadata"),
        ({"key": KEYRING, "code": "by value"}, ParameterError, "by-value"),
        ({"key": KEYRING, "code": ["by-value"]}, ParameterError, "by-value"),
        ({"key": KEYRING, "sign_with": "me"}, ParameterTypeError, "sign_with"),
        ({"recipients": []}, ParameterError, "recipients"),
        ({"recipients": [RECIPIENT], "code": "by-value"}, ParameterError, "sign_with"),
        ({"recipients": [RECIPIENT], "policy": AccessPolicy()}, ParameterError, "sign_with"),
    ):
        with pytest.raises(error, match=words):
            EncryptedEstimator(Ridge(), **params).fit(X, Y)
    for inner in (Ridge, None, "text", 3):
        with pytest.raises(ParameterTypeError, match=r"estimator.*fit"):
            EncryptedEstimator(inner, key=KEYRING).fit(X, Y)


def test_mlflow_does_not_log_what_is_inside(monkeypatch):
    """While MLflow logs what is fitted, the inner estimator is fitted with that turned off, and only then."""
    log = []

    class Disabled:
        def __enter__(self):
            log.append("off")

        def __exit__(self, *exception):
            log.append("on")

    autologging = types.ModuleType("mlflow.utils.autologging_utils")
    autologging.disable_autologging = Disabled
    monkeypatch.setitem(sys.modules, "mlflow.utils.autologging_utils", autologging)
    monkeypatch.setattr(Ridge, "fit", lambda self, X, y=None: log.append("fitted") or self)
    wrap(Ridge()).fit(X, Y)
    assert log == ["off", "fitted", "on"]


MLFLOW = """
import os, pathlib, sys, warnings
warnings.filterwarnings("ignore")
os.chdir(sys.argv[1])
os.environ["MLFLOW_ALLOW_FILE_STORE"] = os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow, numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from modelpriv import EncryptedEstimator, Keyring
mlflow.sklearn.autolog(log_models=False, silent=True)
keys = Keyring.generate()
X = np.random.default_rng(0).random((40, 3))
y = (X[:, 0] > 0.5).astype(int)
bare = LogisticRegression(C=0.7310585786300049)
def wrapped(**more):
    return EncryptedEstimator(bare, key=keys, metadata={"stage": "a-public-canary"}, **more)
def said(name):
    files = [path for path in pathlib.Path(name).rglob("*") if path.is_file()]
    return b"".join(bytes(path) + path.read_bytes() for path in files)
for name, model in (
    ("wrapped", wrapped()),
    ("in a pipeline", make_pipeline(StandardScaler(), wrapped())),
    ("in a search", GridSearchCV(wrapped(), {"estimator__tol": [1e-3, 1e-4]}, cv=2)),
    ("in both", GridSearchCV(make_pipeline(wrapped()), {"encryptedestimator__code": ["by-reference"]}, cv=2)),
    ("readable", make_pipeline(wrapped(scope="parameters"))),
    ("bare", bare),
):
    mlflow.set_tracking_uri(pathlib.Path(name).absolute().as_uri())
    with mlflow.start_run():
        model.fit(X, y).predict(X)
        model.score(X, y)
    needles = (b"LogisticRegression", b"0.7310585786300049", b"max_iter", b"a-public-canary")
    print(name, [needle in said(name) for needle in needles])
search = GridSearchCV(wrapped(), {"estimator__C": [1e-4, 1e4]}, cv=2).fit(X, y)
print("searched", search.best_estimator_.estimator_.C == search.best_params_["estimator__C"])
"""


def test_the_real_mlflow_does_not_log_what_is_inside(tmp_path):
    """MLflow writes down of a wrapped estimator, alone, in a pipeline or a search, what it makes public and no more."""
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    done = subprocess.run([sys.executable, "-c", MLFLOW, tmp_path], check=False, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "wrapped [False, False, False, False]",
        "in a pipeline [False, False, False, True]",
        "in a search [False, False, False, True]",
        "in both [False, False, False, True]",
        "readable [True, True, True, True]",
        "bare [True, True, True, False]",
        "searched True",
    ], done.stderr


# --- boosters of other packages ---


@pytest.fixture(params=["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def booster(request):
    """A classifier of another package, whose model is a C++ object's."""
    module, name = request.param.split(".")
    params = {"n_estimators": 5, "random_state": 0, "n_jobs": 1}
    params |= {"min_child_samples": 2, "verbose": -1} if module == "lightgbm" else {}
    return getattr(pytest.importorskip(module), name)(**params)


@pytest.mark.filterwarnings("ignore")
def test_boosters(booster):
    """XGBoost and LightGBM give in the wrapper, across a pickle and from workers, what they give bare."""
    weight = np.arange(1.0, 61.0)
    bare = clone(booster).fit(X, Y, sample_weight=weight)
    wrapped = wrap(booster).fit(X, Y, sample_weight=weight)
    assert get_tags(wrapped) == get_tags(booster)
    for model in (wrapped, pickle.loads(pickle.dumps(wrapped)), copy.deepcopy(wrapped)):
        np.testing.assert_array_equal(model.predict_proba(X), bare.predict_proba(X))
        np.testing.assert_array_equal(model.feature_importances_, bare.feature_importances_)
    assert type(booster).__name__.encode() not in pickle.dumps(wrapped)
    assert not {name for name in (b"booster", b"objective", b"n_estimators") if name in pickle.dumps(wrapped)}
    grid = GridSearchCV(wrap(booster), {"estimator__n_estimators": [2, 5]}, cv=2, n_jobs=2).fit(X, Y)
    alone = GridSearchCV(booster, {"n_estimators": [2, 5]}, cv=2).fit(X, Y)
    np.testing.assert_array_equal(grid.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


@pytest.mark.filterwarnings("ignore")
def test_the_checks_that_boosters_pass(booster):
    """Every check of scikit-learn that a booster passes itself, its wrapper passes."""
    bare, wrapped = checks_of(booster), checks_of(wrap(booster))
    failed = {name for name, check in wrapped.items() if not passes(check, wrap(booster))}
    assert {name for name in failed if name not in bare or passes(bare[name], booster)} == set()
