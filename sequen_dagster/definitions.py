"""All stages as one set of Dagster definitions; the only module that knows every stage."""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg
from dagster.components.resolved.core_models import OpSpec

from sequen_dagster.exports.assets import exports_specs
from sequen_dagster.graph import Execute, Graph, KeyOf, SequenTranslator
from sequen_dagster.lake.assets import build_lake_assets, lake_specs
from sequen_dagster.marts.assets import build_marts_assets, shown_manifest
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.checks import build_warehouse_check, warehouse_spec
from sequen_dagster.marts.project import load_manifest
from sequen_dagster.marts.translator import OwnModels
from sequen_dagster.names import Names
from sequen_dagster.reports.assets import build_reports_assets, reports_specs
from sequen_dagster.reports.outdated import why_outdated
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.failures import Hook
from sequen_dagster.triggers.jobs import build_jobs, build_schedules, build_sensors


def build_definitions(
    settings: SequenSettings,
    *,
    name: str = "sequen",
    translator: SequenTranslator | None = None,
    upstream: Sequence[dg.AssetKey] = (),
    executor: dg.ExecutorDefinition | None = dg.in_process_executor,
    execute: Execute | None = None,
    op: OpSpec | None = None,
    on_run_failure: Hook | None = None,
) -> dg.Definitions:
    """Everything from raw exports to reports, ready to merge into your own definitions.

    Args:
        settings: from `load_settings`, so that its paths are absolute.
        name: of the pipeline; names of its steps, jobs, sensors, schedules, pools and groups begin
            with it. Two pipelines in one code location need two names, and keys that differ.
        translator: decides what the assets are in Dagster: keys, groups, owners, tags.
        upstream: keys of assets that write the export files. After a run of one, files are taken in
            without waiting for the sensor.
        executor: runs the steps of our jobs: by default one after the other in one process, since
            each would import for seconds in its own; that of the code location where it is None.
        execute: goes through the events of every step, which do its work.
        op: tags of every step, the name of that which builds the tables, the pool of writers.
        on_run_failure: called with a `FailedRun` whenever a run of ours has failed.

    Returns:
        Assets of every stage with their checks, jobs, sensors and the daily schedule.

    Raises:
        SettingsError: the name cannot be one, two assets get one key, or an attribute of
            completeness is not whole.
        BuildError: the dbt project cannot be parsed.

    Example:
        >>> from pathlib import Path
        >>> from sequen_dagster import build_definitions, load_settings
        >>> defs = build_definitions(load_settings(Path.cwd()))   # doctest: +SKIP
    """
    op = op or OpSpec()
    names = Names(name, pool=op.pool or "", tables_step=op.name or "")
    manifest = load_manifest(settings)
    catalog = TableCatalog.read(manifest)
    models = OwnModels(settings, names, shown_manifest(settings, manifest))

    def own_specs(key_of: KeyOf) -> list[dg.AssetSpec]:
        return [
            *exports_specs(settings, names, upstream=upstream),
            *lake_specs(settings, names, key_of, upstream=upstream),
            *models.specs(key_of),
            warehouse_spec(settings, names, key_of, tables=[*catalog.public, *catalog.private]),
            *reports_specs(settings, names, catalog, key_of),
        ]

    graph = Graph.of(names, translator or SequenTranslator(), own_specs)
    graph = replace(graph, op_tags=op.tags or {}, execute=execute or graph.execute)
    lake = build_lake_assets(settings, graph)
    marts = build_marts_assets(settings, manifest, models, graph, why_outdated=why_outdated)
    reports = build_reports_assets(settings, catalog, graph)
    built = dg.AssetSelection.assets(lake, marts, *reports)
    return dg.Definitions(
        assets=[
            graph.specs[names.raw_events],
            lake,
            marts,
            graph.specs[names.warehouse],
            *reports,
        ],
        asset_checks=[build_warehouse_check(settings, graph)],
        jobs=build_jobs(graph, built, executor=executor),
        sensors=build_sensors(settings, graph, built, on_run_failure=on_run_failure),
        schedules=build_schedules(settings, names),
    )
