"""Places in a file that unpickling does not show are found too, and state is trusted only if it is ciphertext."""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import warnings
import zipfile
import zlib

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import Ridge

from modelpriv import EncryptedEstimator, FieldEncryptor, Identity, Keyring, dumps
from modelpriv.keys import SigningKey
from modelpriv.sealing import leak_report

TABLE = pd.DataFrame({"a": ["b"]})
CANARY = "canary-b6ac18d3"
SECRET = CANARY.encode()


def text(value):
    """The opcode that pushes a text."""
    data = value if isinstance(value, bytes) else value.encode()
    return b"\x8c" + bytes([len(data)]) + data


SHOWN = text(CANARY)
RIDGE = text("sklearn.linear_model") + text("Ridge") + b"\x93)\x81"
WRAPPER = text("modelpriv") + text("EncryptedEstimator") + b"\x93"
UNUSED = {
    "left on the stack": SHOWN + b"N.",
    "popped": SHOWN + b"0N.",
    "popped with a mark": b"(" + SHOWN + b"1N.",
    "popped to a mark": b"(" + SHOWN + b"00N.",
    "behind a mark that nothing takes": b"N(" + SHOWN + b"N.",
    "in the memo only": SHOWN + b"\x940N.",
    "replaced in the memo": SHOWN + b"q\x000Nq\x00.",
    "replaced by a second state": RIDGE + b"}" + text("a") + SHOWN + b"sb}b.",
    "replaced in a dict": b"}" + text("a") + SHOWN + b"s" + text("a") + b"Ns.",
    "what is called": RIDGE + b"}" + text("a") + SHOWN + b"sb)R.",
    "a callable's name": text("os") + SHOWN + b"\x93)R0N.",
    "a persistent reference": SHOWN + b"Q.",
    "a module's name": b"c" + SECRET + b"\nx\n.",
    "the number in the memo": b"Np4111111111111111\n.",
    "an argument of copyreg": b"ccopyreg\n_reconstructor\n(" + RIDGE[:-2] + b"cbuiltins\nobject\n" + SHOWN + b"tR.",
    "state of bytes": b"cbuiltins\nbytearray\nC\x03abc\x85R" + SHOWN + b"b.",
    "the length of a frame": b"\x95" + struct.pack("<Q", 4111111111111111) + b"N.",
    "a field of a list": b"]" + b"}" + text("a") + SHOWN + b"sb.",
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


def find(path):
    """What a report shows of the canary; a number may take its place."""
    report = leak_report(path, show=True)
    assert CANARY not in str(leak_report(path))
    return [leak for leak in report if CANARY in (leak.content or "") or "4111111111111111" in (leak.content or "")]


@pytest.mark.parametrize("data", UNUSED.values(), ids=UNUSED.keys())
def test_what_a_pickle_does_not_use(path, data):
    """A value that unpickling would throw away is in the file, and found."""
    path.write_bytes(b"\x80\x04" + data)
    assert find(path)


def test_a_pickle_that_ends_too_early(path):
    """Of a pickle that is cut, what came before is found, and the rest is reported as not read."""
    path.write_bytes(b"\x80\x04]" + SHOWN + b"a\x8c\xff")
    assert find(path)
    assert leak_report(path).unread


# --- around the object ---

COMPRESSIONS = {"gzip": gzip.compress, "zlib": zlib.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.fixture(scope="module")
def sealed():
    return pickle.dumps(EncryptedEstimator(Ridge(), key=Keyring.generate()))


@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS.keys())
def test_around_a_compressed_model(path, sealed, compress):
    """A second stream, a second pickle in the first, and bytes behind the last stream are findings."""
    path.write_bytes(compress(sealed))
    assert len(leak_report(path)) == 0
    path.write_bytes(compress(sealed) + compress(SECRET))
    (leak,) = leak_report(path)
    assert (leak.place, leak.size) == ("behind the model", len(SECRET))
    path.write_bytes(compress(sealed + pickle.dumps(CANARY)))
    assert [leak.place for leak in leak_report(path)] == ["behind the model"]
    path.write_bytes(compress(sealed) + SECRET)
    assert len(leak_report(path)) == 1
    path.write_bytes(compress(sealed) + b"x" * 100)
    assert len(leak_report(path)) == 1


def test_many_small_streams(path, sealed):
    """Streams are told apart wherever they are cut, also where the file is read in pieces."""
    path.write_bytes(b"".join(gzip.compress(sealed[start : start + 100]) for start in range(0, len(sealed), 100)))
    assert len(leak_report(path)) == 0


def test_names_in_a_gzip_file(path, sealed):
    """A comment, another file's name and extra fields in the header of a gzip file are found."""
    plain = gzip.compress(sealed)
    for flag, field in ((8, SECRET + b"\0"), (16, SECRET + b"\0"), (4, struct.pack("<H", len(SECRET)) + SECRET)):
        path.write_bytes(plain[:3] + bytes([flag]) + plain[4:10] + field + plain[10:])
        assert find(path)


def test_the_filling_before_an_array(path):
    """The bytes that align an array of joblib are looked at."""
    joblib.dump(np.arange(3), path)
    data = path.read_bytes()
    assert len(leak_report(path)) == 1
    last = data.rindex(b"\xff")
    assert last > data.index(b"numpy_array_alignment_bytes")
    path.write_bytes(data[:last] + b"H" + data[last + 1 :])
    assert [leak.kind for leak in leak_report(path)] == ["array", "bytes"]


@pytest.mark.parametrize("how", [pickle.dump, joblib.dump])
@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype([(CANARY, "i8"), ("b", "M8[ns]")]),
        np.dtype("i8", metadata={"note": CANARY}),
        np.dtype([("a", [("b", "f8"), (CANARY, "i4")])]),
        np.dtype([((CANARY, "a"), "i8")]),
    ],
    ids=["a field", "metadata", "a field in a field", "a title"],
)
def test_the_type_of_an_array(path, dtype, how):
    """The names of an array's fields, and metadata of its type, are found."""
    with path.open("wb") as file, warnings.catch_warnings(action="ignore"):
        how(np.zeros(2, dtype), file)
    assert find(path)


