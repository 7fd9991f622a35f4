from pathlib import Path

import dagster as dg
import duckdb
import pytest

from sequen_dagster.marts.assets import build_marts_assets
from sequen_dagster.marts.builds import Build, begin_build, drop_former_tables, finish_build
from sequen_dagster.marts.project import manifest_path, tables_fingerprint
from sequen_dagster.marts.warehouse import connect, create_raw_tables
from sequen_dagster.names import NAMES
from support.builders import event
from support.homes import settings_of, write_events
from support.lake import drain, home_of


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


def row_counts_of(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    """Rows by table, as the observations after a build say."""
    observed = [
        one.event_specific_data.asset_observation
        for one in result.all_events
        if one.event_type == dg.DagsterEventType.ASSET_OBSERVATION
    ]
    return {one.asset_key.path[-1]: one.metadata["dagster/row_count"].value for one in observed}


@pytest.mark.slow
def test_build_of_some_tables_leaves_the_others_their_notes(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    write_events(settings, "a.jsonl", event(id="a"))
    drain(settings)
    marts = build_marts_assets(settings, manifest_path(settings))
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([marts], instance=instance).success
        write_events(settings, "b.jsonl", event(id="b"))
        drain(settings)

        some = dg.materialize(
            [marts], instance=instance, selection=dg.AssetSelection.assets("dim_visitors")
        )
        with connect(settings) as warehouse:
            assert warehouse.execute("select id from raw.affected_ids").fetchall() == [("b",)]
            assert warehouse.execute("select count(*) from fct_events").fetchone() == (1,)
        whole = dg.materialize([marts], instance=instance)

    assert some.success
    assert whole.success
    (events,) = [
        one
        for one in whole.asset_materializations_for_node(NAMES.marts_op)
        if one.asset_key == dg.AssetKey("fct_events")
    ]
    assert events.metadata["dagster/uri"].value == str(home_of(settings).warehouse)
    assert row_counts_of(whole)["fct_events"] == 2
    with connect(settings) as warehouse:
        assert warehouse.execute("select event_count from dim_visitors").fetchall() == [(2,)]
        assert warehouse.execute("select id from raw.affected_ids").fetchall() == []
        finished = "select is_full, is_finished from raw.builds order by build_number"
        assert warehouse.execute(finished).fetchall() == [
            (True, True),
            (False, False),
            (False, True),
        ]
