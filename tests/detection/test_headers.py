"""Headers: what they say in five languages, however they are written."""

import pytest

from modelpriv.detection.headers import read_header
from modelpriv.detection.kinds import ROLES
from modelpriv.detection.wordlists import folded_text, lines

MORE = {"latitude", "longitude", "quasi", "sensitive", "other"}


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("customer_email_address", "email"),
        ("ip_address", "ip"),
        ("home address", "street"),
        ("addressLine1", "street"),
        ("FirstName", "given_name"),
        ("first-name", "given_name"),
        ("PATIENT_ID", "record_id"),
        ("Straße", "street"),
        ("Strasse", "street"),
        ("Laengengrad", "longitude"),
        ("Kundentelefonnummer", "phone"),
        ("Prénom", "given_name"),
        ("Dirección de correo", "email"),
        ("客户手机号", "phone"),
        ("出生日期", "birth_date"),
        ("company name", "other"),
        ("Mean age", "age"),
        ("patient_phone", "phone"),
        ("age value", "age"),
        ("total income", "sensitive"),
        ("length of stay", "measurement"),
        ("file_name", "other"),
        ("MaritalStatus", "quasi"),
    ],
)
def test_the_longest_phrase_says_the_kind(header, kind):
    """Of the phrases in a header the longest one counts: an e-mail address is no street."""
    assert read_header(header).kind == kind


@pytest.mark.parametrize("header", ["c1", "x", "V12", "Unnamed: 3", "col_7", "", 4, None, ("a", "b")])
def test_headers_without_a_word_say_nothing(header):
    """A position and a made-up name say neither a kind nor that they mean something."""
    assert read_header(header).kind is None
    assert read_header(header).opaque


def test_phrases_are_written_as_they_are_looked_up():
    """Each phrase is in lower case, without accents and spaces, belongs to a kind, and to one alone."""
    seen = {}
    for line in lines("headers"):
        kind, phrases = line.split(": ")
        assert kind in ROLES.keys() | MORE
        for phrase in (each.removeprefix("~") for each in phrases.split(", ")):
            assert phrase == folded_text(phrase).replace(" ", "")
            assert seen.setdefault(phrase, kind) == kind, phrase
