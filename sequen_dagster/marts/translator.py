"""Marts: how a model of dbt becomes an asset: its group, owners, kinds and condition."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

from sequen_dagster.exports.assets import OWNERS
from sequen_dagster.marts.conditions import tables_condition


class SequenTranslator(DagsterDbtTranslator):
    """Puts models into the groups of their stage and gives them owners, kinds and a condition."""

    def __init__(self) -> None:
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
        """The asset of a model or seed."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id, {})
        is_report = "reports" in node.get("fqn", ())
        return spec.replace_attributes(
            group_name="reports" if is_report else "marts",
            owners=OWNERS,
            kinds={"dbt", "duckdb", "seed" if node.get("resource_type") == "seed" else "table"},
            automation_condition=tables_condition(),
        )
