"""Tracebacks that record the locals of frames, as Sentry, rich and cgitb do, hold no key and no cell."""

import base64
import functools
import importlib
import inspect
import traceback

import provoked
import pytest
from provoked import CALLS, CELL, TABLE, World

from modelpriv import FieldEncryptor, Keyring
from modelpriv._core import discreet as edge
from modelpriv._core.discreet import discreet, is_discreet
from modelpriv.keys.providers import passphrase
from modelpriv.models.delegation import METHODS, DelegatingEstimator

OURS = {__file__, provoked.__file__}
PUBLIC = ["modelpriv", "modelpriv.audit", "modelpriv.keys", "modelpriv.sealing", "modelpriv.kernels.siv"]
PUBLIC += ["modelpriv.kernels.ff1"]
PROVIDERS = ["passphrase.PassphraseProvider", "vault.VaultProvider", "aws_kms.AWSKMSProvider", "pkcs11.PKCS11Provider"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One world for all calls: none of them changes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passphrase, "_PASSES", 1)
        patch.setattr(passphrase, "_MEMORY_KIB", 64)
        yield World(tmp_path_factory.mktemp("world"))


def recorded(error):
    """Each frame that a traceback records, of an error and of all that it came from, with the reprs of its locals."""
    left, known = [traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)], set()
    while left:
        one = left.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        yield from one.stack
        left += [one.__cause__, one.__context__, *(one.exceptions or ())]


def below(error):
    """The frames that are not the caller's own, and that have locals: by place, with their locals."""
    return {
        f"{frame.filename}:{frame.lineno} {frame.name}": frame.locals
        for frame in recorded(error)
        if frame.filename not in OURS and frame.locals
    }


def messages(error):
    """What an error says, and those that a traceback shows with it."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def forms(key):
    """A key as it can be written in a traceback: its repr, in hexadecimal digits, in base64 and base32."""
    encoded = {base64.b64encode(key), base64.urlsafe_b64encode(key), base64.b32encode(key)}
    return {repr(key)[2:-1], repr(list(key))[1:-1], key.hex(), *(one.decode().rstrip("=") for one in encoded)}


def provoke(call, *arguments):
    """Return the error that a call ends with."""
    with pytest.raises(Exception) as caught:
        call(*arguments)
    return caught.value


@pytest.mark.parametrize("name", CALLS)
def test_no_secret_in_the_locals_of_a_traceback(name, world, monkeypatch):
    """No frame below the caller's holds a key, a passphrase or a cell in a local variable, or anything else."""
    error = provoke(CALLS[name], world, monkeypatch)
    held = below(error)
    text = "\n".join([*(shown for found in held.values() for shown in found.values()), *messages(error)])
    secrets = {form for key in world.secret_bytes() for form in forms(key)} | set(world.secret_texts())
    assert not [place for place, found in held.items() if set(found) != {"function"}], held
    assert not [secret for secret in secrets if secret in text]


def test_the_lines_are_there(world):
    """A traceback still names each file, line and function down to the one that raised."""
    error = provoke(world.encryptor.inverse_transform, TABLE)
    names = [frame.name for frame in recorded(error)]
    assert names[:3] == ["provoke", "call", "call"]
    assert {"inverse_transform", "restored", "open"} <= set(names)
    assert all(frame.line for frame in recorded(error))


def test_the_callers_frames_are_theirs():
    """The locals of the caller's own functions stay, also of those that it called before and kept the error of."""

    def mine():
        canary = "mine"
        raise LookupError(canary)

    try:
        mine()
    except LookupError:
        error = provoke(Keyring.from_secret, "no secret")
    assert kept_locals(error.__context__) == {"canary": "'mine'"}


def kept_locals(error):
    """The locals of the frame that raised an error."""
    return traceback.TracebackException.from_exception(error, capture_locals=True).stack[-1].locals


def raising(canary):
    raise ValueError(len(canary))


def test_errors_in_a_group():
    """An error in a group, and one that another came from, forget their frames as well."""

    @discreet
    def fail(canary):
        try:
            raising(canary)
        except ValueError as error:
            raise ExceptionGroup("several", [provoke(raising, canary * 2), error]) from error

    error = provoke(fail, CELL)
    assert not {place for place, found in below(error).items() if set(found) != {"function"}}


