"""Masker against regular expressions, Arrow kernels and packages that mask the same text; pandas text in and out."""

import importlib.util
import re
import string
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.harness import Contestant, Race, Row
from modelpriv import Masker

CELLS, FEW, DIFFERENT = 1_000_000, 20_000, 20_000
MEGABYTE = 1_000_000


def column(make: Callable[[np.random.Generator], str], cells: int = CELLS) -> pd.DataFrame:
    """A column of text, drawn from some thousand different cells."""
    rng = np.random.default_rng(0)
    known = np.array([make(rng) for _ in range(DIFFERENT)], dtype=object)
    return pd.DataFrame({"x": pd.Series(rng.choice(known, cells)).astype("str")})


def filled(pattern: str) -> Callable[[np.random.Generator], str]:
    """Make texts from a pattern: 9 stands for a digit, X for a letter, anything else for itself."""
    alphabets = {"9": string.digits, "X": string.ascii_uppercase}

    def make(rng: np.random.Generator) -> str:
        return "".join(rng.choice(list(alphabets[c])) if c in alphabets else c for c in pattern)

    return make


def one_of(*makers: Callable[[np.random.Generator], str]) -> Callable[[np.random.Generator], str]:
    return lambda rng: makers[rng.integers(len(makers))](rng)


def words(*places: str) -> Callable[[np.random.Generator], str]:
    """Make texts by choosing a word for each place."""
    choices = [place.split("|") for place in places]
    return lambda rng: "".join(rng.choice(choice) for choice in choices)


def ip_v4(rng: np.random.Generator) -> str:
    return ".".join(map(str, rng.integers(0, 256, 4)))


def ip_v6(rng: np.random.Generator) -> str:
    return ":".join(f"{group:x}" for group in rng.integers(0, 65536, 8))


def date(rng: np.random.Generator) -> str:
    return str(np.datetime64("1930-01-01") + int(rng.integers(30_000)))


def shorten(found: re.Match[str]) -> str:
    return f"{found[1]}.*.*" if found[1] else f"{found[2]}:*"


PHONE = one_of(filled("+1 999-999-9999"), filled("(999) 999-9999"), filled("999-999-9999"), filled("999.999.9999"))
NAME = words("Ada|Grace|Jean-Luc|Margaret|Bo|Katherine", " ", "Lovelace|Hopper|O'Neil|Hamilton|Li|Johnson")
LATIN = words("Zoë|Jürgen|Renée|Łukasz|Ana|Søren", " ", "Müller|Kovač|Núñez|Dvořák|Żak|Ångström")
CHINESE = words("王|李|张|刘|陈|杨|黄|赵", "小|大|建|志|美|", "明|华|伟|芳|娜|强")
EMOJI = words("👨‍👩‍👧|👩🏽‍🚀|🇩🇪|❤️‍🔥", " ", "👩‍❤️‍👨|🏴‍☠️|👍🏿", " ok")
COMBINING = words("Zoe\u0308|Ju\u0308rgen|Rene\u0301e", " ", "Mu\u0308ller|Nu\u0301n\u0303ez")

# For each format the cells, and a regular expression with its replacement that gives the same.
FORMATS: dict[str, tuple[Callable[[np.random.Generator], str], str, str | Callable[[re.Match[str]], str]]] = {
    "phone": (PHONE, r"\d(?=(?:\D*\d){4})", "*"),
    "email": (
        words("alice.w|bob|carol.jones77|dave_k|li", "@", "mail.example.com|example.org"),
        r"(?<!^)[^@](?=[^@]*@)",
        "*",
    ),
    "card": (filled("9999 9999 9999 9999"), r"^(\d{4} \d{2})\d{2} \d{4} (\d{4})$", r"\1** **** \2"),
    "iban": (
        filled("DE99 9999 9999 9999 9999 99"),
        r"^([A-Z]{2})\d{2} \d{4} \d{4} \d{4} \d{2}(\d{2} \d{2})$",
        r"\1** **** **** **** **\2",
    ),
    "ssn": (filled("999-99-9999"), r"^\d{3}-\d{2}-(\d{4})$", r"***-**-\1"),
    "name": (NAME, r"(?<=\S)\S", "*"),
    "ip": (one_of(ip_v4, ip_v4, ip_v6), r"^(\d+\.\d+)\.\d+\.\d+$|^([0-9a-f]+:[0-9a-f]+):.*$", shorten),
    "date": (date, r"^(\d{4})-\d\d-\d\d$", r"\1-**-**"),
    "postcode": (filled("99999"), r"^(\d{3})\d{2}$", r"\1**"),
    "cn_phone": (filled("19999999999"), r"^(\d{3})\d{4}(\d{4})$", r"\1****\2"),
    "cn_id": (filled("999999999999999999"), r"^(\d{6})\d{8}(\d{4})$", r"\1********\2"),
    "cn_name": (CHINESE, r"(?<!^).", "*"),
}


