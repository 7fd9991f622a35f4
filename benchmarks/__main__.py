"""Measure the main job on simulated events, in turn with its reference, and print a table.

Figures of one run are comparable with each other only: machines differ, and so do their days.
Nothing is asserted on time.
"""

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.batches import BatchMeasured, batches_table, bench_batches
from benchmarks.listing import ListingMeasured, bench_listing, listing_table
from sequen_dagster.simulate import Simulation, simulate

# Runs a command and prints its wall time and the largest resident size of any process below it.
_MEASURE = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(json.dumps({
    "seconds": time.perf_counter() - started,
    "peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    "code": code,
}))
"""
# The bare read: every column typed, nothing checked, nothing kept of what is not named.
_BARE_READ = """
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


@dataclass(frozen=True)
class Measured:
    """One row of the table.

    Attributes:
        case: what was measured.
        events: size of the input.
        seconds: median wall time.
        peak_mib: largest resident size of any one process, in MiB.
        ratio: wall time over the reference's, median of the rounds.
    """

    case: str
    events: int
    seconds: float
    peak_mib: float
    ratio: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benches named on the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--histories", type=int, nargs="+", default=[500_000, 5_000_000])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--only", choices=["job", "batches", "listing"], help="one of the benches")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    print(f"{platform.platform()}, Python {platform.python_version()}, duckdb {version('duckdb')}")
    rows: list[Measured] = []
    batches: list[BatchMeasured] = []
    listings: list[ListingMeasured] = []
    with tempfile.TemporaryDirectory(prefix="sequen-bench-") as folder:
        if options.only in (None, "job"):
            for events in options.events:
                rows += bench_main_job(Path(folder) / str(events), events, options.rounds)
            print(table(rows))
        if options.only in (None, "batches"):
            batches = bench_batches(Path(folder) / "batches", options.histories, options.rounds)
            print(batches_table(batches))
        if options.only in (None, "listing"):
            listings = bench_listing(Path(folder) / "listing", options.files, options.rounds)
            print(listing_table(listings))
    if options.json:
        figures = [asdict(row) for row in (*rows, *batches, *listings)]
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def bench_main_job(folder: Path, events: int, rounds: int) -> list[Measured]:
    """Time `sequen-dagster run` and the bare read of the same files, in turn."""
    days = 10
    started = time.perf_counter()
    simulate(Simulation(events=events, days=days, broken_rate=0.0), folder)
    files = sorted(str(path) for path in (folder / "exports").rglob("*.jsonl"))
    size = sum(Path(file).stat().st_size for file in files) / 1024**2
    print(f"simulated {events:,} events, {size:.0f} MiB, {time.perf_counter() - started:.0f} s")
    ours, bare = [], []
    for _ in range(rounds):
        home = folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        bare.append(measure(sys.executable, "-c", _BARE_READ, str(folder / "bare.parquet"), *files))
        command = [sys.executable, "-m", "sequen_dagster.cli.main", "run"]
        paths = ["--exports", str(folder / "exports"), "--home", str(home)]
        ours.append(measure(*command, *paths))
    shutil.rmtree(folder)
    ratio = statistics.median(
        own["seconds"] / other["seconds"] for own, other in zip(ours, bare, strict=True)
    )
    return [
        _row("DuckDB: bare read_json to Parquet", events, bare, 1.0),
        _row("sequen-dagster run (everything)", events, ours, ratio),
    ]


def measure(*command: str) -> dict[str, float]:
    """Run a command to its end; its wall time and the largest process below it."""
    finished = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, check=True
    )
    figures: dict[str, float] = json.loads(finished.stdout)
    if figures["code"] != 0:
        message = f"{command[:4]} ended with {figures['code']}: {finished.stderr[-2000:]}"
        raise RuntimeError(message)
    return figures


def table(rows: Sequence[Measured]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| case | events | seconds | events/s | peak MiB | ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.case} | {row.events:,} | {row.seconds:.1f} | {row.events / row.seconds:,.0f} "
        f"| {row.peak_mib:,.0f} | {row.ratio:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _row(case: str, events: int, figures: list[dict[str, float]], ratio: float) -> Measured:
    return Measured(
        case,
        events,
        statistics.median(one["seconds"] for one in figures),
        max(one["peak_mib"] for one in figures),
        ratio,
    )


if __name__ == "__main__":
    main()
