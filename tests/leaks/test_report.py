"""The leak report: it finds what each serialiser shows, and never runs what it reads."""

import html
import json
import pickle
import struct
import zipfile

import joblib
import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from modelpriv import EncryptedEstimator, sealing
from modelpriv.errors import ParameterError, SealedFileError
from modelpriv.leaks import content, files
from modelpriv.sealing import leak_report

X = np.random.default_rng(0).random((40, 3))
Y = (X[:, 0] > 0.5).astype(int)
CANARY = "canary-b6ac18d3"
CONTENT = {
    "names": ["Ada", CANARY],
    CANARY: b"bytes of a " + CANARY.encode(),
    "weights": np.arange(1000.0),
    "labels": np.array(["a", CANARY, None], dtype=object),
    "figures": [0.5, 1.5, 2.5],
    "scalar": np.float64(0.25),
    "pair": (True, None, 7),
    "sets": {frozenset({CANARY})},
}


def write(obj, path, how):
    """Write something by one of the serialisers."""
    kind, _, setting = how.partition(" ")
    if kind == "pickle":
        with path.open("wb") as file:
            pickle.dump(obj, file, int(setting))
    elif kind == "skops":
        skops.io.dump(obj, path)
    else:
        joblib.dump(obj, path, compress=(setting, 3) if setting else 0)


PICKLES = [f"pickle {protocol}" for protocol in range(6)]
JOBLIBS = ["joblib", *(f"joblib {compression}" for compression in ("zlib", "gzip", "bz2", "lzma", "xz"))]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


@pytest.mark.parametrize("how", PICKLES + JOBLIBS)
def test_all_is_found(path, how):
    """Every text, array, run of bytes and list of numbers is found, with its size, wherever it is."""
    write(CONTENT, path, how)
    report = leak_report(path, show=True)
    of = {kind: [leak for leak in report if leak.kind == kind] for kind in ("text", "array", "bytes", "numbers")}
    assert sum(CANARY in leak.content for leak in of["text"]) >= 2
    assert CANARY in of["bytes"][0].content
    assert {8000, 8} <= {leak.size for leak in of["array"]}
    assert 24 in {leak.size for leak in of["numbers"]}
    assert any(leak.place.endswith("[1]") and CANARY in leak.content for leak in of["text"])


@pytest.mark.parametrize("how", [*PICKLES, *JOBLIBS, "skops"])
def test_a_bare_estimator(path, how):
    """A bare estimator's class, parameters and learnt arrays are found at their attributes."""
    write(Pipeline([(CANARY, LogisticRegression().fit(X, Y))]), path, how)
    found = {leak.place: leak for leak in leak_report(path, show=True)}
    assert found["model"].content == "sklearn.pipeline.Pipeline"
    assert found["model.steps[0][1]"].content == "sklearn.linear_model._logistic.LogisticRegression"
    assert CANARY in found["model.steps[0][0]"].content
    assert found["model.steps[0][1].coef_"].kind == "array"
    assert found["model.steps[0][1].coef_"].size >= 24
    assert found["model.steps[0][1].C"].kind == "numbers"


@pytest.mark.parametrize("how", [*PICKLES, *JOBLIBS, "skops"])
def test_a_sealed_estimator(path, how, keyring):
    """In a wrapped estimator nothing is found, open or locked, under any serialiser."""
    model = EncryptedEstimator(RandomForestClassifier(3).fit(X, Y), key=keyring)
    for each in (model, pickle.loads(pickle.dumps(model))):
        write(each, path, how)
        assert len(leak_report(path)) == 0
        assert "nothing in plain text" in str(leak_report(path, strict=True))


def test_what_is_around_a_sealed_estimator(keyring):
    """Around a wrapped estimator, the results of a grid search are found."""
    search = GridSearchCV(EncryptedEstimator(Ridge(), key=keyring), {"estimator__alpha": [1.0, 2.0]}).fit(X, Y)
    places = [leak.place for leak in leak_report(search)]
    assert any(place.startswith("model.cv_results_") for place in places)
    assert not any("best_estimator_" in place for place in places)
    assert len(leak_report(EncryptedEstimator(search, key=keyring))) == 0


