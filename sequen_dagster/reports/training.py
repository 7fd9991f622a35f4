"""Reports: the training set, every impression with its labels and its split (`training_set`).

In: the view `training_impressions` of the published snapshot. Out: Parquet files in
`serving/training/impressions/`, one a day and period, and `manifest.json`, which names those that
make up the set and is replaced last. A file never changes, since its name says what is in it. Only
days on which rows may have changed since the set before are written again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from sequen_dagster.home.durable import (
    FailPoints,
    fsync_file,
    fsync_folder,
    make_folder,
    storage_error,
    storage_reason,
    unfinished_name,
    write_file,
    writing,
)
from sequen_dagster.home.layout import Serving
from sequen_dagster.marts.catalog import TableColumn
from sequen_dagster.marts.copies import attach_copy, quoted
from sequen_dagster.reports.options import ReportOptions
from sequen_dagster.reports.publication import read_publication
from sequen_dagster.reports.training_changes import find_days_of_cuts
from sequen_dagster.reports.training_manifest import (
    SPLITS,
    Manifest,
    TrainingFile,
    describe,
    files_of,
    made_by,
    parse_cuts,
    read_cuts,
    read_manifest,
    trained_on,
)
from sequen_dagster.reports.training_rows import count_by_day, in_chunks, make_rows, prepare_rows
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
    if trained_on(serving) != publication.build:
        return "there is a new snapshot"
    if not _is_whole(serving, files_of(manifest)):
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
    with writing(_WHAT, serving.root), _open_snapshot(serving, options) as snapshot:
        prepare_rows(snapshot)
        counts = count_by_day(snapshot)
        kept = _find_kept_files(snapshot, serving, options, counts)
        days = {file.day for file in kept}
        changed = [(day, rows) for day, rows in counts.items() if day not in days]
        written = list(_write_files(snapshot, serving, columns, changed))
        files = [*kept, *written] or [_write_empty_file(snapshot, serving, columns)]
        manifest = describe(
            options,
            snapshot,
            columns_in_files(columns),
            serving.training,
            files,
            made_from=publication.build if publication else None,
            # Of a set that is written as a whole nothing else may be left: it may be on someone's
            # account who was erased.
            former=[file.name for file in files_of(before)] if kept and before else (),
        )
        fsync_folder(serving.training_files)
    write_file(
        serving.training_manifest,
        json.dumps(manifest, indent=1) + "\n",
        what=_WHAT,
        fail_points=_FAIL_POINTS,
    )
    for part in _find_leftovers(serving, manifest):
        part.unlink()
    return TrainingSet(serving.training_manifest, manifest, len(files) - len(kept))


def _find_kept_files(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    options: ReportOptions,
    counts: Mapping[date, int],
) -> list[TrainingFile]:
    """The files of the set before that hold what they would hold if they were written again."""
    before, publication = read_manifest(serving), read_publication(serving)
    changes = publication and publication.changed_days
    trained = trained_on(serving)
    if (
        before is None
        or trained is None
        or not changes
        or changes.since != trained
        or before["made_by"] != made_by(options)
        or not _is_whole(serving, files_of(before))
    ):
        return []
    days = {*changes.days, *find_days_of_cuts(snapshot, parse_cuts(before), read_cuts(snapshot))}
    unchanged = counts.keys() - days
    kept = [file for file in files_of(before) if file.day in unchanged]
    is_consistent = sum(file.rows for file in kept) == sum(counts[day] for day in unchanged)
    return kept if is_consistent else []


def _write_files(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    columns: Sequence[TableColumn],
    counts: Iterable[tuple[date, int]],
) -> Iterator[TrainingFile]:
    """Write the files of some days, which are given with the number of their impressions."""
    for days in in_chunks(counts):
        make_rows(snapshot, days)
        parts = snapshot.execute(
            "select cast(original_timestamp as date), time_split from training_rows"
            " group by all order by 1, min(original_timestamp)"
        ).fetchall()
        for day, period in parts:
            yield _write_file(snapshot, serving, columns, day, period)


def _write_empty_file(
    snapshot: duckdb.DuckDBPyConnection, serving: Serving, columns: Sequence[TableColumn]
) -> TrainingFile:
    """Without impressions there is a file without rows, so that readers find the columns."""
    make_rows(snapshot, [])
    return _write_file(snapshot, serving, columns, None, "")


def _write_file(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    columns: Sequence[TableColumn],
    day: date | None,
    period: str,
) -> TrainingFile:
    """Write the rows of a day and period, in order of time and id."""
    folder = serving.training_files
    make_folder(folder)
    unfinished = folder / unfinished_name(folder / "part.parquet")
    names = ", ".join(f'"{column.name}"' for column in columns_in_files(columns))
    # The values are dates and words of our own.
    written = snapshot.execute(
        f"copy (select {names} from training_rows where time_split = '{period}'"  # noqa: S608
        f" and cast(original_timestamp as date) = date '{day or date.min}'"
        f" order by original_timestamp, impression_id) to {quoted(unfinished)}"
        " (format parquet, compression zstd)"
    ).fetchone()
    fsync_file(unfinished)
    with unfinished.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    what = f"{day}.{period}" if day else "empty"
    part = folder / f"{what}.{digest[:16]}.parquet"
    size = unfinished.stat().st_size
    unfinished.replace(part)
    name = part.relative_to(serving.training).as_posix()
    return TrainingFile(name, day, period, written[0] if written else 0, size, digest)


def _is_whole(serving: Serving, files: Iterable[TrainingFile]) -> bool:
    """Whether all files are there, and of their size."""
    sizes = {name: part.stat().st_size for name, part in _list_files(serving).items()}
    return all(sizes.get(file.name) == file.bytes for file in files)


def _find_leftovers(serving: Serving, manifest: Manifest) -> list[Path]:
    """Files that belong neither to this set nor to the one before, which may still be read."""
    named = {*manifest["former_files"], *(file.name for file in files_of(manifest))}
    others = [part for name, part in _list_files(serving).items() if name not in named]
    # What an earlier release has written.
    single = serving.training / "impressions.parquet"
    return [*others, *([single] if single.exists() else [])]


def _list_files(serving: Serving) -> dict[str, Path]:
    """What lies in the folder of the files, by the names that the manifest gives them."""
    folder = serving.training_files
    parts = folder.iterdir() if folder.is_dir() else ()
    return {part.relative_to(serving.training).as_posix(): part for part in parts}


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
