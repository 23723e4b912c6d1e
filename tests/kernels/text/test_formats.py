"""The named formats: each row of their table, what does not fit, and the same rules written once more for one cell."""

# ruff: noqa: RUF001 - digits and signs that only look like those of ASCII are what is tested

import ipaddress
import string

import pyarrow as pa
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from modelpriv.kernels.text import blocks
from modelpriv.kernels.text.formats import FORMATS
from modelpriv.kernels.text.mask import mask


def masked(name, *cells, **options):
    return mask(pa.array(cells, pa.string()), FORMATS[name], **options).to_pylist()


TABLE = {
    "phone": {
        "+1 415-555-0132": "+* ***-***-0132",
        "(415) 555-0132": "(***) ***-0132",
        "415.555.0132": "***.***.0132",
        "4155550132": "******0132",
        "555-0132": "***-0132",
        "0049 (0)30/901820": "**** (*)**/**1820",
    },
    "email": {
        "alice.w@mail.example.com": "a******@mail.example.com",
        "ab@example.org": "a*@example.org",
        "jürgen@müller.example": "j*****@müller.example",
        "e\u0301dith@example.org": "e\u0301****@example.org",
        "李小明@例子.中国": "李**@例子.中国",
        "o'neil+news@xn--bcher-kva.example": "o**********@xn--bcher-kva.example",
    },
    "card": {
        "4111 1111 1111 1111": "4111 11** **** 1111",
        "4111111111111111": "411111******1111",
        "3782-822463-10005": "3782-82****-*0005",
        "411111111111": "411111**1111",
        "6011000000000000004": "601100*********0004",
        "4111 1111 1111 1112": "4111 11** **** 1112",  # a wrong check digit
    },
    "iban": {
        "DE89 3704 0044 0532 0130 00": "DE** **** **** **** **30 00",
        "GB82WEST12345698765432": "GB****************5432",
        "no9386011117947": "no*********7947",
        "DE88 3704 0044 0532 0130 00": "DE** **** **** **** **30 00",  # wrong check digits
    },
    "ssn": {"123-45-6789": "***-**-6789", "123 45 6789": "*** ** 6789", "123456789": "*****6789"},
    "name": {
        "Ada Lovelace": "A** L*******",
        "Jean-Luc O'Neil": "J******* O*****",
        "J. R. R. Tolkien": "J* R* R* T******",
        "Ångström Öl": "Å******* Ö*",
        "e\u0301dith Piaf": "e\u0301**** P***",
        "José\u00a0García": "J***\u00a0G*****",
        "김 민준": "김 민*",
        "محمد علي": "م*** ع**",
        "Ａｄａ Ｌｏｖｅｌａｃｅ": "Ａ** Ｌ*******",
        "Ada Лавлейс": "A** Л******",
    },
    "ip": {
        "192.168.7.9": "192.168.*.*",
        "10.0.255.249": "10.0.*.*",
        "2001:db8::1": "2001:db8:*",
        "2001:0DB8:85a3:0000:0000:8a2e:0370:7334": "2001:0DB8:*",
        "fe80::1": "fe80:*",
        "1:2:3:4:5:6:7::": "1:2:*",
        "0.0.0.1": "0.0.*.*",
        "1::2:3:4:5:6:7": "1:*",
        "199.200.249.255": "199.200.*.*",
    },
    "date": {
        "1987-03-14": "1987-**-**",
        "1987/3/4": "1987/*/*",
        "14.03.1987": "**.**.1987",
        "12/31/1987": "**/**/1987",
        "1987-03-14 10:30:00.25+01:00": "1987-**-** **:**:**.**+**:**",
        "19870314": "1987****",
        "20240229": "2024****",
        "1987-03-14T10:30:00Z": "1987-**-*****:**:***",
    },
    "postcode": {
        "90210": "902**",
        "SW1A 1AA": "SW1* ***",
        "90210-1234": "902**-****",
        "100-0001": "100-****",
        "M1 1AE": "M1 1**",
        "1015": "10**",
        "AD 10": "AD **",
    },
    "cn_phone": {"13800138000": "138****8000", "138 0013 8000": "138 **** 8000"},
    "cn_id": {
        "11010519491231002X": "110105********002X",
        "11010519491231002x": "110105********002x",
        "110105194912310021": "110105********0021",  # a wrong check digit
    },
    "cn_name": {
        "欧阳娜娜": "欧阳**",
        "歐陽娜": "歐陽*",
        "欧阳": "欧*",
        "王小明": "王**",
        "王伟": "王*",
        "𠮷小明": "𠮷**",
    },
}

