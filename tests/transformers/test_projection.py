"""KeyedProjection: what it keeps, what it gives back, what a fitted object holds, and how it is broken."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fixed_keys import KEYS
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA, FastICA
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVR
from sklearn.utils.estimator_checks import parametrize_with_checks

from modelpriv import KeyedProjection, Keyring
from modelpriv.errors import InputError, InputTypeError, KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.transformers import projection as module

PATIENTS, PROGRESS = load_diabetes(return_X_y=True, scaled=False)
RANKS = [None, 10, 4, 2]


class OfOneComponent(KeyedProjection):
    """Takes a single component, which scikit-learn's checks set on whatever has `n_components`."""

    _least = 1


@parametrize_with_checks([OfOneComponent(key=KEYS), OfOneComponent(2, key=KEYS)], expected_failed_checks=lambda _: {})
def test_scikit_learn_checks(estimator, check):
    """Every check of scikit-learn's passes, at full rank and truncated."""
    check(estimator)


# --- what is kept ---


def test_full_rank_keeps_distances_and_inner_products():
    """At full rank distances between rows, and inner products of centred rows, are as they were."""
    hidden = KeyedProjection(key=KEYS).fit_transform(PATIENTS)
    centred = PATIENTS - PATIENTS.mean(axis=0)
    assert_allclose(pdist(hidden), pdist(PATIENTS))
    assert_allclose(hidden @ hidden.T, centred @ centred.T, atol=1e-8)


@pytest.mark.parametrize("rank", RANKS[1:])
def test_truncation_keeps_those_of_pca(rank):
    """With truncation, distances and inner products are those of the PCA projection."""
    hidden = KeyedProjection(rank, key=KEYS).fit_transform(PATIENTS)
    scores = PCA(rank).fit_transform(PATIENTS)
    assert_allclose(pdist(hidden), pdist(scores), atol=1e-9)
    assert_allclose(hidden @ hidden.T, scores @ scores.T, atol=1e-6)


def test_wide_tables_are_truncated_like_pca():
    """A table with more columns than rows is projected as PCA does it."""
    wide = np.random.default_rng(0).standard_normal((8, 30))
    hidden = KeyedProjection(5, key=KEYS).fit_transform(wide)
    assert_allclose(pdist(hidden), pdist(PCA(5).fit_transform(wide)))


@pytest.mark.parametrize(
    "model", [KNeighborsRegressor(), SVR(gamma=1e-3, tol=1e-8), Ridge(), make_pipeline(PCA(3), Ridge())], ids=str
)
def test_models_score_the_same(model):
    """Nearest neighbours, support vectors, ridge and principal components score at full rank as on the originals."""
    plain = cross_val_score(model, PATIENTS, PROGRESS)
    hidden = cross_val_score(make_pipeline(KeyedProjection(key=KEYS), model), PATIENTS, PROGRESS)
    assert_allclose(hidden, plain, rtol=1e-5, atol=1e-6)


def test_truncated_models_score_as_after_pca():
    """With truncation a model scores as it does after PCA."""
    plain = cross_val_score(make_pipeline(PCA(4, svd_solver="full"), Ridge()), PATIENTS, PROGRESS)
    assert_allclose(cross_val_score(make_pipeline(KeyedProjection(4, key=KEYS), Ridge()), PATIENTS, PROGRESS), plain)


# --- what comes back ---


def test_full_rank_inverse_gives_the_rows_back():
    """At full rank inverse_transform gives the rows back, up to rounding."""
    projection = KeyedProjection(key=KEYS).fit(PATIENTS)
    assert_allclose(projection.inverse_transform(projection.transform(PATIENTS)), PATIENTS)


@pytest.mark.parametrize("rank", RANKS[1:])
def test_truncated_inverse_is_that_of_pca(rank):
    """With truncation inverse_transform gives what PCA gives: the rows' projection."""
    projection = KeyedProjection(rank, key=KEYS).fit(PATIENTS)
    pca = PCA(rank).fit(PATIENTS)
    expected = pca.inverse_transform(pca.transform(PATIENTS))
    assert_allclose(projection.inverse_transform(projection.transform(PATIENTS)), expected)


def test_another_width_does_not_come_back():
    """inverse_transform refuses a table that transform has not given."""
    with pytest.raises(InputError, match="X has 3 columns, but this KeyedProjection has 10 components"):
        KeyedProjection(key=KEYS).fit(PATIENTS).inverse_transform(PATIENTS[:, :3])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rank", [None, 4])
