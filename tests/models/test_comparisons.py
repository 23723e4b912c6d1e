"""Inside scikit-learn's own tools, a wrapped estimator gives what the bare one gives."""

import numpy as np
import pandas as pd
import pytest
from fixed_keys import KEYS
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - HalvingGridSearchCV needs it
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import RFE, RFECV, SelectFromModel, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import Lasso, LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import LabelEncoder, MaxAbsScaler, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modelpriv import EncryptedEstimator

CANCER, BENIGN = (array[:160] for array in load_breast_cancer(return_X_y=True))
CANCER = StandardScaler().fit_transform(CANCER[:, :6])
PATIENTS, PROGRESS = (array[:160] for array in load_diabetes(return_X_y=True))
THREE = np.digitize(PROGRESS, [90, 180])
BOTH = np.column_stack([BENIGN, 1 - BENIGN])
PAIR = np.column_stack([PROGRESS, -PROGRESS])
WORDS = ["the cat sat", "the dog sat", "a bird sang", "a cat sang"]
SOME = np.where(np.arange(160) % 3, BENIGN, -1)

logistic, ridge = LogisticRegression(max_iter=300), Ridge()
tree, forest = DecisionTreeClassifier(random_state=0, max_depth=3), RandomForestClassifier(5, random_state=0)


def probabilities(make):
    return lambda inner: make(inner).fit(CANCER, BENIGN).predict_proba(CANCER)


def predictions(make, X=PATIENTS, y=PROGRESS):
    return lambda inner: make(inner).fit(X, y).predict(X)


def transformed(make, X=CANCER, y=BENIGN):
    return lambda inner: make(inner).fit(X, y).transform(X)


