"""Warnings name the line of the user's own code, wherever they arise."""

import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from modelpriv import Masker, Replacer
from modelpriv.errors import ProtectionWarning

TABLE = pd.DataFrame({"born": ["no date"] * 20})


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_transformers_warning_names_the_callers_line(wrapped):
    """The warning is at the call of the transformer, or of the pipeline that it is in."""
    masker = make_pipeline(Masker("date")) if wrapped else Masker("date")
    with pytest.warns(ProtectionWarning) as caught:
        masker.fit_transform(TABLE)
    assert caught[0].filename == __file__


def test_a_fits_warning_names_the_callers_line(keyring):
    """So is one of `fit`."""
    table = pd.DataFrame({"name": [str(number) for number in range(500)]})
    with pytest.warns(ProtectionWarning) as caught:
        Replacer(pool_size=50, key=keyring).fit(table)
    assert caught[0].filename == __file__
