"""Keeping a bare model sealed: load(wrap=True) returns it in a wrapper that is written as ciphertext."""

from collections.abc import Callable
from typing import Any

from modelpriv._core import process
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.sealing.access import Opener
from modelpriv.sealing.contents import Sealable


def wrapping(opener: Opener, *, wrap: object) -> Callable[[Any], Any]:
    """Give what makes the result of `load` from the object in the file, before the file is read.

    Raises
    ------
    ParameterError, ParameterTypeError
        A wrapper is asked for, and nothing that opens the file can seal it again.
    """
    if not isinstance(wrap, bool):
        raise ParameterTypeError(f"wrap must be True or False, got {type(wrap).__name__}.")
    if not wrap:
        return lambda model: model
    make = process.settings.wrap
    if make is None:
        raise ParameterError("wrap=True needs modelpriv.models: import modelpriv before you load.")
    if opener.keyring is None and opener.identity is None:
        raise ParameterError(
            "wrap=True seals the model again under key= or for the recipient of identity=, and neither is given: a "
            "passphrase is never kept. Pass key= as well."
        )
    recipients = None if opener.identity is None else [opener.identity.recipient]

    def keep(model: Any) -> Any:
        if isinstance(model, Sealable):
            return model
        if not hasattr(model, "fit"):
            raise ParameterError(f"wrap=True is for an estimator, and the file holds a {type(model).__name__}.")
        return make(model, key=opener.keyring, recipients=None if opener.keyring is not None else recipients)

    return keep
