"""A scoped keyring: it does all that the ring does in its contexts, and no way leads from it to anything else."""

import copy
import gc
import multiprocessing
import pickle
from datetime import UTC, datetime, timedelta
from itertools import product

import joblib
import pandas as pd
import pytest
from joblib import Parallel, delayed
from sklearn.linear_model import Ridge

from modelpriv import FieldEncryptor, KeyedProjection, Pseudonymizer, Replacer
from modelpriv.errors import KeyUnavailableError, ParameterError, ParameterTypeError
from modelpriv.keys import KeyReference, Keyring, ScopedKeyring, opening, resolve, resolve_whole, workers
from modelpriv.keys.derivation import RING_USES, WORKING_USES
from modelpriv.keys.ring_keys import narrow
from modelpriv.keys.scoped import build, keys_of, new_scope
from modelpriv.keys.text import to_line
from modelpriv.sealing import dumps, loads

CONTEXTS = ["email", "phone", "e", "email ", "Email", "emailphone", "email\0phone"]
TABLE = pd.DataFrame({"email": ["a@b.org", "c@d.org", None], "phone": ["1", "2", "3"]})


@pytest.fixture
def rotated(keyring):
    """A ring of three keys."""
    return keyring.rotate().rotate()


def secrets_of(scoped):
    """Every key that a scoped keyring holds, as what a climber has in hand."""
    by_context = [key for held in scoped._context_keys.values() for key in held.values()]
    return [*by_context, *scoped._audit_keys.values()]


@pytest.mark.parametrize("use", sorted(WORKING_USES))
def test_it_derives_what_the_ring_derives(rotated, use):
    """In its contexts each key is the ring's own, under every key id."""
    scoped = rotated.scoped(["email", "phone"])
    for context, key_id in product(["email", "phone"], [None, *rotated.key_ids]):
        wanted = rotated.working_key(use, context=context, length=64, key_id=key_id)
        assert scoped.working_key(use, context=context, length=64, key_id=key_id) == wanted


@pytest.mark.parametrize("held", CONTEXTS)
def test_it_does_not_climb(rotated, held):
    """From one context's keys no use of any other context is had: asked for, it is refused; derived, it differs."""
    scoped = rotated.scoped([held])
    others = [context for context in CONTEXTS if context != held]
    wanted = {
        rotated.working_key(use, context=context, length=32, key_id=key_id)
        for use, context, key_id in product(WORKING_USES, others, rotated.key_ids)
    }
    wanted |= {rotated.ring_key(use, length=32, key_id=key_id) for use, key_id in product(RING_USES, rotated.key_ids)}
    for use, context in product(WORKING_USES, others):
        with pytest.raises(KeyUnavailableError, match="does not hold context"):
            scoped.working_key(use, context=context, length=32)
    # What somebody derives who takes each key that is there for a ring's, or for another context's.
    taken = secrets_of(scoped)
    derived = set(taken)
    for secret in taken:
        ring = Keyring.from_secret(_as_ring(secret))
        derived |= {ring.working_key(use, context=context, length=32) for use, context in product(WORKING_USES, others)}
        derived |= {ring.ring_key(use, length=32) for use in RING_USES}
        derived |= {scoped.working_key(use, context=held, length=32) for use in WORKING_USES}
    assert not wanted & derived


def _as_ring(secret):
    return to_line("modelpriv_secret_keyring_1_", secret)


def test_it_has_no_way_up(keyring):
    """A scoped keyring cannot be exported, saved, rotated or widened, and has no key of the whole ring."""
    scoped = keyring.scoped(["email"])
    for name in ("export_secret", "save", "rotate", "retire", "scoped", "ring_key"):
        assert not hasattr(scoped, name)
    ring_secret = keyring._keys[keyring.primary]
    assert ring_secret not in secrets_of(scoped)