GRID = {"C": [0.1, 1.0]}
# A name, the inner estimator, and what is compared.
CASES = {
    "bare fit": (logistic, probabilities(clone)),
    "pipeline's last step": (logistic, probabilities(lambda e: make_pipeline(MinMaxScaler(), e))),
    "pipeline's first step": (StandardScaler(), transformed(lambda e: make_pipeline(e, PCA(2)))),
    "pipeline's middle step": (PCA(3), transformed(lambda e: make_pipeline(StandardScaler(), e, MinMaxScaler()))),
    "column transformer": (StandardScaler(), transformed(lambda e: ColumnTransformer([("a", e, [0, 1])]))),
    "feature union": (PCA(2), transformed(lambda e: FeatureUnion([("a", e), ("b", StandardScaler())]))),
    "grid search": (logistic, probabilities(lambda e: GridSearchCV(e, GRID, cv=3))),
    "grid search by prefix": (
        make_pipeline(StandardScaler(), logistic),
        lambda e: GridSearchCV(e, {"logisticregression__C": [0.1, 1.0]}, cv=3).fit(CANCER, BENIGN).best_score_,
    ),
    "grid search on two workers": (logistic, probabilities(lambda e: GridSearchCV(e, GRID, cv=3, n_jobs=2))),
    "randomized search": (logistic, probabilities(lambda e: RandomizedSearchCV(e, GRID, n_iter=2, random_state=0))),
    "halving search": (
        forest,
        lambda e: (
            HalvingGridSearchCV(e, {"max_depth": [2, 3]}, random_state=0).fit(CANCER, BENIGN).best_params_["max_depth"]
        ),
    ),
    "cross_val_score": (logistic, lambda e: cross_val_score(e, CANCER, BENIGN, cv=3)),
    "cross_val_predict": (ridge, lambda e: cross_val_predict(e, PATIENTS, PROGRESS, cv=3)),
    "cross_val_predict of probabilities": (
        logistic,
        lambda e: cross_val_predict(e, CANCER, BENIGN, cv=3, method="predict_proba"),
    ),
    "cross_validate": (
        logistic,
        lambda e: cross_validate(e, CANCER, BENIGN, cv=3, return_train_score=True)["train_score"],
    ),
    "learning curve": (ridge, lambda e: learning_curve(e, PATIENTS, PROGRESS, cv=3)[2]),
    "validation curve": (
        ridge,
        lambda e: validation_curve(e, PATIENTS, PROGRESS, param_name="alpha", param_range=[0.1, 1], cv=3)[1],
    ),
    "permutation test": (
        logistic,
        lambda e: permutation_test_score(e, CANCER, BENIGN, cv=3, n_permutations=5, random_state=0)[1],
    ),
    "voting, soft": (logistic, probabilities(lambda e: VotingClassifier([("a", e), ("b", tree)], voting="soft"))),
    "voting of regressors": (ridge, predictions(lambda e: VotingRegressor([("a", e), ("b", Lasso())]))),
    "stacking": (logistic, probabilities(lambda e: StackingClassifier([("a", e), ("b", tree)], cv=3))),
    "stacking's final estimator": (logistic, probabilities(lambda e: StackingClassifier([("b", tree)], e, cv=3))),
    "stacking of regressors": (ridge, predictions(lambda e: StackingRegressor([("a", e)], Lasso(), cv=3))),
    "bagging": (tree, probabilities(lambda e: BaggingClassifier(e, 3, random_state=0))),
    "bagging of regressors": (
        DecisionTreeRegressor(random_state=0),
        predictions(lambda e: BaggingRegressor(e, 3, random_state=0)),
    ),
    "boosting": (tree, probabilities(lambda e: AdaBoostClassifier(e, n_estimators=3, random_state=0))),
    "boosting of regressors": (
        DecisionTreeRegressor(max_depth=3, random_state=0),
        predictions(lambda e: AdaBoostRegressor(e, n_estimators=3, random_state=0)),
    ),
    "gradient boosting's start": (
        logistic,
        probabilities(lambda e: GradientBoostingClassifier(init=e, n_estimators=3, random_state=0)),
    ),
    "calibration": (logistic, probabilities(lambda e: CalibratedClassifierCV(e, cv=3))),
    "calibration of a machine without probabilities": (
        SVC(random_state=0),
        probabilities(lambda e: CalibratedClassifierCV(e, cv=3)),
    ),
    "fixed threshold": (
        logistic,
        predictions(lambda e: FixedThresholdClassifier(e, threshold=0.3), CANCER, BENIGN),
    ),
    "tuned threshold": (
        logistic,
        predictions(lambda e: TunedThresholdClassifierCV(e, cv=3, random_state=0), CANCER, BENIGN),
    ),
    "recursive elimination": (logistic, transformed(lambda e: RFE(e, n_features_to_select=3))),
    "recursive elimination by importances": (forest, transformed(lambda e: RFE(e, n_features_to_select=3))),
    "recursive elimination, validated": (logistic, transformed(lambda e: RFECV(e, cv=3))),
    "selection by coefficients": (logistic, transformed(SelectFromModel)),
    "selection by an l1 penalty": (
        LogisticRegression(l1_ratio=1, solver="liblinear", C=0.2, random_state=0),
        transformed(lambda e: SelectFromModel(e, threshold=1e-5)),
    ),
    "selection by importances": (forest, transformed(lambda e: SelectFromModel(e, threshold="median"))),
    "selection, prefit": (
        logistic,
        lambda e: SelectFromModel(clone(e).fit(CANCER, BENIGN), prefit=True).fit(CANCER).transform(CANCER),
    ),
    "sequential selection": (
        ridge,
        lambda e: SequentialFeatureSelector(e, n_features_to_select=2, cv=2).fit(PATIENTS, PROGRESS).get_support(),
    ),
    "one against the rest": (logistic, predictions(OneVsRestClassifier, PATIENTS, THREE)),
    "one against one": (logistic, predictions(OneVsOneClassifier, PATIENTS, THREE)),
    "output codes": (logistic, predictions(lambda e: OutputCodeClassifier(e, random_state=0), PATIENTS, THREE)),
    "several outputs": (ridge, predictions(MultiOutputRegressor, PATIENTS, PAIR)),
    "several classes": (logistic, predictions(MultiOutputClassifier, CANCER, BOTH)),
    "chain of regressors": (ridge, predictions(lambda e: RegressorChain(e, order=[1, 0]), PATIENTS, PAIR)),
    "chain of classifiers": (logistic, predictions(ClassifierChain, CANCER, BOTH)),
    "self-training": (logistic, predictions(SelfTrainingClassifier, CANCER, SOME)),
    "target transformed": (
        ridge,
        predictions(lambda e: TransformedTargetRegressor(e, func=np.cbrt, inverse_func=np.exp)),
    ),
    "frozen": (logistic, lambda e: FrozenEstimator(clone(e).fit(CANCER, BENIGN)).predict_proba(CANCER)),
    "permutation importance": (
        logistic,
        lambda e: permutation_importance(clone(e).fit(CANCER, BENIGN), CANCER, BENIGN, random_state=0).importances,
    ),
    "partial dependence": (
        logistic,
        lambda e: partial_dependence(clone(e).fit(CANCER, BENIGN), CANCER, [0])["average"],
    ),
    "partial dependence of a regressor": (
        ridge,
        lambda e: partial_dependence(clone(e).fit(PATIENTS, PROGRESS), PATIENTS, [0])["average"],
    ),
    "scorer by name": (logistic, lambda e: get_scorer("roc_auc")(clone(e).fit(CANCER, BENIGN), CANCER, BENIGN)),
    "sample weights": (
        ridge,
        lambda e: clone(e).fit(PATIENTS, PROGRESS, sample_weight=np.arange(160) + 1).predict(PATIENTS),
    ),
    "set_output": (
        StandardScaler(),
        lambda e: clone(e).set_output(transform="pandas").fit_transform(pd.DataFrame(CANCER)).to_numpy(),
    ),
    "partial_fit": (
        SGDClassifier(random_state=0),
        lambda e: clone(e).partial_fit(CANCER, BENIGN, classes=[0, 1]).partial_fit(CANCER, BENIGN).coef_,
    ),
    "warm start": (
        GradientBoostingClassifier(n_estimators=2, warm_start=True, random_state=0),
        lambda e: (
            (model := clone(e).fit(CANCER, BENIGN)).set_params(n_estimators=5).fit(CANCER, BENIGN).train_score_,
            len(model.estimators_),
        )[0],
    ),
    "labels by position": (LabelEncoder(), lambda e: clone(e).fit(THREE).transform(THREE)),
    "labels by name": (LabelEncoder(), lambda e: clone(e).fit(y=THREE).classes_),
    "texts by name": (CountVectorizer(), lambda e: clone(e).fit(raw_documents=WORDS).transform(WORDS).toarray()),
    "texts in a pipeline": (
        TfidfVectorizer(),
        lambda e: make_pipeline(e, MaxAbsScaler()).fit_transform(WORDS).toarray(),
    ),
    "categories": (OneHotEncoder(), lambda e: clone(e).fit_transform(THREE[:, None]).toarray()),
    "a step of a pipeline": (
        make_pipeline(StandardScaler(), logistic),
        lambda e: clone(e).fit(CANCER, BENIGN)[-1].coef_,
    ),
    "the steps before the last": (
        make_pipeline(StandardScaler(), logistic),
        lambda e: clone(e).fit(CANCER, BENIGN)[:-1].transform(CANCER),
    ),
    "the number of steps": (make_pipeline(StandardScaler(), logistic), len),
    "the names of steps": (make_pipeline(StandardScaler(), logistic), lambda e: [name for name, _ in e.steps]),
    "the members of a forest": (forest, lambda e: len(clone(e).fit(CANCER, BENIGN))),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_wrapped_is_as_bare(name):
    """What scikit-learn makes of a wrapped estimator equals what it makes of the bare one."""
    inner, use = CASES[name]
    np.testing.assert_array_equal(use(EncryptedEstimator(clone(inner), key=KEYS)), use(clone(inner)))


def test_there_are_enough():
    """No fewer comparisons than the documentation says."""
    assert len(CASES) >= 56


def test_where_the_class_decides():
    """SelectFromModel asks for the class before it lowers its threshold: with the threshold given, both agree."""
    bare, wrapped = Lasso(), EncryptedEstimator(Lasso(), key=KEYS)
    given = [SelectFromModel(one, threshold=1e-5).fit(PATIENTS, PROGRESS).get_support() for one in (bare, wrapped)]
    np.testing.assert_array_equal(*given)
    assert SelectFromModel(bare).fit(PATIENTS, PROGRESS).threshold_ == 1e-5
    assert SelectFromModel(wrapped).fit(PATIENTS, PROGRESS).threshold_ > 1e-5
