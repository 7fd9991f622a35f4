"""The command line, `sequen-dagster`.

Exit codes: 0 all went well (quarantined records and unmet tiers included); 1 a file, a check of
severity error, or a stage failed, or a file could not be read as a whole; 2 bad settings or
arguments; 3 another writer held the lock.
"""

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import click

from sequen_dagster.cli.doctor import doctor
from sequen_dagster.cli.erase import erase
from sequen_dagster.cli.options import (
    EXIT_FAILED,
    EXIT_USAGE,
    console,
    errors,
    exit_code,
    exports_option,
    fail,
    home_option,
    progress_of,
    set_option,
    settings_of,
    strict_option,
)
from sequen_dagster.cli.replay import replay
from sequen_dagster.cli.report import report
from sequen_dagster.cli.running import run_and_report
from sequen_dagster.errors import ExportsError, SequenError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sequen-dagster")
def main() -> None:
    """Raw event exports to sessionized, attributed tables and a completeness report."""


@main.command()
@exports_option
@home_option
@set_option
@strict_option
@click.option("--full-refresh", is_flag=True, help="Build all tables from nothing.")
def run(
    exports: str | None,
    home: Path | None,
    overrides: tuple[str, ...],
    strict: bool,
    full_refresh: bool,
) -> None:
    """Take in what is new, build all tables, publish and report."""
    settings = settings_of(overrides, home=home, exports=exports)
    sys.exit(run_and_report(settings, strict=strict, full_refresh=full_refresh))


@main.command()
@home_option
@set_option
def verify(home: Path | None, overrides: tuple[str, ...]) -> None:
    """Prove that the tables equal a full refresh; exit 1 if a row differs.

    Rebuilds all tables from the lake in a scratch folder of the home, from the commits that the
    warehouse holds, and compares them row for row. Nothing is changed. Give the settings that the
    tables were built by.
    """
    settings = settings_of(overrides, needs_exports=False, home=home)
    with errors.status("starting") as status:
        from sequen_dagster.cli.rendering import render_verification
        from sequen_dagster.marts.verify import verify as rebuild_and_compare
        from sequen_dagster.runtime.progress import listening

        try:
            with listening(lambda stage, message: status.update(progress_of(stage, message))):
                verification = rebuild_and_compare(settings)
        except SequenError as error:
            fail(str(error), exit_code(error))
    console.print(render_verification(verification), soft_wrap=True)
    sys.exit(0 if verification.is_equal else EXIT_FAILED)


@main.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Directory for the sample and the results.",
)
@click.option("--events", type=click.IntRange(1_000), default=40_000, show_default=True)
def demo(home: Path, events: int) -> None:
    """Simulate a shop's exports, some of them broken, and run everything on them."""
    from sequen_dagster.simulate import Simulation, simulate

    exports = home / "exports"
    if not exports.exists():
        with errors.status("simulating a shop"):
            truth = simulate(Simulation(events=events, days=6, formats=DEMO_FORMATS), home)
        console.print(f"Simulated {truth.records:,} records of a shop in {exports}.")
    settings = settings_of((), home=home, exports=exports, breakdowns=DEMO_BREAKDOWNS)
    sys.exit(run_and_report(settings))


# As the Makefile has it for `make dev`: other settings would mean other tables.
DEMO_BREAKDOWNS = ("device_info.platform",)
DEMO_FORMATS = ("jsonl.gz", "jsonl", "json", "csv", "parquet", "jsonl.zst")


@main.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["human", "json", "github"]),
    default="human",
    show_default=True,
    help="How to print; github gives annotations for its checks.",
)
@set_option
@strict_option
def validate(path: Path, form: str, overrides: tuple[str, ...], strict: bool) -> None:
    """Validate export files by the contract alone; nothing is written.

    Exit 1 if a file could not be read as a whole.
    """
    from sequen_dagster.operations.validate import (
        closing_lines,
        render_github,
        render_human,
        validate_path,
    )

    settings = settings_of(overrides, exports=path.resolve())
    try:
        outcome = validate_path(settings)
    except ExportsError as error:
        fail(str(error), EXIT_USAGE)
    match form:
        case "json":
            click.echo(json.dumps(outcome.as_json(), indent=2))
        case "github":
            for line in render_github(outcome):
                click.echo(line)
        case _:
            console.print(render_human(outcome))
            for text in closing_lines(outcome):
                console.print(text, soft_wrap=True)
    is_bad = bool(outcome.unread or outcome.failed) or (
        strict and bool(outcome.record_counts.quarantined)
    )
    sys.exit(EXIT_FAILED if is_bad else 0)


@main.command()
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
        with errors.status("simulating"):
            truth = write(simulation, out)
    except (ValueError, FileExistsError) as error:
        fail(str(error), EXIT_USAGE)
    console.print(
        f"{truth.records:,} records in {len(truth.files)} files: {out / 'exports'} "
        f"({truth.accepted:,} to be accepted, {truth.quarantined:,} broken; see truth.json)."
    )


main.add_command(replay)
main.add_command(doctor)
main.add_command(erase)
main.add_command(report)


if __name__ == "__main__":
    main()
