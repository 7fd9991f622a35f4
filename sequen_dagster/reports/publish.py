"""Reports: the published snapshot, a database file that people may open while runs write.

In: the public tables of the warehouse. Out: `serving/sequen.duckdb`, replaced in one step.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from sequen_dagster.errors import BuildError
from sequen_dagster.home.durable import fsync_folder, make_folder, writing
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.copies import copy_tables
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.settings import SequenSettings


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        path: the database file.
        row_counts: rows by table.
    """

    path: Path
    row_counts: dict[str, int]


def snapshot_path(settings: SequenSettings) -> Path:
    """The published database."""
    return Home(settings.home).serving.snapshot


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

    Hold `writer_lock`. Readers that have the old file open keep it until they open again.

    Args:
        settings: the home.
        tables: names of the public tables, from `TableCatalog`.
        views: names of the public views, each after those that it reads.

    Returns:
        The path and the row counts.

    Raises:
        BuildError: the new file could not be closed cleanly; the old one is still in place.
        StorageError: there is no room for the new file; the old one is still in place.
    """
    target = snapshot_path(settings)
    unfinished = target.with_suffix(".tmp")
    log = unfinished.with_name(f"{unfinished.name}.wal")
    try:
        with writing("the snapshot", settings.home):
            make_folder(target.parent)
            # What a run that was killed has left.
            unfinished.unlink(missing_ok=True)
            log.unlink(missing_ok=True)
        row_counts = _copy(settings, unfinished, log, tables, views)
        with writing("the snapshot", settings.home):
            with unfinished.open("rb") as handle:
                os.fsync(handle.fileno())
            fail_point("reports.snapshot_written")
            unfinished.replace(target)
            fsync_folder(target.parent)
        fail_point("reports.snapshot_replaced")
    finally:
        # Half a snapshot is of no use, and takes room that may be what is missing.
        unfinished.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
    return Published(target, row_counts)


def _copy(
    settings: SequenSettings,
    unfinished: Path,
    log: Path,
    tables: Collection[str],
    views: Iterable[str],
) -> dict[str, int]:
    with connect(settings, folders=[unfinished.parent]) as warehouse:
        row_counts = copy_tables(warehouse, unfinished, names=tables, views=views)
    if log.exists():
        message = (
            f"The snapshot {unfinished.name!r} was left with a write-ahead log and would lose "
            "rows. Run again; the published file was not changed."
        )
        raise BuildError(message)
    return row_counts
