"""Readiness: what the data is ready for, by counts, and the first thing that is missing."""

import csv
from collections.abc import Iterator
from typing import Any

import pytest

from support.histories import Row, after, clicked, event, ordered, shown
from support.replay import (
    PROJECT,
    Build,
    Load,
    Recording,
    SmallWarehouse,
    shared_recording,
    wrong_rows,
)

SEED = PROJECT / "seeds" / "readiness_thresholds.csv"
# Three sessions, of which a sid names two, and the same visitor's click, bought item and repeat.
VISITS: list[Row] = [
    event(after(0), id="a", sid="s"),
    event(after(1), id="b", sid="s", cid="c"),
    shown(after(90), id="i", uid="u"),
    clicked(after(91), id="k", uid="u"),
    clicked(after(92), "elsewhere", id="l", uid="u"),
    ordered(after(93), "o", id="o", cid=None, uid="u"),
    ordered(after(94), "o", id="p", cid=None, uid="u"),
    ordered(after(95), "q", "z", id="q", cid=None, uid="u"),
]
NO_RANK: Row = {**shown(after(0), uid="u"), "rank": None}
COUNTS = {
    "identified_events": (7, 8),
    "sessions_with_sid": (2, 3),
    "impressions_with_rank": (1, 2),
    "clicks_linked": (1, 2),
    "conversions_attributed": (1, 2),
}


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recording:
    return shared_recording(tmp_path_factory, worker_id)


def thresholds() -> list[dict[str, str]]:
    with SEED.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def readiness(recording: Recording, *loads: Load) -> list[dict[str, Any]]:
    with SmallWarehouse(recording) as warehouse:
        for load in loads:
            warehouse.load(load)
        warehouse.build()
        result = warehouse.connection.execute("from main.rpt_readiness")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def counts(rows: list[dict[str, Any]], source: str, period: str) -> dict[str, tuple[int, int]]:
    return {
        row["metric"]: (row["have_count"], row["total_count"])
        for row in rows
        if (row["source"], row["period"]) == (source, period)
    }


def many(
    count: int, *, share_linked: float = 1.0, share_named: float = 1.0, share_sold: float = 0.6
) -> Iterator[Row]:
    """As many impressions, a click on each, and orders, of as many visitors."""
    for number in range(count):
        who = {"uid": f"u{number}"} if number < share_named * count else {}
        seen, item = {**who, "sid": f"s{number}"}, "a" if number < share_linked * count else "b"
        yield shown(after(number / 60), id=f"i{number}", **seen)
        yield clicked(after(number / 60, micros=1), item, id=f"k{number}", **seen)
        if number < 50:
            bought = "ab" if number < share_sold * 50 else "c"
            yield ordered(after(number / 60, micros=2), f"o{number}", bought, **seen, cid=None)


def missing(rows: list[dict[str, Any]]) -> dict[str, str | None]:
    """By use case the metric that is missing first, None where it is ready."""
    rows = [row for row in rows if (row["source"], row["period"]) == ("(all)", "recent")]
    ready = {row["use_case"]: None for row in rows if row["is_ready"]}
    return ready | {row["use_case"]: row["metric"] for row in rows if row["is_first_missing"]}


def test_metrics_are_counted_by_source_and_for_all(recording: Recording) -> None:
    rows = readiness(
        recording,
        Load("a", (*VISITS, NO_RANK)),
        Load("app", (event(after(0), id="z", sid="s"),), source="app"),
    )

    for period in ("recent", "all"):
        assert counts(rows, "default", period) == COUNTS
        assert counts(rows, "(all)", period) == COUNTS | {"identified_events": (7, 9)}
        assert counts(rows, "app", period) == {
            metric: {"identified_events": (0, 1), "sessions_with_sid": (1, 1)}.get(metric, (0, 0))
            for metric in COUNTS
        }


def test_recent_counts_leave_earlier_days_out(recording: Recording) -> None:
    old = tuple(
        {**row, "original_timestamp": "2024-01-01T10:00:00", "id": f"old {row['id']}"}
        for row in VISITS[:2]
    )
    rows = readiness(recording, Load("a", (*VISITS, *old)))

    assert counts(rows, "(all)", "recent")["identified_events"] == (7, 8)
    assert counts(rows, "(all)", "all")["identified_events"] == (8, 10)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            {"count": 1000},
            {
                "behavior_based_ranking": None,
                "session_aware_personalization": None,
                "dynamic_re_ranking": None,
                "attribution_and_funnels": None,
                "model_training": "impressions_with_rank",
            },
        ),
        (
            {"count": 1000, "share_linked": 0.799, "share_named": 0.5, "share_sold": 0.58},
            {
                "behavior_based_ranking": "clicks_linked",
                "session_aware_personalization": "identified_events",
                "dynamic_re_ranking": "clicks_linked",
                "attribution_and_funnels": "identified_events",
                "model_training": "impressions_with_rank",
            },
        ),
        (
            {"count": 1000, "share_sold": 0.58},
            {
                "behavior_based_ranking": None,
                "session_aware_personalization": None,
                "dynamic_re_ranking": "conversions_attributed",
                "attribution_and_funnels": "conversions_attributed",
                "model_training": "impressions_with_rank",
            },
        ),
        (
            {"count": 999},
            {
                "behavior_based_ranking": "impressions_with_rank",
                "session_aware_personalization": None,
                "dynamic_re_ranking": "impressions_with_rank",
                "attribution_and_funnels": None,
                "model_training": "impressions_with_rank",
            },
        ),
    ],
    ids=["all of it", "too small shares", "too few orders", "one impression too few"],
)
def test_a_use_case_is_ready_when_nothing_is_missing(
    recording: Recording, events: dict[str, Any], expected: dict[str, str | None]
) -> None:
    rows = readiness(recording, Load("a", tuple(many(**events))))

    assert missing(rows) == expected
    for row in rows:
        assert (row["missing"] is None) == row["is_met"]
        assert row["is_met"] == (
            row["have_count"] >= row["min_count"] and row["share"] >= row["threshold"]
        )


def test_nothing_is_ready_without_events(recording: Recording) -> None:
    rows = readiness(recording)
    firsts = {row["use_case"]: row["metric"] for row in thresholds()[::-1]}

    assert missing(rows) == firsts
    assert {(row["have_count"], row["total_count"], row["share"]) for row in rows} == {(0, 0, None)}


def test_files_one_by_one_give_the_same(recording: Recording) -> None:
    steps = [
        step
        for number, row in enumerate([*VISITS[::-1], NO_RANK])
        for step in (Load(str(number), (row,)), Build())
    ]

    assert wrong_rows(recording, [*steps, Load("0", (), 2), Build()]) == []


def test_thresholds_are_legal_and_have_their_reasons() -> None:
    for row in thresholds():
        assert row["metric"] in COUNTS
        assert 0 < float(row["threshold"]) <= 1
        assert int(row["min_count"]) >= 1
        assert row["missing"].endswith("."), row
        assert row["reason"].endswith("."), row
    by_case: dict[str, list[int]] = {}
    for row in thresholds():
        by_case.setdefault(row["use_case"], []).append(int(row["requirement_number"]))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_case.values())
    asked = [(row["use_case"], row["metric"]) for row in thresholds()]
    assert len(set(asked)) == len(asked)
