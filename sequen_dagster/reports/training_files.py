"""Reports: the Parquet files of the training set, one a day and period.

In: rows of some days, or rows that have changed and the files before. Out: files whose names say
what is in them, so that no file ever changes and the same rows are the same file.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from sequen_dagster.home.durable import fsync_file, unfinished_name
from sequen_dagster.home.layout import Serving
from sequen_dagster.marts.copies import listed, quoted
from sequen_dagster.reports.training_manifest import TrainingFile
from sequen_dagster.reports.training_rows import in_chunks, make_rows

_DAY: Final = "cast(original_timestamp as date)"


def write_files(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    names: Sequence[str],
    counts: Mapping[date, int],
) -> list[TrainingFile]:
    """Write all rows.

    Args:
        snapshot: as `prepare_rows` has left it.
        serving: the folder of what people open.
        names: the columns.
        counts: how many rows there are on each day, in order of the days.

    Returns:
        The files; without any rows one that has the columns.
    """
    files = []
    for days in in_chunks(counts.items()):
        make_rows(snapshot, days)
        for day in days:
            rows = f"(from training_rows where {_DAY} = date '{day}')"
            files += _write_day(snapshot, serving, names, day, rows)
    if not files:
        make_rows(snapshot, [])
        files = [_write_file(snapshot, serving, names, None, "", "training_rows")]
    return files


def update_files(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    names: Sequence[str],
    counts: Mapping[date, int],
    before: Iterable[TrainingFile],
) -> list[TrainingFile] | None:
    """Write the files again in which rows have changed.

    Only the rows in the table `changed_rows` are computed; the others of their days are read from
    the files before.

    Args:
        snapshot: as `prepare_rows` has left it, with `changed_rows`.
        serving: the folder of what people open.
        names: the columns.
        counts: how many rows there are on each day.
        before: the files of the set before.

    Returns:
        All files of the set; None where they would not hold the rows that there are, and it has to
        be written as a whole.
    """
    changed = snapshot.execute(
        "select day, count(*) from changed_rows group by day order by day"
    ).fetchall()
    former: dict[date, list[TrainingFile]] = {}
    for file in before:
        if file.day is not None:
            former.setdefault(file.day, []).append(file)
    for days in in_chunks(changed):
        make_rows(snapshot, days, among="changed_rows")
        for day in days:
            parts = former.pop(day, [])
            _merge_rows(snapshot, serving, names, day, parts)
            former[day] = _write_day(snapshot, serving, names, day, "merged_rows")
    files = [file for parts in former.values() for file in parts]
    written = Counter[date]()
    for day, parts in former.items():
        written[day] += sum(file.rows for file in parts)
    return files if files and +written == Counter(counts) else None


def is_whole(serving: Serving, files: Iterable[TrainingFile]) -> bool:
    """Whether all files are there, and of their size."""
    sizes = {name: part.stat().st_size for name, part in list_files(serving).items()}
    return all(sizes.get(file.name) == file.bytes for file in files)


def list_files(serving: Serving) -> dict[str, Path]:
    """What lies in the folder of the files, by the names that the manifest gives them."""
    folder = serving.training_files
    parts = folder.iterdir() if folder.is_dir() else ()
    return {part.relative_to(serving.training).as_posix(): part for part in parts}


def _merge_rows(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    names: Sequence[str],
    day: date,
    before: Sequence[TrainingFile],
) -> None:
    """Make the rows of a day, the table `merged_rows`, of the new ones and the unchanged."""
    columns = listed(names)
    snapshot.execute(
        f"create or replace table merged_rows as select {columns} from training_rows"  # noqa: S608
        f" where {_DAY} = date '{day}'"
    )
    if before:
        snapshot.execute(
            f"insert into merged_rows select {columns}"  # noqa: S608  # our own names
            " from read_parquet(?, hive_partitioning = false)"
            " where impression_id not in (select impression_id from changed_rows)",
            [[str(serving.training / file.name) for file in before]],
        )


def _write_day(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    names: Sequence[str],
    day: date,
    rows: str,
) -> list[TrainingFile]:
    """Write rows of a day, a file a period."""
    periods = snapshot.execute(
        f"select time_split from {rows} group by all order by min(original_timestamp)"  # noqa: S608
    ).fetchall()
    return [_write_file(snapshot, serving, names, day, period, rows) for (period,) in periods]


def _write_file(
    snapshot: duckdb.DuckDBPyConnection,
    serving: Serving,
    names: Sequence[str],
    day: date | None,
    period: str,
    rows: str,
) -> TrainingFile:
    """Write rows of a period, in order of time and id."""
    folder = serving.training_files
    unfinished = folder / unfinished_name(folder / "part.parquet")
    # The engine takes no parameters here; the period is a word of our own.
    written = snapshot.execute(
        f"copy (select {listed(names)} from {rows} where time_split = '{period}'"  # noqa: S608
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