@pytest.mark.parametrize(
    "make", [FieldEncryptor, Pseudonymizer, lambda **given: Replacer("name", pool_size=50, **given)]
)
def test_every_transformer_takes_one(keyring, make):
    """A transformer does with a scoped keyring what it does with the ring, and names the context that is missing."""
    part = TABLE[["email"]]
    whole = make(key=keyring, columns=["email"]).fit(part)
    mine = make(key=keyring.scoped(["email"]), columns=["email"]).fit(part)
    if hasattr(whole, "inverse_transform"):
        assert mine.inverse_transform(whole.transform(part)).equals(part)
    else:
        assert mine.transform(part).equals(whole.transform(part))
    with pytest.raises(KeyUnavailableError, match="does not hold context 'email'; it holds 'phone'"):
        make(key=keyring.scoped(["phone"]), columns=["email"]).fit_transform(part)


def test_a_projection_takes_one(keyring):
    """A projection has a context too, and works within it only."""
    numbers = [[1.0, 2.0], [3.0, 5.0], [2.0, 1.0]]
    whole = KeyedProjection(key=keyring).fit_transform(numbers)
    assert (KeyedProjection(key=keyring.scoped(["projection"])).fit_transform(numbers) == whole).all()
    with pytest.raises(KeyUnavailableError, match="'projection'"):
        KeyedProjection(key=keyring.scoped(["email"])).fit_transform(numbers)


def test_joins_stay(keyring):
    """Deterministic tokens that its holder writes join those of the ring's owner."""
    theirs = FieldEncryptor("deterministic", key=keyring).fit_transform(TABLE[["email"]])
    ours = FieldEncryptor("deterministic", key=keyring.scoped(["email"])).fit_transform(TABLE[["email"]])
    assert theirs.equals(ours)


def test_models_need_the_whole_ring(keyring):
    """A scoped keyring neither seals nor opens a model, and is refused with its contexts."""
    sealed = dumps(Ridge(), key=keyring)
    for attempt in (lambda key: dumps(Ridge(), key=key), lambda key: loads(sealed, key=key), resolve_whole):
        with pytest.raises(KeyUnavailableError, match=r"scoped keyring.*'email'"):
            attempt(keyring.scoped(["email"]))


@pytest.mark.parametrize(
    ("contexts", "error"),
    [
        ("email", ParameterTypeError),
        (5, ParameterTypeError),
        ([5], ParameterTypeError),
        ([], ParameterError),
        (["email", ""], ParameterError),
        (["canary\udcff"], ParameterError),
    ],
)
def test_contexts_that_are_none(keyring, contexts, error):
    """Contexts are a list of texts, and there is at least one."""
    with pytest.raises(error) as raised:
        keyring.scoped(contexts)
    assert "canary" not in str(raised.value)


def test_uses_are_held_to(keyring):
    """A use that is not in the scope is refused by name, and one that does not exist is refused at once."""
    scoped = narrow(keyring, new_scope(["email"], uses=["pseudonym"]))
    assert scoped.working_key("pseudonym", context="email", length=64)
    for use in WORKING_USES - {"pseudonym"}:
        with pytest.raises(KeyUnavailableError, match=f"not for use '{use}'"):
            scoped.working_key(use, context="email", length=64)
    with pytest.raises(ParameterError, match="'wrap'"):
        new_scope(["email"], uses=["wrap"])


def test_expiry_is_held_to(keyring):
    """After its expiry a scoped keyring gives no key, and says when it expired."""
    now = datetime.now(UTC)
    assert narrow(keyring, new_scope(["a"], expires=now + timedelta(hours=1))).working_key(
        "ff1", context="a", length=32
    )
    late = narrow(keyring, new_scope(["a"], expires=now - timedelta(seconds=2)))
    with pytest.raises(KeyUnavailableError, match=f"expired at {now.year}"):
        late.working_key("ff1", context="a", length=32)


