"""What dbt costs: a full refresh of the marts beside the same SQL, run by DuckDB alone.

The reference takes the SQL that dbt compiled for the refresh, and runs it model by model in the
order in which dbt did, in a copy of the warehouse under the same limits. It runs no test.
"""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import duckdb

from benchmarks.cases import Case, sized
from benchmarks.days import EVENTS_PER_DAY, write_days
from benchmarks.processes import Usage, measure
from benchmarks.runs import RunMeasured, case_of_runs, measure_run
from sequen_dagster.home.layout import Home
from sequen_dagster.marts.warehouse import engine_options
from sequen_dagster.settings import load_settings

FULL_REFRESH: Final = "marts, full refresh"
PLAIN_SQL: Final = "the same SQL without dbt"


def bench_refresh(folder: Path, events: int, rounds: int) -> list[Case]:
    """Measure both on one history.

    Of the run the wall time is that of its stage `marts`; CPU time and memory are of the whole run.

    Args:
        folder: gets the exports, the home, and a copy of the warehouse.
        events: size of the history.
        rounds: how often each is measured.
    """
    exports, home = folder / "exports", folder / "home"
    write_days(exports, 0, events // EVENTS_PER_DAY)
    measure_run(exports, home)
    runs: list[RunMeasured] = []
    plain: list[Usage] = []
    for _ in range(rounds):
        run = measure_run(exports, home, "--full-refresh")
        marts = replace(run.usage, seconds=run.seconds_by_stage["marts"])
        runs.append(replace(run, usage=marts))
        copy = folder / "copy" / Home(home).warehouse.name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(Home(home).warehouse, copy)
        command = [sys.executable, "-m", "benchmarks.refresh", home, copy]
        plain.append(measure(command, output=folder / "log"))
        check_same_rows(Home(home).warehouse, copy)
    shutil.rmtree(folder)
    return [
        case_of_runs(sized(FULL_REFRESH, events), events, runs),
        Case(sized(PLAIN_SQL, events), events, tuple(plain)),
    ]


def run_plain_sql(home: Path, warehouse: Path) -> None:
    """Build all models of a home's last dbt command again, in a copy of its warehouse."""
    layout = Home(home)
    options = engine_options(load_settings(home, home=home))
    manifest = json.loads(layout.dbt.manifest.read_text(encoding="utf-8"))
    results = json.loads(layout.dbt.run_results.read_text(encoding="utf-8"))
    with duckdb.connect(warehouse, config=options) as engine:
        for statement in plain_statements(manifest, results):
            engine.execute(statement)


def plain_statements(
    manifest: dict[str, Any], results: dict[str, Any]
) -> list[str]:  # Any: dbt's artifacts
    """A statement for each model, from dbt's manifest and the results of its last command.

    A history, which a full refresh leaves as it is, has none.
    """
    statements = []
    for one in results["results"]:
        node = manifest["nodes"].get(one["unique_id"], {"resource_type": "test"})
        if node["resource_type"] == "model" and node["config"]["materialized"] != "history":
            kind = "view" if node["config"]["materialized"] == "view" else "table"
            compiled = one["compiled_code"]
            statements.append(f"create or replace {kind} {one['relation_name']} as {compiled}")
    return statements


def check_same_rows(warehouse: Path, copy: Path) -> None:
    """Hold the reference to its word: all tables have as many rows as those of dbt.

    Raises:
        RuntimeError: they have not.
    """
    counts = [_count_rows(path) for path in (warehouse, copy)]
    if counts[0] != counts[1]:
        differing = sorted(name for name in counts[0] if counts[0][name] != counts[1].get(name))
        message = f"the plain SQL gives other numbers of rows in {', '.join(differing)}"
        raise RuntimeError(message)


def _count_rows(path: Path) -> dict[str, int]:
    with duckdb.connect(path, read_only=True) as engine:
        names = engine.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where not internal and schema_name in ('main', 'intermediate')"
        ).fetchall()
        return {
            name: engine.execute(f"select count(*) from {name}").fetchall()[0][0]
            for (name,) in names
        }


if __name__ == "__main__":
    run_plain_sql(Path(sys.argv[1]), Path(sys.argv[2]))
