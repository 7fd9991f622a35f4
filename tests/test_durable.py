"""A disk that refuses, and what must be on it before something else refers to it."""

import errno
import os
import random
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sequen_dagster.errors import StorageError
from sequen_dagster.home.durable import storage_reason, writing
from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.lake.commits import Commit, read_commits, write_commit
from sequen_dagster.marts.warehouse import Loaded, connect, load_commits
from sequen_dagster.reports.options import report_options
from sequen_dagster.reports.publish import publish
from sequen_dagster.reports.training import TrainingSet, write_training_set
from sequen_dagster.reports.writing import write_report_file
from sequen_dagster.settings import SequenSettings
from support.builders import event
from support.builds import note_finished_build
from support.compiled import create_views, training_columns
from support.homes import settings_of, write_events
from support.lake import drain, home_of, lake_of
from support.snapshots import START, Snapshot

REASONS = {
    errno.ENOSPC: "No space left on device",
    errno.EFBIG: "File too large",
    errno.EROFS: "Read-only file system",
    errno.EDQUOT: "Disk quota exceeded",
    errno.EIO: "Input/output error",
}


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """The kernel refuses to write beyond this place of any file, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_snapshot(settings: SequenSettings) -> None:
    """A published snapshot with an impression."""
    snapshot = Snapshot()
    snapshot.impression("i", START, "uid:u1")
    path = Home(settings.home).serving.snapshot
    path.parent.mkdir(parents=True)
    with duckdb.connect(path) as connection:
        snapshot.write(connection)
        create_views(connection)


def write_set(settings: SequenSettings) -> TrainingSet:
    return write_training_set(
        Home(settings.home).serving, report_options(settings), training_columns()
    )


def write_noise(settings: SequenSettings, path: str, *, events: int) -> Path:
    """Events that no codec makes small."""
    source = random.Random(7)
    rows = [
        event(id=f"{path}{number}", note=source.randbytes(90).hex()) for number in range(events)
    ]
    return write_events(settings, path, *rows)


def fill(settings: SequenSettings, rows: int) -> None:
    home_of(settings).make()
    with connect(settings) as warehouse:
        warehouse.execute(
            "create or replace table main.fct_events as"
            f" select hash(range)::varchar as id from range({rows})"
        )
        note_finished_build(warehouse)


@pytest.mark.fault(24)
@pytest.mark.parametrize(("number", "reason"), REASONS.items())
def test_storage_error_says_what_why_and_how_much(tmp_path: Path, number: int, reason: str) -> None:
    with (
        pytest.raises(StorageError) as caught,
        writing("the rows of 'a.jsonl'", tmp_path / "not" / "there", about_bytes=12_345),
    ):
        raise OSError(number, "whatever the library says", str(tmp_path / "secret.parquet"))

    message = str(caught.value)
    assert message.startswith(f"Cannot write the rows of 'a.jsonl': {reason}; ")
    assert " bytes are free, about 12,345 are needed. " in message
    assert str(tmp_path) not in message
    assert storage_reason(f'IO Error: Could not write file "/x": {reason}') == reason


@pytest.mark.slow
@pytest.mark.fault(24)
def test_full_disk_ends_the_drain_and_is_not_a_failure_of_the_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, max_attempts=1)
    size = write_noise(settings, "a.jsonl", events=4_000).stat().st_size
    write_events(settings, "b.jsonl", event())

    with files_of_at_most(300_000), pytest.raises(StorageError) as caught:
        drain(settings)

    assert f"the rows of 'a.jsonl': {REASONS[errno.EFBIG]}" in str(caught.value)
    assert f"about {size:,} are needed" in str(caught.value)
    lake = lake_of(settings)
    assert list(read_commits(lake)) == []
    assert list((lake.incoming).iterdir()) == []
    # There is room now. Had a failure been counted, the only attempt would be spent.
    assert [batch.path for batch in drain(settings).batches] in (
        ["a.jsonl", "b.jsonl"],
        ["b.jsonl", "a.jsonl"],
    )


@pytest.mark.slow
@pytest.mark.fault(24)
def test_full_disk_of_a_worker_ends_the_drain(tmp_path: Path) -> None:
    settings = settings_of(tmp_path).model_copy(update={"workers": 2})
    for path in ("a.jsonl", "b.jsonl"):
        write_noise(settings, path, events=12_000)

    with files_of_at_most(300_000), pytest.raises(StorageError, match="File too large"):
        drain(settings)

    assert list(read_commits(lake_of(settings))) == []
    assert len(drain(settings).batches) == 2


@pytest.mark.fault(24)
def test_manifest_that_finds_no_room_commits_no_batch(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    (commit,) = drain(settings).commits
    lake = Lake(tmp_path / "other")

    with (
        files_of_at_most(100),
        pytest.raises(StorageError, match="the manifest of a commit: File too large"),
    ):
        write_commit(lake, commit)

    assert list(lake.commits.iterdir()) == []
    write_commit(lake, commit)
    assert list(read_commits(lake)) == [commit]


@pytest.mark.fault(24)
def test_warehouse_that_finds_no_room_holds_nothing_of_the_commit(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()
    assert load_commits(settings) == Loaded()
    write_noise(settings, "a.jsonl", events=8_000)
    drain(settings)

    with (
        files_of_at_most(600_000),
        pytest.raises(StorageError, match="the warehouse: File too large") as caught,
    ):
        load_commits(settings)

    assert str(tmp_path) not in str(caught.value)
    with connect(settings) as warehouse:
        for table in ("commits", "batches", "events", "affected_ids"):
            assert warehouse.execute(f"select count(*) from raw.{table}").fetchone() == (0,)
    assert load_commits(settings) == Loaded(commits=1, batches=1, events=8_000)


@pytest.mark.fault(24)
def test_snapshot_that_finds_no_room_leaves_the_old_one(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 10)
    publish(settings, ["fct_events"])
    path = Home(settings.home).serving.snapshot
    before = path.read_bytes()
    fill(settings, 200_000)

    with files_of_at_most(len(before)), pytest.raises(StorageError, match="File too large"):
        publish(settings, ["fct_events"])

    assert path.read_bytes() == before
    left = sorted(part.name for part in path.parent.iterdir())
    assert left == [".publication.json", "sequen.duckdb"]
    assert publish(settings, ["fct_events"]).row_counts == {"fct_events": 200_000}


@pytest.mark.fault(24)
def test_report_that_finds_no_room_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "report.md"
    write_report_file(target, "old")

    with (
        files_of_at_most(10),
        pytest.raises(StorageError, match=r"the file report\.md: File too large"),
    ):
        write_report_file(target, "new and longer")

    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
    write_report_file(target, "new and longer")
    assert target.read_text() == "new and longer"


@pytest.mark.fault(24)
def test_training_set_that_finds_no_room_leaves_the_old_one(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_snapshot(settings)
    path = write_set(settings).path
    before = path.read_bytes()

    with files_of_at_most(1_000), pytest.raises(StorageError, match="training set: File too large"):
        write_set(settings)

    assert path.read_bytes() == before
    files = sorted(part.name for part in path.parent.iterdir())
    assert files == ["impressions", "manifest.json"]
    assert len(list((path.parent / "impressions").iterdir())) == 1
    assert write_set(settings).path.read_bytes() == before


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was flushed and what was renamed, in order, by names within the home."""
    home = tmp_path / "home"
    seen: list[tuple[str, str]] = []
    fsync, replace = os.fsync, os.replace

    def note(kind: str, path: Path) -> None:
        if path.is_relative_to(home) and path != home:
            seen.append((kind, "/".join(map(_shape, path.relative_to(home).parts))))

    def noting_fsync(descriptor: int) -> None:
        note("flush", Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    def noting_replace(source: Any, target: Any, **more: Any) -> None:
        note("rename to", Path(target))
        replace(source, target, **more)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "replace", noting_replace)
    return seen


