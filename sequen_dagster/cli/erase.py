"""`sequen-dagster erase`: take people out of everything that the home holds, for good.

The ids are hashed before anything is written down; no file, log or message holds them.
"""

import sys
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
    show_progress,
)
from sequen_dagster.cli.run import exit_code_of_run, print_failures
from sequen_dagster.runtime.text import counted, quoted
from sequen_dagster.settings import SequenSettings

if TYPE_CHECKING:
    from sequen_dagster.contract.erasures import ErasableField
    from sequen_dagster.operations.erase import Erased

_FROM_INPUT: Final = "-"


@click.command()
@exports_option
@home_option
@set_option
@click.option("--uid", "uids", multiple=True, metavar="ID", help="A user; - reads it as input.")
@click.option("--cid", "cids", multiple=True, metavar="ID", help="A client; - reads it as input.")
@click.option("--visitor", is_flag=True, help="Also the anonymous events stitched to them.")
@dry_run_option
def erase(
    exports: str | None,
    home: Path | None,
    overrides: tuple[str, ...],
    uids: tuple[str, ...],
    cids: tuple[str, ...],
    visitor: bool,
    dry_run: bool,
) -> None:
    """Take a user or a client out of the lake, the tables and the snapshot, for good.

    Salted hashes of the ids stay in the lake, so that no file brings the records back. The export
    files stay as they are: the end of the output names those that hold the records. Run it again
    if it broke off; it does no harm.
    """
    people: list[tuple[ErasableField, str]] = [
        *(("uid", _read_id(one, "uid")) for one in uids),
        *(("cid", _read_id(one, "cid")) for one in cids),
    ]
    if not people or not all(value.strip() for _, value in people):
        exit_with_error("Say whom to erase: --uid ID, --cid ID, or both.", EXIT_USAGE)
    settings = read_settings(
        overrides, needs_exports=not dry_run, needs_home="existing", home=home, exports=exports
    )
    with error_console.status("erasing from the lake"), exit_on_error():
        from sequen_dagster.operations.erase import erase_people

        erased = erase_people(settings, people, is_visitor=visitor, is_dry_run=dry_run)
    if dry_run:
        console.print(_render_erased(erased, is_dry_run=True), soft_wrap=True)
        sys.exit(0)
    code = _restate(settings)
    console.print(_render_erased(erased, is_dry_run=False), soft_wrap=True)
    sys.exit(code)


def _read_id(given: str, field: str) -> str:
    """The id; read without echo where it is not to stand in a command line."""
    if given != _FROM_INPUT:
        return given
    if sys.stdin.isatty():
        return str(click.prompt(field, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _restate(settings: SequenSettings) -> int:
    """Restate the tables, and return the exit code."""
    from sequen_dagster.operations.erase import restate_tables

    with show_progress("starting") as on_progress, exit_on_error():
        outcome = restate_tables(settings, on_progress=on_progress)
    print_failures(outcome)
    if not outcome.is_success:
        error_console.print(
            "The lake is rid of the records; the tables are not yet. Fix the failure and run the "
            "same command again."
        )
    return exit_code_of_run(outcome)


def _render_erased(erased: "Erased", *, is_dry_run: bool) -> Text:
    """What was done, and what is left to do for the caller."""
    found = erased.rewritten
    lines = [
        ("Would erase " if is_dry_run else "Erased ")
        + f"{counted(found.events, 'event')} and {counted(found.quarantined, 'quarantined record')}"
        f" (old versions of files included), and the text of "
        f"{counted(found.raw_texts, 'other quarantined record')}: "
        f"{counted(found.batches, 'batch')} in {counted(found.commits, 'commit')}."
    ]
    if erased.anonymous_events:
        events = counted(erased.anonymous_events, "anonymous event")
        lines.append(f"{events} of the same visitors among them, as of the last build.")
    if erased.is_again:
        lines.append("They were on the list already.")
    lines += [
        "Not ours to remove:",
        "    records that were delivered elsewhere, backups, files that readers have open",
        "    names of files and custom fields of other people's events, if they hold the ids",
    ]
    if erased.files:
        lines.append(f"    {counted(len(erased.files), 'export file')}:")
        lines += [f"        {quoted(path)}" for path in erased.files]
    return Text("\n".join(lines))
