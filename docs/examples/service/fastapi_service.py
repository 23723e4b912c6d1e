"""A prediction service in FastAPI: one sealed model, health checks, metrics, an audit log, versions without a restart.

Run it with two workers::

    MODELPRIV_KEYRING=... MODEL=model.mpriv uvicorn fastapi_service:app --workers 2
"""

import os
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Annotated

import pandas as pd
from fastapi import FastAPI, Header, HTTPException, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess

from modelpriv import AuditLog
from modelpriv.audit import acting_as
from modelpriv.integrations.prometheus import PrometheusExporter
from modelpriv.serving import ModelHandle

KEY = "env:MODELPRIV_KEYRING"
held: dict[str, ModelHandle] = {}


@asynccontextmanager
async def life(_: FastAPI) -> AsyncIterator[None]:
    with ExitStack() as stack:
        if logs := os.environ.get("AUDIT"):  # a folder, in which each worker has a log of its own
            stack.enter_context(AuditLog(f"{logs}/worker-{os.getpid()}.jsonl", key=KEY))
        stack.enter_context(PrometheusExporter())
        held["model"] = stack.enter_context(ModelHandle(os.environ["MODEL"], key=KEY))
        yield


app = FastAPI(lifespan=life)


@app.post("/predict")
def predict(rows: list[dict[str, float | str | None]], x_user: Annotated[str, Header()] = "anonymous") -> list[float]:
    with acting_as(x_user):
        try:
            return held["model"].predict(pd.DataFrame(rows)).tolist()
        except ValueError:
            raise HTTPException(422, "the rows do not have the columns and types of the model") from None


@app.get("/health")
def health(response: Response) -> dict[str, object]:
    status = held["model"].status()
    response.status_code = 200 if status.ready else 503
    return {"pid": os.getpid(), **status.to_dict()}


@app.get("/metrics")
def metrics() -> Response:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # adds up what all workers counted, in PROMETHEUS_MULTIPROC_DIR
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
