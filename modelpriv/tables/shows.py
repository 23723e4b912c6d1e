"""What a protected column still shows, in a few words, for plans: from the documentation of each transformer."""

from __future__ import annotations

from typing import Any

__all__ = ["comes_back", "shows"]


def shows(steps: tuple[Any, ...] | str) -> str:
    """Say what everyone sees in a column."""
    if steps == "keep":
        return "everything"
    if steps == "drop":
        return "nothing"
    return _of(steps[-1])


def comes_back(steps: tuple[Any, ...] | str, *, restored: bool | None = None) -> str:
    """Say who can turn a column back into what it was.

    Parameters
    ----------
    steps : tuple of transformers, or str
        What becomes of the column.
    restored : bool, optional
        Whether the whole table gives it back, which also depends on the columns that it refers to.
    """
    if steps == "keep":
        return "it did not change"
    own = steps != "drop" and all(hasattr(step, "inverse_transform") for step in steps)
    return "who has the key" if own and restored is not False else "no one"


def _of(step: Any) -> str:
    """Say it for one transformer, by its class and the parameters that decide."""
    name = type(step).__name__
    if name == "FieldEncryptor":
        return _encrypted(step)
    if name == "Masker":
        return _joined("" if step.length else "lengths", _unmasked(step), _nulls(step))
    said = _SAID.get(name, (f"what {name} gives out",))
    return _joined(*said, _nulls(step) if name in _WITH_NULLS else "")


_SAID = {
    "Pseudonymizer": ("equal cells, so frequencies",),
    "Replacer": ("equal cells, mostly",),
    "Generalizer": ("coarse values",),
    "DateShifter": ("intervals within a subject", "seasons roughly"),
    "KAnonymizer": ("ranges that at least k rows share",),
    "KeyedProjection": ("distances: obfuscation, not protection",),
}
_WITH_NULLS = {"Pseudonymizer", "Replacer", "Generalizer", "DateShifter"}


def _encrypted(step: Any) -> str:
    if step.mode == "randomized":
        return _joined("" if step.pad else "lengths", _nulls(step))
    if step.mode == "deterministic":
        return _joined("equal cells, so frequencies", "" if step.pad else "lengths", _nulls(step))
    return _joined("equal cells", "length and format", "kept characters", _nulls(step))


def _unmasked(step: Any) -> str:
    if step.format:
        return f"what the format {step.format!r} keeps"
    return "the characters that stay" if step.regex or step.keep_first or step.keep_last or step.keep else ""


def _nulls(step: Any) -> str:
    return "nulls" if getattr(step, "null", "keep") == "keep" else ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part) or "nothing but the number of rows"