def test_float_width_stays(dtype, rank):
    """float32 stays float32 and float64 float64, forth and back."""
    projection = KeyedProjection(rank, key=KEYS).fit(PATIENTS.astype(dtype))
    hidden = projection.transform(PATIENTS.astype(dtype))
    assert hidden.dtype == projection.inverse_transform(hidden).dtype == dtype


def test_float32_far_from_zero_is_centred_first():
    """A large mean does not eat up the digits of float32: rows are centred before they are turned."""
    small = np.random.default_rng(0).integers(-8, 8, (500, 4)).astype(np.float32)
    far = small + np.float32(2**20)
    hidden = KeyedProjection(key=KEYS).fit_transform(far)
    assert_allclose(pdist(hidden.astype(float)), pdist(small.astype(float)), rtol=1e-5)


@pytest.mark.parametrize("rows", [0, 1, 99, 100, 101, 450])
def test_rows_do_not_depend_on_their_neighbours(rows, monkeypatch):
    """A row comes out the same whatever rows are transformed with it, and no rows come out as none."""
    table = np.resize(PATIENTS, (rows, 10))
    projection = KeyedProjection(4, key=KEYS).fit(PATIENTS)
    expected = np.resize(projection.transform(PATIENTS), (rows, 4))
    monkeypatch.setattr(module, "_BLOCK", 100 * PATIENTS[0].nbytes)
    assert_allclose(projection.transform(table), expected, atol=1e-9)


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, pa.table, lambda data: np.column_stack(list(data.values()))]
)
def test_every_kind_of_table(make):
    """Every kind of table gives the same numbers, and is not changed; integers and bools count as numbers."""
    data = {"age": [62, 54, 71], "weight": [80.5, 92.1, 66.0], "smokes": [True, False, True]}
    table = make(data)
    projection = KeyedProjection(key=KEYS).fit(table)
    expected = KeyedProjection(key=KEYS).fit_transform(np.column_stack(list(data.values())))
    assert_allclose(projection.transform(table), expected)
    again = make(data)
    assert (table == again).all().all() if isinstance(table, (pd.DataFrame, np.ndarray)) else table.equals(again)


def test_names_come_out():
    """Columns that come out are numbered, and set_output gives them as a frame with the rows' index."""
    frame = pd.DataFrame(PATIENTS[:5], index=list("vwxyz"))
    out = KeyedProjection(2, key=KEYS).set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["keyedprojection0", "keyedprojection1"]
    assert list(out.index) == list("vwxyz")


def test_it_works_in_a_column_transformer_and_a_grid_search():
    """Beside other steps, cloned for two workers, with a keyring that lives only in memory, it fits and predicts."""
    step = make_column_transformer((KeyedProjection(key=KEYS), [0, 1, 2]), remainder="passthrough")
    grid = {"columntransformer__keyedprojection__n_components": [2, 3]}
    search = GridSearchCV(make_pipeline(step, Ridge()), grid, n_jobs=2).fit(PATIENTS, PROGRESS)
    assert search.predict(PATIENTS).shape == PROGRESS.shape


# --- the key ---


@pytest.mark.parametrize("rank", [None, 4])
def test_the_key_and_the_context_decide(rank):
    """The same key and context give the same numbers again; another key, and another context, others."""
    first = KeyedProjection(rank, key=KEYS).fit_transform(PATIENTS)
    assert np.array_equal(first, KeyedProjection(rank, key=KEYS).fit_transform(PATIENTS))
    for other in ({"key": Keyring.generate()}, {"key": KEYS, "context": "vitals"}):
        assert not np.isclose(KeyedProjection(rank, **other).fit_transform(PATIENTS), first).all(axis=0).any()


def test_an_older_key_stays_pinned():
    """A fitted object goes on with its key when the keyring is rotated, and wants it when it is gone."""
    projection = KeyedProjection(key=KEYS).fit(PATIENTS)
    before = projection.transform(PATIENTS)
    assert np.array_equal(projection.set_params(key=KEYS.rotate()).transform(PATIENTS), before)
    with pytest.raises(KeyUnavailableError, match=KEYS.primary):
        projection.set_params(key=Keyring.generate()).transform(PATIENTS)


def test_a_key_by_reference(monkeypatch):
    """A keyring that a URI names is fetched once, and then kept."""
    monkeypatch.setenv("A_KEYRING", KEYS.export_secret())
    projection = KeyedProjection(key="env:A_KEYRING").fit(PATIENTS)
    monkeypatch.delenv("A_KEYRING")
    assert np.array_equal(projection.transform(PATIENTS), KeyedProjection(key=KEYS).fit_transform(PATIENTS))


