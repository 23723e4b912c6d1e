"""Whatever bytes come, the reader of sealed files neither crashes nor hangs, takes little memory and runs nothing."""

import contextlib
import io
import itertools
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from modelpriv import sealing
from modelpriv.errors import ModelprivError, SealedFileError
from modelpriv.keys import Identity, Keyring, SigningKey
from modelpriv.sealing.format import layout

KEYRING, ADA, AUTHOR = Keyring.generate(), Identity.generate("x25519"), SigningKey.generate()
MIB = 2**20
# A file of each kind, each with the payload that must not be reached (skops cannot write it).
KINDS = {
    "keyring": ({"key": KEYRING}, {"key": KEYRING}),
    "signed": (
        {"recipients": [ADA.recipient], "sign_with": AUTHOR},
        {"identity": ADA, "trusted_signers": [AUTHOR.signer]},
    ),
    "unsigned": ({"recipients": [ADA.recipient]}, {"identity": ADA, "trusted_types": ["a"]}),
}


@pytest.fixture(params=KINDS)
def sealed(request, bomb):
    """A file, and what opens it."""
    ways, opening = KINDS[request.param]
    return sealing.dumps(Ridge() if request.param == "unsigned" else bomb(), **ways), opening


ATTEMPTS = 5


def tried(data, opening, path):
    """Do with some bytes all that a program may do with a sealed file, which is ATTEMPTS; give the errors."""
    path.write_bytes(data)
    errors = []
    for attempt in (
        lambda: sealing.inspect(io.BytesIO(data)),
        lambda: sealing.loads(data, **opening),
        lambda: sealing.load(path, **opening),
        lambda: sealing.rewrap(path, **{name: opening[name] for name in ("key", "identity") if name in opening}),
        lambda: sealing.leak_report(path, strict=True),
    ):
        try:
            attempt()
        except ModelprivError as error:
            errors.append(error)
    return errors


@pytest.mark.filterwarnings("ignore::modelpriv.errors.SealedFileWarning")
def test_every_byte(sealed, bomb, tmp_path):
    """Any byte turned round is refused where it counts, and nothing is run that was not whole."""
    data, opening = sealed
    prelude = layout.Prelude.read(data, len(data))
    first, second = (layout.PRELUDE + prelude.manifest + number * prelude.slot for number in (0, 1))
    slots = range(first, second + prelude.slot)
    before = bomb.exploded
    for position in {*range(first), *range(second + prelude.slot, len(data))}:
        altered = bytearray(data)
        altered[position] ^= 0xFF
        with pytest.raises(ModelprivError):
            sealing.loads(bytes(altered), **opening)
    assert bomb.exploded == before
    for position in slots[::7]:  # of the two slots the other one counts
        altered = bytearray(data)
        altered[position] ^= 0xFF
        with contextlib.suppress(ModelprivError):
            sealing.loads(bytes(altered), **opening)


@pytest.mark.filterwarnings("ignore::modelpriv.errors.SealedFileWarning")
@given(data=st.data())
@settings(max_examples=120)
def test_random_damage(data, tmp_path_factory):
    """Cuts, insertions, overwritten lengths and mixtures meet errors of the library, quickly, in little memory."""
    kind = data.draw(st.sampled_from(list(KINDS)))
    ways, opening = KINDS[kind]
    damaged = bytearray(sealing.dumps(Ridge(alpha=7.5), **ways))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(damaged)))
        end = data.draw(st.integers(start, min(len(damaged), start + 64)))
        numbers = st.sampled_from([0, 1, 2**16, 2**31, 2**32 - 1, 2**63, 2**64 - 1])
        filling = st.binary(max_size=64) | numbers.map(lambda number: number.to_bytes(8, "little"))
        damaged[start:end] = data.draw(filling)
    tracemalloc.start()
    started = time.monotonic()
    try:
        tried(bytes(damaged), opening, tmp_path_factory.getbasetemp() / "fuzzed")
        assert tracemalloc.get_traced_memory()[1] < len(damaged) + 64 * MIB
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 30


