"""The dbt models of staging, intermediate and marts against the oracle, row for row.

Every history has ids, users, devices, sessions and items of its own, so that one dbt build checks
hundreds of them: starting dbt costs seconds, a history costs nothing.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from sequen_dagster.marts.warehouse import ID_HASH, create_raw_tables
from support.histories import as_json, random_files
from support.mart_tables import PROJECT, RULES, differences, rows_of, table_keys, variables_of
from support.oracle import ExportFile, Rules, gzipped_files, marts, validate

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


def fill_warehouse(path: Path, rows: list[Row]) -> None:
    """Write a warehouse as the loader leaves it, with an older version of every file beside."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'")
        create_raw_tables(connection)
        described = connection.execute("describe raw.events").fetchall()
        names = [name for name, *_ in described if name != "id_hash"]
        lines = path.with_suffix(".jsonl")
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


def build(
    folder: Path,
    rows: list[Row],
    rules: Rules,
    *,
    command: str = "run",
    select: Sequence[str] = SELECTED,
    skipped_tests: Sequence[str] = ("unit_test",),
) -> Path:
    """Build the models over the rows and return the warehouse."""
    warehouse = folder / "warehouse.duckdb"
    fill_warehouse(warehouse, rows)
    is_filtered = command == "build" and skipped_tests
    done = subprocess.run(
        [
            sys.executable, "-m", "dbt.cli.main", command, "--full-refresh", "--no-use-colors",
            "--select", *select,
            *(("--exclude-resource-type", *skipped_tests) if is_filtered else ()),
            "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
            "--vars", json.dumps(variables_of(rules)),
        ],
        env=os.environ | {"SEQUEN_WAREHOUSE": str(warehouse)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return warehouse


def differences_in(warehouse: Path, expected: dict[str, list[Row]]) -> list[str]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return list(differences(connection, expected))


# A build takes half a minute, most of it dbt's own: the fast suite has the defaults in replays, see
# `test_exactness.py`.
@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_tables_equal_the_oracle(name: str, tmp_path: Path) -> None:
    rules = RULES[name]
    seed = int(os.environ.get("SEQUEN_SEED", "1"))
    rows = accepted_rows(random_files(seed, int(os.environ.get("SEQUEN_HISTORIES", "300"))))

    command = "build" if name == "defaults" else "run"
    warehouse = build(tmp_path, rows, rules, command=command)

    assert differences_in(warehouse, marts(rows, rules)) == []


@pytest.mark.slow
def test_columns_are_those_described_and_in_that_order(tmp_path: Path) -> None:
    described = yaml.safe_load((PROJECT / "models/marts/_marts__models.yml").read_text())
    rows = accepted_rows(random_files(1, 1))

    warehouse = build(tmp_path, rows, Rules())

    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for model in described["models"]:
            columns = connection.execute(f"describe main.{model['name']}").fetchall()
            assert [one[0] for one in columns] == [column["name"] for column in model["columns"]]


@pytest.mark.slow
def test_no_events_give_empty_tables_and_all_unit_tests_pass(tmp_path: Path) -> None:
    # dbt's unit tests want the relations there, not what is in them.
    warehouse = build(tmp_path, [], Rules(), command="build", select=["*"], skipped_tests=[])

    with duckdb.connect(str(warehouse), read_only=True) as connection:
        assert [row for table in table_keys() for row in rows_of(connection, table)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two_batch", "ecommerce", "ebnerd_test", "online_retail"])
def test_real_data_equals_the_oracle(name: str, test_data: Path, tmp_path: Path) -> None:
    rows = accepted_rows(gzipped_files(test_data / name))

    warehouse = build(tmp_path, rows, Rules())

    assert differences_in(warehouse, marts(rows)) == []


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
