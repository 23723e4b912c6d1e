"""What is recorded, for whom, and that nothing is written that could not be recorded."""

import asyncio
import io
import json
import pickle
import threading

import pandas as pd
import pytest
from sklearn.linear_model import Ridge

import modelpriv
from modelpriv import EncryptedEstimator, FieldEncryptor, Identity, Keyring, SigningKey
from modelpriv.audit import AuditLog, acting_as
from modelpriv.errors import KeyUnavailableError, ModelprivError, ParameterError, ParameterTypeError
from modelpriv.keys.providers.passphrase import PassphraseProvider

TABLE = pd.DataFrame({"email": ["canary@example.org"]})
ADA, OWNER = Identity.generate("x25519"), SigningKey.generate()


@pytest.fixture
def recorded(tmp_path, keyring):
    """Do something while a log is started, and give its events."""

    def run(act):
        path = tmp_path / "audit.jsonl"
        with AuditLog(path, key=keyring):
            act()
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return [entry for entry in found if entry["subject"] != "AuditLog"]

    return run


@pytest.mark.parametrize(
    ("kind", "act", "names"),
    [
        ("Keyring", Keyring.generate, "key_ids"),
        ("Identity", lambda: Identity.generate("x25519"), "recipient"),
        ("SigningKey", SigningKey.generate, "signer"),
    ],
)
def test_making_a_key_is_recorded(recorded, kind, act, names):
    """A new keyring, identity or signing key is an event with its id."""
    (entry,) = recorded(act)
    assert (entry["action"], entry["subject"], entry["result"]) == ("generate", kind, "ok")
    assert entry[names]


@pytest.mark.parametrize("key", [Keyring.generate(), ADA, OWNER], ids=["Keyring", "Identity", "SigningKey"])
def test_bringing_in_a_key_is_recorded(recorded, key):
    """A secret text that is read is an event, and so is one that is refused; the text is in none."""
    secret = key.export_secret()

    def act():
        type(key).from_secret(secret)
        with pytest.raises(ParameterError):
            type(key).from_secret(secret[:-1])

    found = recorded(act)
    assert [(entry["action"], entry["result"]) for entry in found] == [
        ("from_secret", "ok"),
        ("from_secret", "ParameterError"),
    ]
    assert secret[30:60] not in str(found)


def test_signing_is_recorded(recorded):
    """A signature that a program asks for is an event with the signer; within a grant it is a step of that."""
    keys = Keyring.generate()

    def act():
        OWNER.sign(b"canary")
        keys.grant(["email"], recipient=ADA.recipient, sign_with=OWNER)

    signed, granted = recorded(act)
    assert (signed["action"], signed["signer"]) == ("sign", OWNER.signer.id)
    assert granted["action"] == "grant"


def test_unwrapping_is_recorded(recorded):
    """An identity that opens a stanza, or fails to, is an event with its recipient."""
    stanza = ADA.recipient.wrap(bytes(32), b"context")

    def act():
        ADA.unwrap(stanza, b"context")
        with pytest.raises(KeyUnavailableError):
            ADA.unwrap(stanza, b"another")

    found = recorded(act)
    assert [(entry["action"], entry["result"]) for entry in found] == [
        ("unwrap", "ok"),
        ("unwrap", "KeyUnavailableError"),
    ]
    assert all(entry["recipient"] == ADA.recipient.id for entry in found)


def test_a_provider_is_recorded(recorded, tmp_path):
    """What a provider wraps and unwraps for a program is an event; within a keyring's save it is a step of that."""
    keys, provider = Keyring.generate(), PassphraseProvider("an example")

    def act():
        blob = provider.wrap(bytes(32), b"context")
        with pytest.raises(KeyUnavailableError):
            provider.unwrap(blob, b"another")
        keys.save(tmp_path / "keys.json", wrap_with=provider)

    assert [(entry["action"], entry["subject"], entry["result"]) for entry in recorded(act)] == [
        ("wrap", "PassphraseProvider", "ok"),
        ("unwrap", "PassphraseProvider", "KeyUnavailableError"),
        ("save", "Keyring", "ok"),
    ]


def test_for_whom(recorded, keyring):
    """Inside acting_as an event names the person, the innermost one, and outside of it no one."""

    def act():
        with acting_as("ada@example.org"):
            with acting_as("grace@example.org"):
                keyring.rotate()
            keyring.rotate()
        keyring.rotate()

    assert [entry.get("who") for entry in recorded(act)] == ["grace@example.org", "ada@example.org", None]


def test_a_refusal_is_for_someone_too(recorded, keyring):
    """An event that ends in an error names the person."""

    def act():
        with acting_as("ada@example.org"), pytest.raises(KeyUnavailableError):
            keyring.retire("00000000")
        with acting_as("ada@example.org"), pytest.raises(ModelprivError):
            FieldEncryptor(key=keyring, columns=["name"]).fit(TABLE)

    assert {entry["who"] for entry in recorded(act)} == {"ada@example.org"}


def test_each_task_acts_for_its_own(recorded, keyring):
    """Tasks of one event loop, and the threads that they wait for, act each for its own person."""

    async def request(who):
        with acting_as(who):
            await asyncio.sleep(0)
            keyring.rotate()
            await asyncio.to_thread(keyring.rotate)

    async def serve():
        await asyncio.gather(request("ada"), request("grace"), request("alan"))

    found = [entry["who"] for entry in recorded(lambda: asyncio.run(serve()))]
    assert sorted(found) == sorted(["ada", "grace", "alan"] * 2)


