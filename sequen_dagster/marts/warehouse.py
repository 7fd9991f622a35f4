"""Marts: the warehouse file, one writer at a time, and the loading of commits into it.

In: the lake's commits. Out: the `raw` tables that dbt's staging models read.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.lake.columns import ACCEPTED_COLUMNS, QUARANTINED_COLUMNS
from sequen_dagster.lake.commits import Batch, Commit, read_commits
from sequen_dagster.marts.opening import opened
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.redaction import without_values
from sequen_dagster.settings import MartsSettings, RunningSettings, SequenSettings

# Finding a number among millions is many times faster than finding a text, and spares reading the
# rows beside it. Not the engine's own hash: its next version may compute another.
ID_HASH: Final = "('0x' || substr(md5(id), 1, 15))::bigint"
_BATCH_COLUMNS: Final = {
    "batch_id": "varchar",
    "source": "varchar",
    "path": "varchar",
    "file_format": "varchar",
    "file_sha256": "varchar",
    "commit_id": "varchar",
    "contract_fingerprint": "varchar",
    "hint": "varchar",
    "version": "integer",
    "revision": "integer",
    "file_bytes": "bigint",
    "records_read": "bigint",
    "accepted": "bigint",
    "quarantined": "bigint",
    "skipped": "bigint",
    "blank_lines": "bigint",
    "received_at": "timestamp",
    "registered_at": "timestamp",
    "committed_at": "timestamp",
}
_BUILD_COLUMNS: Final = {
    "build_number": "bigint",
    "fingerprint": "varchar",
    "is_full": "boolean",
    "is_finished": "boolean",
    "started_at": "timestamp",
    "finished_at": "timestamp",
}
_OVERRIDE_COLUMNS: Final = {
    "attribute": "varchar",
    "tier": "varchar",
    "kind": "varchar",
    "why": "varchar",
    "fix": "varchar",
    "example": "varchar",
    "threshold": "decimal(9, 6)",
    "min_events": "bigint",
    "waived": "boolean",
}
_OVERRIDE_DETECTOR_COLUMNS: Final = {
    "attribute": "varchar",
    "detector": "varchar",
    "name": "varchar",
    "type": "varchar",
    "value": "varchar",
    "detector_number": "integer",
    "is_added": "boolean",
}
_OVERRIDE_SCOPE_COLUMNS: Final = {
    "attribute": "varchar",
    "scope": "varchar",
    "type": "varchar",
    "field": "varchar",
    "value": "varchar",
}
_VIOLATION_COLUMNS: Final = {
    "batch_id": "varchar",
    "type": "varchar",
    "rule": "varchar",
    "severity": "varchar",
    "records": "bigint",
}


_RAW_TABLES: Final = {
    "events": {**ACCEPTED_COLUMNS, "batch_id": "varchar", "id_hash": "bigint not null"},
    "quarantined_events": {**QUARANTINED_COLUMNS, "batch_id": "varchar"},
    "batches": _BATCH_COLUMNS,
    "violations": _VIOLATION_COLUMNS,
    "commits": {"commit_id": "varchar", "name": "varchar", "committed_at": "timestamp"},
    "affected_ids": {"id": "varchar"},
    "affected_batches": {"batch_id": "varchar"},
    # Rows of these that were rewritten in the lake may still lie in free blocks of the file.
    "uncompacted_batches": {"batch_id": "varchar"},
    "builds": _BUILD_COLUMNS,
    "completeness_overrides": _OVERRIDE_COLUMNS,
    "completeness_override_detectors": _OVERRIDE_DETECTOR_COLUMNS,
    "completeness_override_scopes": _OVERRIDE_SCOPE_COLUMNS,
}


@dataclass(frozen=True)
class Loaded:
    """What a load brought into the warehouse.

    Attributes:
        commits: how many commits.
        batches: how many batches.
        events: how many rows of accepted events.
        rewritten: how many of the commits replaced what was held of them before.
    """

    commits: int = 0
    batches: int = 0
    events: int = 0
    rewritten: int = 0


def engine_options(settings: RunningSettings) -> dict[str, Any]:
    """DuckDB's locks: no file or network access, no extensions, and no way back.

    dbt gets the same. What comes from files is data in tables by then, never a name in SQL.
    """
    return {
        "enable_external_access": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": settings.memory_limit,
        "lock_configuration": True,
    }


@contextmanager
def connect(
    settings: SequenSettings, *, folders: Iterable[Path] = (), keeps_order: bool = True
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for writing, locked down; hold `writer_lock` while you do.

    Args:
        settings: the home and the memory limit.
        folders: the only places where files may be read and written.
        keeps_order: whether rows that are copied keep the order that they were in. Without, a large
            copy takes less time and memory.

    Yields:
        A connection, closed at the end.

    Raises:
        LockTimeoutError: another program had the file open past `lock_timeout_seconds`.
        StorageError: the disk is full, or refuses for another reason.
    """
    locks = ("enable_external_access", "lock_configuration")
    options = {name: value for name, value in engine_options(settings).items() if name not in locks}
    options["preserve_insertion_order"] = keeps_order
    path = Home(settings.home).warehouse
    timeout_seconds = settings.lock_timeout_seconds
    with without_values(), opened(path, options, timeout_seconds=timeout_seconds) as connection:
        # Only a running database takes this, so the two locks follow it.
        connection.execute("set allowed_directories = ?", [[f"{folder}/" for folder in folders]])
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection


