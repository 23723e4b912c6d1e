"""KAnonymityCurveDisplay: the numbers are those of KAnonymizer at each k, and the plot shows them."""

import numpy as np
import pytest

from modelpriv import KAnonymizer
from modelpriv.errors import InputError, ParameterError
from modelpriv.evidence import KAnonymityCurveDisplay

TABLE = np.random.default_rng(0).integers(0, 30, (200, 3))


def test_the_numbers_are_those_of_each_fit():
    """Loss and risk at each k are what a fit with that k says, whatever the method."""
    for parameters in ({}, {"quasi": [0, 1]}, {"method": "full-domain", "suppress": 0.1}):
        curve = KAnonymityCurveDisplay.from_table(TABLE, k=[2, 9], **parameters)
        steps = [KAnonymizer(k=k, **parameters).fit(TABLE) for k in (2, 9)]
        assert curve.loss == [step.loss_["gcp"] for step in steps]
        assert curve.mean_risk == [step.risk_["mean"] for step in steps]
        assert curve.highest_risk == [step.risk_["highest"] for step in steps]


def test_the_plot_has_a_line_for_each_measure():
    """The plot goes to the axes that are given, and its lines are the numbers."""
    matplotlib = pytest.importorskip("matplotlib", reason="install matplotlib")
    matplotlib.use("agg")
    curve = KAnonymityCurveDisplay(k=[2, 5], loss=[0.1, 0.2], mean_risk=[0.3, 0.15], highest_risk=[0.5, 0.2])
    axes = curve.plot()
    assert curve.plot(axes) is axes
    assert [line.get_ydata().tolist() for line in axes.lines[:3]] == [[0.1, 0.2], [0.3, 0.15], [0.5, 0.2]]
    assert axes.get_xlabel() == "k"
    matplotlib.pyplot.close("all")


def test_what_is_refused():
    """A k below 2, and a table with fewer rows than a k, are refused."""
    with pytest.raises(ParameterError, match="k must be a list of whole numbers"):
        KAnonymityCurveDisplay.from_table(TABLE, k=[1])
    with pytest.raises(InputError, match="fewer than k=201"):
        KAnonymityCurveDisplay.from_table(TABLE, k=[201])
