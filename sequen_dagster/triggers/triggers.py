"""Triggers: new export files start a drain, a drain starts the marts, a day starts everything."""

from typing import Any, Final

import dagster as dg

from sequen_dagster.lake.assets import QUARANTINED_EVENTS, VALIDATED_EVENTS
from sequen_dagster.marts.checks import EQUALS_A_FULL_REFRESH
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.new_files import DRAIN_JOB, build_new_files_sensor

FULL_JOB: Final = "sequen_run"
VERIFY_JOB: Final = "sequen_verify"


def build_jobs() -> list[Any]:  # Any: Dagster has no public name for an asset job
    """Jobs: take in files, do everything from files to reports, prove that the tables are right."""
    return [
        dg.define_asset_job(
            DRAIN_JOB,
            selection=dg.AssetSelection.assets(VALIDATED_EVENTS, QUARANTINED_EVENTS),
            description="Judge every pending export file and commit what it holds.",
        ),
        dg.define_asset_job(
            FULL_JOB,
            selection=dg.AssetSelection.all() - dg.AssetSelection.checks(EQUALS_A_FULL_REFRESH),
            description="The whole pipeline: exports to tables, report and published snapshot.",
        ),
        dg.define_asset_job(
            VERIFY_JOB,
            selection=dg.AssetSelection.checks(EQUALS_A_FULL_REFRESH),
            description="Rebuild all tables elsewhere and compare them with those that stand.",
        ),
    ]


def build_sensors(settings: SequenSettings) -> list[dg.SensorDefinition]:
    """The sensor that sees new files, and the one that evaluates automation conditions.

    Dagster's own automation sensor is stopped until a person switches it on, so that ours comes
    along with the state that `sensors` asks for.
    """
    status = dg.DefaultSensorStatus.RUNNING if settings.sensors else dg.DefaultSensorStatus.STOPPED
    new_exports = build_new_files_sensor(settings, status)
    automation = dg.AutomationConditionSensorDefinition(
        name="sequen_automation",
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=settings.tick_seconds,
        default_status=status,
        description="Builds marts and reports after new commits in the lake.",
    )
    return [new_exports, automation]


def build_schedules(settings: SequenSettings) -> list[dg.ScheduleDefinition]:
    """A daily run of everything, as a safety net."""
    hour, minute = settings.daily_at.split(":")
    is_on = settings.sensors
    return [
        dg.ScheduleDefinition(
            name="sequen_daily",
            job_name=FULL_JOB,
            cron_schedule=f"{int(minute)} {int(hour)} * * *",
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING
            if is_on
            else dg.DefaultScheduleStatus.STOPPED,
            description="The whole pipeline once a day, whatever the sensors have done.",
        )
    ]
