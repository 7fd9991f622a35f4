from pathlib import Path

import duckdb
import pytest

from sequen_dagster.marts.builds import Build, begin_build, drop_former_tables, finish_build
from sequen_dagster.marts.project import tables_fingerprint
from sequen_dagster.marts.warehouse import create_raw_tables
from support.homes import settings_of


@pytest.fixture
def warehouse() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    create_raw_tables(connection)
    return connection


def test_first_build_is_full(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert begin_build(warehouse, "f") == Build(
        1, is_full=True, reason="there is no finished build to go on from"
    )


def test_next_build_goes_on_from_a_finished_one(warehouse: duckdb.DuckDBPyConnection) -> None:
    finish_build(warehouse, begin_build(warehouse, "f"))

    assert begin_build(warehouse, "f") == Build(2, is_full=False)
    # An incremental build that died leaves its notes, so the next one goes on from there.
    assert begin_build(warehouse, "f") == Build(3, is_full=False)


def test_full_refresh_that_died_is_done_again(warehouse: duckdb.DuckDBPyConnection) -> None:
    finish_build(warehouse, begin_build(warehouse, "f"))
    begin_build(warehouse, "f", is_full=True)

    build = begin_build(warehouse, "f")

    assert build.reason == "the full refresh before did not run through"


def test_other_rules_are_a_full_refresh_once(warehouse: duckdb.DuckDBPyConnection) -> None:
    finish_build(warehouse, begin_build(warehouse, "f"))

    build = begin_build(warehouse, "g")
    finish_build(warehouse, build)

    assert build.is_full
    assert "others than those of the last build" in build.reason
    assert not begin_build(warehouse, "g").is_full
    assert begin_build(warehouse, "f").is_full


def test_table_that_is_gone_is_a_full_refresh(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("create schema changes")
    for table in ("fct_clicks", "fct_events"):
        warehouse.execute(f"create table {table} (id varchar)")
        warehouse.execute(f"create table changes.{table} (id varchar)")
    finish_build(warehouse, begin_build(warehouse, "f"))
    assert not begin_build(warehouse, "f").is_full

    warehouse.execute("drop table fct_clicks")

    assert begin_build(warehouse, "f").reason == "fct_clicks is not there"


def test_finished_build_forgets_affected_keys(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("create schema changes")
    warehouse.execute("create table changes.fct_events as select 1 as id")
    warehouse.execute("create table fct_events as select 1 as id")
    warehouse.execute("insert into raw.affected_ids values ('a')")
    warehouse.execute("insert into raw.affected_batches values ('b')")
    build = begin_build(warehouse, "f")

    finish_build(warehouse, build)

    for table in ("changes.fct_events", "raw.affected_ids", "raw.affected_batches"):
        assert warehouse.execute(f"select count(*) from {table}").fetchall() == [(0,)]


def test_tables_of_former_names_are_dropped_and_those_of_the_user_kept(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    for schema in ("staging", "intermediate", "changes"):
        warehouse.execute(f"create schema {schema}")
        warehouse.execute(f"create table {schema}.int_visits as select 1 as id")
        warehouse.execute(f"create table {schema}.int_former as select 1 as id")
    warehouse.execute("create view staging.stg_former as select * from raw.affected_ids")
    for table in ("rpt_silences", "rpt_of_mine"):
        warehouse.execute(f"create table {table} as select 1 as id")

    dropped = drop_former_tables(warehouse, {"int_visits"})

    assert dropped == [
        "changes.int_former",
        "intermediate.int_former",
        "main.rpt_silences",
        "staging.int_former",
        "staging.stg_former",
    ]
    left = "select schema_name || '.' || table_name from duckdb_tables() where schema_name <> 'raw'"
    assert sorted(warehouse.execute(left).fetchall()) == [
        ("changes.int_visits",),
        ("intermediate.int_visits",),
        ("main.rpt_of_mine",),
        ("staging.int_visits",),
    ]
    assert drop_former_tables(warehouse, {"int_visits"}) == []


def test_fingerprint_follows_the_settings_of_the_marts(tmp_path: Path) -> None:
    plain = tables_fingerprint(settings_of(tmp_path))

    assert tables_fingerprint(settings_of(tmp_path, session_timeout_minutes=31)) != plain
    assert tables_fingerprint(settings_of(tmp_path, stitching=False)) != plain
    assert tables_fingerprint(settings_of(tmp_path, max_attempts=9)) == plain
