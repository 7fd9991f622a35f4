"""`sequen-dagster run`: take in what is new, build, publish, report; and say how it went."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.text import Text

from sequen_dagster.cli.options import (
    EXIT_FAILED,
    EXIT_LOCKED,
    console,
    error_console,
    exit_on_error,
    exports_option,
    home_option,
    read_settings,
    set_option,
    show_progress,
    strict_option,
)
from sequen_dagster.runtime.text import counted
from sequen_dagster.settings import SequenSettings

if TYPE_CHECKING:
    # Pandera and polars take seconds to import; `--help` does not wait for them.
    from sequen_dagster.lake.replay import Choice
    from sequen_dagster.operations.run import RunOutcome


@click.command()
@exports_option
@home_option
@set_option
@strict_option
@click.option("--full-refresh", is_flag=True, help="Build all tables from nothing.")
def run(
    *,
    exports: str | None,
    home: Path | None,
    overrides: tuple[str, ...],
    strict: bool,
    full_refresh: bool,
) -> None:
    """Take in what is new, build all tables, publish and report."""
    settings = read_settings(overrides, needs_home="writable", home=home, exports=exports)
    sys.exit(run_and_report(settings, strict=strict, full_refresh=full_refresh))


def run_and_report(
    settings: SequenSettings,
    *,
    strict: bool = False,
    full_refresh: bool = False,
    choice: "Choice | None" = None,
    retry_dead_lettered: bool = False,
) -> int:
    """Run the whole pipeline, print how it went, and return the exit code.

    Args:
        settings: where to read and write.
        strict: whether a quarantined record is a failure.
        full_refresh: whether to build all tables from nothing.
        choice: batches to validate again first.
        retry_dead_lettered: whether to try files again that were given up.
    """
    with show_progress("starting") as on_progress, exit_on_error():
        # Dagster and dbt take seconds to import; the status line is up before.
        from sequen_dagster.operations.run import run_pipeline

        outcome = run_pipeline(
            settings,
            full_refresh=full_refresh,
            replay=choice,
            retry_dead_lettered=retry_dead_lettered,
            on_progress=on_progress,
        )
    from sequen_dagster.cli.run_summary import render_outcome

    console.print(render_outcome(settings, outcome))
    for found in outcome.exports_found:
        console.print(Text(f"exports {found}"), soft_wrap=True)
    for unread in outcome.unread_files:
        error_console.print(f"[yellow]not read[/yellow] {escape(unread)}", soft_wrap=True)
    if outcome.unread_count > len(outcome.unread_files):
        more = counted(outcome.unread_count - len(outcome.unread_files), "more file")
        error_console.print(f"[yellow]not read[/yellow] {more}, see `sequen-dagster doctor`")
    print_failures(outcome)
    code = exit_code_of_run(outcome)
    if code == 0 and strict and outcome.summary["record_counts"]["quarantined"]:
        return EXIT_FAILED
    return code or (EXIT_FAILED if outcome.unread_files else 0)


def print_failures(outcome: "RunOutcome") -> None:
    """Name the stages and the checks that failed."""
    for failure in (*outcome.failures, *outcome.failed_checks):
        error_console.print(f"[red]failed[/red] {escape(failure)}", soft_wrap=True)


def exit_code_of_run(outcome: "RunOutcome") -> int:
    """The exit code that the outcome of a run means."""
    if outcome.is_lock_timeout:
        return EXIT_LOCKED
    return EXIT_FAILED if not outcome.is_success or outcome.failed_checks else 0
