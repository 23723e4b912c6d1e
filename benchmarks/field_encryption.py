"""FieldEncryptor against the loop that one would write without it: a cipher call and a base64 call for each cell."""

import base64

import numpy as np
import pandas as pd
import pybase64
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from benchmarks.harness import Contestant, Race, Row
from modelpriv import FieldEncryptor, Keyring

CELLS = 200_000
LOOP_CELLS = 20_000
BLOCK, OVERHEAD = 16, 21  # bytes; a token's header and synthetic IV


def prepare(mode: str) -> Race:
    """Encrypt a text column of a data frame; a cell has 10 to 30 characters, as e-mail addresses have."""
    lengths = np.random.default_rng(0).integers(10, 30, CELLS)
    emails = [f"{number:0{length}}" for number, length in enumerate(lengths)]
    table = pd.DataFrame({"email": emails})
    step = FieldEncryptor(mode, key=Keyring.generate()).fit(table)

    cipher, header = AESSIV(AESSIV.generate_key(512)), b"\x11abcd"

    def loop() -> object:
        sealed = (cipher.encrypt(cell.encode(), [header, b"email"]) for cell in table["email"].iloc[:LOOP_CELLS])
        return pd.Series([base64.urlsafe_b64encode(header + cell).rstrip(b"=").decode() for cell in sealed])

    # S2V and CTR each send every block through AES once; then all bytes go through base64 once.
    size = int(lengths.sum())
    blocks = bytearray(2 * BLOCK * int((lengths // BLOCK + 1).sum()))
    out = bytearray(len(blocks) + BLOCK)
    aes = Cipher(AES(bytes(32)), ECB()).encryptor()  # noqa: S305 - the bare permutation, to time it

    def floor() -> object:
        aes.update_into(blocks, out)
        return pybase64.b64encode(bytes(size + OVERHEAD * CELLS))

    return Race(
        ours=Contestant(lambda: step.transform(table), units=CELLS),
        peer=Contestant(loop, units=LOOP_CELLS),
        floor=Contestant(floor, units=CELLS),
    )


LOOP, LIMIT = "AESSIV and base64 a cell", "AES blocks and base64 alone"
ROWS = (
    Row("encrypt text, deterministic", lambda: prepare("deterministic"), LOOP, LIMIT),
    Row("encrypt text, randomized", lambda: prepare("randomized"), LOOP, LIMIT),
)