def test_a_sealed_file(path, keyring):
    """In a sealed file only what its author left readable is found."""
    sealing.dump(Ridge(), path, key=keyring)
    assert len(leak_report(path)) == 0
    sealing.dump(Ridge(), path, key=keyring, metadata={"stage": CANARY})
    (leak,) = leak_report(path, show=True)
    assert (leak.place, leak.kind) == ("model metadata", "text")
    assert CANARY in leak.content
    readable = EncryptedEstimator(Ridge(), key=keyring, scope="parameters", metadata={"stage": "x" * 10_000})
    sealing.dump(readable, path)
    assert [leak.place for leak in leak_report(path)] == ["model metadata", "model estimator"]
    assert [leak.place for leak in leak_report(readable)] == ["model metadata", "model estimator"]


def test_bytes_that_only_begin_like_a_sealed_file(keyring):
    """Bytes that only begin like a sealed file are found."""
    data = sealing.dumps(Ridge(), key=keyring)
    assert len(leak_report([data])) == 0
    for altered in (data + CANARY.encode(), data[:8] + CANARY.encode(), data[:-1]):
        (leak,) = leak_report([altered])
        assert (leak.kind, leak.size) == ("bytes", len(altered))


def test_content_only_if_asked_for(path):
    """Without show, neither the report nor any of its forms holds what it found, keys of dicts included."""
    write(CONTENT, path, "pickle 5")
    report = leak_report(path)
    for shown in (repr(report), str(report), report._repr_html_(), report.to_json()):
        assert CANARY not in shown
        assert "weights" not in shown
    assert CANARY in str(leak_report(path, show=True))


def test_strict(path):
    """With strict, anything in plain text raises, naming the places and not their content."""
    write(CONTENT, path, "pickle 5")
    with pytest.raises(SealedFileError, match="in plain text") as refused:
        leak_report(path, strict=True)
    assert "model{1}" in str(refused.value)
    assert CANARY not in str(refused.value)


def test_html_is_escaped(tmp_path):
    """What is shown in a notebook cannot be markup."""
    evil = "<script>alert(1)</script>"
    path = tmp_path / "a&b"
    write({evil: evil}, path, "pickle 5")
    page = leak_report(path, show=True)._repr_html_()
    assert "<script>" not in page
    assert html.escape(evil) in page
    assert "a&amp;b" in page
    assert "<p>" in leak_report(None)._repr_html_()


def test_control_characters_do_not_reach_the_terminal(path):
    """Names in a hostile file, of classes or attributes, are shown escaped or not at all."""
    evil = "\x1b[2J"
    path.write_bytes(b"\x80\x04cos\n" + evil.encode() + b"\n)R}\x8c\x04" + evil.encode() + b"\x8c\x06secretsb.")
    report = leak_report(path, show=True)
    assert [leak.place for leak in report] == ["model", "model{key 0}", "model{0}"]
    assert "\x1b" not in str(report)


def test_severities():
    """A report gives its leaks from a severity upwards, and refuses one that there is not."""
    report = leak_report([Ridge, CANARY])
    assert [len(report.at_least(severity)) for severity in ("low", "medium", "high")] == [2, 2, 1]
    with pytest.raises(ParameterError, match="severity"):
        report.at_least("worst")


def test_json(path):
    """As JSON the report has the place, kind, size and content of each leak."""
    write(["text"], path, "pickle 5")
    assert json.loads(leak_report(path).to_json()) == {
        "source": "model",
        "leaks": [
            {
                "place": "model[0]",
                "kind": "text",
                "size": 4,
                "content": None,
                "count": 1,
                "path": "",
                "reason": "",
                "severity": "high",
            }
        ],
    }


# --- nothing runs ---


@pytest.mark.parametrize("how", [*PICKLES, "joblib", "joblib zlib"])
def test_nothing_is_unpickled(path, how, bomb):
    """What would run if the file were loaded does not run, and its name is found."""
    write([bomb(), CANARY], path, how)
    report = leak_report(path, show=True)
    assert not bomb.exploded
    assert any("explode" in leak.content for leak in report if leak.kind == "class")


def test_nothing_is_imported(path):
    """Modules that a pickle names are not imported, and need not be there."""
    path.write_bytes(b"\x80\x04cno_such_module_b6ac18d3\nThing\n)R}\x8c\x01a\x8c\x06secretsb.")
    (made, secret) = leak_report(path, show=True)
    assert made.content == "no_such_module_b6ac18d3.Thing"
    assert (secret.place, secret.content) == ("model.a", "'secret'")


