"""Identities: private keys that are never in sight, and open what was sealed to their public half."""

import copy
import gc
import pickle
import stat
import traceback

import cloudpickle
import joblib
import pytest
from joblib import Parallel, delayed

from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Identity, Recipient, container
from modelpriv.keys.kem import KINDS
from modelpriv.keys.providers.passphrase import PassphraseProvider
from modelpriv.keys.text import to_line

KEY, CONTEXT, PASSPHRASE = bytes(range(32)), b"what it is for", "an example, and no secret"

pytestmark = pytest.mark.usefixtures("cheap_argon2")


@pytest.fixture(scope="module", params=KINDS)
def identity(request):
    """An identity of each kind in turn."""
    return Identity.generate(request.param)


@pytest.fixture
def mine():
    """An identity of the cheapest kind."""
    return Identity.generate("x25519")


def secret_part(identity):
    return identity.export_secret()[40:70]


def private(identity):
    return identity._private[-24:]


def test_the_default_is_hybrid():
    """An identity is X-Wing unless another kind is asked for."""
    assert Identity.generate().recipient.kind == "x-wing"


@pytest.mark.parametrize("kind", ["", "rsa-1024", "X25519", None])
def test_an_unknown_kind(kind):
    """A kind that is not there is refused, with those that are."""
    with pytest.raises((ParameterError, ParameterTypeError), match="'x-wing', 'x25519', 'p-256', 'rsa'"):
        Identity.generate(kind)


def test_an_identity_is_not_made_by_its_constructor():
    """The constructor refuses, and says what makes an identity."""
    with pytest.raises(ParameterError, match=r"Identity\.generate\(\)"):
        Identity()


def test_export_and_back(identity):
    """The exported text gives the identity back; it starts with words that can be searched for."""
    text = identity.export_secret()
    assert text.startswith("modelpriv_secret_identity_")
    again = Identity.from_secret(text)
    assert again.recipient == identity.recipient
    assert again.unwrap(identity.recipient.wrap(KEY, CONTEXT), CONTEXT) == KEY


def test_a_mistyped_export(identity):
    """A wrong character in the exported text is noticed, and none of it shown."""
    text = identity.export_secret()
    with pytest.raises(ParameterError, match="cut or mistyped") as raised:
        Identity.from_secret(text[:-1] + ("A" if text[-1] != "A" else "B"))
    assert text[40:50] not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("kind", ["x-wing", "x25519", "p-256", "rsa"])
def test_an_export_without_a_key(kind):
    """A text whose checksum is right and whose key is none is refused."""
    with pytest.raises(ParameterError, match=f"private key of kind '{kind}'"):
        Identity.from_secret(to_line(f"modelpriv_secret_identity_{kind.replace('-', '')}_1_", bytes(7)))


def test_a_recipient_is_no_secret(mine):
    """The public line is not taken for the private one."""
    with pytest.raises(ParameterError, match="modelpriv_secret_identity_"):
        Identity.from_secret(str(mine.recipient))


def test_save_and_load(identity, tmp_path):
    """A saved identity comes back; the file shows its recipient, hides its key, and is its owner's alone."""
    path = tmp_path / "identity.json"
    identity.save(path, passphrase=PASSPHRASE)
    assert Identity.load(path, passphrase=PASSPHRASE).export_secret() == identity.export_secret()
    assert str(identity.recipient) in path.read_text()
    assert secret_part(identity) not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_wrong_passphrase(mine, tmp_path):
    """A wrong passphrase is called that."""
    mine.save(tmp_path / "identity.json", passphrase=PASSPHRASE)
    with pytest.raises(KeyUnavailableError, match=r"identity\.json: the passphrase is wrong"):
        Identity.load(tmp_path / "identity.json", passphrase="wrong")


def test_a_keyring_file_is_no_identity(keyring, tmp_path):
    """A keyring's file is not taken for an identity's."""
    keyring.save(tmp_path / "keys.json", passphrase=PASSPHRASE)
    with pytest.raises(SealedFileError, match="no identity file"):
        Identity.load(tmp_path / "keys.json", passphrase=PASSPHRASE)


