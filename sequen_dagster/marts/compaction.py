"""Marts: a warehouse file without what was deleted from it, which a database keeps in free blocks.

In: a warehouse in which rows were replaced by rewritten ones. Out: the same tables in a new file.
"""

import os
import shutil
from typing import Final

import duckdb

from sequen_dagster.errors import BuildError
from sequen_dagster.home.durable import fsync_folder
from sequen_dagster.marts.copies import attach_new
from sequen_dagster.marts.warehouse import connect, warehouse_path
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.settings import SequenSettings

_FOLDER: Final = "compaction"


def compact(settings: SequenSettings) -> bool:
    """Copy the warehouse to a new file and put that in its place, if rewritten rows were loaded.

    Hold `writer_lock`, and call it after a build that ran through: until then the old rows are in
    the tables themselves. It takes the space of the warehouse once more, and the time of a copy.

    Returns:
        Whether there was anything to do.

    Raises:
        BuildError: the new file could not be closed cleanly; the old one is still in place.
    """
    target = warehouse_path(settings)
    folder = settings.home / _FOLDER
    # What one that was killed has left.
    shutil.rmtree(folder, ignore_errors=True)
    with connect(settings, folders=[folder]) as warehouse:
        if warehouse.execute("select 1 from raw.uncompacted_batches limit 1").fetchone() is None:
            return False
        _empty_affected_keys(warehouse)
        folder.mkdir(mode=0o700)
        unfinished = folder / target.name
        attach_new(warehouse, unfinished, "compacted")
        warehouse.execute(f'copy from database "{target.stem}" to compacted')
        # In the copy alone: until it is in place, there is something to do.
        warehouse.execute("truncate compacted.raw.uncompacted_batches")
        warehouse.execute("detach compacted")
    fail_point("erase.copied")
    logs = [path.with_name(f"{path.name}.wal") for path in (unfinished, target)]
    if any(log.exists() for log in logs):
        message = (
            "The warehouse could not be compacted: a write-ahead log was left, and rows would be "
            "lost. Run again; the warehouse is as it was."
        )
        raise BuildError(message)
    with unfinished.open("rb") as handle:
        os.fsync(handle.fileno())
    unfinished.replace(target)
    fsync_folder(settings.home)
    # The second is where the engine puts rows aside for lack of memory; a killed one leaves them.
    for rest in (folder, target.with_name(f"{target.name}.tmp")):
        shutil.rmtree(rest, ignore_errors=True)
    fail_point("erase.compacted")
    return True


def _empty_affected_keys(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Empty the keys that the last build recomputed: erased people may be among them."""
    affected = warehouse.execute(
        "select table_name from duckdb_tables()"
        " where schema_name = 'intermediate' and table_name like 'int\\_affected\\_%' escape '\\'"
    ).fetchall()
    for (name,) in affected:
        warehouse.execute(f'truncate intermediate."{name}"')
