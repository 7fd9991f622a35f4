"""Contract: words that stand for no value at all, in the fields that hold ids.

In: a value as parsed, or a column of raw values. Out: whether it is such a word. Whole values only,
in any case, never trimmed; a JSON number or boolean is compared as its text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec
import polars as pl

from sequen_dagster.contract.scalars import NOT_TEXT
from sequen_dagster.fields import FIELDS, Kind
from sequen_dagster.settings.absence import ANONYMOUS_WORDS, NONE_WORDS, lower_placeholders

_KINDS: Final = {field.name: field.kind for field in FIELDS}
_NUMBER_OR_BOOLEAN: Final = re.compile(r"-?[0-9].*|true|false")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Placeholders:
    """Words that mean none, in lower case.

    Attributes:
        ids: in every id field.
        identities: in `uid`, `sid` and `cid`; all of `ids` among them.

    Example:
        >>> words = Placeholders.of()
        >>> words.has("uid", "Undefined"), words.has("uid", 0), words.has("item_id", 0)
        (True, True, False)
    """

    ids: frozenset[str]
    identities: frozenset[str]

    @classmethod
    def of(
        cls, ids: Iterable[str] = NONE_WORDS, identities: Iterable[str] = ANONYMOUS_WORDS
    ) -> Self:
        """Placeholders from the two lists of the settings."""
        return cls(*lower_placeholders(ids, identities))

    def of_kind(self, kind: Kind) -> frozenset[str]:
        """The words that mean none in fields of a kind; none for fields that hold no id."""
        if kind == "identity":
            return self.identities
        return self.ids if kind in ("id", "item_ids") else frozenset()

    def has(self, field: str, value: Any) -> bool:
        """Whether a value of a reserved field, as parsed, is a word that means none."""
        # Any: parsed JSON.
        words = self.of_kind(_KINDS[field])
        return bool(words) and _word_of(value) in words

    def among(self, raw_value: pl.Expr, kind: Kind, *, has_others: bool) -> pl.Expr:
        """Whether the raw values of a column are words that mean none.

        Args:
            raw_value: the raw values (see `scalars`).
            kind: of the field.
            has_others: whether any of them is not text.
        """
        words = sorted(self.of_kind(kind))
        if not words:
            return pl.lit(False)
        is_word = raw_value.str.to_lowercase().is_in(words)
        if not has_others:
            return is_word
        is_literal = raw_value.str.contains(f"^{NOT_TEXT}({_NUMBER_OR_BOOLEAN.pattern})$")
        text = raw_value.str.slice(1).replace("-0", "0").str.to_lowercase()
        return is_word | (is_literal & text.is_in(words))


DEFAULT: Final = Placeholders.of()


def _word_of(value: Any) -> str | None:
    """The text by which a value is compared, in lower case; None for objects, arrays and null."""
    if isinstance(value, str):
        return value.lower()
    text = _encode(value).decode()
    if not _NUMBER_OR_BOOLEAN.fullmatch(text):
        return None
    return "0" if text == "-0" else text.lower()
