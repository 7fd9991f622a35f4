"""Marts: when Dagster builds the tables, and when it publishes them, without a person.

Every condition looks at one asset by name, never at the dependencies of its own: all tables are
made by one step, so one new commit has to ask for all of them in one tick, and once.
"""

from typing import Final

import dagster as dg

from sequen_dagster.graph import KeyOf
from sequen_dagster.names import Names
from sequen_dagster.settings import RunningSettings

# A table that every build rebuilds, and whose events the build gives last.
LAST_TABLE: Final = "rpt_batches"
# How long a build waits for drains to end, in minutes. A stream that never pauses would starve it.
PATIENCE_MINUTES = 5


def tables_condition(names: Names, key_of: KeyOf) -> dg.AutomationCondition[dg.AssetKey]:
    """Build once the lake has new data, no build is under way, and drains are idle.

    New data is remembered from the request of a build on, not from its end: what lands while a
    build is at work, and is not loaded by it, asks for the next one. (`since_last_handled` forgets
    it when the build's tables arrive.)

    Args:
        names: of the pipeline.
        key_of: gives the key of an asset.
    """
    lake, tables = key_of(names.validated_events), key_of(LAST_TABLE)
    new_data = _new_data_of(lake)
    # Under a steady stream there is always new data: the last request begins the wait as well.
    is_at_maximum_wait = dg.AutomationCondition.cron_tick_passed(
        f"*/{PATIENCE_MINUTES} * * * *"
    ).since(new_data.newly_true() | dg.AutomationCondition.newly_requested())
    return (
        new_data & ~_in_progress(tables) & (~_in_progress(lake) | is_at_maximum_wait)
    ).with_label("the lake has new data, and drains are idle or the maximum wait is over")


def publication_condition(
    settings: RunningSettings, names: Names, key_of: KeyOf
) -> dg.AutomationCondition[dg.AssetKey]:
    """Publish what was built, at once after a pause, and once in every slot of `publish_minutes`.

    Args:
        settings: the length of a slot, counted from the full hour.
        names: of the pipeline.
        key_of: gives the key of an asset.
    """
    tables, snapshot = key_of(LAST_TABLE), key_of(names.published_snapshot)
    slot = dg.AutomationCondition.cron_tick_passed(f"*/{settings.publish_minutes} * * * *")
    is_due = slot.since(dg.AutomationCondition.newly_requested())
    return (_new_data_of(tables) & is_due & ~_in_progress(snapshot)).with_label(
        "the tables have new data, and this slot has seen no publication"
    )


def _new_data_of(key: dg.AssetKey) -> dg.AutomationCondition[dg.AssetKey]:
    updated = dg.AutomationCondition.asset_matches(key, dg.AutomationCondition.newly_updated())
    return updated.since(dg.AutomationCondition.newly_requested())


def _in_progress(key: dg.AssetKey) -> dg.AutomationCondition[dg.AssetKey]:
    return dg.AutomationCondition.asset_matches(key, dg.AutomationCondition.in_progress())
