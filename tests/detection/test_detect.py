"""detect: each column has its kind, what tells people apart is never to be kept, and the answer has no cell."""

import json
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import modelpriv
from modelpriv import Keyring
from modelpriv.detection import DetectedColumn, detect
from modelpriv.detection.kinds import ROLES
from modelpriv.detection.wordlists import lines
from modelpriv.errors import InputError, InputTypeError, ProtectionWarning

SIZE = 300
RNG = np.random.default_rng(0)
CANARY = "Zyxwvut"


def cycled(*cells):
    return [cells[i % len(cells)] for i in range(SIZE)]


def kind_of(cells, header="c1"):
    return detect(pd.DataFrame({header: cells}))[header].kind


# Forms that say enough without a header.
FORMS = {
    "email": [f"user{i}@mail{i % 7}.example.org" for i in range(SIZE)],
    "url": [f"https://example.org/people/{i}" for i in range(SIZE)],
    "uuid": [f"{i:08x}-1234-4abc-9def-0123456789ab" for i in range(SIZE)],
    "ip": [f"192.0.2.{i % 256}" for i in range(SIZE)],
    "ssn": [f"{100 + i}-45-{1000 + i}" for i in range(SIZE)],
    "iban": cycled("GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "NO9386011117947"),
    "card": cycled("4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444"),
    "chinese_id": cycled("11010519491231002X", "440524188001010014"),
    "vat": cycled("DE136695976", "ATU13585627", "LU15027442"),
    "date": [f"2021-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(SIZE)],
    "birth_date": [f"{1 + i % 28:02}.{1 + i % 12:02}.{1930 + i % 80}" for i in range(SIZE)],
    "phone": [f"+1 415-555-{i:04}" for i in range(SIZE)],
    "sex": cycled("F", "M"),
    "country": cycled("Norway", "Frankreich", "Japan", "España", "中国"),
    "given_name": cycled(*lines("given")[::97]),
    "full_name": cycled("Anna Smith", "James Johnson", "Mary Miller", "Robert Brown", "Linda Davis"),
    "postcode": cycled("SW1A 1AA", "EC1A 1BB", "M1 1AE"),
    "coordinates": [f"{52 + i / 1e4:.4f}, {13 + i / 1e4:.4f}" for i in range(SIZE)],
    "free_text": [f"The patient number {i} came in with a cough and went home again." for i in range(SIZE)],
    "record_id": [f"K-{i:06}" for i in range(SIZE)],
    "category": cycled("basic", "plus", "gold"),
    "measurement": RNG.normal(70, 12, SIZE).round(1),
    "flag": RNG.random(SIZE) < 0.5,
}


@pytest.mark.parametrize("kind", FORMS)
def test_cells_alone_tell_the_kind(kind):
    """A form that speaks for itself is found under a header that says nothing."""
    assert kind_of(FORMS[kind]) == kind


def test_full_names_in_chinese_are_found():
    """A family name that is common, and one or two characters after it, are a name."""
    assert kind_of(cycled("王小明", "李伟", "张美丽", "欧阳建国")) == "full_name"


def test_words_that_are_names_too_are_no_names_where_they_repeat():
    """White, Black and Brown are family names, and three values in many rows are not."""
    assert kind_of(cycled("White", "Black", "Brown"), "group") == "category"
    assert kind_of(cycled("White", "Black", "Brown")) == "category"


def test_addresses_of_devices_are_no_prose():
    """Signs between letters and digits make no words."""
    assert kind_of([f"00:1b:44:11:{i // 256:02x}:{i % 256:02x}" for i in range(SIZE)]) == "record_id"


def test_mail_is_no_url():
    """An address with a domain is an e-mail address, not a link, whatever the header says."""
    assert kind_of(FORMS["email"], "website") == "email"


@pytest.mark.parametrize(
    ("header", "cells", "kind"),
    [
        ("Geburtsdatum", FORMS["date"], "birth_date"),
        ("fecha_nacimiento", FORMS["date"], "birth_date"),
        ("出生日期", FORMS["date"], "birth_date"),
        ("date de naissance", FORMS["date"], "birth_date"),
        ("DOB", [19_150_101 + i % 28 for i in range(SIZE)], "birth_date"),
        ("Kundentelefonnummer", [f"030 {i:06}" for i in range(SIZE)], "phone"),
        ("Âge", [20 + i % 60 for i in range(SIZE)], "age"),
        ("性别", [1 + i % 2 for i in range(SIZE)], "sex"),
        ("PLZ", [10_000 + i for i in range(SIZE)], "postcode"),
        ("codigo_postal", [f"{i:05}" for i in range(SIZE)], "postcode"),
        ("lat", RNG.uniform(40, 60, SIZE), "coordinates"),
        ("nom", cycled("Xq", "Yw", "Zorgl"), "category"),
        ("familyName", [f"Xyz{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(SIZE)], "family_name"),
        ("NHS number", cycled("943 476 5919", "9434765870"), "nhs_number"),
        ("soc_sec_id", [5_304_218 + 7 * i for i in range(SIZE)], "national_id"),
    ],
)
def test_headers_tell_the_kind_where_the_cells_may_be_that(header, cells, kind):
    """A header in five languages, in any way of writing, decides what the form leaves open."""
    assert kind_of(cells, header) == kind


def test_a_header_that_the_cells_contradict_is_reviewed():
    """A column that is called a phone number and holds words is not taken for either."""
    column = detect(pd.DataFrame({"phone": cycled("red", "green", "blue")}))["phone"]
    assert column.review
    assert column.proposal != "keep"


@pytest.mark.parametrize("dtype", ["int64", "float64", "str"])
def test_numbers_that_no_header_explains_are_reviewed(dtype):
    """Whole numbers may be codes: without a header that explains them they are not kept."""
    column = detect(pd.DataFrame({"c1": pd.Series(RNG.integers(0, 9999, SIZE)).astype(dtype)}))["c1"]
    assert column.review
    assert column.proposal != "keep"


@pytest.mark.parametrize("cells", [[], [None] * 5, ["", " ", None]])
def test_a_column_without_cells_is_reviewed(cells):
    """What holds nothing today may hold a name tomorrow."""
    column = detect(pd.DataFrame({"c1": pd.Series(cells, dtype="str")}))["c1"]
    assert (column.kind, column.review) == ("empty", True)
    assert column.proposal != "keep"


HEADERS = [line.split(": ")[1].split(", ")[0].removeprefix("~") for line in lines("headers")]


@pytest.mark.parametrize("header", HEADERS)
def test_identifiers_are_kept_under_no_header(header):
    """Whatever a header says, cells with a form that speaks for itself are not proposed to be kept."""
    identifying = {kind: FORMS[kind] for kind in FORMS.keys() - {"measurement", "flag", "category"}}
    numbers = {
        "phone": 4_150_000_000 + RNG.integers(0, 10**7, SIZE),
        "card": 4 * 10**15 + RNG.integers(0, 10**12, SIZE),
    }
    for cells in (*identifying.values(), *numbers.values()):
        assert detect(pd.DataFrame({header: cells}))[header].proposal != "keep"


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("cells", [[], [None, 2.5], [3, 4], ["x", "y"], ["1", None], [True], [b"x"]])
def test_every_header_goes_with_every_sort_of_cells(header, cells):
    """Whatever a header says and the cells are, there is a kind, a role and a proposal."""
    column = detect(pd.DataFrame({header: pd.Series(cells, dtype=object)})).columns[0]
    assert column.kind in ROLES
    assert column.role in {"direct identifier", "quasi-identifier", "sensitive", "other"}


def test_an_odd_column_does_not_stop_the_others():
    """A column of several types is reviewed, and all others are found."""
    found = detect(pd.DataFrame({"odd": pd.Series([1, "a", 2.5] * 100, dtype=object), "mail": FORMS["email"]}))
    assert (found["odd"].kind, found["odd"].proposal, found["odd"].review) == ("unreadable", "review", True)
    assert found["mail"].kind == "email"


def test_types_that_are_not_looked_into_are_reviewed():
    """Bytes and durations are reviewed, and their share of nulls is right."""
    found = detect(pa.table({"photo": [b"\x00", None] * 50, "stay": pa.array([5, None] * 50, pa.duration("s"))}))
    assert [(column.kind, column.proposal, column.evidence["nulls"]) for column in found] == [
        ("text", "review", 0.5)
    ] * 2


def test_counts_of_things_are_no_things():
    """A count of links is a number to look at, not a link."""
    column = detect(pd.DataFrame({"email_count": RNG.integers(0, 900, SIZE)}))["email_count"]
    assert (column.kind, column.review) == ("measurement", True)


def test_few_cells_in_a_long_column_are_found():
    """A column that is null almost everywhere is looked at where it is not."""
    cells = np.full(100_000, None, object)
    cells[::1000] = [f"user{i}@example.org" for i in range(100)]
    column = detect(pd.DataFrame({"c1": pd.Series(cells, dtype="str")}))["c1"]
    assert column.kind == "email"
    assert column.evidence["nulls"] == pytest.approx(0.999, abs=1e-4)


def test_a_long_table_is_not_read_in_full():
    """Of a long column four thousand cells are looked at, however long it is."""
    column = detect(pd.DataFrame({"c1": np.arange(200_000) % 7}))["c1"]
    assert column.evidence["cells"] == pytest.approx(4000, abs=5)


TABLE = {name: FORMS[name] for name in ("email", "phone", "record_id", "sex", "measurement", "flag", "date")}


def test_every_container_gives_the_same_answer():
    """pandas, polars and pyarrow give one answer, but for their dtypes."""
    made = [pd.DataFrame(TABLE), pl.DataFrame(TABLE), pa.table(TABLE)]
    answers = [[(c.name, c.kind, c.evidence, c.proposal) for c in detect(table)] for table in made]
    assert answers[0] == answers[1] == answers[2]


def test_columns_without_names_go_by_position():
    """In an array the columns are called by their positions."""
    found = detect(np.array([FORMS["email"], FORMS["url"]], dtype=object).T)
    assert [(column.name, column.kind) for column in found] == [(0, "email"), (1, "url")]


def test_the_answer_is_the_same_each_time():
    """Two calls on one table agree: rows are chosen by position."""
    table = pd.DataFrame({name: cells * 40 for name, cells in FORMS.items() if isinstance(cells, list)})
    assert detect(table) == detect(table)


def test_the_answer_holds_no_cell():
    """No cell is in what is printed, exported or kept."""
    cells = [f"{CANARY}{i}" for i in range(SIZE)]
    found = detect(pd.DataFrame({"note": cells, "name": cells, "mail": [f"{c}@x.org" for c in cells]}))
    shown = [repr(found), found._repr_html_(), found.to_json(), found.frame().to_csv(), repr(found.columns)]
    assert not any(CANARY.lower() in text.lower() for text in shown)


def test_it_prints_exports_and_looks_up():
    """A detection is a table to read, a frame, JSON, HTML, and a mapping by name."""
    found = detect(pd.DataFrame({"<mail>": FORMS["email"], "weight": FORMS["measurement"]}))
    assert repr(found).splitlines()[1].startswith("<mail>  ")
    assert list(found.frame()["kind"]) == ["email", "measurement"]
    assert [column["kind"] for column in json.loads(found.to_json())["columns"]] == ["email", "measurement"]
    assert "&lt;mail&gt;" in found._repr_html_()
    assert isinstance(found["weight"], DetectedColumn)
    assert len(found) == len(found.columns)
    with pytest.raises(KeyError, match="weight"):
        found["height"]


def test_what_is_no_table_is_refused():
    """A text, and a table with a name twice, are refused as by every transformer."""
    with pytest.raises(InputTypeError):
        detect("people.csv")
    with pytest.raises(InputError, match="unique"):
        detect(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@example(["0E0"], "")
@given(
    st.lists(st.one_of(st.none(), st.text(max_size=20), st.from_regex(r"\A[a-z0-9]{1,12}\Z")), max_size=40),
    st.text(max_size=12),
)
@settings(max_examples=150, deadline=None)
def test_text_is_never_kept(cells, header):
    """Whatever the text and the header, no column of words is proposed to be kept; plain numbers alone may be."""
    column = detect(pd.DataFrame({header: pd.Series(cells, dtype="str")})).columns[0]
    number = re.compile(r"[+-]?(\d+|(\d+\.\d*|\.\d+)([eE][+-]?\d+)?)")
    numbers = all(cell is None or not cell.strip() or number.fullmatch(cell.strip()) for cell in cells)
    assert column.proposal != "keep" or numbers
    assert column.review or column.kind not in {"text", "empty", "unreadable"}


KEYS = Keyring.generate()


@pytest.mark.parametrize("kind", FORMS)
def test_proposals_can_be_carried_out(kind):
    """A transformer that is proposed exists, takes its parameters, and protects the column that it is proposed for."""
    table = pd.DataFrame({kind: FORMS[kind]})
    proposal = detect(table)[kind].proposal
    if isinstance(proposal, str):
        assert proposal in {"keep", "drop", "review"}
        return
    transformer = getattr(modelpriv, proposal["transformer"])
    keyed = {"key": KEYS} if "key" in transformer._get_param_names() else {}
    step = transformer(**proposal["parameters"], **keyed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProtectionWarning)  # of fakes that several names share
        released = step.fit_transform(table)
    # Merging rare values changes nothing where none is rare.
    assert released[kind].tolist() != table[kind].tolist() or proposal["parameters"].get("to") == "frequent"
