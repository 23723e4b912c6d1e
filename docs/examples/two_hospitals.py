"""Two hospitals release their tables by one policy: names alike in both, joins kept, birth years and areas only."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from faker import Faker

from modelpriv import Deidentifier, Keyring

POLICY = """
version = 1
text = ["postcode"]

[columns]
patient = { transformer = "Pseudonymizer" }
name = { transformer = "Replacer", provider = "name", pool_size = 100000 }
street = "drop"
postcode = { transformer = "FieldEncryptor", mode = "deterministic" }
area = { from = "postcode", transformer = "Generalizer", to = "zip3" }
born = { transformer = "Generalizer", to = "year" }
value = "keep"
"""


def people(seed, patients):
    """A made-up table of patients."""
    fake = Faker("en_US")
    fake.seed_instance(seed)
    rows = [
        (patient, name, fake.street_address(), postcode, born, fake.random_int(40, 120) / 10)
        for patient, name, postcode, born in patients
    ]
    return pd.DataFrame(rows, columns=["patient", "name", "street", "postcode", "born", "value"])


def main():
    fake = Faker("en_US")
    fake.seed_instance(4)
    known = [(f"P-{n}", fake.name(), fake.postcode(), str(fake.date_of_birth())) for n in range(300)]
    Path("policy.toml").write_text(POLICY)
    keys = Keyring.generate()
    keys.save("keys.json", passphrase="correct horse battery staple")

    print("\nWhat the policy does, before anything is released")
    step = Deidentifier.from_policy("policy.toml", key=keys)
    print(step.plan(people(1, known)))

    print("\nEach hospital protects its own table by one command")
    raw = {"north": people(1, known[:200]), "south": people(2, known[100:])}
    for hospital, table in raw.items():
        table.to_csv(f"{hospital}.csv", index=False)
        protect(f"{hospital}.csv", f"{hospital}.parquet")

    north, south = (pd.read_parquet(f"{hospital}.parquet") for hospital in raw)
    both = north.merge(south, on="patient", suffixes=("", "_south"))
    assert len(both) == 100
    assert both["name"].equals(both["name_south"])
    print(f"\n{len(both)} patients are in both tables, and have the same new name in each:")
    print(both[["patient", "name", "area", "born", "value", "value_south"]].head(3).to_string(index=False))

    back = step.inverse_transform(north)  # by the policy and the keyring alone
    assert back["postcode"].tolist() == raw["north"]["postcode"].tolist()
    print("\nWith the keyring, the exact postcodes come back; names and birth dates do not.")


def protect(table, out):
    """Run the command as a shell would; the passphrase comes from the environment."""
    command = [
        sys.executable,
        "-m",
        "modelpriv",
        "protect",
        table,
        out,
        "--policy",
        "policy.toml",
        "--key",
        "file:keys.json",
    ]
    done = subprocess.run(
        command,
        env=os.environ | {"MODELPRIV_PASSPHRASE": "correct horse battery staple"},
        check=True,
        capture_output=True,
        text=True,
    )
    print(done.stdout.splitlines()[0])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        here = Path.cwd()
        os.chdir(folder)
        try:
            main()
        finally:
            os.chdir(here)
