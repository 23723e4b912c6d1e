"""Which parameters of a FieldEncryptor make sense, alone and together."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from modelpriv._columns.frame import as_names
from modelpriv.errors import ParameterError, ParameterTypeError
from modelpriv.transformers.base import check_choice
from modelpriv.transformers.field_encryptor.formats import ALPHABETS, letters_of

__all__ = ["check_field_parameters"]

_FORMAT_DEFAULTS = {"alphabet": None, "keep": "", "keep_first": 0, "keep_last": 0, "check_digit": None}


def check_field_parameters(step: Any) -> None:
    """Refuse what has no meaning, by name, with what came and what is allowed."""
    check_choice("mode", step.mode, ("randomized", "deterministic", "format-preserving"))
    check_choice("on_error", step.on_error, ("raise", "null"))
    # A series would show its cells, and the order in which a set gives its names changes from process to process.
    if step.bind is not None and (as_names(step.bind) is None or isinstance(step.bind, AbstractSet)):
        raise ParameterTypeError(f"bind must be a list of column names, got {type(step.bind).__name__}.")
    if step.mode == "format-preserving":
        _check_format(step)
    else:
        _check_tokens(step)


def _check_tokens(step: Any) -> None:
    for parameter, default in _FORMAT_DEFAULTS.items():
        if getattr(step, parameter) != default:
            raise ParameterError(f"{parameter} means something only with mode='format-preserving'.")
    if step.pad is not None:
        _check_count("pad", step.pad, least=1)
    if step.null == "protect" and step.pad is None:
        raise ParameterError("null='protect' needs pad=, or the length of a token would tell the nulls.")


def _check_format(step: Any) -> None:
    # A cell in a format has no room for padding, a null or a tag.
    for parameter, value, none in (("pad", step.pad, None), ("on_error", step.on_error, "raise")):
        if value != none:
            raise ParameterError(f"{parameter}={value!r} has no meaning with mode='format-preserving'.")
    if step.null == "protect":
        raise ParameterError("null='protect' is not possible with mode='format-preserving': a null has no format.")
    if step.alphabet is None:
        raise ParameterError("mode='format-preserving' needs alphabet=, such as alphabet='digits'.")
    letters = letters_of(step.alphabet)
    if not isinstance(step.keep, str):
        raise ParameterTypeError(f"keep must be a text of characters, got {type(step.keep).__name__}.")
    if "\0" in step.keep:
        raise ParameterError("keep must hold no NUL.")
    if set(step.keep) & set(letters):
        raise ParameterError("keep and alphabet have characters in common. Each either stays or is encrypted.")
    _check_count("keep_first", step.keep_first, least=0)
    _check_count("keep_last", step.keep_last, least=0)
    check_choice("check_digit", step.check_digit, (None, "luhn"))
    if step.check_digit and (letters != ALPHABETS["digits"] or step.keep_last):
        raise ParameterError("check_digit='luhn' needs alphabet='digits' and keep_last=0: the last digit is computed.")


def _check_count(parameter: str, value: object, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ParameterTypeError(f"{parameter} must be a whole number, got {type(value).__name__}.")
    if value < least:
        raise ParameterError(f"{parameter} must be at least {least}, got {value}.")
