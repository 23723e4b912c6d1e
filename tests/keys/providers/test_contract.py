"""The contract of every key provider, against the real part behind it."""

import os
import pickle
import traceback

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from modelpriv import FieldEncryptor, sealing
from modelpriv._core import json
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterError, ParameterTypeError, SealedFileError
from modelpriv.keys import Identity, KeyProvider, Keyring, SigningKey, set_providers
from modelpriv.keys.text import from_base64, to_base64

DATA_KEY, CONTEXT = bytes(range(32)), b"\x00what it is for\xff"


@pytest.fixture(autouse=True)
def _nothing_configured():
    """Leave the process without providers."""
    yield
    set_providers()


def flipped(blob, at):
    """A blob with one bit of what it wraps flipped."""
    data = bytearray(from_base64(blob["wrapped"]))
    data[at] ^= 1
    return {**blob, "wrapped": to_base64(bytes(data))}


def test_round_trip(source):
    """What was wrapped is unwrapped, by another object of the same settings too."""
    blob = source.provider.wrap(DATA_KEY, CONTEXT)
    assert source.provider.unwrap(blob, CONTEXT) == DATA_KEY
    assert source.provider.unwrap(json.load(json.dump(blob)), CONTEXT) == DATA_KEY


def test_it_is_a_provider(source):
    """It has the four things that a provider has, its blobs name its type, and its description names no secret."""
    assert isinstance(source.provider, KeyProvider)
    blob = source.provider.wrap(DATA_KEY, CONTEXT)
    assert blob["type"] == source.provider.type
    for text in (source.provider.describe(), repr(source.provider), str(blob)):
        assert not [secret for secret in ("an example", "5678", "root") if secret in text]
        assert DATA_KEY.hex() not in text


def test_wrapping_twice_differs(source):
    """Two blobs of one key have nothing in common but their names."""
    assert source.provider.wrap(DATA_KEY, CONTEXT)["wrapped"] != source.provider.wrap(DATA_KEY, CONTEXT)["wrapped"]


@pytest.mark.parametrize("context", [b"", CONTEXT[:-1], CONTEXT + b"\x00"])
def test_another_context(source, context):
    """A blob opens in its own context only."""
    blob = source.provider.wrap(DATA_KEY, CONTEXT)
    with pytest.raises(KeyUnavailableError, match=r"altered|context"):
        source.provider.unwrap(blob, context)


@pytest.mark.parametrize("at", [0, 20, -1])
def test_a_tampered_blob(source, at):
    """A blob of which one bit was changed is refused, and named as the source's refusal."""
    blob = source.provider.wrap(DATA_KEY, CONTEXT)
    with pytest.raises((KeyUnavailableError, SealedFileError)) as raised:
        source.provider.unwrap(flipped(blob, at), CONTEXT)
    assert DATA_KEY.hex() not in "".join(traceback.format_exception(raised.value))


def test_a_damaged_blob(source):
    """A blob with fields that are missing, strange or no text is refused, and nobody is asked."""
    blob = source.provider.wrap(DATA_KEY, CONTEXT)
    for name in blob:
        for value in (None, 5, "", "*", "A" * 20_000):
            broken = {**blob, name: value}
            with pytest.raises((KeyUnavailableError, SealedFileError)):
                source.provider.unwrap(broken, CONTEXT)
        with pytest.raises((KeyUnavailableError, SealedFileError)):
            source.provider.unwrap({key: held for key, held in blob.items() if key != name}, CONTEXT)


def test_another_key(source):
    """A blob opens with no other key of the same source."""
    blob = source.provider.wrap(DATA_KEY, CONTEXT)
    with pytest.raises(KeyUnavailableError):
        source.other.unwrap(blob, CONTEXT)


def test_it_is_not_pickled(source):
    """A provider does not go into a pickle, and its secret with it."""
    with pytest.raises(ParameterTypeError, match="not pickled"):
        pickle.dumps(source.provider)


