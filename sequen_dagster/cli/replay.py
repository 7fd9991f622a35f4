"""`sequen-dagster replay`: validate files again, after the contract has changed."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

from sequen_dagster.cli.options import (
    EXIT_USAGE,
    console,
    dry_run_option,
    error_console,
    exit_on_error,
    exit_with_error,
    exports_option,
    home_option,
    read_settings,
    set_option,
)
from sequen_dagster.cli.run import run_and_report
from sequen_dagster.runtime.text import counted, quoted

if TYPE_CHECKING:
    from sequen_dagster.operations.replay import ReplayPreview

_DAY: Final = click.DateTime(["%Y-%m-%d"])
_SHOWN_FILES: Final = 20


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
    settings = read_settings(overrides, needs_home="existing", home=home, exports=exports)
    with error_console.status("looking for batches to validate again"), exit_on_error():
        from sequen_dagster.lake.replay import Choice
        from sequen_dagster.operations.replay import preview_replay

        choice = Choice(
            is_stale=stale,
            paths=paths,
            since=since.date() if since else None,
            until=until.date() if until else None,
            has_quarantined=quarantined,
        )
        if choice.is_empty and not dead_lettered:
            exit_with_error(
                "Say what to validate again: --stale, --quarantined, --path, --since, --until or "
                "--dead-lettered.",
                EXIT_USAGE,
            )
        preview = preview_replay(settings, choice, retry_dead_lettered=dead_lettered)
    if dry_run or preview.is_empty:
        which = "stale" if choice == Choice(is_stale=True) else "to be validated again"
        console.print(render_preview(preview, nothing=f"Nothing is {which}"), soft_wrap=True)
        sys.exit(0)
    sys.exit(run_and_report(settings, choice=choice, retry_dead_lettered=dead_lettered))


def render_preview(preview: "ReplayPreview", *, nothing: str) -> Text:
    """What `replay` would do.

    Args:
        preview: what `preview_replay` gave.
        nothing: how the line begins where there is nothing to do.

    Returns:
        A line that counts, and one for each file; of many, the first.
    """
    plan, dead_lettered = preview.plan, preview.dead_lettered
    lines = []
    if dead_lettered:
        lines.append(f"{counted(len(dead_lettered), 'dead-lettered file')} to try again")
        lines += _indent_first([quoted(file.path) for file in dead_lettered])
    if plan.jobs or plan.left:
        lines.append(f"{counted(len(plan.jobs), 'batch')} to validate again")
        lines += _indent_first([quoted(job.file.path) for job in plan.jobs])
    if plan.left:
        lines.append(f"{counted(len(plan.left), 'batch')} left unchanged")
        lines += _indent_first([f"{quoted(one.path)}: {one.reason}" for one in plan.left])
    if not lines:
        lines.append(f"{nothing}: the tables are made of {counted(plan.current, 'batch')}.")
    return Text("\n".join(lines))


def _indent_first(lines: list[str]) -> list[str]:
    more = ["    …"] if len(lines) > _SHOWN_FILES else []
    return [f"    {line}" for line in lines[:_SHOWN_FILES]] + more
