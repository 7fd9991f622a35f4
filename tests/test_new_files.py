import json
import os
import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import ExportsError, HomeError
from sequen_dagster.lake.commits import current_batches
from sequen_dagster.lake.ledger_file import connect_ledger
from sequen_dagster.settings import SequenSettings, Source, load_settings
from support.builders import RECEIVED_AT, event
from support.homes import set_modified_at, settings_of, write_events, write_text
from support.lake import drain, home_of, lake_of, ledger_of, pending_files
from support.sensing import Daemon


def daemon_of(tmp_path: Path, **overrides: object) -> Daemon:
    return Daemon(settings_of(tmp_path, **{"quiet_seconds": 0, **overrides}))


def committed(settings: SequenSettings) -> list[str]:
    return [batch.path for batch in current_batches(lake_of(settings))]


def started(daemon: Daemon) -> str:
    """The file group of the one run that two ticks start."""
    (file_group,) = [*daemon.tick(), *daemon.tick()]
    return file_group


def test_tick_without_files_says_so(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)

    assert daemon.tick() == []
    place = daemon.settings.sources[0].exports
    assert daemon.message.startswith(
        "No file is new. 0 files seen. default: no export file was found in "
        f"{str(place)!r}. Looked for * (`include`), but not for .*, _SUCCESS, "
    )


