"""Marts: which builds there were, and whether the next one can go on from the last.

An incremental build recomputes what batches have affected since the last build that ran through.
A build is a full refresh where there is nothing to go on from: no build yet, one by other settings
or other SQL, a full refresh that did not run through, or a table that is gone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import duckdb

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.marts.unpublished import keep_changes
from sequen_dagster.marts.warehouse import transaction

_AFFECTED: Final = ("raw.affected_ids", "raw.affected_batches")
# These schemas hold what the package builds, and nothing else.
_OWN_SCHEMAS: Final = ("changes", "intermediate", "staging")
# Public tables of earlier releases under the names they had: in `main` a user may have others.
_FORMER_TABLES: Final = ("rpt_silences",)


@dataclass(frozen=True)
class Build:
    """A build that is about to start.

    Attributes:
        number: counts the builds of a warehouse, from 1.
        is_full: whether all tables are built from nothing.
        reason: why it is a full refresh; empty for an incremental build.
    """

    number: int
    is_full: bool
    reason: str = ""

    @property
    def kind(self) -> str:
        """How the tables are built, and why, in words."""
        return f"full refresh: {self.reason}" if self.is_full else "incremental build"


@dataclass(frozen=True)
class FinishedBuild:
    """A build that ran through, and what is made from its tables can say so.

    Attributes:
        number: as in `Build`.
        started_at: when it began (UTC), since builds of two warehouses may have one number.
        fingerprint: names the settings and the SQL that the tables were built by; empty where dbt
            was called by hand since.
    """

    number: int
    started_at: str
    fingerprint: str


def begin_build(
    warehouse: duckdb.DuckDBPyConnection, fingerprint: str, *, is_full: bool = False
) -> Build:
    """Decide how to build, and note that the build has begun.

    Args:
        warehouse: an open connection; hold `writer_lock`.
        fingerprint: names the settings and the SQL that the tables are to be built by.
        is_full: ask for a full refresh.

    Returns:
        The build to run.
    """
    builds = warehouse.execute(
        "select build_number, fingerprint, is_full, is_finished from raw.builds"
        " order by build_number"
    ).fetchall()
    reason = "it was asked for" if is_full else _reason_for_full(builds, fingerprint)
    reason = reason or _reason_by_tables(warehouse)
    build = Build(builds[-1][0] + 1 if builds else 1, bool(reason), reason)
    warehouse.execute(
        "insert into raw.builds values (?, ?, ?, false, ?, null)",
        [build.number, fingerprint, build.is_full, utc_now()],
    )
    return build


def drop_former_tables(warehouse: duckdb.DuckDBPyConnection, models: Collection[str]) -> list[str]:
    """Drop what an earlier release built under names that no model has any more.

    Call it before a full refresh: nothing would keep these tables up to date, and an erasure would
    not reach what they hold of a person.

    Args:
        warehouse: an open connection; hold `writer_lock`.
        models: names of the models that there are today.

    Returns:
        What was dropped, as `schema.name`.
    """
    found = warehouse.execute(
        "select table_schema, table_name, table_type from information_schema.tables"
        " where table_catalog = current_database() order by all"
    ).fetchall()
    dropped = []
    with transaction(warehouse):
        for schema, name, kind in found:
            is_own = schema in _OWN_SCHEMAS or (schema == "main" and name in _FORMER_TABLES)
            if is_own and name not in models:
                what = "view" if kind == "VIEW" else "table"
                warehouse.execute(f'drop {what} "{schema}"."{name}"')
                dropped.append(f"{schema}.{name}")
    return dropped


def finish_build(warehouse: duckdb.DuckDBPyConnection, build: Build) -> None:
    """Note that every table was built: what batches have affected up to now is recomputed."""
    with transaction(warehouse):
        keep_changes(warehouse, is_full=build.is_full)
        changed = warehouse.execute(
            "select table_name from duckdb_tables() where schema_name = 'changes'"
        ).fetchall()
        for table in [*_AFFECTED, *(f'changes."{name}"' for (name,) in changed)]:
            warehouse.execute(f"truncate {table}")
        warehouse.execute(
            "update raw.builds set is_finished = true, finished_at = ? where build_number = ?",
            [utc_now(), build.number],
        )


def why_stale(
    warehouse: duckdb.DuckDBPyConnection, fingerprint: str, relations: Collection[str] = ()
) -> str:
    """Why the tables are not those of all that is loaded; empty where they are.

    Args:
        warehouse: an open connection; hold `writer_lock`.
        fingerprint: names the settings and the SQL that the tables should be built by.
        relations: tables and views that have to be there, as `schema.name`.
    """
    reason = _why_not_built(warehouse)
    if reason:
        return reason
    last = warehouse.execute(
        "select fingerprint from raw.builds order by build_number desc limit 1"
    ).fetchone()
    if last != (fingerprint,):
        return "the last build was by other settings or rules"
    reason = _why_unseen(warehouse)
    if reason:
        return reason
    gone = sorted(set(relations) - _read_relations(warehouse)) if relations else []
    return f"{', '.join(gone)} is not there" if gone else ""


def why_unfinished(warehouse: duckdb.DuckDBPyConnection) -> str:
    """Why no finished build has made the tables of all that is loaded; empty where one has.

    Args:
        warehouse: an open connection; hold `writer_lock`.
    """
    return _why_not_built(warehouse) or _why_unseen(warehouse)


def last_finished_build(warehouse: duckdb.DuckDBPyConnection) -> FinishedBuild | None:
    """The build that made the tables as they are; None where `why_unfinished` gives a reason.

    Args:
        warehouse: an open connection; hold `writer_lock`.
    """
    if why_unfinished(warehouse):
        return None
    found = warehouse.execute(
        "select build_number, strftime(started_at, '%Y-%m-%dT%H:%M:%S.%fZ'), fingerprint"
        " from raw.builds order by build_number desc limit 1"
    ).fetchone()
    return FinishedBuild(*found) if found else None


def _why_not_built(warehouse: duckdb.DuckDBPyConnection) -> str:
    has_builds = warehouse.execute(
        "select count(*) from duckdb_tables() where schema_name = 'raw' and table_name = 'builds'"
    ).fetchone()
    last = None
    if has_builds == (1,):
        last = warehouse.execute(
            "select is_finished from raw.builds order by build_number desc limit 1"
        ).fetchone()
    if last is None:
        return "there is no build yet"
    return "" if last[0] else "the last build did not run through"


def _why_unseen(warehouse: duckdb.DuckDBPyConnection) -> str:
    unseen = warehouse.execute("select count(*) from raw.affected_batches").fetchone()
    return "" if unseen == (0,) else "batches were loaded since the last build"


def _read_relations(warehouse: duckdb.DuckDBPyConnection) -> set[str]:
    found = warehouse.execute(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_catalog = current_database()"
    ).fetchall()
    return {name for (name,) in found}


def _reason_for_full(builds: list[tuple[int, str, bool, bool]], fingerprint: str) -> str:
    finished = [place for place, build in enumerate(builds) if build[3]]
    if not finished:
        return "there is no finished build to go on from"
    if any(is_full for _, _, is_full, _ in builds[finished[-1] + 1 :]):
        return "the full refresh before did not run through"
    if builds[finished[-1]][1] != fingerprint:
        return "the settings or the rules of the marts are others than those of the last build"
    return ""


def _reason_by_tables(warehouse: duckdb.DuckDBPyConnection) -> str:
    """Which tables were dropped: rebuilt alone, a table would give no changes to the others."""
    gone = warehouse.execute(
        "select table_name from duckdb_tables() where schema_name = 'changes' and table_name not in"
        " (select table_name from duckdb_tables() where schema_name in ('main', 'intermediate'))"
        " order by table_name"
    ).fetchall()
    return f"{', '.join(name for (name,) in gone)} is not there" if gone else ""