def against_regex(make: Callable[[np.random.Generator], str], step: Masker, pattern: str, by: object) -> Race:
    """A column, against its regular expression in pandas; both must give the same."""
    table = column(make)
    some = table["x"][:FEW]
    assert step.transform(table)["x"][:FEW].tolist() == some.str.replace(pattern, by, regex=True).tolist()
    data = pa.array(table["x"]).buffers()[2]
    return Race(
        ours=Contestant(lambda: step.transform(table), units=CELLS),
        peer=Contestant(lambda: some.str.replace(pattern, by, regex=True), units=FEW),
        floor=Contestant(data.to_pybytes, units=CELLS),
    )


def against_arrow() -> Race:
    """The last four stay, against what one would write with Arrow's own kernels."""
    table, step = column(PHONE), Masker(keep_last=4)

    def kernels() -> object:
        cells = pa.array(table["x"])
        stars = pc.binary_repeat(pa.scalar("*", cells.type), pc.subtract(pc.binary_length(cells), 4))
        last = pc.utf8_slice_codeunits(cells, -4)
        masked = pc.binary_join_element_wise(stars, last, pa.scalar("", cells.type))
        return pd.DataFrame({"x": pd.array(masked, dtype="str")})

    assert kernels().equals(step.transform(table))
    return Race(ours=Contestant(lambda: step.transform(table), units=CELLS), peer=Contestant(kernels, units=CELLS))


