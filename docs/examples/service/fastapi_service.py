"""A prediction service in FastAPI: one sealed model, health checks, metrics, an audit log, versions without a restart.

Run it with two workers. MODELPRIV_KEYRING is what `Keyring.export_secret` returns; both folders must exist, and that of
the metrics must be empty::

    export MODELPRIV_KEYRING=... MODEL=model.mpriv AUDIT=audit PROMETHEUS_MULTIPROC_DIR=metrics
    mkdir -p audit metrics && rm -f metrics/*.db
    uvicorn fastapi_service:app --workers 2
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
from modelpriv.errors import InputError, ModelprivError
from modelpriv.integrations.prometheus import PrometheusExporter
from modelpriv.serving import ModelHandle

KEY = "env:MODELPRIV_KEYRING"
held: dict[str, ModelHandle] = {}


@asynccontextmanager
async def life(_: FastAPI) -> AsyncIterator[None]:
    with ExitStack() as stack:
        if logs := os.environ.get("AUDIT"):  # a folder, in which each worker has a log of its own
            stack.enter_context(AuditLog(f"{logs}/worker-{os.getpid()}.jsonl", key=KEY))
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):  # a worker that has ended no longer says which version answers
            stack.callback(multiprocess.mark_process_dead, os.getpid())
        stack.enter_context(PrometheusExporter())
        held["model"] = stack.enter_context(ModelHandle(os.environ["MODEL"], key=KEY))
        yield


app = FastAPI(lifespan=life)


@app.post("/predict")
def predict(rows: list[dict[str, float | str | None]], x_user: Annotated[str, Header()] = "anonymous") -> list[float]:
    with acting_as(x_user):
        try:
            return held["model"].predict(pd.DataFrame(rows)).tolist()
        except ValueError as error:
            if isinstance(error, ModelprivError) and not isinstance(error, InputError):
                raise  # a key or the audit log fails: 500, since no caller can mend that
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
