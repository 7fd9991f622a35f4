"""`sequen-dagster erase`: take people out of everything that the home holds, for good.

The ids are hashed before anything is written down; no file, log or message holds them.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.text import Text

from sequen_dagster.cli.options import (
    EXIT_FAILED,
    EXIT_LOCKED,
    EXIT_USAGE,
    console,
    dry_run_option,
    errors,
    exit_code,
    exports_option,
    fail,
    home_option,
    progress_of,
    set_option,
    settings_of,
)
from sequen_dagster.errors import SequenError
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
    settings = settings_of(overrides, needs_exports=not dry_run, home=home, exports=exports)
    people: list[tuple[ErasableField, str]] = [
        *(("uid", _value(one, "uid")) for one in uids),
        *(("cid", _value(one, "cid")) for one in cids),
    ]
    if not people or not all(value.strip() for _, value in people):
        fail("Say whom to erase: --uid ID, --cid ID, or both.", EXIT_USAGE)
    with errors.status("erasing from the lake"):
        from sequen_dagster.operations.erase import erase_people

        try:
            erased = erase_people(settings, people, is_visitor=visitor, is_dry_run=dry_run)
        except SequenError as error:
            fail(str(error), exit_code(error))
    if dry_run:
        console.print(_describe_erased(erased, is_dry_run=True), soft_wrap=True)
        sys.exit(0)
    code = _restate(settings)
    console.print(_describe_erased(erased, is_dry_run=False), soft_wrap=True)
    sys.exit(code)


def _value(given: str, field: str) -> str:
    """The id; read without echo where it is not to stand in a command line."""
    if given != _FROM_INPUT:
        return given
    if sys.stdin.isatty():
        return str(click.prompt(field, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _restate(settings: SequenSettings) -> int:
    """Restate the tables; the exit code."""
    from sequen_dagster.operations.erase import restate_tables

    with errors.status("starting") as status:
        try:
            outcome = restate_tables(
                settings,
                on_progress=lambda stage, message: status.update(progress_of(stage, message)),
            )
        except SequenError as error:
            fail(str(error), exit_code(error))
    for failure in (*outcome.failures, *outcome.failed_checks):
        errors.print(Text.assemble(("failed ", "red"), failure))
    if not outcome.is_success:
        errors.print(
            "The lake is rid of the records; the tables are not yet. Fix the failure and run the "
            "same command again."
        )
    if outcome.is_lock_timeout:
        return EXIT_LOCKED
    return 0 if outcome.is_success and not outcome.failed_checks else EXIT_FAILED


def _describe_erased(erased: "Erased", *, is_dry_run: bool) -> Text:
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
