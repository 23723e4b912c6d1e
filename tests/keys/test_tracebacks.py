"""Tracebacks that record the locals of frames, as Sentry, rich and cgitb do, hold no key."""

import base64
import traceback

import pandas as pd
import pytest

from modelpriv import FieldEncryptor, Keyring
from modelpriv.errors import ModelprivError
from modelpriv.keys.derivation import WORKING_USES, context_key
from modelpriv.keys.ring_keys import keys_of

TABLE = pd.DataFrame({"email": ["ada@example.org"]})
FORMAT = {"mode": "format-preserving", "alphabet": "digits"}


def recorded(error):
    """Everything that a traceback records: of the error, and of those it came from."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(found.format(chain=True))


def forms(key):
    """A key as it can be written in a traceback: its repr, in hexadecimal digits and in base64."""
    return {repr(key)[2:-1], key.hex(), base64.b64encode(key).decode().rstrip("=")}


def keys_below(keys, context):
    """The ring's own keys, and those that are derived from them for a context."""
    for secret in keys_of(keys):
        yield secret
        yield context_key(secret, context)
    for key_id in keys.key_ids:
        for use in sorted(WORKING_USES):
            for length in (32, 64):
                yield keys.working_key(use, context=context, length=length, key_id=key_id)


def altered(keys):
    tokens = FieldEncryptor("deterministic", key=keys).fit_transform(TABLE)
    tokens["email"] = tokens["email"].str[:-1] + "AQ"
    FieldEncryptor("deterministic", key=keys).inverse_transform(tokens)


def of_another_context(keys):
    tokens = FieldEncryptor(key=keys, context="other").fit_transform(TABLE)
    FieldEncryptor(key=keys).inverse_transform(tokens)


def of_no_format(keys):
    FieldEncryptor(**FORMAT, key=keys).fit_transform(TABLE)


def too_short_for_a_format(keys):
    FieldEncryptor(**FORMAT, key=keys).fit_transform(pd.DataFrame({"email": ["12"]}))


def of_no_use(keys):
    keys.working_key("unknown", context="email", length=32)


def of_no_text(keys):
    keys.working_key("ff1", context="\ud800", length=32)


def too_long(keys):
    keys.working_key("ff1", context="email", length=10_000)


def out_of_scope(keys):
    keys.scoped(["other"]).working_key("ff1", context="email", length=32)


def of_no_use_in_a_scope(keys):
    keys.scoped(["email"]).working_key("unknown", context="email", length=32)


@pytest.mark.parametrize(
    "fail",
    [
        altered,
        of_another_context,
        of_no_format,
        too_short_for_a_format,
        of_no_use,
        of_no_text,
        too_long,
        out_of_scope,
        of_no_use_in_a_scope,
    ],
)
def test_no_key_in_the_locals_of_a_traceback(fail):
    """No frame of an error holds the ring's key, a context's or a working key in a local variable."""
    keys = Keyring.generate().rotate()
    with pytest.raises(ModelprivError) as caught:
        fail(keys)
    text = recorded(caught.value)
    assert "keys = <Keyring" in text  # the locals are there
    assert not [key for key in keys_below(keys, "email") if any(form in text for form in forms(key))]
