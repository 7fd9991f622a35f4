"""Marts: the dbt models as Dagster assets, fed from the lake in the same step."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg
import duckdb

from sequen_dagster.compat.dagster_dbt_calls import read_as_dagster, selection_arguments
from sequen_dagster.errors import BuildError
from sequen_dagster.graph import Graph
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
from sequen_dagster.marts.compaction import compact, has_rows_to_compact
from sequen_dagster.marts.conditions import LAST_TABLE
from sequen_dagster.marts.config import MartsConfig
from sequen_dagster.marts.dbt import stream_dbt
from sequen_dagster.marts.dbt_tests import BrokenRule, describe_test, read_broken_rules
from sequen_dagster.marts.folding import fold_steps
from sequen_dagster.marts.overrides import check_overrides
from sequen_dagster.marts.project import (
    Manifest,
    model_names,
    relation_names,
    tables_fingerprint,
    write_profile,
)
from sequen_dagster.marts.translator import ModelTranslator, OwnModels, build_specs
from sequen_dagster.marts.warehouse import (
    connect,
    load_commits,
    row_counts,
)
from sequen_dagster.names import NAMES
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.progress import emit
from sequen_dagster.runtime.progress_lines import (
    LOG_EVERY_SECONDS,
    ProgressLines,
    logging_progress,
)
from sequen_dagster.settings import SequenSettings

# How the metadata of tables calls it where no build has begun.
_SELECTION: Final = "selected tables, from the last finished build"
# What dagster_dbt says of a test; absent where the test could not be run.
_FAILED_ROWS = "dagster_dbt/failed_row_count"


# Why something that people open is not of the last finished build; empty where all is.
WhyOutdated = Callable[[duckdb.DuckDBPyConnection, SequenSettings], str]


@dataclass(frozen=True)
class _Project:
    """What dbt builds, where, and how Dagster sees it.

    Attributes:
        settings: the home, and the marts' settings.
        manifest: all that dbt builds.
        shown: the manifest with those models that are assets.
        graph: the assets.
        translator: says which asset a model is, where dagster_dbt asks.
    """

    settings: SequenSettings
    manifest: Manifest
    shown: Manifest
    graph: Graph
    translator: ModelTranslator

    @property
    def steps(self) -> Set[str]:
        """Nodes that dbt builds, and Dagster does not see."""
        return set(self.manifest["nodes"]) - set(self.shown["nodes"])


def shown_manifest(settings: SequenSettings, manifest: Manifest) -> Manifest:
    """Dbt's manifest with the steps that are assets, or without any, as the settings say."""
    return manifest if settings.steps_as_assets else fold_steps(manifest)