# Nothing stays of these: one mask character for each character of the cell.
UNFIT = {
    "phone": [
        "",
        "   ",
        "--",
        "110",
        "555 013",
        "415-555-0132 x3",
        "٤١٥٥٥٥٠١٣٢",
        "４１５-５５５-０１３２",
        "415-555-013２",
        "1" * 16,
        "415\u200b555\u200b0132",
        "call 4155550132",
        "+1 415‑555‑0132",
        "4155550132\n",
        "4155550132\u0301",
    ],
    "email": [
        "",
        "a@x.org",
        "@x.org",
        "alice",
        "alice@",
        "alice@example",
        "alice@@x.org",
        "a b@x.org",
        "alice@x..org",
        "alice@.x.org",
        "alice@x.org.",
        "alice@-x.org",
        "Alice <alice@x.org>",
        "alice@x.org,bob@y.org",
        "alice＠x.org",
        "alice@1.2.3.4",
        " alice@x.org",
        "alice@x\u202e.org",
        "alice@x.org\n",
        "ali\u200bce@x.org",
        "a__@x.org",
        "\u0301@x.org",
        "😀alice@x.org",
    ],
    "card": [
        "",
        "4111 1111 111",
        "4" * 20,
        "4111 1111 1111 111X",
        "４１１１ １１１１ １１１１ １１１１",
        "4111_1111_1111_1111",
        "4111 ١١١١ 1111 1111",
        "4111\u00a01111\u00a01111\u00a01111",
        "4111.1111.1111.1111",
    ],
    "iban": [
        "",
        "DE89 3704 0044 0",
        "D389 3704 0044 0532 0130 00",
        "DEX9 3704 0044 0532 0130 00",
        "ДЕ89 3704 0044 0532 0130 00",
        " DE89 3704 0044 0532 0130 00",
        "DE89.3704.0044.0532.0130.00",
        "DE89 " + "1" * 31,
        "ＤＥ89 3704 0044 0532 0130 00",
    ],
    "ssn": ["", "123-45-678", "123-45-67890", "123-45-678９", "123/45/6789", "SSN 123-45-6789"],
    "name": [
        "",
        "   ",
        "J",
        "A B C",
        "J. R.",
        "Ada 2",
        "4155550132",
        "alice@x.org",
        "Ada\u200bLovelace",
        "Ada\nLovelace",
        "李 明",
        "😀 Ada",
        "Ada\u202eLovelace",
        "Ada Ⅱ",
        "-'-",
        "Ada_Lovelace",
        "\u0301 Ada",
    ],
    "ip": [
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "1.2.3.1000",
        "1.2.3.",
        ".1.2.3",
        "1..2.3",
        "1.2.3.4:80",
        "1.2.3.0/24",
        "::1",
        "::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::1",
        "1:::2",
        "1::2::3",
        "1:2:3:4:5:6:7:",
        "1::2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::",
        "1:2:3:4:5:6:7:8:",
        "1::2:",
        "1:2.3.4",
        "1.2.3.4.",
        "192.168.7.300",
        "260.1.1.1",
        "1.2.3.4" + "0" * 60,
        "1:2:3:4:5:6:7:8" + "0" * 60,
        "1.2.3.4\u0301",
        "٠.٠.٠.٠",
        "g::1",
        "fe80::1%eth0",
        "::ffff:192.168.7.9",
        "１.2.3.4",
        "1.2.3.4 ",
    ],
    "date": [
        "",
        "1987",
        "1987-03",
        "1987-13-14",
        "1987-03-32",
        "1987-00-14",
        "1987-03-00",
        "0987-03-14",
        "3987-03-14",
        "19871314",
        "14031987",
        "1987/03-14",
        "87-03-14",
        "14 March 1987",
        "1987年3月14日",
        "1987-3-14-1",
        "１９８７-03-14",
        "13/13/1987",
        " 1987-03-14",
        "1987-03-14 at noon",
        "4155-55-01",
        "-03-14",
        "1987--14",
        "1987-03-",
    ],
    "postcode": [
        "",
        "9021٠",
        "ＳＷ１Ａ １ＡＡ",
        "АВ1 1АА",
        "101",
        "SW1",
        "12345678901",
        "９0210",
        "SW1A_1AA",
        "90.210",
        "Köln 50667",
    ],
    "cn_phone": [
        "",
        "23800138000",
        "1380013800",
        "138001380001",
        "+8613800138000",
        "１３８００１３８０００",
        " 13800138000",
        "1380013800O",
        "138٠0138000",
    ],
    "cn_id": [
        "",
        "110105491231002",
        "1101051949123100X1",
        "X1010519491231002X",
        "110105194912310０21",
        "110105 19491231 002X",
        "11010519491231002Y",
    ],
    "cn_name": ["", "王", "王 伟", "王小明abc", "王·伟", "Wang Wei", "王小明小明小明", "王１", "王\u200b伟", "김민준"],
}