def test_hostile_lengths(sealed, bomb, tmp_path, traced_peak):
    """A length in the head that is not the file's takes no memory, and is refused."""
    data, opening = sealed
    before = bomb.exploded

    def all_of_them():
        for field, value in itertools.product(range(8, 40, 4), (0, 1, 2**20, 2**31, 2**32 - 1)):
            altered = bytearray(data)
            altered[field : field + 4] = value.to_bytes(4, "little")
            if altered != data:
                assert len(tried(bytes(altered), opening, tmp_path / "model")) == ATTEMPTS

    assert traced_peak(all_of_them) < 64 * MIB
    assert bomb.exploded == before


def test_cuts_in_the_head(sealed, bomb, tmp_path):
    """A file that ends in its first bytes is no sealed file, in whatever it is used for."""
    data, opening = sealed
    before = bomb.exploded
    for cut in range(40):
        assert len(tried(data[:cut], opening, tmp_path / "model")) == ATTEMPTS
    assert bomb.exploded == before


# --- known attacks on unpicklers, in a file that a stranger sealed ---

CANARY = "modelpriv-canary"
PICKLES = {
    "os.system": b"cos\nsystem\n(S'touch %s'\ntR.",
    "posix.system": b"cposix\nsystem\n(S'touch %s'\ntR.",
    "builtins.eval": b'cbuiltins\neval\n(S\'__import__("os").system("touch %s")\'\ntR.',
    "subprocess": b"csubprocess\ngetoutput\n(S'touch %s'\ntR.",
    "a dotted name in an allowed module": b"\x80\x04\x8c\x06joblib\x8c\x10memory.os.system\x93\x8c\x16touch %s\x85R.",
    "runpy": b"crunpy\n_run_code\n(S'import os; os.system(\"touch %s\")'\n(dtR.",
    "instance opcode": b"(S'touch %s'\nios\nsystem\n.",
    "object opcode": b"(cos\nsystem\nS'touch %s'\no.",
    "joblib through numpy": b"cnumpy.testing._private.utils\nrunstring\n(S'import os; os.system(\"touch %s\")'\n(dtR.",
}


@pytest.mark.parametrize("stream", PICKLES.values(), ids=PICKLES)
@pytest.mark.parametrize("trusts", [{}, {"trusted_signers": [AUTHOR.signer]}, {"trusted_types": ["posix.system"]}])
def test_known_attacks_in_a_strangers_file(stream, trusts, tmp_path, monkeypatch):
    """A pickle that runs a command, sealed to a public key and signed by a stranger or nobody, does not run."""
    monkeypatch.chdir(tmp_path)
    stream = stream.replace(b"%s", CANARY.encode())
    for sign_with in (None, SigningKey.generate()):
        written = _sealed_stream(stream, sign_with, monkeypatch)
        with pytest.raises(SealedFileError):
            sealing.loads(written, identity=ADA, **trusts)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stream", PICKLES.values(), ids=PICKLES)
def test_the_attacks_are_real(stream, tmp_path, monkeypatch):
    """The same pickle in a file that the reader's own key vouches for does run: the test above can fail."""
    monkeypatch.chdir(tmp_path)
    stream = stream.replace(b"%s", CANARY.encode())
    monkeypatch.setattr(sealing.file.serializers, "take_apart", lambda obj, _: ([memoryview(stream)], []))
    data = sealing.dumps(None, key=KEYRING)
    with contextlib.suppress(Exception):  # what comes back is of no use to pickle
        sealing.loads(data, key=KEYRING)
    assert (tmp_path / CANARY).exists()


def _sealed_stream(stream, sign_with, monkeypatch):
    """Seal a stream of the attacker's own to a public key, as pickle or, unsigned, as what says that it is skops."""
    with monkeypatch.context() as patched:
        patched.setattr(sealing.file.serializers, "take_apart", lambda obj, _: ([memoryview(stream)], []))
        return sealing.dumps(None, recipients=[ADA.recipient], sign_with=sign_with)
