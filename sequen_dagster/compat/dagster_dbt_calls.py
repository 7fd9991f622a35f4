"""Compat: what dagster-dbt knows of a call of dbt, for calls that it does not make itself.

Reason: dagster-dbt starts dbt as a process, which takes seconds. How a selection in Dagster reads
for dbt, which table a test is a check of, and what dbt's events are for Dagster, it has as
functions that it does not export.
Upstream: dagster-dbt 0.29.27, `get_subset_selection_for_context`, `get_asset_check_key_for_test`
    and `DbtCoreCliEventMessage`.
Test: tests/test_compat.py::test_events_and_selections_are_read_as_dagster_dbt_reads_them
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import (
    get_asset_check_key_for_test,
    get_subset_selection_for_context,
)
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage


def find_check_key(
    manifest: Mapping[str, Any],  # Any: dbt's manifest
    translator: DagsterDbtTranslator,
    unique_id: str,
) -> dg.AssetCheckKey | None:
    """The asset check that a node of dbt becomes; None where it does not test a table."""
    return get_asset_check_key_for_test(manifest, translator, unique_id, project=None)


def selection_arguments(
    context: dg.AssetExecutionContext,
    manifest: Mapping[str, Any],  # Any: dbt's manifest
    translator: DagsterDbtTranslator,
) -> list[str]:
    """The selection of a step as arguments of dbt; nothing where all is selected."""
    arguments, indirect = get_subset_selection_for_context(
        context=context,
        manifest=manifest,
        select=None,
        exclude=None,
        selector=None,
        dagster_dbt_translator=translator,
        current_dbt_indirect_selection_env=None,
    )
    # Where dagster_dbt leaves it to dbt's default, it relies on that being eager.
    return [*arguments, *(["--indirect-selection", indirect or "eager"] if arguments else [])]


def read_as_dagster(
    event: Mapping[str, Any],  # Any: dbt's own
    manifest: Mapping[str, Any],  # Any: dbt's manifest
    translator: DagsterDbtTranslator,
    context: dg.AssetExecutionContext | None,
    target: Path,
) -> Iterator[Any]:  # Any: of dagster_dbt
    """What an event of dbt is for Dagster, if anything.

    With a context these are outputs and results of checks; without one, as a run that knows
    nothing of a selection would give them: materializations and evaluations.
    """
    yield from DbtCoreCliEventMessage(
        raw_event=dict(event), event_history_metadata={}
    ).to_default_asset_events(
        manifest=manifest,
        dagster_dbt_translator=translator,
        context=context,
        target_path=target,
    )
