"""A canary is put into every place, in every form, under every serialiser: the report finds it, and never shows it."""

import datetime as dt
import decimal
import pickle
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import Ridge
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, OrdinalEncoder, TargetEncoder

from modelpriv.errors import SealedFileError
from modelpriv.sealing import leak_report

TEXT = "canary-b6ac18d3"
NUMBER = 4111111111111111
FORMS = {
    "text": TEXT,
    "bytes": TEXT.encode(),
    "byte array": bytearray(TEXT.encode()),
    "integer": NUMBER,
    "negative integer": -NUMBER,
    "float": float(NUMBER),
    "decimal": decimal.Decimal(NUMBER),
    "range": range(NUMBER, NUMBER + 3),
    "slice": slice(0, NUMBER),
    "complex": complex(NUMBER, 1),
    "numpy integer": np.int64(NUMBER),
    "numpy text": np.str_(TEXT),
    "numpy array of text": np.array([TEXT]),
    "numpy array of integers": np.array([NUMBER]),
    "date": dt.date(1987, 3, 14),
}


def filled(value):
    array = np.empty(2, object)
    array[0] = value
    return array


def learnt(value):
    model = Ridge()
    model.seen_ = value
    return model


PLACES = {
    "alone": lambda value: value,
    "list": lambda value: [value],
    "mixed list": lambda value: [None, value, "a", 1.5],
    "long list": lambda value: [value, *range(30), None],
    "tuple in a tuple": lambda value: ((value, True),),
    "value of a dict": lambda value: {"key": value},
    "key of a dict": lambda value: {value: 3} if value.__hash__ else {"key": value},
    "value of a long dict": lambda value: {str(index): value for index in range(30)},
    "object array with a null": filled,
    "attribute of an estimator": lambda value: Ridge().set_params(alpha=value),
    "attribute that was learnt": learnt,
    "series with a null": lambda value: pd.Series([value, None], dtype=object),
}
PICKLES = [f"pickle {protocol}" for protocol in range(6)]
JOBLIBS = ["joblib", *(f"joblib {compression}" for compression in ("zlib", "gzip", "bz2", "lzma", "xz"))]


def write(obj, path, how):
    """Write something by one of the serialisers."""
    kind, _, setting = how.partition(" ")
    if kind == "pickle":
        path.write_bytes(pickle.dumps(obj, int(setting)))
    elif kind == "skops":
        skops.io.dump(obj, path)
    else:
        joblib.dump(obj, path, compress=(setting, 3) if setting else 0)


def shown_forms(path):
    """Every text that a report of a file has, without show; the error of a strict one too."""
    report = leak_report(path)
    with pytest.raises(SealedFileError) as refused:
        leak_report(path, strict=True)
    yield from (repr(report), str(report), report._repr_html_(), report.to_json())
    yield from map(repr, report)
    yield from (str(refused.value), repr(refused.value), str(refused.value.__cause__), str(refused.value.__context__))
    yield pickle.dumps(report).decode("latin-1")


def assert_found_and_not_shown(path, form):
    sought = FORMS[form]
    severe = leak_report(path, show=True).at_least("high")
    if not isinstance(sought, np.ndarray | np.generic) and form not in {"date", "decimal", "complex"}:
        texts = " ".join(leak.content or "" for leak in severe)
        assert TEXT in texts or str(NUMBER) in texts, severe
    else:  # as bytes, or as the memory of an array
        assert [leak for leak in severe if leak.kind in {"array", "bytes", "text", "numbers"}]
    for shown in shown_forms(path):
        assert TEXT not in shown
        assert str(NUMBER) not in shown


@pytest.mark.parametrize("how", PICKLES + JOBLIBS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", PLACES)
def test_pickles(tmp_path, place, form, how):
    """Whatever a pickle holds, in whatever place, is found by its content and shown in no form of the report."""
    write(PLACES[place](FORMS[form]), tmp_path / "model", how)
    assert_found_and_not_shown(tmp_path / "model", form)


@pytest.mark.parametrize("form", ["text", "bytes", "integer", "float", "numpy array of integers"])
@pytest.mark.parametrize("place", ["list", "mixed list", "long list", "value of a dict", "attribute that was learnt"])
def test_skops(tmp_path, place, form):
    """The same is true of skops files."""
    write(PLACES[place](FORMS[form]), tmp_path / "model", "skops")
    assert_found_and_not_shown(tmp_path / "model", form)


@pytest.mark.parametrize("key", [NUMBER, TEXT, float(NUMBER)])
def test_keys_in_skops(tmp_path, key):
    """The keys of a dict in a skops file are found."""
    skops.io.dump({key: 3}, tmp_path / "model")
    report = leak_report(tmp_path / "model", show=True)
    assert any(TEXT in (leak.content or "") or str(NUMBER) in (leak.content or "") for leak in report)


IDS = pd.DataFrame({"id": pd.array([NUMBER, None, NUMBER + 2], dtype=object)})
NAMES = pd.DataFrame({"id": pd.array([TEXT, None, "z"], dtype=object)})


@pytest.mark.parametrize("how", ["pickle 2", "pickle 5", "joblib", "joblib zlib", "skops"])
@pytest.mark.parametrize(("ids", "sought"), [(IDS, str(NUMBER)), (NAMES, TEXT)], ids=["integers", "texts"])
@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder(), TargetEncoder(cv=2), LabelEncoder()])
def test_ids_in_encoders(tmp_path, encoder, ids, sought, how):
    """An encoder that was fitted to ids, with a null among them, lists them as a finding."""
    if isinstance(encoder, TargetEncoder):
        many = pd.concat([ids] * 4, ignore_index=True)
        encoder.fit(many, np.arange(12) % 2)
    elif isinstance(encoder, LabelEncoder):
        encoder.fit(ids.dropna()["id"])
    else:
        encoder.fit(ids)
    write(encoder, tmp_path / "model", how)
    fitted = "classes_" if isinstance(encoder, LabelEncoder) else "categories_"
    (found, *_) = [leak for leak in leak_report(tmp_path / "model", show=True) if fitted in leak.place]
    assert found.severity == "high"
    assert sought in found.content or found.kind == "array"
    assert all(sought not in shown for shown in shown_forms(tmp_path / "model"))


def test_a_plain_matrix_of_ids(tmp_path):
    """Integers that numpy holds are an array, counted."""
    path = tmp_path / "ids.npy"
    np.save(path, np.full((3, 2), NUMBER))
    (leak,) = leak_report(path)
    assert (leak.kind, leak.count, leak.size) == ("array", 6, 48)


def test_an_archive_of_arrays(tmp_path):
    """An npz file's members are found, by number, and an array of objects in it by its values."""
    path = tmp_path / "arrays.npz"
    np.savez(path, **{TEXT: np.array([NUMBER, None, TEXT], dtype=object), "plain": np.arange(3)})
    report = leak_report(path, show=True)
    found = {leak.place: leak for leak in report}
    assert TEXT in found["member[0] name"].content
    assert str(NUMBER) in found["member[0] array[0][0]"].content
    assert found["member[1] array"].count == 3
    assert all(TEXT not in shown for shown in shown_forms(path))
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 2