def against_maskops() -> Race:
    """Phone numbers, against a Rust plug-in of polars that finds them by patterns; of a form that it does find."""
    import maskops  # noqa: PLC0415 - peers that need not be there
    import polars as pl  # noqa: PLC0415

    table, step = column(filled("+1 999-999-9999")), Masker(keep_last=4)
    frame = pl.DataFrame({"x": table["x"][: CELLS // 10].tolist()})

    def plugin() -> pl.DataFrame:
        return frame.with_columns(maskops.mask_pii("x", patterns=["phone"]))

    assert plugin()["x"].str.contains("*", literal=True).all()
    return Race(ours=Contestant(lambda: step.transform(table), units=CELLS), peer=Contestant(plugin, units=len(frame)))


def against_presidio() -> Race:
    """All but the last four, against Presidio's engine for tables; it is told what the column holds."""
    from presidio_anonymizer.entities import OperatorConfig  # noqa: PLC0415 - a peer that need not be there
    from presidio_structured import PandasDataProcessor, StructuredAnalysis, StructuredEngine  # noqa: PLC0415

    table, step = column(PHONE), Masker(keep_last=4)
    few = table[:2_000]
    engine, what = StructuredEngine(PandasDataProcessor()), StructuredAnalysis(entity_mapping={"x": "PHONE_NUMBER"})
    how = {"PHONE_NUMBER": OperatorConfig("mask", {"masking_char": "*", "chars_to_mask": 8, "from_end": False})}
    peer = Contestant(lambda: engine.anonymize(few, what, operators=how), units=len(few))
    return Race(ours=Contestant(lambda: step.transform(table), units=CELLS), peer=peer)


def against_ascii(make: Callable[[np.random.Generator], str], cells: int = CELLS) -> Race:
    """The first character of a name stays; the cost compared with a name of ASCII letters."""
    step, table, names = Masker(keep_first=1), column(make, cells), column(NAME)
    return Race(
        ours=Contestant(lambda: step.transform(table), units=cells),
        floor=Contestant(lambda: step.transform(names), units=CELLS),
    )


def against_fewer(step: Masker, make: Callable[[np.random.Generator], str], cells: int, fewer: int) -> Race:
    """The cost of a cell in a long column, compared with a short one."""
    table, small = column(make, cells), column(make, fewer)
    return Race(
        ours=Contestant(lambda: step.transform(table), units=cells),
        floor=Contestant(lambda: [step.transform(small) for _ in range(10)], units=10 * fewer),
    )


def against_a_shorter_cell(patterns: Sequence[str]) -> Race:
    """The cost of each megabyte of a long cell, with several patterns, compared with a cell of one megabyte."""
    steps = [Masker(regex=pattern) for pattern in patterns]
    long, short = (pd.DataFrame({"x": pd.Series(["x" * size]).astype("str")}) for size in (10 * MEGABYTE, MEGABYTE))
    return Race(
        ours=Contestant(lambda: [step.transform(long) for step in steps], units=10 * len(steps)),
        floor=Contestant(lambda: [step.transform(short) for step in steps], units=len(steps)),
    )


# Patterns on which an engine that goes back and tries again takes time that grows with a power of the cell's length, or
# doubles with each character.
NESTED = ("(?:x+x+)+", "(?:x|x?)+", "(?:x*)*", "(?:x|xx|xxx)*", "(?:x+)+", "(?:(?:x?x?)*)*", "(?:.*)*", r"(?:\w+\w?)*")
MORE = ("x*x*x*x*x*x*", ".*.*.*=", "(?:.*){9}", "x{0,200}x*", "(?:x?){30}x{30}")
ENDS = ("y", "$", "[^x]", "(?:y|z)$", r"\b!", "\n", "xy", "=.*=")
HOSTILE = [f"(?P<x>{middle}){end}" for middle in NESTED + MORE for end in ENDS][:100]


LONG: tuple[tuple[str, Masker, Callable[[np.random.Generator], str]], ...] = (
    ("keep the last 4", Masker(keep_last=4), PHONE),
    ("name", Masker("name"), NAME),
    ("ip", Masker("ip"), FORMATS["ip"][0]),
    ("a mark of three bytes", Masker(keep_last=4, char="•"), PHONE),
)
REGEX, COPY, ASCII, KEPT = "pandas str.replace", "one copy of the bytes", "ASCII names", r".(?=.{4})"
IP_V4 = r"^(\d+\.\d+)\.\d+\.\d+$"
PEERS = (
    ("maskops", Row("keep the last 4, against a plug-in", against_maskops, "maskops")),
    (
        "presidio_structured presidio_analyzer presidio_anonymizer",
        Row("keep the last 4, against an engine", against_presidio, "presidio-structured"),
    ),
)
ROWS = (
    Row("keep the last 4", lambda: against_regex(PHONE, Masker(keep_last=4), KEPT, "*"), REGEX, COPY),
    Row("keep the last 4, by kernels", against_arrow, "Arrow kernels"),
    *(row for packages, row in PEERS if all(map(importlib.util.find_spec, packages.split()))),
    *(
        Row(
            name,
            lambda cells=cells, name=name, pattern=pattern, by=by: against_regex(cells, Masker(name), pattern, by),
            REGEX,
            COPY,
        )
        for name, (cells, pattern, by) in FORMATS.items()
    ),
    Row("ip, of version 4 only", lambda: against_regex(ip_v4, Masker("ip"), IP_V4, r"\1.*.*"), REGEX, COPY),
    Row("keep the first, Chinese names", lambda: against_ascii(CHINESE), floor=ASCII),
    Row("keep the first, Latin names", lambda: against_ascii(LATIN), floor=ASCII),
    Row("keep the first, combining", lambda: against_ascii(COMBINING, CELLS // 10), floor=ASCII),
    Row("keep the first, emoji of many code points", lambda: against_ascii(EMOJI, CELLS // 10), floor=ASCII),
    *(
        Row(
            f"{work}, 10 million cells",
            lambda step=step, make=make: against_fewer(step, make, 10 * CELLS, CELLS // 10),
            floor="100 thousand",
            rounds=3,
        )
        for work, step, make in LONG
    ),
    Row(
        "100 hostile patterns on 10 MB",
        lambda: against_a_shorter_cell(HOSTILE),
        floor="on 1 MB",
        unit="MB",
        rounds=1,
    ),
)
