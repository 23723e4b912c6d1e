"""A whole life of a key and a model, by commands alone but for the training."""

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from modelpriv import AuditLog, FieldEncryptor, Keyring, dump, load

X = pd.DataFrame({"email": [f"canary{n}@example.org" for n in range(8)], "visits": [3, 1, 7, 2, 5, 4, 8, 6]})


def test_a_whole_life(run, ask, tmp_path):
    """Keygen, train, rotate, repin, rewrap, usage, retire and audit verify: the model predicts the same throughout."""
    older = ask("keygen", "keys.json")["key_id"]
    (tmp_path / "models").mkdir()
    with AuditLog("audit.jsonl", key="file:keys.json"):
        protect = make_column_transformer((FieldEncryptor(key="file:keys.json"), ["email"]), remainder="passthrough")
        model = make_pipeline(protect, make_column_transformer(("passthrough", [1])), Ridge()).fit(X, range(8))
        dump(model, "models/service.mpriv", key="file:keys.json")
        dump(Ridge().fit(X[["visits"]], range(8)), "models/plain.mpriv", key="file:keys.json")
    X.to_parquet("rows.parquet")
    expected = model.predict(X)
    assert run("audit", "verify", "audit.jsonl", "--key", "file:keys.json")[0] == 0

    newer = ask("rotate", "keys.json")["key_id"]
    assert run("usage", "models", "--key-id", older)[0] == 1
    assert run("retire", "keys.json", older, "--check", "models")[0] == 1
    assert run("repin", "models/service.mpriv", "--key", "file:keys.json", "--sample", "rows.parquet")[0] == 0
    assert run("rewrap", "models/plain.mpriv", "--key", "file:keys.json")[0] == 0
    assert run("usage", "models", "--key-id", older)[0] == 0

    # The log's lines so far are under the older key: from the next file on, it is verified without that key.
    assert run("audit", "rotate", "audit.jsonl", "--key", "file:keys.json")[0] == 0
    assert run("audit", "verify", "audit.jsonl", "--key", "file:keys.json")[0] == 0
    assert ask("usage", "models")["key_ids"] == {newer: 3}
    assert ask("retire", "keys.json", older, "--check", "models")["key_ids"] == [newer]
    assert Keyring.from_uri("file:keys.json").key_ids == (newer,)
    assert (load("models/service.mpriv", key="file:keys.json").predict(X) == expected).all()
    assert run("leaks", "models")[0] == 0
    assert run("audit", "verify", "audit.jsonl", "--key", "file:keys.json", "--first-file", "2")[0] == 0
    assert run("audit", "verify", "audit.jsonl", "--key", "file:keys.json")[0] == 3
