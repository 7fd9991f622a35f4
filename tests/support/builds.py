"""Builds that tests pretend, for warehouses whose tables they have made by hand."""

import duckdb

from sequen_dagster.marts.builds import begin_build, finish_build
from sequen_dagster.marts.warehouse import create_raw_tables

FINGERPRINT = "tables by hand"


def note_finished_build(
    warehouse: duckdb.DuckDBPyConnection, unmet: tuple[tuple[str, int, int], ...] = ()
) -> None:
    """Have the tables count as those of a build that ran through.

    Args:
        warehouse: from `connect`.
        unmet: totals that do not fit each other: which, expected and actual.
    """
    create_raw_tables(warehouse)
    finish_build(warehouse, begin_build(warehouse, FINGERPRINT))
    warehouse.execute(
        "create or replace table main.rpt_reconciliation"
        " (invariant varchar, expected decimal(38, 9), actual decimal(38, 9), is_met boolean)"
    )
    for row in unmet:
        warehouse.execute("insert into main.rpt_reconciliation values (?, ?, ?, false)", row)