def test_a_keyring_file(source, keyring, tmp_path):
    """A keyring file is wrapped by it, opens with it, and shows neither key nor secret."""
    path = tmp_path / "keys.json"
    keyring.save(path, wrap_with=source.provider)
    assert keyring.export_secret()[30:60] not in path.read_text()
    assert Keyring.load(path, provider=source.provider).fingerprints == keyring.fingerprints
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyUnavailableError):
        Keyring.load(path, provider=source.other)


@pytest.mark.parametrize("wrapped", ["*", "A" * 20_000, "AAAA", 5, None])
def test_a_damaged_keyring_file(source, keyring, tmp_path, wrapped):
    """A keyring file whose wrapped key is damaged is named, whatever wraps it."""
    path = tmp_path / "keys.json"
    keyring.save(path, wrap_with=source.provider)
    whole = json.load(path.read_bytes())
    path.write_bytes(json.dump(whole | {"provider": whole["provider"] | {"wrapped": wrapped}}) + b"\n")
    with pytest.raises(ModelprivError, match=r"keys\.json") as raised:
        Keyring.load(path, provider=source.provider)
    assert whole["provider"]["wrapped"] not in str(raised.value)


def test_a_source_that_forgets_in_mid_work(source, tmp_path, monkeypatch):
    """What is open works on while its source refuses; what is opened anew says so, and works when the source does."""
    path, table = tmp_path / "keys.json", pd.DataFrame({"email": ["a@b.org"]})
    Keyring.generate().save(path, wrap_with=source.provider)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "an example")
    set_providers(source.provider)
    step = FieldEncryptor(key=f"file:{path}").fit(table)
    released = step.transform(table)

    def refuse(provider, blob, context):
        raise KeyUnavailableError(f"{provider.describe()} denies permission.")

    with monkeypatch.context() as patched:
        patched.setattr(type(source.provider), "unwrap", refuse)
        assert step.inverse_transform(released).equals(table)
        del step
        fresh = FieldEncryptor(key=f"file:{path}")
        with pytest.raises(KeyUnavailableError, match=r"keys\.json \(key ids [0-9a-f]{8}\): .*denies permission"):
            fresh.inverse_transform(released)
    assert fresh.inverse_transform(released).equals(table)


def test_a_uri_is_enough(source, tmp_path, monkeypatch):
    """With the provider configured for the process, the file's URI opens it; several of one type are tried in turn."""
    keyring = Keyring.generate()
    keyring.save(tmp_path / "keys.json", wrap_with=source.provider)
    wanted = keyring.fingerprints
    del keyring
    set_providers(source.other, source.provider)
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "an example")
    assert Keyring.from_uri(f"file:{tmp_path / 'keys.json'}").fingerprints == wanted


def test_it_is_asked_once(source, tmp_path, monkeypatch):
    """A source is asked once for an object's life, not for each column, call or cell."""
    Keyring.generate().save(tmp_path / "keys.json", wrap_with=source.provider)
    calls = []
    unwrap = type(source.provider).unwrap
    monkeypatch.setattr(type(source.provider), "unwrap", lambda *given: calls.append(1) or unwrap(*given))
    monkeypatch.setenv("MODELPRIV_PASSPHRASE", "an example")
    set_providers(source.provider)
    table = pd.DataFrame({name: ["x"] * 50 for name in "abc"})
    step = FieldEncryptor(key=f"file:{tmp_path / 'keys.json'}").fit(table)
    for _ in range(3):
        assert step.inverse_transform(step.transform(table)).equals(table)
    assert len(calls) == 1
    released = step.transform(table)
    del step
    opener = FieldEncryptor(key=f"file:{tmp_path / 'keys.json'}")
    for _ in range(3):
        assert opener.inverse_transform(released).equals(table)
    assert len(calls) == 2


