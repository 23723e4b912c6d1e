"""Imports of what an extra installs, with an error that names the extra."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelpriv.errors import KeyUnavailableError

if TYPE_CHECKING:
    from modelpriv.errors import ModelprivError

__all__ = ["need"]


def need(module: str, extra: str, *, error: type[ModelprivError] = KeyUnavailableError) -> Any:
    """Import a module that an extra installs.

    Parameters
    ----------
    module : str
        The module.
    extra : str
        The extra of ``modelpriv`` that installs it.
    error : type, default=KeyUnavailableError
        What to raise where it is missing.

    Raises
    ------
    ModelprivError
        The module is not installed. The message says how to install it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise error(f"{module.partition('.')[0]} is not installed: pip install 'modelpriv[{extra}]'.") from None
