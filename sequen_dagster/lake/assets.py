"""Lake: `validated_events` and `quarantined_records`, one step that drains the locations."""

import functools
import operator
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from sequen_dagster.exports.assets import exports_metadata, observed_exports
from sequen_dagster.exports.files import list_locations
from sequen_dagster.graph import Graph, KeyOf
from sequen_dagster.home.layout import Home
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.lake.checks import Expectations, check_lake, lake_checks
from sequen_dagster.lake.columns import (
    ACCEPTED_COLUMNS,
    COLUMN_DESCRIPTIONS,
    QUARANTINED_COLUMNS,
)
from sequen_dagster.lake.config import LakeConfig, order_of
from sequen_dagster.lake.current_files import UnreadFile
from sequen_dagster.lake.drain import Drained, FileFailure, Intake, drain_locations
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.replay import Replayed, replay_batches, retry_dead_lettered
from sequen_dagster.lake.tidying import is_rewriting_due, remove_abandoned_rows
from sequen_dagster.names import Access, Names
from sequen_dagster.runtime.progress import emit
from sequen_dagster.runtime.progress_lines import logging_progress
from sequen_dagster.runtime.text import SHOWN, printable, quoted
from sequen_dagster.settings import RunningSettings, SequenSettings

_RETRY_DELAY_SECONDS = 30
# Metadata of a run that was asked to validate batches again.
REVALIDATED = "batches_revalidated"
NOT_REVALIDATED = "batches_not_revalidated"
LEFT_PATHS = "left_paths"
UNREAD = "files_not_read_as_a_whole"
UNREAD_COUNT = "unread_files"

_Metadata = dg.MetadataValue | int | float | str


@dataclass(frozen=True)
class _TakenIn:
    """What a run has taken in: of new files, and of those that it was asked to validate again."""

    drained: Drained
    replayed: Replayed | None
    seconds: float

    @property
    def failures(self) -> tuple[FileFailure, ...]:
        """Files that could not be read at all."""
        return (*(self.replayed.failures if self.replayed else ()), *self.drained.failures)

    @property
    def unread(self) -> list[UnreadFile]:
        """Files that could not be read as a whole, in order of their paths."""
        batches = [*(self.replayed.batches if self.replayed else ()), *self.drained.batches]
        batches.sort(key=lambda batch: (batch.source, batch.path))
        return [
            UnreadFile(batch.source, batch.path, first.rule, first.message)
            for batch in batches
            if (first := batch.first_error) and batch.is_unread
        ]


def lake_specs(
    settings: RunningSettings,
    names: Names,
    key_of: KeyOf,
    *,
    upstream: Sequence[dg.AssetKey] = (),
) -> list[dg.AssetSpec]:
    """The assets of the lake.

    Args:
        settings: the owners.
        names: of the pipeline.
        key_of: gives the key of an asset.
        upstream: keys of assets that write export files; after a run of one, files are taken in at
            once, since it has written them whole.
    """
    condition = _written_condition(upstream, key_of(names.validated_events)) if upstream else None

    def spec(
        name: str, description: str, *, kind: str, access: Access, columns: Mapping[str, str]
    ) -> dg.AssetSpec:
        return dg.AssetSpec(
            name,
            deps=[key_of(names.raw_events)],
            group_name=names.group("lake"),
            kinds={"parquet", kind},
            owners=list(settings.owners),
            tags={names.access_tag: access},
            description=description,
            metadata={"dagster/column_schema": _column_schema(columns)},
            automation_condition=condition,
        )

    return [
        spec(
            names.validated_events,
            "Events that honor the contract, as Parquet.",
            kind="pandera",
            access="public",
            columns=ACCEPTED_COLUMNS,
        ),
        spec(
            names.quarantined_records,
            "Records that break it, with every rule they break.",
            kind="polars",
            access="private",
            columns=QUARANTINED_COLUMNS,
        ),
    ]


def _written_condition(
    upstream: Sequence[dg.AssetKey], lake: dg.AssetKey
) -> dg.AutomationCondition[dg.AssetKey]:
    """Take in files once an asset that writes some was made, and no run takes in any."""
    of = dg.AutomationCondition.asset_matches
    is_updated = dg.AutomationCondition.newly_updated()
    updated = functools.reduce(operator.or_, (of(key, is_updated) for key in upstream))
    in_progress = of(lake, dg.AutomationCondition.in_progress())
    is_due = updated.since(dg.AutomationCondition.newly_requested())
    return (is_due & ~in_progress).with_label("an asset that writes export files has new ones")


