from pathlib import Path

import pytest

from homes import event, settings_of, write_events, write_text
from sequen_dagster.lake.commits import Books, read_commits
from sequen_dagster.lake.drain import drain
from sequen_dagster.settings import Source, load_settings


def test_drain_commits_many_files_at_once(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    for number in range(5):
        write_events(settings, f"{number}.jsonl", event(id=f"e{number}"))

    drained = drain(settings, run_id="run-1")

    assert len(drained.commits) == 1
    assert drained.books == Books(records_read=5, accepted=5)
    assert list(read_commits(settings.home / "lake")) == list(drained.commits)


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

    assert drained.books == Books(records_read=3, accepted=2, quarantined=1)
    assert drained.failures == ()


def test_unreadable_file_fails_alone_and_loads_later(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    locked = write_events(settings, "b.jsonl", event(id="e2"))
    moved = locked.rename(tmp_path / "away.jsonl")
    from sequen_dagster.lake import drain as module

    def vanish(*_: object) -> list[object]:
        return [*found, gone]

    moved.rename(locked)
    found_all = module.pending_files(settings)
    found, gone = found_all[:1], found_all[1]
    locked.rename(tmp_path / "away.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "pending_files", vanish)
        drained = drain(settings)

    assert [(one.path, "vanished" in one.reason) for one in drained.failures] == [("b.jsonl", True)]
    assert [batch.path for batch in drained.batches] == ["a.jsonl"]
    moved.rename(locked)
    assert [batch.path for batch in drain(settings).batches] == ["b.jsonl"]


@pytest.mark.bad_input(36)
def test_failures_do_not_name_places_of_the_machine(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    target = write_events(settings, "a.jsonl", event())
    from sequen_dagster.lake import workers as module

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(target))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ingest_file", refuse)
        (failure,) = drain(settings).failures

    assert failure.reason == "PermissionError: Permission denied Attempt 1 of 3."


def test_worker_processes_give_the_same_commit(tmp_path: Path) -> None:
    here = settings_of(tmp_path)
    for number in range(3):
        events = [event(id=f"{number}-{one}", note="x" * 900) for one in range(2_000)]
        write_events(here, f"{number}.jsonl", *events)
    there = here.model_copy(update={"home": tmp_path / "other", "workers": 2})

    alone, together = drain(here), drain(there)

    assert together.books == alone.books == Books(records_read=6_000, accepted=6_000)
    assert together.commits[0].commit_id == alone.commits[0].commit_id


def test_sources_of_a_home_are_told_apart(tmp_path: Path) -> None:
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


def test_progress_is_told_file_by_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    write_events(settings, "b.jsonl", event(id="e2"))
    told: list[tuple[int, int, str]] = []

    drain(settings, progress=lambda *facts: told.append(facts))

    assert told == [(1, 2, "a.jsonl"), (2, 2, "b.jsonl")]
