"""Reports: `published_snapshot`, `completeness_report` and `training_set` as Dagster assets."""

import time
from collections.abc import Iterable
from datetime import timedelta

import dagster as dg

from sequen_dagster.exports.assets import OWNERS
from sequen_dagster.lake.assets import retry_policy
from sequen_dagster.marts.assets import POOL
from sequen_dagster.marts.conditions import publication_condition
from sequen_dagster.marts.warehouse import writer_lock
from sequen_dagster.private import private_files
from sequen_dagster.progress import report
from sequen_dagster.reports.markdown import render_markdown
from sequen_dagster.reports.publish import publish, serving_dir
from sequen_dagster.reports.summary import summarize, write_in_place, write_report
from sequen_dagster.reports.training import write_training_set
from sequen_dagster.reports.training_columns import COLUMNS
from sequen_dagster.settings import SequenSettings

PUBLISHED_SNAPSHOT = dg.AssetKey("published_snapshot")
COMPLETENESS_REPORT = dg.AssetKey("completeness_report")
TRAINING_SET = dg.AssetKey("training_set")


def build_reports_assets(
    settings: SequenSettings, *, tables: Iterable[dg.AssetKey]
) -> list[dg.AssetsDefinition]:
    """The assets that people open.

    Args:
        settings: the home.
        tables: keys of the public tables, which the snapshot holds.

    Returns:
        The snapshot, and what is made from it.
    """
    return [
        _published_snapshot(settings, tables),
        _completeness_report(settings),
        _training_set(settings),
    ]


def _published_snapshot(
    settings: SequenSettings, tables: Iterable[dg.AssetKey]
) -> dg.AssetsDefinition:
    @dg.asset(
        key=PUBLISHED_SNAPSHOT,
        deps=sorted(tables),
        group_name="reports",
        kinds={"duckdb"},
        owners=OWNERS,
        pool=POOL,
        freshness_policy=dg.FreshnessPolicy.time_window(
            # Half a policy is none: Dagster asks for a window in which it fails.
            warn_window=timedelta(hours=settings.fresh_within_hours),
            fail_window=timedelta(hours=7 * settings.fresh_within_hours),
        ),
        description=(
            "`serving/sequen.duckdb`: all public tables in a file of its own, replaced in one "
            "step, that analysts may open at any time."
        ),
        automation_condition=publication_condition(settings),
        retry_policy=retry_policy(settings),
    )
    def published_snapshot() -> dg.MaterializeResult[None]:
        started = time.perf_counter()
        with writer_lock(settings), private_files():
            published = publish(settings)
        report("reports", "published snapshot")
        return dg.MaterializeResult(
            metadata={
                "dagster/uri": dg.MetadataValue.path(str(published.path)),
                "tables": len(published.row_counts),
                "rows": sum(published.row_counts.values()),
                "bytes": published.path.stat().st_size,
                "seconds": time.perf_counter() - started,
            }
        )

    return published_snapshot


def _completeness_report(settings: SequenSettings) -> dg.AssetsDefinition:
    @dg.asset(
        key=COMPLETENESS_REPORT,
        deps=[PUBLISHED_SNAPSHOT],
        group_name="reports",
        kinds={"markdown", "json"},
        owners=OWNERS,
        description="`serving/report.json` and `report.md`: tiers of data, books, sessions, links.",
        automation_condition=publication_condition(settings),
        retry_policy=retry_policy(settings),
    )
    def completeness_report() -> dg.MaterializeResult[None]:
        summary = summarize(settings)
        text = render_markdown(summary)
        with private_files():
            path = write_report(settings, summary)
            write_in_place(serving_dir(settings) / "report.md", text)
        report("reports", "completeness report")
        overall = {tier["tier"]: tier for tier in summary["tiers"] if tier["source"] == "(all)"}
        return dg.MaterializeResult(
            metadata={
                "dagster/uri": dg.MetadataValue.path(str(path)),
                "report": dg.MetadataValue.md(text),
                **{f"{name}_score": tier["score"] for name, tier in overall.items()},
                **{f"{name}_reached": tier["is_reached"] for name, tier in overall.items()},
            }
        )

    return completeness_report


def _training_set(settings: SequenSettings) -> dg.AssetsDefinition:
    columns = [
        dg.TableColumn(column.name, column.type, description=column.description)
        for column in COLUMNS
    ]

    @dg.asset(
        key=TRAINING_SET,
        deps=[PUBLISHED_SNAPSHOT],
        group_name="reports",
        kinds={"parquet", "duckdb"},
        owners=OWNERS,
        # Not for the warehouse, but for the lock that keeps it apart from somebody who erases.
        pool=POOL,
        metadata={"dagster/column_schema": dg.TableSchema(columns=columns)},
        description=(
            "`serving/training/impressions.parquet`: every impression with what was known when it "
            "was shown, what followed, and a split that leaks neither visitors nor time."
        ),
        automation_condition=publication_condition(settings),
        retry_policy=retry_policy(settings),
    )
    def training_set() -> dg.MaterializeResult[None]:
        started = time.perf_counter()
        with writer_lock(settings), private_files():
            written = write_training_set(settings)
        report("reports", "training set")
        return dg.MaterializeResult(
            metadata={
                "dagster/uri": dg.MetadataValue.path(str(written.path)),
                "dagster/row_count": sum(written.row_counts.values()),
                **{f"{split}_rows": rows for split, rows in written.row_counts.items()},
                "bytes": written.path.stat().st_size,
                "seconds": time.perf_counter() - started,
            }
        )

    return training_set
