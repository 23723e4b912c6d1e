"""Masker: hide the characters of a cell, except those that a format, a position or a pattern keeps."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelpriv._columns.dtypes import is_text
from modelpriv._columns.frame import Built
from modelpriv._columns.refusals import convert
from modelpriv._core.checks import OneOf, Rules, Text, Whole
from modelpriv._core.warn import warn
from modelpriv.errors import InputError, ParameterError, ProtectionWarning
from modelpriv.kernels.text.formats import FORMATS
from modelpriv.kernels.text.graphemes import count
from modelpriv.kernels.text.mask import Rule, Shown, by_position, by_regex, mask
from modelpriv.transformers.base import BaseColumnTransformer, Call

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from sklearn.utils import Tags

    from modelpriv._columns.arrow import Array
    from modelpriv._columns.frame import Column, Frame
    from modelpriv.kernels.text.blocks import TextBlock
    from modelpriv.transformers.fitted import State

__all__ = ["Masker"]


class Masker(BaseColumnTransformer):
    r"""Mask the characters of cells: ``+1 415-555-0132`` becomes ``+* ***-***-0132``.

    *Protects* the characters that are masked: the result holds nothing of them, and no one can get them back. A column
    that you declare is always masked. A cell that does not fit its format is masked whole, and so is a cell if
    `keep_first`, `keep_last` or `regex` would show all, or more than half, of its letters and digits. If more than 5 %
    of a column's cells do not fit, a `ProtectionWarning` says how many.

    *Leaks* the characters that stay, the form of a cell (its separators, and its length unless `length` is set), and
    which cells are null. Equal cells stay equal. The characters that stay may be enough to identify a person, above all
    together with other columns: four digits, a domain or a year of birth are quasi-identifiers.

    *Does not* keep different cells apart: many become equal, so tables do not join on them. Use `Pseudonymizer` or a
    deterministic `FieldEncryptor` for that. It *does not* look at check digits: a mistyped number says as much as the
    right one, and is masked like it.

    Parameters
    ----------
    format : str, optional
        What the cells are: one of the formats below. It decides what stays; only `char`, `length`, `columns` and `null`
        go with it.
    keep_first, keep_last : int, default=0
        How many characters stay at either end.
    keep : str, default=""
        Characters that stay wherever they are, such as ``"-@."``. They are not counted, neither among the first and
        last nor for the rule of the half. Each must be a single code point.
    char : str, default="*"
        The character that replaces a masked one.
    length : int, optional
        Write this many mask characters for each run of masked characters, however long it is. This hides the length of
        a cell that is masked whole, and of the masked parts of all others.
    regex : str, optional
        A pattern of RE2. The named groups of its first match stay, and everything else is masked; a cell without a
        match is masked whole. RE2 takes time in proportion to a cell's length, whatever the pattern; it has neither
        backreferences nor lookaround.
    columns : list of str or int, callable, optional
        The columns to mask, by name or position; by default all. All others pass through.
    null : {"keep", "protect", "raise"}, default="keep"
        Leave nulls where they are, write `length` mask characters for them (needs `length`), or refuse them.

    Attributes
    ----------
    n_features_in_ : int
        The number of columns seen in `fit`.
    feature_names_in_ : numpy array of str
        Their names, where all are text.

    See Also
    --------
    Replacer : Fakes in place of the values.
    Pseudonymizer : Codes that still join.
    FieldEncryptor : Tokens that open with the key.

    Notes
    -----
    ==============  ==================================================================================================
    format          what stays, and in which cells
    ==============  ==================================================================================================
    ``"phone"``     separators (a space and ``-.()+/``) and the last 4 of 7 to 15 digits
    ``"email"``     the first character and the domain
    ``"card"``      separators (a space and ``-``), the first 6 and the last 4 of 12 to 19 digits (PCI DSS allows it)
    ``"iban"``      separators, the country and the last 4 characters
    ``"ssn"``       separators and the last 4 of 9 digits
    ``"name"``      spaces and the first character of each word, unless these are all its letters; digits do not fit
    ``"ip"``        the first half of an IPv4 address; up to two groups of an IPv6 address; one mask for each other
                    number of the first, and for the rest of the second
    ``"date"``      separators and a year from 1000 to 2999, first or last, all in numbers; a time may follow. Without
                    separators: the year of 8 digits that begin with it
    ``"postcode"``  separators and the first 3 of 5 to 10 letters and digits, or 2 of 4
    ``"cn_phone"``  separators, the first 3 and the last 4 digits of a Chinese mobile number
    ``"cn_id"``     the region (the first 6) and the last 4 characters of a Chinese identity number of 18
    ``"cn_name"``   the surname of a Chinese name of 2 to 6 characters, also a compound one; of 2 characters the first
    ==============  ==================================================================================================

    Digits are those of ASCII: a number in full-width or other digits fits no format, and is masked whole.

    A character is what a reader takes for one (a grapheme cluster, Unicode's annex 29): an emoji family, a letter with
    a combining accent and a Hangul syllable are one each, are never split, and leave one mask character.

    Numbers, dates and times are masked as their text, and become text: whole floats without ``.0``, a moment with a
    time zone in that zone, and no fraction and no time of day where it is zero. Booleans are refused, as "true" and
    "false" differ in length.

    Examples
    --------
    >>> import pandas as pd
    >>> from modelpriv import Masker
    >>> phones, cards = ["+1 415-555-0132", "+44 20 7946 0958"], [4111111111111111, 378282246310005]
    >>> people = pd.DataFrame({"phone": phones, "card": cards})
    >>> Masker("phone", columns=["phone"]).fit_transform(people)["phone"].tolist()
    ['+* ***-***-0132', '+** ** **** 0958']
    >>> Masker(keep_last=4, char="•", columns=["card"]).fit_transform(people)["card"].tolist()
    ['••••••••••••1111', '•••••••••••0005']
    >>> Masker(regex=r"^(?P<country>\+\d+) ", length=6, columns=["phone"]).fit_transform(people)["phone"].tolist()
    ['+1******', '+44******']
    """

    _by_parts = True
    _parameter_rules: ClassVar[Rules] = {
        "null": [OneOf("keep", "protect", "raise")],
        "format": [OneOf(*FORMATS), None],
        "keep_first": [Whole(least=0)],
        "keep_last": [Whole(least=0)],
        "keep": [Text(empty=True)],
        "char": [Text()],
        "length": [Whole(least=1), None],
        "regex": [Text(empty=True), None],
    }

    def __init__(
        self,
        format: str | None = None,  # noqa: A002 - the word for it; nothing here formats
        *,
        keep_first: int = 0,
        keep_last: int = 0,
        keep: str = "",
        char: str = "*",
        length: int | None = None,
        regex: str | None = None,
        columns: object = None,
        null: str = "keep",
    ) -> None:
        self.format = format
        self.keep_first = keep_first
        self.keep_last = keep_last
        self.keep = keep
        self.char = char
        self.length = length
        self.regex = regex
        self.columns = columns
        self.null = null

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def _check_parameters(self) -> None:
        if count(self.keep) != len(self.keep):
            raise ParameterError(
                "keep has a character of several code points, such as a letter with a combining accent. Leave it out, "
                "or write it as a single code point."
            )
        # Two of them must be two characters, and stay apart from what comes before them.
        alone = count(self.char) == 1 and count(f"a{self.char * 2}") == 3  # noqa: PLR2004
        if not alone or self.char.isspace() or (len(self.char) == 1 and not self.char.isprintable()):
            raise ParameterError(
                "char must be one visible character that does not combine with others, such as '*' or '•'."
            )
        chosen = [name for name in ("format", "regex") if getattr(self, name) is not None]
        with_them = [name for name in ("keep_first", "keep_last", "keep") if getattr(self, name)]
        if chosen and len(chosen + with_them) > 1:
            raise ParameterError(
                f"{' and '.join(chosen + with_them)} do not go together: {chosen[0]} decides what stays. Set one."
            )
        if self.null == "protect" and self.length is None:
            raise ParameterError("null='protect' needs length=: a null has no length of its own.")
        self._rule()

    def _begin(self, frame: Frame, references: Mapping[Any, Column], *, fitting: bool) -> _MaskCall:  # noqa: ARG002
        return _MaskCall(frame, references)

    def _protect_column(self, column: Column, state: State, call: _MaskCall) -> Built:
        built = super()._protect_column(column, state, call)
        cells, whole = len(column.data) - column.data.null_count, call.whole[column.name]
        if whole > _MANY * cells:
            chosen = f"format={self.format!r}" if self.format else "the regex"
            warn(
                f"Column {column.name!r}: {whole:,} of {cells:,} cells ({whole / cells:.0%}) do not fit {chosen} and "
                "were masked whole. If more of them should stay, choose a format or a pattern that fits the column.",
                ProtectionWarning,
            )
        return built

    def _transform_column(self, column: Column, state: State, call: _MaskCall) -> Built:  # noqa: ARG002 - stateless
        rule = self._rule()
        if self.format is not None or self.regex is not None:
            rule = _counting(rule, call.whole, column.name)
        text = convert(lambda: _as_text(column), column.name, column.dtype, "text")
        masked: Any = mask(text, rule, char=self.char, length=self.length)
        if self.null == "protect" and self.length is not None:
            masked = masked.fill_null(self.char * self.length)
        return Built(masked, column.dtype.as_text())

    def _rule(self) -> Rule:
        if self.format is not None:
            return FORMATS[self.format]
        if self.regex is not None:
            return by_regex(self.regex)
        return by_position(int(self.keep_first), int(self.keep_last), self.keep)


@dataclass(frozen=True, slots=True)
class _MaskCall(Call):
    """What one call works on, with the number of cells of each column that were masked whole."""

    whole: Counter[Any] = field(default_factory=Counter)


def _counting(rule: Rule, whole: Counter[Any], name: Hashable) -> Rule:
    """Return the same rule, which also counts the cells that it masks whole."""

    def counted(block: TextBlock) -> Shown:
        shown = rule(block)
        cells = shown.block or block
        filled = np.flatnonzero(cells.stops > cells.starts)
        # Most formats show the last character: only if a cell does not, all characters are looked at (8 ns a cell).
        if not shown.flags.take(cells.stops[filled] - 1).all():
            whole[name] += int(np.count_nonzero(~cells.has(shown.flags)[filled]))
        return shown

    return counted


def _as_text(column: Column) -> Array:
    """Return the cells of a column as text."""
    data, type_ = column.data, column.data.type
    if is_text(type_):
        return data
    if pa.types.is_floating(type_):
        return _floats_as_text(data)
    if pa.types.is_timestamp(type_) and type_.tz is not None:
        data = pc.local_timestamp(data)
    if pa.types.is_timestamp(type_) or pa.types.is_time(type_):
        text = pc.replace_substring_regex(data.cast(pa.large_string()), pattern=r"\.0+$", replacement="")
        return pc.replace_substring_regex(text, pattern=" 00:00:00$", replacement="")
    if any(
        is_kind(type_) for is_kind in (pa.types.is_integer, pa.types.is_decimal, pa.types.is_date, pa.types.is_null)
    ):
        return data.cast(pa.large_string())
    raise InputError(
        f"Column {column.name!r} ({column.dtype}) cannot be masked: it holds {type_}, and only text, numbers, dates "
        "and times have characters to mask. Convert it to text first, or use another transformer."
    )


def _floats_as_text(data: Array) -> Array:
    """Write whole numbers as integers are written, with all their digits."""
    wide = data.cast(pa.float64())
    whole = pc.and_(pc.equal(pc.trunc(wide), wide), pc.less(pc.abs(wide), pa.scalar(2.0**63)))
    if not pc.any(whole).as_py():
        return data.cast(pa.large_string())
    integers = pc.if_else(whole, wide, 0.0).cast(pa.int64())
    if pc.all(whole).as_py():
        return integers.cast(pa.large_string())
    return pc.if_else(whole, integers.cast(pa.large_string()), data.cast(pa.large_string()))


_MANY = 0.05  # of a column's cells
