"""Lake: `validated_events` and `quarantined_events`, one step that drains the exports places."""

import time
from collections.abc import Iterator

import dagster as dg
import polars as pl

from sequen_dagster.contract import ACCEPTED_SCHEMA, QUARANTINED_SCHEMA
from sequen_dagster.exports.assets import OWNERS, RAW_EVENTS
from sequen_dagster.fields import FIELDS
from sequen_dagster.lake.drain import Drained, drain
from sequen_dagster.progress import report
from sequen_dagster.settings import SequenSettings

VALIDATED_EVENTS = dg.AssetKey("validated_events")
QUARANTINED_EVENTS = dg.AssetKey("quarantined_events")
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
    def lake(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        started = time.perf_counter()
        drained = drain(settings, run_id=context.run.run_id, progress=_report)
        seconds = time.perf_counter() - started
        for failure in drained.failures:
            context.log.warning("file %r was not read: %s", failure.path, failure.reason)
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
            metadata={**_metadata(settings, drained, "events"), "seconds": seconds},
            check_results=_checks(settings, drained),
        )
        yield dg.MaterializeResult(
            asset_key=QUARANTINED_EVENTS,
            metadata=_metadata(settings, drained, "quarantine"),
        )

    return lake


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


def _checks(settings: SequenSettings, drained: Drained) -> list[dg.AssetCheckResult]:
    books = drained.books
    judged = books.accepted + books.quarantined
    is_enough = 100 * books.accepted >= settings.min_accepted_percent * judged
    return [
        dg.AssetCheckResult(
            check_name="files_read",
            passed=not drained.failures,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "failed_files": len(drained.failures),
                "reasons": [f"{one.path!r}: {one.reason}" for one in drained.failures[:20]],
            },
        ),
        dg.AssetCheckResult(
            check_name="books_balance",
            passed=all(batch.books.is_balanced for batch in drained.batches),
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