def build_marts_assets(
    settings: SequenSettings,
    manifest: Manifest,
    models: OwnModels,
    graph: Graph,
    *,
    why_outdated: WhyOutdated,
) -> dg.AssetsDefinition:
    """The dbt models as assets of one step that loads new commits first.

    Stale tables are built all together, whatever is selected: built apart, a table would miss what
    has changed in those that it stands on. A selection of current tables is built from the last
    finished build. A check that is selected alone looks at the tables as they are. Where all is
    selected and nothing is new, no table is built and nothing is published.

    Args:
        settings: the home, and the marts' settings.
        manifest: from `load_manifest`.
        models: the models that are assets.
        graph: the assets.
        why_outdated: why something that is made of the tables is not of the last finished build.

    Returns:
        Assets with an edge from the lake's assets, and dbt's tests as asset checks.

    Raises:
        SettingsError: an attribute of completeness is not whole.
    """
    check_overrides(settings)
    names = graph.names
    translator = ModelTranslator(models, graph)
    project = _Project(settings, manifest, models.manifest, graph, translator)
    specs, check_specs = build_specs(project.shown, translator)

    @dg.multi_asset(
        name=names.marts_op,
        specs=specs,
        check_specs=check_specs,
        can_subset=True,
        allow_arbitrary_check_specs=True,
        pool=names.writer_pool,
        op_tags=graph.op_tags,
        retry_policy=retry_policy(settings),
    )
    @graph.step
    def marts(
        context: dg.AssetExecutionContext, config: MartsConfig
    ) -> Iterator[Any]:  # Any: the events of dagster_dbt
        home = Home(settings.home)
        locked = writer_lock(home, timeout_seconds=settings.lock_timeout_seconds)
        with locked, owner_only_files():
            write_profile(settings)
            if not context.selected_asset_keys:
                _check_tables_exist(settings)
                yield from _run_dbt(context, project, [["test"]])
                return
            emit("marts", "loading commits")
            with logging_progress(context.log.info, "marts", "loading commits"):
                _load(context, settings)
            is_asked_for = config.full_refresh or config.test_whole_tables or context.is_subset
            if not is_asked_for and not _why_anything(project, why_outdated):
                context.log.info("nothing is new: no table is built, and nothing published")
                emit("marts", "nothing is new")
                return
            may_be_current = context.is_subset or names.automation_tag in context.run.tags
            build = _begin_build(
                settings, manifest, is_full=config.full_refresh, if_stale=may_be_current
            )
            if build is None:
                yield from _build_selection(context, project, config)
                return
            fail_point("marts.build_begun")
            context.log.info("build %d: %s", build.number, build.kind)
            emit("marts", build.kind)
            commands = _build_commands(is_full=build.is_full, is_whole=config.test_whole_tables)
            events = _call_dbt(context, project, commands, is_whole=context.is_subset)
            yield from _build_tables(context, project, events, build)

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


def _why_anything(project: _Project, why_outdated: WhyOutdated) -> str:
    """Why a full run has something to do; empty where it has nothing."""
    relations = relation_names(project.manifest)
    fingerprint = tables_fingerprint(project.settings)
    with connect(project.settings) as warehouse:
        if has_rows_to_compact(warehouse):
            return "rows were deleted, and are still in the file"
        return why_stale(warehouse, fingerprint, relations) or why_outdated(
            warehouse, project.settings
        )


def _begin_build(
    settings: SequenSettings, manifest: Manifest, *, is_full: bool, if_stale: bool
) -> Build | None:
    """Begin a build; with `if_stale` only where the tables are not those of all commits."""
    fingerprint = tables_fingerprint(settings)
    with connect(settings) as warehouse:
        if if_stale and not is_full:
            reason = why_stale(warehouse, fingerprint, relation_names(manifest))
            if not reason:
                return None
        build = begin_build(warehouse, fingerprint, is_full=is_full)
        if build.is_full:
            drop_former_tables(warehouse, model_names(manifest))
    return build


def _check_tables_exist(settings: SequenSettings) -> None:
    """Refuse to test what is not there; tables of a build that failed may be tested again."""
    with connect(settings) as warehouse:
        if row_counts(warehouse):
            return
    message = (
        "There are no tables to check yet. Materialize the tables, all of them or any one, or call "
        "`sequen-dagster run`."
    )
    raise dg.Failure(message, allow_retries=False)


def _build_selection(
    context: dg.AssetExecutionContext, project: _Project, config: MartsConfig
) -> Iterator[Any]:  # Any: the events of dagster_dbt
    """Build the selected tables from the last finished build, which has seen all commits."""
    if project.graph.names.automation_tag in context.run.tags:
        # Another run was faster, one that a person has started or the daily one.
        context.log.info("the tables are those of all commits; nothing to build")
        return
    context.log.info("the tables are those of all commits; the selected ones are built again")
    commands = _build_commands(is_full=False, is_whole=config.test_whole_tables)
    yield from _run_dbt(context, project, commands)