def test_the_length_of_an_empty_array(path):
    """A length that no memory bears out is a number like any other."""
    path.write_bytes(pickle.dumps(np.zeros((0, 4111111111111111), "i1")))
    assert find(path)


# --- archives ---


@pytest.fixture
def archive(path):
    skops.io.dump({"a": "b"}, path)
    return path


def assert_more_is_found(path, before):
    assert len(leak_report(path)) > before
    assert find(path)


def test_around_a_skops_file(archive):
    """A member that the schema does not name, a comment and an extra field of a skops file are found."""
    before = len(leak_report(archive))
    with zipfile.ZipFile(archive, "a") as file:
        file.comment = SECRET
    assert_more_is_found(archive, before)
    with zipfile.ZipFile(archive, "a") as file:
        file.comment = b""
        file.writestr("notes", CANARY)
    assert_more_is_found(archive, before)
    with zipfile.ZipFile(archive, "w") as file:
        info = zipfile.ZipInfo("schema.json")
        info.extra, info.comment = struct.pack("<2H", 0xCAFE, len(SECRET)) + SECRET, b""
        file.writestr(info, "{}")
    assert find(archive)


def test_between_the_members(archive):
    """Bytes before the first member, and between two, belong to no member and are found."""
    moved = io.BytesIO()
    moved.write(b"PK\3\4" + SECRET)
    with zipfile.ZipFile(moved, "a") as file:
        file.writestr("a", b"1")
    archive.write_bytes(moved.getvalue())
    assert find(archive)


def test_a_schema_that_says_more(archive):
    """A field that skops does not know, and a value that a later one replaces, are found."""
    for schema in (
        '{"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1", "note": "%s"}',
        '{"note": "%s", "__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1"}',
        '{"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "%s", "content": "1"}',
    ):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("schema.json", schema % CANARY)
        assert find(archive)


