"""Rows that have to go are gone from the lake, and nothing else has changed."""

import os
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import filelock
import polars as pl
import pytest

from sequen_dagster.contract.erasures import NO_ERASURES, Erasures
from sequen_dagster.errors import BuildError, LockTimeoutError
from sequen_dagster.exports import records
from sequen_dagster.home.locks import quiet_home
from sequen_dagster.lake import ingest as module
from sequen_dagster.lake.commits import (
    Batch,
    RecordCounts,
    RuleCount,
    current_batches,
    read_commits,
    write_commit,
)
from sequen_dagster.lake.drain import Intake, commit_batches
from sequen_dagster.lake.erasures import add_erasures, finish_erasures, read_erasures
from sequen_dagster.lake.replay import Choice
from sequen_dagster.lake.rewrites import Rewritten, count_erased, erase_rows
from sequen_dagster.lake.row_writer import RowWriter
from sequen_dagster.marts.builds import begin_build, finish_build
from sequen_dagster.marts.compaction import compact
from sequen_dagster.marts.project import tables_fingerprint
from sequen_dagster.marts.verify import verify
from sequen_dagster.marts.warehouse import Loaded, connect, load_commits
from sequen_dagster.operations.doctor import examine_home
from sequen_dagster.settings import SequenSettings
from support.builders import RECEIVED_AT, event
from support.homes import set_modified_at, settings_of, write_events, write_text
from support.lake import (
    drain,
    drop_raw_text,
    home_of,
    ingest,
    lake_of,
    ledger_of,
    pending_files,
    replay,
)

X = "zqcanary7"
BROKEN = f'{{"uid": "{X}", broken'
# Of X, of others, accepted, quarantined, readable and not.
MIXED = [
    event(id="e1", uid=X),
    event(id="e2", uid="u2"),
    event(id="e3", uid=X, page_type=...),
    event(id="e4", uid="u2", page_type=...),
    event(id="e5", uid=X, type="scroll"),
]


def taken_in(tmp_path: Path, **overrides: Any) -> SequenSettings:
    """A home with a file that X is in, one that mentions X, and one of others."""
    settings = settings_of(tmp_path, **overrides)
    write_events(settings, "a.jsonl", *MIXED)
    write_text(settings, "b.jsonl", f'{BROKEN}\n{{"id": "e6"}}\n')
    write_events(settings, "c.jsonl", event(id="e7", uid="u3"))
    drain(settings)
    return settings


def erase(settings: SequenSettings, *uids: str) -> Rewritten:
    add_erasures(lake_of(settings), [("uid", uid) for uid in uids or (X,)])
    return erase_rows(lake_of(settings), read_erasures(lake_of(settings)))


def batches(settings: SequenSettings) -> dict[str, Batch]:
    return {batch.path: batch for batch in current_batches(lake_of(settings))}


def rows(settings: SequenSettings, names: tuple[str, ...]) -> list[pl.DataFrame]:
    return [pl.read_parquet(lake_of(settings).rows(name)) for name in names]


def said_of(settings: SequenSettings, batch: Batch) -> tuple[Any, ...]:
    """All that a batch says and holds, but for when it was met and how its files are called."""
    frames = [*rows(settings, batch.events), *rows(settings, batch.quarantine)]
    same = {"registered_at": batch.received_at, "revision": 0, "version": 0, "etag": ""}
    bare = replace(batch, events=(), quarantine=(), **same)  # type: ignore[arg-type]
    return bare, [frame.to_dicts() for frame in frames]


def held_in_lake(settings: SequenSettings) -> list[str]:
    """Files of the lake that hold X, whatever names them."""
    found = []
    for path in lake_of(settings).root.rglob("*"):
        if path.suffix == ".parquet":
            if X in str(pl.read_parquet(path, hive_partitioning=False).to_dicts()):
                found.append(path.name)
        elif path.is_file() and X.encode() in path.read_bytes():
            found.append(path.name)
    return found


