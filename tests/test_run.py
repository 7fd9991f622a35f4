"""The whole pipeline on simulated exports in every format, against the simulator's truth."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.operations.run import note_stage, run_pipeline
from sequen_dagster.settings import SequenSettings
from sequen_dagster.simulate import Truth
from support.builders import event
from support.homes import settings_of, write_events, write_text


def rows(settings: SequenSettings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(Home(settings.home).serving.snapshot, read_only=True) as snapshot:
        return snapshot.execute(query).fetchall()


def test_demo_finds_what_the_simulator_wrote(
    demo_home: Path, demo: SequenSettings, demo_truth: Truth
) -> None:
    truth = demo_truth
    report = json.loads(Home(demo.home).serving.report_json.read_text())
    assert {
        name: report["record_counts"][name] for name in ("records_read", "accepted", "quarantined")
    } == {
        "records_read": truth.records,
        "accepted": truth.accepted,
        "quarantined": truth.quarantined,
    }
    assert report["record_counts"]["duplicate_records"] == truth.duplicate_records
    assert report["record_counts"]["conflicting_records"] == truth.conflicting_records
    assert report["record_counts"]["blank_lines"] == truth.blank_lines
    broken = {row["rule"]: row["records"] for row in report["quarantined_by_rule"]}
    assert broken == truth.quarantined_by_rule
    counted = {row["name"]: row["count"] for row in report["events_by_type"]}
    assert counted == truth.events_by_type
    assert report["events"]["events"] == truth.distinct_ids
    value = {
        currency: cents / 100
        for currency, cents in rows(
            demo,
            "select currency, (sum(value) * 100)::bigint from fct_conversions"
            " where value is not null and not is_repeat group by 1",
        )
    }
    assert value == {name: cents / 100 for name, cents in truth.order_cents.items()}
    # Every table has something to show.
    empty = [
        name for (name,) in rows(demo, "show tables") if not rows(demo, f"from {name} limit 1")
    ]
    assert empty == []
    assert "records read from 6 files (6 new)" in " ".join(
        (demo_home / "said.txt").read_text().split()
    )
    report = Home(demo.home).serving.report_markdown.read_text()
    assert report.startswith("# Event completeness report")


@pytest.mark.slow
def test_corrected_file_replaces_its_old_rows(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="e1"), event(id="e2", page_type="cart"))
    write_events(settings, "b.jsonl", event(id="e1"))
    first = run_pipeline(settings)
    order = {"type": "conversion", "page_type": None, "conversion_type": "purchase"}
    write_events(
        settings,
        "a.jsonl",
        event(id="e2", page_type="checkout"),
        event(id="e3", **order, item_ids=["sku"], order_total="1,99"),
        event(id="e4", **order, item_ids=["sku"], order_total="1.99"),
        event(id="e5", **order, item_ids=["sku"], order_total=" "),
    )

    second = run_pipeline(settings)

    assert (first.is_success, second.is_success) == (True, True)
    assert second.new_files == 1
    assert rows(settings, "select id, page_type, source_file from fct_events order by id") == [
        ("e1", "home", "b.jsonl"),
        ("e2", "checkout", "a.jsonl"),
        *((one, None, "a.jsonl") for one in ("e3", "e4", "e5")),
    ]
    assert rows(settings, "select rule, severity, records from rpt_violations") == [
        ("unreadable_value", "warning", 1)
    ]
    assert rows(
        settings, "select path, is_current, accepted from rpt_batches order by path, is_current"
    ) == [("a.jsonl", False, 2), ("a.jsonl", True, 4), ("b.jsonl", True, 1)]


@pytest.mark.slow
def test_home_without_any_event_still_gives_all_tables(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_text(settings, "a.jsonl", "")
    write_text(settings, "b.jsonl", "nonsense\n")

    outcome = run_pipeline(settings)

    assert outcome.failures == ()
    assert outcome.summary["events"]["events"] == 0
    assert outcome.summary["record_counts"]["quarantined"] == 1


@pytest.mark.bad_input(36)
@pytest.mark.slow
def test_file_that_cannot_be_read_fails_the_run_but_not_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    write_events(settings, "b.jsonl", event(id="e2"))
    from sequen_dagster.lake import ingest as module

    ingest = module.ingest_file

    def refuse(file: Any, *args: Any, **options: Any) -> Any:
        if file.path == "b.jsonl":
            raise PermissionError(13, "Permission denied")
        return ingest(file, *args, **options)

    monkeypatch.setattr(module, "ingest_file", refuse)
    outcome = run_pipeline(settings)

    (check,) = outcome.failed_checks
    assert "files_read" in check
    assert "b.jsonl" in check
    assert rows(settings, "select id from fct_events") == [("e1",)]


def test_stages_begin_and_end_for_who_listens() -> None:
    heard: list[str] = []

    def listener(stage: str, message: str) -> None:
        heard.append(f"{stage}: {message}")

    @dg.op
    def sequen_lake() -> None:
        listener("lake", "1/1 x.jsonl")

    @dg.op
    def sequen_marts() -> None:
        raise ValueError

    @dg.job
    def both() -> None:
        sequen_lake()
        sequen_marts()

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_event_listener("1" * 32, partial(note_stage, listener))
        both.execute_in_process(instance=instance, run_id="1" * 32, raise_on_error=False)

    at_end = [line.partition(" in ")[0] for line in heard]
    assert at_end == [
        "lake: started",
        "lake: 1/1 x.jsonl",
        "lake: done",
        "marts: started",
        "marts: failed",
    ]
