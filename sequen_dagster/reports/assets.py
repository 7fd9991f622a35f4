"""Reports: the snapshot, the report, dbt's docs and the training set as Dagster assets."""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from sequen_dagster.errors import ReportError, UnfinishedTablesError
from sequen_dagster.graph import Graph, KeyOf
from sequen_dagster.home.layout import Home
from sequen_dagster.home.locks import writer_lock
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.lake.assets import retry_policy
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.checks import observed_warehouse
from sequen_dagster.marts.conditions import LAST_TABLE, publication_condition
from sequen_dagster.names import Names
from sequen_dagster.reports.checks import check_report, report_checks
from sequen_dagster.reports.dbt_docs import copy_readme, write_docs
from sequen_dagster.reports.options import report_options
from sequen_dagster.reports.publish import publish
from sequen_dagster.reports.reading import read_report
from sequen_dagster.reports.rendering import overall
from sequen_dagster.reports.training import columns_in_files, write_training_set
from sequen_dagster.runtime.progress import emit
from sequen_dagster.runtime.progress_lines import logging_progress
from sequen_dagster.settings import SequenSettings


def reports_specs(
    settings: SequenSettings, names: Names, catalog: TableCatalog, key_of: KeyOf
) -> list[dg.AssetSpec]:
    """The assets that people open, but for the tables.

    Args:
        settings: the home, the owners, what is published.
        names: of the pipeline.
        catalog: the tables of the dbt project.
        key_of: gives the key of an asset.
    """
    serving = Home(settings.home).serving
    condition = publication_condition(settings, names, key_of)

    def spec(
        name: str,
        description: str,
        *,
        deps: Iterable[str],
        kinds: set[str],
        place: Path,
        column_schema: dg.TableSchema | None = None,
        freshness_policy: dg.FreshnessPolicy | None = None,
    ) -> dg.AssetSpec:
        schema = {"dagster/column_schema": column_schema} if column_schema else {}
        return dg.AssetSpec(
            name,
            deps=sorted(map(key_of, deps)),
            group_name=names.group("reports"),
            kinds=kinds,
            owners=list(settings.owners),
            tags={names.access_tag: "public"},
            metadata={**_place_of(place), **schema},
            description=description,
            automation_condition=condition,
            freshness_policy=freshness_policy,
        )

    published_snapshot = spec(
        names.published_snapshot,
        "`serving/sequen.duckdb`: all public tables in a file of its own, replaced in one step, "
        "that analysts may open at any time.",
        deps=catalog.public,
        kinds={"duckdb"},
        place=serving.snapshot,
        freshness_policy=dg.FreshnessPolicy.time_window(
            # Half a policy is none: Dagster asks for a window in which it fails.
            warn_window=timedelta(hours=settings.fresh_within_hours),
            fail_window=timedelta(hours=7 * settings.fresh_within_hours),
        ),
    )
    completeness_report = spec(
        names.completeness_report,
        "`serving/report.html`, and beside it JSON, Markdown, CSV, a badge and a picture: the "
        "tier of the data, what to fix first, what it is ready for, and the evidence.",
        deps=[names.published_snapshot],
        kinds={"html", "json", "markdown"},
        place=serving.report_html,
    )
    training_set = spec(
        names.training_set,
        "`serving/training/manifest.json` and the Parquet files that it names: every "
        "impression with what was known when it was shown, what followed, and a split that "
        "leaks neither visitors nor time.",
        deps=[names.published_snapshot],
        kinds={"parquet", "duckdb"},
        place=serving.training_manifest,
        column_schema=_training_schema(catalog),
    )
    dbt_docs = spec(
        names.dbt_docs,
        "`serving/docs/index.html`: dbt's docs of all tables, columns and rules, as one page "
        "that needs no server; rebuilt where what it shows has changed.",
        deps=[names.published_snapshot],
        kinds={"dbt"},
        place=serving.docs,
    )
    docs = [dbt_docs] if settings.dbt_docs else []
    return [published_snapshot, completeness_report, training_set, *docs]