def query(settings: SequenSettings, sql: str) -> list[tuple[Any, ...]]:
    with connect(settings) as warehouse:
        return warehouse.execute(sql).fetchall()


def test_records_of_erased_people_are_removed(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    assert held_in_lake(settings)

    erased = erase(settings)

    assert erased == Rewritten(
        events=2,
        quarantined=1,
        raw_texts=1,
        batches=2,
        commits=1,
        files=frozenset({("default", "a.jsonl"), ("default", "b.jsonl")}),
    )
    assert held_in_lake(settings) == []
    after = batches(settings)
    assert after["a.jsonl"].record_counts == RecordCounts(
        records_read=5, accepted=1, quarantined=1, skipped=3
    )
    assert after["a.jsonl"].rule_counts == (
        RuleCount("page_view", "missing_page_type", "error", 1),
        RuleCount("page_view", "erased", "skipped", 2),
        RuleCount("scroll", "erased", "skipped", 1),
    )
    assert after["b.jsonl"].record_counts == RecordCounts(records_read=2, quarantined=2)
    (mentioned,) = rows(settings, after["b.jsonl"].quarantine)
    assert dict(mentioned.select("source_line", "raw").iter_rows()) == {1: None, 2: '{"id": "e6"}'}
    (left,) = rows(settings, after["a.jsonl"].events)
    assert left["id"].to_list() == ["e2"]


def test_records_of_other_people_are_not_changed(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    before = batches(settings)["c.jsonl"]
    place = lake_of(settings).rows(before.events[0])
    facts = place.stat()

    erase(settings)

    assert batches(settings)["c.jsonl"] == before
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (facts.st_ino, facts.st_mtime_ns)


def test_only_the_kind_of_rows_that_changes_is_rewritten(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="e1"), event(id="e2", uid=X, page_type=...))
    write_events(settings, "b.jsonl", event(id="e3", uid=X), event(id="e4", page_type=...))
    drain(settings)
    before = batches(settings)

    erase(settings)

    after = batches(settings)
    assert after["a.jsonl"].events == before["a.jsonl"].events
    assert after["a.jsonl"].quarantine == ()
    assert after["a.jsonl"].first_error is None
    assert after["b.jsonl"].events == ()
    assert after["b.jsonl"].quarantine == before["b.jsonl"].quarantine
    assert after["b.jsonl"].first_error == before["b.jsonl"].first_error
    assert held_in_lake(settings) == []


@pytest.mark.slow
@pytest.mark.parametrize("chunk_records", [2, 65_536])
def test_rewriting_gives_what_reading_again_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_records: int
) -> None:
    monkeypatch.setattr(records, "CHUNK_RECORDS", chunk_records)
    (tmp_path / "other").mkdir()
    rewritten = taken_in(tmp_path)
    erase(rewritten)
    other = settings_of(tmp_path / "other")
    lake_of(other).root.mkdir(parents=True)
    shutil.copy(lake_of(rewritten).erasures, lake_of(other).root)

    again = taken_in(tmp_path / "other")

    for path, batch in batches(again).items():
        old = replace(batches(rewritten)[path], erasures=batch.erasures)
        assert said_of(rewritten, old) == said_of(again, batch)
    assert batches(again)["a.jsonl"].record_counts.skipped == 3
    assert batches(again)["a.jsonl"].erasures == read_erasures(lake_of(other)).fingerprint
    assert held_in_lake(again) == []