def test_an_interruption():
    """An interruption is no Exception, and forgets its frames too."""

    @discreet
    def interrupted(canary):
        raise KeyboardInterrupt(len(canary))

    with pytest.raises(KeyboardInterrupt) as caught:
        interrupted(CELL)
    assert [set(found) for found in below(caught.value).values()] == [{"function"}]


def test_finally_runs_and_the_error_is_the_same():
    """What a function does on its way out is done, once, and its error is the one that leaves."""
    done, wanted = [], ValueError("wanted")

    @discreet
    def fail():
        try:
            raise wanted
        finally:
            done.append(1)

    assert provoke(fail) is wanted
    assert done == [1]


def test_a_generator_of_the_callers_goes_on():
    """A generator that is running when an error passes goes on after it."""

    def numbers():
        for number in range(3):
            try:
                raising(number)
            except TypeError:
                yield number

    mine = numbers()

    @discreet
    def fail(first):
        raise ValueError(next(mine) + len(first))

    provoke(fail, CELL)
    assert list(mine) == [1, 2]


def public_things():
    """Every public function and class, by its name."""
    for package in map(importlib.import_module, PUBLIC):
        for name in package.__all__:
            yield f"{package.__name__}.{name}", getattr(package, name)
    for place in PROVIDERS:
        module, _, name = f"modelpriv.keys.providers.{place}".rpartition(".")
        yield place, getattr(importlib.import_module(module), name)


def public_functions():
    """Every function that users call: by its name, with those of classes."""
    for place, thing in public_things():
        if inspect.isfunction(thing):
            yield place, thing
        if inspect.isclass(thing) and not issubclass(thing, Exception):
            for base in thing.__mro__:
                if base.__module__.partition(".")[0] == "modelpriv":
                    yield from methods(place, base)


def methods(place, cls):
    for name, thing in vars(cls).items():
        function = thing.fget if isinstance(thing, property) else getattr(thing, "__func__", thing)
        if inspect.isfunction(function) and (not name.startswith("_") or name in edge._SPECIAL):
            yield f"{place}.{name}", function


def test_every_public_call_is_discreet():
    """Nothing public is left out: no function, method, class method or property."""
    found = dict(public_functions())
    assert len(found) > 100
    assert not [place for place, function in found.items() if not is_discreet(function)]
    assert all(is_discreet(getattr(DelegatingEstimator, name)) for name in METHODS)


def failure(function):
    """The error of a call with a canary for each argument that must be given, if it is one."""
    parameters = inspect.signature(function).parameters.values()
    needed = [one for one in parameters if one.default is one.empty and one.kind < one.VAR_POSITIONAL]
    named = [one.name for one in parameters if one.default is one.empty and one.kind is one.KEYWORD_ONLY]
    try:
        function(*[CELL] * len(needed), **dict.fromkeys(named, CELL))
    except Exception as error:  # noqa: BLE001 - whichever it is
        return error


def test_any_public_call_with_anything(tmp_path, monkeypatch):
    """A text in place of every argument, the object itself too, leaves in no frame of the error."""
    monkeypatch.chdir(tmp_path)
    errors = {place: failure(function) for place, function in public_functions()}
    failed = {place: below(error) for place, error in errors.items() if error is not None}
    assert len(failed) > 100
    assert not [place for place, held in failed.items() if any(set(found) != {"function"} for found in held.values())]


def test_no_public_call_is_a_generator():
    """An error in a generator comes after the call has ended, and would leave past the edge."""
    functions = {place: function.__wrapped__ for place, function in public_functions()}
    assert not [place for place, function in functions.items() if inspect.isgeneratorfunction(function)]


def test_discreet_once():
    """What is discreet is not wrapped again, and one whose wrapper was wrapped by another library is."""
    assert discreet(Keyring.save) is Keyring.save
    copied = functools.wraps(Keyring.save)(lambda self: self)
    assert not is_discreet(copied)
    assert is_discreet(discreet(copied))


def test_signatures_stay():
    """What reads signatures, as scikit-learn does, sees those of the functions themselves."""
    assert inspect.signature(FieldEncryptor.transform) == inspect.signature(FieldEncryptor.transform.__wrapped__)