@pytest.mark.parametrize("name", FORMATS)
def test_what_the_table_shows(name):
    """Each cell of the table comes out as the table has it."""
    assert masked(name, *TABLE[name]) == list(TABLE[name].values())


@pytest.mark.parametrize("name", FORMATS)
def test_what_does_not_fit_is_masked_whole(name):
    """A cell that is not plainly of the format becomes mask characters only, one for each character."""
    assert masked(name, *UNFIT[name]) == ["*" * len(regex.findall(r"\X", cell)) for cell in UNFIT[name]]


@pytest.mark.parametrize("name", FORMATS)
def test_a_cell_does_not_depend_on_its_neighbours(name):
    """A cell is masked alone as it is in a column, whatever fits or does not around it."""
    cells = [*TABLE[name], *UNFIT[name], *reversed(TABLE[name]), *list(TABLE[name])[:1] * 5]
    assert masked(name, *cells) == [masked(name, cell)[0] for cell in cells]


@pytest.mark.parametrize("name", FORMATS)
def test_a_column_of_one_layout_with_others_in_it(name):
    """A column in which nearly all cells have one layout is masked like one in which none has."""
    (usual, expected), *_ = TABLE[name].items()
    cells = [usual] * 10 + [*UNFIT[name], *TABLE[name], None] + [usual] * 10
    alone = [masked(name, cell)[0] for cell in cells]
    assert masked(name, *cells) == alone
    assert alone[0] == alone[-1] == expected


@pytest.mark.parametrize("name", FORMATS)
def test_formats_with_a_wide_mark(name):
    """A mask character of several bytes stands where one of a single byte would."""
    cells = [*TABLE[name], *UNFIT[name]]
    assert masked(name, *cells, char="•") == [cell and cell.replace("*", "•") for cell in masked(name, *cells)]


@pytest.mark.parametrize("name", FORMATS)
def test_formats_with_a_fixed_length(name):
    """With a length, masked characters in a row are written as so many, and an empty cell too."""
    cells = [*TABLE[name], *UNFIT[name]]
    assert masked(name, *cells, length=3) == [regex.sub(r"\*+", "***", cell) or "***" for cell in masked(name, *cells)]


# --- the same rules once more, written for one cell -------------------------------------------------------------------


def show(cell, shown):
    return "".join(c if i in shown else "*" for i, c in enumerate(cell))


def code(cell, separators, allowed, *, first=0, last=0, letters=False, like=""):
    alphabet = string.digits + (string.ascii_letters if letters else "")
    places = [i for i, c in enumerate(cell) if c in alphabet]
    others = [i for i, c in enumerate(cell) if c in separators]
    if len(places) + len(others) < len(cell) or len(places) not in allowed or not regex.match(like, cell):
        return "*" * len(cell)
    return show(cell, {*others, *places[:first], *places[len(places) - last :]})


def email(cell):
    word = "[A-Za-z0-9]"
    found = regex.fullmatch(
        rf"[\w!#$%&'*+\-/=?^`{{|}}~.]+@{word}[A-Za-z0-9-]*(\.{word}[A-Za-z0-9-]*)+(?<=[A-Za-z])", cell, regex.ASCII
    )
    local = cell.split("@")[0]
    if not found or not regex.search(rf"^.{word}|.{word}$", local):
        return "*" * len(cell)
    return local[0] + "*" * (len(local) - 1) + cell[len(local) :]


def name(cell):
    firsts = {found.start() for found in regex.finditer(r"(?<![^ \t])[^ \t]", cell)}
    shown = firsts | {i for i, c in enumerate(cell) if c in " \t"}
    fits = regex.fullmatch(r"[A-Za-z \t\-'.,()]*", cell) and any(
        c.isalpha() for i, c in enumerate(cell) if i not in shown
    )
    return show(cell, shown if fits else ())


def ip(cell):
    parts = cell.split(".")
    if regex.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", cell) and all(int(part) <= 255 for part in parts):
        return f"{parts[0]}.{parts[1]}.*.*"
    try:
        fits = bool(regex.fullmatch("[0-9a-fA-F][0-9a-fA-F:]*", cell) and ipaddress.IPv6Address(cell))
    except ValueError:
        fits = False
    if not fits:
        return "*" * len(cell)
    groups = cell.split("::")[0].split(":")
    return ":".join(groups[:2]) + ":*"


