import os
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import duckdb
import filelock
import pytest
from click.testing import CliRunner, Result

from sequen_dagster.cli.main import main
from sequen_dagster.home.locks import writer_lock
from sequen_dagster.lake.tidying import (
    find_missing_rows,
    find_unreferenced_files,
    remove_unreferenced_files,
)
from sequen_dagster.names import Names
from sequen_dagster.operations.doctor import Diagnosis, examine_home, rebuild_ledger
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.instance import instance_warnings
from support.builders import event
from support.homes import settings_of, write_events
from support.lake import drain, home_of, lake_of, ledger_of, pending_files


@pytest.fixture
def settings(tmp_path: Path) -> SequenSettings:
    """A home that has taken in one file."""
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=...))
    drain(settings)
    return settings


def invoke(settings: SequenSettings, *arguments: str) -> Result:
    places = ["--home", str(settings.home), "--exports", str(settings.sources[0].exports)]
    return CliRunner().invoke(main, ["doctor", *places, *arguments])


def wrong(settings: SequenSettings, area: str) -> list[tuple[str, str]]:
    found = [one for one in examine_home(settings) if one.area == area]
    return [(one.level, one.message) for one in found if one.level != "ok"]


def age(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def test_sound_home_has_no_finding_but_good_ones(settings: SequenSettings) -> None:
    findings = examine_home(settings)

    assert [one for one in findings if one.level != "ok"] == []
    assert Diagnosis("exports", "ok", "default: 1 file, 223 bytes") in findings
    assert Diagnosis("lake", "ok", "1 commit, 1 current batch") in findings
    assert Diagnosis("ledger", "ok", "1 commit indexed, 0 to come") in findings
    assert invoke(settings).exit_code == 0


def test_doctor_changes_nothing(settings: SequenSettings) -> None:
    def state() -> dict[Path, bytes]:
        parts = (path for path in settings.home.rglob("*") if path.is_file())
        return {path: path.read_bytes() for path in parts if path.suffix != ".lock"}

    before = state()
    examine_home(settings)

    assert state() == before


def test_home_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)

    assert [one.level for one in examine_home(settings)] == ["ok"] * 3
    assert not settings.home.exists()


def test_missing_location_is_an_error(settings: SequenSettings) -> None:
    (settings.sources[0].exports / "a.jsonl").unlink()
    settings.sources[0].exports.rmdir()

    ((level, message),) = wrong(settings, "exports")
    assert (level, "is not a folder" in message) == ("error", True)
    assert invoke(settings).exit_code == 1


def test_home_open_to_others_is_reported(settings: SequenSettings) -> None:
    settings.home.chmod(0o750)

    ((level, message),) = wrong(settings, "home")
    assert (level, "chmod go=" in message) == ("warning", True)


@pytest.mark.fault(26)
def test_holder_of_a_lock_is_named(settings: SequenSettings) -> None:
    with (
        writer_lock(home_of(settings), timeout_seconds=settings.lock_timeout_seconds),
        filelock.FileLock(settings.home / "commit.lock"),
    ):
        messages = [message for _, message in wrong(settings, "home")]

    assert f"process {os.getpid()} on " in messages[0]
    assert f"In {str(settings.home)!r} a run that commits is at work" in messages[1]


@pytest.mark.fault(31)
def test_damaged_ledger_is_an_error_and_rebuilt_on_demand(settings: SequenSettings) -> None:
    ledger = settings.home / "ledger.sqlite"
    ledger.write_bytes(b"garbage" * 1000)
    ((level, message),) = wrong(settings, "ledger")
    assert (level, "doctor --rebuild" in message) == ("error", True)

    dry = invoke(settings, "--rebuild", "--dry-run")
    assert "would be rebuilt from 1 commit." in dry.output
    assert dry.exit_code == 1
    result = invoke(settings, "--rebuild")

    assert "was rebuilt from 1 commit; the old one is" in result.output.replace("\n", " ")
    assert result.exit_code == 0
    assert pending_files(settings) == []


def test_rebuilding_twice_is_harmless(settings: SequenSettings) -> None:
    first, second = rebuild_ledger(home_of(settings)), rebuild_ledger(home_of(settings))

    assert (first[1], second[1]) == (1, 1)
    assert pending_files(settings) == []


def test_lost_commits_are_an_error_until_another_says_that_they_are_meant_to_be_gone(
    settings: SequenSettings,
) -> None:
    (manifest,) = (lake_of(settings).commits).glob("*.json")
    manifest.unlink()
    ((level, message),) = wrong(settings, "ledger")
    assert (level, "lost 1 of its commits" in message) == ("error", True)

    rebuild_ledger(home_of(settings))

    assert wrong(settings, "ledger") == []
    assert [file.path for file in pending_files(settings)] == ["a.jsonl"]


