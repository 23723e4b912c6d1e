"""A sealed model in BentoML: one handle a worker, ready only if a prediction can be made.

Run it from its folder::

    MODELPRIV_KEYRING=... MODEL=model.mpriv bentoml serve bentoml_service:Predictor
"""

import os

import bentoml
import pandas as pd

from modelpriv.audit import acting_as
from modelpriv.serving import ModelHandle


@bentoml.service
class Predictor:
    def __init__(self) -> None:
        self.handle = ModelHandle(os.environ["MODEL"], key="env:MODELPRIV_KEYRING")

    def __is_ready__(self) -> bool:
        return self.handle.ready()

    @bentoml.api
    def predict(self, rows: list[dict[str, float | str | None]], user: str = "anonymous") -> list[float]:
        with acting_as(user):
            return self.handle.predict(pd.DataFrame(rows)).tolist()