def test_a_thread_acts_for_its_own(recorded, keyring):
    """A thread of your own takes over no one's name, and can name a person for itself."""

    def work(who):
        keyring.rotate()
        with acting_as(who):
            keyring.rotate()

    def act():
        with acting_as("ada"):
            thread = threading.Thread(target=work, args=["grace"])
            thread.start()
            thread.join()
            keyring.rotate()

    assert [entry.get("who", "") for entry in recorded(act)] in (["", "grace", "ada"], ["ada", "grace", "ada"])


@pytest.mark.parametrize(("who", "error"), [("", ParameterError), ("x" * 257, ParameterError), (5, ParameterTypeError)])
def test_no_one(who, error):
    """A name that is empty, too long or no text is refused."""
    with pytest.raises(error, match="who must"), acting_as(who):
        pass


def test_a_name_that_json_cannot_say(recorded, keyring):
    """A name is recorded whatever it is made of."""

    def act():
        with acting_as("ada\udcff\n"):
            keyring.rotate()

    assert recorded(act)[0]["who"] == "ada\\udcff\n"


def sealed(path, keys):
    modelpriv.dump(Ridge(), path, key=keys)


def shared(path, keys):
    modelpriv.dump(Ridge(), path, key=keys, passphrase="an example")


def signed(path, keys):
    modelpriv.dump(Ridge(), path, recipients=[ADA.recipient], sign_with=OWNER)


def nothing(path, keys):
    pass


def keyed(path, keys):
    step = FieldEncryptor("deterministic", key=keys)
    modelpriv.dump(step.fit(TABLE), path, key=keys)


def to_stream(path, keys):
    with path.open("ab", buffering=0) as file:
        modelpriv.dump(Ridge(), file, key=keys)


def pickled(path, keys):
    with path.open("ab", buffering=0) as file:
        pickle.dump(EncryptedEstimator(Ridge(), key=keys), file)


GRANT = Keyring.generate().grant(["email"], recipient=ADA.recipient, sign_with=OWNER)
WRITERS = {
    "dump": (nothing, sealed),
    "dump over another": (sealed, sealed),
    "dump for two secrets": (nothing, shared),
    "dump, signed": (nothing, signed),
    "dump to an open file": (nothing, to_stream),
    "pickle": (nothing, pickled),
    "rewrap": (shared, lambda path, keys: modelpriv.rewrap(path, key=keys, add=Keyring.generate())),
    "rewrap, remove": (shared, lambda path, keys: modelpriv.rewrap(path, key=keys, remove="passphrase")),
    "rewrap, larger": (
        signed,
        lambda path, keys: modelpriv.rewrap(
            path, identity=ADA, add=[Identity.generate("x25519").recipient for _ in range(40)]
        ),
    ),
    "rekey": (sealed, lambda path, keys: modelpriv.rekey(path, key=keys, new_key=keys.rotate())),
    "Keyring.save": (nothing, lambda path, keys: keys.save(path, passphrase="an example")),
    "Keyring.save over it": (
        lambda path, keys: keys.save(path, passphrase="an example"),
        lambda path, keys: keys.rotate().save(path, passphrase="an example"),
    ),
    "Identity.save": (nothing, lambda path, keys: ADA.save(path, passphrase="an example")),
    "SigningKey.save": (nothing, lambda path, keys: OWNER.save(path, passphrase="an example")),
    "Recipient.save": (nothing, lambda path, keys: ADA.recipient.save(path)),
    "Signer.save": (nothing, lambda path, keys: OWNER.signer.save(path)),
    "repin": (keyed, lambda path, keys: modelpriv.repin(path, key=keys.rotate(), sample=TABLE)),
    "Grant.save": (nothing, lambda path, keys: GRANT.save(path)),
}


def files_below(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_recorded_is_not_written(name, tmp_path, keyring):
    """While a log cannot be written, no operation that writes a file changes anything in its folder."""
    prepare, write = WRITERS[name]
    folder, path = tmp_path / "files", tmp_path / "audit.jsonl"
    folder.mkdir()
    prepare(folder / "file", keyring)
    before = files_below(folder)
    log = AuditLog(path, key=keyring).start()
    kept = path.read_bytes()
    path.unlink()
    with pytest.raises(ModelprivError, match=r"audit\.jsonl"):
        write(folder / "file", keyring)
    assert {file: content for file, content in files_below(folder).items() if content} == before
    path.write_bytes(kept)
    log.stop()


@pytest.mark.parametrize("name", WRITERS)
def test_each_that_writes_is_recorded(name, tmp_path, recorded, keyring):
    """Each operation that writes a file is an event, and with a log that works the file is written."""
    prepare, write = WRITERS[name]
    path = tmp_path / "file"
    prepare(path, keyring)
    before = path.read_bytes() if path.exists() else b""
    assert recorded(lambda: write(path, keyring))
    assert path.read_bytes() != before


def test_nothing_is_given_out_unrecorded(tmp_path, keyring):
    """While a log cannot be written, no bytes of a model, no secret and no cell are given out."""
    path, step = tmp_path / "audit.jsonl", FieldEncryptor(key=keyring).fit(TABLE)
    taken = io.BytesIO()
    log = AuditLog(path, key=keyring).start()
    kept = path.read_bytes()
    path.unlink()
    for act in (
        lambda: modelpriv.dumps(Ridge(), key=keyring),
        lambda: modelpriv.dump(Ridge(), taken, key=keyring),
        keyring.export_secret,
        ADA.export_secret,
        OWNER.export_secret,
        lambda: OWNER.sign(b"message"),
        lambda: step.transform(TABLE),
        keyring.rotate,
        Keyring.generate,
    ):
        with pytest.raises(ModelprivError, match=r"audit\.jsonl"):
            act()
    assert not taken.getvalue()
    path.write_bytes(kept)
    log.stop()
