"""Lake: `validated_events` and `quarantined_records`, one step that drains the locations."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl

from sequen_dagster.contract import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA
from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.exports.assets import RAW_EVENTS, exports_metadata
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.lake.columns import COLUMN_DESCRIPTIONS
from sequen_dagster.lake.commits import Batch, RecordCounts
from sequen_dagster.lake.config import LakeConfig, order_of
from sequen_dagster.lake.drain import Drained, FileFailure, Intake, drain_locations
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.ledger_rows import UnreadFile
from sequen_dagster.lake.replay import Replayed, replay_batches, retry_dead_lettered
from sequen_dagster.lake.rewrites import drop_old_raw_text
from sequen_dagster.names import NAMES, Access
from sequen_dagster.runtime.progress import emit
from sequen_dagster.runtime.text import printable, quoted
from sequen_dagster.settings import RunningSettings, SequenSettings

VALIDATED_EVENTS = dg.AssetKey(NAMES.validated_events)
QUARANTINED_RECORDS = dg.AssetKey(NAMES.quarantined_records)
_RETRY_DELAY_SECONDS = 30
# Metadata of a run that was asked to validate batches again.
REVALIDATED = "batches_revalidated"
NOT_REVALIDATED = "batches_not_revalidated"
LEFT_PATHS = "left_paths"
UNREAD = "files_not_read_as_a_whole"
CHECKS = [
    dg.AssetCheckSpec(
        "files_read",
        asset=VALIDATED_EVENTS,
        description="Every pending file could be read, and every current one as a whole.",
    ),
    dg.AssetCheckSpec(
        "counts_reconcile",
        asset=VALIDATED_EVENTS,
        description="records read = accepted + quarantined + skipped, in every commit.",
        blocking=True,
    ),
    dg.AssetCheckSpec(
        "accepted_share",
        asset=VALIDATED_EVENTS,
        description="The share of accepted records is what the tiers of data ask for.",
    ),
    dg.AssetCheckSpec(
        "exports_are_fresh",
        asset=VALIDATED_EVENTS,
        description="The newest file that was taken in is not older than expected.",
    ),
]


def build_lake_assets(settings: SequenSettings) -> dg.AssetsDefinition:
    """The step that validates every pending file and commits what it found.

    Args:
        settings: the sources, the home, the limits.

    Returns:
        Two assets and their checks: whether all files could be read, whether the counts reconcile,
        whether enough records were accepted, and whether files still arrive.
    """
    intake = Intake.of(settings)
    lake_folder = intake.home.lake

    @dg.multi_asset(
        name=NAMES.lake_op,
        specs=[
            _spec(
                VALIDATED_EVENTS,
                "Events that honor the contract, as Parquet.",
                kind="pandera",
                access="public",
                settings=settings,
            ),
            _spec(
                QUARANTINED_RECORDS,
                "Records that break it, with every rule they break.",
                kind="polars",
                access="private",
                settings=settings,
            ),
        ],
        check_specs=CHECKS,
        retry_policy=retry_policy(settings),
    )
    def lake(
        context: dg.AssetExecutionContext, config: LakeConfig
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.perf_counter()
        run_id = context.run.run_id
        choice = config.choice()
        order = order_of(context.run.tags)
        with owner_only_files():
            ledger = Ledger(intake.home)
            if config.retry_dead_lettered:
                context.log.info(
                    "%d dead-lettered files are tried again", retry_dead_lettered(intake, ledger)
                )
            replayed = replay_batches(intake, ledger, choice, run_id=run_id, on_file=_emit_file)
            drained = drain_locations(
                intake, ledger, order=order, run_id=run_id, on_file=_emit_file
            )
            dropped = drop_old_raw_text(intake.home, days=settings.quarantine_days)
        seconds = time.perf_counter() - started
        failures = (*replayed.failures, *drained.failures)
        unread = ledger.unread_files()
        if dropped.raw_texts:
            context.log.info("text of %d old quarantined records dropped", dropped.raw_texts)
        if not choice.is_empty:
            _report_replayed(context, replayed)
        _report_drained(context, drained, failures, seconds)
        yield dg.MaterializeResult(
            asset_key=VALIDATED_EVENTS,
            metadata={
                **_drained_metadata(lake_folder.events, drained),
                **({} if choice.is_empty else _replay_metadata(replayed)),
                **exports_metadata(drained.listings),
                UNREAD: dg.MetadataValue.json(
                    _describe_unread(unread, [*replayed.batches, *drained.batches])
                ),
                "seconds": seconds,
            },
            check_results=[
                *_check_files(settings, drained, replayed, failures, unread),
                _check_freshness(ledger, fresh_within_hours=settings.fresh_within_hours),
            ],
        )
        yield dg.MaterializeResult(
            asset_key=QUARANTINED_RECORDS,
            metadata=_drained_metadata(lake_folder.quarantine, drained),
        )

    return lake


def retry_policy(settings: RunningSettings) -> dg.RetryPolicy:
    """How often and when a step is tried again: it may meet a lock, a full disk, a lost network.

    Args:
        settings: how often.
    """
    return dg.RetryPolicy(
        max_retries=settings.step_retries,
        delay=_RETRY_DELAY_SECONDS,
        backoff=dg.Backoff.EXPONENTIAL,
        jitter=dg.Jitter.PLUS_MINUS,
    )


def _report_drained(
    context: dg.AssetExecutionContext,
    drained: Drained,
    failures: tuple[FileFailure, ...],
    seconds: float,
) -> None:
    for listing in drained.listings:
        if listing.is_reportable:
            context.log.info("exports %s", listing)
    for failure in failures:
        context.log.warning("file %s was not read: %s", quoted(failure.path), failure.reason)
    for one in drained.left:
        context.log.info("file %s was left: %s", quoted(one.path), one.reason)
    context.log.info(
        "%d files in %d commits: %d accepted, %d quarantined, %.1f s",
        len(drained.batches),
        len(drained.commits),
        drained.record_counts.accepted,
        drained.record_counts.quarantined,
        seconds,
    )


def _report_replayed(context: dg.AssetExecutionContext, replayed: Replayed) -> None:
    for one in replayed.left:
        context.log.warning("file %s was not validated again: %s", quoted(one.path), one.reason)
    context.log.info(
        "%d batches validated again in %d commits, %d left as they were",
        len(replayed.batches),
        len(replayed.commits),
        len(replayed.left),
    )


def _spec(
    key: dg.AssetKey, description: str, *, kind: str, access: Access, settings: RunningSettings
) -> dg.AssetSpec:
    schema = ACCEPTED_SCHEMA if key == VALIDATED_EVENTS else QUARANTINED_SCHEMA
    return dg.AssetSpec(
        key,
        deps=[RAW_EVENTS],
        group_name="lake",
        kinds={"parquet", kind},
        owners=list(settings.owners),
        tags={NAMES.access_tag: access},
        description=description,
        metadata={"dagster/column_schema": _column_schema(schema)},
    )


def _column_schema(schema: pl.Schema) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(name, str(kind), description=COLUMN_DESCRIPTIONS[name])
            for name, kind in schema.items()
        ]
    )


def _drained_metadata(
    folder: Path, drained: Drained
) -> dict[str, dg.MetadataValue | int | float | str]:
    return {
        "dagster/uri": dg.MetadataValue.path(str(folder)),
        "files": len(drained.batches),
        "commits": len(drained.commits),
        "files_left": len(drained.left),
        "bytes": sum(batch.file_bytes for batch in drained.batches),
        "records_read": drained.record_counts.records_read,
        "accepted": drained.record_counts.accepted,
        "quarantined": drained.record_counts.quarantined,
    }


def _replay_metadata(replayed: Replayed) -> dict[str, dg.MetadataValue | int]:
    left = [f"{quoted(one.path)}: {one.reason}" for one in replayed.left[:20]]
    return {
        REVALIDATED: len(replayed.batches),
        NOT_REVALIDATED: len(replayed.left),
        LEFT_PATHS: dg.MetadataValue.json(left),
    }


def _describe_unread(unread: list[UnreadFile], batches: list[Batch]) -> list[str]:
    """Those of the files that this run has taken in."""
    own = {(batch.source, batch.path) for batch in batches if batch.is_unread}
    return [str(one) for one in unread if (one.source, one.path) in own]


def _check_files(
    settings: SequenSettings,
    drained: Drained,
    replayed: Replayed,
    failures: tuple[FileFailure, ...],
    unread: list[UnreadFile],
) -> list[dg.AssetCheckResult]:
    batches = [*replayed.batches, *drained.batches]
    record_counts = sum((batch.record_counts for batch in batches), RecordCounts())
    validated = record_counts.accepted + record_counts.quarantined
    is_enough = 100 * record_counts.accepted >= settings.min_accepted_percent * validated
    is_far_below = 100 * record_counts.accepted < settings.fail_below_accepted_percent * validated
    return [
        dg.AssetCheckResult(
            check_name="files_read",
            passed=not failures and not unread,
            # What was taken in as one quarantined record is not a failure of the pipeline.
            severity=dg.AssetCheckSeverity.ERROR if failures else dg.AssetCheckSeverity.WARN,
            metadata={
                "failed_files": len(failures),
                "unread_files": len(unread),
                "reasons": [
                    *(f"{quoted(one.path)}: {one.reason}" for one in failures[:20]),
                    *map(str, unread[:20]),
                ],
            },
        ),
        dg.AssetCheckResult(
            check_name="counts_reconcile",
            passed=all(batch.record_counts.is_reconciled for batch in batches),
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "records_read": record_counts.records_read,
                "blank_lines": record_counts.blank_lines,
            },
        ),
        dg.AssetCheckResult(
            check_name="accepted_share",
            passed=is_enough and not is_far_below,
            severity=dg.AssetCheckSeverity.ERROR if is_far_below else dg.AssetCheckSeverity.WARN,
            metadata={
                "accepted_percent": 100 * record_counts.accepted / validated
                if validated
                else 100.0,
                "min_accepted_percent": settings.min_accepted_percent,
            },
        ),
    ]


def _check_freshness(ledger: Ledger, *, fresh_within_hours: int) -> dg.AssetCheckResult:
    newest = ledger.newest_received_at()
    age = utc_now() - newest if newest else timedelta(0)
    return dg.AssetCheckResult(
        check_name="exports_are_fresh",
        passed=age <= timedelta(hours=fresh_within_hours),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "hours_since_the_newest_file": age.total_seconds() / 3600,
            "fresh_within_hours": fresh_within_hours,
        },
    )


def _emit_file(done: int, total: int, path: str) -> None:
    emit("lake", printable(f"{done}/{total} {path}"))
