"""Marts: tables of the warehouse, copied into a database file of their own."""

import errno
import os
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from sequen_dagster.errors import BuildError
from sequen_dagster.home.durable import NO_FAIL_POINTS, FailPoints, replace_file
from sequen_dagster.marts.warehouse import count_table

# The oldest format that today's tools still write, so that older ones can open the file.
_STORAGE_VERSION: Final = "v1.4.0"
_COPIED_AT_ONCE: Final = 1 << 30
# What file systems and kernels say that cannot.
_CANNOT_COPY_RANGES: Final = (errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL)


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
    warehouse.execute(f"attach {quoted(target)} as copy (storage_version '{_STORAGE_VERSION}')")
    built = built_tables(warehouse, names)
    for name in built:
        _copy_table(warehouse, name)
    _copy_views(warehouse, views)
    row_counts = count_rows(warehouse, built, database="copy")
    warehouse.execute("detach copy")
    return row_counts


def built_tables(warehouse: duckdb.DuckDBPyConnection, names: Collection[str]) -> list[str]:
    """Those of the tables of schema `main` that have been built, in order of their names."""
    built = warehouse.execute(
        "select table_name from information_schema.tables"
        " where table_catalog = current_database() and table_schema = 'main' order by 1"
    ).fetchall()
    return [name for (name,) in built if name in names]


@dataclass(frozen=True)
class Updated:
    """What was brought up to date.

    Attributes:
        row_counts: rows by table.
        rows_written: how many rows were deleted and inserted.
    """

    row_counts: dict[str, int]
    rows_written: int


def update_tables(
    warehouse: duckdb.DuckDBPyConnection,
    target: Path,
    *,
    changed: Mapping[str, tuple[str, ...]],
    names: Collection[str],
    views: Iterable[str] = (),
) -> Updated:
    """Bring a file that `copy_tables` has made up to date.

    It reads the key columns of the tables, and writes no more than what has changed.

    Args:
        warehouse: from `connect`, with the folder of the target among its `folders`.
        target: the file; no one else has it open.
        changed: tables of which schema `unpublished` holds what has changed, and their keys.
        names: the other tables, copied whole.
        views: as in `copy_tables`.

    Returns:
        Rows by table, and how many were written.
    """
    warehouse.execute(f"attach {quoted(target)} as copy")
    rows_written = 0
    warehouse.begin()
    for name, key in changed.items():
        rows_written += _update_table(warehouse, name, key)
    for name in names:
        _copy_table(warehouse, name)
    _copy_views(warehouse, views)
    warehouse.commit()
    row_counts = count_rows(warehouse, sorted({*changed, *names}), database="copy")
    warehouse.execute("detach copy")
    return Updated(row_counts, rows_written)


def _copy_table(warehouse: duckdb.DuckDBPyConnection, name: str) -> None:
    # The names are those of our own dbt models.
    warehouse.execute(
        f'create or replace table copy.main."{name}" as select * from main."{name}"'  # noqa: S608
    )


def _update_table(warehouse: duckdb.DuckDBPyConnection, name: str, key: tuple[str, ...]) -> int:
    """Replace the rows under the keys that have changed; return how many that were."""
    keys = listed(key)
    is_same = " and ".join(
        f'held."{column}" is not distinct from keys."{column}"' for column in key
    )

    def places(database: str) -> str:
        return (
            f'select held.rowid from {database}.main."{name}" as held'  # noqa: S608  # our own names
            f' semi join (select distinct {keys} from unpublished."{name}") as keys on {is_same}'
        )

    # First the places of the rows, by columns of the key alone: to read whole rows beside them
    # takes several times as long.
    deleted = warehouse.execute(
        f'delete from copy.main."{name}" where rowid in ({places("copy")})'  # noqa: S608
    ).fetchone()
    inserted = warehouse.execute(
        f'insert into copy.main."{name}" by name select * from main."{name}"'  # noqa: S608
        f" where rowid in ({places(_current_database(warehouse))})"
    ).fetchone()
    return sum(count for (count,) in filter(None, (deleted, inserted)))


def count_rows(
    warehouse: duckdb.DuckDBPyConnection, names: Iterable[str], *, database: str = ""
) -> dict[str, int]:
    """Rows of tables of schema `main`, by name."""
    place = database or _current_database(warehouse)
    return {name: count_table(warehouse, f'{place}.main."{name}"') for name in names}


def _copy_views(warehouse: duckdb.DuckDBPyConnection, views: Iterable[str]) -> None:
    """Make the views in the database `copy`.

    The engine keeps the text of a view without the name of its database, so that the same text
    reads the tables of whichever database holds it.
    """
    texts = dict(
        warehouse.execute(
            "select view_name, sql from duckdb_views()"
            " where database_name = current_database() and schema_name = 'main'"
        ).fetchall()
    )
    own = _current_database(warehouse)
    warehouse.execute("use copy")
    for name in views:
        if name in texts:
            warehouse.execute(f'drop view if exists "{name}"')
            warehouse.execute(texts[name])
    warehouse.execute(f"use {own}")


def _current_database(warehouse: duckdb.DuckDBPyConnection) -> str:
    found = warehouse.execute("select current_database()").fetchone()
    return f'"{found[0] if found else ""}"'


def copy_bytes(source: Path, target: Path) -> None:
    """Copy a database file that no one has open for writing, by its bytes.

    By the kernel, which shares the blocks where the file system can; else it takes some tenths of a
    second a GB, and what the disk takes to flush it.

    Raises:
        OSError: there is no room, or the disk refuses for another reason.
    """
    if sys.platform == "linux":
        with source.open("rb") as reading, target.open("wb") as writing:
            try:
                while os.copy_file_range(reading.fileno(), writing.fileno(), _COPIED_AT_ONCE):
                    pass
            except OSError as error:
                if error.errno not in _CANNOT_COPY_RANGES:
                    raise
            else:
                return
    shutil.copyfile(source, target)


def attach_copy(warehouse: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Attach such a file for reading, as the database `name`."""
    warehouse.execute(f"attach {quoted(path)} as {name} (read_only)")


def attach_new(warehouse: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Attach a file that is not there yet for writing, as the database `name`."""
    warehouse.execute(f"attach {quoted(path)} as {name}")


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


def listed(names: Iterable[str]) -> str:
    """Names of columns as SQL lists them.

    Example:
        >>> listed(["id", "day"])
        '"id", "day"'
    """
    return ", ".join(f'"{name}"' for name in names)


def quoted(path: Path) -> str:
    """A path as a text in SQL, where the engine takes no parameter."""
    text = str(path).replace("'", "''")
    return f"'{text}'"
