import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from sequen_dagster.exports import readers
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.lake import ingest as module
from sequen_dagster.lake.commits import Batch, RecordCounts, read_commits
from sequen_dagster.lake.drain import Order
from sequen_dagster.runtime.progress import counting_records
from sequen_dagster.settings import Source, load_settings
from support.builders import event
from support.homes import settings_of, write_events, write_text
from support.lake import drain, lake_of, ledger_of, pending_files

NO_ERASURES = 65534


def test_drain_commits_many_files_at_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for number in range(5):
        write_events(settings, f"{number}.jsonl", event(id=f"e{number}"))

    drained = drain(settings, run_id="run-1")

    assert len(drained.commits) == 1
    assert drained.record_counts == RecordCounts(records_read=5, accepted=5)
    assert list(read_commits(lake_of(settings))) == list(drained.commits)


def test_drain_again_finds_nothing(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)

    assert drain(settings).commits == ()


def test_commit_takes_at_most_run_bytes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, run_bytes=1)
    write_events(settings, "a.jsonl", event())
    write_events(settings, "b.jsonl", event(id="e2"))

    drained = drain(settings)

    assert [len(commit.batches) for commit in drained.commits] == [1, 1]


def test_new_version_counts_up(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    versions = []
    for events in ([event()], [event(), event(id="e2")], [event()]):
        write_events(settings, "a.jsonl", *events)
        versions += [batch.version for batch in drain(settings).batches]

    assert versions == [1, 2, 3]


def test_one_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    write_text(settings, "b.zip", "PK\x03\x04 and so on")
    write_events(settings, "c.jsonl", event(id="e2"))

    drained = drain(settings)

    assert drained.record_counts == RecordCounts(records_read=3, accepted=2, quarantined=1)
    assert drained.failures == ()


def swapped_on_open(
    monkeypatch: pytest.MonkeyPatch, path: str, swap: Callable[[Path], object], *, after: bool
) -> None:
    """Have a file change at the very moment when it is opened."""
    open_for_real = readers.open_file

    def opened(file: ExportFile) -> BinaryIO:
        if file.path != path:
            return open_for_real(file)
        if not after:
            swap(Path(file.location))
        handle = open_for_real(file)
        if after:
            swap(Path(file.location))
        return handle

    monkeypatch.setattr(readers, "open_file", opened)


@pytest.mark.fault(9)
def test_file_that_vanishes_before_it_is_opened_is_left_and_loads_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, max_attempts=1)
    write_events(settings, "a.jsonl", event())
    gone = write_events(settings, "b.jsonl", event(id="e2"))
    with monkeypatch.context() as patch:
        swapped_on_open(patch, "b.jsonl", Path.unlink, after=False)
        drained = drain(settings)

    assert drained.failures == ()
    assert [(one.path, "vanished" in one.reason) for one in drained.left] == [("b.jsonl", True)]
    assert [batch.path for batch in drained.batches] == ["a.jsonl"]
    write_events(settings, gone.name, event(id="e2"))
    assert [batch.path for batch in drain(settings).batches] == ["b.jsonl"]


@pytest.mark.fault(10)
def test_file_replaced_while_it_is_read_gives_both_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    before = write_events(settings, "a.jsonl", event()).read_bytes()

    def replaced(path: Path) -> None:
        write_events(settings, "new.tmp", event(), event(id="e2")).replace(path)

    with monkeypatch.context() as patch:
        swapped_on_open(patch, "a.jsonl", replaced, after=True)
        (first,) = drain(settings).batches
    (second,) = drain(settings).batches

    assert first.file_sha256 == hashlib.sha256(before).hexdigest()
    assert (first.version, first.record_counts.accepted) == (1, 1)
    assert (second.version, second.record_counts.accepted) == (2, 2)


@pytest.mark.fault(1)
def test_file_written_to_while_it_is_read_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())

    def grown(path: Path) -> None:
        with path.open("a") as handle:
            handle.write(json.dumps(event(id="e2")) + "\n")

    with monkeypatch.context() as patch:
        swapped_on_open(patch, "a.jsonl", grown, after=True)
        drained = drain(settings)

    assert (drained.commits, drained.failures) == ((), ())
    assert [(one.path, "changed while" in one.reason) for one in drained.left] == [
        ("a.jsonl", True)
    ]
    assert drain(settings).record_counts == RecordCounts(records_read=2, accepted=2)


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder, and within the test a process, of a user whom permissions bind."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(dir=tempfile.gettempdir()) as name:
        if root:
            os.chown(name, NO_ERASURES, NO_ERASURES)
            os.seteuid(NO_ERASURES)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


