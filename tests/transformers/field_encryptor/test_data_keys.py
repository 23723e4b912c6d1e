"""Data keys of a fit to public keys: they reach the workers of this process, and no other process."""

import pandas as pd
from joblib import Parallel, delayed

from modelpriv import FieldEncryptor, Identity


def test_workers_encrypt_on():
    """Worker processes of the one that fitted give its tokens."""
    table = pd.DataFrame({"id": ["a", "b", "a"]})
    step = FieldEncryptor("deterministic", recipients=[Identity.generate("x25519").recipient]).fit(table)
    for tokens in Parallel(n_jobs=2)(delayed(step.transform)(table) for _ in range(2)):
        assert tokens.equals(step.transform(table))