def _run_dbt(
    context: dg.AssetExecutionContext, project: _Project, commands: Iterable[Sequence[str]]
) -> Iterator[Any]:  # Any: the events of dagster_dbt
    """Pass on the events of calls that begin no build: the tables stay those of the last one."""
    events = _call_dbt(context, project, commands)
    try:
        yield from _with_metadata(context, project, events, _SELECTION)
    except BuildError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _build_commands(*, is_full: bool, is_whole: bool) -> list[list[str]]:
    """The calls of dbt that make up a build.

    In `dbt build` tests look at what the build changed, in `dbt test` at whole tables.
    """
    full_refresh = ["--full-refresh"] if is_full else []
    no_tests = ["--exclude-resource-type", "test"] if is_whole else []
    return [["build", *full_refresh, *no_tests], *([["test"]] if is_whole else [])]


def _call_dbt(
    context: dg.AssetExecutionContext,
    project: _Project,
    commands: Iterable[Sequence[str]],
    *,
    is_whole: bool = False,
) -> Iterator[Any]:  # Any: the events of dagster_dbt
    """Call dbt, one command after the other, and pass on what it says as events of Dagster.

    Args:
        context: of the step; its selection is the call's.
        project: what dbt builds.
        commands: what dbt is asked to do.
        is_whole: whether the selection counts for nothing.
    """
    settings, shown, translator = project.settings, project.shown, project.translator
    steps = project.steps
    selection = [] if is_whole else selection_arguments(context, shown, translator)
    for command in commands:
        # dbt's unit tests belong to the tests of the project: on a warehouse they fail.
        arguments = [*command, "--exclude-resource-type", "unit_test", *selection]
        ended = 0
        for event in stream_dbt(settings, arguments):
            # Goes where Dagster keeps the output of a step.
            sys.stdout.write(event["info"]["msg"] + "\n")
            sys.stdout.flush()
            if not event["data"]:
                continue
            ended += 1
            result, node = event["data"], event["data"]["node_info"]
            # A test calls the number of all nodes otherwise.
            total = result.get("total") or result["num_models"]
            emit("marts", f"{ended}/{total} {node['node_name']}")
            if node["unique_id"] in steps:
                continue
            yield from read_as_dagster(
                event,
                shown,
                translator,
                None if is_whole else context,
                Home(settings.home).dbt.target,
            )


def _build_tables(
    context: dg.AssetExecutionContext,
    project: _Project,
    events: Iterator[Any],
    build: Build,
) -> Iterator[Any]:  # Any: the events of dagster_dbt
    """Pass on the events of dbt as they come, finish the build, and count the rows.

    The events of the table that conditions look at come last, and only of a build that ran through:
    until then the build counts as in progress, and no publication is asked for. Rows are counted at
    the end, since dbt has the database open until then.
    """
    settings, graph = project.settings, project.graph
    tables: dict[dg.AssetKey, str] = {}
    last: list[Any] = []
    failure = None
    try:
        for event in _with_metadata(context, project, events, build.kind):
            key = _asset_of(context, event)
            if isinstance(event, dg.Output | dg.AssetMaterialization) and key is not None:
                tables[key] = graph.name(key)
            if key == graph.key(LAST_TABLE):
                last.append(event)
            else:
                yield from _fit_selection(context, event)
    except BuildError as error:
        # What was built before the failure is reported all the same.
        failure = error
    fail_point("marts.built")
    with connect(settings) as warehouse:
        if failure is None:
            finish_build(warehouse, build)
        counts = row_counts(warehouse)
    fail_point("marts.build_finished")
    if failure is None and compact(settings):
        emit("marts", "compacted the warehouse")
    for key, table in tables.items():
        if table in counts:
            yield dg.AssetObservation(key, metadata={"dagster/row_count": counts[table]})
    if failure is not None:
        # A model or a test that fails, fails again; only a lock is worth another try.
        raise dg.Failure(str(failure), allow_retries=False) from failure
    for event in last:
        yield from _fit_selection(context, event)


