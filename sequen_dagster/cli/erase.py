"""`sequen-dagster erase`: take people out of everything that the home holds, for good.

The ids are hashed before anything is written down; no file, log or message holds them.
"""

import shutil
import sys
from dataclasses import dataclass
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
    from collections.abc import Sequence

    from sequen_dagster.contract.erasures import ErasableField
    from sequen_dagster.lake.rewrites import Rewritten

_FROM_INPUT: Final = "-"


@dataclass(frozen=True)
class Erased:
    """What an act of erasing has found.

    Attributes:
        rewritten: what was taken out of the lake, or would be.
        anonymous_events: events without `uid` that were taken out for their visitor.
        files: paths of the export files that hold the records.
        is_again: whether all of them were on the list before.
    """

    rewritten: "Rewritten"
    anonymous_events: int
    files: tuple[str, ...]
    is_again: bool


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
    files are not touched: the end of the output names those that hold the records. Run it again
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
        try:
            erased = erase_people(settings, people, is_visitor=visitor, is_dry_run=dry_run)
        except SequenError as error:
            fail(str(error), exit_code(error))
    if dry_run:
        console.print(_told(erased, is_dry_run=True), soft_wrap=True)
        sys.exit(0)
    code = _restate(settings)
    console.print(_told(erased, is_dry_run=False), soft_wrap=True)
    sys.exit(code)


def erase_people(
    settings: SequenSettings,
    people: "Sequence[tuple[ErasableField, str]]",
    *,
    is_visitor: bool,
    is_dry_run: bool,
) -> Erased:
    """Note whom to erase, and take their records out of the lake; the tables follow with a run.

    Args:
        settings: the home.
        people: (field, value) of each.
        is_visitor: whether anonymous events that are stitched to them go as well.
        is_dry_run: only count.

    Returns:
        What was taken out, or would be.

    Raises:
        LockTimeoutError: a writer, a committer or a verify was in the way for too long.
        HomeError: the list of erased people is damaged.
    """
    from sequen_dagster.home.locks import quiet_home
    from sequen_dagster.home.owner_only import owner_only_files
    from sequen_dagster.lake.erasures import note_erasures, read_noted
    from sequen_dagster.lake.rewrites import count_erased, erase_rows
    from sequen_dagster.marts.visitors import anonymous_events
    from sequen_dagster.runtime.fail_points import fail_point
    from sequen_dagster.runtime.redaction import without_values

    lake = settings.home / "lake"
    timeout_seconds = settings.lock_timeout_seconds
    with (
        owner_only_files(),
        without_values(),
        quiet_home(settings, timeout_seconds=timeout_seconds),
    ):
        before = read_noted(lake)
        keys = [f"{name}:{value}" for name, value in people]
        events = anonymous_events(settings, keys) if is_visitor else []
        everything = [*people, *(("id", event) for event in events)]
        is_again = before.erasures.adding(everything) == before.erasures
        if is_dry_run:
            rewritten = count_erased(settings, before.erasures.adding(everything))
        else:
            erasures = note_erasures(lake, everything)
            fail_point("erase.noted")
            rewritten = erase_rows(settings, erasures)
            # What a verify that was killed has left, copies of the tables among it.
            shutil.rmtree(settings.home / "verify", ignore_errors=True)
        files = _files(settings, rewritten, is_again=is_again and bool(before.unfinished))
    return Erased(rewritten, len(events), files, is_again)


def _value(given: str, field: str) -> str:
    """The id; read without echo where it is not to stand in a command line."""
    if given != _FROM_INPUT:
        return given
    if sys.stdin.isatty():
        return str(click.prompt(field, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _files(settings: SequenSettings, rewritten: "Rewritten", *, is_again: bool) -> tuple[str, ...]:
    """The export files to name; after a break, those of all who were ever erased."""
    from sequen_dagster.contract.erasures import ERASED
    from sequen_dagster.lake.commits import read_commits

    files = set(rewritten.files)
    if is_again:
        files |= {
            (batch.source, batch.path)
            for commit in read_commits(settings.home / "lake")
            for batch in commit.batches
            if any(count.rule == ERASED for count in batch.rule_counts)
        }
    has_many = len(settings.sources) > 1
    return tuple(f"{source}/{path}" if has_many else path for source, path in sorted(files))


def _restate(settings: SequenSettings) -> int:
    """Run the pipeline, which restates and compacts the tables and publishes; the exit code."""
    from sequen_dagster.home.locks import commit_lock
    from sequen_dagster.lake.erasures import finish_erasures
    from sequen_dagster.operations.run import run_pipeline
    from sequen_dagster.runtime.fail_points import fail_point

    with errors.status("starting") as status:
        try:
            outcome = run_pipeline(
                settings,
                on_progress=lambda stage, message: status.update(progress_of(stage, message)),
            )
            if outcome.is_success:
                fail_point("erase.built")
                with commit_lock(settings):
                    finish_erasures(settings.home / "lake")
        except SequenError as error:
            fail(str(error), exit_code(error))
    for failure in (*outcome.failures, *outcome.failed_checks):
        errors.print(Text.assemble(("failed ", "red"), failure))
    if not outcome.is_success:
        errors.print(
            "The lake is rid of the records; the tables are not yet. Mend the failure and run the "
            "same command again."
        )
    if outcome.is_lock_timeout:
        return EXIT_LOCKED
    return 0 if outcome.is_success and not outcome.failed_checks else EXIT_FAILED


def _told(erased: Erased, *, is_dry_run: bool) -> Text:
    """What was done, and what is left to do for whoever asked."""
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
