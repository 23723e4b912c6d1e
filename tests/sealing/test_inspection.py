"""Inspecting a sealed file: what it claims, labelled as a claim, and nothing of the model."""

import io
import itertools

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.sealing.format import layout, slots

METADATA = {"stage": "trial", "figures": [1, 2.5, None], "ü": {"nested": True}}


@pytest.fixture
def data(keyring):
    return sealing.dumps(Ridge(alpha=0.625), key=keyring, passphrase="an example", metadata=METADATA)


def test_what_a_file_claims(data, keyring, tmp_path):
    """Without a key a file says its size, the ways to open it, versions and metadata."""
    (tmp_path / "model.mpriv").write_bytes(data)
    for file in (tmp_path / "model.mpriv", str(tmp_path / "model.mpriv"), io.BytesIO(data)):
        claims = sealing.inspect(file)
        assert claims.size == len(data)
        assert claims.origin == "shared"
        assert claims.stanzas == ({"type": "keyring", "key_id": keyring.primary}, {"type": "argon2id"})
        assert claims.versions["scikit-learn"] == sklearn.__version__
        assert claims.versions["numpy"] == np.__version__
        assert claims.metadata == METADATA


def test_it_is_labelled(data):
    """What is shown says that it is unverified, and shows every claim."""
    claims = sealing.inspect(io.BytesIO(data))
    shown = str(claims)
    assert shown.startswith("unverified")
    assert type(claims).__name__ == "Unverified"
    assert all(repr(value) in shown for value in vars(claims).values())


def test_nothing_of_the_model(data):
    """Neither class nor parameters are among the claims."""
    shown = str(sealing.inspect(io.BytesIO(data)))
    assert "Ridge" not in shown
    assert "0.625" not in shown


def test_by_default_only_versions(keyring):
    """A file says nothing about its model when its author does not want it to."""
    claims = sealing.inspect(io.BytesIO(sealing.dumps(Ridge(), key=keyring)))
    assert claims.metadata == {}
    assert set(claims.versions) == {"python", "scikit-learn", "numpy"}


def test_control_characters_do_not_reach_the_terminal(keyring):
    """A file whose claims hold control characters shows them escaped."""
    data = sealing.dumps(Ridge(), key=keyring, metadata={"\x1b[2J": "\x1b]0;title\x07"})
    assert "\x1b" not in str(sealing.inspect(io.BytesIO(data)))


def test_every_file_has_its_own_id(keyring):
    """Two files never have one id."""
    ids = {sealing.inspect(io.BytesIO(sealing.dumps(Ridge(), key=keyring))).file_id for _ in range(5)}
    assert len(ids) == 5


def test_a_lie_is_shown_and_not_loaded(data, keyring):
    """What someone without the key wrote into the manifest is shown, as a claim, and the file does not load."""
    altered = data.replace(b"trial", b"final")
    assert sealing.inspect(io.BytesIO(altered)).metadata["stage"] == "final"
    with pytest.raises((SealedFileError, KeyUnavailableError), match="altered"):
        sealing.loads(altered, key=keyring)


def test_damage(data, split):
    """A file whose head is damaged, or that is none, is refused; a whole slot is enough."""
    prelude, manifest, slot, _, body = split(data)
    for first, second in itertools.product((slot, bytes(len(slot)), b"\xff" * len(slot)), repeat=2):
        file = io.BytesIO(prelude + manifest + first + second + body)
        if slot in (first, second):
            assert sealing.inspect(file).metadata == METADATA
        else:
            with pytest.raises(SealedFileError, match="envelope"):
                sealing.inspect(file)
    with pytest.raises(SealedFileError, match="not a sealed file"):
        sealing.inspect(io.BytesIO(b"something"))


def test_the_newest_slot_counts(data, split):
    """Of two valid slots, the one with the higher number is shown."""
    prelude, manifest, slot, _, body = split(data)
    _, stanzas = slots.read(slot)
    read = layout.Prelude.read(prelude, len(data))
    newer = slots.write(bytes(32), stanzas[1:], prelude=read, manifest=manifest, sequence=2)
    for pair in (slot + newer, newer + slot):
        assert sealing.inspect(io.BytesIO(prelude + manifest + pair + body)).stanzas == ({"type": "argon2id"},)


def nested(depth):
    """Lists in lists, so many levels deep."""
    value = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [200, 500, 900, 960, 990, 2000])
@pytest.mark.parametrize("field", ["metadata", "policy", "estimator"])
def test_a_manifest_that_is_nested_too_deeply(keyring, split, depth, field):
    """A manifest that no one could print without running out of stack is refused, by every reader."""
    _, manifest, slot, _, body = split(sealing.dumps(Ridge(), key=keyring))
    fields = {
        "metadata": ('"metadata":{}', '"metadata":{"a":%s}'),
        "policy": ('"serializer"', '"policy":{"methods":%s},"serializer"'),
        "estimator": ('"file_id"', '"estimator":{"class":"","parameters":{"a":%s}},"file_id"'),
    }
    old, new = fields[field]
    changed = manifest.decode().replace(old, new % ("[" * depth + "]" * depth)).encode()
    fitting = bytes(layout.Prelude(len(changed), len(body)))
    data = fitting + changed + 2 * slot + body
    with pytest.raises(SealedFileError, match="manifest"):
        str(sealing.inspect(io.BytesIO(data)))
    with pytest.raises(SealedFileError, match="manifest"):
        sealing.loads(data, key=keyring)


def test_metadata_that_is_nested_too_deeply(keyring):
    """What a reader would refuse is not written; the deepest that is written can be printed."""
    deepest = layout.DEEPEST - 2  # within the manifest, and the dict that metadata is
    data = sealing.dumps(Ridge(), key=keyring, metadata={"a": nested(deepest)})
    assert str(deepest * "[") in str(sealing.inspect(io.BytesIO(data)))
    for depth in (deepest + 1, 200, 5000):
        with pytest.raises(ParameterError, match="nested too deeply"):
            sealing.dumps(Ridge(), key=keyring, metadata={"a": nested(depth)})


@pytest.mark.parametrize("metadata", [[("a", 1)], "text", {1: 2}, {b"a": 1}])
def test_metadata_of_another_type(metadata, keyring):
    """Metadata is a dict with text as keys."""
    with pytest.raises(ParameterTypeError, match="metadata"):
        sealing.dumps(Ridge(), key=keyring, metadata=metadata)


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes", np.float32(1), "\ud800", "x" * 2**20])
def test_metadata_that_json_cannot_say(value, keyring):
    """Metadata holds what JSON can say, and not without end; the error does not repeat it."""
    with pytest.raises(ParameterError, match="metadata") as refused:
        sealing.dumps(Ridge(), key=keyring, metadata={"key": value})
    assert repr(value) not in str(refused.value)
