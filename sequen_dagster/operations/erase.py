"""Erasing people from everything that a home holds: the lake first, then what derives from it.

In: ids. Out: commits without their records, a list of salted hashes that keeps them out, and a run
that restates tables, snapshot and report.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sequen_dagster.contract.erasures import ERASED, ErasableField
from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.home.locks import commit_lock, quiet_home
from sequen_dagster.home.owner_only import owner_only_files
from sequen_dagster.lake.commits import read_commits
from sequen_dagster.lake.erasures import add_erasures, finish_erasures, read_erasure_list
from sequen_dagster.lake.rewrites import Rewritten, count_erased, erase_rows
from sequen_dagster.marts.visitors import anonymous_events
from sequen_dagster.operations.run import RunOutcome, run_pipeline
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.redaction import without_values
from sequen_dagster.settings import SequenSettings


@dataclass(frozen=True)
class Erased:
    """What an act of erasing has found.

    Attributes:
        rewritten: what was taken out of the lake, or would be.
        anonymous_events: events without `uid` that were taken out for their visitor.
        files: paths of the export files that hold the records.
        is_again: whether all of them were on the list before.
    """

    rewritten: Rewritten
    anonymous_events: int
    files: tuple[str, ...]
    is_again: bool


def erase_people(
    settings: SequenSettings,
    people: Sequence[tuple[ErasableField, str]],
    *,
    is_visitor: bool,
    is_dry_run: bool,
) -> Erased:
    """Note whom to erase, and take their records out of the lake; `restate_tables` has to follow.

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
    home = Home(settings.home)
    with (
        owner_only_files(),
        without_values(),
        quiet_home(home, timeout_seconds=settings.lock_timeout_seconds),
    ):
        before = read_erasure_list(home.lake)
        keys = [f"{name}:{value}" for name, value in people]
        events = anonymous_events(settings, keys) if is_visitor else []
        everything = [*people, *(("id", event) for event in events)]
        is_again = before.erasures.adding(everything) == before.erasures
        if is_dry_run:
            rewritten = count_erased(home.lake, before.erasures.adding(everything))
        else:
            erasures = add_erasures(home.lake, everything)
            fail_point("erase.noted")
            rewritten = erase_rows(home.lake, erasures)
            # What a verify that was killed has left, copies of the tables among it.
            shutil.rmtree(home.scratch.root, ignore_errors=True)
        files = set(rewritten.files)
        if is_again and before.unfinished_count:
            files |= _files_of_all_erased(home.lake)
    return Erased(rewritten, len(events), _name_files(settings, files), is_again)


def restate_tables(
    settings: SequenSettings, *, on_progress: Callable[[str, str], None] | None = None
) -> RunOutcome:
    """Run the pipeline, which restates and compacts the tables and publishes them.

    Args:
        settings: the home.
        on_progress: called with (stage, message) as work gets done.

    Returns:
        How the run ended; if well, the acts of erasing are noted as finished.

    Raises:
        LockTimeoutError: a run was committing for too long.
    """
    outcome = run_pipeline(settings, on_progress=on_progress)
    if outcome.is_success:
        fail_point("erase.built")
        home = Home(settings.home)
        with commit_lock(home, timeout_seconds=settings.lock_timeout_seconds):
            finish_erasures(home.lake)
    return outcome


def _files_of_all_erased(lake: Lake) -> set[tuple[str, str]]:
    """Source and path of the export files from which a person was ever erased."""
    return {
        (batch.source, batch.path)
        for commit in read_commits(lake)
        for batch in commit.batches
        if any(count.rule == ERASED for count in batch.rule_counts)
    }


def _name_files(settings: SequenSettings, files: set[tuple[str, str]]) -> tuple[str, ...]:
    has_many = len(settings.sources) > 1
    return tuple(f"{source}/{path}" if has_many else path for source, path in sorted(files))
