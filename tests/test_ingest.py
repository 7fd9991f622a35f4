import gzip
from pathlib import Path

import polars as pl
import pytest

from sequen_dagster.contract import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA
from sequen_dagster.errors import VanishedFileError
from sequen_dagster.exports.files import ExportFile, list_files
from sequen_dagster.lake.commits import Batch, FirstError, RecordCounts, RuleCount, batch_id_of
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event
from support.homes import set_modified_at, settings_of, write_events, write_text
from support.lake import ingest, lake_of


def only_file(settings: SequenSettings) -> ExportFile:
    (file,) = list_files(settings.sources[0])
    return file


def ingest_only_file(settings: SequenSettings) -> Batch:
    return ingest(settings, only_file(settings), registered_at=RECEIVED_AT.replace(day=25))


def rows(settings: SequenSettings, files: tuple[str, ...]) -> list[dict[str, object]]:
    return [
        row
        for name in files
        for row in pl.read_parquet(lake_of(settings).rows(name), hive_partitioning=False).to_dicts()
    ]


def test_both_kinds_of_rows_are_written(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="e1"), event(id="e2", page_type=...))

    batch = ingest_only_file(settings)

    assert batch.record_counts == RecordCounts(records_read=2, accepted=1, quarantined=1)
    assert batch.rule_counts == (RuleCount("page_view", "missing_page_type", "error", 1),)
    (accepted,) = rows(settings, batch.events)
    (quarantined,) = rows(settings, batch.quarantine)
    assert list(accepted) == list(ACCEPTED_SCHEMA)
    assert list(quarantined) == list(QUARANTINED_SCHEMA)
    assert (accepted["id"], accepted["source_line"]) == ("e1", 1)
    assert (quarantined["rules"], quarantined["source_line"]) == (["missing_page_type"], 2)


def test_arrival_time_is_the_modified_time(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())

    batch = ingest_only_file(settings)

    assert batch.received_at == RECEIVED_AT
    (accepted,) = rows(settings, batch.events)
    assert accepted["received_at"] == accepted["ingest_timestamp"] == RECEIVED_AT
    assert accepted["given_ingest_timestamp"] is None


def test_arrival_time_is_the_registration_where_that_is_earlier(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    set_modified_at(write_events(settings, "a.jsonl", event()), RECEIVED_AT.replace(year=2030))

    batch = ingest_only_file(settings)

    assert batch.received_at == RECEIVED_AT.replace(day=25)


def test_batch_is_named_by_its_content(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "day/a.jsonl", event())

    batch = ingest_only_file(settings)

    assert batch.batch_id == batch_id_of("default", "day/a.jsonl", batch.file_sha256)
    assert batch.events[0].startswith(f"events/batch_id={batch.batch_id}/")


def test_types_of_a_batch_are_counted_apart_up_to_a_limit(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    many = [event(type=f"type{number}", uid=...) for number in range(1_500)]
    broken = event(page_type=...)
    write_events(settings, "a.jsonl", event(type="x" * 201, uid=...), *many, broken)

    counts = {(one.type, one.rule): one.records for one in ingest_only_file(settings).rule_counts}

    # Seven standard types and `(none)` have their places from the start.
    assert len(counts) == (1_000 - 8) + len(["(other)", "page_view"])
    assert counts["(other)", "missing_identity"] == 1 + 1_500 - 992
    assert counts["page_view", "missing_page_type"] == 1
    assert ingest_only_file(settings).rule_counts == ingest_only_file(settings).rule_counts


def test_second_try_writes_the_same_files(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id=...), event(id=...))

    first, second = ingest_only_file(settings), ingest_only_file(settings)

    assert first == second
    assert len(list((lake_of(settings).events).rglob("*.parquet"))) == 1


def test_no_unfinished_file_is_left(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())

    ingest_only_file(settings)

    assert list((lake_of(settings).incoming).iterdir()) == []


@pytest.mark.fault(15)
@pytest.mark.bad_input(3)
def test_unreadable_file_is_one_quarantined_record(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_text(settings, "a.jsonl.gz", "")
    whole = gzip.compress(("\n".join('{"type":"x"}' for _ in range(9_000))).encode())
    target.write_bytes(whole[: len(whole) // 2])

    batch = ingest_only_file(settings)

    assert batch.record_counts == RecordCounts(records_read=1, quarantined=1)
    assert batch.events == ()
    (record,) = rows(settings, batch.quarantine)
    assert record["rules"] == ["corrupt_compression"]
    assert (record["source_line"], record["raw_bytes"]) == (0, len(whole) // 2)
    assert record["raw_sha256"] == batch.file_sha256
    message = "The compressed data is cut or damaged. Send the file again."
    assert record["raw"] == message
    assert batch.first_error == FirstError(0, "corrupt_compression", message)


def test_parquet_file_is_a_batch_like_any_other(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_text(settings, "a.parquet", "")
    pl.DataFrame([event(id="e1"), event(id="e2")]).write_parquet(target)

    batch = ingest_only_file(settings)

    assert (batch.file_format, batch.file_bytes) == ("parquet", target.stat().st_size)
    assert batch.record_counts == RecordCounts(records_read=2, accepted=2)


@pytest.mark.fault(13)
@pytest.mark.bad_input(1)
def test_empty_file_is_a_batch_without_rows(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_text(settings, "a.jsonl", "")

    batch = ingest_only_file(settings)

    assert batch.record_counts == RecordCounts()
    assert (batch.events, batch.quarantine) == ((), ())


def test_file_that_grew_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    listed = only_file(settings)
    with target.open("a") as handle:
        handle.write("{}\n")

    with pytest.raises(VanishedFileError, match="changed while it was read"):
        ingest(settings, listed, registered_at=RECEIVED_AT)

    assert list(lake_of(settings).root.rglob("*.parquet")) == []


def test_file_that_vanished_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    listed = only_file(settings)
    target.unlink()

    with pytest.raises(VanishedFileError, match="vanished"):
        ingest(settings, listed, registered_at=RECEIVED_AT)
