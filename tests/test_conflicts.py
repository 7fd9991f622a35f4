"""Ids that stand for different events: counted as the tables count them, in bounded memory."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sequen_dagster.cli.validate import render_annotations
from sequen_dagster.contract import EventContract, Origin
from sequen_dagster.contract.conflict_texts import is_too_many
from sequen_dagster.contract.conflicts import ConflictCounter, SourceConflicts
from sequen_dagster.exports.records import RecordChunk
from sequen_dagster.operations.validate import validate_sources
from support.builders import RECEIVED_AT, event
from support.homes import settings_of, write_text

COUNTER = [
    event(
        "scroll",
        id=str(number % 4),
        uid=f"u{number // 4}",
        original_timestamp=f"2025-03-01T10:00:{number:02}",
    )
    for number in range(12)
]


def rows_of(*events: dict[str, Any] | str, source: str = "default") -> pl.DataFrame:
    chunk = RecordChunk()
    for number, one in enumerate(events, start=1):
        chunk.add((one if isinstance(one, str) else json.dumps(one)).encode(), number)
    (split,) = EventContract().validate_chunks(
        iter([chunk]), Origin(source, received_at=RECEIVED_AT)
    )

    assert len(split.accepted) == len(events)
    return split.accepted


def conflicts_of(*frames: pl.DataFrame, max_kept: int = 1_000) -> list[SourceConflicts]:
    counter = ConflictCounter(max_kept=max_kept)
    for frame in frames:
        counter.add(frame)
    return counter.result()


def texts(*customs: str) -> list[str]:
    return [json.dumps(event("scroll"))[:-1] + f", {custom}}}" for custom in customs]


def test_ids_with_different_content_are_reported_with_share_types_and_ids() -> None:
    (found,) = conflicts_of(rows_of(*COUNTER))

    assert found == SourceConflicts("default", 12, 8, 4, Counter({"scroll": 8}))
    assert found.is_too_many
    assert str(found) == (
        "66.7 % of the accepted records lost to another event with the same id "
        "(8 records, 4 ids; scroll 8)"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"a":1.10,"b":{"c":[1,{"d":2,"e":-0}]}', '"b":{"c":[1,{"e":-0,"d":2}]},"a":1.10'),
        ('"ingest_timestamp":"2025-07-15"', '"ingest_timestamp":"2025-07-16"'),
        ('"rank":3', '"rank":"3"'),
        ('"sid":"s"', '"session_id":"s"'),
        (f'"a":{"9" * 5000},"b":1', f'"b":1,"a":{"9" * 5000}'),
    ],
)  # fmt: skip
def test_record_that_says_the_same_is_not_a_conflict(one: str, other: str) -> None:
    assert conflicts_of(rows_of(*texts(one, other))) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"a":1.10', '"a":1.1'),
        ('"a":-0', '"a":0'),
        ('"a":"1"', '"a":1'),
        ('"a":[1,2]', '"a":[2,1]'),
        ('"a":1,"b":2', '"a":2,"b":1'),
        ('"a":null', '"b":null'),
        ('"rank":3', '"rank":4'),
        ('"item_ids":["a","b"]', '"item_ids":["a, b"]'),
        ('"server_timestamp":"2025-07-15"', '"server_timestamp":"2025-07-16"'),
        ('"dwell_ms":1', '"dwell_ms":1.000001'),
        ('"sid":"s"', '"cid":"s"'),
    ],
)
def test_record_that_says_something_else_is_a_conflict(one: str, other: str) -> None:
    (found,) = conflicts_of(rows_of(*texts(one, other)))

    assert (found.conflicting_records, found.conflicting_ids) == (1, 1)


def test_losers_differ_from_the_winner_wherever_it_comes() -> None:
    same, other = event("scroll", a=1), event("scroll", a=2, original_timestamp="2025-07-13")
    first = conflicts_of(rows_of(same, source="a"), rows_of(same, other, source="b"))

    # The earliest wins, so that both of the others lose to it, one of each source.
    assert [(one.source, one.accepted, one.conflicting_records) for one in first] == [
        ("a", 1, 1), ("b", 2, 1)]  # fmt: skip
    given = event("scroll", a=3, ingest_timestamp="2025-07-14T12:00:00Z")
    (second,) = conflicts_of(rows_of(same, given), rows_of(other))
    assert second.conflicting_records == 2


def test_limit_is_one_percent() -> None:
    assert (is_too_many(1, 100), is_too_many(101, 10_000), is_too_many(0, 0)) == (
        False, True, False)  # fmt: skip


def test_conflicts_of_many_records_are_estimated_by_a_sample_of_ids() -> None:
    events = [
        event("scroll", id=f"e{number}", a=copy) for copy in range(2) for number in range(4_000)
    ]
    (exact,) = conflicts_of(rows_of(*events), max_kept=8_000)
    (about,) = conflicts_of(*(rows_of(*events[at : at + 500]) for at in range(0, 8_000, 500)))

    assert (exact.conflicting_records, exact.is_estimate) == (4_000, False)
    assert about.is_estimate
    assert about.accepted == 8_000
    assert 3_000 < about.conflicting_records < 5_000


def test_validate_reports_conflicting_ids_over_all_files(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for name, part in (("a", COUNTER[:4]), ("b", COUNTER[4:8]), ("c", COUNTER[8:])):
        write_text(settings, f"{name}.jsonl", "".join(f"{json.dumps(one)}\n" for one in part))
    outcome = validate_sources(settings)

    assert outcome.as_json()["ids_are_unique"] is False
    assert outcome.as_json()["conflicts"] == [
        {"source": "default", "accepted": 12, "conflicting_records": 8, "conflicting_ids": 4,
         "types": {"scroll": 8}, "is_estimate": False}
    ]  # fmt: skip
    assert [line for line in render_annotations(outcome) if "ids are not unique" in line]


def test_unreadable_file_has_no_part_in_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    text = "".join(f"{json.dumps(one)}\n" for one in COUNTER)
    write_text(settings, "a.jsonl", text)
    before = validate_sources(settings)
    broken = settings.sources[0].exports / "b.jsonl.gz"
    broken.write_bytes(gzip.compress((text * 50_000).encode(), 1)[:-9])
    after = validate_sources(settings)

    assert after.record_counts.quarantined == 1
    assert after.conflicts == before.conflicts
