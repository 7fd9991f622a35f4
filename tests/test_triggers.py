from pathlib import Path

import dagster as dg
import pytest

from homes import event, settings_of, write_events
from sequen_dagster.lake.assets import QUARANTINED_EVENTS, VALIDATED_EVENTS, build_lake_assets
from sequen_dagster.lake.drain import drain
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.triggers import DRAIN_JOB, build_schedules, build_sensors


def tick(settings: SequenSettings, instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    sensor = build_sensors(settings)[0]
    with dg.build_sensor_context(instance=instance) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def reason(result: dg.SensorResult | dg.SkipReason) -> str:
    assert isinstance(result, dg.SkipReason)
    return result.skip_message or ""


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def test_tick_without_files_says_so(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    assert reason(tick(settings_of(tmp_path), instance)) == "No file is new."


def test_tick_without_the_exports_place_says_so(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    settings = settings_of(tmp_path)
    settings.sources[0].exports.rmdir()

    assert "is no folder" in reason(tick(settings, instance))


def test_files_start_a_run_once_they_rest(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())

    first, second = tick(settings, instance), tick(settings, instance)

    assert reason(first) == "1 file first seen now; waiting until all rest."
    assert isinstance(second, dg.SensorResult)
    assert second.run_requests is not None
    assert len(second.run_requests) == 1
    (observation,) = second.asset_events
    assert observation.metadata["files"].value == 1


def test_file_that_still_grows_is_waited_for(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = settings_of(tmp_path)
    for size in (1, 2, 3):
        write_events(settings, "a.jsonl", *(event(id=f"e{number}") for number in range(size)))

        assert "waiting until all rest" in reason(tick(settings, instance))


def test_two_ticks_ask_for_the_same_run(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    tick(settings, instance)

    keys = set()
    for _ in range(2):
        result = tick(settings, instance)
        assert isinstance(result, dg.SensorResult)
        keys |= {request.run_key for request in result.run_requests or ()}

    assert len(keys) == 1


def test_committed_files_start_nothing(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event())
    drain(settings)

    assert reason(tick(settings, instance)) == "No file is new."


def test_the_requested_job_drains(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(), event(id="e2", uid=None))
    defs = dg.Definitions(
        assets=[build_lake_assets(settings)],
        jobs=[
            dg.define_asset_job(
                DRAIN_JOB,
                selection=dg.AssetSelection.assets(VALIDATED_EVENTS, QUARANTINED_EVENTS),
            )
        ],
    )

    result = defs.resolve_job_def(DRAIN_JOB).execute_in_process(instance=instance)

    (accepted,) = result.asset_materializations_for_node("lake")[:1]
    assert accepted.metadata["accepted"].value == 1
    assert accepted.metadata["quarantined"].value == 1
    checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert checks == {"files_read": True, "books_balance": True, "accepted_share": False}
    assert reason(tick(settings, instance)) == "No file is new."


@pytest.mark.parametrize(("is_on", "status"), [(True, "RUNNING"), (False, "STOPPED")])
def test_sensors_and_schedule_start_as_set(tmp_path: Path, is_on: bool, status: str) -> None:
    settings = settings_of(tmp_path, sensors=is_on)

    for sensor in build_sensors(settings):
        assert sensor.default_status.name == status
    for schedule in build_schedules(settings):
        assert schedule.default_status.name == status
        assert schedule.cron_schedule == "0 4 * * *"
