"""Protect two tables of patients, train, seal the model, and use it in other processes: with the key and without."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from secrets import token_urlsafe

import numpy as np
import pandas as pd
from faker import Faker
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelpriv import EncryptedEstimator, FieldEncryptor, Keyring, Masker, Replacer, dump, load
from modelpriv.errors import KeyUnavailableError


def main():
    # The measurements are those of 442 real patients. Who they are, and when they came, is made up.
    people, progression = load_diabetes(scaled=False, as_frame=True, return_X_y=True)
    measured, fake = list(people.columns), Faker("en_US")
    fake.seed_instance(442)
    people["patient_id"] = [f"P{number}" for number in fake.random.sample(range(10_000, 100_000), len(people))]
    for column in ("name", "email", "date_of_birth"):
        people[column] = [getattr(fake, column)() for _ in range(len(people))]
    people["phone_number"] = [fake.numerify("+1 ### ###-####") for _ in range(len(people))]
    visits = pd.DataFrame({"patient_id": fake.random.choices(people["patient_id"], k=1000), "minutes": 15})
    keys, passphrase = Keyring.generate(), token_urlsafe()
    keys.save("keys.json", passphrase=passphrase)

    print("\nProtect both tables")
    protect = make_column_transformer(
        (Masker("phone"), ["phone_number"]),
        (Replacer("name", key=keys, unique=True, unseen="pseudonym"), ["name"]),
        (FieldEncryptor("deterministic", key=keys), ["patient_id", "email"]),
        (FieldEncryptor("randomized", key=keys), ["date_of_birth"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    released = protect.fit_transform(people)
    released_visits = FieldEncryptor("deterministic", columns=["patient_id"], key=keys).fit_transform(visits)
    for column in people.columns.difference(measured):
        print(f"  {column:<13}  {people[column].iloc[0]!s:<30}  ->  {released[column].iloc[0]:.40}")
        assert (people[column].astype(str) != released[column]).all()

    print("\nJoin them on the token of the patient's id")
    joined = released.merge(released_visits, on="patient_id")
    assert len(joined) == len(people.merge(visits, on="patient_id")) == len(visits)
    print(f"  {len(joined)} visits found their patient, as many as in clear")

    print("\nTrain, with the protecting step in the pipeline, on two workers")
    measurements = make_column_transformer((StandardScaler(), measured))
    model = EncryptedEstimator(make_pipeline(protect, measurements, Ridge()), key=keys)
    in_clear = cross_val_score(make_pipeline(measurements, Ridge()), people, progression, n_jobs=2)
    protected = cross_val_score(model, people, progression, n_jobs=2)
    assert np.array_equal(in_clear, protected)
    print(f"  R² in clear {in_clear.mean():.6f}, protected {protected.mean():.6f}")

    print("\nSeal the model")
    dump(model.fit(people, progression), "model.mpriv")
    content, coefficients = Path("model.mpriv").read_bytes(), model.estimator_[-1].coef_
    hidden = [word.encode() for word in (*people["name"], "Ridge", "Pipeline")] + [c.tobytes() for c in coefficients]
    assert not any(it in content for it in hidden)
    print(f"  {len(content):,} bytes; none of the {len(hidden)} names, classes and coefficients is among them")

    print("\nUse it in another process, with the keyring and its passphrase")
    people.to_parquet("people.parquet")
    released.to_parquet("released.parquet")
    in_another_process("use_with_the_key", MODELPRIV_PASSPHRASE=passphrase)
    assert np.array_equal(np.load("predictions.npy"), model.predict(pd.read_parquet("people.parquet")))
    assert pd.read_parquet("emails.parquet").equals(people[["email"]])
    print("  both are exactly what they are here")

    print("\nTry it in another process, with all the files and no key")
    in_another_process("try_without_the_key")


def use_with_the_key():
    predictions = load("model.mpriv", key="file:keys.json").predict(pd.read_parquet("people.parquet"))
    np.save("predictions.npy", predictions)
    tokens = pd.read_parquet("released.parquet", columns=["email"])
    emails = FieldEncryptor("deterministic", key="file:keys.json").inverse_transform(tokens)
    emails.to_parquet("emails.parquet")
    print(f"  predicted {len(predictions)} patients, decrypted {len(emails)} e-mail addresses")


def try_without_the_key():
    for key in (Keyring.generate(), "file:keys.json"):  # a key of one's own; the right one without its passphrase
        try:
            load("model.mpriv", key=key)
        except KeyUnavailableError as refusal:
            print(f"  refused: {refusal}")
        else:
            raise AssertionError("the model opened without its key")


def in_another_process(function, **environment):
    command = [sys.executable, "-u", __file__, function]
    subprocess.run(command, env=os.environ | environment, check=True)


if __name__ == "__main__":
    __file__ = os.path.abspath(__file__)  # noqa: PTH100 - we work in another folder
    if len(sys.argv) > 1:
        globals()[sys.argv[1]]()
    else:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            main()
