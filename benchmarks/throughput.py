"""What an event costs: the whole main job on a new home, beside a bare read of the same files."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.cases import Case, sized
from benchmarks.processes import Usage, measure
from benchmarks.runs import RunMeasured, case_of_runs, measure_disk, measure_run
from sequen_dagster.simulate import Simulation, simulate

BARE_READ: Final = "DuckDB's bare read_json to Parquet"
NEW_HOME: Final = "new home"
LAKE_ALONE: Final = "validation and lake alone"
EMPTY_LAKE: Final = "start of validation and lake"

_DAYS: Final = 10
# Every column typed, nothing checked, nothing kept of what is not named.
_BARE_READ: Final = """
import sys, duckdb
connection = duckdb.connect(config={"threads": 2})
columns = {name: "VARCHAR" for name in (
    "id type original_timestamp server_timestamp ingest_timestamp uid sid cid rec_id page_view_id "
    "module_view_id impression_id item_id item_id_relation page_type click_type conversion_type"
).split()}
columns |= {"rank": "BIGINT", "dwell_ms": "DOUBLE", "item_ids": "VARCHAR[]"}
rows = connection.read_json(sys.argv[2:], columns=columns, format="newline_delimited")
rows.write_parquet(sys.argv[1], compression="zstd")
"""
_LAKE_ALONE: Final = """
import sys
from pathlib import Path
from sequen_dagster import load_settings
from sequen_dagster.lake.drain import Intake, drain_locations
from sequen_dagster.lake.ledger import Ledger

if __name__ == "__main__":
    intake = Intake.of(load_settings(Path.cwd(), home=sys.argv[1], exports=sys.argv[2]))
    drain_locations(intake, Ledger(intake.home))
"""


def bench_throughput(folder: Path, sizes: Sequence[int], rounds: int) -> list[Case]:
    """Measure the main job, its first stage alone, and a bare read, on events of a simulated shop.

    Args:
        folder: gets the exports and the homes; nothing is left there.
        sizes: how many events, each a case of its own.
        rounds: how often each is measured, each time on a new home.
    """
    return [case for events in sizes for case in _bench_size(folder / str(events), events, rounds)]


def _bench_size(folder: Path, events: int, rounds: int) -> list[Case]:
    simulate(Simulation(events=events, days=_DAYS, broken_rate=0.0), folder)
    exports, empty, home = folder / "exports", folder / "empty", folder / "home"
    files = sorted(exports.rglob("*.jsonl"))
    empty.mkdir()
    script = folder / "lake_alone.py"
    script.write_text(_LAKE_ALONE, encoding="utf-8")
    bare: list[Usage] = []
    lake: list[Usage] = []
    started: list[Usage] = []
    runs: list[RunMeasured] = []
    disk: dict[str, float] = {}
    for _ in range(rounds):
        target = folder / "bare.parquet"
        bare.append(measure([sys.executable, "-c", _BARE_READ, target, *files]))
        for taken, given in ((started, empty), (lake, exports)):
            taken.append(measure([sys.executable, script, home, given], output=folder / "log"))
            shutil.rmtree(home)
        runs.append(measure_run(exports, home))
        disk = measure_disk(exports, home)
        shutil.rmtree(home)
    shutil.rmtree(folder)
    return [
        Case(sized(BARE_READ, events), events, tuple(bare)),
        Case(sized(EMPTY_LAKE, events), 0, tuple(started)),
        Case(sized(LAKE_ALONE, events), events, tuple(lake)),
        case_of_runs(sized(NEW_HOME, events), events, runs, disk_mib=disk),
    ]
