"""Triggers: new export files start a drain, a drain starts the marts, a day starts everything.

The jobs that a person starts come with the config that they are for, so that the launchpad shows
what there is to change.
"""

from functools import partial
from typing import Any

import dagster as dg

from sequen_dagster.graph import Graph
from sequen_dagster.lake.config import LakeConfig
from sequen_dagster.lake.drain import Intake
from sequen_dagster.lake.requests import RequestRules
from sequen_dagster.marts.checks import EQUALS_A_FULL_REFRESH
from sequen_dagster.marts.config import MartsConfig
from sequen_dagster.names import Names
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.failures import Hook, build_failure_sensor
from sequen_dagster.triggers.new_files import build_new_files_sensor


def build_jobs(
    graph: Graph, assets: dg.AssetSelection, *, executor: dg.ExecutorDefinition | None
) -> list[Any]:
    """Jobs: files in, everything, files once more, tables from nothing, proof that they are right.

    Args:
        graph: the assets.
        assets: those that runs make; definitions that are merged with ours have others.
        executor: runs the steps; that of the code location where it is None.
    """
    names = graph.names
    lake = dg.AssetSelection.assets(
        graph.key(names.validated_events), graph.key(names.quarantined_records)
    )
    proof = dg.AssetCheckKey(graph.key(names.warehouse), EQUALS_A_FULL_REFRESH)
    define_job = partial(dg.define_asset_job, executor_def=executor)
    # Any: Dagster has no public name for an asset job.
    return [
        define_job(
            names.drain_job,
            selection=lake,
            description="Validate every pending export file and commit what it holds.",
        ),
        define_job(
            names.run_job,
            selection=assets,
            description="The whole pipeline: exports to tables, report and published snapshot.",
        ),
        define_job(
            names.replay_job,
            selection=assets,
            config=_config_of(names.lake_op, LakeConfig(replay_stale=True)),
            description=(
                "Validate files again that were taken in before, then build and publish. Launched "
                "as it stands, it takes those that other rules than today's have validated. In "
                "the launchpad, choose others by day of arrival (`replay_since`, `replay_until`), "
                "by path (`replay_paths`), or by their quarantined records; set `replay_stale` to "
                "false to have them whatever their rules were. Files that are gone or have "
                "changed since are named in the log and left."
            ),
        ),
        define_job(
            names.rebuild_job,
            selection=assets - lake,
            config=_config_of(names.marts_op, MartsConfig(full_refresh=True)),
            description=(
                "Build all tables from nothing, from what the lake holds, and publish them. They "
                "come out the same: it is for a warehouse that was damaged or lost."
            ),
        ),
        define_job(
            names.verify_job,
            selection=dg.AssetSelection.checks(proof),
            description="Rebuild all tables elsewhere and compare them with the actual ones.",
        ),
    ]


def _config_of(op: str, config: dg.Config) -> dict[str, Any]:  # Any: what Dagster takes
    """The config of a run, every field of the op with its value, so that they can be seen."""
    return {"ops": {op: {"config": config.model_dump()}}}


def build_sensors(
    settings: SequenSettings,
    graph: Graph,
    assets: dg.AssetSelection,
    *,
    on_run_failure: Hook | None = None,
) -> list[dg.SensorDefinition]:
    """The sensors: for new files, for automation conditions, for runs that fail.

    Dagster's own automation sensor is stopped until a person switches it on, so that ours comes
    along with the state that `sensors` asks for.

    Args:
        settings: intervals, and whether sensors start switched on.
        graph: the assets.
        assets: those that runs make.
        on_run_failure: called with the facts of every run of ours that fails.
    """
    names = graph.names
    status = dg.DefaultSensorStatus.RUNNING if settings.sensors else dg.DefaultSensorStatus.STOPPED
    automation = dg.AutomationConditionSensorDefinition(
        name=names.automation_sensor,
        target=assets,
        minimum_interval_seconds=settings.tick_seconds,
        default_status=status,
        # A run that only publishes says so itself.
        run_tags={names.automation_tag: "true", names.run_tag: "build"},
        description="Builds the tables after new commits in the lake, and publishes them.",
    )
    return [
        build_new_files_sensor(
            Intake.of(settings),
            RequestRules.of(settings),
            graph,
            tick_seconds=settings.tick_seconds,
            status=status,
        ),
        automation,
        build_failure_sensor(
            settings.failure_webhook,
            names,
            tick_seconds=settings.tick_seconds,
            status=status,
            hook=on_run_failure,
        ),
    ]


def build_schedules(settings: SequenSettings, names: Names) -> list[dg.ScheduleDefinition]:
    """A daily run of everything, as a safety net; dbt's tests look at whole tables in it.

    Args:
        settings: when, and whether it starts switched on.
        names: of the pipeline.
    """
    hour, minute = settings.daily_at.split(":")
    is_on = settings.sensors
    return [
        dg.ScheduleDefinition(
            name=names.daily_schedule,
            job_name=names.run_job,
            cron_schedule=f"{int(minute)} {int(hour)} * * *",
            execution_timezone="UTC",
            run_config=_config_of(names.marts_op, MartsConfig(test_whole_tables=True)),
            tags={names.only_stable_tag: "true", names.run_tag: "daily run"},
            default_status=dg.DefaultScheduleStatus.RUNNING
            if is_on
            else dg.DefaultScheduleStatus.STOPPED,
            description="The whole pipeline once a day, whatever the sensors have done.",
        )
    ]
