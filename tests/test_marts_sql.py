"""The dbt models of staging, intermediate and marts against the oracle, row for row.

Every history has ids, users, devices, sessions and items of its own, so that one build checks
hundreds of them. dbt itself builds once over all and once over none; other settings and real sets
are built by what it sends, see `support.replay`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from sequen_dagster.marts.warehouse import ID_HASH, create_raw_tables
from support.histories import as_json, random_files
from support.mart_tables import PROJECT, RULES, differences, rows_of, table_keys, variables_of
from support.oracle import ExportFile, Rules, gzipped_files, marts, validate
from support.replay import Recording, SmallWarehouse, shared_recording

# Every model but those of the reports.
SELECTED = [
    "+path:models/marts", "path:models/staging", "int_batch_duplicates",
]  # fmt: skip
Row = dict[str, Any]


def accepted_rows(files: list[ExportFile]) -> list[Row]:
    """Validate the files and give every accepted row its batch."""
    rows = validate(files).accepted
    for row in rows:
        row["batch_id"] = f"batch of {row['source']}/{row['source_file']}"
    return rows


def fill_warehouse(connection: duckdb.DuckDBPyConnection, lines: Path, rows: list[Row]) -> None:
    """Fill a warehouse as the loader leaves it, with an older version of every file beside.

    Args:
        connection: to the warehouse.
        lines: a file to write the rows to on their way.
        rows: of the current versions.
    """
    connection.execute("set timezone = 'UTC'")
    create_raw_tables(connection)
    described = connection.execute("describe raw.events").fetchall()
    names = [name for name, *_ in described if name != "id_hash"]
    with lines.open("w", encoding="utf-8") as file:
        for row in rows:
            written = row | {"properties": as_json(row["properties"]), "property_shape": "[]"}
            print(json.dumps([written[name] for name in names], default=str), file=file)
    connection.execute(
        f"insert into raw.events ({', '.join(names)}, id_hash) select "
        + ", ".join(f"(line ->> {n}){cast_of(name)} as {name}" for n, name in enumerate(names))
        + f", {ID_HASH}"
        + " from read_csv(?, columns = {'line': 'json'}, delim = '\x01', quote = '',"
        " escape = '', header = false, max_line_size = 20000000)",
        [str(lines)],
    )
    connection.execute(
        """
        insert into raw.batches (batch_id, source, path, version)
        select distinct batch_id, source, source_file, 2 from raw.events
        union all
        select distinct 'older ' || batch_id, source, source_file, 1 from raw.events
        """
    )
    connection.execute(
        "insert into raw.events select * replace ('older ' || batch_id as batch_id) "
        "from raw.events using sample 20 percent (bernoulli, 1)"
    )


def cast_of(name: str) -> str:
    """Return the cast of a text to the type of a column of raw.events."""
    if name == "item_ids":
        return "::json::varchar[]"
    if name.endswith("_timestamp") or name == "received_at":
        return "::timestamp"
    return {"rank": "::integer", "dwell_ms": "::decimal(38, 6)"}.get(
        name, "::bigint" if name in ("source_line", "source_item") else ""
    )


def build_by_dbt(folder: Path, rows: list[Row], select: Sequence[str], *skipped_tests: str) -> Path:
    """Build models over the rows, and run their tests; return the warehouse."""
    warehouse = folder / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        fill_warehouse(connection, folder / "rows.jsonl", rows)
    done = subprocess.run(
        [
            sys.executable, "-m", "dbt.cli.main", "build", "--full-refresh", "--no-use-colors",
            "--select", *select,
            *(("--exclude-resource-type", *skipped_tests) if skipped_tests else ()),
            "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
            "--vars", json.dumps(variables_of(Rules())),
        ],
        env=os.environ | {"SEQUEN_WAREHOUSE": str(warehouse)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return warehouse


def differences_by_replay(
    recording: Recording, folder: Path, rows: list[Row], rules: Rules
) -> list[str]:
    """Build the marts by what dbt sends, and say where they differ from the oracle's."""
    needed = set[str]().union(*(recording.upstream(table) for table in table_keys()))
    sent = tuple((model, sql) for model, sql in recording.full if model in needed)
    with SmallWarehouse(replace(recording, full=sent)) as warehouse:
        fill_warehouse(warehouse.connection, folder / "rows.jsonl", rows)
        warehouse.build()
        return list(differences(warehouse.connection, marts(rows, rules)))


@pytest.fixture(scope="module")
def random_rows() -> list[Row]:
    """The accepted rows of histories at random."""
    seed = int(os.environ.get("SEQUEN_SEED", "1"))
    return accepted_rows(random_files(seed, int(os.environ.get("SEQUEN_HISTORIES", "300"))))


@pytest.fixture(scope="module")
def built(random_rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that dbt has built over them by the default settings."""
    return build_by_dbt(tmp_path_factory.mktemp("built"), random_rows, SELECTED, "unit_test")


@pytest.mark.slow
def test_tables_by_dbt_equal_the_oracle(built: Path, random_rows: list[Row]) -> None:
    with duckdb.connect(str(built), read_only=True) as connection:
        assert list(differences(connection, marts(random_rows, Rules()))) == []


@pytest.mark.slow
def test_columns_are_those_described_and_in_that_order(built: Path) -> None:
    described = yaml.safe_load((PROJECT / "models/marts/_marts__models.yml").read_text())

    with duckdb.connect(str(built), read_only=True) as connection:
        for model in described["models"]:
            columns = connection.execute(f"describe main.{model['name']}").fetchall()
            assert [one[0] for one in columns] == [column["name"] for column in model["columns"]]


# By replay: starting dbt costs half a minute, and it would send the same statements.
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RULES if name != "defaults"])
def test_tables_under_other_settings_equal_the_oracle(
    name: str,
    random_rows: list[Row],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> None:
    rules = RULES[name]
    recording = shared_recording(tmp_path_factory, worker_id, **variables_of(rules))

    assert differences_by_replay(recording, tmp_path, random_rows, rules) == []


@pytest.mark.slow
def test_no_events_give_empty_tables_and_all_unit_tests_pass(tmp_path: Path) -> None:
    # dbt's unit tests want the relations there, not what is in them.
    warehouse = build_by_dbt(tmp_path, [], ["*"])

    with duckdb.connect(str(warehouse), read_only=True) as connection:
        assert [row for table in table_keys() for row in rows_of(connection, table)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two_batch", "ecommerce", "ebnerd_test", "online_retail"])
def test_real_data_equals_the_oracle(
    name: str,
    test_data: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    worker_id: str,
) -> None:
    rows = accepted_rows(gzipped_files(test_data / name))
    recording = shared_recording(tmp_path_factory, worker_id)

    assert differences_by_replay(recording, tmp_path, rows, Rules()) == []


def test_every_macro_is_described_with_its_arguments() -> None:
    described = yaml.safe_load((PROJECT / "macros/_macros.yml").read_text(encoding="utf-8"))
    written = {
        name: re.findall(r"(?:^|, *)(\w+)", arguments)
        for file in sorted((PROJECT / "macros").glob("*.sql"))
        for name, arguments in re.findall(
            r"\{% macro (\w+)\((.*?)\)+ -?%\}", file.read_text(encoding="utf-8"), re.DOTALL
        )
        if "__" not in name
    }

    assert written == {
        macro["name"]: [argument["name"] for argument in macro.get("arguments", ())]
        for macro in described["macros"]
    }
    assert all(
        each["description"].strip()
        for macro in described["macros"]
        for each in (macro, *macro.get("arguments", ()))
    )
