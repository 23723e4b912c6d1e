"""What is in sight of a transformer: what it raises, logs, warns of and writes."""

from __future__ import annotations

import logging
import pickle
import warnings
from base64 import b64encode, urlsafe_b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelpriv.keys import Keyring, secret_text
from modelpriv.testing.tables import CANARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sklearn.base import BaseEstimator

    from modelpriv.testing.tables import Table
__all__ = ["files", "key_forms", "mentions", "refused", "require", "seen_in"]


def refused(call: Callable[[Any], Any], bad: Table, what: str, word: str) -> None:
    """Check that a call refuses a table, with a word that names the fault, and shows no cell."""
    with seen_in() as seen:
        try:
            call(bad)
        except (ValueError, TypeError) as error:
            chain: BaseException | None = error
            message = str(error)
            while chain is not None:
                seen += [str(chain), repr(chain)]
                chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
        else:
            raise AssertionError(f"{what} was not refused")
    require(word in message, f"the error on {what} does not say {word!r}: {message}")
    require(not mentions(seen), f"the error on {what} shows a cell")


@contextmanager
def seen_in() -> Iterator[list[str]]:
    """Collect all that is logged and warned of."""
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield seen
        seen += [str(warning.message) for warning in caught]
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def mentions(texts: list[Any]) -> bool:
    """Tell whether a cell is in one of these texts."""
    return any((CANARY if isinstance(text, str) else CANARY.encode()) in text for text in texts)


def files(transformer: BaseEstimator, table: Table) -> list[bytes]:
    """Return the pickles of a fitted transformer, one for each protocol."""
    return [pickle.dumps(transformer.fit(table), protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


def key_forms(transformer: BaseEstimator) -> list[bytes]:
    """Return the keys that a transformer works with, in every form in which they could be written."""
    key = transformer.get_params().get("key")
    if not isinstance(key, Keyring):
        return []
    text = key.export_secret()
    secrets = secret_text.read(text).keys
    forms = [f(secret) for secret in secrets for f in (bytes, b64encode, urlsafe_b64encode)]
    forms += [form.encode() for secret in secrets for form in (secret.hex(), repr(secret)[2:-1])]
    return [*(form.rstrip(b"=") for form in forms), text.encode()]


def require(kept: object, broken: str) -> None:
    """Fail, with words that say what is broken, unless something holds."""
    if not kept:
        raise AssertionError(broken)
