"""Measure the main job, each case in turn with its reference, and print how both stand.

Figures of one run are comparable with each other only: machines differ, and so do their days.
Nothing is asserted on time.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.batches import bench_batches
from benchmarks.cases import Case
from benchmarks.fixed import bench_fixed
from benchmarks.listing import bench_listing
from benchmarks.records import Measurement, append_measurement, machine_facts
from benchmarks.refresh import bench_refresh
from benchmarks.script import bench_script
from benchmarks.targets import cases_table, compare, comparisons_table
from benchmarks.throughput import bench_throughput

Bench = Callable[[Path, argparse.Namespace], list[Case]]

BENCHES: dict[str, Bench] = {
    "fixed": lambda folder, options: bench_fixed(folder, options.rounds),
    "throughput": lambda folder, options: bench_throughput(folder, options.events, options.rounds),
    "script": lambda folder, options: bench_script(folder, options.script, options.rounds),
    "batches": lambda folder, options: bench_batches(
        folder, options.histories, options.rounds, has_bot=options.bot
    ),
    "refresh": lambda folder, options: bench_refresh(folder, options.refresh, options.rounds),
    "listing": lambda folder, options: bench_listing(folder, options.files, options.rounds),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benches named on the command line, all of them where none is."""
    options = parse_arguments(arguments)
    print(", ".join(f"{name} {value}" for name, value in machine_facts().items()))
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="sequen-bench-", dir=options.folder) as folder:
            cases = BENCHES[name](Path(folder), options)
        print(
            f"\n## {name}\n\n{cases_table(cases)}\n\n{comparisons_table(compare(cases))}",
            flush=True,
        )
        if options.record:
            # After each bench: the next may take an hour, and fail.
            append_measurement(Measurement.of(cases), options.record)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", choices=sorted(BENCHES), nargs="+", default=list(BENCHES), help="some benches"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each case is measured")
    parser.add_argument(
        "--events", type=int, nargs="+", default=[200_000, 1_000_000], help="sizes of throughput"
    )
    parser.add_argument(
        "--histories", type=int, nargs="+", default=[500_000, 5_000_000], help="sizes of batches"
    )
    parser.add_argument("--bot", action="store_true", help="batches beside a bot, too")
    parser.add_argument("--script", type=int, default=1_000_000, help="events for the script")
    parser.add_argument("--refresh", type=int, default=5_000_000, help="events of the refresh")
    parser.add_argument("--files", type=int, default=100_000, help="files of the listing")
    parser.add_argument("--folder", type=Path, help="where to put files; a large and fast disk")
    parser.add_argument("--record", type=Path, help="append the figures to this file of JSON lines")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