def build_lake_assets(settings: SequenSettings, graph: Graph) -> dg.AssetsDefinition:
    """The step that validates every pending file and commits what it found.

    Args:
        settings: the sources, the home, the limits.
        graph: the assets.

    Returns:
        Two assets and their checks, see `checks`. With checks alone nothing is taken in.
    """
    names = graph.names
    validated_events, quarantined_records = (
        graph.key(name) for name in (names.validated_events, names.quarantined_records)
    )
    intake = Intake.of(settings)
    lake_folder = intake.home.lake
    expected = Expectations.of(settings)

    @dg.multi_asset(
        name=names.lake_op,
        specs=[graph.specs[names.validated_events], graph.specs[names.quarantined_records]],
        check_specs=graph.checks(lake_checks(validated_events)),
        # Each asset and each check can be asked for alone; files are taken in for any asset.
        can_subset=True,
        op_tags=graph.op_tags,
        retry_policy=retry_policy(settings),
    )
    @graph.step
    def lake(
        context: dg.AssetExecutionContext, config: LakeConfig
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        asked = {key.name for key in context.selected_asset_check_keys}
        check = functools.partial(check_lake, asked, expected=expected)
        with owner_only_files():
            ledger = Ledger(intake.home)
            if not context.selected_asset_keys:
                ledger.sync()
                found = check(ledger, find_listings=lambda: list_locations(intake.sources))
                yield from _of(validated_events, found)
                return
            with logging_progress(context.log.info, "lake", "listing files"):
                taken = _take_in(context, config, ledger)
        materialized = {
            validated_events: _validated_metadata(lake_folder.events, taken),
            quarantined_records: _drained_metadata(lake_folder.quarantine, taken.drained),
        }
        for key, metadata in materialized.items():
            if key in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=key, metadata=metadata)
            else:
                # Files are taken in once, for both.
                context.log_event(dg.AssetMaterialization(key, metadata=metadata))
        found = check(ledger, find_listings=lambda: taken.drained.listings, failures=taken.failures)
        yield from _of(validated_events, found)

    def _take_in(context: dg.AssetExecutionContext, config: LakeConfig, ledger: Ledger) -> _TakenIn:
        started = time.perf_counter()
        run_id = context.run.run_id
        choice = config.choice()
        order = order_of(context.run.tags, names)
        if config.retry_dead_lettered:
            context.log.info(
                "%d dead-lettered files are tried again", retry_dead_lettered(intake, ledger)
            )
        replayed = replay_batches(intake, ledger, choice, run_id=run_id, on_file=_emit_file)
        drained = drain_locations(intake, ledger, order=order, run_id=run_id, on_file=_emit_file)
        dropped = _drop_old_raw_text(intake.home, settings.quarantine_days)
        taken = _TakenIn(
            drained, None if choice.is_empty else replayed, time.perf_counter() - started
        )
        if dropped:
            context.log.info("text of %d old quarantined records dropped", dropped)
        if taken.replayed:
            _report_replayed(context, taken.replayed)
        _report_drained(context, taken)
        # Not an event of this run, which has not made the files.
        context.instance.report_runless_asset_event(
            observed_exports(graph.key(names.raw_events), drained.listings)
        )
        return taken

    return lake


def _drop_old_raw_text(home: Home, days: int | None) -> int:
    """How many quarantined records have lost their text for its age."""
    if not is_rewriting_due(home.lake, days=days):
        remove_abandoned_rows(home.lake)
        return 0
    # With Pandera, which a run without new files need not wait for.
    from sequen_dagster.lake.rewrites import drop_old_raw_text

    return drop_old_raw_text(home, days=days).raw_texts


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


def _report_drained(context: dg.AssetExecutionContext, taken: _TakenIn) -> None:
    drained, unread = taken.drained, taken.unread
    for listing in drained.listings:
        if listing.is_reportable:
            context.log.info("exports %s", listing)
    for failure in taken.failures:
        context.log.warning("file %s was not read: %s", quoted(failure.path), failure.reason)
    for file in unread[:SHOWN]:
        context.log.warning("file not read as a whole: %s", file)
    if len(unread) > SHOWN:
        context.log.warning("%d more files not read as a whole", len(unread) - SHOWN)
    for one in drained.left:
        context.log.info("file %s was left: %s", quoted(one.path), one.reason)
    context.log.info(
        "%d files in %d commits: %d accepted, %d quarantined, %.1f s",
        len(drained.batches),
        len(drained.commits),
        drained.record_counts.accepted,
        drained.record_counts.quarantined,
        taken.seconds,
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


def _of(
    asset: dg.AssetKey, results: Iterable[dg.AssetCheckResult]
) -> Iterator[dg.AssetCheckResult]:
    """Results of checks of an asset."""
    return (result._replace(asset_key=asset) for result in results)


def _column_schema(columns: Mapping[str, str]) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(name, kind, description=COLUMN_DESCRIPTIONS[name])
            for name, kind in columns.items()
        ]
    )


def _validated_metadata(folder: Path, taken: _TakenIn) -> dict[str, _Metadata]:
    return {
        **_drained_metadata(folder, taken.drained),
        **(_replay_metadata(taken.replayed) if taken.replayed else {}),
        **exports_metadata(taken.drained.listings),
        UNREAD: dg.MetadataValue.json([str(one) for one in taken.unread[:SHOWN]]),
        UNREAD_COUNT: len(taken.unread),
        "seconds": round(taken.seconds, 1),
    }


def _drained_metadata(folder: Path, drained: Drained) -> dict[str, _Metadata]:
    return {
        "dagster/uri": dg.MetadataValue.text(str(folder)),
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


def _emit_file(done: int, total: int, path: str) -> None:
    emit("lake", printable(f"{done}/{total} {path}"))