@pytest.mark.parametrize(
    ("expires", "error"),
    [("2030-01-01", ParameterTypeError), (datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None), ParameterError)],
)
def test_an_expiry_is_a_moment(expires, error):
    """An expiry that is no datetime, or has no time zone, is refused."""
    with pytest.raises(error, match="expires"):
        new_scope(["a"], expires=expires)


def test_it_does_not_show_its_keys(keyring):
    """No key is in its repr, nor in a pickle, and nothing of it can be set."""
    scoped = keyring.scoped(["email"])
    assert repr(scoped) == f"<ScopedKeyring primary={keyring.primary} contexts=['email']>"
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        pickled = pickle.dumps(scoped, protocol)
        assert not [secret for secret in secrets_of(scoped) if secret in pickled]
    with pytest.raises(AttributeError, match="cannot be changed"):
        scoped.scope = None
    with pytest.raises(ParameterError, match=r"Keyring\.scoped"):
        ScopedKeyring()


def test_copies_are_itself(keyring):
    """Copies, and its pickle where it is alive, are the same object."""
    scoped = keyring.scoped(["email"])
    assert copy.copy(scoped) is copy.deepcopy(scoped) is pickle.loads(pickle.dumps(scoped)) is scoped


def test_its_pickle_does_not_become_the_ring(keyring):
    """Where the ring is alive and it is not, its pickle gives its scope of the ring, and no more."""
    pickled = pickle.dumps(keyring.scoped(["email"]))
    gc.collect()
    found = pickle.loads(pickled)
    assert found.contexts == ("email",)
    assert found.working_key("ff1", context="email", length=32) == keyring.working_key(
        "ff1", context="email", length=32
    )


def test_its_pickle_elsewhere_is_locked():
    """Where neither it nor the ring is alive it is locked, and names key id and contexts."""
    keyring = Keyring.generate()
    pickled, text = pickle.dumps(keyring.scoped(["email"])), keyring.export_secret()
    del keyring
    gc.collect()
    reference = pickle.loads(pickled)
    with pytest.raises(KeyUnavailableError, match=r"locked: key id .* for contexts 'email'"):
        resolve(reference)
    assert isinstance(pickle.loads(pickle.dumps(reference)), KeyReference)
    with opening(Keyring.from_secret(text)):
        assert pickle.loads(pickled).contexts == ("email",)


def test_no_scoped_keyring_takes_the_place_of_the_ring():
    """An object of the owner's does not use a scoped keyring because it is alive: its holder has to pass it."""
    keyring = Keyring.generate()
    step = FieldEncryptor("deterministic", key=keyring, columns=["email"]).fit(TABLE[["email"]])
    released, pickled, scoped = step.transform(TABLE[["email"]]), pickle.dumps(step), keyring.scoped(["email"])
    del keyring, step
    gc.collect()
    opened = pickle.loads(pickled)
    with pytest.raises(KeyUnavailableError, match="set_params"):
        opened.inverse_transform(released)
    assert opened.set_params(key=scoped).inverse_transform(released).equals(TABLE[["email"]])


def forged(fingerprints, scope):
    """A scoped keyring with made-up keys that claims a ring and a scope, as a grant of any signer can."""
    keys = {key_id: dict.fromkeys(scope.contexts, bytes(range(32))) for key_id, _ in fingerprints}
    return build(fingerprints, scope, keys, dict.fromkeys(keys, bytes(32)))


def test_a_forged_one_does_not_take_its_place():
    """A step that was pickled with a scoped keyring does not take another one that claims its ring and scope."""
    scoped = Keyring.generate().scoped(["email"])
    pickled = pickle.dumps(FieldEncryptor(key=scoped).fit(TABLE[["email"]]))
    claimed = scoped.fingerprints, scoped.scope
    del scoped
    gc.collect()
    false = forged(*claimed)
    with pytest.raises(KeyUnavailableError, match=r"locked: .* open the grant again"):
        pickle.loads(pickled).transform(TABLE[["email"]])
    assert false.contexts == ("email",)