def build_reports_assets(
    settings: SequenSettings, catalog: TableCatalog, graph: Graph
) -> list[dg.AssetsDefinition]:
    """The steps that make what people open.

    Args:
        settings: the home.
        catalog: the tables of the dbt project.
        graph: the assets.

    Returns:
        The snapshot, and what is made from it.
    """
    return [
        _published_snapshot(settings, catalog, graph),
        _completeness_report(settings, graph),
        _training_set(settings, catalog, graph),
        *([_dbt_docs(settings, graph)] if settings.dbt_docs else []),
    ]


def _locked_step(
    settings: SequenSettings, graph: Graph, asset: str
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorate what makes one asset while it has the writer's lock."""
    return dg.multi_asset(
        name=graph.names.step(asset),
        specs=[graph.specs[asset]],
        pool=graph.names.writer_pool,
        op_tags=graph.op_tags,
        retry_policy=retry_policy(settings),
    )


def _published_snapshot(
    settings: SequenSettings, catalog: TableCatalog, graph: Graph
) -> dg.AssetsDefinition:
    names = graph.names

    @_locked_step(settings, graph, names.published_snapshot)
    @graph.step
    def published_snapshot(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None]]:
        started = time.perf_counter()
        _name_publication(context, graph)
        home = Home(settings.home)
        locked = writer_lock(home, timeout_seconds=settings.lock_timeout_seconds)
        saying = logging_progress(context.log.info, "reports", "copying the public tables")
        with saying, locked, owner_only_files():
            try:
                published = publish(settings, catalog.tables, catalog.views, catalog.keys)
            except UnfinishedTablesError as error:
                # It would be refused again.
                raise dg.Failure(str(error), allow_retries=False) from error
            copy_readme(Home(settings.home).serving)
        context.log.info("published snapshot: %s", published.how)
        emit("reports", "published snapshot")
        # All tables together are seen here, and by no run alone: a build may be of some of them.
        context.instance.report_runless_asset_event(
            observed_warehouse(graph.key(names.warehouse), home, tables=len(published.row_counts))
        )
        yield dg.MaterializeResult(
            metadata={
                **_place_of(published.path),
                "tables": len(published.row_counts),
                "rows": sum(published.row_counts.values()),
                "how": published.how,
                "bytes": published.path.stat().st_size,
                "seconds": round(time.perf_counter() - started, 1),
            }
        )

    return published_snapshot


