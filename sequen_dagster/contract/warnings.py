"""Contract: warnings: faults that do not keep a record out, counted by event type."""

import re
from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

import polars as pl

from sequen_dagster.contract.convert import COERCED, LEFT_OUT, PLACEHOLDER, ZERO_TIME, state_of
from sequen_dagster.contract.rules import is_plausible_time
from sequen_dagster.fields import (
    FIELD_NAMES,
    ID_FIELDS,
    IDENTITY_FIELDS,
    STANDARD_TYPES,
    TIMESTAMP_FIELDS,
)

NO_TYPE: Final = "(none)"
Counts = Counter[tuple[str, str]]

# Clocks differ by a little; by more, and one of them is wrong.
MAX_AHEAD_OF_INGEST_MINUTES: Final = 5
_MIN_LIKENESS: Final = 0.85
# Comparing is slow, and a sender of very many types has not misspelt them: the frequent ones do.
_MAX_COMPARED_TYPES: Final = 1_000
_MAX_COMPARED_LENGTH: Final = 64
_EMAIL: Final = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
_CARD: Final = r"\b[3-6][0-9]{3}(?:[ -]?[0-9]){10,15}\b"


def count_warnings(
    converted: pl.DataFrame, parse_warnings: dict[int, list[str]], *, is_text_format: bool
) -> Counts:
    """Count the records that raise each warning.

    Args:
        converted: the columns from `convert`, all records of a chunk.
        parse_warnings: codes that parsing found, by row number.
        is_text_format: whether numbers are text by nature, which makes `coerced` meaningless.

    Returns:
        Records by (event type, warning code).
    """
    replaced = [row for row, codes in parse_warnings.items() if "placeholder_id" in codes]
    # An envelope gave another time.
    zeros = [row for row, codes in parse_warnings.items() if "zero_time" in codes]
    flags: dict[str, pl.Expr | pl.Series] = {
        "placeholder_id": pl.any_horizontal(
            *(pl.col(state_of(name)) == PLACEHOLDER for name in ID_FIELDS),
            pl.col(LEFT_OUT),
            pl.int_range(pl.len()).is_in(replaced),
        ),
        "zero_time": pl.any_horizontal(
            *(pl.col(state_of(name)) == ZERO_TIME for name in TIMESTAMP_FIELDS),
            pl.int_range(pl.len()).is_in(zeros),
        ),
        "ahead_of_ingest": _is_ahead_of_ingest(),
        "near_standard_type": pl.col("type").is_in(_near_types(converted["type"])),
        "possible_personal_data": pl.Series(_personal_rows(converted)),
    }
    if not is_text_format:
        flags["coerced"] = pl.any_horizontal(
            pl.col(state_of(name)) == COERCED for name in FIELD_NAMES
        )
    counts: Counts = Counter()
    grouped = (
        converted.select(
            pl.col("type").fill_null(NO_TYPE),
            *(flag.alias(code) for code, flag in flags.items()),
        )
        .group_by("type")
        .agg(pl.col(code).sum() for code in flags)
    )
    for row in grouped.iter_rows(named=True):
        counts.update({(row["type"], code): row[code] for code in flags if row[code]})
    types = converted["type"]
    for position, codes in parse_warnings.items():
        found = set(codes) - flags.keys()
        counts.update((types[position] or NO_TYPE, code) for code in found)
    return counts


@lru_cache(maxsize=8 * _MAX_COMPARED_TYPES)
def is_near_standard(event_type: str) -> bool:
    """Whether a custom type looks like a standard one that was misspelt.

    Example:
        >>> is_near_standard("pageview"), is_near_standard("click"), is_near_standard("push_click")
        (True, False, False)
    """
    return nearest_standard(event_type) is not None


def nearest_standard(event_type: str) -> str | None:
    """Find the standard type that a custom one was probably meant to be, or None.

    Example:
        >>> nearest_standard("pageview"), nearest_standard("click"), nearest_standard("push_click")
        ('page_view', None, None)
    """
    if event_type in STANDARD_TYPES:
        return None
    bare = re.sub(r"[^a-z0-9]", "", event_type.lower())
    likeness = {
        standard: SequenceMatcher(None, bare, standard.replace("_", "")).ratio()
        for standard in STANDARD_TYPES
    }
    nearest = max(STANDARD_TYPES, key=likeness.__getitem__)
    return nearest if likeness[nearest] >= _MIN_LIKENESS else None


def is_card_number(text: str) -> bool:
    """Whether the digits in `text` pass the check (Luhn) that card numbers pass.

    Example:
        >>> is_card_number("4111 1111 1111 1111"), is_card_number("4111 1111 1111 1112")
        (True, False)
    """
    digits = [int(digit) for digit in text if digit.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_ahead_of_ingest() -> pl.Expr:
    # Before the arrival time replaces an ingest time that was not given. Times that are refused
    # anyway do not count.
    happened, given = pl.col("original_timestamp"), pl.col("ingest_timestamp")
    is_later = happened > given + pl.duration(minutes=MAX_AHEAD_OF_INGEST_MINUTES)
    return (is_later & is_plausible_time(happened) & is_plausible_time(given)).fill_null(False)


def _near_types(types: pl.Series) -> list[str]:
    short = types.filter(types.str.len_chars() < _MAX_COMPARED_LENGTH).rename("type")
    frequent = short.value_counts().sort(["count", "type"], descending=[True, False])
    return [name for name in frequent["type"].head(_MAX_COMPARED_TYPES) if is_near_standard(name)]


def _personal_rows(converted: pl.DataFrame) -> pl.Series:
    texts = ["properties", *IDENTITY_FIELDS]
    flags = converted.select(
        is_email=pl.any_horizontal(pl.col(name).str.contains(_EMAIL) for name in texts),
        is_number=pl.any_horizontal(pl.col(name).str.contains(_CARD) for name in texts),
    )
    numbers = flags["is_number"].fill_null(False).arg_true()
    candidates = converted[numbers].select(
        pl.concat_str(texts, separator="\n", ignore_nulls=True).str.extract_all(_CARD)
    )
    pairs = zip(numbers, candidates.to_series(), strict=True)
    found = [row for row, candidate in pairs if _has_card(candidate)]
    is_personal = flags["is_email"].fill_null(False)
    return is_personal.scatter(found, True) if found else is_personal


def _has_card(candidates: pl.Series) -> bool:
    return any(is_card_number(text) for text in candidates)
