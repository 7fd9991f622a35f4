"""`sequen-dagster demo`: a simulated shop, and everything done with its exports."""

import sys
from pathlib import Path
from typing import Final

import click

from sequen_dagster.cli.options import console, error_console, read_settings
from sequen_dagster.cli.run import run_and_report

# As the Makefile has it for `make dev`: other settings would mean other tables.
DEMO_BREAKDOWNS: Final = ("device_info.platform",)
_FORMATS: Final = ("jsonl.gz", "jsonl", "json", "csv", "parquet", "jsonl.zst")


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Directory for the sample and the results.",
)
@click.option("--events", type=click.IntRange(1_000), default=40_000, show_default=True)
def demo(*, home: Path, events: int) -> None:
    """Simulate a shop's exports, some of them broken, and run everything on them."""
    from sequen_dagster.simulate import Simulation, simulate

    exports = home / "exports"
    if not exports.exists():
        with error_console.status("simulating a shop"):
            truth = simulate(Simulation(events=events, days=6, formats=_FORMATS), home)
        console.print(f"Simulated {truth.records:,} records of a shop in {exports}.")
    settings = read_settings(
        (), needs_home="writable", home=home, exports=exports, breakdowns=DEMO_BREAKDOWNS
    )
    sys.exit(run_and_report(settings))