def test_a_file_that_names_another_recipient(mine, tmp_path):
    """A file whose recipient is not that of its key is refused."""
    public = {"recipient": str(Identity.generate("x25519").recipient)}
    provider = PassphraseProvider(PASSPHRASE)
    container.write(tmp_path / "identity.json", "identity", public, mine.export_secret().encode(), provider=provider)
    with pytest.raises(SealedFileError, match="recipient"):
        Identity.load(tmp_path / "identity.json", passphrase=PASSPHRASE)


def test_death_while_saving_an_identity(mine, tmp_path, interrupt_everywhere):
    """A process that dies at any step of a save leaves the file under the old passphrase or the new one, whole."""
    path, new = tmp_path / "identity.json", f"another {PASSPHRASE}"
    mine.save(path, passphrase=PASSPHRASE)
    old_file = path.read_bytes()

    def whole():
        state, passphrase = ("old", PASSPHRASE) if path.read_bytes() == old_file else ("new", new)
        assert Identity.load(path, passphrase=passphrase).recipient == mine.recipient
        return state

    outcomes = interrupt_everywhere(lambda: path.write_bytes(old_file), lambda: mine.save(path, passphrase=new), whole)
    assert {state for _, state in outcomes} == {"old", "new"}


@pytest.mark.parametrize("change", [{"wrapped": "AAAA"}, {"wrapped": 5}, {"wrapped": "!"}, {"wrapped": None}])
def test_a_damaged_stanza(identity, change):
    """A stanza that was altered does not open, and the error names the recipient."""
    with pytest.raises(KeyUnavailableError, match=identity.recipient.id):
        identity.unwrap(identity.recipient.wrap(KEY, CONTEXT) | change, CONTEXT)


def test_pickled_it_is_its_recipient(identity):
    """No pickle holds a private key: unpickled it is the identity where that lives, else its recipient."""
    lost = Identity.from_secret(identity.export_secret())
    for dumps, loads in ((pickle.dumps, pickle.loads), (cloudpickle.dumps, cloudpickle.loads)):
        data = dumps(identity)
        assert private(identity) not in data
        assert loads(data).recipient == identity.recipient
    assert lost.__getstate__() == (str(identity.recipient),)


def test_unpickled_elsewhere():
    """Where the identity is not alive, its pickle gives the recipient, which opens nothing."""
    gone = Identity.generate("x25519")
    data, line = pickle.dumps(gone), str(gone.recipient)
    del gone
    gc.collect()
    came = pickle.loads(data)
    assert isinstance(came, Recipient)
    assert str(came) == line


def test_workers_receive_identities(mine):
    """An identity that lives in memory only opens in the workers of this process, and comes back as itself."""
    stanza = mine.recipient.wrap(KEY, CONTEXT)
    assert Parallel(n_jobs=2)([delayed(Identity.unwrap)(mine, stanza, CONTEXT)] * 2) == [KEY] * 2
    assert Parallel(n_jobs=2)([delayed(copy.copy)(mine)] * 2) == [mine] * 2


def test_files_of_joblib_hold_no_private_key(mine, tmp_path):
    """A file of ``joblib.dump`` holds the public half only."""
    joblib.dump([mine], tmp_path / "file")
    assert private(mine) not in (tmp_path / "file").read_bytes()


def test_copies_are_the_identity(mine):
    """``copy`` and ``deepcopy`` give the identity itself."""
    assert copy.deepcopy([copy.copy(mine)])[0] is mine


def test_it_cannot_be_changed(mine):
    """Nothing of an identity is set or deleted."""
    for name in ("recipient", "_private", "anything"):
        with pytest.raises(AttributeError, match="cannot be changed"):
            setattr(mine, name, None)
        with pytest.raises(AttributeError, match="cannot be changed"):
            delattr(mine, name)


def test_repr_names_the_recipient(identity):
    """The repr names kind and recipient, and no secret."""
    assert repr(identity) == f"<Identity {identity.recipient.kind} {identity.recipient.id}>"


@pytest.mark.parametrize(("passphrase", "error"), [("", ParameterError), (None, ParameterError)])
def test_saving_needs_a_passphrase(mine, tmp_path, passphrase, error):
    """An identity file is always wrapped."""
    with pytest.raises(error, match="passphrase"):
        mine.save(tmp_path / "identity.json", passphrase=passphrase)
    assert not list(tmp_path.iterdir())