def _shape(part: str) -> str:
    """A name without what is different every time: ids, and the process."""
    return re.sub(r"[0-9a-f]{16,32}(\.\d+)?", "x", part)


@pytest.mark.fault(25)
def test_all_is_flushed_before_a_commit_names_it(
    tmp_path: Path, order: list[tuple[str, str]]
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=None))
    (home_of(settings).make().root / "lake").mkdir()

    drain(settings)

    rows = [
        entry
        for kind in ("events", "quarantine")
        for entry in (
            ("flush", f"lake/.incoming/x/{kind}.parquet"),
            ("flush", "lake"),
            ("flush", f"lake/{kind}"),
            ("rename to", f"lake/{kind}/batch_id=x/x.parquet"),
            ("flush", f"lake/{kind}/batch_id=x"),
        )
    ]
    manifest = [
        ("flush", "lake"),
        ("flush", "lake/commits/.x.json.tmp"),
        ("rename to", "lake/commits/x.json"),
        ("flush", "lake/commits"),
    ]
    assert [entry for entry in order if entry[1].startswith("lake")] == rows + manifest


@pytest.mark.fault(25)
def test_what_is_published_is_flushed_before_it_takes_its_name(
    tmp_path: Path, order: list[tuple[str, str]]
) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 3)

    publish(settings, ["fct_events"])
    write_report_file(Home(settings.home).serving.snapshot.with_name("report.md"), "text")

    assert order == [
        # While the file has not got its name, the record is of none.
        ("flush", "serving/..publication.json.tmp"),
        ("rename to", "serving/.publication.json"),
        ("flush", "serving"),
        ("flush", "serving/.sequen.duckdb.tmp"),
        ("rename to", "serving/sequen.duckdb"),
        ("flush", "serving"),
        ("flush", "serving/.report.md.tmp"),
        ("rename to", "serving/report.md"),
        ("flush", "serving"),
    ]


