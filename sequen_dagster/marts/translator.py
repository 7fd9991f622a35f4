"""Marts: how a model of dbt becomes an asset: its group, access, owners, kinds and condition."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from sequen_dagster.compat.dagster_dbt_calls import find_check_key
from sequen_dagster.graph import Graph, KeyOf, name_of
from sequen_dagster.marts.conditions import tables_condition
from sequen_dagster.marts.dbt_tests import list_rules
from sequen_dagster.names import NAMES, Access, Names
from sequen_dagster.runtime.text import bulleted
from sequen_dagster.settings import RunningSettings

Node = Mapping[str, Any]  # Any: dbt's manifest
# Steps on the way to the tables of a report are described in a file of their own.
_REPORTS_STEPS = "_intermediate_reports__models.yml"


class OwnModels(DagsterDbtTranslator):
    """Models as assets as they are by themselves.

    Tables that people read are in the groups of the stages; what leads to them is in groups whose
    names go on with `steps_`, which come last wherever groups are listed.

    Args:
        settings: the owners.
        names: of the pipeline.
        manifest: dbt's, with those models that are assets.
    """

    def __init__(self, settings: RunningSettings, names: Names, manifest: Node) -> None:
        self._owners = list(settings.owners)
        self._pipeline = names
        self.manifest = manifest
        # dagster_dbt asks for each table once more for every table that reads it.
        self._specs: dict[str, dg.AssetSpec] = {}
        # Two sources of dbt may be tables of one asset of the lake.
        super().__init__(
            DagsterDbtTranslatorSettings(
                enable_code_references=False, enable_duplicate_source_asset_keys=True
            )
        )

    def specs(self, key_of: KeyOf) -> list[dg.AssetSpec]:
        """All models and seeds that are assets.

        Args:
            key_of: gives the key of an asset, for edges and conditions.
        """
        condition = tables_condition(self._pipeline, key_of)
        own = [
            self.get_asset_spec(self.manifest, node, None) for node in asset_nodes(self.manifest)
        ]
        return [
            spec.replace_attributes(
                deps=[key_of(dep.asset_key.path[-1]) for dep in spec.deps],
                automation_condition=condition,
            )
            for spec in own
        ]

    def get_asset_spec(
        self,
        manifest: Mapping[str, Any],  # Any: dbt's manifest
        unique_id: str,
        project: Any,
    ) -> dg.AssetSpec:
        """The asset of a model, a seed or a source; all calls are for one manifest."""
        if unique_id not in self._specs:
            self._specs[unique_id] = self._build_asset_spec(manifest, unique_id, project)
        return self._specs[unique_id]

    def _build_asset_spec(
        self,
        manifest: Mapping[str, Any],  # Any: dbt's manifest
        unique_id: str,
        project: Any,
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id)
        if node is None:
            return spec  # a source, which is an asset of the lake
        return spec.replace_attributes(
            group_name=self._pipeline.group(stage_of(node)),
            owners=self._owners,
            tags={**spec.tags, NAMES.access_tag: access_of(node)},
            kinds={"dbt", "duckdb", "seed" if node["resource_type"] == "seed" else "table"},
        )


class ModelTranslator(DagsterDbtTranslator):
    """Models as assets of a code location, for whatever dagster_dbt does with them.

    Args:
        own: the models as they are by themselves.
        graph: the assets.
    """

    def __init__(self, own: OwnModels, graph: Graph) -> None:
        self._own = own
        self._graph = graph
        super().__init__(own.settings)

    def get_asset_spec(
        self,
        manifest: Mapping[str, Any],  # Any: dbt's manifest
        unique_id: str,
        project: Any,
    ) -> dg.AssetSpec:
        """The asset of a model, a seed or a source."""
        own = self._own.get_asset_spec(manifest, unique_id, project)
        return self._graph.specs.get(name_of(own), own)

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],  # Any: dbt's manifest
        unique_id: str,
        project: Any,
    ) -> dg.AssetCheckSpec | None:
        """The check of a test of dbt, with the rules that it looks at."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        test = manifest["nodes"][unique_id].get("test_metadata") or {}
        if test.get("name") == "rules":
            spec = spec._replace(description=bulleted(list_rules(test["kwargs"])))
        return self._graph.translator.get_asset_check_spec(spec)


def build_specs(
    manifest: Node, translator: ModelTranslator
) -> tuple[list[dg.AssetSpec], list[dg.AssetCheckSpec]]:
    """The assets and the asset checks of all models, seeds and tests.

    `dagster_dbt.dbt_assets` does the same for a selection, and imports dbt's own engine of
    selections for it, which takes as long as all the rest.
    """
    specs = {
        spec.key: spec
        for spec in (
            translator.get_asset_spec(manifest, node, None) for node in asset_nodes(manifest)
        )
    }
    checks: dict[dg.AssetCheckKey, dg.AssetCheckSpec] = {}
    for unique_id, node in manifest["nodes"].items():
        # The table may be none of those that the test reads.
        key = find_check_key(manifest, translator, unique_id)
        if node["resource_type"] == "test" and key is not None and key.asset_key in specs:
            check = translator.get_asset_check_spec(specs[key.asset_key], manifest, unique_id, None)
            if check:
                checks[check.key] = check
    return list(specs.values()), list(checks.values())


def asset_nodes(manifest: Node) -> list[str]:
    """The models and seeds that leave a table or a view."""
    return [
        unique_id
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "seed")
        and node["config"]["materialized"] != "ephemeral"
    ]


def access_of(node: Node) -> Access:
    """Whom a table is for: by dbt's own `access`, and by its schema.

    A model without a schema of its own lies in `main`, where people read.
    """
    if node["resource_type"] == "seed" or node["config"].get("schema"):
        return "internal"
    return "public" if node["config"].get("access") == "public" else "private"


def stage_of(node: Node) -> str:
    """What the group of a model or seed is called after, by the folder that it lies in."""
    folders = node["fqn"][1:-1]
    if access_of(node) != "internal":
        return "reports" if "reports" in folders else "marts"
    if node["resource_type"] == "seed" or (node.get("patch_path") or "").endswith(_REPORTS_STEPS):
        return "steps_reports"
    layer = folders[-1]
    return "steps_marts" if layer == "intermediate" else f"steps_{layer}"
