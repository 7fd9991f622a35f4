"""Reports: the training set, every impression with its labels and its split (`training_set`).

In: the view `training_impressions` of the published snapshot. Out:
`serving/training/impressions.parquet`, replaced in one step, and `manifest.json`, which says what
is in it.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from sequen_dagster.home.durable import FailPoints, replace_file, storage_error, storage_reason
from sequen_dagster.home.layout import Serving
from sequen_dagster.marts.catalog import TableColumn
from sequen_dagster.reports.options import ReportOptions
from sequen_dagster.reports.training_manifest import (
    SPLITS,
    Manifest,
    describe,
)
from sequen_dagster.reports.writing import write_report_file
from sequen_dagster.runtime.redaction import without_values

IMPRESSIONS_FILE: Final = "impressions.parquet"
_FAIL_POINTS: Final[FailPoints] = ("reports.training_written", "reports.training_replaced")


@dataclass(frozen=True)
class TrainingSet:
    """What was written.

    Attributes:
        path: the Parquet file.
        manifest: what the manifest says.
    """

    path: Path
    manifest: Manifest

    @property
    def row_counts(self) -> dict[str, int]:
        """Rows by split."""
        return {name: self.manifest["splits"][name]["rows"] for name in SPLITS}


def training_rows(snapshot: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Every impression with its features, labels and split, ordered by time and id.

    Args:
        snapshot: a connection to the published tables and views.

    Returns:
        The rows of the view `training_impressions`, not sorted yet.
    """
    # A table first: joins and a sort of wide rows in one query hold more in memory than both, one
    # after the other, and none of it can be put on the disk meanwhile.
    snapshot.execute("create or replace temporary table training_rows as from training_impressions")
    return snapshot.sql("from training_rows order by original_timestamp, impression_id")


def write_training_set(
    serving: Serving, options: ReportOptions, columns: Sequence[TableColumn]
) -> TrainingSet:
    """Write the training set of the published snapshot in place of the old one.

    Hold `writer_lock`: a set that began before an erasure would bring the person back.

    Args:
        serving: the folder of what people open, with the snapshot.
        options: from `report_options`.
        columns: those of the view `training_impressions`, from `TableCatalog`.

    Returns:
        The path and the manifest.

    Raises:
        StorageError: there is no room for the new file; the old one is still in place.
    """
    target = serving.training / IMPRESSIONS_FILE
    # Half a set is removed: it is of no use, and may hold a person who is to be erased.
    with (
        replace_file(target, "the training set", fail_points=_FAIL_POINTS) as unfinished,
        _open_snapshot(serving, options) as snapshot,
    ):
        training_rows(snapshot).write_parquet(str(unfinished), compression="zstd")
        manifest = describe(options, snapshot, columns, unfinished)
    write_report_file(target.with_name("manifest.json"), json.dumps(manifest, indent=2) + "\n")
    return TrainingSet(target, manifest)


@contextmanager
def _open_snapshot(serving: Serving, options: ReportOptions) -> Iterator[duckdb.DuckDBPyConnection]:
    """The snapshot for reading; no file but those of the training set can be reached from it."""
    folder = serving.training
    # A folder of its own: what a killed run leaves may hold a person who is to be erased, and the
    # engine's own folder beside the snapshot is that of other readers, too.
    spilled = folder / ".spilled.tmp"
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": options.memory_limit,
        "temp_directory": str(spilled),
    }
    shutil.rmtree(spilled, ignore_errors=True)
    try:
        with (
            without_values(),
            duckdb.connect(serving.snapshot, read_only=True, config=config) as snapshot,
        ):
            snapshot.execute("set allowed_directories = ?", [[f"{folder}/"]])
            snapshot.execute("set enable_external_access = false")
            yield snapshot
    except duckdb.Error as error:
        reason = storage_reason(str(error))
        if not reason:
            raise
        # The engine's own message names places of this machine.
        raise storage_error("the training set", serving.root, reason) from None
    finally:
        shutil.rmtree(spilled, ignore_errors=True)
