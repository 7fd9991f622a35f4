import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from sequen_dagster.errors import UnfinishedTablesError
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.builds import begin_build
from sequen_dagster.marts.warehouse import connect
from sequen_dagster.reports.publish import publish
from sequen_dagster.settings import SequenSettings
from support.builds import FINGERPRINT, note_finished_build
from support.compiled import NO_TABLES
from support.graphs import report_steps
from support.homes import settings_of
from support.lake import home_of


def fill(settings: SequenSettings, rows: int) -> None:
    home_of(settings).make()
    with connect(settings) as warehouse:
        for schema, table in (("main", "fct_events"), ("main", "private"), ("raw", "fct_hidden")):
            warehouse.execute(f"create schema if not exists {schema}")
            warehouse.execute(
                f"create or replace table {schema}.{table} as from range({rows}) as numbers (id)"
            )
        note_finished_build(warehouse)


def tables(path: Path) -> list[tuple[str, int]]:
    with duckdb.connect(path, read_only=True) as snapshot:
        found = snapshot.execute(
            "select table_name, estimated_size from duckdb_tables() order by 1"
        ).fetchall()
    return [(name, size) for name, size in found]


def test_snapshot_holds_the_public_tables_only(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 3)

    published = publish(settings, ["fct_events", "fct_hidden"])

    assert published.row_counts == {"fct_events": 3}
    assert tables(published.path) == [("fct_events", 3)]


def test_nothing_is_published_of_an_unfinished_build(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 3)
    published = publish(settings, ["fct_events"])
    before = published.path.read_bytes()
    with connect(settings) as warehouse:
        begin_build(warehouse, FINGERPRINT)

    with pytest.raises(UnfinishedTablesError, match="since the last build did not run through"):
        publish(settings, ["fct_events"])
    assert published.path.read_bytes() == before


def test_nothing_is_published_that_was_loaded_since_the_build(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 3)
    with connect(settings) as warehouse:
        warehouse.execute("insert into raw.affected_batches values ('b')")

    with pytest.raises(UnfinishedTablesError, match="batches were loaded since the last build"):
        publish(settings, ["fct_events"])
    assert not Home(settings.home).serving.snapshot.exists()


def test_nothing_is_published_of_an_empty_warehouse(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    home_of(settings).make()

    with pytest.raises(UnfinishedTablesError, match="since there is no build yet"):
        publish(settings, ["fct_events"])


def test_nothing_is_published_of_tables_that_do_not_fit_each_other(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 3)
    with connect(settings) as warehouse:
        note_finished_build(warehouse, unmet=(("a = b", 3, 2), ("c = d", 1, 0)))

    with pytest.raises(UnfinishedTablesError) as caught:
        publish(settings, ["fct_events"])
    assert str(caught.value).startswith(
        "Nothing was published, since the tables do not fit each other (a = b: 3 and 2; c = d: 1 "
        "and 0). Build them from nothing by `sequen-dagster run --full-refresh`"
    )


def test_snapshot_is_replaced_while_another_reads_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 3)
    publish(settings, ["fct_events", "fct_hidden"])
    with duckdb.connect(Home(settings.home).serving.snapshot, read_only=True) as reader:
        fill(settings, 5)
        publish(settings, ["fct_events", "fct_hidden"])

        assert reader.execute("select count(*) from fct_events").fetchone() == (3,)

    assert tables(Home(settings.home).serving.snapshot) == [("fct_events", 5)]


def test_snapshot_leaves_nothing_unfinished(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 1)
    leftover = Home(settings.home).serving.snapshot.with_name(".sequen.duckdb.tmp")
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")

    publish(settings, ["fct_events", "fct_hidden"])

    left = sorted(part.name for part in leftover.parent.iterdir())
    assert left == [".publication.json", "sequen.duckdb"]


def test_snapshot_is_complete_after_a_writer_was_killed(tmp_path: Path) -> None:
    # What a killed writer committed still lies in the write-ahead log, not in the file.
    settings = settings_of(tmp_path)
    fill(settings, 2)
    code = (
        f"import duckdb, os; c = duckdb.connect({str(settings.home / 'warehouse.duckdb')!r});"
        "c.execute('insert into main.fct_events from range(500)'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert (settings.home / "warehouse.duckdb.wal").exists()

    assert publish(settings, ["fct_events", "fct_hidden"]).row_counts == {"fct_events": 502}


def test_public_views_stay_views_and_read_the_tables_published(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 3)
    with connect(settings) as warehouse:
        warehouse.execute(
            "create view main.events_counted as select count(*) as rows from main.fct_events"
        )
        warehouse.execute(
            "create view main.counted_twice as select rows * 2 as rows from main.events_counted"
        )

    published = publish(settings, ["fct_events"], ["events_counted", "counted_twice", "not_built"])
    fill(settings, 5)

    assert published.row_counts == {"fct_events": 3}
    with duckdb.connect(published.path, read_only=True) as snapshot:
        assert snapshot.execute("from counted_twice").fetchall() == [(6,)]
    # Under whatever name it is attached.
    with duckdb.connect() as reader:
        reader.execute(f"attach '{published.path}' as other (read_only)")
        assert reader.execute("from other.counted_twice").fetchall() == [(6,)]


def test_publication_gives_places_and_reports_the_warehouse(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    fill(settings, 3)
    home = home_of(settings)
    catalog = replace(NO_TABLES, tables=("fct_events",))
    snapshot = report_steps(settings, catalog)["published_snapshot"]

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([snapshot], instance=instance)
        seen = instance.get_latest_materialization_event(dg.AssetKey("warehouse"))

    (published,) = result.asset_materializations_for_node("sequen_published_snapshot")
    place = home.serving.snapshot
    assert published.metadata["dagster/uri"].value == str(place)
    assert published.metadata["link"].value == place.as_uri()
    assert seen is not None
    assert seen.asset_materialization is not None
    assert {name: value.value for name, value in seen.asset_materialization.metadata.items()} == {
        "dagster/uri": str(home.warehouse),
        "bytes": home.warehouse.stat().st_size,
        "public_tables": 1,
    }
