"""Reports: the published snapshot, a database file that people may open while runs write.

In: the public tables of the warehouse. Out: `serving/sequen.duckdb`, replaced in one step. Where it
is known what has changed since the last publication, that one is copied as bytes and the changed
rows are replaced in the copy; else all tables are copied.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from sequen_dagster.errors import UnfinishedTablesError
from sequen_dagster.home.durable import FailPoints, replace_file, storage_reason, writing
from sequen_dagster.home.layout import Home, Serving
from sequen_dagster.marts.builds import FinishedBuild, last_finished_build, why_unfinished
from sequen_dagster.marts.compaction import has_rows_to_compact
from sequen_dagster.marts.copies import (
    built_tables,
    copy_bytes,
    copy_tables,
    count_rows,
    log_of,
    quoted,
    replace_database,
    update_tables,
)
from sequen_dagster.marts.unpublished import (
    follow_changes,
    followed_columns,
    followed_since,
    logged_columns,
)
from sequen_dagster.marts.warehouse import connect, transaction
from sequen_dagster.reports.publication import (
    ChangedRows,
    FileIdentity,
    Publication,
    read_publication,
    why_unpublished,
)
from sequen_dagster.reports.training_changes import TRACED, select_changed
from sequen_dagster.reports.training_manifest import read_manifest, trained_on
from sequen_dagster.settings import SequenSettings

_FAIL_POINTS: Final[FailPoints] = ("reports.snapshot_written", "reports.snapshot_replaced")
# Once so many of its rows are others, the file is copied in full: then it is in order again, and
# without free blocks.
_WRITTEN_SHARE: Final = 0.5


@dataclass(frozen=True)
class Published:
    """What was published.

    Attributes:
        path: the database file.
        row_counts: rows by table.
        how: what was done, in words.
    """

    path: Path
    row_counts: dict[str, int]
    how: str


class _UnusableFileError(Exception):
    """What was published before cannot be brought up to date; the message says why."""


def publish(
    settings: SequenSettings,
    tables: Collection[str],
    views: Iterable[str] = (),
    keys: Mapping[str, tuple[str, ...]] | None = None,
) -> Published:
    """Put the public tables, as the last build has left them, in place of what was published.

    Only a finished build is published, and only where the totals of its tables fit each other. Hold
    `writer_lock`. Readers that have the old file open keep it until they open again.

    Args:
        settings: the home.
        tables: names of the public tables, from `TableCatalog`.
        views: names of the public views, each after those that it reads.
        keys: the columns that identify a row, by table; a table without is copied each time.

    Returns:
        The path and the row counts.

    Raises:
        UnfinishedTablesError: the tables are not those of a finished build, or do not fit each
            other; the old file is still in place.
        BuildError: the new file could not be closed cleanly; the old one is still in place.
        StorageError: there is no room for the new file; the old one is still in place.
    """
    views = tuple(views)
    try:
        return _publish(settings, tables, views, keys or {})
    except _UnusableFileError as error:
        return _publish(settings, tables, views, keys or {}, why_in_full=str(error))


def _publish(
    settings: SequenSettings,
    tables: Collection[str],
    views: tuple[str, ...],
    keys: Mapping[str, tuple[str, ...]],
    *,
    why_in_full: str = "",
) -> Published:
    serving = Home(settings.home).serving
    with connect(settings, folders=[serving.root]) as warehouse:
        build = _check_finished(warehouse)
        names = built_tables(warehouse, tables)
        before = read_publication(serving)
        if before and before.covers(names, views) and not why_unpublished(warehouse, serving):
            return Published(serving.snapshot, before.row_counts, "left, since nothing has changed")
        _check_reconciled(warehouse)
        why_in_full = why_in_full or _why_in_full(warehouse, serving, before, names, views, keys)
        if before is None or why_in_full:
            after = _copy(warehouse, serving, build, names, views)
            how = f"copied in full, since {why_in_full}"
        else:
            after = _update(warehouse, serving, build, before, keys)
            how = f"{after.rows_written - before.rows_written:,} rows were replaced"
        _follow(warehouse, build, names, keys)
    return Published(serving.snapshot, after.row_counts, how)


def _why_in_full(
    warehouse: duckdb.DuckDBPyConnection,
    serving: Serving,
    before: Publication | None,
    names: Collection[str],
    views: tuple[str, ...],
    keys: Mapping[str, tuple[str, ...]],
) -> str:
    """Why what was published cannot be brought up to date; empty where it can."""
    if before is None:
        return "nothing is known of a publication before"
    followed = followed_columns(warehouse)
    known = warehouse.execute(
        "select fingerprint from raw.builds where build_number = ? and started_at = ?::timestamp",
        [before.build.number, before.build.started_at],
    ).fetchone()
    since = followed_since(warehouse)
    is_known = bool(before.build.fingerprint) and known == (before.build.fingerprint,)
    if not is_known or since is None or since > before.build.number:
        return "it is not known what has changed since the publication before"
    is_of_these = before.covers(names, views) and all(
        set(keys.get(name, ("",))) <= set(columns) for name, columns in followed.items()
    )
    if not is_of_these:
        return "the publication before was of other tables"
    if has_rows_to_compact(warehouse):
        return "people were erased"
    if before.rows_written > _WRITTEN_SHARE * sum(before.row_counts.values()):
        return "much has changed since the last time"
    return "another program writes to the file" if log_of(serving.snapshot).exists() else ""


def _copy(
    warehouse: duckdb.DuckDBPyConnection,
    serving: Serving,
    build: FinishedBuild,
    names: Collection[str],
    views: tuple[str, ...],
) -> Publication:
    """Publish a file into which all tables are copied."""
    with replace_database(serving.snapshot, "the snapshot", fail_points=_FAIL_POINTS) as unfinished:
        row_counts = copy_tables(warehouse, unfinished, names=names, views=views)
        publication = Publication(build, FileIdentity.of(unfinished), row_counts, views)
        publication.write(serving)
    return publication


def _update(
    warehouse: duckdb.DuckDBPyConnection,
    serving: Serving,
    build: FinishedBuild,
    before: Publication,
    keys: Mapping[str, tuple[str, ...]],
) -> Publication:
    """Publish a copy of what was published, in which the rows that have changed are replaced."""
    changed = {name: keys[name] for name in followed_columns(warehouse)}
    names = [name for name in before.row_counts if name not in changed]
    changed_rows = _write_changed_rows(warehouse, serving, build, before)
    with replace_database(serving.snapshot, "the snapshot", fail_points=_FAIL_POINTS) as unfinished:
        with writing("the snapshot", serving.root, about_bytes=before.file.size_bytes):
            copy_bytes(serving.snapshot, unfinished)
        try:
            updated = update_tables(
                warehouse, unfinished, changed=changed, names=names, views=before.views
            )
        except duckdb.Error as error:
            if storage_reason(str(error)):
                raise
            message = "the file of the publication before cannot be read"
            raise _UnusableFileError(message) from error
        if updated.row_counts != count_rows(warehouse, before.row_counts):
            message = "the file of the publication before held other rows"
            raise _UnusableFileError(message)
        publication = Publication(
            build,
            FileIdentity.of(unfinished),
            updated.row_counts,
            before.views,
            before.rows_written + updated.rows_written,
            changed_rows,
        )
        publication.write(serving)
    return publication


def _write_changed_rows(
    warehouse: duckdb.DuckDBPyConnection,
    serving: Serving,
    build: FinishedBuild,
    before: Publication,
) -> ChangedRows | None:
    """Note what the training set has to write again; None for everything."""
    followed = followed_columns(warehouse)
    trained = trained_on(read_manifest(serving))
    earlier = before.changed_rows
    is_known = all(set(names) <= set(followed.get(name, ())) for name, names in TRACED.items())
    if trained is None or not is_known:
        return None
    if trained == before.build:
        files: tuple[str, ...] = ()
    elif earlier is not None and earlier.since == trained:
        files = earlier.files
    else:
        return None
    name = f"{build.number}.parquet"
    target = serving.training_changes / name
    with replace_file(target, "what has changed for the training set") as unfinished:
        query = select_changed(tables="main", changed="unpublished")
        warehouse.execute(f"copy ({query}) to {quoted(unfinished)} (format parquet)")
    return ChangedRows(trained, tuple(dict.fromkeys((*files, name))))


def _follow(
    warehouse: duckdb.DuckDBPyConnection,
    build: FinishedBuild,
    names: Collection[str],
    keys: Mapping[str, tuple[str, ...]],
) -> None:
    """Have the next builds keep what they change in tables that have a change log and a key."""
    logged = logged_columns(warehouse)
    columns = {
        name: tuple(
            column
            for column in dict.fromkeys((*keys[name], *TRACED.get(name, ())))
            if column in logged[name]
        )
        for name in names
        if name in keys and set(keys[name]) <= set(logged.get(name, ()))
    }
    with transaction(warehouse):
        follow_changes(warehouse, build.number, columns)


def _check_finished(warehouse: duckdb.DuckDBPyConnection) -> FinishedBuild:
    build = last_finished_build(warehouse)
    if build is None:
        message = (
            f"Nothing was published, since {why_unfinished(warehouse)}. Materialize the tables, "
            "all of them or any one, or call `sequen-dagster run`; what was published before is "
            "still in place."
        )
        raise UnfinishedTablesError(message)
    return build


def _check_reconciled(warehouse: duckdb.DuckDBPyConnection) -> None:
    unmet = warehouse.execute(
        "select invariant, expected, actual from main.rpt_reconciliation"
        " where not is_met order by invariant"
    ).fetchall()
    if unmet:
        totals = "; ".join(
            f"{name}: {expected.normalize():f} and {actual.normalize():f}"
            for name, expected, actual in unmet
        )
        message = (
            f"Nothing was published, since the tables do not fit each other ({totals}). Build them "
            "from nothing by `sequen-dagster run --full-refresh`, and please report it as a fault; "
            "what was published before is still in place."
        )
        raise UnfinishedTablesError(message)
