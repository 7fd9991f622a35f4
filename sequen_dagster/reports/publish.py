"""Reports: the published snapshot, a database file that people may open while runs write.

In: the public tables of the warehouse. Out: `serving/sequen.duckdb`, replaced in one step.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.errors import UnfinishedTablesError
from sequen_dagster.home.durable import FailPoints
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.builds import why_unfinished
from sequen_dagster.marts.copies import copy_tables, replace_database
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.settings import SequenSettings

_FAIL_POINTS: Final[FailPoints] = ("reports.snapshot_written", "reports.snapshot_replaced")


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        path: the database file.
        row_counts: rows by table.
    """

    path: Path
    row_counts: dict[str, int]


def read_rows(
    snapshot: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] = ()
) -> list[dict[str, Any]]:  # Any: values of any type
    """The rows of a query, each by the names of its columns."""
    result = snapshot.execute(query, list(parameters))
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def publish(
    settings: SequenSettings, tables: Collection[str], views: Iterable[str] = ()
) -> Published:
    """Copy the public tables into a new database file and put it in place of the old one.

    Only a finished build is published, and only where the totals of its tables fit each other. Hold
    `writer_lock`. Readers that have the old file open keep it until they open again.

    Args:
        settings: the home.
        tables: names of the public tables, from `TableCatalog`.
        views: names of the public views, each after those that it reads.

    Returns:
        The path and the row counts.

    Raises:
        UnfinishedTablesError: the tables are not those of a finished build, or do not fit each
            other; the old file is still in place.
        BuildError: the new file could not be closed cleanly; the old one is still in place.
        StorageError: there is no room for the new file; the old one is still in place.
    """
    target = Home(settings.home).serving.snapshot
    with (
        replace_database(target, "the snapshot", fail_points=_FAIL_POINTS) as unfinished,
        connect(settings, folders=[target.parent]) as warehouse,
    ):
        _check_finished(warehouse)
        _check_reconciled(warehouse)
        row_counts = copy_tables(warehouse, unfinished, names=tables, views=views)
    return Published(target, row_counts)


def _check_finished(warehouse: duckdb.DuckDBPyConnection) -> None:
    reason = why_unfinished(warehouse)
    if reason:
        message = (
            f"Nothing was published, since {reason}. Materialize the tables, all of them or any "
            "one, or call `sequen-dagster run`; what was published before is still in place."
        )
        raise UnfinishedTablesError(message)


def _check_reconciled(warehouse: duckdb.DuckDBPyConnection) -> None:
    unmet = warehouse.execute(
        "select invariant, expected, actual from main.rpt_reconciliation"
        " where not is_met order by invariant"
    ).fetchall()
    if unmet:
        totals = "; ".join(
            f"{name}: {expected.normalize():f} and {actual.normalize():f}"
            for name, expected, actual in unmet
        )
        message = (
            f"Nothing was published, since the tables do not fit each other ({totals}). Build them "
            "from nothing by `sequen-dagster run --full-refresh`, and please report it as a fault; "
            "what was published before is still in place."
        )
        raise UnfinishedTablesError(message)
