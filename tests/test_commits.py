from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from sequen_dagster.errors import ReconciliationError
from sequen_dagster.home.layout import Lake
from sequen_dagster.lake.commits import (
    Batch,
    Commit,
    RecordCounts,
    RuleCount,
    batch_id_of,
    read_commits,
    write_commit,
)

NOON = datetime(2025, 7, 20, 12, 0, 0, 5)
BATCH = Batch(
    batch_id=batch_id_of("default", "a.jsonl", "00"),
    source="default",
    path="a.jsonl",
    version=1,
    file_format="jsonl",
    file_sha256="00",
    file_bytes=10,
    modified_at=NOON,
    received_at=NOON,
    registered_at=NOON,
    contract_fingerprint="f",
    record_counts=RecordCounts(records_read=3, accepted=2, quarantined=1, blank_lines=4),
    rule_counts=(RuleCount("click", "missing_item_id", "error", 1),),
    events=("events/x.parquet",),
)


def test_commit_reads_back_as_written(tmp_path: Path) -> None:
    commit = Commit((BATCH,), NOON, "run-1")

    write_commit(Lake(tmp_path), commit)

    assert list(read_commits(Lake(tmp_path))) == [commit]


def test_known_commits_are_not_read_again(tmp_path: Path) -> None:
    commit = Commit((BATCH,), NOON)
    write_commit(Lake(tmp_path), commit)

    assert list(read_commits(Lake(tmp_path), known=[commit.commit_id])) == []


def test_second_try_is_the_same_commit(tmp_path: Path) -> None:
    later = datetime(2025, 7, 21)

    first = write_commit(Lake(tmp_path), Commit((BATCH,), NOON, "run-1"))
    second = write_commit(Lake(tmp_path), Commit((BATCH,), later, "run-2"))

    assert first == second
    assert len(list((tmp_path / "commits").iterdir())) == 1


def test_commit_id_ignores_the_order_of_batches() -> None:
    other = replace(BATCH, batch_id="b", path="b.jsonl")

    assert Commit((BATCH, other), NOON).commit_id == Commit((other, BATCH), NOON).commit_id


def test_commit_id_differs_between_versions() -> None:
    # A file that goes back to an older content is the same batch, but a new version.
    again = replace(BATCH, version=3)

    assert Commit((BATCH,), NOON).commit_id != Commit((again,), NOON).commit_id


def test_batch_id_depends_on_source_path_and_content() -> None:
    ids = {
        batch_id_of("default", "a", "00"),
        batch_id_of("other", "a", "00"),
        batch_id_of("default", "b", "00"),
        batch_id_of("default", "a", "01"),
        batch_id_of("defaulta", "", "00"),
    }

    assert len(ids) == 5
    assert all(len(one) == 32 for one in ids)


def test_unreconciled_counts_are_not_committed(tmp_path: Path) -> None:
    broken = replace(BATCH, record_counts=RecordCounts(records_read=4, accepted=2, quarantined=1))

    with pytest.raises(ReconciliationError, match=r"a\.jsonl"):
        write_commit(Lake(tmp_path), Commit((broken,), NOON))

    assert list(read_commits(Lake(tmp_path))) == []


@pytest.mark.parametrize(
    ("record_counts", "is_reconciled"),
    [
        (RecordCounts(3, 2, 1, 0, 9), True),
        (RecordCounts(3, 1, 1, 1), True),
        (RecordCounts(3, 2, 0), False),
        (RecordCounts(2, 2, 1), False),
    ],
)
def test_counts_reconcile_without_blank_lines(
    record_counts: RecordCounts, is_reconciled: bool
) -> None:
    assert record_counts.is_reconciled is is_reconciled


def test_unfinished_manifest_is_not_a_commit(tmp_path: Path) -> None:
    target = write_commit(Lake(tmp_path), Commit((BATCH,), NOON))
    target.rename(target.with_name(f".{target.stem}.1.tmp"))

    assert list(read_commits(Lake(tmp_path))) == []
