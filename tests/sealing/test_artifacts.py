"""Folders and artifacts of registries: the one sealed file in a folder, and the command for what cannot be changed."""

import re
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

import modelpriv
from modelpriv import EncryptedEstimator, Keyring, key_usage
from modelpriv.errors import ParameterError, SealedFileError

X, Y = np.array([["ada", "1"], ["bob", "2"], ["eve", "4"]], dtype=object), [1.0, 2.0, 3.0]


@pytest.fixture
def pinned(keyring):
    """A fitted model with a step that is pinned to a key, and numbers that it learnt from."""
    return _pinned(keyring).fit(X, Y)


def _pinned(keyring):
    step = modelpriv.FieldEncryptor(key=keyring, context="name")
    step = make_column_transformer((step, [0]), remainder="passthrough")
    numbers = make_column_transformer(("passthrough", [1]))
    return make_pipeline(step, numbers, Ridge())


@pytest.fixture
def folder(tmp_path, keyring, pinned):
    """What MLflow keeps of a model: a sealed file, and small files around it."""
    place = tmp_path / "artifacts"
    (place / "data").mkdir(parents=True)
    (place / "MLmodel").write_text("flavors: {}\n")
    modelpriv.dump(pinned, place / "data" / "model.mpriv", key=keyring, metadata={"stage": "trial"})
    return place


def test_a_folder_means_the_sealed_file_in_it(folder, keyring):
    """Each function that reads or changes a sealed file takes the folder that holds it, and leaves the rest alone."""
    newer = keyring.rotate()
    assert modelpriv.inspect(folder).metadata == {"stage": "trial"}
    modelpriv.rewrap(folder, key=newer, add=newer, remove=keyring.primary)
    modelpriv.repin(folder, key=newer, sample=X)
    alone = newer.retire(keyring.primary, check=[folder])
    modelpriv.rekey(folder, key=alone, new_key=alone)
    assert modelpriv.load(folder, key=alone).predict(X).shape == (3,)
    assert sorted(path.name for path in folder.rglob("*")) == ["MLmodel", "data", "model.mpriv"]
    assert (folder / "MLmodel").read_text() == "flavors: {}\n"


CALLS = {
    "inspect": lambda path, keys: modelpriv.inspect(path),
    "load": lambda path, keys: modelpriv.load(path, key=keys),
    "rewrap": lambda path, keys: modelpriv.rewrap(path, key=keys, add=keys),
    "rekey": lambda path, keys: modelpriv.rekey(path, key=keys, new_key=keys),
    "repin": lambda path, keys: modelpriv.repin(path, key=keys, sample=X),
}


@pytest.fixture(params=CALLS)
def action(request):
    """Each function that takes a path."""
    return request.param


def test_several_sealed_files_are_not_chosen_from(folder, keyring, action):
    """A folder with two sealed files is refused, with their names."""
    modelpriv.dump(Ridge(), folder / "other.mpriv", key=keyring)
    with pytest.raises(ParameterError, match=r"holds 2 sealed files: .*'data/model\.mpriv', 'other\.mpriv'"):
        CALLS[action](folder, keyring)


def test_a_folder_without_a_sealed_file(tmp_path, keyring, action):
    """A folder without one is refused; a link that leads out of it does not count."""
    (tmp_path / "inside").mkdir()
    modelpriv.dump(Ridge(), tmp_path / "outside.mpriv", key=keyring)
    (tmp_path / "inside" / "model.mpriv").symlink_to(tmp_path / "outside.mpriv")
    with pytest.raises(ParameterError, match=r"holds no sealed file.*mlflow\.artifacts\.download_artifacts"):
        CALLS[action](tmp_path / "inside", keyring)


@pytest.fixture(params=["pickle", "skops"])
def artifact(request, tmp_path, keyring, pinned):
    """A registry's artifact that holds a wrapped model."""
    path = tmp_path / f"model.{request.param}"
    model = EncryptedEstimator(pinned, key=keyring)
    (joblib if request.param == "pickle" else skops.io).dump(model, path)
    return path


def test_a_pickle_is_refused_with_the_command(artifact, keyring, action):
    """An artifact that cannot be changed in place is refused, and what the message says to write does it."""
    newer, before = keyring.rotate(), artifact.read_bytes()
    with pytest.raises(ParameterError, match="holds a sealed model") as refused:
        CALLS[action](artifact, newer)
    assert artifact.read_bytes() == before
    if action == "inspect":
        told = re.findall(r"modelpriv\.\w+\('[^']+'\)", str(refused.value))
        assert [eval(call, {"modelpriv": modelpriv}) is not None for call in told] == [True, True]  # noqa: S307
        return
    names = {"joblib": joblib, "skops": skops, "modelpriv": modelpriv, "X": X}
    names |= {"keys": keyring, "newer": newer, "other": newer}
    exec(str(refused.value).partition("Write: ")[2].removesuffix("."), names)  # noqa: S102
    assert names["model"].predict(X).shape == (3,)
    assert (newer.primary in key_usage(artifact)) == (action != "load")


@pytest.mark.parametrize("action", ["rewrap", "repin"])
def test_an_artifact_of_mlflow_is_logged_again(artifact, keyring, action):
    """Of an MLflow model with a pickle, the folder is refused too, and the command logs a new version."""
    (artifact.parent / "MLmodel").touch()
    with pytest.raises(ParameterError, match=r"; modelpriv\.integrations\.mlflow\.log_model\(model, name=\.\.\.\)"):
        CALLS[action](artifact.parent if artifact.suffix != ".pickle" else artifact, keyring)


@pytest.mark.parametrize(
    "content", [b"\x80\x05N.", b"PK\x05\x06 no archive", b"plain text", b"x\x9c cut", b"BZh9 cut", b""]
)
def test_other_files_are_no_sealed_files(tmp_path, keyring, action, content):
    """What holds no sealed model is refused as before: it is no sealed file."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SealedFileError, match="not a sealed file"):
        CALLS[action](path, keyring)


@pytest.mark.parametrize("compress", ["zlib", "gzip", "bz2", "xz", "lzma"])
def test_a_compressed_pickle_is_refused_too(tmp_path, keyring, pinned, compress):
    """Joblib compresses in five ways, and each is looked into; a compressed pickle of something else is not."""
    joblib.dump(EncryptedEstimator(pinned, key=keyring), tmp_path / "model.joblib", compress=(compress, 3))
    with pytest.raises(ParameterError, match="holds a sealed model"):
        modelpriv.rewrap(tmp_path / "model.joblib", key=keyring, add=keyring)
    joblib.dump(pinned, tmp_path / "bare.joblib", compress=(compress, 3))
    with pytest.raises(SealedFileError, match="not a sealed file"):
        modelpriv.rewrap(tmp_path / "bare.joblib", key=keyring, add=keyring)


def test_an_archive_is_searched_to_its_end(tmp_path, keyring):
    """A sealed model is found in any member of an archive, across the pieces in which it is read."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("first", b"x" * 100)
        archive.writestr("second", b"\0" * (2**16 - 3) + modelpriv.dumps(Ridge(), key=keyring))
    with pytest.raises(ParameterError, match="holds a sealed model"):
        modelpriv.inspect(tmp_path / "a.zip")


def test_a_missing_file_stays_an_os_error(action):
    """Where nothing is, the system's own error says so."""
    with pytest.raises(FileNotFoundError):
        CALLS[action](Path("nowhere.mpriv"), Keyring.generate())
