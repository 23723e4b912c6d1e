"""Which parameters of a FieldEncryptor make sense, each by itself and together."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from modelpriv._columns.frame import as_names
from modelpriv._core.checks import OneOf, Rule, Satisfies, Text, Whole
from modelpriv.errors import ParameterError
from modelpriv.transformers.field_encryptor.format_cipher import ALPHABETS, letters_of

__all__ = ["FIELD_RULES", "check_field_parameters"]


def _has_order(names: object) -> bool:
    # A series would show its cells, and the order in which a set gives its names changes from process to process.
    return as_names(names) is not None and not isinstance(names, AbstractSet)


FIELD_RULES: dict[str, list[Rule | None]] = {
    "mode": [OneOf("randomized", "deterministic", "format-preserving")],
    "bind": [Satisfies(_has_order, "a list of column names"), None],
    "pad": [Whole(least=1), None],
    "alphabet": [Text(), None],
    "keep": [Text(empty=True)],
    "keep_first": [Whole(least=0)],
    "keep_last": [Whole(least=0)],
    "check_digit": [OneOf("luhn"), None],
    "on_error": [OneOf("raise", "null")],
}


def check_field_parameters(step: Any) -> None:
    """Refuse combinations of parameters that have no meaning, by name."""
    if step.mode == "format-preserving":
        _check_format(step)
    else:
        _check_tokens(step)


def _check_tokens(step: Any) -> None:
    for parameter, default in _FORMAT_DEFAULTS.items():
        if getattr(step, parameter) != default:
            raise ParameterError(f"{parameter} works only with mode='format-preserving'. Leave it out, or set mode.")
    if step.null == "protect" and step.pad is None:
        raise ParameterError(
            "null='protect' needs pad=: otherwise the length of a token would show which cells are null."
        )


def _check_format(step: Any) -> None:
    # A cell in a format has no room for padding, a null or a tag.
    for parameter, value, none in (("pad", step.pad, None), ("on_error", step.on_error, "raise")):
        if value != none:
            raise ParameterError(
                f"{parameter}={value!r} does not work with mode='format-preserving'. Leave it out, or change mode."
            )
    if step.null == "protect":
        raise ParameterError("null='protect' is not possible with mode='format-preserving': a null has no format.")
    if step.alphabet is None:
        raise ParameterError("mode='format-preserving' needs alphabet=, such as alphabet='digits'.")
    letters = letters_of(step.alphabet)
    if "\0" in step.keep:
        raise ParameterError("keep must not contain NUL.")
    if set(step.keep) & set(letters):
        raise ParameterError(
            "keep and alphabet share characters. A character either stays or is encrypted: remove them from one."
        )
    if step.check_digit and (letters != ALPHABETS["digits"] or step.keep_last):
        raise ParameterError("check_digit='luhn' needs alphabet='digits' and keep_last=0: the last digit is computed.")


_FORMAT_DEFAULTS = {"alphabet": None, "keep": "", "keep_first": 0, "keep_last": 0, "check_digit": None}
