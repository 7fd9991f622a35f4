"""The lake's operations by the settings of a test, each with a ledger of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sequen_dagster.exports.files import ExportFile
from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.lake.commits import Batch
from sequen_dagster.lake.drain import (
    Drained,
    Intake,
    OnFile,
    Order,
    drain_locations,
    find_pending_files,
)
from sequen_dagster.lake.ingest import ingest_file
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.replay import (
    Choice,
    Replayed,
    ReplayPlan,
    find_dead_lettered_files,
    plan_replay,
    replay_batches,
    retry_dead_lettered,
)
from sequen_dagster.lake.rewrites import Rewritten, drop_old_raw_text
from sequen_dagster.lake.validation_rules import ValidationRules
from sequen_dagster.lake.workers import Job, Validator, Workers
from sequen_dagster.settings import SequenSettings


def home_of(settings: SequenSettings) -> Home:
    """The home of a test."""
    return Home(settings.home)


def lake_of(settings: SequenSettings) -> Lake:
    """The lake of a test."""
    return Home(settings.home).lake


def ledger_of(settings: SequenSettings) -> Ledger:
    """The ledger of a test, opened now."""
    return Ledger(Home(settings.home))


def drain(
    settings: SequenSettings,
    *,
    order: Order | None = None,
    run_id: str = "",
    on_file: OnFile | None = None,
) -> Drained:
    """Take in pending files."""
    ledger = ledger_of(settings)
    return drain_locations(Intake.of(settings), ledger, order=order, run_id=run_id, on_file=on_file)


def pending_files(settings: SequenSettings, order: Order | None = None) -> list[ExportFile]:
    """The files that are not committed as they lie there."""
    return find_pending_files(Intake.of(settings), ledger_of(settings), order=order)


def ingest(
    settings: SequenSettings, file: ExportFile, *, registered_at: datetime, **more: Any
) -> Batch:
    """Make one file a batch."""
    rules = ValidationRules.of(settings)
    return ingest_file(file, lake_of(settings), rules, registered_at=registered_at, **more)


def workers_of(settings: SequenSettings, jobs: Sequence[Job], *, isolate: bool = False) -> Workers:
    """Processes that validate files."""
    validator = Validator(lake_of(settings), ValidationRules.of(settings))
    return Workers(validator, jobs, processes=settings.workers, isolate=isolate)


def replay(
    settings: SequenSettings, choice: Choice, *, run_id: str = "", on_file: OnFile | None = None
) -> Replayed:
    """Validate batches again."""
    ledger = ledger_of(settings)
    return replay_batches(Intake.of(settings), ledger, choice, run_id=run_id, on_file=on_file)


def plan(settings: SequenSettings, choice: Choice) -> ReplayPlan:
    """Find what a replay would do."""
    return plan_replay(Intake.of(settings), choice)


def dead_lettered_files(settings: SequenSettings) -> list[ExportFile]:
    """The files that were given up."""
    return find_dead_lettered_files(Intake.of(settings), ledger_of(settings))


def retry_given_up(settings: SequenSettings) -> int:
    """Have the next drain try files again that were given up."""
    return retry_dead_lettered(Intake.of(settings), ledger_of(settings))


def drop_raw_text(settings: SequenSettings, *, now: datetime | None = None) -> Rewritten:
    """Drop text of quarantined records that is past its time."""
    return drop_old_raw_text(home_of(settings), days=settings.quarantine_days, now=now)
