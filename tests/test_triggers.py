from pathlib import Path

import dagster as dg
import pytest

from homes import event, settings_of, write_events
from sequen_dagster.lake.assets import QUARANTINED_EVENTS, VALIDATED_EVENTS, build_lake_assets
from sequen_dagster.lake.drain import pending_files
from sequen_dagster.triggers.new_files import DRAIN_JOB
from sequen_dagster.triggers.triggers import build_schedules, build_sensors


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


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
    assert pending_files(settings) == []


@pytest.mark.parametrize(("is_on", "status"), [(True, "RUNNING"), (False, "STOPPED")])
def test_sensors_and_schedule_start_as_set(tmp_path: Path, is_on: bool, status: str) -> None:
    settings = settings_of(tmp_path, sensors=is_on)

    for sensor in build_sensors(settings):
        assert sensor.default_status.name == status
    for schedule in build_schedules(settings):
        assert schedule.default_status.name == status
        assert schedule.cron_schedule == "0 4 * * *"
