"""Marts: how a model of dbt becomes an asset: its group, access, owners, kinds and condition."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from sequen_dagster.compat.dagster_dbt_calls import find_check_key
from sequen_dagster.marts.conditions import tables_condition
from sequen_dagster.marts.dbt_tests import list_rules
from sequen_dagster.names import NAMES, Access
from sequen_dagster.runtime.text import bulleted
from sequen_dagster.settings import RunningSettings

Node = Mapping[str, Any]  # Any: dbt's manifest
# Steps on the way to the tables of a report are described in a file of their own.
_REPORTS_STEPS = "_intermediate_reports__models.yml"


class SequenTranslator(DagsterDbtTranslator):
    """Puts models into the groups of their stage and gives them owners, kinds and a condition.

    Tables that people read are in the groups of the stages; what leads to them is in groups whose
    names begin with `steps_`, which come last wherever groups are listed.

    Args:
        settings: the owners.
    """

    def __init__(self, settings: RunningSettings) -> None:
        self._owners = list(settings.owners)
        self._condition = tables_condition()
        # dagster_dbt asks for each table once more for every table that reads it.
        self._specs: dict[str, dg.AssetSpec] = {}
        # Two sources of dbt may be tables of one asset of the lake.
        super().__init__(
            DagsterDbtTranslatorSettings(
                enable_code_references=False, enable_duplicate_source_asset_keys=True
            )
        )

    def get_asset_spec(
        self,
        manifest: Mapping[str, Any],  # Any: dbt's manifest
        unique_id: str,
        project: Any,
    ) -> dg.AssetSpec:
        """The asset of a model or seed; a translator is for one manifest."""
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
            group_name=group_of(node),
            owners=self._owners,
            tags={**spec.tags, NAMES.access_tag: access_of(node)},
            kinds={"dbt", "duckdb", "seed" if node["resource_type"] == "seed" else "table"},
            automation_condition=self._condition,
        )

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],  # Any: dbt's manifest
        unique_id: str,
        project: Any,
    ) -> dg.AssetCheckSpec | None:
        """The check of a test of dbt, with the rules that it looks at."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        test = manifest["nodes"][unique_id].get("test_metadata") or {}
        if spec is None or test.get("name") != "rules":
            return spec
        return spec._replace(description=bulleted(list_rules(test["kwargs"])))


def build_specs(
    manifest: Node, translator: SequenTranslator
) -> tuple[list[dg.AssetSpec], list[dg.AssetCheckSpec]]:
    """The assets and the asset checks of all models, seeds and tests.

    `dagster_dbt.dbt_assets` does the same for a selection, and imports dbt's own engine of
    selections for it, which takes as long as all the rest.
    """
    nodes = manifest["nodes"]
    specs = {
        unique_id: translator.get_asset_spec(manifest, unique_id, None)
        for unique_id, node in nodes.items()
        if node["resource_type"] in ("model", "seed")
        and node["config"]["materialized"] != "ephemeral"
    }
    by_key = {spec.key: spec for spec in specs.values()}
    checks: dict[dg.AssetCheckKey, dg.AssetCheckSpec] = {}
    for unique_id, node in nodes.items():
        # The table may be none of those that the test reads.
        key = find_check_key(manifest, translator, unique_id)
        if node["resource_type"] == "test" and key is not None and key.asset_key in by_key:
            check = translator.get_asset_check_spec(
                by_key[key.asset_key], manifest, unique_id, None
            )
            if check:
                checks[check.key] = check
    return list(specs.values()), list(checks.values())


def access_of(node: Node) -> Access:
    """Whom a table is for: by dbt's own `access`, and by its schema.

    A model without a schema of its own lies in `main`, where people read.
    """
    if node["resource_type"] == "seed" or node["config"].get("schema"):
        return "internal"
    return "public" if node["config"].get("access") == "public" else "private"


def group_of(node: Node) -> str:
    """The group of a model or seed, by the folder that it lies in."""
    folders = node["fqn"][1:-1]
    if access_of(node) != "internal":
        return "reports" if "reports" in folders else "marts"
    if node["resource_type"] == "seed" or (node.get("patch_path") or "").endswith(_REPORTS_STEPS):
        return "steps_reports"
    layer = folders[-1]
    return "steps_marts" if layer == "intermediate" else f"steps_{layer}"