SCHEMA = '{"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "null"}'
TYPE = SCHEMA.replace("str", CANARY).replace("JsonNode", "TypeNode").replace('"null"', "null")
SHAPE = SCHEMA.replace("null", "4111111111111111")


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ('"str"', f'"{CANARY}"'),
        ('"JsonNode"', f'"{CANARY}"'),
        ('"builtins"', f'"{CANARY}"'),
        ("}", f', "__id__": "{CANARY}"}}'),
        ("}", ', "__id__": 4111111111111111}'),
        ("}", ', "protocol": 4111111111111111}'),
        ("}", f', "is_json": "{CANARY}"}}'),
        ("}", f', "key_types": {TYPE}}}'),
        ("}", f', "shape": {SHAPE}}}'),
        ("}", f', "file": "{CANARY}"}}'),
    ],
)
def test_a_field_of_a_schema(archive, said, instead):
    """Whatever field of a skops schema holds something that skops would not write there, it is found."""
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("schema.json", SCHEMA)
    assert leak_report(archive).leaks == ()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("schema.json", SCHEMA.replace(said, instead))
    assert find(archive)


def test_members_of_one_name(archive):
    """Of two members with one name, the one that a reader would not see is found."""
    with zipfile.ZipFile(archive, "w") as file, warnings.catch_warnings(action="ignore"):
        file.writestr("schema.json", f'["{CANARY}"]')
        file.writestr("schema.json", SCHEMA)
    assert find(archive)


def test_behind_an_archive(archive):
    """Bytes behind the end of an archive, and a local name that the directory does not have, are found."""
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("schema.json", SCHEMA)
    plain = archive.read_bytes()
    archive.write_bytes(plain + SECRET)
    assert [(leak.kind, leak.size) for leak in leak_report(archive)] == [("bytes", len(SECRET))]
    archive.write_bytes(plain.replace(b"schema.json", b"schema.jso!", 1))
    assert leak_report(archive).leaks


# --- keys and wrapped estimators ---


@pytest.fixture
def uri(monkeypatch):
    monkeypatch.setenv("MODEL_KEYS", Keyring.generate().export_secret())
    return "env:MODEL_KEYS"


@pytest.mark.parametrize("protocol", range(6))
def test_the_uri_of_a_wrapped_estimator(path, uri, protocol):
    """Where the key of a wrapped estimator is kept is a finding of low severity, and passes a strict test."""
    path.write_bytes(pickle.dumps(EncryptedEstimator(Ridge(), key=uri), protocol))
    (leak,) = leak_report(path, show=True, strict=True)
    assert (leak.kind, leak.severity, leak.content) == ("key", "low", repr(uri))


def test_the_uri_of_a_keyed_step(path, uri):
    """Where the key of a transformer is kept is found, by text or with its keyring."""
    for key in (uri, Keyring.from_uri(uri)):
        path.write_bytes(pickle.dumps(FieldEncryptor(key=key)))
        assert [leak.severity for leak in leak_report(path) if leak.kind == "key"] == ["low"]


def test_a_text_that_looks_like_a_uri(path):
    """A text is what says where a key is kept only in the place of a key: elsewhere it is a text."""
    for obj in ([f"file:{CANARY}"], {"key": f"file:{CANARY}"}, FieldEncryptor(context=f"file:{CANARY}")):
        path.write_bytes(pickle.dumps(obj))
        assert {leak.severity for leak in find(path)} == {"high"}


def test_a_keyring_in_plain_text(path):
    """The text of an exported keyring is a secret, of high severity, in any kind of file."""
    secret = Keyring.generate().export_secret()
    for data in (pickle.dumps([secret]), f"a={secret}".encode(), b'{"a": "%s"}' % secret.encode()):
        path.write_bytes(data)
        assert leak_report(path).leaks[-1].kind == "secret"
        assert leak_report(path).leaks[-1].severity == "high"
        assert secret not in str(leak_report(path))


def state(**changes):
    """The state of a wrapped estimator, with something else in it."""
    model = EncryptedEstimator(Ridge(), key=Keyring.generate())
    return model.__getstate__() | changes


def pickled_as_wrapper(said):
    body = pickle.dumps(said, 2)[2:-1]
    return b"\x80\x04" + WRAPPER + b")\x81" + body + b"b."


