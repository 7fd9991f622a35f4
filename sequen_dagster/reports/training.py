"""Reports: the training set, every impression with its labels and its split (`training_set`).

In: the view `training_impressions` of the published snapshot. Out: Parquet files in
`serving/training/impressions/`, one a day and period, and `manifest.json`, which names those that
make up the set and is replaced last. A file never changes, since its name says what is in it. Only
days on which rows may have changed since the set before are written again.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from sequen_dagster.home.durable import (
    FailPoints,
    fsync_folder,
    make_folder,
    storage_error,
    storage_reason,
    write_file,
    writing,
)
from sequen_dagster.home.layout import Serving
from sequen_dagster.marts.catalog import TableColumn
from sequen_dagster.marts.copies import attach_copy
from sequen_dagster.reports.options import ReportOptions
from sequen_dagster.reports.publication import Publication, read_publication
from sequen_dagster.reports.training_changes import select_moved
from sequen_dagster.reports.training_files import is_whole, list_files, update_files, write_files
from sequen_dagster.reports.training_manifest import (
    SPLITS,
    Manifest,
    describe,
    files_of,
    made_by,
    parse_cuts,
    read_cuts,
    read_manifest,
    trained_on,
)
from sequen_dagster.reports.training_rows import prepare_rows
from sequen_dagster.runtime.redaction import without_values

# The same for all rows of a period, and others with every batch: the manifest has the instants.
_NOT_IN_FILES: Final = ("label_hours", "labels_until")
_FAIL_POINTS: Final[FailPoints] = ("reports.training_written", "reports.training_replaced")
_WHAT: Final = "the training set"


@dataclass(frozen=True)
class TrainingSet:
    """What was written.

    Attributes:
        path: the manifest.
        manifest: what it says.
        files_written: how many files are new.
    """

    path: Path
    manifest: Manifest
    files_written: int

    @property
    def row_counts(self) -> dict[str, int]:
        """Rows by split."""
        return {name: self.manifest["splits"][name]["rows"] for name in SPLITS}


def columns_in_files(columns: Sequence[TableColumn]) -> list[TableColumn]:
    """Those columns of the view `training_impressions` that the files have."""
    return [column for column in columns if column.name not in _NOT_IN_FILES]


def why_untrained(serving: Serving, options: ReportOptions) -> str:
    """Why the training set is not that of the published snapshot; empty where it is.

    It reads two small files and lists a folder.

    Args:
        serving: the folder of what people open.
        options: from `report_options`.
    """
    publication = read_publication(serving)
    if publication is None:
        return "there is no snapshot of which it is known"
    manifest = read_manifest(serving)
    if manifest is None or manifest["made_by"] != made_by(options):
        return "there is no training set of this release and these settings"
    if trained_on(manifest) != publication.build:
        return "there is a new snapshot"
    if not is_whole(serving, files_of(manifest)):
        return "files of the training set are gone"
    if _find_leftovers(serving, manifest):
        return "files of an earlier training set are left"
    return ""


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
        StorageError: there is no room for the new files; the old set is still in place.
    """
    before = read_manifest(serving)
    if before is not None and not why_untrained(serving, options):
        return TrainingSet(serving.training_manifest, before, 0)
    publication = read_publication(serving)
    names = [column.name for column in columns_in_files(columns)]
    files = None
    with writing(_WHAT, serving.root), _open_snapshot(serving, options) as snapshot:
        counts = prepare_rows(snapshot)
        make_folder(serving.training_files)
        if before and _find_changed_rows(snapshot, serving, options, before, publication):
            files = update_files(snapshot, serving, names, counts, files_of(before))
        # Of a set that is written as a whole none of the files before are left to its readers: they
        # may be about a person who was erased.
        former = files_of(before) if before and files is not None else []
        if files is None:
            files = write_files(snapshot, serving, names, counts)
        fsync_folder(serving.training_files)
        manifest = describe(
            options,
            snapshot,
            columns_in_files(columns),
            serving.training,
            files,
            made_from=publication.build if publication else None,
            former=[file.name for file in former],
        )
    write_file(
        serving.training_manifest,
        json.dumps(manifest, indent=1) + "\n",
        what=_WHAT,
        fail_points=_FAIL_POINTS,
    )
    for part in _find_leftovers(serving, manifest):
        part.unlink()
    return TrainingSet(
        serving.training_manifest,
        manifest,
        len({file.name for file in files} - {file.name for file in former}),
    )


def _find_changed_rows(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    options: ReportOptions,
    before: Manifest,
    publication: Publication | None,
) -> bool:
    """Make the table `changed_rows`, if it is known what has changed since the set before.

    Its rows are `impression_id` and `day`, as `select_changed` gives them.
    """
    changed = publication.changed_rows if publication else None
    if (
        changed is None
        or changed.since != trained_on(before)
        or before["made_by"] != made_by(options)
        or not is_whole(serving, files_of(before))
    ):
        return False
    folder = serving.training_changes
    cuts = select_moved(snapshot, parse_cuts(before), read_cuts(snapshot))
    snapshot.execute(
        f"create table changed_rows as from read_parquet(?) union ({cuts})",
        [[str(folder / name) for name in changed.files]],
    )
    return True


def _find_leftovers(serving: Serving, manifest: Manifest) -> list[Path]:
    """Files that belong neither to this set nor to the one before, which may still be read."""
    named = {*manifest["former_files"], *(file.name for file in files_of(manifest))}
    others = [part for name, part in list_files(serving).items() if name not in named]
    folder = serving.training_changes
    changes = [*folder.iterdir()] if folder.is_dir() else []
    # What an earlier release has written.
    single = serving.training / "impressions.parquet"
    return [*others, *changes, *([single] if single.exists() else [])]


@contextmanager
def _open_snapshot(serving: Serving, options: ReportOptions) -> Iterator[duckdb.DuckDBPyConnection]:
    """The snapshot for reading, beside a database in memory to compute in.

    No file but those of the training set can be reached from it.
    """
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
        with without_values(), duckdb.connect(config=config) as snapshot:
            attach_copy(snapshot, serving.snapshot, "snapshot")
            snapshot.execute("set allowed_directories = ?", [[f"{folder}/"]])
            snapshot.execute("set enable_external_access = false")
            yield snapshot
    except duckdb.Error as error:
        reason = storage_reason(str(error))
        if not reason:
            raise
        # The engine's own message names places of this machine.
        raise storage_error(_WHAT, serving.root, reason) from None
    finally:
        shutil.rmtree(spilled, ignore_errors=True)
