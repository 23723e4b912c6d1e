"""KAnonymityCurveDisplay: what each k costs and what risk it leaves, as numbers and as a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelpriv._core.checks import ListOf, Whole, check
from modelpriv._core.optional import need
from modelpriv.errors import ParameterError
from modelpriv.transformers.k_anonymizer.anonymizer import KAnonymizer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from modelpriv._columns.arrow import Table

__all__ = ["KAnonymityCurveDisplay"]


class KAnonymityCurveDisplay:
    """Loss and risk of a table over k.

    It holds computed numbers only, no table and no value of one. Make it with `from_table`.

    Parameters
    ----------
    k : list of int
        The k that were tried.
    loss : list of float
        The global certainty penalty at each, from 0 to 1.
    mean_risk, highest_risk : list of float
        The mean and the highest risk of a row at each.

    Examples
    --------
    >>> from modelpriv.evidence import KAnonymityCurveDisplay
    >>> curve = KAnonymityCurveDisplay.from_table([[age] for age in range(100)], k=[2, 10])
    >>> curve.highest_risk[1] <= 1 / 10
    True
    """

    def __init__(
        self, *, k: Sequence[int], loss: Sequence[float], mean_risk: Sequence[float], highest_risk: Sequence[float]
    ) -> None:
        self.k = list(k)
        self.loss = list(loss)
        self.mean_risk = list(mean_risk)
        self.highest_risk = list(highest_risk)

    @classmethod
    def from_table(
        cls, table: Table, y: object = None, *, k: Sequence[int] = (2, 5, 10, 20, 50), **parameters: Any
    ) -> Self:
        """Anonymise a table with each k, and keep the loss and the risk.

        Parameters
        ----------
        table : pandas, polars or pyarrow table, numpy array or list of rows
            The table; it is not changed, and needs as many rows as the largest k.
        y : array-like, optional
            The target, for ``method="target"``.
        k : list of int, default=(2, 5, 10, 20, 50)
            What to try.
        **parameters
            Those of `KAnonymizer`, such as `quasi`, `hierarchies` and `method`.

        Returns
        -------
        KAnonymityCurveDisplay
            The numbers; `plot` draws them.
        """
        check("k", k, ListOf(Whole(least=2), words="a list of whole numbers of at least 2"))
        steps = [KAnonymizer(k=one, **parameters).fit(table, y) for one in k]
        return cls(
            k=k,
            loss=[step.loss_["gcp"] for step in steps],
            mean_risk=[step.risk_["mean"] for step in steps],
            highest_risk=[step.risk_["highest"] for step in steps],
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw loss and risk over k, on an axis of powers; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default on a figure of its own.

        Returns
        -------
        ax : matplotlib Axes
            Where it was drawn.
        """
        pyplot: Any = need("matplotlib.pyplot", "plot", error=ParameterError)
        if ax is None:
            _, ax = pyplot.subplots()
        ax.plot(self.k, self.loss, marker="o", label="loss (GCP)")
        ax.plot(self.k, self.mean_risk, marker="s", label="mean risk")
        ax.plot(self.k, self.highest_risk, marker="^", label="highest risk")
        ax.set(xscale="log", xlabel="k", ylim=(0, None), xticks=self.k, xticklabels=list(map(str, self.k)))
        ax.minorticks_off()
        ax.legend()
        return ax