def test_tick_says_what_is_passed_over(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    for path in ("a.jsonl", "README.md", "raw/b.tmp", "raw/c.tmp"):
        write_events(daemon.settings, path, event())
    daemon.tick()
    passed_over = "Passed over 3 files: 1 by *.md ('README.md'), 2 by *.tmp ('raw/b.tmp')."
    assert daemon.message.endswith(f"default: 1 file. {passed_over}")

    sensor = daemon.sensor()
    with dg.build_sensor_context(instance=daemon.instance) as context:
        result = sensor(context)

    assert isinstance(result, dg.SensorResult)
    (observation,) = result.asset_events
    assert observation.metadata["files_passed_over"].value == 3
    assert observation.metadata["passed_over"].value == {"default": {"*.md": 1, "*.tmp": 2}}


def test_files_are_requested_once_they_are_stable(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    write_events(daemon.settings, "a.jsonl", event())

    assert daemon.evaluate() == []
    assert daemon.message == "1 file seen: 1 arriving or not stable yet: 'a.jsonl'."
    (request,) = daemon.evaluate()

    file_group = request.run_key
    assert request.tags == {"sequen/file_group": file_group, "sequen/run": "ingest 1 file"}
    assert request.run_config == {}
    assert len(file_group or "") == 16


def test_tick_observes_the_location(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    size = write_events(daemon.settings, "a.jsonl", event()).stat().st_size
    daemon.evaluate()

    sensor = daemon.sensor()
    with dg.build_sensor_context(instance=daemon.instance) as context:
        result = sensor(context)

    assert isinstance(result, dg.SensorResult)
    (observation,) = result.asset_events
    # Of an observation alone, the graph would say that it was never materialized.
    assert isinstance(observation, dg.AssetMaterialization)
    shown = {name: value.value for name, value in observation.metadata.items()}
    assert shown == {
        "files": 1, "bytes": size, "newest": "2025-07-20T12:00:00",
        "files_requested": 1, "bytes_requested": size,
    }  # fmt: skip


@pytest.mark.fault(1)
def test_file_that_grows_from_tick_to_tick_is_loaded_once_and_whole(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    lines = ""
    for number in range(5):
        lines += json.dumps(event(id=f"e{number}")) + "\n"
        set_modified_at(
            write_text(daemon.settings, "a.jsonl", lines), RECEIVED_AT + timedelta(seconds=number)
        )
        assert daemon.tick() == []

    drained = daemon.work(*daemon.tick())

    assert drained.record_counts.accepted == 5
    assert [batch.version for batch in drained.batches] == [1]


@pytest.mark.fault(7)
@pytest.mark.parametrize("offset", [timedelta(days=-9999), timedelta(days=9999)])
def test_time_of_a_file_does_not_shorten_its_quiet_period(
    tmp_path: Path, offset: timedelta
) -> None:
    daemon = daemon_of(tmp_path)
    set_modified_at(write_events(daemon.settings, "a.jsonl", event()), utc_now() + offset)

    assert daemon.work(started(daemon)).record_counts.records_read == 1


@pytest.mark.fault(7)
def test_clock_that_is_set_back_keeps_no_file_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemon_of(tmp_path, quiet_seconds=10)
    write_events(daemon.settings, "a.jsonl", event())
    now = utc_now()

    def at(moment: timedelta) -> list[str]:
        for module in ("lake.ledger", "triggers.new_files"):
            monkeypatch.setattr(f"sequen_dagster.{module}.utc_now", lambda: now + moment)
        return daemon.tick()

    assert at(timedelta(days=30)) == []
    assert at(timedelta(0)) == []
    assert len(at(timedelta(seconds=10))) == 1


@pytest.mark.fault(28)
@pytest.mark.fault(30)
@pytest.mark.parametrize("cursor", [None, "", "garbage", '{"files": 7}'])
def test_evaluated_twice_with_any_cursor_it_is_the_same_request(
    tmp_path: Path, cursor: str | None
) -> None:
    daemon = daemon_of(tmp_path)
    write_events(daemon.settings, "a.jsonl", event())
    daemon.evaluate()

    first, second = daemon.evaluate(cursor), daemon.evaluate(cursor)

    assert len(first) == 1
    assert first == second


@pytest.mark.fault(28)
def test_lost_request_is_repeated_with_that_of_a_new_file(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    write_events(daemon.settings, "b.jsonl", event())
    daemon.evaluate()
    (lost,) = daemon.evaluate()
    write_events(daemon.settings, "a.jsonl", event(id="e2"))
    daemon.evaluate()

    again, new = daemon.evaluate()

    assert again == lost
    assert new.run_key != lost.run_key


def test_files_under_way_are_not_asked_for_again(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    write_events(daemon.settings, "a.jsonl", event())
    first = started(daemon)
    write_events(daemon.settings, "b.jsonl", event(id="e2"))

    assert daemon.tick() == []
    assert "1 being taken in: 'a.jsonl'" in daemon.message
    (second,) = daemon.tick()
    assert daemon.tick() == []

    assert [batch.path for batch in daemon.work(second).batches] == ["b.jsonl"]
    assert [batch.path for batch in daemon.work(first).batches] == ["a.jsonl"]
    assert daemon.tick() == []
    assert daemon.message == "No file is new. 2 files seen."


@pytest.mark.fault(29)
@pytest.mark.parametrize("status", ["FAILURE", "CANCELED", "SUCCESS"])
def test_files_of_a_run_that_did_nothing_are_requested_under_another_key(
    tmp_path: Path, status: str
) -> None:
    daemon = daemon_of(tmp_path)
    write_events(daemon.settings, "a.jsonl", event())
    first = started(daemon)
    daemon.set_status(first, dg.DagsterRunStatus[status])

    (second,) = daemon.tick()

    assert second != first
    assert daemon.work(second).record_counts.accepted == 1
    assert daemon.tick() == []


@pytest.mark.fault(31)
def test_lost_ledger_asks_for_what_is_missing_even_under_used_keys(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    write_events(daemon.settings, "a.jsonl", event())
    daemon.set_status(started(daemon), dg.DagsterRunStatus.FAILURE)
    for part in daemon.settings.home.glob("ledger.sqlite*"):
        part.unlink()

    # Two polls, a request under the old key, which starts nothing, and one under a new key.
    ticks = [daemon.tick() for _ in range(3)]

    assert [len(tick) for tick in ticks] == [0, 0, 1]
    assert daemon.work(*ticks[-1]).record_counts.accepted == 1


@pytest.mark.fault(17)
def test_file_that_fails_is_tried_again_then_dead_lettered_and_blocks_no_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = daemon_of(tmp_path, max_attempts=2, retry_seconds=0)
    write_events(daemon.settings, "a.jsonl", event())
    write_events(daemon.settings, "b.jsonl", event(id="e2"))
    from sequen_dagster.lake import ingest as module

    ingest = module.ingest_file

    def refuse(file: object, *given: object, **named: object) -> object:
        if file.path == "a.jsonl":  # type: ignore[attr-defined]
            raise OSError(5, "Input/output error")
        return ingest(file, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "ingest_file", refuse)
    first = daemon.work(started(daemon))
    second = daemon.work(*daemon.tick())
    third = daemon.tick()

    assert [batch.path for batch in first.batches] == ["b.jsonl"]
    assert [one.reason for one in (*first.failures, *second.failures)] == [
        "OSError: Input/output error Attempt 1 of 2.",
        "OSError: Input/output error It is dead-lettered now.",
    ]
    assert third == []
    assert daemon.message == (
        "2 files seen: 1 dead-lettered until they change: 'a.jsonl' (OSError: Input/output error)."
    )
    monkeypatch.setattr(module, "ingest_file", ingest)
    write_events(daemon.settings, "a.jsonl", event(note="fixed"))
    assert daemon.work(started(daemon)).record_counts.accepted == 1


def test_file_that_a_run_died_over_waits_before_it_is_tried_again(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path, retry_seconds=600)
    write_events(daemon.settings, "a.jsonl", event())
    first = started(daemon)
    ledger = ledger_of(daemon.settings)
    ledger.mark_begun(pending_files(daemon.settings))
    daemon.set_status(first, dg.DagsterRunStatus.FAILURE)

    assert daemon.tick() == []
    assert "1 waiting for their next try: 'a.jsonl' (the run that read it" in daemon.message


@pytest.mark.fault(8)
def test_name_that_sorts_before_all_others_may_come_last(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    write_events(daemon.settings, "2026-01-02.jsonl", event())
    daemon.work(started(daemon))
    write_events(daemon.settings, "2026-01-01.jsonl", event(id="e2"))

    assert [batch.path for batch in daemon.work(started(daemon)).batches] == ["2026-01-01.jsonl"]


@pytest.mark.fault(2)
def test_file_that_grows_later_is_loaded_as_its_next_version(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    for size in (1, 2):
        write_events(
            daemon.settings, "a.jsonl", *(event(id=f"e{number}") for number in range(size))
        )
        (batch,) = daemon.work(started(daemon)).batches
        assert (batch.version, batch.record_counts.accepted) == (size, size)


@pytest.mark.fault(32)
def test_missing_location_does_not_hold_back_the_others(tmp_path: Path) -> None:
    for name in ("web", "app"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jsonl").write_text(json.dumps(event(id=name)) + "\n")
    settings = load_settings(
        tmp_path,
        quiet_seconds=0,
        sources=[Source(name=name, exports=tmp_path / name) for name in ("web", "app", "gone")],
    )
    daemon = Daemon(settings)

    # Where there is nothing to ask for, the tick fails: a skipped one is not looked at.
    with pytest.raises(ExportsError, match="2 arriving or not stable yet") as caught:
        daemon.tick()
    assert str(caught.value).startswith(f"Location {str(tmp_path / 'gone')!r} of source 'gone'")
    (file_group,) = daemon.tick()
    assert len(ledger_of(settings).requested_keys(file_group)) == 2


def test_damaged_home_is_reported_in_the_tick(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    home_of(daemon.settings).make()
    (daemon.settings.home / "ledger.sqlite").write_bytes(b"garbage" * 1000)

    with pytest.raises(HomeError, match="doctor --rebuild"):
        daemon.tick()


@pytest.mark.slow
def test_burst_makes_as_many_runs_as_are_allowed_and_no_file_is_in_two(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path, run_files=4, runs_per_tick=2)
    for number in range(10):
        write_events(daemon.settings, f"{number}.jsonl", event(id=f"e{number}"))
    daemon.tick()

    batches = []
    while file_groups := daemon.tick():
        assert len(file_groups) <= 2
        for file_group in file_groups:
            batches += [batch.path for batch in daemon.work(file_group).batches]

    assert sorted(batches) == [f"{number}.jsonl" for number in range(10)]


def test_success_marker_lets_files_in_at_the_first_tick(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    source = Source(exports=tmp_path / "out", complete_when="success_marker")
    daemon = Daemon(load_settings(tmp_path, sources=[source]))
    (tmp_path / "out" / "a.jsonl").write_text(json.dumps(event()) + "\n")
    assert [daemon.tick(), daemon.tick()] == [[], []]

    (tmp_path / "out" / "_SUCCESS").touch()

    assert daemon.work(*daemon.tick()).record_counts.accepted == 1


@pytest.mark.fault(11)
def test_pipes_links_and_folders_are_never_asked_for(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    exports = daemon.settings.sources[0].exports
    os.mkfifo(exports / "pipe.jsonl")
    (exports / "link.jsonl").symlink_to("/etc/passwd")
    (exports / "folder.jsonl").mkdir()

    assert [daemon.tick(), daemon.tick()] == [[], []]
    assert daemon.message.endswith(
        "Passed over 2 files: 1 symbolic link ('link.jsonl'; `follow_links` reads them), "
        "1 pipe, socket or device ('pipe.jsonl')."
    )


def test_what_a_person_has_taken_in_is_not_asked_for(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    write_events(daemon.settings, "a.jsonl", event())
    drain(daemon.settings)

    assert [daemon.tick(), daemon.tick()] == [[], []]
    assert committed(daemon.settings) == ["a.jsonl"]


@pytest.mark.slow
@pytest.mark.fault(40)
def test_poll_of_a_hundred_thousand_files_fits_a_tick(tmp_path: Path) -> None:
    daemon = daemon_of(tmp_path)
    exports = daemon.settings.sources[0].exports
    for number in range(100_000):
        folder = exports / f"day={number % 100}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number:06}.jsonl").write_bytes(b"{}\n")

    def seconds() -> float:
        started = time.perf_counter()
        daemon.evaluate()
        return time.perf_counter() - started

    # Dagster ends an evaluation after 60 s.
    assert max(seconds(), seconds()) < 50
    with connect_ledger(home_of(daemon.settings).ledger) as ledger:
        ledger.execute(
            "update file_versions set state = 'committed', version = 1, file_group = null"
        )
    assert seconds() < 25
    assert daemon.message == "No file is new. 100,000 files seen."
