"""`sequen-dagster simulate`: raw exports of a shop, with the truth about them."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from sequen_dagster.cli.options import EXIT_USAGE, console, error_console, exit_with_error


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--events", type=click.IntRange(1), default=50_000, show_default=True)
@click.option("--days", type=click.IntRange(1), default=7, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True)
@click.option(
    "--first-day",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2025-07-01",
    show_default=True,
)
@click.option("--files-per-day", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--formats",
    default="jsonl",
    show_default=True,
    help="Comma-separated; files take turns: jsonl, jsonl.gz, jsonl.zst, json, envelope.json, "
    "csv, parquet.",
)
def simulate(
    *,
    out: Path,
    events: int,
    days: int,
    seed: int,
    first_day: Any,  # Any: click has no narrower type for a parsed date
    files_per_day: int,
    formats: str,
) -> None:
    """Write a shop's raw event exports into OUT, with the known truth beside them."""
    from sequen_dagster.simulate import Simulation
    from sequen_dagster.simulate import simulate as write

    try:
        simulation = Simulation(
            seed=seed,
            events=events,
            days=days,
            first_day=date(first_day.year, first_day.month, first_day.day),
            files_per_day=files_per_day,
            formats=tuple(formats.split(",")),
        )
        with error_console.status("simulating"):
            truth = write(simulation, out)
    except (ValueError, FileExistsError) as error:
        exit_with_error(str(error), EXIT_USAGE)
    console.print(
        f"{truth.records:,} records in {len(truth.files)} files: {out / 'exports'} "
        f"({truth.accepted:,} to be accepted, {truth.quarantined:,} broken; see truth.json)."
    )