def test_a_true_state(path):
    """The state that a wrapped estimator writes shows nothing."""
    path.write_bytes(pickled_as_wrapper(state()))
    assert len(leak_report(path)) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"note": CANARY},
        {"sealed": SECRET},
        {"sealed": CANARY},
        {"cloned": CANARY},
        {"version": 4111111111111111},
        {"key": (CANARY,)},
        {"key": ((CANARY,), (b"\xff" * 16,), None)},
        {"key": (("00000000",), (SECRET.ljust(16, b"!"),), None)},
        {"key": (("00000000",), (b"\xff" * 16,), CANARY)},
        {"key": (("00000000",), (b"\xff" * 16,), None, CANARY)},
        {"sealed": dumps(Ridge(), key=Keyring.generate(), metadata={"note": CANARY})},
    ],
)
def test_a_forged_state(path, changes):
    """State under the wrapper's name that is not ciphertext and a reference to its key is found."""
    path.write_bytes(pickled_as_wrapper(state(**changes)))
    assert find(path)


def test_a_state_of_another_kind(path):
    """So is a text in place of the state, and an argument of the wrapper's class."""
    path.write_bytes(b"\x80\x04" + WRAPPER + b")\x81" + SHOWN + b"b.")
    assert find(path)
    path.write_bytes(b"\x80\x04" + WRAPPER + SHOWN + b"\x85\x81" + pickle.dumps(state(), 2)[2:-1] + b"b.")
    assert find(path)


def parts(data):
    """Cut a sealed model where its parts begin."""
    manifest, slot = struct.unpack_from("<2I", data, 12)
    ends = [40, 40 + manifest, 40 + manifest + slot, 40 + manifest + 2 * slot]
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@pytest.mark.parametrize(
    "replaced",
    [
        {4: lambda body: (b"patient 17: HIV positive. " * 500)[: len(body)]},
        {4: lambda body: np.arange(len(body) // 8 + 1, dtype="f8").tobytes()[: len(body)]},
        {4: lambda body: body[:200] + b"patient 17: HIV positive, of 1987-03-14" + body[239:]},
        {2: lambda slot: slot[:-40] + b"patient 17: HIV positive, of 1987-03-14 "},
        {3: lambda slot: slot[:12] + b"patient 17: HIV positive, 1987!!" + slot[44:]},
        {2: lambda slot: b"x" * len(slot)},
        {1: lambda manifest: manifest.replace(b"pickle-5", b"positive")},
        {1: lambda manifest: manifest.replace(b'"python":"3', b'"HIV+17":"3')},
        {4: lambda body: body[:10] + bytes(len(body) - 10)},
        {4: lambda body: b"\0" + body[:-1]},
        {2: lambda slot: slot.replace(b'","', b'" ,')},
    ],
    ids=[
        "text",
        "numbers",
        "a text in the body",
        "filling",
        "the MAC",
        "no envelope",
        "serializer",
        "versions",
        "zeros",
        "the frame",
        "a space",
    ],
)
def test_a_sealed_model_that_is_not_ciphertext(path, replaced):
    """A sealed model's form alone is not trusted: what is not evenly spread, or out of place, is found."""
    data = parts(dumps(FieldEncryptor(key=Keyring.generate()), key=Keyring.generate()))
    for number, change in replaced.items():
        data[number] = change(data[number])
    path.write_bytes(b"".join(data))
    assert len(leak_report(path)) == 1
    path.write_bytes(pickle.dumps(b"".join(data), 2))
    assert len(leak_report(path)) == 1


def test_every_way_to_seal(path):
    """However a model is sealed and signed, its file shows nothing."""
    keys = Keyring.generate()
    ways = [
        {"key": keys},
        {"passphrase": "correct horse battery"},
        {"key": keys, "passphrase": "correct horse battery"},
        {"key": keys, "recipients": [Identity.generate().recipient], "sign_with": SigningKey.generate()},
    ]
    for way in ways:
        for model in (Ridge(), FieldEncryptor("deterministic", columns=["a"], key=keys).fit(TABLE)):
            with warnings.catch_warnings(action="ignore"):  # recipients do not get the step's key
                path.write_bytes(dumps(model, **way))
            assert leak_report(path).leaks == ()


def test_a_large_sealed_model(path):
    """Several MiB of ciphertext never look like plain text."""
    model = Ridge()
    model.weights_ = np.zeros(2**20)
    path.write_bytes(dumps(model, key=Keyring.generate()))
    assert leak_report(path).leaks == ()
    path.write_bytes(pickle.dumps(EncryptedEstimator(model, key=Keyring.generate()), 2))
    assert leak_report(path).leaks == ()
