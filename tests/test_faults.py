"""Faults of what is sent, followed from the file to the tables that show them."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl
import pytest

from sequen_dagster.home.layout import Home
from sequen_dagster.lake.commits import RecordCounts
from sequen_dagster.operations.run import run_pipeline
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event
from support.graphs import lake_step
from support.homes import set_modified_at, settings_of, write_events, write_text
from support.lake import drain, lake_of

BAD_LINE = 700_001


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> SequenSettings:
    """A home after a first run on four files, and a second on what came a day later."""
    settings = settings_of(tmp_path_factory.mktemp("faults"))
    first = write_events(settings, "a.jsonl", event(id="e1", color=1), event(id="e2", color=2))
    write_text(settings, "empty.jsonl", "")
    write_text(settings, "header.csv", "type,original_timestamp,uid\n")
    write_text(settings, "newlines.jsonl", "\n\n\n")
    assert run_pipeline(settings).failures == ()
    copy = Path(shutil.copy(first, first.with_name("b.jsonl")))
    set_modified_at(copy, RECEIVED_AT.replace(day=22))
    day = "2025-07-15T10:00:00Z"
    write_events(
        settings,
        "c.jsonl",
        event(id="e2", color=2),
        event(id="e3", color="red", size="XL", original_timestamp=day),
        event(id="e4", page_type=..., pagetype="home", original_timestamp=day),
        event(id="e5", page_type=7.5, original_timestamp=day),
        event(id="e6", original_timestamp="9999-12-31"),
    )
    assert run_pipeline(settings).failures == ()
    return settings


def rows(settings: SequenSettings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(Home(settings.home).serving.snapshot, read_only=True) as snapshot:
        return snapshot.execute(query).fetchall()


@pytest.mark.slow
@pytest.mark.fault(4)
def test_copy_of_a_file_adds_no_event_and_names_the_first(two_runs: SequenSettings) -> None:
    original = "select batch_id from rpt_batches where path = 'a.jsonl'"

    assert rows(
        two_runs,
        f"select accepted, duplicate_records, conflicting_records, is_copy_of = ({original})"
        " from rpt_batches where path = 'b.jsonl'",
    ) == [(2, 2, 0, True)]
    assert rows(two_runs, "select id, source_file from fct_events order by id") == [
        ("e1", "a.jsonl"),
        ("e2", "a.jsonl"),
        ("e3", "c.jsonl"),
    ]


@pytest.mark.slow
@pytest.mark.fault(13)
def test_files_without_records_are_shown(two_runs: SequenSettings) -> None:
    empty = rows(
        two_runs,
        "select path, records_read, blank_lines from rpt_batches where records_read = 0 order by 1",
    )

    assert empty == [("empty.jsonl", 0, 0), ("header.csv", 0, 0), ("newlines.jsonl", 0, 3)]


@pytest.mark.slow
@pytest.mark.fault(20)
def test_new_field_is_kept_and_its_first_day_is_reported(two_runs: SequenSettings) -> None:
    assert rows(two_runs, "select properties from fct_events where id = 'e3'") == [
        ('{"color":"red","size":"XL"}',)
    ]
    assert rows(
        two_runs,
        "select kinds, first_seen_date, event_count from rpt_field_catalog"
        " where source = '(all)' and field = 'size'",
    ) == [(["string"], date(2025, 7, 15), 1)]


@pytest.mark.slow
@pytest.mark.fault(21)
def test_drift_is_reported_with_the_batch_that_brought_it(two_runs: SequenSettings) -> None:
    assert rows(
        two_runs,
        "select kinds, is_drifting from rpt_field_catalog"
        " where source = '(all)' and field = 'color'",
    ) == [(["number", "string"], True)]
    assert rows(
        two_runs,
        "select path, type, rule, records from rpt_violations"
        " where severity = 'error' order by rule",
    ) == [
        ("c.jsonl", "page_view", "invalid_original_timestamp", 1),
        ("c.jsonl", "page_view", "invalid_page_type", 1),
        ("c.jsonl", "page_view", "missing_page_type", 1),
    ]


@pytest.mark.slow
@pytest.mark.fault(34)
def test_absurd_time_holds_back_no_other_event(two_runs: SequenSettings) -> None:
    assert rows(two_runs, "select max(original_timestamp)::date from fct_events") == [
        (date(2025, 7, 15),)
    ]


@pytest.mark.slow
@pytest.mark.fault(41)
def test_old_events_that_come_again_cost_no_new_one(two_runs: SequenSettings) -> None:
    assert rows(
        two_runs, "select accepted, duplicate_records from rpt_batches where path = 'c.jsonl'"
    ) == [(2, 1)]


@pytest.mark.slow
@pytest.mark.fault(18)
def test_one_bad_line_in_a_million(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    good = '{"type":"scroll","original_timestamp":1752484522,"uid":"u1"}\n'
    bad = '{"type":"scroll","original_timestamp":1752484522,"uid":"u1"\n'
    write_text(settings, "a.jsonl", good * (BAD_LINE - 1) + bad + good * (1_000_000 - BAD_LINE))

    (batch,) = drain(settings).batches

    assert batch.record_counts == RecordCounts(
        records_read=1_000_000, accepted=999_999, quarantined=1
    )
    (kept,) = batch.quarantine
    quarantined = pl.read_parquet(lake_of(settings).rows(kept), hive_partitioning=False)
    assert quarantined.select("source_line", "rules", "raw").rows() == [
        (BAD_LINE, ["malformed_json"], bad.rstrip("\n"))
    ]


@pytest.mark.fault(19)
def test_file_without_accepted_records_is_committed_and_reported(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_text(settings, "a.jsonl", "nonsense\n" * 100)

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([lake_step(settings)], instance=instance)

    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert result.success
    assert not checks["accepted_share"].passed
    assert checks["accepted_share"].metadata["accepted_percent"].value == 0
    assert checks["counts_reconcile"].passed
    assert len(list((lake_of(settings).commits).iterdir())) == 1
