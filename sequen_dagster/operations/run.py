"""One run of the whole pipeline in this process, through the same definitions Dagster serves."""

import os
import uuid
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import dagster as dg

from sequen_dagster.compat.dagster_absent_checks import silent_absent_checks
from sequen_dagster.definitions import build_definitions
from sequen_dagster.errors import LockTimeoutError
from sequen_dagster.exports.assets import EXPORTS_FOUND
from sequen_dagster.home.durable import writing
from sequen_dagster.home.layout import Home
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.lake.assets import (
    LEFT_PATHS,
    NOT_REVALIDATED,
    REVALIDATED,
    UNREAD,
    UNREAD_COUNT,
)
from sequen_dagster.lake.config import LakeConfig
from sequen_dagster.lake.replay import Choice
from sequen_dagster.names import NAMES
from sequen_dagster.reports.reading import read_report
from sequen_dagster.runtime.progress import OnProgress, listening
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.failures import root_cause


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        is_success: whether every stage succeeded.
        summary: the report's numbers; empty where the run did not get that far.
        failures: what failed, one line each, without values of events.
        failed_checks: asset checks of severity error that did not pass.
        seconds_by_stage: duration of each step.
        new_files: files taken in by this run.
        revalidated: batches that were validated again, where that was asked for.
        not_revalidated: how many could not be, since their files are gone or changed.
        left_paths: the first of these, with the reason.
        unread_files: the first 20 files that this run took in and could not read as a whole, with
            the reason.
        unread_count: how many of these there are in all.
        exports_found: of each location where nothing was found, or something passed over, what
            was.
        build: how the tables were built, and why; empty where they were not.
        is_lock_timeout: whether another writer was in the way.
    """

    is_success: bool
    summary: dict[str, Any] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    failed_checks: tuple[str, ...] = ()
    seconds_by_stage: dict[str, float] = field(default_factory=dict)
    new_files: int = 0
    revalidated: int = 0
    not_revalidated: int = 0
    left_paths: tuple[str, ...] = ()
    unread_files: tuple[str, ...] = ()
    unread_count: int = 0
    exports_found: tuple[str, ...] = ()
    build: str = ""
    is_lock_timeout: bool = False


@owner_only_files()
def run_pipeline(
    settings: SequenSettings,
    *,
    full_refresh: bool = False,
    replay: Choice | None = None,
    retry_dead_lettered: bool = False,
    on_progress: Callable[[str, str], None] | None = None,
) -> RunOutcome:
    """Register, ingest, build, publish and report, once.

    Runs show up in Dagster's UI where `DAGSTER_HOME` is set; otherwise they leave no trace.

    Args:
        settings: from `load_settings`.
        full_refresh: whether to build all tables from nothing.
        replay: batches to validate again first.
        retry_dead_lettered: whether to try files again that were given up.
        on_progress: called with (stage, message) as stages begin and end, and work gets done.

    Returns:
        The outcome; a failed stage is an outcome, not an exception.
    """
    Home(settings.home).make()
    # The person at the terminal sees a failure at once, and tries again.
    at_once = settings.model_copy(update={"step_retries": 0})
    definitions = build_definitions(at_once)
    job = definitions.resolve_job_def(NAMES.run_job)
    again = LakeConfig.asking(replay or Choice(), retry_dead_lettered=retry_dead_lettered)
    run_config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "ops": {
            NAMES.lake_op: {"config": again.model_dump()},
            NAMES.marts_op: {"config": {"full_refresh": full_refresh}},
        },
    }
    log = Home(settings.home).dbt.run_log
    with writing("the log of the run", log.parent):
        log.parent.mkdir(exist_ok=True)
    listener = on_progress or _ignore_progress
    run_id = str(uuid.uuid4())
    # dagster_dbt prints every line of dbt; on a terminal that would bury the summary.
    with (
        _open_instance() as instance,
        listening(listener),
        silent_absent_checks(),
        log.open("w", encoding="utf-8") as lines,
        redirect_stdout(lines),
    ):
        instance.add_event_listener(run_id, partial(note_stage, listener))
        result = job.execute_in_process(
            instance=instance, run_config=run_config, raise_on_error=False, run_id=run_id
        )
    metadata = _read_metadata(result)
    steps = [event for event in result.all_events if event.is_step_success]
    failed = [event for event in result.all_events if event.is_step_failure]
    errors = [(NAMES.stage_of(str(event.step_key)), *_find_root_cause(event)) for event in failed]
    checks = [check for check in result.get_asset_check_evaluations() if not check.passed]
    return RunOutcome(
        is_success=result.success,
        summary=read_report(Home(settings.home)) if result.success else {},
        failures=tuple(f"{step}: {message}" for step, _, message in errors),
        failed_checks=tuple(
            _describe_check(check)
            for check in checks
            if check.severity == dg.AssetCheckSeverity.ERROR
        ),
        seconds_by_stage={
            NAMES.stage_of(str(event.step_key)): event.step_success_data.duration_ms / 1000
            for event in steps
        },
        new_files=int(metadata.get("files", 0)),
        revalidated=int(metadata.get(REVALIDATED, 0)),
        not_revalidated=int(metadata.get(NOT_REVALIDATED, 0)),
        left_paths=tuple(metadata.get(LEFT_PATHS, ())),
        unread_files=tuple(metadata.get(UNREAD, ())),
        unread_count=int(metadata.get(UNREAD_COUNT, 0)),
        exports_found=tuple(metadata.get(EXPORTS_FOUND, ())),
        build=str(metadata.get(NAMES.build_metadata, "")),
        is_lock_timeout=any(name == LockTimeoutError.__name__ for _, name, _ in errors),
    )


def note_stage(on_progress: OnProgress, entry: dg.EventLogEntry) -> None:
    """Say that a stage begins or ends, where an event of Dagster says so.

    Args:
        on_progress: called with (stage, message).
        entry: the event.
    """
    event = entry.dagster_event
    if event is None or event.step_key is None:
        return
    stage = NAMES.stage_of(event.step_key)
    if event.is_step_start:
        on_progress(stage, "started")
    elif event.is_step_success:
        on_progress(stage, f"done in {event.step_success_data.duration_ms / 1000:,.1f} s")
    elif event.is_step_failure:
        on_progress(stage, "failed")


def _open_instance() -> dg.DagsterInstance:
    has_home = bool(os.environ.get("DAGSTER_HOME"))
    return dg.DagsterInstance.get() if has_home else dg.DagsterInstance.ephemeral()


def _ignore_progress(_stage: str, _message: str) -> None:
    """Show nothing."""


def _find_root_cause(event: dg.DagsterEvent) -> tuple[str, str]:
    """Class and message of the error that says most about a failed step."""
    error = root_cause(event.step_failure_data.error)
    if error is None:
        return "", "failed without a message"
    if error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return error.cls_name, "was interrupted; run again to go on from here"
    return error.cls_name or "", error.message.strip()


def _describe_check(check: dg.AssetCheckEvaluation) -> str:
    name = f"{check.check_name} ({check.asset_key.to_user_string()})"
    return f"{name}: {check.description}" if check.description else name


def _read_metadata(
    result: dg.ExecuteInProcessResult,
) -> dict[str, Any]:  # Any: metadata of any kind
    """What the assets say of themselves, the first of each name."""
    found: dict[str, Any] = {}
    for event in result.get_asset_materialization_events():
        for name, value in event.materialization.metadata.items():
            found.setdefault(name, value.value)
    return found