def test_files_that_failed_or_are_dead_lettered_are_named(settings: SequenSettings) -> None:
    write_events(settings, "b.jsonl", event(id="e3"))
    write_events(settings, "c.jsonl", event(id="e4"))
    ledger = ledger_of(settings)
    failed, dead_lettered = pending_files(settings)
    ledger.record_failure(failed, "why", max_attempts=2)
    ledger.record_failure(dead_lettered, "why", max_attempts=1)

    assert wrong(settings, "ledger") == [
        ("warning", "1 file failed ('b.jsonl'); tried again"),
        ("warning", "1 file dead-lettered ('c.jsonl'); tried again by `replay --dead-lettered`"),
    ]


def test_lost_row_files_are_an_error(settings: SequenSettings) -> None:
    (rows,) = lake_of(settings).events.rglob("*.parquet")
    rows.unlink()

    assert find_missing_rows(lake_of(settings)) == [lake_of(settings).name_of(rows)]
    ((level, message),) = wrong(settings, "lake")
    assert (level, message[:14]) == ("error", "1 row file tha")


@pytest.mark.parametrize(("hours", "are_old"), [(23.9, False), (24.1, True)])
def test_what_killed_runs_left_is_removed_once_it_is_a_day_old(
    settings: SequenSettings, hours: float, are_old: bool
) -> None:
    lake = lake_of(settings)
    left = [
        lake.events / f"batch_id={'0' * 32}" / "0123456789abcdef.parquet",
        lake.incoming / "abc" / "events.parquet",
        lake.commits / ".abc.77.tmp",
        settings.home / "serving" / "sequen.tmp",
        settings.home / "serving" / "docs" / ".index.html.tmp",
        settings.home / "serving" / "history" / ".20250712T120000Z-0.json.tmp",
        settings.home / "serving" / "training" / ".impressions.parquet.tmp",
        settings.home / "serving" / "training" / ".spilled.tmp" / "duckdb_temp_storage",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
        age(path, hours)
        age(path.parent, hours)

    assert len(find_unreferenced_files(home_of(settings))) == (len(left) if are_old else 0)
    assert [level for level, _ in wrong(settings, "lake")] == (["warning"] if are_old else [])
    assert "would be removed" in invoke(settings, "--clean", "--dry-run").output
    assert all(path.exists() for path in left)
    assert invoke(settings, "--clean").exit_code == 0

    assert [path.exists() for path in left] == [not are_old] * len(left)
    assert find_missing_rows(lake_of(settings)) == []


def test_removing_twice_is_harmless(settings: SequenSettings) -> None:
    stray = lake_of(settings).commits / ".abc.77.tmp"
    stray.touch()
    unreferenced_files = find_unreferenced_files(home_of(settings), older_than_seconds=-1)

    remove_unreferenced_files(unreferenced_files)
    remove_unreferenced_files(unreferenced_files)

    assert [unreferenced.path for unreferenced in unreferenced_files] == [stray]
    assert find_unreferenced_files(home_of(settings), older_than_seconds=-1) == []


def test_stale_batches_are_reported(settings: SequenSettings) -> None:
    ((level, message),) = wrong(settings.model_copy(update={"max_depth": 9}), "lake")

    assert (level, "replay --stale" in message) == ("warning", True)


def test_stale_tables_are_reported(settings: SequenSettings) -> None:
    with closing(duckdb.connect(settings.home / "warehouse.duckdb")):
        pass

    assert wrong(settings, "marts") == [
        ("warning", "there are no tables of this release. The next run makes them.")
    ]


@pytest.mark.fault(42)
def test_warehouse_that_cannot_be_opened_is_an_error(settings: SequenSettings) -> None:
    (settings.home / "warehouse.duckdb").write_bytes(b"from the future" * 1000)

    ((level, message),) = wrong(settings, "marts")
    assert (level, "cannot be opened" in message) == ("error", True)


def test_instance_without_limit_and_with_a_stopped_sensor_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def switch(*, is_running: bool) -> None:
        states = [
            SimpleNamespace(instigator_name=name, is_running=is_running)
            for name in ("sequen_new_exports", "sequen_automation")
        ]
        monkeypatch.setattr(instance, "all_instigator_state", lambda: states)

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        pool, *sensors = instance_warnings(instance)
        assert "has no limit" in pool
        assert [message.partition(":")[0] for message in sensors] == [
            "sensor sequen_new_exports does not run in this instance",
            "sensor sequen_automation does not run in this instance",
        ]
        switch(is_running=True)
        instance.event_log_storage.set_concurrency_slots("sequen_warehouse_writer", 2)
        (message,) = instance_warnings(instance)
        assert "admits 2 writers" in message
        instance.event_log_storage.set_concurrency_slots("sequen_warehouse_writer", 1)
        assert instance_warnings(instance) == []
        switch(is_running=False)
        assert [message.partition(",")[0] for message in instance_warnings(instance)] == [
            "sensor sequen_new_exports is stopped",
            "sensor sequen_automation is stopped",
        ]
        # Another pipeline has others.
        assert len(instance_warnings(instance, Names("shop"))) == 3
