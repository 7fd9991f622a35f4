"""Lake: `validated_events` and `quarantined_events`, one step that drains the exports places."""

import time
from collections.abc import Iterator

import dagster as dg
import polars as pl
import pydantic

from sequen_dagster.contract import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA
from sequen_dagster.exports.assets import OWNERS, RAW_EVENTS
from sequen_dagster.fields import FIELDS
from sequen_dagster.lake.commits import Books
from sequen_dagster.lake.drain import Drained, FileFailure, drain
from sequen_dagster.lake.replay import Choice, Replayed, replay
from sequen_dagster.lake.rewrites import drop_old_raw_text
from sequen_dagster.progress import report
from sequen_dagster.settings import SequenSettings

VALIDATED_EVENTS = dg.AssetKey("validated_events")
QUARANTINED_EVENTS = dg.AssetKey("quarantined_events")
# Metadata of a run that was asked to judge batches again.
JUDGED_AGAIN = "batches_judged_again"
LEFT_AS_JUDGED = "batches_left_as_judged"
LEFT_PATHS = "left_paths"
CHECKS = [
    dg.AssetCheckSpec(
        "files_read",
        asset=VALIDATED_EVENTS,
        description="Every pending file could be read.",
    ),
    dg.AssetCheckSpec(
        "books_balance",
        asset=VALIDATED_EVENTS,
        description="records read = accepted + quarantined + skipped, in every commit.",
    ),
    dg.AssetCheckSpec(
        "accepted_share",
        asset=VALIDATED_EVENTS,
        description="The share of accepted records is what the tiers of data ask for.",
    ),
]


class LakeConfig(dg.Config):
    """What a run may ask of the lake.

    Attributes:
        replay_stale: whether to judge again what another contract has judged.
        replay_paths: patterns of paths (or of source/path) to judge again; with `replay_stale`,
            only the stale ones among them.
    """

    replay_stale: bool = False
    replay_paths: list[str] = pydantic.Field(default_factory=list)


def build_lake_assets(settings: SequenSettings) -> dg.AssetsDefinition:
    """The step that judges every pending file and commits what it found.

    Args:
        settings: the exports places, the home, the limits.

    Returns:
        Two assets and three checks: whether all files could be read, whether the books balance,
        and whether enough records were accepted.
    """

    @dg.multi_asset(
        name="lake",
        specs=[
            _spec(VALIDATED_EVENTS, "Events that honour the contract, as Parquet.", "pandera"),
            _spec(
                QUARANTINED_EVENTS, "Records that break it, with every rule they break.", "polars"
            ),
        ],
        check_specs=CHECKS,
    )
    def lake(
        context: dg.AssetExecutionContext, config: LakeConfig
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.perf_counter()
        choice = Choice(config.replay_stale, tuple(config.replay_paths))
        replayed = replay(settings, choice, run_id=context.run.run_id, progress=_report)
        drained = drain(settings, run_id=context.run.run_id, progress=_report)
        drop_old_raw_text(settings)
        seconds = time.perf_counter() - started
        failures = (*replayed.failures, *drained.failures)
        for failure in failures:
            context.log.warning("file %r was not read: %s", failure.path, failure.reason)
        if not choice.is_empty:
            _tell_replayed(context, replayed)
        context.log.info(
            "%d files in %d commits: %d accepted, %d quarantined, %.1f s",
            len(drained.batches),
            len(drained.commits),
            drained.books.accepted,
            drained.books.quarantined,
            seconds,
        )
        yield dg.MaterializeResult(
            asset_key=VALIDATED_EVENTS,
            metadata={
                **_metadata(settings, drained, "events"),
                **({} if choice.is_empty else _replay_metadata(replayed)),
                "seconds": seconds,
            },
            check_results=_checks(settings, drained, replayed, failures),
        )
        yield dg.MaterializeResult(
            asset_key=QUARANTINED_EVENTS,
            metadata=_metadata(settings, drained, "quarantine"),
        )

    return lake


def _tell_replayed(context: dg.AssetExecutionContext, replayed: Replayed) -> None:
    for one in replayed.left:
        context.log.warning("file %r was not judged again: %s", one.path, one.reason)
    context.log.info(
        "%d batches judged again in %d commits, %d left as they were",
        len(replayed.batches),
        len(replayed.commits),
        len(replayed.left),
    )


def _spec(key: dg.AssetKey, description: str, kind: str) -> dg.AssetSpec:
    schema = ACCEPTED_SCHEMA if key == VALIDATED_EVENTS else QUARANTINED_SCHEMA
    return dg.AssetSpec(
        key,
        deps=[RAW_EVENTS],
        group_name="lake",
        kinds={"parquet", kind},
        owners=OWNERS,
        description=description,
        metadata={"dagster/column_schema": _column_schema(schema)},
    )


def _column_schema(schema: pl.Schema) -> dg.TableSchema:
    descriptions = {field.name: field.description for field in FIELDS}
    return dg.TableSchema(
        [
            dg.TableColumn(name, str(kind), description=descriptions.get(name))
            for name, kind in schema.items()
        ]
    )


def _metadata(
    settings: SequenSettings, drained: Drained, folder: str
) -> dict[str, dg.MetadataValue | int | float | str]:
    return {
        "dagster/uri": dg.MetadataValue.path(str(settings.home / "lake" / folder)),
        "files": len(drained.batches),
        "commits": len(drained.commits),
        "bytes": sum(batch.file_bytes for batch in drained.batches),
        "records_read": drained.books.records_read,
        "accepted": drained.books.accepted,
        "quarantined": drained.books.quarantined,
    }


def _replay_metadata(replayed: Replayed) -> dict[str, dg.MetadataValue | int]:
    left = [f"{one.path!r}: {one.reason}" for one in replayed.left[:20]]
    return {
        JUDGED_AGAIN: len(replayed.batches),
        LEFT_AS_JUDGED: len(replayed.left),
        LEFT_PATHS: dg.MetadataValue.json(left),
    }


def _checks(
    settings: SequenSettings,
    drained: Drained,
    replayed: Replayed,
    failures: tuple[FileFailure, ...],
) -> list[dg.AssetCheckResult]:
    batches = [*replayed.batches, *drained.batches]
    books = sum((batch.books for batch in batches), Books())
    judged = books.accepted + books.quarantined
    is_enough = 100 * books.accepted >= settings.min_accepted_percent * judged
    return [
        dg.AssetCheckResult(
            check_name="files_read",
            passed=not failures,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "failed_files": len(failures),
                "reasons": [f"{one.path!r}: {one.reason}" for one in failures[:20]],
            },
        ),
        dg.AssetCheckResult(
            check_name="books_balance",
            passed=all(batch.books.is_balanced for batch in batches),
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"records_read": books.records_read, "blank_lines": books.blank_lines},
        ),
        dg.AssetCheckResult(
            check_name="accepted_share",
            passed=is_enough,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "accepted_percent": 100 * books.accepted / judged if judged else 100.0,
                "min_accepted_percent": settings.min_accepted_percent,
            },
        ),
    ]


def _report(done: int, total: int, path: str) -> None:
    report("lake", f"{done}/{total} {path}")