def test_old_and_rare_opcodes(path):
    """Opcodes that Python itself no longer writes are understood."""
    pickles = [
        b"(S'one'\nios\nsystem\n.",
        b"(cos\nsystem\nS'one'\no.",
        b"\x80\x02\x82\x01S'one'\n\x85R.",
        b"Pone\n.",
        b"S'one'\nQ.",
        b"(S'one'\nl.",
        b"(S'one'\nI1\nd.",
        b"\x80\x05\x97S'one'\n\x86.",
        b"S'one'\n2\x86.",
        b"N0S'one'\n.",
        b"(N1S'one'\n.",
        b"cos\nsystem\n)S'one'\n}\x92.",
    ]
    for data in pickles:
        path.write_bytes(data)
        assert any(leak.content and "one" in leak.content for leak in leak_report(path, show=True)), data


def test_a_second_pickle_behind_the_first(path):
    """Bytes behind the end of the pickle are found."""
    path.write_bytes(pickle.dumps(None) + b"something behind")
    (leak,) = leak_report(path)
    assert (leak.place, leak.size) == ("behind the model", 16)


# --- files that are hostile, or of no model ---


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a text",
        b"\x80\x05.",
        b"\x80\x05a.",
        b"\x80\x05R.",
        b"\x80\x05t.",
        b"\x80\x05h\x05.",
        b"\x80\x05b.",
        b"\x80\x05" + pickle.dumps(CONTENT)[2:-20],
        b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b"short",
        b"\x80\x05\x8b" + struct.pack("<i", -5),
        b"PK\x03\x04 no archive",
        b"BZh9 no archive",
        b"x\x9c no archive",
        b"\x1f\x8b no archive",
        b"\xfd7zXZ\x00 no archive",
    ],
)
def test_what_is_no_file_of_a_model(path, data):
    """A file that is cut, damaged or of no known kind is a finding, and fails a strict test."""
    path.write_bytes(data)
    assert leak_report(path).leaks
    with pytest.raises(SealedFileError):
        leak_report(path, strict=True)


def test_no_more_memory_than_there_are_bytes(path, traced_peak):
    """A pickle that promises more than it has takes no memory for it."""
    for data in (b"\x80\x05\x8e", b"\x80\x05\x96", b"\x80\x05\x8d"):
        path.write_bytes(data + struct.pack("<Q", 2**40) + b"short")

        def look():
            assert leak_report(path).unread

        look()
        assert traced_peak(look) < 2**21


def test_joblib_arrays_that_are_too_long(path):
    """An array that would be longer than the file is reported as cut."""
    write(np.arange(1000.0), path, "joblib")
    path.write_bytes(path.read_bytes()[:-200])
    assert "cut" in leak_report(path).unread[0].reason


def test_shared_and_deep(path):
    """What is shared many times over, or nested deeply, is gone through once and without recursion."""
    shared = [CANARY]
    for _ in range(60):
        shared = [shared, shared]
    path.write_bytes(pickle.dumps(shared))
    assert len(leak_report(path)) == 1
    path.write_bytes(b"\x80\x05" + b"]" * 20_000 + b"\x8c\x04text" + b"a" * 20_000 + b".")
    (leak,) = leak_report(path)
    assert leak.size == 4
    circle = []
    circle.append(circle)
    assert len(leak_report(circle)) == 0


def test_pickles_within_pickles(path):
    """Arrays of objects within each other are followed, and not without end."""
    array = np.array([CANARY, None], dtype=object)
    for _ in range(3):
        array = np.array([array, None], dtype=object)
    write(array, path, "joblib")
    assert CANARY in str(leak_report(path, show=True))
    opening = path.read_bytes().partition(b"N.")[0]
    wrapper = opening[: opening.index(b"ub", opening.index(b"numpy_array_alignment_bytes")) + 2]
    path.write_bytes(wrapper * 200)
    assert "nested too deeply" in leak_report(path).unread[0].reason


def test_archives_that_skops_did_not_write(path):
    """An archive without a schema is read by its members; one with a broken schema is reported."""
    for name, said in (
        ("other", "{}"),
        ("schema.json", "no json"),
        ("schema.json", "{}"),
        ("schema.json", "[" * 9999),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, said)
        found = leak_report(path)
        assert found.unread if name == "schema.json" else found.leaks, said


@given(data=st.data())
def test_random_damage(data):
    """Whatever is done to a pickle, it is looked through, and no error comes."""
    whole = bytearray(pickle.dumps(CONTENT, data.draw(st.integers(0, 5))))
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    list(files.leaks_in(content.of_data(bytes(whole))))


def test_a_missing_file(tmp_path):
    """A file that is not there is the system's own error."""
    with pytest.raises(FileNotFoundError):
        leak_report(tmp_path / "nothing")