@pytest.mark.fault(25)
def test_training_set_is_flushed_before_it_takes_its_name(
    tmp_path: Path, order: list[tuple[str, str]]
) -> None:
    settings = settings_of(tmp_path)
    write_snapshot(settings)

    write_set(settings)

    folder = "serving/training"
    assert order == [
        ("flush", "serving"),
        ("flush", folder),
        ("flush", f"{folder}/impressions/.part.parquet.tmp"),
        ("rename to", f"{folder}/impressions/2025-07-14.test.x.parquet"),
        ("flush", f"{folder}/impressions"),
        ("flush", f"{folder}/.manifest.json.tmp"),
        ("rename to", f"{folder}/manifest.json"),
        ("flush", folder),
    ]


@pytest.mark.fault(25)
def test_no_file_at_a_location_is_written_or_removed(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    before = (target.read_bytes(), target.stat().st_mtime_ns, target.stat().st_ino)

    drain(settings)
    load_commits(settings)

    assert list(target.parent.iterdir()) == [target]
    assert (target.read_bytes(), target.stat().st_mtime_ns, target.stat().st_ino) == before


@pytest.mark.fault(23)
def test_load_that_fails_after_its_commit_has_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    from sequen_dagster.marts import warehouse as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "fail_point", failing_at("marts.loaded"))
        with pytest.raises(ConnectionError):
            load_commits(settings)

    assert load_commits(settings) == Loaded()
    with connect(settings) as warehouse:
        assert warehouse.execute("select id from raw.events").fetchall() == [("e1",)]
        assert warehouse.execute("select count(*) from raw.affected_batches").fetchone() == (1,)


@pytest.mark.fault(23)
def test_load_that_fails_before_its_commit_has_done_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)
    from sequen_dagster.marts import warehouse as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "fail_point", failing_at("marts.rows_loaded"))
        with pytest.raises(ConnectionError):
            load_commits(settings)

    assert load_commits(settings) == Loaded(commits=1, batches=1, events=1)


@pytest.mark.fault(23)
def test_commit_that_fails_after_it_was_written_has_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    from sequen_dagster.home import durable as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "fail_point", failing_at("lake.committed"))
        with pytest.raises(ConnectionError):
            drain(settings)

    assert drain(settings).commits == ()
    (commit,) = read_commits(lake_of(settings))
    assert isinstance(commit, Commit)
    assert [batch.path for batch in commit.batches] == ["a.jsonl"]


def failing_at(place: str) -> Any:
    def fail(name: str, path: str = "") -> None:
        if name == place:
            raise ConnectionError(path)

    return fail


def test_engine_errors_other_than_of_the_disk_stay_as_they_are(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()

    with pytest.raises(duckdb.CatalogException), connect(settings) as warehouse:
        warehouse.execute("from no_such_table")
