"""Reports: what stands in `serving/`, and from which build it was made: `.publication.json`.

In: the published database file. Out: a small record beside it, so that a run sees without
opening it whether there is anything new to publish, and goes on from it.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import duckdb

from sequen_dagster.home.durable import write_file
from sequen_dagster.home.layout import Serving
from sequen_dagster.marts.builds import FinishedBuild, last_finished_build, why_unfinished

# Another number has the next publication copy everything.
_VERSION: Final = 1


@dataclass(frozen=True)
class FileIdentity:
    """What distinguishes a file from one that was written, copied or restored since.

    Attributes:
        inode: its number on the disk.
        size_bytes: its size.
        modified_ns: when it was last written, in nanoseconds since 1970.
    """

    inode: int
    size_bytes: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """That of a file that is there."""
        found = path.stat()
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class ChangedRows:
    """Rows of the training set that may have changed.

    Attributes:
        since: the build since which.
        files: names of the Parquet files with their ids and days, in `Serving.training_changes`.
    """

    since: FinishedBuild
    files: tuple[str, ...]


@dataclass(frozen=True)
class Publication:
    """What is published.

    Attributes:
        build: the build whose tables it holds.
        file: the database file.
        row_counts: rows by table.
        views: the views.
        rows_written: rows that were changed since it was last copied in full.
        changed_rows: what the training set may have to write again; None for everything.
    """

    build: FinishedBuild
    file: FileIdentity
    row_counts: dict[str, int]
    views: tuple[str, ...]
    rows_written: int = 0
    changed_rows: ChangedRows | None = None

    def covers(self, tables: Collection[str], views: tuple[str, ...]) -> bool:
        """Whether it is of these tables and views, and of no others."""
        return set(self.row_counts) == set(tables) and self.views == views

    def write(self, serving: Serving) -> None:
        """Note it. While the file that it describes has not got its name yet, it counts for none.

        Raises:
            StorageError: it cannot be written.
        """
        content = json.dumps({"version": _VERSION, **asdict(self)}, indent=1)
        write_file(serving.publication, f"{content}\n", what="the record of the snapshot")


def read_publication(serving: Serving) -> Publication | None:
    """What is published; None where that is not known.

    It is not where there is nothing, where another release has published it, and where the file is
    another than the one noted: restored, written to, or not in place since the process was killed.
    """
    try:
        content = json.loads(serving.publication.read_text(encoding="utf-8"))
        found = _parse(content) if content.pop("version") == _VERSION else None
        is_in_place = found is not None and found.file == FileIdentity.of(serving.snapshot)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        # No record of ours, or nothing there: all is published again, which writes the record.
        return None
    return found if is_in_place else None


def _parse(content: dict[str, Any]) -> Publication:  # Any: JSON
    changed = content["changed_rows"]
    return replace(
        Publication(**content),
        build=FinishedBuild(**content["build"]),
        file=FileIdentity(**content["file"]),
        views=tuple(content["views"]),
        changed_rows=changed
        and ChangedRows(FinishedBuild(**changed["since"]), tuple(changed["files"])),
    )


def why_unpublished(warehouse: duckdb.DuckDBPyConnection, serving: Serving) -> str:
    """Why the snapshot is not that of the last finished build; empty where it is.

    It reads some rows of the warehouse and a small file; the snapshot is not opened.

    Args:
        warehouse: an open connection; hold `writer_lock`.
        serving: the folder of what people open.
    """
    reason = why_unfinished(warehouse)
    if reason:
        return reason
    publication = read_publication(serving)
    if publication is None:
        return "there is no snapshot of which it is known"
    if publication.build != last_finished_build(warehouse):
        return "the tables were built since"
    if not publication.build.fingerprint:
        return "dbt was called by hand"
    return ""
