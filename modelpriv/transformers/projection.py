"""KeyedProjection: numbers rotated by a secret matrix, so that distances stay and single measurements do not show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.linalg import qr
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from modelpriv._columns.frame import open_frame
from modelpriv._core import events
from modelpriv._core.checks import Rules, Text, Whole, check, check_parameters
from modelpriv.errors import InputError, InputTypeError, ParameterError
from modelpriv.kernels.prf.rotation import rotation
from modelpriv.transformers.fitted import PlainState
from modelpriv.transformers.pinned import PinnedToKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from numpy.typing import ArrayLike, DTypeLike, NDArray
    from sklearn.utils import Tags

    from modelpriv._columns.arrow import Table
    from modelpriv.keys import AnyKeyring

__all__ = ["KeyedProjection"]

_KEY = 32  # bytes, for AES-256
# Bytes that are centred at a time, so that no centred copy of the table is made. Smaller blocks are no faster, and on
# a busy machine each product waits for a thread of the BLAS that does not run: 4,096 rows of 50 took six times as long.
_BLOCK = 2**23
_DTYPES = [np.float64, np.float32]


class KeyedProjection(PinnedToKey, PlainState, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Obfuscate numeric columns by a secret rotation. This is obfuscation, not encryption.

    Someone who knows one original row fewer than there are components, and what became of them, finds the rotation by
    least squares and with it every other row. Without any known row, independent component analysis reads columns that
    are not normally distributed. Do not hand the result to someone who may know some of the people in it.

    The rows are centred, projected onto the `n_components` directions of greatest variance (a truncated singular value
    decomposition; at full rank nothing is cut) and multiplied by an orthogonal matrix that only the key's holder can
    derive. At full rank all distances between rows, and the inner products of centred rows, are kept, so that
    nearest neighbours, support vector machines, principal components and ridge regression score as before. With fewer
    components they are those of the PCA projection.

    *Protects* single measurements, and the meaning of each column, from a casual reader of the result.

    *Leaks* the distances, hence outliers, duplicates and clusters; the variances along the principal axes, though not
    which axes they are; and the number of columns. Someone who has a table of the same kind can match the principal
    axes of both and undo the rotation up to signs, without knowing a single row. A fitted object holds the column means
    and, below full rank, the kept subspace as plain numbers. It holds neither the principal axes nor the rotation,
    which is derived from the key in every call and never pickled.

    *Does not* authenticate: an altered number gives another row. It does not hide which rows are equal.

    Parameters
    ----------
    n_components : int, default=None
        Number of columns that come out, 2 or more. None keeps the full rank: as many as came in. `fit` needs at least
        as many rows.
    key : Keyring or str
        The keyring, or a keyring URI.
    context : str, default="projection"
        A name for the rotation. The same key and context give tables of equal width the same rotation, so one that is
        found opens them all: give each table its own context, unless you must compare their rows.

    Attributes
    ----------
    n_components_ : int
        Number of columns that come out.
    mean_ : ndarray of shape (n_features_in_,)
        Mean of each column.
    basis_ : ndarray of shape (n_components_, n_features_in_) or None
        An orthonormal basis of the subspace that is kept, the same for every matrix with that row space; None at full
        rank. Its rows are not the principal axes.
    key_id_ : str
        Id of the key that chose the rotation.
    n_features_in_ : int
        Number of columns that went in.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where they are all texts.

    See Also
    --------
    sklearn.decomposition.PCA : The same projection without a secret.

    Examples
    --------
    >>> import numpy as np
    >>> from modelpriv import Keyring, KeyedProjection
    >>> X = np.array([[62.0, 175.0, 22.5], [54.0, 181.0, 30.1], [71.0, 168.0, 27.9], [49.0, 190.0, 24.0]])
    >>> projection = KeyedProjection(key=Keyring.generate()).fit(X)
    >>> hidden = projection.transform(X)
    >>> bool(np.isclose(np.linalg.norm(hidden[0] - hidden[1]), np.linalg.norm(X[0] - X[1])))
    True
    >>> bool(np.allclose(projection.inverse_transform(hidden), X))
    True
    """

    _parameter_rules: ClassVar[Rules] = {"context": [Text()]}
    _least = 2  # components: a rotation of one changes its sign at most

    def __init__(
        self, n_components: int | None = None, *, key: AnyKeyring | str | None = None, context: str = "projection"
    ) -> None:
        self.n_components = n_components
        self.key = key
        self.context = context

    @events.audited
    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: ARG002 - scikit-learn's signature
        """Learn the columns' means and, below full rank, the subspace of greatest variance.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers; float32 stays float32, everything else becomes float64.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted projection.

        Raises
        ------
        ParameterError, ParameterTypeError
            A parameter is not allowed, or `n_components` is more than there are columns.
        InputError, InputTypeError
            `X` holds something that is not a number, has a single column, or fewer rows than components.
        KeyUnavailableError
            The key is not available.
        """
        self._check_parameters()
        keys = self._keyring()
        events.note_keys(keys.primary)
        table = _native(X)
        numbers = _checked(table, self, least=1)
        rank = self._rank(*numbers.shape)
        mean = numbers.mean(axis=0, dtype=np.float64)
        basis = None if rank == numbers.shape[1] else _basis(numbers, mean, rank)
        # Set only now: a fit that fails leaves the last one whole.
        validate_data(self, table, skip_check_array=True, reset=True)
        self._keep()  # the version: what a projection keeps is in its public attributes
        self.mean_ = mean
        self.basis_ = basis
        self.n_components_ = rank
        self.key_id_ = keys.primary
        return self

    @events.audited
    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Project and rotate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers. There may be no rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components_)
            float32 if `X` is float32, else float64.
        """
        check_is_fitted(self)
        table = _native(X)
        validate_data(self, table, skip_check_array=True, reset=False)
        numbers = _checked(table, self, least=0)
        weights = self._weights().astype(numbers.dtype)
        projected = np.empty((len(numbers), self.n_components_), numbers.dtype)
        for rows, centred in _centred(numbers, self.mean_, numbers.dtype):
            np.matmul(centred, weights, out=projected[rows])
        return projected

    @events.audited
    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Give the rows back: at full rank up to rounding, else their projection onto the kept subspace, as PCA does.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            What `transform` gave.

        Returns
        -------
        ndarray of shape (n_samples, n_features_in_)
            Rows in the columns' own units.
        """
        check_is_fitted(self)
        numbers = _checked(_native(X), self, least=0)
        if numbers.shape[1] != self.n_components_:
            raise InputError(
                f"X has {numbers.shape[1]} columns, but this KeyedProjection has {self.n_components_} components. Pass "
                "the result of its transform."
            )
        restored: NDArray[Any] = numbers @ self._weights().T.astype(numbers.dtype)
        restored += self.mean_.astype(numbers.dtype)
        return restored

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self) -> int:
        return int(self.n_components_)

    def _check_parameters(self) -> None:
        check_parameters(self, self._parameter_rules)
        check("n_components", self.n_components, Whole(least=self._least), None)

    def _rank(self, rows: int, columns: int) -> int:
        if columns < self._least:
            raise InputError(
                "The table has 1 feature(s), and a rotation of one column changes its sign at most: each distance from "
                "the mean would show. Give it 2 columns or more."
            )
        wanted = columns if self.n_components is None else int(self.n_components)
        if wanted > columns:
            raise ParameterError(f"n_components={wanted} is more than the {columns} columns of the table.")
        if rows < wanted:
            raise InputError(
                f"The table has n_samples={rows}, fewer than its {wanted} components, so the rows do not determine "
                "what varies. Fit on more rows, or set n_components to fewer."
            )
        return wanted

    def _weights(self) -> NDArray[np.float64]:
        """Derive the matrix of shape (n_features_in_, n_components_) that projects and rotates; never kept."""
        events.note_keys(self.key_id_)
        key = self._keyring().working_key("projection", context=self.context, length=_KEY, key_id=self.key_id_)
        turn = rotation(key, self.n_components_)
        return turn if self.basis_ is None else self.basis_.T @ turn


