"""`sequen-dagster verify`: prove that the tables equal a full refresh."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from sequen_dagster.cli.options import (
    EXIT_FAILED,
    console,
    exit_on_error,
    home_option,
    read_settings,
    set_option,
    show_progress,
)
from sequen_dagster.runtime.text import counted

if TYPE_CHECKING:
    from sequen_dagster.marts.verify import Verification


@click.command()
@home_option
@set_option
def verify(*, home: Path | None, overrides: tuple[str, ...]) -> None:
    """Prove that the tables equal a full refresh; exit 1 if a row differs.

    Rebuilds all tables from the lake in a scratch folder of the home, from the commits that the
    warehouse holds, and compares them row for row. Nothing is changed. Give the settings that the
    tables were built by.
    """
    settings = read_settings(overrides, needs_exports=False, needs_home="existing", home=home)
    with show_progress("starting") as on_progress, exit_on_error():
        from sequen_dagster.marts.verify import verify as rebuild_and_compare
        from sequen_dagster.runtime.progress import listening

        with listening(on_progress):
            verification = rebuild_and_compare(settings)
    console.print(render_verification(verification), soft_wrap=True)
    sys.exit(0 if verification.is_equal else EXIT_FAILED)


def render_verification(verification: "Verification") -> Text:
    """What `verify` found, for a terminal alone: it shows keys of rows.

    Args:
        verification: what was found.

    Returns:
        A line for each table that differs and for some of its rows, and a last line that counts.
    """
    # Imports duckdb, which is slow where nothing is verified.
    from sequen_dagster.marts.compare import describe_difference

    lines = []
    for one in verification.differences:
        lines.append(describe_difference(one))
        lines += [f"    {key}" for key in one.keys]
    if verification.lost_commits:
        lost = counted(verification.lost_commits, "commit")
        lines.append(f"{lost} that the warehouse holds are gone from the lake")
    equal = counted(verification.tables - len(verification.differences), "table")
    commits = counted(verification.commits, "commit")
    differing = len(verification.differences)
    lines.append(f"{equal} equal{f', {differing} differ' if differing else ''} ({commits})")
    if differing:
        lines.append("`sequen-dagster run --full-refresh` rebuilds them. Please report it.")
    return Text("\n".join(lines))
