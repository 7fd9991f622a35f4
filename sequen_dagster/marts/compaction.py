"""Marts: a warehouse file without what was deleted from it, which a database keeps in free blocks.

In: a warehouse in which rows were replaced by rewritten ones. Out: the same tables in a new file.
"""

import shutil
from pathlib import Path

import duckdb

from sequen_dagster.errors import BuildError
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.copies import attach_new, log_of, replace_database
from sequen_dagster.marts.unpublished import forget_changes
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.settings import SequenSettings


def has_rows_to_compact(warehouse: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file still holds bytes of rows that were deleted for good.

    Args:
        warehouse: an open connection; hold `writer_lock`.
    """
    found = warehouse.execute("select 1 from raw.uncompacted_batches limit 1").fetchone()
    return found is not None


def compact(settings: SequenSettings) -> bool:
    """Copy the warehouse to a new file and put that in its place, if rewritten rows were loaded.

    Hold `writer_lock`, and call it after a build that ran through: until then the old rows are in
    the tables themselves. It takes the space of the warehouse once more, and the time of a copy.

    Returns:
        Whether there was anything to do.

    Raises:
        BuildError: the new file could not be closed cleanly; the old one is still in place.
    """
    target = Home(settings.home).warehouse
    folder = Home(settings.home).compaction
    # What one that was killed has left.
    shutil.rmtree(folder, ignore_errors=True)
    with connect(settings) as warehouse:
        if not has_rows_to_compact(warehouse):
            return False
    folder.mkdir(mode=0o700)
    with replace_database(target, "the warehouse", folder=folder) as copy:
        _copy_warehouse(settings, copy)
        fail_point("erase.copied")
        if log_of(target).exists():
            message = "The warehouse has a write-ahead log, and rows would be lost. Run again."
            raise BuildError(message)
    # The second is where the engine puts rows aside for lack of memory; a killed one leaves them.
    for rest in (folder, target.with_name(f"{target.name}.tmp")):
        shutil.rmtree(rest, ignore_errors=True)
    fail_point("erase.compacted")
    return True


def _copy_warehouse(settings: SequenSettings, copy: Path) -> None:
    with connect(settings, folders=[copy.parent]) as warehouse:
        _empty_affected_keys(warehouse)
        # Their keys are among what has changed, and a snapshot that is only brought up to date has
        # free blocks of its own.
        forget_changes(warehouse)
        attach_new(warehouse, copy, "compacted")
        warehouse.execute(f'copy from database "{Home(settings.home).warehouse.stem}" to compacted')
        # In the copy alone: until it is in place, there is something to do.
        warehouse.execute("truncate compacted.raw.uncompacted_batches")
        warehouse.execute("detach compacted")


def _empty_affected_keys(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Empty the keys that the last build recomputed: erased people may be among them."""
    affected = warehouse.execute(
        "select table_name from duckdb_tables()"
        " where schema_name = 'intermediate' and table_name like 'int\\_affected\\_%' escape '\\'"
    ).fetchall()
    for (name,) in affected:
        warehouse.execute(f'truncate intermediate."{name}"')
