"""The dbt models of staging, intermediate and marts against the oracle, row for row.

Every history has ids, users, devices, sessions and items of its own, so that one dbt build checks
hundreds of them: starting dbt costs seconds, a history costs nothing.
"""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from histories import as_json, random_files
from oracle import ExportFile, Rules, judge, marts
from sequen_dagster.marts.warehouse import create_raw_tables

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"
# Every model but those of the reports.
SELECTED = [
    "+path:models/marts", "path:models/staging", "int_duplicate_records",
]  # fmt: skip
Row = dict[str, Any]


def accepted_rows(files: list[ExportFile]) -> list[Row]:
    """Judge the files and give every accepted row its batch."""
    rows = judge(files).accepted
    for row in rows:
        row["batch_id"] = f"batch of {row['source']}/{row['source_file']}"
    return rows


def fill_warehouse(path: Path, rows: list[Row]) -> None:
    """Write a warehouse as the loader leaves it, with an older version of every file beside."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'")
        create_raw_tables(connection)
        names = [name for name, *_ in connection.execute("describe raw.events").fetchall()]
        lines = path.with_suffix(".jsonl")
        with lines.open("w", encoding="utf-8") as file:
            for row in rows:
                told = row | {"properties": as_json(row["properties"]), "property_shape": "[]"}
                print(json.dumps([told[name] for name in names], default=str), file=file)
        connection.execute(
            f"insert into raw.events ({', '.join(names)}) select "
            + ", ".join(f"(line ->> {n}){cast_of(name)}" for n, name in enumerate(names))
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
    variables = {
        "sequen_session_timeout_minutes": rules.session_timeout_minutes,
        "sequen_session_rule": rules.session_rule,
        "sequen_stitching": rules.stitching,
        "sequen_click_window_minutes": rules.click_window_minutes,
        "sequen_click_touch_days": rules.click_touch_days,
        "sequen_view_touch_days": rules.view_touch_days,
        "sequen_max_touches": rules.max_touches,
        "sequen_half_life_days": rules.half_life_days,
        "sequen_value_field": [rules.value_field],
        "sequen_currency_field": [rules.currency_field],
        "sequen_oversized_visitor_events": rules.oversized_visitor_events,
    }
    is_filtered = command == "build" and skipped_tests
    done = subprocess.run(
        [
            sys.executable, "-m", "dbt.cli.main", command, "--full-refresh", "--no-use-colors",
            "--select", *select,
            *(("--exclude-resource-type", *skipped_tests) if is_filtered else ()),
            "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
            "--target-path", str(folder / "target"), "--log-path", str(folder / "logs"),
            "--vars", json.dumps(variables),
        ],
        env=os.environ | {"SEQUEN_WAREHOUSE": str(warehouse)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    return warehouse


def table_keys() -> dict[str, tuple[str, ...]]:
    """Return what identifies a row of each table."""
    keys = {
        "fct_sessions": ("session_key",),
        "fct_attributions": ("conversion_id", "item_id", "touch_id"),
        "fct_recommendations": ("rec_id",),
        "dim_visitors": ("visitor_key",),
    }
    described = yaml.safe_load((PROJECT / "models/marts/_marts__models.yml").read_text())
    names = [model["name"] for model in described["models"]]
    return {name: keys.get(name, ("id",)) for name in names if name != "quarantined_events"}


def rows_of(warehouse: Path, table: str) -> list[Row]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        result = connection.execute(f"select * from main.{table}")
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def differences(warehouse: Path, expected: dict[str, list[Row]]) -> Iterator[str]:
    """Say where tables and oracle differ, at most ten rows a table."""
    assert set(expected) == set(table_keys())
    for table, key in table_keys().items():
        wanted = {tuple(row[name] for name in key): row for row in expected[table]}
        if table == "fct_events":
            wanted = {k: r | {"properties": as_json(r["properties"])} for k, r in wanted.items()}
        found_rows = rows_of(warehouse, table)
        found = {tuple(row[name] for name in key): row for row in found_rows}
        if len(found) != len(found_rows):
            yield f"{table}: {len(found_rows)} rows, {len(found)} keys"
        wrong = [k for k in wanted.keys() | found.keys() if wanted.get(k) != found.get(k)]
        for one in sorted(wrong, key=repr)[:10]:
            if one not in wanted or one not in found:
                yield f"{table} {one}: {'unexpected' if one in found else 'missing'}"
                continue
            for name in sorted(wanted[one].keys() | found[one].keys()):
                said, right = found[one].get(name, "no column"), wanted[one].get(name, "no column")
                if said != right:
                    yield f"{table} {one} {name}: {said!r}, by the oracle {right!r}"


RULES = {
    "defaults": Rules(),
    "short": Rules(
        session_timeout_minutes=15,
        click_window_minutes=15,
        click_touch_days=1,
        view_touch_days=7,
        max_touches=3,
        half_life_days=1,
        oversized_visitor_events=10,
    ),
    "inactivity": Rules(session_rule="inactivity", max_touches=2, value_field="scroll_pct"),
    "unstitched": Rules(stitching=False, max_touches=1),
}


# A build takes half a minute, most of it dbt's own: the fast suite takes the defaults.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name != "defaults" else []) for name in RULES],
)
def test_tables_equal_the_oracle(name: str, tmp_path: Path) -> None:
    rules = RULES[name]
    seed = int(os.environ.get("SEQUEN_SEED", "1"))
    rows = accepted_rows(random_files(seed, int(os.environ.get("SEQUEN_HISTORIES", "300"))))

    command = "build" if name == "defaults" else "run"
    warehouse = build(tmp_path, rows, rules, command=command)

    assert list(differences(warehouse, marts(rows, rules))) == []


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

    assert [row for table in table_keys() for row in rows_of(warehouse, table)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two_batch", "ecommerce", "ebnerd_test", "online_retail"])
def test_real_data_equals_the_oracle(name: str, tmp_path: Path) -> None:
    root = os.environ.get("SEQUEN_TEST_DATA")
    if not root:
        pytest.skip("SEQUEN_TEST_DATA is unset: it names the folder of the real data sets")
    now = datetime.now(UTC).replace(tzinfo=None)
    files = [
        ExportFile("default", path.name, gzip.decompress(path.read_bytes()), now)
        for path in sorted(Path(root, name).glob("*.jsonl.gz"))
    ]
    rows = accepted_rows(files)

    warehouse = build(tmp_path, rows, Rules())

    assert list(differences(warehouse, marts(rows))) == []
