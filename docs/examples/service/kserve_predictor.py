"""A sealed model in KServe: a custom predictor, since KServe's own loads only pickles of a few libraries.

Put it into an image with ``modelpriv`` and ``kserve``. Mount the model as a volume and the keyring's file as a secret::

    MODEL=/mnt/model.mpriv MODEL_KEY=file:/mnt/keys/ring.json python kserve_predictor.py --model_name risk
"""

import os
from typing import Any

import pandas as pd
from kserve import InferRequest, InferResponse, Model, ModelServer, model_server
from kserve.utils.utils import get_predict_input, get_predict_response

from modelpriv.serving import ModelHandle


class SealedModel(Model):
    def load(self) -> bool:
        self.handle = ModelHandle(os.environ["MODEL"], key=os.environ["MODEL_KEY"])
        self.ready = self.handle.ready()
        return self.ready

    async def healthy(self) -> bool:
        return self.handle.ready()

    def predict(self, payload: Any, headers: Any = None) -> dict[str, Any] | InferResponse:  # noqa: ARG002 - KServe's face
        is_v2 = isinstance(payload, InferRequest)
        rows = get_predict_input(payload) if is_v2 else pd.DataFrame(payload["instances"])
        return get_predict_response(payload, self.handle.predict(rows), self.name)


if __name__ == "__main__":
    arguments = model_server.parser.parse_args()
    model = SealedModel(arguments.model_name)
    model.load()
    ModelServer().start([model])
