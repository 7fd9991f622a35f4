"""`sequen-dagster replay`: validate files again, after the contract has changed."""

import sys
from datetime import datetime
from pathlib import Path

import click

from sequen_dagster.cli.options import (
    EXIT_USAGE,
    console,
    dry_run_option,
    errors,
    exit_code,
    exports_option,
    fail,
    home_option,
    set_option,
    settings_of,
)
from sequen_dagster.cli.running import run_and_report
from sequen_dagster.errors import SequenError

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@exports_option
@home_option
@set_option
@click.option("--stale", is_flag=True, help="Batches that another contract has validated.")
@click.option("--quarantined", is_flag=True, help="Batches with quarantined records.")
@click.option("--since", type=_DAY, help="Batches received on this day (UTC) or later.")
@click.option("--until", type=_DAY, help="Batches received on this day (UTC) or earlier.")
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="PATTERN",
    help="Batches of these paths under the location (or source/path); * and ? are wild.",
)
@click.option(
    "--dead-lettered", is_flag=True, help="Files that were given up after repeated failures."
)
@dry_run_option
def replay(
    *,
    exports: str | None,
    home: Path | None,
    overrides: tuple[str, ...],
    stale: bool,
    quarantined: bool,
    since: datetime | None,
    until: datetime | None,
    paths: tuple[str, ...],
    dead_lettered: bool,
    dry_run: bool,
) -> None:
    """Validate files again by the contract of today, then do what `run` does.

    Of several conditions on batches, all have to hold. Files that are gone from their location, or
    have changed, are named and left.
    """
    settings = settings_of(overrides, home=home, exports=exports)
    with errors.status("looking for batches to validate again"):
        from sequen_dagster.cli.rendering import render_plan
        from sequen_dagster.lake.drain import Intake
        from sequen_dagster.lake.ledger import Ledger
        from sequen_dagster.lake.replay import Choice, find_dead_lettered_files, plan_replay

        choice = Choice(
            is_stale=stale,
            paths=paths,
            since=since.date() if since else None,
            until=until.date() if until else None,
            has_quarantined=quarantined,
        )
        if choice.is_empty and not dead_lettered:
            fail(
                "Say what to validate again: --stale, --quarantined, --path, --since, --until or "
                "--dead-lettered.",
                EXIT_USAGE,
            )
        try:
            intake = Intake.of(settings)
            plan = plan_replay(intake, choice)
            files = []
            if dead_lettered:
                files = find_dead_lettered_files(intake, Ledger(intake.home))
        except SequenError as error:
            fail(str(error), exit_code(error))
    if dry_run or not (plan.jobs or files):
        console.print(render_plan(plan, choice, dead_lettered=files), soft_wrap=True)
        sys.exit(0)
    sys.exit(run_and_report(settings, choice=choice, retry_dead_lettered=dead_lettered))