def _completeness_report(settings: SequenSettings, graph: Graph) -> dg.AssetsDefinition:
    names = graph.names
    spec = graph.specs[names.completeness_report]

    @dg.multi_asset(
        name=names.step(names.completeness_report),
        specs=[spec],
        check_specs=graph.checks(report_checks(spec.key)),
        # Each check can be asked for alone, and then looks at the report that is there.
        can_subset=True,
        op_tags=graph.op_tags,
        retry_policy=retry_policy(settings),
    )
    @graph.step
    def completeness_report(
        context: dg.AssetExecutionContext,
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        # Charts and templates take a second to import, which only a step needs.
        from sequen_dagster.reports.files import make_report

        started = time.perf_counter()
        home = Home(settings.home)
        if context.selected_asset_keys:
            with logging_progress(context.log.info, "reports", "computing the report"):
                written = make_report(home, report_options(settings), run_id=context.run.run_id)
            emit("reports", "completeness report")
            numbers = written.numbers
            yield dg.MaterializeResult(
                metadata={
                    **_place_of(written.page),
                    "report": dg.MetadataValue.md(written.markdown),
                    "seconds": round(time.perf_counter() - started, 1),
                    **_collect_plotted_numbers(numbers),
                }
            )
        else:
            numbers = _read_existing_report(home)
        yield from check_report(
            {key.name for key in context.selected_asset_check_keys},
            numbers,
            home.serving.report_html,
        )

    return completeness_report


def _read_existing_report(home: Home) -> dict[str, Any]:  # Any: the report's JSON
    try:
        return read_report(home)
    except ReportError as error:
        # It will not come by waiting.
        raise dg.Failure(str(error), allow_retries=False) from error


def _name_publication(context: dg.AssetExecutionContext, graph: Graph) -> None:
    """Correct the tag of a run of the automation, which gives builds and publications the same."""
    names = graph.names
    is_build = graph.key(LAST_TABLE) in (context.run.asset_selection or ())
    if names.automation_tag in context.run.tags and not is_build:
        context.instance.add_run_tags(context.run.run_id, {names.run_tag: "publish"})


def _place_of(path: Path) -> dict[str, dg.MetadataValue]:
    """Where a file is, as a text, which is all that Dagster shows of its own key, and as a link.

    A browser follows no link from a page of Dagster to a file, but opens one that is copied.
    """
    return {
        "dagster/uri": dg.MetadataValue.text(str(path.absolute())),
        "link": dg.MetadataValue.url(path.absolute().as_uri()),
    }


def _collect_plotted_numbers(
    numbers: dict[str, Any],
) -> dict[str, int | float | str]:  # Any: the report's JSON
    """Numbers that Dagster plots over time."""
    whole = overall(numbers)
    return {
        "tier_reached": whole["name"],
        **{f"{tier['tier']}_score": round(tier["score"], 4) for tier in whole["tiers"]},
        "events": numbers["events"]["events"],
        "accepted": numbers["record_counts"]["accepted"],
        "quarantined": numbers["record_counts"]["quarantined"],
        "fixes": sum(fix["source"] == "(all)" for fix in numbers["fixes"]),
        "volume_drops": len(numbers["volume_drops"]),
    }


def _dbt_docs(settings: SequenSettings, graph: Graph) -> dg.AssetsDefinition:
    names = graph.names

    @_locked_step(settings, graph, names.dbt_docs)
    @graph.step
    def dbt_docs(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        started = time.perf_counter()
        home = Home(settings.home)
        locked = writer_lock(home, timeout_seconds=settings.lock_timeout_seconds)
        saying = logging_progress(context.log.info, "reports", "writing dbt's docs")
        with saying, locked, owner_only_files():
            docs = write_docs(settings)
        seconds = time.perf_counter() - started
        done = "rebuilt" if docs.is_rebuilt else "left, since nothing they show has changed"
        context.log.info("dbt docs %s, in %.1f s", done, seconds)
        emit("reports", "dbt docs")
        yield dg.MaterializeResult(
            metadata={
                **_place_of(docs.path),
                "bytes": docs.path.stat().st_size,
                "seconds": round(seconds, 1),
                "is_rebuilt": docs.is_rebuilt,
            }
        )

    return dbt_docs


def _training_schema(catalog: TableCatalog) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, column.type, description=column.description)
            for column in columns_in_files(catalog.columns["training_impressions"])
        ]
    )


def _training_set(
    settings: SequenSettings, catalog: TableCatalog, graph: Graph
) -> dg.AssetsDefinition:
    names = graph.names
    columns = catalog.columns["training_impressions"]

    # Not for the warehouse, but for the lock that keeps it apart from an erasure.
    @_locked_step(settings, graph, names.training_set)
    @graph.step
    def training_set(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        started = time.perf_counter()
        home = Home(settings.home)
        locked = writer_lock(home, timeout_seconds=settings.lock_timeout_seconds)
        saying = logging_progress(context.log.info, "reports", "writing the training set")
        with saying, locked, owner_only_files():
            written = write_training_set(
                Home(settings.home).serving, report_options(settings), columns
            )
        emit("reports", "training set")
        yield dg.MaterializeResult(
            metadata={
                **_place_of(written.path),
                "dagster/row_count": sum(written.row_counts.values()),
                **{f"{split}_rows": rows for split, rows in written.row_counts.items()},
                "bytes": written.manifest["bytes"],
                "files": len(written.manifest["files"]),
                "files_written": written.files_written,
                "seconds": round(time.perf_counter() - started, 1),
            }
        )

    return training_set
