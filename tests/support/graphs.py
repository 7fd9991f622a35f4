"""Assets of some stages, without dbt's manifest: a table is a key alone."""

from collections.abc import Iterable

import dagster as dg

from sequen_dagster.exports.assets import exports_specs
from sequen_dagster.graph import Graph, KeyOf, SequenTranslator
from sequen_dagster.lake.assets import build_lake_assets, lake_specs
from sequen_dagster.marts.catalog import TableCatalog
from sequen_dagster.marts.conditions import LAST_TABLE
from sequen_dagster.marts.project import Manifest
from sequen_dagster.marts.translator import ModelTranslator, OwnModels
from sequen_dagster.names import NAMES, Names
from sequen_dagster.reports.assets import build_reports_assets, reports_specs
from sequen_dagster.settings import SequenSettings
from support.compiled import NO_TABLES

VALIDATED_EVENTS = dg.AssetKey(NAMES.validated_events)
QUARANTINED_RECORDS = dg.AssetKey(NAMES.quarantined_records)


def graph_of(
    settings: SequenSettings,
    catalog: TableCatalog = NO_TABLES,
    *,
    names: Names = NAMES,
    translator: SequenTranslator | None = None,
) -> Graph:
    """The graph of a home, with stand-ins for the tables."""
    tables = {*catalog.public, LAST_TABLE, names.warehouse}

    def own_specs(key_of: KeyOf) -> Iterable[dg.AssetSpec]:
        yield from exports_specs(settings, names)
        yield from lake_specs(settings, names, key_of)
        yield from map(dg.AssetSpec, sorted(tables))
        yield from reports_specs(settings, names, catalog, key_of)

    return Graph.of(names, translator or SequenTranslator(), own_specs)


def lake_step(settings: SequenSettings) -> dg.AssetsDefinition:
    """The step of the lake."""
    return build_lake_assets(settings, graph_of(settings))


def report_steps(
    settings: SequenSettings, catalog: TableCatalog = NO_TABLES
) -> dict[str, dg.AssetsDefinition]:
    """The steps of the reports, by their assets."""
    steps = build_reports_assets(settings, catalog, graph_of(settings, catalog))
    return {step.key.path[-1]: step for step in steps}


def model_translator(settings: SequenSettings, manifest: Manifest) -> ModelTranslator:
    """What dagster_dbt asks which asset a model is, with every model one."""
    models = OwnModels(settings, NAMES, manifest)

    def own_specs(key_of: KeyOf) -> Iterable[dg.AssetSpec]:
        yield from map(dg.AssetSpec, (VALIDATED_EVENTS, QUARANTINED_RECORDS))
        yield from models.specs(key_of)

    return ModelTranslator(models, Graph.of(NAMES, SequenTranslator(), own_specs))