# --- what a fitted object holds, and how it is broken ---


def numbers_in(thing):
    """Every array of numbers that hangs on an object."""
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, dict):
        for part in thing.values():
            yield from numbers_in(part)
    elif isinstance(thing, (list, tuple)):
        for part in thing:
            yield from numbers_in(part)


@pytest.mark.parametrize("rank", [None, 4])
def test_the_rotation_is_never_kept(rank):
    """Neither the object nor its pickle holds the rotation, the principal axes or a row, before or after a call."""
    projection = KeyedProjection(rank, key=KEYS).fit(PATIENTS)
    projection.inverse_transform(projection.transform(PATIENTS))
    weights = projection._weights()
    axes = PCA(rank).fit(PATIENTS).components_
    secrets = [*weights.T, *weights, *axes, *axes.T, *PATIENTS]
    for table in numbers_in(vars(projection)):
        for own in (*np.atleast_2d(table), *np.atleast_2d(table).T):
            assert not any(own.shape == s.shape and np.allclose(np.abs(own), np.abs(s)) for s in secrets)
    kept = pickle.dumps(projection)
    assert not any(np.ascontiguousarray(matrix).tobytes() in kept for matrix in (weights, weights.T, axes))


def test_the_pickle_works_on():
    """A pickle, read where the keyring is at hand, transforms alike."""
    projection = KeyedProjection(4, key=KEYS).fit(PATIENTS)
    assert np.array_equal(pickle.loads(pickle.dumps(projection)).transform(PATIENTS), projection.transform(PATIENTS))


def test_the_kept_basis_tells_the_subspace_only():
    """The basis is decided by the subspace: two tables with one subspace, but other principal axes, have the same."""
    rng = np.random.default_rng(0)
    span = rng.standard_normal((3, 8))
    one, two = (rng.standard_normal((40, 3)) @ rng.standard_normal((3, 3)) @ span for _ in range(2))
    bases = [KeyedProjection(3, key=KEYS).fit(table).basis_ for table in (one, two)]
    assert_allclose(bases[0], bases[1], atol=1e-9)
    assert_allclose(bases[0] @ bases[0].T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("rank", RANKS)
def test_known_rows_break_it(rank):
    """As many known rows as there are components give the rotation by least squares, and with it every other row."""
    projection = KeyedProjection(rank, key=KEYS).fit(PATIENTS)
    hidden = projection.transform(PATIENTS)
    known = hidden.shape[1]
    plain = projection.inverse_transform(hidden)  # what of the rows is there to be found
    found = np.linalg.lstsq(hidden[:known], plain[:known] - projection.mean_, rcond=None)[0]
    assert_allclose(hidden[known:] @ found + projection.mean_, plain[known:], rtol=1e-6, atol=1e-6)


def test_one_row_less_breaks_it_too():
    """With one known row less than components two rotations are left, and one of them gives every other row."""
    projection = KeyedProjection(key=KEYS).fit(PATIENTS)
    hidden = projection.transform(PATIENTS)
    mean = PATIENTS.mean(axis=0)
    left, _, right = np.linalg.svd(hidden[:9].T @ (PATIENTS[:9] - mean))
    guesses = [hidden @ left @ np.diag([1.0] * 9 + [sign]) @ right + mean for sign in (1, -1)]
    assert min(np.abs(guess - PATIENTS).max() for guess in guesses) < 1e-6


def test_no_known_row_is_needed_to_read_a_column_that_is_not_normal():
    """Independent component analysis finds a column of two values in the result, without any known row."""
    hidden = KeyedProjection(key=KEYS).fit_transform(PATIENTS)
    starts = [FastICA(algorithm="deflation", whiten="unit-variance", random_state=n, max_iter=2000) for n in range(5)]
    sources = np.hstack([start.fit_transform(hidden) for start in starts])
    two_values = sources[:, (sources**4).mean(axis=0).argmin()]
    share = ((two_values > 0) == (PATIENTS[:, 1] > 1.5)).mean()
    assert max(share, 1 - share) > 0.99


@pytest.mark.parametrize("rows", [1, 4, 9])
def test_fewer_rows_than_components_are_refused(rows):
    """A fit on fewer rows than components is refused, with both numbers; more rows, or fewer components, pass."""
    with pytest.raises(InputError, match=f"n_samples={rows}, fewer than its 10 components"):
        KeyedProjection(key=KEYS).fit(PATIENTS[:rows])
    assert KeyedProjection(key=KEYS).fit(PATIENTS[:10]).transform(PATIENTS[:rows]).shape == (rows, 10)


@pytest.mark.parametrize("rank", [None, 2])
def test_a_single_column_is_refused(rank):
    """One column has no rotation that hides it: it would come out as distances from its mean."""
    with pytest.raises(InputError, match=r"1 feature\(s\)"):
        KeyedProjection(rank, key=KEYS).fit(PATIENTS[:, :1])


def test_known_axes_break_it_up_to_signs():
    """Someone who knows the principal axes of such a table undoes the rotation up to the signs of the scores."""
    hidden = KeyedProjection(key=KEYS).fit_transform(PATIENTS)
    own = PCA().fit(hidden)
    theirs = PCA().fit(PATIENTS)
    assert_allclose(np.abs(own.transform(hidden)), np.abs(theirs.transform(PATIENTS)), atol=1e-6)


# --- what is refused ---


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"key": None}, ParameterError, "key"),
        ({"key": 5}, ParameterTypeError, "key must be a Keyring.*got int"),
        ({"n_components": 0}, ParameterError, "n_components must be a whole number of at least 2 or None, got 0"),
        ({"n_components": 1}, ParameterError, "n_components must be a whole number of at least 2 or None, got 1"),
        ({"n_components": 11}, ParameterError, "n_components=11 is more than the 10 columns"),
        ({"n_components": 0.9}, ParameterTypeError, "n_components must be a whole .* or None, got float"),
        ({"n_components": True}, ParameterTypeError, "n_components must be a whole .* or None, got bool"),
        ({"context": None}, ParameterTypeError, "context must be a text that is not empty, got None"),
        ({"context": ""}, ParameterError, "context must be .*, got an empty one"),
    ],
    ids=str,
)
def test_parameters_are_checked_at_fit(more, error, words):
    """A parameter without meaning is refused by fit in clear words, and by nothing before."""
    projection = clone(KeyedProjection(**({"key": KEYS} | more)))
    with pytest.raises(error, match=words):
        projection.fit(PATIENTS)
    assert not hasattr(projection, "key_id_")


