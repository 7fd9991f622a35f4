"""Triggers: new export files start a drain, a drain starts the marts, a day starts everything."""

from collections.abc import Callable
from typing import Any, Final

import dagster as dg

from sequen_dagster.errors import ExportsError
from sequen_dagster.exports.assets import RAW_EVENTS
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.lake.assets import QUARANTINED_EVENTS, VALIDATED_EVENTS
from sequen_dagster.lake.drain import pending_files
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.marts.checks import EQUALS_A_FULL_REFRESH
from sequen_dagster.settings import SequenSettings, fingerprint
from sequen_dagster.wording import counted

DRAIN_JOB: Final = "sequen_drain"
FULL_JOB: Final = "sequen_run"
VERIFY_JOB: Final = "sequen_verify"
_TICK_SECONDS: Final = 30


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
    new_exports = dg.SensorDefinition(
        name="sequen_new_exports",
        job_name=DRAIN_JOB,
        evaluation_fn=_new_exports(settings),
        minimum_interval_seconds=_TICK_SECONDS,
        default_status=status,
        description="Starts a drain when files have arrived and rest.",
    )
    automation = dg.AutomationConditionSensorDefinition(
        name="sequen_automation",
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=_TICK_SECONDS,
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


def _new_exports(
    settings: SequenSettings,
) -> Callable[[dg.SensorEvaluationContext], dg.SensorResult | dg.SkipReason]:
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            pending = pending_files(settings)
        except ExportsError as error:
            return dg.SkipReason(str(error))
        if not pending:
            return dg.SkipReason("No file is new.")
        busy = context.instance.get_runs(
            dg.RunsFilter(
                job_name=DRAIN_JOB,
                statuses=[
                    dg.DagsterRunStatus.QUEUED,
                    dg.DagsterRunStatus.NOT_STARTED,
                    dg.DagsterRunStatus.STARTING,
                    dg.DagsterRunStatus.STARTED,
                ],
            ),
            limit=1,
        )
        if busy:
            return dg.SkipReason(
                f"A drain is running; {counted(len(pending), 'file')} to follow it."
            )
        # A file that is still being written looks different from tick to tick.
        resting = Ledger(settings.home).see(pending)
        if len(resting) < len(pending):
            new = len(pending) - len(resting)
            return dg.SkipReason(f"{counted(new, 'file')} first seen now; waiting until all rest.")
        return _request(context, pending)

    return evaluate


def _request(context: dg.SensorEvaluationContext, pending: list[ExportFile]) -> dg.SensorResult:
    last = context.instance.get_runs(dg.RunsFilter(job_name=DRAIN_JOB), limit=1)
    # The last run is part of the key: a file that failed comes back, one tick asks only once.
    key = fingerprint(
        {
            "files": [[file.source, file.path, str(file.modified_at)] for file in pending],
            "after": last[0].run_id if last else "",
        }
    )
    newest = max(file.modified_at for file in pending)
    observation = dg.AssetObservation(
        RAW_EVENTS,
        metadata={
            "files": len(pending),
            "bytes": sum(file.size_bytes for file in pending),
            "newest": newest.isoformat(),
        },
    )
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key)], asset_events=[observation])
