"""The errors that modelpriv raises; none of them ever carries a key or a cell's value."""

__all__ = [
    "DecryptionError",
    "InputError",
    "InputTypeError",
    "KeyUnavailableError",
    "LockedError",
    "ModelprivError",
    "ParameterError",
    "ParameterTypeError",
    "SealedFileError",
    "UntrustedError",
]


class ModelprivError(Exception):
    """Base of every error that modelpriv raises on its own account."""


class ParameterError(ModelprivError, ValueError):
    """A parameter has a value that is not allowed, or not together with another one."""


class ParameterTypeError(ModelprivError, TypeError):
    """A parameter has a type that is not allowed."""


class InputError(ModelprivError, ValueError):
    """A table or column that was handed in cannot be protected as it is."""


class InputTypeError(ModelprivError, TypeError):
    """What was handed in is not a table of a kind that is protected (sparse, lazy, no table at all)."""


class KeyUnavailableError(ModelprivError, ValueError):
    """A key is missing, retired, unknown, cannot be fetched from its source, or is not the right one."""


class DecryptionError(ModelprivError, ValueError):
    """Cells do not open: not tokens, altered, or made under another key, column, row or context."""


class SealedFileError(ModelprivError, ValueError):
    """A sealed file, or a keyring file, is damaged, altered, cut, or not one at all."""


class UntrustedError(SealedFileError):
    """What a file holds is not vouched for by anyone whom the caller trusts, so that none of it is run."""


class LockedError(ModelprivError, AttributeError):
    """A sealed object is locked: the key that opens it is not at hand.

    It is an `AttributeError` too, so that `hasattr` and scikit-learn's checks on fitted attributes answer "not there".
    """
