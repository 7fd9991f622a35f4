"""Lake: validate files again that were taken in before, after the contract has changed.

In: the commits, and the locations where the files still lie. Out: commits that hold the same
batches in their next version. A batch is validated again only where that is asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from operator import attrgetter

from sequen_dagster.errors import VanishedFileError
from sequen_dagster.exports.files import ExportFile, list_sources
from sequen_dagster.lake.commits import Batch, Commit, current_batches
from sequen_dagster.lake.drain import FileFailure, Intake, OnFile, commit_batches, reason_of
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.requests import split_into_groups
from sequen_dagster.lake.workers import Job


@dataclass(frozen=True)
class Choice:
    """Which batches to validate again; as it stands, none.

    Attributes:
        is_stale: those that were validated by other rules.
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
class ReplayPlan:
    """What a replay would do.

    Attributes:
        current: how many batches the tables are made of.
        jobs: the files to validate again.
        left: chosen, but gone or changed; they stay as they are.
    """

    current: int = 0
    jobs: tuple[Job, ...] = ()
    left: tuple[FileFailure, ...] = ()


@dataclass(frozen=True)
class Replayed:
    """What a replay has done.

    Attributes:
        commits: the commits written, in order.
        left: chosen, but gone or changed; they stay as they are.
        failures: files that could not be read.
    """

    commits: tuple[Commit, ...] = ()
    left: tuple[FileFailure, ...] = ()
    failures: tuple[FileFailure, ...] = ()

    @property
    def batches(self) -> list[Batch]:
        """All batches, commit by commit."""
        return [batch for commit in self.commits for batch in commit.batches]


def plan_replay(intake: Intake, choice: Choice) -> ReplayPlan:
    """Find the batches to validate again and their files; nothing is written.

    Only batches that the tables are made of are looked at: older versions stay as they are.

    Raises:
        ExportsError: a location cannot be listed.
    """
    current = current_batches(intake.home.lake)
    fingerprint = intake.rules.fingerprint
    chosen = [batch for batch in current if _is_chosen(batch, choice, fingerprint)]
    files = {(file.source, file.path): file for file in list_sources(intake.sources)}
    jobs = []
    left = []
    for batch in chosen:
        file = files.get((batch.source, batch.path))
        if file is None:
            left.append(FileFailure(batch.source, batch.path, "gone"))
        elif file.size_bytes != batch.file_bytes:
            left.append(FileFailure(batch.source, batch.path, "changed"))
        else:
            jobs.append(Job(file, batch.registered_at, revalidates=batch))
    return ReplayPlan(len(current), tuple(jobs), tuple(left))


def replay_batches(
    intake: Intake,
    ledger: Ledger,
    choice: Choice,
    *,
    run_id: str = "",
    on_file: OnFile | None = None,
) -> Replayed:
    """Validate batches again by the rules of today and commit them as their next versions.

    A batch keeps its id, its arrival time and the time it was registered. The rows of the version
    before stay where they are. Safe to run twice, or to break off: what was committed is not stale
    any more, and the rest is validated next time.

    Args:
        intake: where to read and write, and the rules.
        ledger: the home's.
        choice: which batches.
        run_id: the run to name in the commits.
        on_file: called with (files done, files in all, path) after each file.

    Returns:
        What was committed, what was left, and what failed.

    Raises:
        ExportsError: a location cannot be listed.
        LockTimeoutError: another run was committing for too long.
    """
    if choice.is_empty:
        return Replayed()
    plan = plan_replay(intake, choice)
    commits: list[Commit] = []
    left = list(plan.left)
    failures: list[FileFailure] = []
    done = 0
    with intake.start_workers(plan.jobs) as workers:
        for file_group in split_into_groups(plan.jobs, intake.group, file_of=attrgetter("file")):
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
                if on_file is not None:
                    on_file(done, len(plan.jobs), job.file.path)
            commit = commit_batches(intake, ledger, batches, number=_keep_if_next, run_id=run_id)
            commits += [commit] if commit else []
            # Not in the commit, but current all the same: another replay was faster.
            left += [
                FileFailure(batch.source, batch.path, "changed")
                for batch in batches
                if ledger.current_version(batch.source, batch.path)[1] != batch.batch_id
            ]
            _record_metadata(ledger, commit, file_group)
    return Replayed(tuple(commits), tuple(left), tuple(failures))


def find_dead_lettered_files(intake: Intake, ledger: Ledger) -> list[ExportFile]:
    """The files that lie there as they were when they were dead-lettered.

    Raises:
        ExportsError: a location cannot be listed.
    """
    statuses = ledger.statuses(list_sources(intake.sources))
    return [status.file for status in statuses if status.state == "dead_lettered"]


def retry_dead_lettered(intake: Intake, ledger: Ledger) -> int:
    """Have the next drain try dead-lettered files again; return how many these are.

    Use it after what stood in the way was fixed outside of the files themselves.
    """
    files = find_dead_lettered_files(intake, ledger)
    ledger.retry_dead_lettered(files)
    return len(files)


def _is_chosen(batch: Batch, choice: Choice, fingerprint: str) -> bool:
    if choice.is_empty or (choice.is_stale and batch.contract_fingerprint == fingerprint):
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


def _keep_if_next(ledger: Ledger, batch: Batch) -> Batch | None:
    """The batch, unless a run has committed another version of its path in the meantime."""
    current = ledger.current_version(batch.source, batch.path)
    return batch if current == (batch.version - 1, batch.batch_id) else None


def _record_metadata(ledger: Ledger, commit: Commit | None, jobs: Iterable[Job]) -> None:
    """Spare the next drain the files that have changed in their metadata only."""
    batches = commit.batches if commit else ()
    committed = {(batch.source, batch.path): batch for batch in batches}
    for job in jobs:
        batch = committed.get((job.file.source, job.file.path))
        found = (job.file.modified_at, job.file.etag)
        if batch is not None and (batch.modified_at, batch.etag) != found:
            found_batch = replace(batch, modified_at=job.file.modified_at, etag=job.file.etag)
            ledger.record_unchanged(found_batch)
