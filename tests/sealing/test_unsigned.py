"""Unsigned files for recipients: skops reads them, with the types that the reader names, and nothing is unpickled."""

import io
import runpy
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv.errors import ParameterError, SealedFileError, UntrustedError
from modelpriv.keys import Identity, SigningKey
from modelpriv.sealing.format import buffers

_INSIDER = runpy.run_path(str(Path(__file__).with_name("insider.py")))
Parts, pickled = _INSIDER["Parts"], _INSIDER["pickled"]


@pytest.fixture(scope="module")
def ada():
    return Identity.generate("x25519")


@pytest.fixture(scope="module")
def author():
    return SigningKey.generate()


@pytest.fixture(autouse=True)
def _trust_nobody():
    """Leave the process's trust as it was."""
    yield
    sealing.set_trusted()


def refuses(data, bomb, error=UntrustedError, **opening):
    """Assert that a file is refused, and that nothing was unpickled; give the words."""
    before = bomb.exploded
    with pytest.raises(error) as refused:
        sealing.loads(bytes(data), **opening)
    assert bomb.exploded == before
    return str(refused.value)


def test_an_unsigned_file_for_a_partner(ada):
    """Without a signature a file for recipients holds no pickle, and opens where its types are named."""
    model = Ridge(alpha=3).fit(np.eye(3), [1.0, 2.0, 3.0])
    data = sealing.dumps(model, recipients=[ada.recipient])
    assert sealing.inspect(io.BytesIO(data)).serializer == "skops"
    with pytest.raises(UntrustedError, match="trusted_types"):
        sealing.loads(data, identity=ada)
    back = sealing.loads(data, identity=ada, trusted_types=["sklearn.linear_model._ridge.Ridge"])
    np.testing.assert_array_equal(back.coef_, model.coef_)


def test_types_that_were_not_named(ada, bomb):
    """A type that skops does not know and the reader did not name is refused, by its name."""
    data = sealing.dumps(Parts.__new__(Parts), recipients=[ada.recipient])
    words = refuses(data, bomb, identity=ada, trusted_types=["sklearn.linear_model._ridge.Ridge"])
    assert "Parts" in words


def test_a_pickle_passed_off_as_unsigned(ada, bomb):
    """A pickle in a file that says that it holds skops goes to skops, which does not run it."""
    parts = Parts(sealing.dumps(Ridge(), recipients=[ada.recipient]), identity=ada)
    data = parts.write(pickled(bomb()))
    assert "skops" in refuses(data, bomb, SealedFileError, identity=ada, trusted_types=["a"])
    garbage = parts.write(b"".join(buffers.lay_out([memoryview(b"PK\3\4garbage")], [])))
    refuses(garbage, bomb, SealedFileError, identity=ada, trusted_types=["a"])


def test_a_skops_file_that_pickles(ada, bomb):
    """What skops itself would unpickle is nothing: a type that it would call is one that must be named."""
    parts = Parts(sealing.dumps(Ridge(), recipients=[ada.recipient]), identity=ada)
    hostile = skops.io.dumps({"a": np.array([1, None], dtype=object), "f": bomb})
    data = parts.write(b"".join(buffers.lay_out([memoryview(hostile)], [])))
    refuses(data, bomb, identity=ada, trusted_types=["a"])


def test_what_skops_cannot_write(ada):
    """A model that cannot be written without a pickle is refused, with the way out."""
    with pytest.raises(ParameterError, match="sign_with="):
        sealing.dumps((one for one in ()), recipients=[ada.recipient])


def test_unsigned_has_neither_policy_nor_code(ada):
    """What only an unpickled wrapper would keep is refused where nothing is unpickled."""
    with pytest.raises(ParameterError, match="sign_with="):
        sealing.dumps(Ridge(), recipients=[ada.recipient], code="by-value")


@pytest.mark.parametrize("process", [False, True])
def test_naming_signers_refuses_unsigned_files(process, keyring, ada, author, tmp_path):
    """Where a call names signers, no unsigned file is read, whatever types the call or the process trusts."""
    types = ["sklearn.linear_model._ridge.Ridge"]
    if process:
        sealing.set_trusted(signers=[author.signer], types=types)
    given = {"trusted_signers": [author.signer]} | ({} if process else {"trusted_types": types})
    path = tmp_path / "m"
    for ways, opening in (
        ({"recipients": [ada.recipient]}, {"identity": ada}),
        ({"key": keyring}, {"key": keyring}),
        ({"key": keyring, "passphrase": "an example"}, {"passphrase": "an example"}),
    ):
        sealing.dump(Ridge(alpha=666), path, **ways)
        with pytest.raises(UntrustedError, match="not signed, and trusted_signers"):
            sealing.load(path, **opening, **given)
        assert sealing.load(path, **opening, **({} if process else {"trusted_types": types})).alpha == 666


def test_rekey_with_signers_named_refuses_unsigned_files(keyring, author, tmp_path):
    """Rekey does not vouch for an unsigned file where the caller names who must have signed it."""
    sealing.dump(Ridge(), tmp_path / "m", key=keyring)
    with pytest.raises(UntrustedError, match="not signed, and trusted_signers"):
        sealing.rekey(tmp_path / "m", key=keyring, new_key=keyring, trusted_signers=[author.signer])
    sealing.rekey(tmp_path / "m", key=keyring, new_key=keyring)
