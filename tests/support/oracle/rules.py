"""Settings of the marts, and the few words that every part of the oracle uses."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from support.oracle.words import ANONYMOUS_WORDS, NONE_WORDS

# A table row: every column has a type of its own.
Row = dict[str, Any]

ONE_MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


@dataclass(frozen=True)
class Rules:
    """The mart settings, with the defaults of the design."""

    session_timeout_minutes: int = 30
    session_rule: str = "given"
    stitching: bool = True
    click_window_minutes: int = 30
    click_touch_days: int = 7
    view_touch_days: int = 1
    max_touches: int = 100
    value_field: str = "order_total"
    currency_field: str = "currency"
    half_life_days: int = 7
    oversized_visitor_events: int = 50_000
    max_users_per_device: int = 20
    order_field: str | None = "order_id"
    placeholder_ids: tuple[str, ...] = NONE_WORDS
    placeholder_identities: tuple[str, ...] = ANONYMOUS_WORDS


def utf8(text: str) -> bytes:
    """Return the bytes by which ids, items and paths are ordered."""
    return text.encode("utf-8", "surrogateescape")


def order(event: Row) -> tuple[datetime, bytes]:
    """Return the sort key of section 5: time, then id by bytes."""
    return event["original_timestamp"], utf8(event["id"])


def microseconds(duration: timedelta) -> int:
    """Return a duration as whole microseconds."""
    return duration // ONE_MICROSECOND


def six_digits(millionths: int | None) -> Decimal | None:
    """Return whole millionths as a decimal with six digits."""
    return None if millionths is None else Decimal(f"{millionths}E-6")


def in_millionths(value: Decimal) -> int:
    """Return a six-digit decimal as whole millionths."""
    return int(value.scaleb(6))
