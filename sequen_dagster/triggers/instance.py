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
    states = {state.instigator_name: state for state in instance.all_instigator_state()}
    for name in sensors:
        if name not in states:
            found.append(
                f"sensor {name} does not run in this instance: it was never switched on, or the "
                "daemon has not run yet. Switch it on in the UI, or by the setting `sensors`."
            )
        elif not states[name].is_running:
            found.append(
                f"sensor {name} is stopped, so new files wait for a person. Switch it on in the UI."
            )
    return found


def warnings_of_this_instance(names: Names) -> list[str]:
    """What should be changed in the instance that `DAGSTER_HOME` names.

    Args:
        names: of the pipeline.
    """
    with dg.DagsterInstance.get() as instance:
        return instance_warnings(instance, names)