def test_a_file_alone_is_asked_nothing(source, keyring, tmp_path):
    """A provider that only the file names is shown and never contacted."""
    path = tmp_path / "keys.json"
    keyring.save(path, wrap_with=source.provider)
    if source.provider.type == "argon2id":
        with pytest.raises(KeyUnavailableError, match="needs a passphrase"):
            Keyring.load(path)
        return
    with pytest.raises(KeyUnavailableError, match=f"'{source.provider.type}'.*set_providers"):
        Keyring.load(path)
    with pytest.raises(KeyUnavailableError, match="opens with no passphrase"):
        Keyring.load(path, passphrase="an example")


def test_an_identity_file(source, tmp_path):
    """The file of a private key is wrapped by it too."""
    identity = Identity.generate("x25519")
    identity.save(tmp_path / "me.json", wrap_with=source.provider)
    assert Identity.load(tmp_path / "me.json", provider=source.provider).recipient == identity.recipient


def test_every_change_to_the_file(source, keyring, tmp_path):
    """A file of which any field was changed is refused."""
    path = tmp_path / "keys.json"
    keyring.save(path, wrap_with=source.provider)
    whole = json.load(path.read_bytes())
    other = Keyring.generate().primary
    for change in ({"public": {"key_ids": [other]}}, {"version": 2}, {"sealed": whole["sealed"][:-4] + "AAAA"}):
        path.write_bytes(json.dump(whole | change) + b"\n")
        with pytest.raises((KeyUnavailableError, SealedFileError)):
            Keyring.load(path, provider=source.provider)


def test_saving_takes_one_of_two(source, keyring, tmp_path):
    """A file is wrapped by a passphrase or by a provider: neither, both, and what is none, write nothing."""
    for given in ({}, {"passphrase": "x", "wrap_with": source.provider}):
        with pytest.raises(ParameterError, match="wrap_with"):
            keyring.save(tmp_path / "keys.json", **given)
    for attempt in (lambda: keyring.save(tmp_path / "k", wrap_with="vault"), lambda: set_providers(object())):
        with pytest.raises(ParameterTypeError, match="a provider has"):
            attempt()
    assert not os.listdir(tmp_path)  # noqa: PTH208 - names are enough


def test_a_failed_save_keeps_the_old_file(source, keyring, tmp_path, monkeypatch):
    """When the source refuses, the file that was there is whole."""
    path = tmp_path / "keys.json"
    keyring.save(path, wrap_with=source.provider)
    before = path.read_bytes()

    def refuse(*given):
        raise KeyUnavailableError("refused")

    monkeypatch.setattr(type(source.provider), "wrap", refuse)
    with pytest.raises(ModelprivError, match="refused"):
        keyring.rotate().save(path, wrap_with=source.provider)
    assert path.read_bytes() == before


def test_a_sealed_model(source, tmp_path, monkeypatch):
    """A provider wraps a model's key: the file opens with it, is shown as its own, and for no other provider."""
    path, author = tmp_path / "model.mpriv", SigningKey.generate()
    vouched = {} if source.provider.type == "argon2id" else {"sign_with": author}
    trusted = {"trusted_signers": [author.signer]} if vouched else {}
    sealing.dump(Ridge(alpha=7.5), path, wrap_with=source.provider, **vouched)
    assert sealing.load(path, provider=source.provider, **trusted).alpha == 7.5
    set_providers(source.provider)
    assert sealing.load(path, **trusted).alpha == 7.5
    set_providers()
    assert source.provider.type in str(sealing.inspect(path))
    for opening in ({"provider": source.other}, {"key": Keyring.generate()}):
        with pytest.raises(KeyUnavailableError):
            sealing.load(path, **opening, **trusted)
    others = {} if vouched else {"new_key": Keyring.generate()}  # a file of one passphrase takes no other
    sealing.rekey(path, provider=source.provider, new_provider=source.provider, **others, **vouched)
    sealing.rewrap(path, provider=source.provider, add_passphrase="an example of its own")
    assert sealing.load(path, passphrase="an example of its own", **trusted).alpha == 7.5
