"""Marts: tables of the warehouse, copied into a database file of their own."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from sequen_dagster.errors import BuildError
from sequen_dagster.home.durable import NO_FAIL_POINTS, FailPoints, replace_file

# The oldest format that today's tools still write, so that older ones can open the file.
_STORAGE_VERSION: Final = "v1.4.0"


def copy_tables(
    warehouse: duckdb.DuckDBPyConnection,
    target: Path,
    *,
    names: Collection[str],
    views: Iterable[str] = (),
) -> dict[str, int]:
    """Copy tables that people read into a new database file, each under its own name.

    Table by table, since a copy of the warehouse's file would miss what still lies in its log.

    Args:
        warehouse: from `connect`, with the folder of the target among its `folders`.
        target: the file; it is not there yet.
        names: tables of schema `main`; one that has not been built is left out.
        views: views of schema `main` that stay views, each after those that it reads. In the copy
            they read the tables copied.

    Returns:
        Rows by table.
    """
    warehouse.execute(f"attach {_quoted(target)} as copy (storage_version '{_STORAGE_VERSION}')")
    built = warehouse.execute(
        "select table_name from information_schema.tables"
        " where table_catalog = current_database() and table_schema = 'main' order by 1"
    ).fetchall()
    row_counts = {}
    for (name,) in built:
        if name in names:
            # The names are those of our own dbt models.
            copied = warehouse.execute(
                f'create table copy.main."{name}" as select * from main."{name}"'  # noqa: S608
            ).fetchone()
            row_counts[name] = copied[0] if copied else 0
    _copy_views(warehouse, views)
    warehouse.execute("detach copy")
    return row_counts


def _copy_views(warehouse: duckdb.DuckDBPyConnection, views: Iterable[str]) -> None:
    """Make the views in the database `copy`.

    The engine keeps the text of a view without the name of its database, so that the same text
    reads the tables of whichever database holds it.
    """
    own = warehouse.execute("select current_database()").fetchone()
    texts = dict(
        warehouse.execute(
            "select view_name, sql from duckdb_views()"
            " where database_name = current_database() and schema_name = 'main'"
        ).fetchall()
    )
    warehouse.execute("use copy")
    for name in views:
        if name in texts:
            warehouse.execute(texts[name])
    warehouse.execute(f'use "{own[0] if own else ""}"')


def attach_copy(warehouse: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Attach such a file for reading, as the database `name`."""
    warehouse.execute(f"attach {_quoted(path)} as {name} (read_only)")


def attach_new(warehouse: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Attach a file that is not there yet for writing, as the database `name`."""
    warehouse.execute(f"attach {_quoted(path)} as {name}")


@contextmanager
def replace_database(
    target: Path,
    what: str,
    *,
    folder: Path | None = None,
    fail_points: FailPoints = NO_FAIL_POINTS,
) -> Iterator[Path]:
    """`replace_file` for a database; close the new one within the block.

    Raises:
        BuildError: it was not closed cleanly; the old database is still in place.
        StorageError: it cannot be written; the old database is still in place.
    """
    with replace_file(target, what, folder=folder, fail_points=fail_points) as unfinished:
        log = log_of(unfinished)
        log.unlink(missing_ok=True)
        try:
            yield unfinished
            if log.exists():
                message = (
                    f"The new file of {what} was left with a write-ahead log and would lose rows. "
                    "Run again; the old file is still in place."
                )
                raise BuildError(message)
        finally:
            log.unlink(missing_ok=True)


def log_of(database: Path) -> Path:
    """The engine's write-ahead log of a database, which is there while it is open."""
    return database.with_name(f"{database.name}.wal")


def _quoted(path: Path) -> str:
    text = str(path).replace("'", "''")
    return f"'{text}'"