def load_commits(
    settings: SequenSettings, *, lake: Lake | None = None, only: Collection[str] | None = None
) -> Loaded:
    """Load every commit that the warehouse does not hold yet, one transaction a commit.

    A batch that two commits hold counts as of its latest version (a file that came back, or was
    validated again), and of one version from the commit with the smaller name, as everywhere. What
    a load changes is noted in the same transaction, for the next build to look at. A commit that
    was rewritten takes the place of what is held of it.

    Args:
        settings: the home of the warehouse.
        lake: where the commits are; by default the home's own lake.
        only: names of the commits to load; by default all.

    Returns:
        What came in.
    """
    loaded = Loaded()
    lake = lake or Home(settings.home).lake
    with connect(settings, folders=[lake.root], keeps_order=False) as warehouse:
        create_raw_tables(warehouse)
        load_overrides(settings, warehouse)
        held = dict(warehouse.execute("select name, commit_id from raw.commits").fetchall())
        for commit in read_commits(lake, known=held):
            if only is not None and commit.name not in only:
                continue
            with transaction(warehouse):
                events = _load_batches(warehouse, lake, commit)
                row = [commit.commit_id, commit.name, commit.committed_at]
                warehouse.execute("delete from raw.commits where commit_id = ?", row[:1])
                warehouse.execute("insert into raw.commits values (?, ?, ?)", row)
                fail_point("marts.rows_loaded")
            fail_point("marts.loaded")
            is_rewritten = commit.commit_id in held.values()
            if is_rewritten:
                fail_point("erase.loaded")
            loaded = Loaded(
                loaded.commits + 1,
                loaded.batches + len(commit.batches),
                loaded.events + events,
                loaded.rewritten + is_rewritten,
            )
    return loaded


def load_overrides(settings: MartsSettings, warehouse: duckdb.DuckDBPyConnection) -> None:
    """Put what a user changes of the attributes where the marts look for it.

    As rows, not as dbt vars: dbt would render a text of a user's as a template.

    Args:
        settings: from `load_settings`, which has read `completeness_file`.
        warehouse: from `connect`, with the raw tables; hold `writer_lock`.
    """
    with transaction(warehouse):
        for table in ("overrides", "override_detectors", "override_scopes"):
            warehouse.execute(f"delete from raw.completeness_{table}")  # noqa: S608  # our own names
        for attribute, override in settings.completeness.items():
            values = override.model_dump(exclude={"aliases", "applies_to", "detectors"})
            parts = {
                "completeness_overrides": [values],
                "completeness_override_detectors": override.detector_rows(),
                "completeness_override_scopes": override.scope_rows(),
            }
            for table, rows in parts.items():
                _insert_rows(warehouse, table, [{"attribute": attribute, **row} for row in rows])