@pytest.mark.fault(12)
def test_file_without_permission_fails_and_loads_once_it_may_be_read(
    unprivileged_folder: Path,
) -> None:
    settings = settings_of(unprivileged_folder, max_attempts=1)
    closed = write_events(settings, "a.jsonl", event())
    closed.chmod(0)
    (failure,) = drain(settings).failures
    assert failure.reason == (
        "PermissionError: Permission denied. Give this user the right to read it. "
        "It is dead-lettered now."
    )

    closed.chmod(0o600)

    assert drain(settings).record_counts.accepted == 1


@pytest.mark.bad_input(36)
def test_failures_do_not_name_paths_of_the_machine(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    from sequen_dagster.lake import ingest as module

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ingest_file", refuse)
        (failure,) = drain(settings).failures

    assert failure.reason == (
        "PermissionError: Permission denied. Give this user the right to read it. Attempt 1 of 3."
    )


def test_worker_processes_give_the_same_commit(tmp_path: Path) -> None:
    here = settings_of(tmp_path)
    for number in range(3):
        events = [event(id=f"{number}-{one}", note="x" * 900) for one in range(2_000)]
        write_events(here, f"{number}.jsonl", *events)
    there = here.model_copy(update={"home": tmp_path / "other", "workers": 2})

    alone, together = drain(here), drain(there)

    assert (
        together.record_counts
        == alone.record_counts
        == RecordCounts(records_read=6_000, accepted=6_000)
    )
    assert together.commits[0].commit_id == alone.commits[0].commit_id


def test_sources_of_a_home_are_distinguished(tmp_path: Path) -> None:
    for name in ("web", "app"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text('{"type":"scroll"}\n')
    settings = load_settings(
        tmp_path,
        home=tmp_path / "home",
        sources=[Source(name=name, exports=tmp_path / name) for name in ("web", "app")],
    )

    drained = drain(settings)

    assert sorted(batch.source for batch in drained.batches) == ["app", "web"]
    assert len({batch.batch_id for batch in drained.batches}) == 2


def test_progress_is_reported_file_by_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    write_events(settings, "b.jsonl", event(id="e2"))
    reported: list[tuple[int, int, str]] = []

    drain(settings, on_file=lambda *facts: reported.append(facts))

    assert reported == [(1, 2, "a.jsonl"), (2, 2, "b.jsonl")]


def test_counts_that_do_not_reconcile_fail_that_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    write_events(settings, "b.jsonl", event(id="e2"))
    ingest = module.ingest_file

    def miscounted(file: ExportFile, *given: Any, **named: Any) -> Batch:
        batch = ingest(file, *given, **named)
        more = RecordCounts(records_read=1) if file.path == "a.jsonl" else RecordCounts()
        return replace(batch, record_counts=batch.record_counts + more)

    monkeypatch.setattr(module, "ingest_file", miscounted)
    drained = drain(settings)

    assert [batch.path for batch in drained.batches] == ["b.jsonl"]
    ((path, reason),) = [(one.path, one.reason) for one in drained.failures]
    assert path == "a.jsonl"
    assert reason.startswith("ReconciliationError: The counts of 'a.jsonl' do not reconcile")


@pytest.mark.fault(1)
def test_stable_files_are_recognized_by_two_polls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, quiet_seconds=7)
    write_events(settings, "whole.jsonl", event())
    write_events(settings, "growing.jsonl", event(id="e2"))
    waits: list[float] = []

    def grown(seconds: float) -> None:
        waits.append(seconds)
        write_events(settings, "growing.jsonl", event(id="e2"), event(id=f"more {len(waits)}"))

    monkeypatch.setattr("sequen_dagster.lake.drain.time.sleep", grown)
    first = drain(settings, order=Order(is_stable=True))
    monkeypatch.setattr("sequen_dagster.lake.drain.time.sleep", waits.append)
    second = drain(settings, order=Order(is_stable=True))

    assert [batch.path for batch in first.batches] == ["whole.jsonl"]
    assert [batch.path for batch in second.batches] == ["growing.jsonl"]
    assert waits == [7, 7]


def test_files_that_a_sensor_has_found_whole_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    ledger_of(settings).observe(pending_files(settings))
    ledger_of(settings).mark_stable(pending_files(settings))
    monkeypatch.setattr("sequen_dagster.lake.drain.time.sleep", pytest.fail)

    assert drain(settings, order=Order(is_stable=True)).record_counts.accepted == 1


def test_records_are_counted_file_by_file_for_who_listens(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))
    write_events(settings, "b.jsonl", event(id="e3"))
    counts: list[int] = []

    with counting_records(counts.append):
        drain(settings)

    assert sorted(counts) == [1, 2]
