"""All stages as one set of Dagster definitions; the only module that knows every stage."""

import dagster as dg
from dagster_dbt import get_asset_key_for_model

from sequen_dagster.exports.assets import build_exports_assets
from sequen_dagster.lake.assets import build_lake_assets
from sequen_dagster.marts.assets import build_marts_assets
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.checks import build_marts_checks
from sequen_dagster.marts.project import load_manifest
from sequen_dagster.reports.assets import build_reports_assets
from sequen_dagster.reports.outdated import why_outdated
from sequen_dagster.settings import SequenSettings
from sequen_dagster.triggers.failures import Hook
from sequen_dagster.triggers.jobs import build_jobs, build_schedules, build_sensors


def build_definitions(
    settings: SequenSettings, *, on_run_failure: Hook | None = None
) -> dg.Definitions:
    """Everything from raw exports to reports, ready to merge into your own definitions.

    Args:
        settings: from `load_settings`, so that its paths are absolute.
        on_run_failure: called with a `FailedRun` whenever a run of ours has failed.

    Returns:
        Assets of every stage with their checks, jobs, sensors and the daily schedule.

    Raises:
        BuildError: the dbt project cannot be parsed.

    Example:
        >>> from pathlib import Path
        >>> from sequen_dagster import build_definitions, load_settings
        >>> defs = build_definitions(load_settings(Path.cwd()))   # doctest: +SKIP
    """
    manifest = load_manifest(settings)
    marts = build_marts_assets(settings, manifest, why_outdated=why_outdated)
    catalog = TableCatalog.read(manifest)
    public = {name: get_asset_key_for_model([marts], name) for name in catalog.public}
    private = [get_asset_key_for_model([marts], name) for name in catalog.private]
    warehouse, equals_a_full_refresh = build_marts_checks(
        settings, tables=[*public.values(), *private]
    )
    lake = build_lake_assets(settings)
    reports = build_reports_assets(settings, catalog, keys=public.values())
    built = dg.AssetSelection.assets(lake, marts, *reports)
    return dg.Definitions(
        assets=[
            *build_exports_assets(settings),
            lake,
            marts,
            warehouse,
            *reports,
        ],
        asset_checks=[equals_a_full_refresh],
        jobs=build_jobs(built),
        sensors=build_sensors(settings, built, on_run_failure=on_run_failure),
        schedules=build_schedules(settings),
    )
