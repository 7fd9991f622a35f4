"""Triggers: settings of a Dagster instance that keep runs from starting, or let them wait."""

import dagster as dg

from sequen_dagster.names import NAMES, Names


def instance_warnings(instance: dg.DagsterInstance, names: Names = NAMES) -> list[str]:
    """What should be changed in an instance.

    Args:
        instance: the instance.
        names: of the pipeline.

    Returns:
        A sentence for each finding, with what to do.
    """
    found = []
    sensors = (names.new_exports_sensor, names.automation_sensor)
    pool = names.writer_pool
    limits = {one.name: one.limit for one in instance.event_log_storage.get_pool_limits()}
    default = instance.get_concurrency_config().pool_config.default_pool_limit
    limit = limits.get(pool, default)
    if limit is None:
        found.append(
            f"pool {pool} has no limit, so runs wait for the file lock while they hold a worker. "
            f"Run `dagster instance concurrency set {pool} 1`, or set "
            "`concurrency.pools.default_limit: 1` in dagster.yaml."
        )
    elif limit > 1:
        found.append(
            f"pool {pool} admits {limit} writers, but the warehouse has room for one. "
            f"Run `dagster instance concurrency set {pool} 1`."
        )
    stopped = {
        state.instigator_name
        for state in instance.all_instigator_state()
        if not state.is_running and state.instigator_name in sensors
    }
    found += [
        f"sensor {name} is stopped, so new files wait for a person. Switch it on in the UI."
        for name in sorted(stopped)
    ]
    return found


def warnings_of_this_instance() -> list[str]:
    """What should be changed in the instance that `DAGSTER_HOME` names."""
    with dg.DagsterInstance.get() as instance:
        return instance_warnings(instance)
