"""Tables of generated people, with the kind that each column has: what `detect` is measured on.

The rules and lists of `modelpriv.detection` were made with the locales of `TUNED` in sight, and mended after a look at
those of `SEEN`. `HELD_OUT` are others, with headers that are written in other ways again. Headers without meaning
(`opaque`) leave the cells alone to tell.
"""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from faker import Faker

TUNED = {"en_US": "english", "de_DE": "german", "fr_FR": "french", "es_ES": "spanish", "zh_CN": "chinese"}
SEEN = {
    "en_GB": "other english",
    "de_AT": "other german",
    "fr_CA": "other french",
    "es_MX": "other spanish",
    "zh_TW": "other english",
    "it_IT": "other english",
    "nl_NL": "other german",
    "pl_PL": "other english",
    "pt_BR": "other spanish",
    "sv_SE": "other english",
}

HELD_OUT = {
    "en_AU": "third english",
    "en_IN": "third english",
    "de_CH": "third german",
    "fr_BE": "third french",
    "es_CO": "third spanish",
    "da_DK": "third english",
    "ro_RO": "third english",
    "cs_CZ": "third english",
    "fi_FI": "third german",
    "pt_PT": "third spanish",
}

# For each column the kind, and its header in the languages and ways of writing.
LANGUAGES = ("english", "german", "french", "spanish", "chinese")
OTHERS = ("other english", "other german", "other french", "other spanish")
COLUMNS: dict[str, tuple[str, str, str, str, str]] = {
    "given_name": ("first_name", "Vorname", "prenom", "nombre", "名"),
    "family_name": ("last_name", "Nachname", "nom", "apellidos", "姓"),
    "full_name": ("name", "Kundenname", "nom_complet", "nombre_completo", "姓名"),
    "email": ("email", "E-Mail", "courriel", "correo", "邮箱"),
    "phone": ("phone", "Telefon", "telephone", "telefono", "手机号"),
    "street": ("street_address", "Strasse", "adresse", "direccion", "地址"),
    "place": ("city", "Ort", "ville", "ciudad", "城市"),
    "postcode": ("zip", "PLZ", "code_postal", "codigo_postal", "邮编"),
    "country": ("country", "Land", "pays", "pais", "国家"),
    "birth_date": ("date_of_birth", "Geburtsdatum", "date_naissance", "fecha_nacimiento", "出生日期"),
    "date": ("created_at", "Aufnahmedatum", "date_inscription", "fecha", "注册日期"),
    "age": ("age", "Alter", "age", "edad", "年龄"),
    "sex": ("sex", "Geschlecht", "sexe", "sexo", "性别"),
    "identity": ("ssn", "Ausweisnummer", "securite_sociale", "dni", "身份证号"),
    "iban": ("iban", "IBAN", "iban", "iban", "银行账号"),
    "card": ("credit_card", "Kreditkarte", "carte_bancaire", "tarjeta", "信用卡号"),
    "ip": ("ip_address", "IP-Adresse", "adresse_ip", "direccion_ip", "IP地址"),
    "url": ("website", "Webseite", "site_web", "sitio_web", "网址"),
    "uuid": ("uuid", "UUID", "uuid", "uuid", "uuid"),
    "user_name": ("username", "Benutzername", "pseudo", "usuario", "用户名"),
    "record_id": ("customer_id", "Kundennummer", "numero_client", "numero_cliente", "客户编号"),
    "latitude": ("latitude", "Breitengrad", "latitude", "latitud", "纬度"),
    "longitude": ("longitude", "Laengengrad", "longitude", "longitud", "经度"),
    "free_text": ("notes", "Bemerkungen", "commentaires", "observaciones", "备注"),
    "job": ("occupation", "Beruf", "profession", "ocupacion", "职业"),
    "category": ("status", "Status", "statut", "tipo", "状态"),
    "measurement": ("weight_kg", "Gewicht", "poids", "peso", "体重"),
    "flag": ("active", "aktiv", "actif", "activo", "是否有效"),
}
OTHER_COLUMNS: dict[str, tuple[str, str, str, str]] = {
    "given_name": ("GivenName", "VORNAMEN", "Prénom du patient", "PrimerNombre"),
    "family_name": ("Surname", "Familienname", "NOM_DE_FAMILLE", "primer apellido"),
    "full_name": ("PatientName", "Vollst. Name", "Nom et prénom", "NombreApellidos"),
    "email": ("contactEmail", "Mailadresse", "AdresseMail", "Correo electrónico"),
    "phone": ("Mobile No.", "Handynummer", "Numéro de téléphone", "Teléfono móvil"),
    "street": ("addressLine1", "Anschrift", "Adresse postale", "Domicilio"),
    "place": ("Home town", "Wohnort", "Commune", "Población"),
    "postcode": ("PostalCode", "Postleitzahl", "CP", "cod_codigo_postal"),
    "country": ("Nationality", "Staatsangehörigkeit", "Nationalité", "Nacionalidad"),
    "birth_date": ("DOB", "Geb.-Datum", "Date de naissance", "FechaNacimiento"),
    "date": ("AdmissionDate", "Entlassungsdatum", "Horodatage", "FechaDeAlta"),
    "age": ("Age (years)", "Lebensalter", "Âge", "Edad"),
    "sex": ("Gender", "GESCHLECHT", "Genre", "Género"),
    "identity": ("NationalID", "Personalausweisnummer", "NIR", "Número de identidad"),
    "iban": ("Bank account", "Kontonummer", "Numéro de compte", "CuentaBancaria"),
    "card": ("CardNumber", "Kartennummer", "Carte de crédit", "Número de tarjeta"),
    "ip": ("clientIP", "IpAdresse", "IP", "ip"),
    "url": ("homepage", "Homepage", "URL", "página web"),
    "uuid": ("guid", "GUID", "guid", "guid"),
    "user_name": ("LoginName", "Anmeldename", "Identifiant", "nombre de usuario"),
    "record_id": ("MRN", "Patientennummer", "Matricule", "Expediente"),
    "latitude": ("Lat", "lat", "Latitude", "Latitud"),
    "longitude": ("Lng", "lon", "Longitude", "Longitud"),
    "free_text": ("ClinicalNotes", "Anmerkungen", "Remarques", "Comentarios"),
    "job": ("JobTitle", "Beruf", "Profession", "Profesión"),
    "category": ("Group", "Gruppe", "Catégorie", "Categoría"),
    "measurement": ("BodyHeight", "Größe", "Taille", "Altura"),
    "flag": ("is_member", "Mitglied", "membre", "miembro"),
}
THIRDS = ("third english", "third german", "third french", "third spanish")
THIRD_COLUMNS: dict[str, tuple[str, str, str, str]] = {
    "given_name": ("fname", "Vorname_Kunde", "Prénom", "Nombre"),
    "family_name": ("lname", "Nachname_Kunde", "Nom", "Apellido 1"),
    "full_name": ("Full Name", "Name", "Nom du client", "Nombre y apellidos"),
    "email": ("E-mail Address", "E-Mail-Adresse", "Adresse e-mail", "Correo electrónico"),
    "phone": ("Telephone", "Tel.", "Tél.", "Tfno."),
    "street": ("Mailing Address", "Straße + Hausnr.", "Adresse du domicile", "Dirección"),
    "place": ("Town", "Stadt", "Ville de résidence", "Municipio"),
    "postcode": ("Post Code", "Post-LZ", "Code postal", "C.P."),
    "country": ("Country of residence", "Herkunftsland", "Pays de naissance", "País"),
    "birth_date": ("Birth Date", "geb. am", "Né le", "F. nacimiento"),
    "date": ("Registration date", "Bestelldatum", "Date d'entrée", "Fecha alta"),
    "age": ("Age at visit", "Alter in Jahren", "Age", "Edad"),
    "sex": ("Sex at birth", "Geschl.", "Sexe", "Sexo"),
    "identity": ("Passport No", "Steuer-ID", "N° sécurité sociale", "Núm. documento"),
    "iban": ("IBAN", "Bankverbindung", "RIB", "Cuenta bancaria"),
    "card": ("CC Number", "KK-Nr", "N° de carte", "Nº tarjeta"),
    "ip": ("IP addr", "IP", "Adresse IP", "IP"),
    "url": ("URL", "Link", "Lien", "Web"),
    "uuid": ("record_uuid", "UUID", "UUID", "uuid"),
    "user_name": ("user", "Login", "Login", "Usuario"),
    "record_id": ("Client No.", "Kd-Nr.", "N° dossier", "Nº cliente"),
    "latitude": ("lat_deg", "geo_lat", "latitude", "lat"),
    "longitude": ("lon_deg", "geo_lng", "longitude", "lng"),
    "free_text": ("Comments", "Freitext", "Observations", "Notas"),
    "job": ("Job", "Tätigkeit", "Métier", "Profesión"),
    "category": ("Segment", "Typ", "Segment", "Grupo"),
    "measurement": ("Weight", "Gewicht (kg)", "Poids (kg)", "Peso"),
    "flag": ("opt_in", "aktiv", "actif", "activo"),
}
KIND_OF = {"latitude": "coordinates", "longitude": "coordinates", "job": "category"}
IDENTITIES = {"en_US": "ssn", "zh_CN": "chinese_id"}
SEXES = {"de": ("männlich", "weiblich"), "fr": ("H", "F"), "es": ("hombre", "mujer"), "zh": ("男", "女")}
IDENTIFYING = {*COLUMNS} - {"measurement", "flag", "category", "date"}


