"""Reports: the training set, every impression with its labels and its split (`training_set`).

In: the published snapshot. Out: `serving/training/impressions.parquet`, replaced in one step, and
`manifest.json`, which says what is in it.
"""

import functools
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import duckdb

from sequen_dagster.home.durable import (
    fsync_folder,
    make_folder,
    storage_error,
    storage_reason,
    writing,
)
from sequen_dagster.home.layout import Home
from sequen_dagster.reports.publish import snapshot_path
from sequen_dagster.reports.training_manifest import (
    SPLITS,
    TRAIN_PERCENT,
    VALIDATION_PERCENT,
    Cuts,
    Manifest,
    describe,
)
from sequen_dagster.reports.writing import write_report_file
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.redaction import without_values
from sequen_dagster.settings import SequenSettings

_CUTS: Final = f"""
    select
        quantile_disc(original_timestamp, {TRAIN_PERCENT / 100}),
        quantile_disc(original_timestamp, {(TRAIN_PERCENT + VALIDATION_PERCENT) / 100}),
        (select max(original_timestamp) + interval 1 microsecond from fct_events)
    from fct_impressions
"""  # noqa: S608  # our own numbers


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


def training_dir(settings: SequenSettings) -> Path:
    """The folder of the training set."""
    return Home(settings.home).serving.training


def find_cuts(snapshot: duckdb.DuckDBPyConnection) -> Cuts:
    """Where the impressions of a snapshot are cut in time; exact, and the same for any order."""
    found = snapshot.execute(_CUTS).fetchone()
    return Cuts(*found) if found else Cuts(None, None, None)


def training_rows(snapshot: duckdb.DuckDBPyConnection, cuts: Cuts) -> duckdb.DuckDBPyRelation:
    """Every impression with its features, labels and split, ordered by time and id.

    Args:
        snapshot: a connection to the published tables.
        cuts: from `find_cuts`, or those of an earlier set that this one is to be compared with.

    Returns:
        The rows, not sorted yet; the columns are those of `training_columns`.
    """
    variables = {
        "train_percent": TRAIN_PERCENT,
        "validation_percent": VALIDATION_PERCENT,
        "validation_from": cuts.validation_from,
        "test_from": cuts.test_from,
        "known_until": cuts.known_until,
    }
    for name, value in variables.items():
        snapshot.execute(f"set variable {name} = ?", [value])
    snapshot.execute(_query())
    return snapshot.sql("from training_rows order by original_timestamp, impression_id")


def write_training_set(settings: SequenSettings) -> TrainingSet:
    """Write the training set of the published snapshot in place of the old one.

    Hold `writer_lock`: a set that began before somebody was erased would bring the person back.

    Returns:
        The path and the manifest.

    Raises:
        StorageError: there is no room for the new file; the old one is still in place.
    """
    target = training_dir(settings) / "impressions.parquet"
    unfinished = target.with_name(f".{target.name}.tmp")
    with writing("the training set", settings.home):
        make_folder(target.parent)
    try:
        with _opened(settings) as snapshot:
            cuts = find_cuts(snapshot)
            training_rows(snapshot, cuts).write_parquet(str(unfinished), compression="zstd")
            manifest = describe(settings, snapshot, cuts, unfinished)
        with writing("the training set", settings.home):
            with unfinished.open("rb") as handle:
                os.fsync(handle.fileno())
            fail_point("reports.training_written")
            unfinished.replace(target)
            fsync_folder(target.parent)
        fail_point("reports.training_replaced")
    finally:
        # Half a set is of no use, and may hold somebody who is to be erased.
        unfinished.unlink(missing_ok=True)
    write_report_file(target.with_name("manifest.json"), json.dumps(manifest, indent=2) + "\n")
    return TrainingSet(target, manifest)


@functools.cache
def _query() -> str:
    return resources.files(__package__).joinpath("training.sql").read_text(encoding="utf-8")


@contextmanager
def _opened(settings: SequenSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    """The snapshot for reading; no file but those of the training set can be reached from it."""
    folder = training_dir(settings)
    # A place of its own: what a killed run leaves may hold somebody who is to be erased, and the
    # engine's own place beside the snapshot is that of whoever reads the snapshot, too.
    spilled = folder / ".spilled.tmp"
    options: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": settings.memory_limit,
        "temp_directory": str(spilled),
    }
    shutil.rmtree(spilled, ignore_errors=True)
    try:
        with (
            without_values(),
            duckdb.connect(snapshot_path(settings), read_only=True, config=options) as snapshot,
        ):
            snapshot.execute("set allowed_directories = ?", [[f"{folder}/"]])
            snapshot.execute("set enable_external_access = false")
            yield snapshot
    except duckdb.Error as error:
        reason = storage_reason(str(error))
        if not reason:
            raise
        # The engine's own message names places of this machine.
        raise storage_error("the training set", settings.home, reason) from None
    finally:
        shutil.rmtree(spilled, ignore_errors=True)
