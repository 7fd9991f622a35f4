"""The part that `run`, `demo`, `replay` and others share: run everything once and report it."""

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.text import Text

from sequen_dagster.cli.options import (
    EXIT_FAILED,
    EXIT_LOCKED,
    console,
    errors,
    exit_code,
    fail,
    progress_of,
)
from sequen_dagster.errors import SequenError
from sequen_dagster.settings import SequenSettings

if TYPE_CHECKING:
    # Pandera and polars take seconds to import; `--help` does not wait for them.
    from sequen_dagster.lake.replay import Choice


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
    with errors.status("starting") as status:
        # Dagster and dbt take seconds to import; the status line is up before.
        from sequen_dagster.operations.run import run_pipeline

        try:
            outcome = run_pipeline(
                settings,
                full_refresh=full_refresh,
                replay=choice,
                retry_dead_lettered=retry_dead_lettered,
                on_progress=lambda stage, message: status.update(progress_of(stage, message)),
            )
        except SequenError as error:
            fail(str(error), exit_code(error))
    from sequen_dagster.cli.rendering import render_outcome

    console.print(render_outcome(settings, outcome))
    for found in outcome.exports_found:
        console.print(Text(f"exports {found}"), soft_wrap=True)
    for unread in outcome.unread_files:
        errors.print(f"[yellow]not read[/yellow] {escape(unread)}", soft_wrap=True)
    for failure in (*outcome.failures, *outcome.failed_checks):
        errors.print(f"[red]failed[/red] {escape(failure)}")
    if outcome.is_lock_timeout:
        return EXIT_LOCKED
    if not outcome.is_success or outcome.failed_checks or outcome.unread_files:
        return EXIT_FAILED
    return EXIT_FAILED if strict and outcome.summary["record_counts"]["quarantined"] else 0