def _with_metadata(
    context: dg.AssetExecutionContext, project: _Project, events: Iterator[Any], kind: str
) -> Iterator[Any]:  # Any: the events of dagster_dbt
    """The events of dbt; tables with the file that they are in and the kind of build."""
    metadata: dict[str, Any] = {  # Any: Dagster's metadata
        "dagster/uri": str(Home(project.settings.home).warehouse),
        NAMES.build_metadata: kind,
    }
    lines = ProgressLines(context.log.info, says_steps=False)
    lines.note("marts", "starting dbt")
    with lines.speaking(LOG_EVERY_SECONDS):
        for event in _describe_checks(project.graph, project.settings, events):
            if isinstance(event, dg.Output | dg.AssetMaterialization):
                key = _asset_of(context, event)
                table = project.graph.name(key) if key else _table_of(event)
                lines.note("marts", f"{table} is built")
                yield event.with_metadata({**event.metadata, **metadata})
            else:
                yield event


def _describe_checks(
    graph: Graph, settings: SequenSettings, events: Iterator[Any]
) -> Iterator[Any]:  # Any: the events of dagster_dbt
    """Give dbt's tests their words; those that failed come when dbt has let go of the warehouse."""
    failed: list[dg.AssetCheckResult | dg.AssetCheckEvaluation] = []
    failure = None
    try:
        for event in events:
            if not isinstance(event, dg.AssetCheckResult | dg.AssetCheckEvaluation):
                yield event
            elif event.passed:
                yield _with_description(graph, event, [])
            else:
                failed.append(event)
    except BuildError as error:
        failure = error
    for check in failed:
        was_run = _FAILED_ROWS in check.metadata
        broken = read_broken_rules(settings, str(check.check_name)) if was_run else None
        yield _with_description(graph, check, broken)
    if failure is not None:
        raise failure


def _fit_selection(context: dg.AssetExecutionContext, event: object) -> Iterator[Any]:
    """Give an event as the step has to: a selected table as an output, another as it is.

    Calls that know nothing of the selection give materializations only.
    """
    if (
        isinstance(event, dg.AssetMaterialization)
        and event.asset_key in context.selected_asset_keys
    ):
        yield dg.Output(None, output_name=_table_of(event), metadata=event.metadata)
    elif isinstance(event, dg.AssetCheckEvaluation):
        if event.asset_check_key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(**_facts_of(event), description=event.description)
        else:
            context.log_event(event)
    else:
        yield event


def _table_of(event: dg.Output[Any] | dg.AssetMaterialization) -> str:
    if isinstance(event, dg.Output):
        return event.output_name
    return event.asset_key.to_python_identifier()


def _with_description(
    graph: Graph,
    check: dg.AssetCheckResult | dg.AssetCheckEvaluation,
    broken: Sequence[BrokenRule] | None,
) -> dg.AssetCheckResult | dg.AssetCheckEvaluation:
    """The result of a dbt test, which dagster_dbt gives without a word."""
    table = graph.name(check.asset_key) if check.asset_key else "the tables"
    name = str(check.check_name)
    description = describe_test(name, table, is_passed=check.passed, broken=broken)
    if isinstance(check, dg.AssetCheckResult):
        return check._replace(description=description)
    return dg.AssetCheckEvaluation(**_facts_of(check), description=description)


def _facts_of(check: dg.AssetCheckEvaluation) -> dict[str, Any]:  # Any: of a kind each
    """What a check has found, without its words."""
    names = ("passed", "asset_key", "check_name", "severity", "metadata")
    return {name: getattr(check, name) for name in names}


def _asset_of(context: dg.AssetExecutionContext, event: object) -> dg.AssetKey | None:
    """The asset that an event of dbt is about."""
    found: dg.AssetKey | None = (
        context.asset_key_for_output(event.output_name)
        if isinstance(event, dg.Output)
        else getattr(event, "asset_key", None)
    )
    return found