def test_second_time_nothing_changes(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    erase(settings)
    before = sorted(path for path in lake_of(settings).root.rglob("*") if path.is_file())

    again = erase(settings)

    assert again == Rewritten()
    assert sorted(p for p in lake_of(settings).root.rglob("*") if p.is_file()) == before


def test_people_are_erased_one_after_the_other(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    erase(settings)

    erased = erase(settings, "u2")

    assert (erased.events, erased.quarantined, erased.batches) == (1, 1, 1)
    batch = batches(settings)["a.jsonl"]
    assert batch.record_counts == RecordCounts(records_read=5, skipped=5)
    assert (batch.revision, batch.events, batch.quarantine) == (2, (), ())
    assert [count.records for count in batch.rule_counts] == [4, 1]
    assert batch.erasures == read_erasures(lake_of(settings)).fingerprint


def test_count_writes_nothing(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in settings.home.rglob("*") if p.is_file()}

    counted = count_erased(lake_of(settings), Erasures(b"any").adding([("uid", X)]))

    assert {p: p.stat().st_mtime_ns for p in settings.home.rglob("*") if p.is_file()} == before
    assert counted == erase(settings)


def test_old_versions_are_rewritten_too(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="e1", uid=X))
    drain(settings)
    write_events(settings, "a.jsonl", event(id="e1"), event(id="e2"))
    drain(settings)

    assert (erase(settings).events, held_in_lake(settings)) == (1, [])


def test_batch_of_two_commits_is_rewritten_in_both_and_counts_once(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    (commit,) = read_commits(lake_of(settings))
    write_commit(lake_of(settings), replace(commit, batches=commit.batches[:2]))

    erased = erase(settings)

    assert (erased.events, erased.batches, erased.commits) == (2, 2, 2)
    assert held_in_lake(settings) == []
    for one in read_commits(lake_of(settings)):
        for batch in one.batches:
            assert sum(map(len, rows(settings, batch.events))) == batch.record_counts.accepted


def test_latest_revision_of_a_commit_counts(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    lake = lake_of(settings)
    (commit,) = read_commits(lake)
    for revision in (9, 10):
        first, *others = commit.batches
        write_commit(lake, replace(commit, batches=(replace(first, revision=revision), *others)))

    (latest,) = read_commits(lake)

    assert latest.revision == 10
    assert latest.name == f"{commit.commit_id}.r10"
    assert latest.commit_id == commit.commit_id == commit.name
    assert list(read_commits(lake, known=[latest.name])) == []
    assert list(read_commits(lake, known=[commit.commit_id])) == [latest]


def test_commit_that_is_rewritten_while_it_is_read_is_read(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    write_events(settings, "d.jsonl", event(id="e9", uid=X))
    drain(settings)
    reading = read_commits(lake_of(settings))
    first = next(reading)

    erase(settings)

    (second,) = reading
    assert first.revision == 0
    assert second.revision > 0


def test_rewritten_files_are_not_pending(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)

    erase(settings)

    assert pending_files(settings) == []
    (settings.home / "ledger.sqlite").unlink()
    assert pending_files(settings) == []
    assert drain(settings).commits == ()


def test_new_files_of_the_erased_are_left_out(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    erase(settings)
    write_events(settings, "d.jsonl", event(id="e8", uid=X), event(id="e9", uid="u9"))

    (commit,) = drain(settings).commits

    assert commit.record_counts == RecordCounts(records_read=2, accepted=1, skipped=1)
    assert held_in_lake(settings) == []


@pytest.mark.slow
def test_validating_again_leaves_the_erased_out(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    erase(settings)

    replayed = replay(settings, Choice(paths=("*",)))

    assert len(replayed.batches) == 3
    assert batches(settings)["a.jsonl"].record_counts.skipped == 3
    assert held_in_lake(settings) == []


def test_contract_is_the_same_after_an_erasure(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    before = {batch.contract_fingerprint for batch in batches(settings).values()}

    erase(settings)
    write_events(settings, "d.jsonl", event(id="e8"))
    drain(settings)

    assert {batch.contract_fingerprint for batch in batches(settings).values()} == before


@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
def test_file_validated_before_the_erasure_is_validated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_late: bool
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="e1", uid=X), event(id="e2"))
    (file,) = pending_files(settings)
    monkeypatch.setattr(module, "read_erasures", lambda _: NO_ERASURES)
    stale = [] if is_late else [ingest(settings, file, registered_at=file.modified_at)]
    erase(settings)
    # This one had read the list before, and writes its rows only now.
    stale = stale or [ingest(settings, file, registered_at=file.modified_at)]
    monkeypatch.undo()
    assert bool(held_in_lake(settings)) is is_late

    ledger_of(settings).mark_begun([file])

    committed = commit_batches(
        Intake.of(settings),
        ledger_of(settings),
        stale,
        number=lambda _, batch: replace(batch, version=1),
        run_id="",
    )

    assert committed is None
    assert not list(lake_of(settings).root.rglob("*.parquet"))
    assert pending_files(settings) == [file]
    # No process died over it.
    assert ledger_of(settings).mark_begun([file]) is False
    (commit,) = drain(settings).commits
    assert commit.record_counts == RecordCounts(records_read=2, accepted=1, skipped=1)
    assert held_in_lake(settings) == []


def test_stale_rows_that_a_commit_names_stay(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="e1"))
    (commit,) = drain(settings).commits
    erase(settings)

    commit_batches(
        Intake.of(settings),
        ledger_of(settings),
        commit.batches,
        number=lambda _, batch: batch,
        run_id="",
    )

    (batch,) = batches(settings).values()
    assert lake_of(settings).rows(batch.events[0]).exists()


def test_rows_that_no_commit_names_go_if_they_hold_the_erased(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="e1", uid=X))
    write_events(settings, "b.jsonl", event(id="e2"))
    validated = {
        file.path: ingest(settings, file, registered_at=file.modified_at)
        for file in pending_files(settings)
    }

    erased = erase(settings)

    assert erased == Rewritten()
    lake = lake_of(settings)
    left = [lake.name_of(path) for path in lake.root.rglob("*.parquet")]
    assert left == list(validated["b.jsonl"].events)


def test_half_written_rows_go_unless_another_writes_them(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    lake = lake_of(settings)
    left = lake.incoming / "left"
    left.mkdir(parents=True)
    (left / "events.parquet").write_text(X)

    with RowWriter(lake, "d.jsonl", about_bytes=0):
        erase(settings)

        assert len([path for path in (lake.incoming).iterdir() if path.is_dir()]) == 1
    assert list((lake.incoming).iterdir()) == []


@pytest.mark.parametrize(
    ("age", "is_dropped"),
    [(timedelta(days=30), False), (timedelta(days=30, seconds=1), True)],
)
def test_raw_text_is_dropped_after_its_days(
    tmp_path: Path, age: timedelta, is_dropped: bool
) -> None:
    settings = taken_in(tmp_path, quarantine_days=30)
    before = batches(settings)
    now = before["a.jsonl"].registered_at + age

    dropped = drop_raw_text(settings, now=now)

    after = batches(settings)
    assert (dropped.raw_texts, dropped.batches) == ((4, 2) if is_dropped else (0, 0))
    raws = [
        row for path in ("a.jsonl", "b.jsonl") for row in rows(settings, after[path].quarantine)
    ]
    assert all((row["raw"].null_count() == len(row)) is is_dropped for row in raws)
    assert [batch.is_raw_dropped for batch in after.values()] == [is_dropped, is_dropped, False]
    assert {p: b.record_counts for p, b in after.items()} == {
        p: b.record_counts for p, b in before.items()
    }
    assert after["a.jsonl"].rule_counts == before["a.jsonl"].rule_counts
    assert after["a.jsonl"].events == before["a.jsonl"].events
    assert len(list((lake_of(settings).quarantine).rglob("*.parquet"))) == 2
    assert drop_raw_text(settings, now=now) == Rewritten()


@pytest.mark.slow
def test_dropped_text_does_not_come_back_with_a_file_of_a_new_time(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, quarantine_days=1)
    drop_raw_text(settings, now=batches(settings)["a.jsonl"].registered_at + timedelta(days=2))
    for path in settings.sources[0].exports.iterdir():
        set_modified_at(path, RECEIVED_AT + timedelta(seconds=1))
    assert len(pending_files(settings)) == 3

    assert drain(settings).commits == ()

    lake = lake_of(settings)
    named = [name for one in batches(settings).values() for name in (*one.events, *one.quarantine)]
    there = [lake.name_of(path) for path in lake.root.rglob("*.parquet")]
    assert sorted(there) == sorted(named)
    assert pending_files(settings) == []


def test_raw_text_is_kept_where_no_days_are_set(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    now = batches(settings)["a.jsonl"].registered_at + timedelta(days=36_500)

    assert drop_raw_text(settings, now=now) == Rewritten()


def test_raw_text_waits_while_another_is_at_work(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, quarantine_days=1)
    now = batches(settings)["a.jsonl"].registered_at + timedelta(days=2)

    with filelock.FileLock(settings.home / "writer.lock"):
        meanwhile = drop_raw_text(settings, now=now)
    later = drop_raw_text(settings, now=now)

    assert (meanwhile.raw_texts, later.raw_texts) == (0, 4)


def test_replaced_rows_that_were_left_go_the_next_time(tmp_path: Path) -> None:
    settings = taken_in(tmp_path, quarantine_days=1)
    lake = lake_of(settings)
    kept = tmp_path / "kept"
    shutil.copytree(lake.root, kept)
    now = batches(settings)["a.jsonl"].registered_at + timedelta(days=2)
    drop_raw_text(settings, now=now)
    # As a crash after the new manifest would leave it.
    shutil.copytree(kept, lake.root, dirs_exist_ok=True)
    assert held_in_lake(settings)

    drop_raw_text(settings, now=now)

    assert len(list((lake.commits).iterdir())) == 1
    assert len(list((lake.quarantine).rglob("*.parquet"))) == 2


def test_doctor_reports_a_list_that_is_unfinished_damaged_or_missing(tmp_path: Path) -> None:
    settings = taken_in(tmp_path)
    listed = lake_of(settings).erasures

    def wrong() -> list[tuple[str, str]]:
        found = [one for one in examine_home(settings) if one.area == "lake" and one.level != "ok"]
        return [(one.level, " ".join(one.message.split()[:2])) for one in found]

    assert wrong() == []
    erase(settings)
    assert wrong() == [("error", "1 erasure")]
    finish_erasures(lake_of(settings))
    assert wrong() == []
    listed.write_text("{")
    assert wrong() == [("error", "The list")]
    listed.unlink()
    assert wrong() == [("error", "The list")]


@pytest.mark.parametrize("name", ["verify.lock", "writer.lock", "commit.lock"])
def test_quiet_home_waits_for_everybody(tmp_path: Path, name: str) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()

    with (
        filelock.FileLock(settings.home / name),
        pytest.raises(LockTimeoutError, match="is at work"),
        quiet_home(home_of(settings), timeout_seconds=0),
    ):
        pass
    # No lock is kept by the process that gave up.
    with quiet_home(home_of(settings), timeout_seconds=0):
        pass


@pytest.fixture
def loaded(tmp_path: Path) -> SequenSettings:
    """A home whose commits are loaded, as after a build."""
    settings = taken_in(tmp_path)
    write_events(settings, "d.jsonl", event(id="e8", uid="u8"))
    drain(settings)
    load_commits(settings)
    with connect(settings) as warehouse:
        finish_build(warehouse, begin_build(warehouse, tables_fingerprint(settings)))
    return settings


def test_rewritten_commit_replaces_the_loaded_one(loaded: SequenSettings) -> None:
    erase(loaded)

    assert load_commits(loaded) == Loaded(commits=1, batches=3, events=1, rewritten=1)
    assert load_commits(loaded) == Loaded()

    ids = "select id from raw.events order by id"
    assert query(loaded, ids) == [("e2",), ("e7",), ("e8",)]
    affected = "select distinct id from raw.affected_ids order by id"
    assert query(loaded, affected) == [("e1",), ("e2",), ("e5",)]
    places = {path: batch.batch_id for path, batch in batches(loaded).items()}
    affected = "select distinct batch_id from raw.affected_batches"
    assert {row[0] for row in query(loaded, affected)} == {places["a.jsonl"], places["b.jsonl"]}
    skipped = "select path, revision, accepted, quarantined, skipped from raw.batches order by path"
    assert query(loaded, skipped) == [
        ("a.jsonl", 1, 1, 1, 3),
        ("b.jsonl", 1, 0, 2, 0),
        ("c.jsonl", 0, 1, 0, 0),
        ("d.jsonl", 0, 1, 0, 0),
    ]
    names = {commit.commit_id: commit.name for commit in read_commits(lake_of(loaded))}
    assert dict(query(loaded, "select commit_id, name from raw.commits")) == names


def test_warehouse_of_an_earlier_release_is_loaded_again(loaded: SequenSettings) -> None:
    query(loaded, "alter table raw.batches drop column revision")

    assert load_commits(loaded) == Loaded(commits=2, batches=4, events=5)
    assert query(loaded, "select sum(revision) from raw.batches") == [(0,)]


def bytes_hold(path: Path, value: str) -> bool:
    return value.encode() in path.read_bytes()


def test_compaction_leaves_nothing_of_deleted_rows(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    # Long and without pattern, so that no compression hides it.
    canary = os.urandom(400).hex()
    write_events(settings, "a.jsonl", event(id="e1", uid=canary), event(id="e2"))
    drain(settings)
    load_commits(settings)
    query(settings, "create schema intermediate")
    query(settings, "create table intermediate.int_affected_visits as select uid from raw.events")
    query(settings, "create table intermediate.int_affectedness as select 1 as one")
    query(settings, "create view main.view as select id from raw.events")
    target = home_of(settings).warehouse
    assert bytes_hold(target, canary)
    erase(settings, canary)
    load_commits(settings)
    assert bytes_hold(target, canary)

    done = (compact(settings), compact(settings))

    assert done == (True, False)
    assert not bytes_hold(target, canary)
    assert query(settings, "select id from main.view") == [("e2",)]
    assert query(settings, "select count(*) from intermediate.int_affected_visits") == [(0,)]
    assert query(settings, "select count(*) from intermediate.int_affectedness") == [(1,)]
    assert sorted(path.name for path in settings.home.iterdir() if path.is_dir()) == ["lake"]


@pytest.mark.slow
def test_nothing_is_compacted_where_nothing_was_rewritten(loaded: SequenSettings) -> None:
    before = home_of(loaded).warehouse.stat().st_ino

    assert not compact(loaded)
    assert home_of(loaded).warehouse.stat().st_ino == before


def test_warehouse_with_a_log_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = taken_in(tmp_path)
    load_commits(settings)
    query(settings, "insert into raw.uncompacted_batches values ('b')")
    log = settings.home / "warehouse.duckdb.wal"
    monkeypatch.setattr(
        "sequen_dagster.marts.compaction.fail_point", lambda _: log.write_bytes(b"")
    )
    before = home_of(settings).warehouse.stat().st_ino

    with pytest.raises(BuildError, match="write-ahead log"):
        compact(settings)

    assert home_of(settings).warehouse.stat().st_ino == before
    log.unlink()
    monkeypatch.undo()
    assert compact(settings)


@pytest.mark.slow
def test_tables_of_rows_since_rewritten_are_not_verified(loaded: SequenSettings) -> None:
    erase(loaded)

    with pytest.raises(BuildError, match="rewritten since the last build"):
        verify(loaded)