def test_one_forged_key_of_several_is_noticed(rotated):
    """The keys under every id are compared, not the primary one's alone."""
    scoped = rotated.scoped(["email", "phone"])
    pickled, last = pickle.dumps(scoped), rotated.key_ids[-1]
    context_keys, audit_keys = keys_of(scoped)
    altered = {**context_keys, last: {**context_keys[last], "phone": bytes(32)}}
    false = build(scoped.fingerprints, scoped.scope, altered, audit_keys)
    del scoped
    gc.collect()
    assert pickle.loads(pickled) is not false


def test_a_forged_one_does_not_take_its_place_in_a_worker(keyring):
    """What arrives in a worker is what was sent, also where another one claims its ring and scope."""
    scoped = keyring.scoped(["email"])
    sent = workers.dumps(scoped)
    wanted = scoped.working_key("ff1", context="email", length=32)
    false = forged(scoped.fingerprints, scoped.scope)
    del scoped
    gc.collect()
    arrived = workers.loads(sent)
    assert arrived is not false
    assert arrived.working_key("ff1", context="email", length=32) == wanted


def test_a_bare_object_does_not_become_a_ring_of_it():
    """State of the whole ring that is restored into a bare object stays locked where only a scoped one is alive."""
    keyring = Keyring.generate()
    state, scoped = keyring.__getstate__(), keyring.scoped(["email"])
    del keyring
    gc.collect()
    with pytest.raises(KeyUnavailableError, match="scoped keyring that is at hand"):
        object.__new__(Keyring).__setstate__(state)
    assert scoped.contexts == ("email",)


def test_workers_receive_it(keyring):
    """It crosses to joblib's workers by value, and comes back as itself."""
    scoped = keyring.scoped(["email"])
    tasks = (delayed(ScopedKeyring.working_key)(scoped, use, context="email", length=32) for use in ["ff1", "replace"])
    assert Parallel(n_jobs=2)(tasks) == [
        keyring.working_key(use, context="email", length=32) for use in ["ff1", "replace"]
    ]
    assert workers.loads(workers.dumps(scoped)) is scoped


def test_workers_receive_only_the_scope(keyring):
    """What goes over the pipe for it holds no key of the ring."""
    sent = workers.dumps(keyring.scoped(["email"]))
    assert keyring._keys[keyring.primary] not in sent


def test_in_another_process_without_the_ring(keyring):
    """A spawned process that was sent a scoped keyring has its context and no other."""
    scoped, use = keyring.scoped(["email"]), {"context": "email", "length": 32}
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(ScopedKeyring.working_key, (scoped, "ff1"), use)
        with pytest.raises(KeyUnavailableError, match="'phone'"):
            pool.apply(ScopedKeyring.working_key, (scoped, "ff1"), use | {"context": "phone"})
    assert found == keyring.working_key("ff1", **use)


def test_joblib_hash_does_not_need_keys(keyring):
    """A cache's hash of an object that holds it is the same again."""
    scoped = keyring.scoped(["email"])
    assert joblib.hash(scoped) == joblib.hash(scoped)


def test_audit_keys(rotated):
    """The ring derives the audit key of a scope from its id; two scopes, and the ring itself, have different ones."""
    one, two = rotated.scoped(["email"]), rotated.scoped(["email"])
    mine = one.scope.id
    for key_id in rotated.key_ids:
        wanted = rotated.audit_key(key_id=key_id, scope_id=mine)
        assert one.audit_key(key_id=key_id, scope_id=mine) == wanted
    assert len({one.audit_key(scope_id=mine), two.audit_key(scope_id=two.scope.id), rotated.audit_key()}) == 3
    for asked in ({"scope_id": mine, "key_id": "00000000"}, {}, {"scope_id": two.scope.id}):
        with pytest.raises(KeyUnavailableError, match=r"00000000|another scope"):
            one.audit_key(**asked)
