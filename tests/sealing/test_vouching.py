"""Changing who opens a signed file: its signature stays with rewrap, and rekey vouches for no stranger."""

import pytest
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv.errors import KeyUnavailableError, ParameterError, UntrustedError
from modelpriv.keys import Identity, SigningKey
from modelpriv.sealing.format import layout


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


def test_a_recipient_joins_no_keyring_file(keyring, ada, author, tmp_path):
    """Adding a recipient to a file of origin keyring is refused, and rekey with a signature does it."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=3), path, key=keyring)
    before = path.read_bytes()
    for add in (ada.recipient, str(ada.recipient), [ada.recipient]):
        with pytest.raises(ParameterError, match=r"rekey\(new_recipients"):
            sealing.rewrap(path, key=keyring, add=add)
    with pytest.raises(ParameterError, match="sign_with="):
        sealing.rekey(path, key=keyring, new_recipients=[ada.recipient])
    assert path.read_bytes() == before
    sealing.rekey(path, key=keyring, new_key=keyring, new_recipients=[ada.recipient], sign_with=author)
    assert sealing.load(path, identity=ada, trusted_signers=[author.signer]).alpha == 3
    assert sealing.load(path, key=keyring, trusted_signers=[author.signer]).alpha == 3


def test_rewrap_keeps_body_and_signature(keyring, ada, author, tmp_path):
    """Recipients come and go in a signed file; its manifest, body and signature stay to the byte."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=3), path, key=keyring, sign_with=author)
    before = path.read_bytes()
    sealing.rewrap(path, key=keyring, add=[ada.recipient, ada.recipient])
    prelude = layout.Prelude.read(path.read_bytes(), path.stat().st_size)
    end = layout.PRELUDE + prelude.manifest + 2 * prelude.slot
    assert path.read_bytes()[end:] == before[end:]
    assert sealing.load(path, identity=ada, trusted_signers=[author.signer]).alpha == 3
    assert [way.get("recipient") for way in sealing.inspect(path).stanzas] == [None, ada.recipient.id]
    sealing.rewrap(path, identity=ada, remove=keyring.primary)
    with pytest.raises(KeyUnavailableError, match=ada.recipient.id):
        sealing.load(path, key=keyring, trusted_signers=[author.signer])
    others = [Identity.generate("rsa").recipient for _ in range(8)]
    sealing.rewrap(path, identity=ada, add=others)  # more than the slot holds: the file is written again
    assert sealing.load(path, identity=ada, trusted_signers=[author.signer]).alpha == 3


def test_rekey_vouches_for_no_stranger(keyring, ada, author, bomb, tmp_path):
    """Rekey does not sign, or take under a key, what a stranger signed or nobody did."""
    path, stranger = tmp_path / "m", SigningKey.generate()
    for sign_with in (stranger, None):
        sealing.dump(Ridge(), path, recipients=[ada.recipient], sign_with=sign_with)
        before = path.read_bytes()
        for new in ({"new_key": keyring}, {"new_recipients": [ada.recipient], "sign_with": author}):
            with pytest.raises((UntrustedError, ParameterError)):
                sealing.rekey(path, identity=ada, trusted_signers=[author.signer], **new)
            assert path.read_bytes() == before
            assert not [other for other in tmp_path.iterdir() if other != path]


def test_rekey_to_a_key_of_ones_own(keyring, ada, author, tmp_path):
    """A trusted author's file becomes one that only the own key opens, and then needs no signature."""
    path = tmp_path / "m"
    sealing.dump(Ridge(alpha=3), path, recipients=[ada.recipient], sign_with=author)
    sealing.rekey(path, identity=ada, new_key=keyring, trusted_signers=[author.signer])
    assert sealing.inspect(path).origin == "sole"
    assert sealing.load(path, key=keyring).alpha == 3
