"""The errors that modelpriv raises; none of them contains a key or a cell's value."""

__all__ = [
    "AuditWarning",
    "DecryptionError",
    "InputError",
    "InputTypeError",
    "KeyUnavailableError",
    "LockedError",
    "ModelprivError",
    "ParameterError",
    "ParameterTypeError",
    "PrivacyCheckError",
    "ProtectionWarning",
    "SealedFileError",
    "SealedFileWarning",
    "UntrustedError",
]


class ModelprivError(Exception):
    """The base class of all errors that modelpriv raises."""


class ParameterError(ModelprivError, ValueError):
    """A parameter's value is not allowed, or not allowed together with another parameter."""


class ParameterTypeError(ModelprivError, TypeError):
    """A parameter's type is not allowed."""


class InputError(ModelprivError, ValueError):
    """A table or column cannot be protected as it is."""


class InputTypeError(ModelprivError, TypeError):
    """The input is not a table of a supported kind: it is sparse, lazy, or no table at all."""


class PrivacyCheckError(ModelprivError, ValueError):
    """A table that is to be released breaks a limit that was set for it, such as k-anonymity."""


class KeyUnavailableError(ModelprivError, ValueError):
    """A key is missing, retired, unknown or the wrong one, or its source cannot be read."""


class DecryptionError(ModelprivError, ValueError):
    """Cells do not decrypt: they are no tokens, were altered, or belong to another key, column, row or context."""


class SealedFileError(ModelprivError, ValueError):
    """A sealed file, keyring file or audit log is damaged, altered or truncated, or is a file of another kind."""


class UntrustedError(SealedFileError):
    """No one whom the caller trusts vouches for a file, so nothing in it was run."""


class SealedFileWarning(UserWarning):
    """A sealed file was read or written, but something about it needs your attention."""


class AuditWarning(UserWarning):
    """An audit log goes on, but not as you set it up: act soon, since calls fail when it cannot go on."""


class LockedError(ModelprivError, AttributeError):
    """A sealed object is locked: its key is not available, or no one trusted vouches for it.

    It is also an `AttributeError`, so that `hasattr` and scikit-learn's checks for fitted attributes return False.
    """


class ProtectionWarning(UserWarning):
    """A result is protected, but perhaps not as you expect: cells lack their format, or values share a fake."""