def row_counts(warehouse: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Rows of every table that dbt builds, by name."""
    names = warehouse.execute(
        "select schema_name, table_name from duckdb_tables()"
        " where schema_name in ('main', 'intermediate')"
    ).fetchall()
    return {name: count_table(warehouse, f'"{schema}"."{name}"') for schema, name in names}


def count_table(warehouse: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows of a table, given as SQL names it; reads none, since the engine keeps the number."""
    found = warehouse.execute(f"select count(*) from {table}").fetchone()  # noqa: S608  # our own names
    return int(found[0]) if found else 0


def create_raw_tables(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that commits are loaded into, where they are not there."""
    held = warehouse.execute(
        "select table_name, column_name from duckdb_columns() where schema_name = 'raw'"
    ).fetchall()
    wanted = {(name, column) for name, columns in _RAW_TABLES.items() for column in columns}
    is_old = bool(held) and not wanted <= set(held)
    keeps_builds = {column for name, column in held if name == "builds"} == set(_BUILD_COLUMNS)
    if is_old:
        # Made by an earlier release: all of it is in the lake, and is loaded again. That there were
        # builds is kept, by rules that are none of today's, so that the full refresh says why.
        if keeps_builds:
            warehouse.execute("create or replace temporary table builds_before as from raw.builds")
        warehouse.execute("drop schema raw cascade")
    warehouse.execute("create schema if not exists raw")
    for name, columns in _RAW_TABLES.items():
        definitions = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        warehouse.execute(f"create table if not exists raw.{name} ({definitions})")
    if is_old:
        warehouse.execute("insert into raw.uncompacted_batches values ('')")
        if keeps_builds:
            warehouse.execute(
                "insert into raw.builds by name select * replace ('' as fingerprint)"
                " from builds_before"
            )
            warehouse.execute("drop table builds_before")


@contextmanager
def transaction(warehouse: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that is done within, or nothing of it."""
    warehouse.begin()
    is_done = False
    try:
        yield
        is_done = True
    finally:
        warehouse.commit() if is_done else warehouse.rollback()


def _load_batches(warehouse: duckdb.DuckDBPyConnection, lake: Lake, commit: Commit) -> int:
    """Load the batches of a commit that count; return how many events came in."""
    paths = {(batch.source, batch.path) for batch in commit.batches}
    before = current_batches(warehouse, paths)
    held = _held_batches(warehouse, commit)
    batches = [
        batch
        for batch in commit.batches
        if batch.batch_id not in held or _place_of(commit, batch) < held[batch.batch_id]
    ]
    replaced = [batch.batch_id for batch in batches if batch.batch_id in held]
    if replaced:
        note_affected(warehouse, replaced)
        _insert_rows(warehouse, "uncompacted_batches", [{"batch_id": one} for one in replaced])
        for table in ("events", "quarantined_events", "batches", "violations"):
            statement = f"delete from raw.{table} where batch_id in (select unnest(?))"  # noqa: S608  # our own names
            warehouse.execute(statement, [replaced])
    _insert_rows(warehouse, "batches", [_batch_row(commit, batch) for batch in batches])
    counts = [
        {"batch_id": batch.batch_id, **vars(count)}
        for batch in batches
        for count in batch.rule_counts
    ]
    _insert_rows(warehouse, "violations", counts)
    _copy_rows(warehouse, lake, batches, "quarantined_events", QUARANTINED_COLUMNS)
    _copy_rows(warehouse, lake, batches, "events", ACCEPTED_COLUMNS)
    note_affected(warehouse, replaced)
    note_changes(warehouse, before, current_batches(warehouse, paths))
    return sum(batch.record_counts.accepted for batch in batches)


def current_batches(
    warehouse: duckdb.DuckDBPyConnection, paths: Collection[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """The ids of the current versions, by source and path; without those that have none.

    Args:
        warehouse: from `connect`, with the raw tables.
        paths: sources and paths to look up.
    """
    found = warehouse.execute(
        "select source, path, arg_max(batch_id, version) from raw.batches"
        " where (source, path) in (select unnest(?::varchar[]), unnest(?::varchar[]))"
        " group by all",
        [[source for source, _ in paths], [path for _, path in paths]],
    ).fetchall()
    return {(source, path): batch_id for source, path, batch_id in found}


def note_changes(
    warehouse: duckdb.DuckDBPyConnection,
    before: Mapping[tuple[str, str], str],
    after: Mapping[tuple[str, str], str],
) -> None:
    """Have the next build look at two versions of a path, where one has taken the other's place.

    Args:
        warehouse: from `connect`, with the raw tables.
        before: `current_batches` of some paths before a load.
        after: the same after it.
    """
    changed = sorted(set(before.items()) ^ set(after.items()))
    note_affected(warehouse, [batch_id for _, batch_id in changed])


def note_affected(warehouse: duckdb.DuckDBPyConnection, batch_ids: Sequence[str]) -> None:
    """Have the next build look at batches and their events again, as they are now."""
    if not batch_ids:
        return
    warehouse.execute(
        "insert into raw.affected_ids select id from raw.events"
        " where batch_id in (select unnest(?::varchar[]))",
        [batch_ids],
    )
    _insert_rows(warehouse, "affected_batches", [{"batch_id": one} for one in batch_ids])


def _place_of(commit: Commit, batch: Batch) -> tuple[int, str, int]:
    """Of two versions of a batch the one with the smaller place counts."""
    return -batch.version, commit.commit_id, -batch.revision


def _held_batches(
    warehouse: duckdb.DuckDBPyConnection, commit: Commit
) -> dict[str, tuple[int, str, int]]:
    """Of the batches of a commit those that the warehouse holds, with their places."""
    found = warehouse.execute(
        "select batch_id, -version, commit_id, -revision from raw.batches"
        " where batch_id in (select unnest(?::varchar[]))",
        [[batch.batch_id for batch in commit.batches]],
    ).fetchall()
    return {batch_id: (version, name, revision) for batch_id, version, name, revision in found}


def _batch_row(commit: Commit, batch: Batch) -> dict[str, Any]:
    # Any: one value a column, of the column's type.
    record_counts = batch.record_counts
    return {
        **{name: getattr(batch, name, None) for name in _BATCH_COLUMNS},
        "commit_id": commit.commit_id,
        "committed_at": commit.committed_at,
        "records_read": record_counts.records_read,
        "accepted": record_counts.accepted,
        "quarantined": record_counts.quarantined,
        "skipped": record_counts.skipped,
        "blank_lines": record_counts.blank_lines,
    }


def _insert_rows(
    warehouse: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, Any]]
) -> None:
    """Insert rows in one statement; what a row leaves out is null."""
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    types = _RAW_TABLES[table]
    values = ", ".join(f"unnest(?::{types[name]}[])" for name in names)
    warehouse.execute(
        f"insert into raw.{table} ({', '.join(names)}) select {values}",
        [[row.get(name) for row in rows] for name in names],
    )


def _copy_rows(
    warehouse: duckdb.DuckDBPyConnection,
    lake: Lake,
    batches: Sequence[Batch],
    table: str,
    schema: Mapping[str, str],
) -> None:
    """Copy the rows of batches from their Parquet files, all in one statement.

    One a file would leave processors without work: a file is often one piece to read.
    """
    is_events = table == "events"
    files = [
        (str(lake.rows(name)), batch.batch_id)
        for batch in batches
        for name in (batch.events if is_events else batch.quarantine)
    ]
    if not files:
        return
    computed = {"batch_id": "(?::varchar[])[file_index::bigint + 1]"}
    if is_events:
        computed["id_hash"] = ID_HASH
    columns = ", ".join((*schema, *computed))
    values = ", ".join((*schema, *computed.values()))
    # Without partitions: the engine would read a folder `sid=1` above the home as a column.
    warehouse.execute(
        f"insert into raw.{table} ({columns}) select {values}"  # noqa: S608  # our own names
        " from read_parquet(?, hive_partitioning = false)",
        [[batch_id for _, batch_id in files], [name for name, _ in files]],
    )