@pytest.mark.parametrize(
    ("table", "error", "words"),
    [
        (pd.DataFrame({"a": [1.0], "b": ["cAnArY"]}), InputError, "not numeric are 'b'"),
        (pd.DataFrame({"a": [1.0], "b": pd.Series([{"cAnArY": 1}])}), (InputError, InputTypeError), "number"),
        (pl.DataFrame({"a": [1.0], "b": ["cAnArY"]}), InputError, "not numeric are 'b'"),
        (pa.table({"a": [1.0], "b": ["cAnArY"]}), InputError, "not numbers"),
        (np.array([["cAnArY"]]), InputError, "not numbers"),
        ([["cAnArY", 1]], InputError, "not numbers"),
        (pd.DataFrame([[1.0, 2.0]], columns=["cell", "cell"]), InputError, "'cell'"),
        (np.array([[np.nan]]), ValueError, "NaN"),
        (np.array([[np.inf]]), ValueError, "infinity"),
        (pd.DataFrame({"a": [1.0, None]}), ValueError, "NaN"),
        (np.empty((0, 3)), InputError, "0 sample"),
        (np.array([1.0, 2.0]), InputError, "Reshape your data"),
        (np.array([[1j]]), InputError, "Complex data not supported"),
        (sparse.csr_matrix(np.eye(3)), InputTypeError, "sparse"),
        (pl.LazyFrame({"a": [1.0]}), InputTypeError, "lazy"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tables_that_are_refused(table, error, words):
    """Anything but a dense table of finite numbers is refused, and the message says why and shows no cell."""
    with pytest.raises(error, match=words) as caught:
        KeyedProjection(key=KEYS).fit(table)
    assert "cAnArY" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_failed_fit_changes_nothing():
    """A fit that fails leaves the last one whole."""
    projection = KeyedProjection(4, key=KEYS).fit(PATIENTS)
    before = projection.transform(PATIENTS)
    with pytest.raises(ParameterError):
        projection.fit(PATIENTS[:, :3])
    assert np.array_equal(projection.transform(PATIENTS), before)


def test_the_docstring_says_it_first():
    """The first lines of the docstring say that this is obfuscation and not encryption."""
    assert "obfuscation, not encryption" in KeyedProjection.__doc__.splitlines()[0]
