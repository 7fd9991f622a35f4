"""Triggers: the sensor that sees new export files and asks for runs that take them in.

What is known of files lies in the ledger, and which runs there are in Dagster's own storage; the
sensor keeps nothing of its own. So a tick may be evaluated twice, or with any cursor at all.
"""

from collections.abc import Callable, Collection
from typing import Final

import dagster as dg

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import ExportsError
from sequen_dagster.exports.announced import find_announced_files
from sequen_dagster.exports.assets import observed_exports
from sequen_dagster.exports.files import ExportFile, Listing, list_location
from sequen_dagster.graph import Graph
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.lake.drain import Intake
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.ledger_rows import FileStatus
from sequen_dagster.lake.requests import FileGroup, RequestPlan, RequestRules, plan_requests
from sequen_dagster.names import Names
from sequen_dagster.runtime.text import counted, quoted
from sequen_dagster.settings import Source

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
    intake: Intake,
    rules: RequestRules,
    graph: Graph,
    *,
    tick_seconds: int,
    status: dg.DefaultSensorStatus,
) -> dg.SensorDefinition:
    """The sensor that starts runs for files which have arrived.

    Args:
        intake: the home and its sources.
        rules: when a file is whole, and how many runs take in how much.
        graph: the assets.
        tick_seconds: how often the sensor looks.
        status: whether it starts switched on.
    """
    return dg.SensorDefinition(
        name=graph.names.new_exports_sensor,
        job_name=graph.names.drain_job,
        evaluation_fn=_evaluate_tick(intake, rules, graph),
        minimum_interval_seconds=tick_seconds,
        default_status=status,
        description="Starts runs that take in files which have arrived and are whole.",
    )


def _evaluate_tick(
    intake: Intake, rules: RequestRules, graph: Graph
) -> Callable[[dg.SensorEvaluationContext], dg.SensorResult | dg.SkipReason]:
    names = graph.names

    @owner_only_files()
    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        listings, announced, closed, problems = _poll_locations(intake.sources)
        files = [file for listing in listings for file in listing.files]
        # A home that is damaged, or cannot be written, fails the tick.
        ledger = Ledger(intake.home)
        ledger.sync()
        statuses = ledger.observe(files)
        running, has_ended = _conclude_ended(
            context.instance, ledger, statuses, names, retry_seconds=intake.retry_seconds
        )
        if has_ended:
            statuses = ledger.statuses([status.file for status in statuses])
        plan = plan_requests(
            statuses,
            intake.home,
            rules,
            now=utc_now(),
            announced=announced,
            running=running,
        )
        ledger.mark_stable(plan.whole)
        for file_group in plan.requests:
            ledger.mark_requested(file_group.name, file_group.files)
        if not plan.requests:
            explained = _explain_tick(plan, listings, [*closed, *problems])
            if closed:
                # A skipped tick is not looked at.
                raise ExportsError(explained)
            return dg.SkipReason(explained)
        for problem in (*closed, *problems):
            context.log.warning(problem)
        context.log.info(_explain_tick(plan, listings, []))
        return dg.SensorResult(
            run_requests=[_request_run(file_group, names) for file_group in plan.requests],
            asset_events=[_observe_exports(graph.key(names.raw_events), listings, plan)],
        )

    return evaluate


def _poll_locations(
    sources: tuple[Source, ...],
) -> tuple[list[Listing], set[ExportFile], list[str], list[str]]:
    """What lies there, the files announced as whole, and what stood in the way of seeing more.

    Sentences about locations that cannot be listed come before those about manifests.
    """
    listings: list[Listing] = []
    announced: set[ExportFile] = set()
    closed: list[str] = []
    problems: list[str] = []
    for source in sources:
        try:
            listing = list_location(source)
        except ExportsError as error:
            # One location that is gone must not hold back the others.
            closed.append(str(error))
            continue
        whole, unread = find_announced_files(source, listing)
        listings.append(listing)
        announced |= whole
        problems += unread
    return listings, announced, closed, problems


def _conclude_ended(
    instance: dg.DagsterInstance,
    ledger: Ledger,
    statuses: Collection[FileStatus],
    names: Names,
    *,
    retry_seconds: int,
) -> tuple[set[str], bool]:
    """Conclude the groups whose run has ended; return those under way, and whether any ended."""
    under_way = instance.get_runs(
        dg.RunsFilter(job_name=names.drain_job, statuses=_UNDER_WAY), limit=_MAX_RUNS
    )
    tag = names.file_group_tag
    running = {run.tags[tag] for run in under_way if tag in run.tags}
    asked = {status.file_group for status in statuses if status.file_group}
    # Without any run, Dagster has not got to it: the same request is made again.
    ended = [
        file_group
        for file_group in sorted(asked - running)
        if instance.get_runs(dg.RunsFilter(tags={tag: file_group}), limit=1)
    ]
    for file_group in ended:
        ledger.conclude_group(file_group, retry_seconds=retry_seconds)
    return running & asked, bool(ended)


def _request_run(file_group: FileGroup, names: Names) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=file_group.name,
        tags={
            names.file_group_tag: file_group.name,
            names.run_tag: f"ingest {counted(len(file_group.files), 'file')}",
        },
    )


def _observe_exports(
    key: dg.AssetKey, listings: list[Listing], plan: RequestPlan
) -> dg.AssetMaterialization:
    return observed_exports(
        key,
        listings,
        {
            "files_requested": sum(len(file_group.files) for file_group in plan.requests),
            "bytes_requested": sum(file_group.size_bytes for file_group in plan.requests),
        },
    )


def _explain_tick(plan: RequestPlan, listings: list[Listing], problems: list[str]) -> str:
    """What a tick has found, for the person who reads it in the UI."""
    requested = sum(len(file_group.files) for file_group in plan.requests)
    parts = [
        f"{counted(requested, 'file')} asked for in {counted(len(plan.requests), 'run')}"
        if requested
        else "",
        _describe_files("arriving or not stable yet", plan.arriving),
        _describe_files("being taken in", plan.under_way),
        _describe_files("waiting for a run to end", plan.waiting),
        _describe_files("waiting for their next try", plan.backing_off, with_error=True),
        _describe_files("dead-lettered until they change", plan.dead_lettered, with_error=True),
    ]
    described = [part for part in parts if part]
    files = sum(len(listing.files) for listing in listings)
    seen = f"{counted(files, 'file')} seen"
    summary = f"{seen}: {'; '.join(described)}." if described else f"No file is new. {seen}."
    found = [str(listing) for listing in listings if listing.is_reportable]
    return " ".join([*problems, summary, *found])


def _describe_files(
    what: str, statuses: Collection[FileStatus], *, with_error: bool = False
) -> str:
    if not statuses:
        return ""
    first = [
        quoted(status.file.path) + (f" ({status.error})" if with_error and status.error else "")
        for status in list(statuses)[:_MAX_NAMED]
    ]
    more = ", ..." if len(statuses) > _MAX_NAMED else ""
    return f"{len(statuses):,} {what}: {', '.join(first)}{more}"
