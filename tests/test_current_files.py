"""What the ledger says of the files as they are now, the state that checks look at."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.lake.commits import Commit, RecordCounts, read_commits
from sequen_dagster.lake.current_files import NewestFile, QuarantinedFile
from support.builders import RECEIVED_AT, event
from support.homes import set_modified_at, settings_of, write_events, write_text
from support.lake import drain, lake_of, ledger_of, pending_files


def test_counts_of_the_latest_version_stay_whatever_the_order_of_commits(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_text(settings, "a.jsonl", "PK\x03\x04")
    drain(settings)
    write_events(settings, "b.jsonl", event(), event(id="e2", uid=..., rank="x"))
    drain(settings)
    ledger = ledger_of(settings)
    (first, second) = read_commits(lake_of(settings))
    (batch,) = first.batches if first.batches[0].path == "a.jsonl" else second.batches
    # The same bytes, validated again as a file that can be read.
    counts = RecordCounts(records_read=4, accepted=4)
    again = replace(batch, version=2, record_counts=counts, rule_counts=(), first_error=None)
    for commit in (Commit((again,), utc_now()), Commit((batch,), utc_now())):
        ledger.record_commit(commit)
    # Read once more for its metadata alone, by the rules of today.
    ledger.record_unchanged(replace(batch, version=2))
    ledger.record_unchanged(replace(batch, version=2, etag="other"))

    assert ledger.unread_files() == []
    current = ledger.current_files()
    assert (current.files, current.record_counts) == (
        2,
        RecordCounts(records_read=6, accepted=5, quarantined=1),
    )
    assert dict(current.quarantined_by_rule) == {"missing_identity": 1, "invalid_rank": 1}
    assert current.most_quarantined == (QuarantinedFile("default", "b.jsonl", 1, 2),)
    assert (current.unreconciled_files, current.unreconciled) == (0, ())


def test_counts_that_do_not_reconcile_are_found_in_current_versions(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2"))
    drain(settings)
    ledger = ledger_of(settings)
    ((commit,)) = read_commits(lake_of(settings))
    wrong = RecordCounts(records_read=2, accepted=1)
    ledger.record_commit(
        replace(commit, batches=(replace(commit.batches[0], record_counts=wrong),))
    )

    current = ledger.current_files()

    assert (current.unreconciled_files, current.unreconciled) == (1, (("a.jsonl", wrong),))


def test_failed_files_are_those_that_lie_there_as_they_failed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    write_events(settings, "b.jsonl", event(id="e2"))
    ledger = ledger_of(settings)
    (a, b) = pending_files(settings)
    ledger.record_failure(a, "OSError: broken", max_attempts=3)
    ledger.record_failure(b, "OSError: broken", max_attempts=1)

    assert list(map(str, ledger.failed_files([a, b]))) == [
        "'a.jsonl': OSError: broken",
        "'b.jsonl': OSError: broken It is dead-lettered.",
    ]
    assert [one.path for one in ledger.failed_files([b])] == ["b.jsonl"]
    assert ledger.failed_files([msgspec.structs.replace(a, size_bytes=1)]) == []


def test_newest_file_is_said_of_each_source(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    export = write_events(settings, "b.jsonl", event(id="e2"))
    set_modified_at(export, RECEIVED_AT + timedelta(hours=1))
    ledger = ledger_of(settings)

    assert ledger.newest_files() == []
    drain(settings)
    assert ledger.newest_files() == [
        NewestFile("default", "b.jsonl", RECEIVED_AT + timedelta(hours=1))
    ]
