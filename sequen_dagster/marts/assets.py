"""Marts: the dbt models as Dagster assets, fed from the lake in the same step."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from sequen_dagster.home.layout import Home
from sequen_dagster.home.locks import writer_lock
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.lake.assets import retry_policy
from sequen_dagster.marts.builds import (
    Build,
    begin_build,
    drop_former_tables,
    finish_build,
    why_stale,
)
from sequen_dagster.marts.compaction import compact
from sequen_dagster.marts.conditions import TABLES
from sequen_dagster.marts.config import MartsConfig
from sequen_dagster.marts.dbt import dbt_of
from sequen_dagster.marts.dbt_tests import describe_test
from sequen_dagster.marts.overrides import check_overrides
from sequen_dagster.marts.project import (
    model_names,
    tables_fingerprint,
    vars_arguments,
    write_profile,
)
from sequen_dagster.marts.translator import SequenTranslator
from sequen_dagster.marts.warehouse import (
    connect,
    load_commits,
    row_counts,
)
from sequen_dagster.names import NAMES
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.progress import emit
from sequen_dagster.settings import SequenSettings

# What dagster_dbt says of a test; absent where the test could not be run.
_FAILED_ROWS = "dagster_dbt/failed_row_count"


def build_marts_assets(settings: SequenSettings, manifest: Path) -> dg.AssetsDefinition:
    """The dbt models as assets of one step that loads new commits first.

    Args:
        settings: the home, and the marts' settings.
        manifest: from `manifest_path`.

    Returns:
        Assets with an edge from the lake's assets, and dbt's tests as asset checks.

    Raises:
        SettingsError: an attribute of completeness is not whole.
    """
    check_overrides(settings)

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=SequenTranslator(settings),
        name=NAMES.marts_op,
        pool=NAMES.writer_pool,
        exclude="resource_type:unit_test",
        retry_policy=retry_policy(settings),
    )
    def marts(
        context: dg.AssetExecutionContext, config: MartsConfig
    ) -> Iterator[Any]:  # Any: the events of dagster_dbt
        home = Home(settings.home)
        locked = writer_lock(home, timeout_seconds=settings.lock_timeout_seconds)
        with locked, owner_only_files():
            write_profile(settings)
            _load(context, settings)
            fingerprint = tables_fingerprint(settings)
            with connect(settings) as warehouse:
                if NAMES.automation_tag in context.run.tags and not why_stale(
                    warehouse, fingerprint
                ):
                    # Another run was faster, one that a person has started or the daily one.
                    context.log.info("the tables are those of all commits; nothing to build")
                    return
                build = begin_build(warehouse, fingerprint, is_full=config.full_refresh)
                if build.is_full:
                    drop_former_tables(warehouse, model_names(manifest))
            fail_point("marts.build_begun")
            context.log.info("build %d: %s", build.number, build.kind)
            emit("marts", build.kind)
            calls = _calls(context, settings, build, is_whole=config.test_whole_tables)
            yield from _build_tables(context, settings, calls, build)

    return marts


def _load(context: dg.AssetExecutionContext, settings: SequenSettings) -> None:
    started = time.perf_counter()
    loaded = load_commits(settings)
    context.log.info(
        "loaded %d commits: %d batches, %d events in %.1f s",
        loaded.commits,
        loaded.batches,
        loaded.events,
        time.perf_counter() - started,
    )


def _calls(
    context: dg.AssetExecutionContext, settings: SequenSettings, build: Build, *, is_whole: bool
) -> Iterator[DbtCliInvocation]:
    """The calls of dbt that make up a build; each begins when the one before has ended."""
    full_refresh = ["--full-refresh"] if build.is_full else []
    # In `dbt build` tests look at what the build changed, in `dbt test` at whole tables.
    no_tests = ["--exclude-resource-type", "test"] if is_whole else []
    commands = [["build", *full_refresh, *no_tests], *([["test"]] if is_whole else [])]
    for command in commands:
        yield dbt_of(Home(settings.home)).cli(
            [*command, *vars_arguments(settings)],
            context=context,
            target_path=Home(settings.home).dbt.target,
        )


def _build_tables(
    context: dg.AssetExecutionContext,
    settings: SequenSettings,
    calls: Iterable[DbtCliInvocation],
    build: Build,
) -> Iterator[Any]:
    """Pass on the events of dbt as they come, finish the build, and count the rows.

    The events of the table that conditions look at come last: until then the build counts as in
    progress, and no publication is asked for. Rows are counted at the end, since only one process
    may have the database open. (The counts of dagster_dbt keep a connection of their own to it,
    which shuts out the next writer here.)
    """
    tables: dict[dg.AssetKey, str] = {}
    last: list[Any] = []
    failure = None
    try:
        for event in _stream_events(Home(settings.home).warehouse, calls, build):
            key = _asset_of(context, event)
            if isinstance(event, dg.Output) and key is not None:
                tables[key] = key.path[-1]
            if key == TABLES:
                last.append(event)
            else:
                yield event
    except DagsterDbtCliRuntimeError as error:
        # What was built before the failure is reported all the same.
        failure = error
    fail_point("marts.built")
    with connect(settings) as warehouse:
        # After a build of some tables only, the others have yet to be recomputed.
        if failure is None and not context.is_subset:
            finish_build(warehouse, build)
        counts = row_counts(warehouse)
    fail_point("marts.build_finished")
    if failure is None and not context.is_subset and compact(settings):
        emit("marts", "compacted the warehouse")
    for key, table in tables.items():
        if table in counts:
            yield dg.AssetObservation(key, metadata={"dagster/row_count": counts[table]})
    yield from last
    if failure is not None:
        # A model or a test that fails, fails again; only a lock is worth another try.
        raise dg.Failure(str(failure), allow_retries=False) from failure


def _stream_events(
    warehouse: Path, calls: Iterable[DbtCliInvocation], build: Build
) -> Iterator[Any]:
    """The events of calls of dbt; tables with the file that they are in and the kind of build."""
    uri = dg.MetadataValue.path(str(warehouse))
    for event in (event for call in calls for event in call.stream()):
        if isinstance(event, dg.Output):
            emit("marts", event.output_name)
            yield event.with_metadata(
                {**event.metadata, "dagster/uri": uri, NAMES.build_metadata: build.kind}
            )
        elif isinstance(event, dg.AssetCheckResult):
            yield _with_description(event)
        else:
            yield event


def _with_description(result: dg.AssetCheckResult) -> dg.AssetCheckResult:
    """The result of a dbt test, which dagster_dbt gives without a word."""
    rows = result.metadata.get(_FAILED_ROWS)
    description = describe_test(
        str(result.check_name),
        result.asset_key.path[-1] if result.asset_key else "the tables",
        is_passed=result.passed,
        failed_rows=rows.value if isinstance(rows, dg.IntMetadataValue) else None,
    )
    return result._replace(description=description)


def _asset_of(context: dg.AssetExecutionContext, event: object) -> dg.AssetKey | None:
    """The asset that an event of dbt is about."""
    found: dg.AssetKey | None = (
        context.asset_key_for_output(event.output_name)
        if isinstance(event, dg.Output)
        else getattr(event, "asset_key", None)
    )
    return found