def _native(X: Table) -> Table:
    frame = open_frame(X)
    events.note_columns(frame.names, frame.n_rows)
    return frame.native


def _checked(table: Any, estimator: BaseEstimator, *, least: int) -> NDArray[Any]:
    """Make an array of finite numbers, of so many rows at least, and reword errors that would show a cell."""
    try:
        numbers = check_array(
            table, dtype=_DTYPES, ensure_all_finite=False, estimator=estimator, ensure_min_samples=least
        )
    except (TypeError, ValueError) as caught:
        error = _reworded(table, caught)
    else:
        # No cell is in the words that find NaN or infinity.
        checked: NDArray[Any] = check_array(
            numbers, dtype=_DTYPES, estimator=estimator, input_name="X", ensure_min_samples=0
        )
        return checked
    raise error


def _reworded(table: Any, caught: Exception) -> Exception:
    said = str(caught)
    if said.startswith(("Found array with 0 sample(s)", "Complex data not supported")):
        return InputError(said.splitlines()[0])
    if isinstance(caught, TypeError):
        return InputTypeError(
            "X holds something that is not a number; each argument must be a string or a real number. Leave such "
            "columns out."
        )
    return InputError(
        f"X does not become an array of numbers: {_culprits(table)}. Leave such columns out, or encode them first."
    )


