"""Simulated exports: what is true of them.

In: every record as it is written. Out: `Truth`, the figures a correct reading must give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping  # noqa: TC003 - msgspec reads the annotations of Truth
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import msgspec

from sequen_dagster.simulate.clock import DAY_MS

if TYPE_CHECKING:
    from pathlib import Path

    from sequen_dagster.simulate.sender import Record


@dataclass(frozen=True)
class FileTruth:
    """The record counts of one file: `records` = `accepted` + `quarantined`; blank lines apart.

    `path` is relative to the exports folder; `received_at_ms` is its modified time in unix ms.
    """

    path: str
    format: str
    records: int
    accepted: int
    quarantined: int
    blank_lines: int
    received_at_ms: int


@dataclass(frozen=True)
class Truth:
    """What a correct reading of the simulated exports finds, by the rules of the contract.

    Use it as the expected side of a test: all figures are exact. `events_by_type`,
    `conversions`, `order_cents`, `clicks_by_link`, `late_events` and `visits` are of accepted
    events, each id once.

    Attributes:
        simulated_events: Events simulated; copies are not counted.
        records: Records written, blank lines not counted.
        accepted: Records that honor the contract, copies included.
        quarantined: Records that do not.
        quarantined_by_rule: Rule code to records that break it; a record may break several.
        broken_by_kind: Kind of fault to records made with it; `broken.jsonl` places each.
        warnings: Warning code to accepted records made to give it. Typed Parquet columns are not
            counted as `coerced`.
        blank_lines: Blank lines.
        duplicate_records: Accepted records that lose to another record of their id.
        conflicting_records: Those of them whose content differs from the winner's.
        distinct_ids: Accepted events, each id once.
        events_by_type: Type to events.
        visits: Visits, as they were simulated, of which an event was accepted.
        conversions: Conversion type to conversions.
        order_cents: Currency to the sum of `order_total`, in cents.
        clicks_by_link: How a click was meant to find its impression to clicks.
        late_events: Events received more than 24 hours after they happened.
        late_arrivals: Accepted records written into the file of a day after their own, copies
            not counted.
        position_bias: Eta of the click model.
        relevance: Item to its relevance, the probability of a click at rank 1.
        files: The record counts of every file, in the order of time.
    """

    simulated_events: int
    records: int
    accepted: int
    quarantined: int
    quarantined_by_rule: Mapping[str, int]
    broken_by_kind: Mapping[str, int]
    warnings: Mapping[str, int]
    blank_lines: int
    duplicate_records: int
    conflicting_records: int
    distinct_ids: int
    events_by_type: Mapping[str, int]
    visits: int
    conversions: Mapping[str, int]
    order_cents: Mapping[str, int]
    clicks_by_link: Mapping[str, int]
    late_events: int
    late_arrivals: int
    position_bias: float
    relevance: Mapping[str, float]
    files: tuple[FileTruth, ...]

    def write(self, path: Path) -> None:
        """Write the truth as JSON, readable and in a fixed order."""
        text = msgspec.json.encode(asdict(self), order="deterministic")
        path.write_bytes(msgspec.json.format(text, indent=2) + b"\n")

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Read a truth that `write` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


class RecordCounts:
    """Counts records as they are written; the sums of one file, then of all."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.files: list[FileTruth] = []
        self.rules: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.conversions: Counter[str] = Counter()
        self.order_cents: Counter[str] = Counter()
        self.links: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()
        self.late_events = 0
        self.late_arrivals = 0
        self._visits: set[int] = set()
        self._orders: set[object] = set()

    def quarantine(self, kind: str, rules: tuple[str, ...]) -> None:
        """Count a record that the contract must refuse."""
        self.kinds[kind] += 1
        self.rules.update(rules)

    def accept(
        self, record: Record, event_type: str, *, received_at_ms: int, file_day: int
    ) -> None:
        """Count a record that the contract must accept, in a file of this day since 1970."""
        if record.copy_of is not None:
            self.duplicates[record.copy_of] += 1
            return
        event = record.event
        self.types[event_type] += 1
        self._visits.add(record.visit)
        received = event.get("ingest_timestamp", received_at_ms)
        self.late_events += isinstance(received, int) and received - record.at > DAY_MS
        self.late_arrivals += file_day > record.at // DAY_MS
        if record.link:
            self.links[record.link] += 1
        if event_type == "conversion":
            self.conversions[str(event["conversion_type"])] += 1
            # However often an order is sent, its value counts once.
            if record.order_cents and event["order_id"] not in self._orders:
                self._orders.add(event["order_id"])
                self.order_cents[str(event["currency"])] += record.order_cents

    def truth(
        self, *, simulated_events: int, position_bias: float, relevance: Mapping[str, float]
    ) -> Truth:
        """Return the figures of everything counted."""
        accepted = sum(file.accepted for file in self.files)
        duplicates = sum(self.duplicates.values())
        return Truth(
            simulated_events=simulated_events,
            records=sum(file.records for file in self.files),
            accepted=accepted,
            quarantined=sum(file.quarantined for file in self.files),
            quarantined_by_rule=_sorted(self.rules),
            broken_by_kind=_sorted(self.kinds),
            warnings=_sorted(self.warnings),
            blank_lines=sum(file.blank_lines for file in self.files),
            duplicate_records=duplicates,
            conflicting_records=self.duplicates["conflict"],
            distinct_ids=accepted - duplicates,
            events_by_type=_sorted(self.types),
            visits=len(self._visits),
            conversions=_sorted(self.conversions),
            order_cents=_sorted(self.order_cents),
            clicks_by_link=_sorted(self.links),
            late_events=self.late_events,
            late_arrivals=self.late_arrivals,
            position_bias=position_bias,
            relevance=dict(relevance),
            files=tuple(self.files),
        )


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))
