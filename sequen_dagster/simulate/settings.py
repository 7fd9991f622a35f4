"""Simulated exports: what can be set.

In: keyword arguments. Out: a checked, frozen `Simulation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Format = Literal["jsonl", "jsonl.gz", "jsonl.zst", "json", "envelope.json", "csv", "parquet"]
Family = Literal["lines", "document", "csv", "parquet"]

FORMATS: tuple[str, ...] = get_args(Format)

DEFAULT_COVERAGES: Mapping[str, float] = MappingProxyType(
    {
        "page_id": 0.985,
        "search_query": 0.98,
        "geolocation": 0.985,
        "locale/language": 0.985,
        "device_type": 0.99,
        "logged_in": 0.995,
        "partial_form_fills": 0.06,
        "review_click": 0.08,
        "outbound_click": 0.05,
        "dwell_time": 0.88,
        "referral_source": 0.80,
        "scroll_depth": 0.97,
        "cart_content": 0.75,
        "email_campaign": 0.06,
        "push_notifications": 0.04,
    }
)

_RATES = (
    "late_rate",
    "duplicate_rate",
    "conflict_rate",
    "broken_rate",
    "warning_rate",
    "without_sid_rate",
    "without_id_rate",
    "login_rate",
    "account_rate",
    "shared_device_rate",
    "linked_click_rate",
    "alias_rate",
    "ingest_rate",
)


def family_of(file_format: str) -> Family:
    """Return the family of a format: the formats in which a record has the same text."""
    if file_format.startswith("jsonl"):
        return "lines"
    if file_format == "csv":
        return "csv"
    return "parquet" if file_format == "parquet" else "document"


@dataclass(frozen=True)
class Simulation:
    """Settings of a simulated shop.

    Defaults give a shop that reaches the Good tier, misses Better by one attribute
    (`referral_source`), and has a little of every fault a producer has. For clean exports set
    `late_rate`, `duplicate_rate`, `conflict_rate`, `broken_rate` and `warning_rate` to 0.

    Args:
        seed: The same settings and seed give the same bytes.
        events: Target of simulated events, copies not counted; missed by less than one visit.
        days: Days of history, one folder each.
        first_day: UTC day of the first event.
        visitors: People who visit; derived from `events` if not set. More are added when all
            of them are busy.
        late_rate: Share of events that arrive in the file of a later day.
        duplicate_rate: Share of events whose record is written a second time, unchanged.
        conflict_rate: Share of events whose id is written a second time with other content.
        broken_rate: Share of records that the contract must quarantine.
        warning_rate: Share of records that are accepted with a warning.
        without_sid_rate: Share of events without a session id, most of them in visits that have
            none at all.
        without_id_rate: Share of events without an `id` of their own.
        login_rate: Chance that a visitor with an account, not logged in, logs in during a visit.
        account_rate: Share of visitors with an account, hence a `uid`.
        shared_device_rate: Share of visitors who also use the device of another one.
        linked_click_rate: Share of clicks on an impression that carry its `impression_id`.
        alias_rate: Share of devices that send `session_id`/`client_id` for `sid`/`cid`.
        ingest_rate: Share of events that carry an `ingest_timestamp`.
        position_bias: Eta of the click model: an impression is clicked with the probability
            relevance / rank ** eta.
        coverages: Attribute of the completeness tiers to the share of applicable events that
            carry it, or for the attributes of kind event the share of visits with one. What is
            not named keeps its default. `cart_content` cannot fall below the share of
            conversions, which always carry it.
        formats: Formats of the files, in turn.
        files_per_day: Files of a day, each of an equal stretch of it. A file is held in memory
            (about 2 KB per event) until it is written.

    Raises:
        ValueError: A setting is out of its range.

    Example:
        >>> Simulation(events=500, days=2, formats=("jsonl", "csv")).visitor_count
        8
    """

    seed: int = 7
    events: int = 50_000
    days: int = 7
    first_day: date = date(2025, 7, 1)
    visitors: int | None = None
    late_rate: float = 0.01
    duplicate_rate: float = 0.01
    conflict_rate: float = 0.002
    broken_rate: float = 0.01
    warning_rate: float = 0.005
    without_sid_rate: float = 0.15
    without_id_rate: float = 0.01
    login_rate: float = 0.35
    account_rate: float = 0.6
    shared_device_rate: float = 0.05
    linked_click_rate: float = 0.55
    alias_rate: float = 0.05
    ingest_rate: float = 0.7
    position_bias: float = 0.7
    coverages: Mapping[str, float] = field(default_factory=dict)
    formats: tuple[str, ...] = ("jsonl",)
    files_per_day: int = 1

    def __post_init__(self) -> None:
        """Check every setting and fill in the coverages that are not named."""
        for name in ("events", "days", "files_per_day", "visitors"):
            count = getattr(self, name)
            if count is not None and count < 1:
                raise ValueError(f"{name} must be at least 1; got {count}.")
        for name in _RATES:
            _check_share(name, getattr(self, name))
        if self.broken_rate + self.warning_rate + self.duplicate_rate + self.conflict_rate > 1:
            raise ValueError("the broken, warning, duplicate and conflict rates add up to over 1.")
        _check_names("coverages", tuple(self.coverages), tuple(DEFAULT_COVERAGES))
        for name, share in self.coverages.items():
            _check_share(f"coverages[{name!r}]", share)
        _check_names("formats", self.formats, FORMATS)
        if not self.formats:
            raise ValueError(f"formats must name at least one of {', '.join(FORMATS)}.")
        object.__setattr__(self, "coverages", {**DEFAULT_COVERAGES, **self.coverages})

    @property
    def visitor_count(self) -> int:
        """The number of visitors the shop starts with."""
        return self.visitors or max(8, self.events // 120)

    @property
    def file_count(self) -> int:
        """The number of files, unless a stretch of time has no event."""
        return self.days * self.files_per_day

    def format_of(self, file_number: int) -> str:
        """Return the format of a file, numbered from 0 over the whole simulation."""
        return self.formats[file_number % len(self.formats)]


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must lie between 0 and 1; got {share}.")


def _check_names(setting: str, names: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{setting} must be of {', '.join(allowed)}; got {name!r}.")
