"""What opens models in a program that cannot be passed a key, such as a server that a command starts.

==============================  ========================================================================================
variable                        holds
==============================  ========================================================================================
``MODELPRIV_MODEL_KEY``         the URI of a keyring: ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/USER``
``MODELPRIV_MODEL_IDENTITY``    the path of an identity file; ``MODELPRIV_PASSPHRASE`` opens it
``MODELPRIV_MODEL_SIGNERS``     lines of signers, with spaces or commas between them: only what they signed is loaded
``MODELPRIV_MODEL_ALLOW_CODE``  ``true`` if models may bring the code of their author's own classes
==============================  ========================================================================================
"""

from __future__ import annotations

import os
from typing import Any

from modelpriv.errors import ParameterError
from modelpriv.keys import Identity
from modelpriv.keys.uri import parse

__all__ = ["opening"]


def opening() -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the variables.

    Returns
    -------
    ways, trust : dict
        The parameters of `modelpriv.load` that open a file, and those that say whom to trust.

    Raises
    ------
    ParameterError
        One of them holds something else; the message names it, and does not repeat what it holds.
    """
    ways: dict[str, Any] = {}
    if uri := os.environ.get("MODELPRIV_MODEL_KEY"):
        try:
            ways["key"] = parse(uri).uri
        except ParameterError as error:
            raise ParameterError(f"MODELPRIV_MODEL_KEY does not hold the URI of a keyring: {error}") from None
    if path := os.environ.get("MODELPRIV_MODEL_IDENTITY"):
        ways["identity"] = Identity.load(path)
    signers = os.environ.get("MODELPRIV_MODEL_SIGNERS", "").replace(",", " ").split()
    return ways, {"trusted_signers": tuple(signers), "allow_code": _flag("MODELPRIV_MODEL_ALLOW_CODE")}


def _flag(name: str) -> bool:
    value = os.environ.get(name, "").lower()
    if value not in {"", "true", "false"}:
        raise ParameterError(f"{name} must be 'true' or 'false'.")
    return value == "true"
