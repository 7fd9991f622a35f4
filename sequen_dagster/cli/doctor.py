"""`sequen-dagster doctor`: look at a home, and fix what can be fixed without losing anything."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.table import Table
from rich.text import Text

from sequen_dagster.cli.options import (
    EXIT_FAILED,
    console,
    dry_run_option,
    error_console,
    exit_on_error,
    exports_option,
    home_option,
    read_settings,
    set_option,
)
from sequen_dagster.home.layout import Home
from sequen_dagster.names import NAMES, Names
from sequen_dagster.runtime.text import counted, sized

if TYPE_CHECKING:
    from sequen_dagster.operations.doctor import Diagnosis
    from sequen_dagster.settings import SequenSettings

_STYLES: Final = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command()
@exports_option
@home_option
@set_option
@click.option(
    "--name",
    default=NAMES.name,
    show_default=True,
    help="Of the pipeline in Dagster, whose sensors and pool are looked at.",
)
@click.option("--rebuild", is_flag=True, help="Rebuild the ledger from the commits.")
@click.option("--clean", is_flag=True, help="Remove what killed runs left more than a day ago.")
@dry_run_option
def doctor(
    *,
    exports: str | None,
    home: Path | None,
    overrides: tuple[str, ...],
    name: str,
    rebuild: bool,
    clean: bool,
    dry_run: bool,
) -> None:
    """Say what is wrong with a home and around it; exit 1 if something is.

    Looks only, unless asked to rebuild or to clean; both are safe to repeat.
    """
    settings = read_settings(overrides, needs_exports=False, home=home, exports=exports)
    with error_console.status("looking around"), exit_on_error():
        from sequen_dagster.operations.doctor import examine_home

        if rebuild:
            _rebuild_ledger(settings, dry_run=dry_run)
        if clean:
            _remove_unreferenced(settings, dry_run=dry_run)
        findings = examine_home(settings, Names(name))
    console.print(_render_diagnoses(findings))
    sys.exit(EXIT_FAILED if any(one.level == "error" for one in findings) else 0)


def _rebuild_ledger(settings: "SequenSettings", *, dry_run: bool) -> None:
    from sequen_dagster.lake.commits import list_commit_names
    from sequen_dagster.operations.doctor import rebuild_ledger

    if dry_run:
        commits = counted(len(list_commit_names(Home(settings.home).lake)), "commit")
        console.print(f"The ledger would be rebuilt from {commits}.")
        return
    kept, indexed = rebuild_ledger(Home(settings.home))
    aside = f"; the old one is {kept.name}" if kept else ""
    console.print(f"The ledger was rebuilt from {counted(indexed, 'commit')}{aside}.")


def _remove_unreferenced(settings: "SequenSettings", *, dry_run: bool) -> None:
    from sequen_dagster.lake.tidying import find_unreferenced_files, remove_unreferenced_files

    unreferenced_files = find_unreferenced_files(Home(settings.home))
    if not dry_run:
        remove_unreferenced_files(unreferenced_files)
    size = sized(sum(unreferenced.size_bytes for unreferenced in unreferenced_files))
    would = "would be removed" if dry_run else "removed"
    console.print(f"{counted(len(unreferenced_files), 'unreferenced file')} {would}, {size}.")


def _render_diagnoses(findings: "list[Diagnosis]") -> Table:
    table = Table(show_edge=False)
    for column in ("area", "", "finding"):
        table.add_column(column, overflow="fold")
    for one in findings:
        table.add_row(one.area, Text(one.level, style=_STYLES[one.level]), Text(one.message))
    return table