def _culprits(table: Any) -> str:
    """Name the columns of a frame that are not numeric, by name and dtype."""
    names, dtypes = getattr(table, "columns", None), getattr(table, "dtypes", None)
    if names is None or dtypes is None:
        return f"some cells of the {type(table).__name__} are not numbers"
    kinds = [(name, str(dtype)) for name, dtype in zip(names, dtypes, strict=True)]
    odd = [
        (name, kind) for name, kind in kinds if not kind.lower().startswith(("int", "uint", "float", "bool", "double"))
    ]
    return "not numeric are " + ", ".join(f"{name!r} ({kind})" for name, kind in odd or kinds)


def _centred(
    numbers: NDArray[Any], mean: NDArray[np.float64], dtype: DTypeLike
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Yield the rows less their mean, block by block, in memory that the next block takes again."""
    width = numbers.shape[1]
    size = max(1, _BLOCK // (np.dtype(dtype).itemsize * width))
    memory = np.empty((min(size, len(numbers)), width), dtype)
    for start in range(0, len(numbers), size):
        rows = slice(start, min(start + size, len(numbers)))
        block = memory[: rows.stop - start]
        np.subtract(numbers[rows], mean, out=block, casting="same_kind")
        yield rows, block


def _basis(numbers: NDArray[Any], mean: NDArray[np.float64], rank: int) -> NDArray[np.float64]:
    """Give an orthonormal basis of the subspace of greatest variance.

    The principal axes themselves would undo the rotation up to signs, for anyone with the projected table: its own
    principal axes are the same, rotated. So the basis is one that the subspace alone determines.
    """
    rows, columns = numbers.shape
    if rows >= columns:
        covariance = np.zeros((columns, columns))
        for _, centred in _centred(numbers, mean, np.float64):
            covariance += centred.T @ centred
        axes = np.linalg.eigh(covariance)[1][:, : -rank - 1 : -1].T
    else:
        axes = np.linalg.svd(numbers - mean, full_matrices=False)[2][:rank]
    # The pivots and the echelon form depend on the row space of `axes` only, not on which rows span it.
    pivots = qr(axes, mode="r", pivoting=True)[1][:rank]
    q, r = np.linalg.qr(np.linalg.solve(axes[:, pivots], axes).T)
    basis: NDArray[np.float64] = (q * np.where(np.diagonal(r) < 0, -1.0, 1.0)).T
    return basis
