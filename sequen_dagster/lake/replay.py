"""Lake: judge files again that were judged before, after the contract has changed.

In: the commits, and the exports places, where the files still lie. Out: commits that hold the
same batches in their next version. Nothing is ever judged again unless somebody asks.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from operator import attrgetter

from sequen_dagster.errors import VanishedFileError
from sequen_dagster.exports.files import ExportFile, list_sources
from sequen_dagster.lake.commits import Batch, Commit, current_batches
from sequen_dagster.lake.drain import (
    FileFailure,
    Progress,
    commit_batches,
    reason_of,
)
from sequen_dagster.lake.ingest import contract_fingerprint
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.requests import bounded
from sequen_dagster.lake.workers import Job, Workers
from sequen_dagster.settings import SequenSettings


@dataclass(frozen=True)
class Choice:
    """Which batches to judge again; as it stands, none.

    Attributes:
        is_stale: those that another contract has judged.
        paths: those of these paths, or of these source/path; `*` and `?` are wild.
        since: those received on this day (UTC) or later.
        until: those received on this day or earlier.
        has_quarantined: those with quarantined records.

    Of several conditions, all have to hold.
    """

    is_stale: bool = False
    paths: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    has_quarantined: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it chooses nothing."""
        return self == Choice()


@dataclass(frozen=True)
class Plan:
    """What a replay would do.

    Attributes:
        current: how many batches the tables are made of.
        jobs: the files to judge again.
        left: chosen, but gone or changed; they stay as they were judged.
    """

    current: int = 0
    jobs: tuple[Job, ...] = ()
    left: tuple[FileFailure, ...] = ()


@dataclass(frozen=True)
class Replayed:
    """What a replay has done.

    Attributes:
        commits: the commits written, in order.
        left: chosen, but gone or changed; they stay as they were judged.
        failures: files that could not be read.
    """

    commits: tuple[Commit, ...] = ()
    left: tuple[FileFailure, ...] = ()
    failures: tuple[FileFailure, ...] = ()

    @property
    def batches(self) -> list[Batch]:
        """All batches, commit by commit."""
        return [batch for commit in self.commits for batch in commit.batches]


def plan_replay(settings: SequenSettings, choice: Choice) -> Plan:
    """Find the batches to judge again and their files; nothing is written.

    Only batches that the tables are made of are looked at: older versions stay as they are.

    Raises:
        ExportsError: an exports place cannot be listed.
    """
    current = current_batches(settings.home / "lake")
    validate = contract_fingerprint(settings)
    chosen = [batch for batch in current if _is_chosen(batch, choice, validate)]
    listed = list_sources(settings.sources)
    files = {(file.source, file.path): file for file in listed}
    jobs = []
    left = []
    for batch in chosen:
        file = files.get((batch.source, batch.path))
        if file is None:
            left.append(FileFailure(batch.source, batch.path, "gone"))
        elif file.size_bytes != batch.file_bytes:
            left.append(FileFailure(batch.source, batch.path, "changed"))
        else:
            jobs.append(Job(file, batch.registered_at, again=batch))
    return Plan(len(current), tuple(jobs), tuple(left))


def replay(
    settings: SequenSettings,
    choice: Choice,
    *,
    run_id: str = "",
    progress: Progress | None = None,
) -> Replayed:
    """Judge batches again by the contract of today and commit them as their next versions.

    A batch keeps its id, its receipt and the time it was registered. The rows of the judgement
    before stay where they are. Safe to run twice, or to break off: what was committed is not stale
    any more, and the rest is judged next time.

    Args:
        settings: where to read and write, and the contract.
        choice: which batches.
        run_id: the run to name in the commits.
        progress: called with (files done, files in all, path) after each file.

    Returns:
        What was committed, what was left, and what failed.

    Raises:
        ExportsError: an exports place cannot be listed.
        LockTimeoutError: another run was committing for too long.
    """
    if choice.is_empty:
        return Replayed()
    ledger = Ledger(settings.make_home())
    plan = plan_replay(settings, choice)
    commits: list[Commit] = []
    left = list(plan.left)
    failures: list[FileFailure] = []
    done = 0
    with Workers(settings, plan.jobs) as workers:
        for file_group in bounded(plan.jobs, settings, file_of=attrgetter("file")):
            batches: list[Batch] = []
            for job, outcome in workers.validate(file_group):
                done += 1
                if isinstance(outcome, Batch):
                    batches.append(outcome)
                elif isinstance(outcome, VanishedFileError):
                    left.append(FileFailure(job.file.source, job.file.path, "changed"))
                else:
                    reason = reason_of(outcome)
                    failures.append(FileFailure(job.file.source, job.file.path, reason))
                if progress is not None:
                    progress(done, len(plan.jobs), job.file.path)
            commit = commit_batches(settings, ledger, batches, number=_still_next, run_id=run_id)
            commits += [commit] if commit else []
            # Not in the commit, but current all the same: another replay was faster.
            left += [
                FileFailure(batch.source, batch.path, "changed")
                for batch in batches
                if ledger.current(batch.source, batch.path)[1] != batch.batch_id
            ]
            _note_touched(ledger, commit, file_group)
    return Replayed(tuple(commits), tuple(left), tuple(failures))


def dead_lettered_files(settings: SequenSettings) -> list[ExportFile]:
    """The files that lie there as they were when they were dead-lettered.

    Raises:
        ExportsError: an exports place cannot be listed.
    """
    listed = list_sources(settings.sources)
    statuses = Ledger(settings.make_home()).statuses(listed)
    return [status.file for status in statuses if status.state == "dead_lettered"]


def retry_dead_lettered(settings: SequenSettings) -> int:
    """Have the next drain try dead-lettered files again; return how many these are.

    Use it after what stood in the way was mended outside of the files themselves.
    """
    files = dead_lettered_files(settings)
    Ledger(settings.home).release(files)
    return len(files)


def _is_chosen(batch: Batch, choice: Choice, validate: str) -> bool:
    if choice.is_empty or (choice.is_stale and batch.contract_fingerprint == validate):
        return False
    if choice.has_quarantined and not batch.record_counts.quarantined:
        return False
    day = batch.received_at.date()
    if not (choice.since or day) <= day <= (choice.until or day):
        return False
    names = (batch.path, f"{batch.source}/{batch.path}")
    return not choice.paths or any(
        fnmatchcase(name, pattern) for name in names for pattern in choice.paths
    )


def _still_next(ledger: Ledger, batch: Batch) -> Batch | None:
    """The batch, unless a run has committed another version of its path in the meantime."""
    is_next = ledger.current(batch.source, batch.path) == (batch.version - 1, batch.batch_id)
    return batch if is_next else None


def _note_touched(ledger: Ledger, commit: Commit | None, jobs: Iterable[Job]) -> None:
    """Spare the next drain the files that were only touched since they were taken in."""
    batches = commit.batches if commit else ()
    committed = {(batch.source, batch.path): batch for batch in batches}
    for job in jobs:
        batch = committed.get((job.file.source, job.file.path))
        found = (job.file.modified_at, job.file.etag)
        if batch is not None and (batch.modified_at, batch.etag) != found:
            touched = replace(batch, modified_at=job.file.modified_at, etag=job.file.etag)
            ledger.record_unchanged(touched)
