"""Marts: which rows have changed since the last publication, so that the next one copies no more.

In: the change log of every build that runs through, before it is emptied. Out: schema
`unpublished`, a table for each table that is followed: the keys under which rows have changed, and
what else its reader asked for. Nothing is kept before a publication asks for it, nor after a full
refresh, which changes everything.
"""

from collections.abc import Mapping
from typing import Final

import duckdb

from sequen_dagster.marts.copies import listed
from sequen_dagster.marts.warehouse import count_table

# A table is copied in full where this many keys have changed and more than half of its rows.
_FEW_ROWS: Final = 10_000


def follow_changes(
    warehouse: duckdb.DuckDBPyConnection, build_number: int, columns: Mapping[str, tuple[str, ...]]
) -> None:
    """Begin to keep what changes after a build, and forget what has changed before.

    Call it within a transaction.

    Args:
        warehouse: an open connection; hold `writer_lock`.
        build_number: the last finished build.
        columns: what to keep of the changed rows, before and after, by table; see `logged_columns`.
    """
    forget_changes(warehouse)
    warehouse.execute("create schema unpublished")
    warehouse.execute(
        "create table unpublished._since as select ?::bigint as build_number", [build_number]
    )
    for table, names in columns.items():
        warehouse.execute(
            f'create table unpublished."{table}" as'  # noqa: S608  # names of our own models
            f' select {listed(names)} from changes."{table}" limit 0'
        )


def keep_changes(warehouse: duckdb.DuckDBPyConnection, *, is_full: bool) -> None:
    """Keep what the change log holds of the tables that are followed, before it is emptied.

    Call it in the transaction that notes the build as finished.

    Args:
        warehouse: an open connection; hold `writer_lock`.
        is_full: whether all tables were built from nothing, so that no log says what has changed.
    """
    followed = followed_columns(warehouse)
    logged = logged_columns(warehouse) if followed else {}
    for table, names in followed.items():
        if is_full or not set(names) <= set(logged.get(table, ())):
            forget_changes(warehouse)
            return
        warehouse.execute(
            f'insert into unpublished."{table}"'  # noqa: S608  # names of our own models
            f' select distinct {listed(names)} from changes."{table}"'
        )
        if count_table(warehouse, f'unpublished."{table}"') > max(
            _FEW_ROWS, count_table(warehouse, f'main."{table}"') / 2
        ):
            # To copy it in full is cheaper, and without publications this would grow without end.
            forget_changes(warehouse)
            return


def forget_changes(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Follow no table any more: the next publication copies all of them in full."""
    warehouse.execute("drop schema if exists unpublished cascade")


def followed_since(warehouse: duckdb.DuckDBPyConnection) -> int | None:
    """The number of the build since which changes are kept; None where none are."""
    if not followed_columns(warehouse):
        return None
    found = warehouse.execute("select build_number from unpublished._since").fetchone()
    return int(found[0]) if found else None


def followed_columns(warehouse: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """What is kept of changed rows, by table."""
    return _columns_of(warehouse, "unpublished")


def logged_columns(warehouse: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """What the change log of a build holds of changed rows, by table."""
    return _columns_of(warehouse, "changes")


def _columns_of(warehouse: duckdb.DuckDBPyConnection, schema: str) -> dict[str, tuple[str, ...]]:
    found = warehouse.execute(
        "select table_name, list(column_name order by column_index) from duckdb_columns()"
        " where database_name = current_database() and schema_name = ? and table_name <> '_since'"
        " group by table_name order by table_name",
        [schema],
    ).fetchall()
    return {table: tuple(names) for table, names in found}
