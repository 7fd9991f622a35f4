"""Triggers: the sensor that sees new export files and asks for runs that take them in.

What is known of files lies in the ledger, and which runs there are in Dagster's own storage; the
sensor keeps nothing of its own. So a tick may be evaluated twice, or with any cursor at all.
"""

from collections.abc import Callable, Collection
from typing import Final

import dagster as dg

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import ExportsError, HomeError
from sequen_dagster.exports.announced import find_announced_files
from sequen_dagster.exports.assets import RAW_EVENTS, passed_over_metadata
from sequen_dagster.exports.files import ExportFile, Listing, list_location
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.lake.ledger import FileStatus, Ledger
from sequen_dagster.lake.requests import FileGroup, Plan, plan_requests
from sequen_dagster.names import NAMES
from sequen_dagster.runtime.text import counted, quoted
from sequen_dagster.settings import SequenSettings

_MAX_NAMED: Final = 3
_MAX_RUNS: Final = 1_000
_UNDER_WAY: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_new_files_sensor(
    settings: SequenSettings, status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    """The sensor that starts runs for files which have arrived.

    Args:
        settings: the exports places, the home, and the limits of a run.
        status: whether it starts switched on.
    """
    return dg.SensorDefinition(
        name=NAMES.new_exports_sensor,
        job_name=NAMES.drain_job,
        evaluation_fn=_tick(settings),
        minimum_interval_seconds=settings.tick_seconds,
        default_status=status,
        description="Starts runs that take in files which have arrived and are whole.",
    )


def _tick(
    settings: SequenSettings,
) -> Callable[[dg.SensorEvaluationContext], dg.SensorResult | dg.SkipReason]:
    @owner_only_files()
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        listings, announced, problems = _look(settings)
        files = [file for listing in listings for file in listing.files]
        try:
            ledger = Ledger(settings.make_home())
            ledger.sync()
        except HomeError as error:
            return dg.SkipReason(str(error))
        statuses = ledger.observe(files)
        running, has_ended = _conclude_ended(context.instance, ledger, statuses, settings)
        if has_ended:
            statuses = ledger.statuses([status.file for status in statuses])
        plan = plan_requests(
            statuses,
            settings,
            now=utc_now(),
            announced=announced,
            running=running,
        )
        ledger.mark_stable(plan.whole)
        for file_group in plan.requests:
            ledger.request(file_group.name, file_group.files)
        if not plan.requests:
            return dg.SkipReason(_explained(plan, listings, problems))
        for problem in problems:
            context.log.warning(problem)
        context.log.info(_explained(plan, listings, []))
        return dg.SensorResult(
            run_requests=[_request(file_group) for file_group in plan.requests],
            asset_events=[_observation(listings, files, plan)],
        )

    return evaluate


def _look(settings: SequenSettings) -> tuple[list[Listing], set[ExportFile], list[str]]:
    """What lies there, the files announced as whole, and what stood in the way of seeing more."""
    listings: list[Listing] = []
    announced: set[ExportFile] = set()
    problems: list[str] = []
    for source in settings.sources:
        try:
            listing = list_location(source)
        except ExportsError as error:
            # One place that is gone must not hold back the others.
            problems.append(str(error))
            continue
        whole, unread = find_announced_files(source, listing)
        listings.append(listing)
        announced |= whole
        problems += unread
    return listings, announced, problems


def _conclude_ended(
    instance: dg.DagsterInstance,
    ledger: Ledger,
    statuses: Collection[FileStatus],
    settings: SequenSettings,
) -> tuple[set[str], bool]:
    """Close the books on portions whose run has ended; say which are under way, if any ended."""
    under_way = instance.get_runs(
        dg.RunsFilter(job_name=NAMES.drain_job, statuses=_UNDER_WAY), limit=_MAX_RUNS
    )
    tag = NAMES.file_group_tag
    running = {run.tags[tag] for run in under_way if tag in run.tags}
    asked = {status.file_group for status in statuses if status.file_group}
    # Without any run, Dagster has not got to it: the same request is made again.
    ended = [
        file_group
        for file_group in sorted(asked - running)
        if instance.get_runs(dg.RunsFilter(tags={tag: file_group}), limit=1)
    ]
    for file_group in ended:
        ledger.conclude(file_group, retry_seconds=settings.retry_seconds)
    return running & asked, bool(ended)


def _request(file_group: FileGroup) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=file_group.name,
        run_config={"ops": {NAMES.lake_op: {"config": {"file_group": file_group.name}}}},
        tags={NAMES.file_group_tag: file_group.name},
    )


def _observation(
    listings: list[Listing], files: list[ExportFile], plan: Plan
) -> dg.AssetObservation:
    return dg.AssetObservation(
        RAW_EVENTS,
        metadata={
            **passed_over_metadata(listings),
            "files": len(files),
            "bytes": sum(file.size_bytes for file in files),
            "newest": max(file.modified_at for file in files).isoformat(),
            "files_requested": sum(len(file_group.files) for file_group in plan.requests),
            "bytes_requested": sum(file_group.size_bytes for file_group in plan.requests),
        },
    )


def _explained(plan: Plan, listings: list[Listing], problems: list[str]) -> str:
    """What a tick has seen, for the person who looks at it in the UI."""
    requested = sum(len(file_group.files) for file_group in plan.requests)
    parts = [
        f"{counted(requested, 'file')} asked for in {counted(len(plan.requests), 'run')}"
        if requested
        else "",
        _named("arriving or settling", plan.arriving),
        _named("being taken in", plan.under_way),
        _named("waiting for a run to end", plan.waiting),
        _named("waiting for their next try", plan.stable, with_error=True),
        _named("dead-lettered until they change", plan.dead_lettered, with_error=True),
    ]
    told = [part for part in parts if part]
    files = sum(len(listing.files) for listing in listings)
    seen = f"{counted(files, 'file')} seen"
    summary = f"{seen}: {'; '.join(told)}." if told else f"No file is new. {seen}."
    found = [str(listing) for listing in listings if listing.is_reportable]
    return " ".join([*problems, summary, *found])


def _named(what: str, statuses: Collection[FileStatus], *, with_error: bool = False) -> str:
    if not statuses:
        return ""
    first = [
        quoted(status.file.path) + (f" ({status.error})" if with_error and status.error else "")
        for status in list(statuses)[:_MAX_NAMED]
    ]
    more = ", ..." if len(statuses) > _MAX_NAMED else ""
    return f"{len(statuses):,} {what}: {', '.join(first)}{more}"