def people(locale: str, rows: int, *, seed: int = 0, opaque: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of people, and the kind of each column."""
    fake, rng = Faker(locale), np.random.default_rng(seed)
    fake.seed_instance(seed)
    random.seed(seed)  # a few providers use the shared generator
    cells = {name: make(fake, rng, locale, rows) for name, make in MAKERS.items()}
    style = {**TUNED, **SEEN, **HELD_OUT}[locale]
    table = pd.DataFrame(cells)
    table.columns = [f"c{number}" if opaque else header(name, style) for number, name in enumerate(cells)]
    return table, [IDENTITIES.get(locale, "national_id") if n == "identity" else KIND_OF.get(n, n) for n in cells]


def header(name: str, style: str) -> str:
    if style in OTHERS:
        return OTHER_COLUMNS[name][OTHERS.index(style)]
    if style in THIRDS:
        return THIRD_COLUMNS[name][THIRDS.index(style)]
    return COLUMNS[name][LANGUAGES.index(style)]


def each(call: Callable[[Faker], Any], *, missing: float = 0.0) -> Callable[..., list[Any]]:
    """Make a cell by a call for each row; a share of the cells is missing."""

    def make(fake: Faker, rng: np.random.Generator, locale: str, rows: int) -> list[Any]:  # noqa: ARG001
        holes = rng.random(rows) < missing
        return [None if hole else call(fake) for hole in holes]

    return make


def sexes(fake: Faker, rng: np.random.Generator, locale: str, rows: int) -> list[str]:  # noqa: ARG001
    return rng.choice(SEXES.get(locale[:2], ("M", "F")), rows).tolist()


def address(fake: Faker) -> str:
    return fake.street_address().replace("\n", ", ")


MAKERS: dict[str, Callable[..., Any]] = {
    "given_name": each(lambda fake: fake.first_name()),
    "family_name": each(lambda fake: fake.last_name()),
    "full_name": each(lambda fake: fake.name()),
    "email": each(lambda fake: fake.email(), missing=0.1),
    "phone": each(lambda fake: fake.phone_number()),
    "street": each(address),
    "place": each(lambda fake: fake.city()),
    "postcode": each(lambda fake: fake.postcode()),
    "country": each(lambda fake: fake.country()),
    "birth_date": each(lambda fake: fake.date_of_birth(minimum_age=18, maximum_age=90).isoformat()),
    "date": each(lambda fake: fake.date_time_this_decade()),
    "age": lambda fake, rng, locale, rows: rng.integers(18, 90, rows),  # noqa: ARG005
    "sex": sexes,
    "identity": each(lambda fake: fake.nif() if hasattr(fake, "nif") else fake.ssn()),
    "iban": each(lambda fake: fake.iban(), missing=0.3),
    "card": each(lambda fake: fake.credit_card_number()),
    "ip": each(lambda fake: fake.ipv4()),
    "url": each(lambda fake: fake.url()),
    "uuid": each(lambda fake: fake.uuid4()),
    "user_name": each(lambda fake: fake.user_name()),
    "record_id": each(lambda fake: fake.bothify("??-######").upper()),
    "latitude": each(lambda fake: float(fake.latitude())),
    "longitude": each(lambda fake: float(fake.longitude())),
    "free_text": each(lambda fake: fake.text(120)),
    "job": each(lambda fake: fake.job()),
    "category": lambda fake, rng, locale, rows: rng.choice(["basic", "plus", "gold"], rows),  # noqa: ARG005
    "measurement": lambda fake, rng, locale, rows: rng.normal(70, 12, rows).round(1),  # noqa: ARG005
    "flag": lambda fake, rng, locale, rows: rng.random(rows) < 0.5,  # noqa: ARG005
}