def date(cell):
    if regex.fullmatch("[12][0-9]{3}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", cell):
        return show(cell, range(4))
    found = regex.fullmatch(r"(\d+)([-/.])(\d+)\2(\d+)([ T][\d:.+\-/ TZ]*)?", cell)
    if found:
        one, mark, two, three, _ = found.groups()
        lengths = (len(one), len(two), len(three))
        ahead = lengths[0] == 4 and max(lengths[1:]) < 3
        behind = lengths[2] == 4 and max(lengths[:2]) < 3
        year, month, day = (one, two, three) if ahead else (three, *sorted((one, two), key=int))
        if (ahead or behind) and year[0] in "12" and 1 <= int(month) <= 12 and 1 <= int(day) <= 31:
            start = 0 if ahead else len(one + mark + two + mark)
            return show(cell, {*range(start, start + 4), *(i for i, c in enumerate(cell) if c in "-/.:+ ")})
    return "*" * len(cell)


def postcode(cell):
    short = code(cell, " -", [4], first=2, letters=True)
    return short if short != "*" * len(cell) else code(cell, " -", range(5, 11), first=3, letters=True)


ONE_CELL = {
    "phone": (lambda cell: code(cell, " -.()+/", range(7, 16), last=4), "0123456789012345678 -.()+/x"),
    "card": (lambda cell: code(cell, " -", range(12, 20), first=6, last=4), "0123456789012345678901234567890 -."),
    "ssn": (lambda cell: code(cell, " -", [9], last=4), "01234567890123456789 -."),
    "iban": (
        lambda cell: code(cell, " -", range(15, 35), first=2, last=4, letters=True, like="[A-Za-z]{2}[0-9]{2}"),
        "DEde0123456789 -",
    ),
    "postcode": (postcode, "ABZabz0123456789 -_"),
    "cn_phone": (lambda cell: code(cell, " -", [11], first=3, last=4, like="1"), "1111111123456789 -"),
    "email": (email, "abcXYZ019._+--@@@@. "),
    "name": (name, "abcXYZ .,'-\t()1 "),
    "ip": (ip, "0012259aF..:::g"),
    "date": (date, "0112399---//. :TZ+"),
}


@pytest.mark.parametrize("name", ONE_CELL)
@given(data=st.data())
def test_a_column_is_masked_as_each_cell_would_be(name, data):
    """The rule for columns gives what the rule for one cell gives, for cells of the format's own characters."""
    one, alphabet = ONE_CELL[name]
    like = st.one_of(
        st.text(st.sampled_from(alphabet), max_size=24),
        st.sampled_from([cell for cell in (*TABLE[name], *UNFIT[name]) if cell.isascii()]),
        st.sampled_from([cell for cell in TABLE[name] if cell.isascii()]).flatmap(
            lambda cell: st.tuples(st.integers(0, len(cell)), st.integers(0, 2), st.sampled_from(alphabet)).map(
                lambda edit: cell[: edit[0]] + edit[2] + cell[edit[0] + edit[1] :]
            )
        ),
    )
    cells = data.draw(st.lists(like, max_size=12))
    assert masked(name, *cells) == [one(cell) for cell in cells]


@pytest.mark.parametrize("name", FORMATS)
@given(
    cells=st.lists(
        st.text(
            st.one_of(st.sampled_from("a1 -.:@陈é\u0301\u200d👩😀\u200b"), st.characters(exclude_categories=["Cs"]))
        ),
        max_size=8,
    )
)
def test_no_cell_comes_out_as_it_went_in(name, cells):
    """Whatever the text, a cell with anything to mask is not the same afterwards, and shows nothing that it had not."""
    for cell, result in zip(cells, masked(name, *cells, char="\x7f"), strict=True):
        assert result != cell or not cell.replace("\x7f", "")
        left = iter(cell)
        assert all(character in left for character in result if character != "\x7f")


@pytest.mark.parametrize("name", FORMATS)
def test_empty_cells_among_others(name):
    """Empty cells beside cells of the format stay empty, and change nothing."""
    (cell, expected), *_ = TABLE[name].items()
    assert masked(name, "", cell, "", cell, "") == ["", expected, "", expected, ""]


def test_formats_over_many_blocks(monkeypatch):
    """A column that takes several blocks is masked like its cells one by one."""
    monkeypatch.setattr(blocks, "_ROWS", 3)
    for name, table in TABLE.items():
        cells = [*table, *UNFIT[name], *table]
        assert masked(name, *cells) == [masked(name, cell)[0] for cell in cells]
