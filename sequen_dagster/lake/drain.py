"""Lake: take in every pending file, side by side, and commit what succeeded.

In: the locations of a home's sources. Out: commits, and the files that failed with the reason.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Self

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import ParserCrashError, VanishedFileError
from sequen_dagster.exports.files import ExportFile, Listing, list_locations, list_sources
from sequen_dagster.home.layout import Home, Lake
from sequen_dagster.home.locks import commit_lock
from sequen_dagster.lake.commits import Batch, Commit, RecordCounts, write_commit
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.ledger_rows import file_key
from sequen_dagster.lake.requests import GroupLimits, split_into_groups
from sequen_dagster.lake.tidying import remove_uncommitted
from sequen_dagster.lake.validation_rules import ValidationRules
from sequen_dagster.lake.workers import Job, Validator, Workers
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.progress import count_records
from sequen_dagster.runtime.text import counted
from sequen_dagster.settings import SequenSettings, Source

OnFile = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Intake:
    """Where files come from and go to, what validates them, and how much is done at a time.

    Attributes:
        home: the home whose lake takes the rows.
        sources: where files arrive.
        rules: what decides the rows.
        group: how much one commit takes.
        processes: most processes that validate files side by side.
        max_attempts: failures after which a file is dead-lettered.
        retry_seconds: wait before a failed file is tried again, doubled with each failure.
        quiet_seconds: how long a file must look the same to count as whole.
        lock_timeout_seconds: how long to wait for another run that commits.
    """

    home: Home
    sources: tuple[Source, ...]
    rules: ValidationRules = field(default_factory=ValidationRules)
    group: GroupLimits = field(default_factory=GroupLimits)
    processes: int = 1
    max_attempts: int = 3
    retry_seconds: int = 60
    quiet_seconds: int = 30
    lock_timeout_seconds: int = 600

    @classmethod
    def of(cls, settings: SequenSettings) -> Self:
        """The intake by these settings."""
        return cls(
            Home(settings.home),
            settings.sources,
            ValidationRules.of(settings),
            GroupLimits.of(settings),
            settings.workers,
            settings.max_attempts,
            settings.retry_seconds,
            settings.quiet_seconds,
            settings.lock_timeout_seconds,
        )

    def start_workers(self, jobs: Sequence[Job], *, isolate: bool = False) -> Workers:
        """The processes that validate the files of these jobs."""
        validator = Validator(self.home.lake, self.rules)
        return Workers(validator, jobs, processes=self.processes, isolate=isolate)


@dataclass(frozen=True)
class FileFailure:
    """A file that could not be taken in.

    Attributes:
        source: name of the source.
        path: path under the location.
        reason: what went wrong and what happens next.
    """

    source: str
    path: str
    reason: str


@dataclass(frozen=True)
class Drained:
    """What one drain took in.

    Attributes:
        commits: the commits written, in order.
        failures: the files that failed; they are tried again next time.
        left: the files that were gone or being written to; the next drain looks at them again.
        listings: what the locations held, one a source.
    """

    commits: tuple[Commit, ...] = ()
    failures: tuple[FileFailure, ...] = ()
    left: tuple[FileFailure, ...] = ()
    listings: tuple[Listing, ...] = ()

    @property
    def batches(self) -> list[Batch]:
        """All batches, commit by commit."""
        return [batch for commit in self.commits for batch in commit.batches]

    @property
    def record_counts(self) -> RecordCounts:
        """The record counts of all batches together."""
        return sum((commit.record_counts for commit in self.commits), RecordCounts())


@dataclass(frozen=True)
class Order:
    """Which of the pending files to take in; as it stands, all.

    Attributes:
        file_group: only those that a sensor has set apart under this name.
        is_stable: only those that are whole, as far as two polls can know.
    """

    file_group: str = ""
    is_stable: bool = False


def find_pending_files(
    intake: Intake,
    ledger: Ledger,
    *,
    order: Order | None = None,
    listings: Sequence[Listing] | None = None,
) -> list[ExportFile]:
    """The files of all sources that are not committed as they lie there now.

    Args:
        intake: the sources.
        ledger: what is known of their files; brought up to the commits first.
        order: which of them.
        listings: what the locations hold, where they have been listed already.

    Raises:
        ExportsError: a location cannot be listed.
        HomeError: the ledger or the lake is damaged.
    """
    ledger.sync()
    order = order or Order()
    found = list_locations(intake.sources) if listings is None else listings
    pending = ledger.find_pending(file for listing in found for file in listing.files)
    if order.file_group:
        wanted = ledger.requested_keys(order.file_group)
        return [file for file in pending if file_key(file) in wanted]
    return _find_stable(intake, ledger, pending) if order.is_stable else pending


def drain_locations(
    intake: Intake,
    ledger: Ledger,
    *,
    order: Order | None = None,
    run_id: str = "",
    on_file: OnFile | None = None,
) -> Drained:
    """Take in pending files, a group of them a commit.

    Safe to run twice, or twice at a time: the same files give the same commit.

    Args:
        intake: where to read and write, and the limits.
        ledger: the home's.
        order: which files; by default all.
        run_id: the run to name in the commits.
        on_file: called with (files done, files in all, path) after each file.

    Returns:
        What was committed, what failed, and what was left alone.

    Raises:
        ExportsError: a location cannot be listed.
        HomeError: the ledger or the lake is damaged.
        LockTimeoutError: another run was committing for too long.
        StorageError: the home cannot be written.
    """
    now = utc_now()
    listings = tuple(list_locations(intake.sources))
    pending = find_pending_files(intake, ledger, order=order, listings=listings)
    jobs = [Job(file, now) for file in pending]
    commits: list[Commit] = []
    failures = list(_find_closed(listings))
    left: list[FileFailure] = []
    done = 0
    # A run that died over one of these files may die over it again: then only a child does.
    is_suspect = ledger.mark_begun([job.file for job in jobs])
    with intake.start_workers(jobs, isolate=is_suspect) as workers:
        for file_group in split_into_groups(jobs, intake.group, file_of=attrgetter("file")):
            batches = []
            for job, outcome in workers.validate(file_group):
                done += 1
                if isinstance(outcome, Batch):
                    batches.append(outcome)
                    count_records(outcome.record_counts.records_read)
                elif isinstance(outcome, VanishedFileError):
                    ledger.record_left(job.file)
                    left.append(FileFailure(job.file.source, job.file.path, str(outcome)))
                else:
                    failures.append(_record_failure(intake, ledger, job.file, outcome))
                if on_file is not None:
                    on_file(done, len(jobs), job.file.path)
            commit = commit_batches(intake, ledger, batches, number=_number_batch, run_id=run_id)
            commits += [commit] if commit else []
    return Drained(tuple(commits), tuple(failures), tuple(left), listings)


def commit_batches(
    intake: Intake,
    ledger: Ledger,
    batches: Sequence[Batch],
    *,
    number: Callable[[Ledger, Batch], Batch | None],
    run_id: str,
) -> Commit | None:
    """Commit validated batches, one committer at a time, so that no version is given twice.

    Args:
        intake: the home, and how long to wait for another committer.
        ledger: the home's, brought up to date before versions are given.
        batches: what was validated.
        number: gives a batch its version, or None where it is not to be committed after all.
        run_id: the run to name in the commit.

    Returns:
        The commit, or None where nothing was left to commit.

    Raises:
        LockTimeoutError: another committer was in the way for too long.
    """
    # With Pandera, which a run without new files need not wait for.
    from sequen_dagster.lake.erasures import read_erasures

    lake = intake.home.lake
    with commit_lock(intake.home, timeout_seconds=intake.lock_timeout_seconds):
        ledger.sync()
        erased = read_erasures(lake).fingerprint
        # Validated before a person was erased, a file is validated again: it is still pending.
        _discard_batches(ledger, lake, [batch for batch in batches if batch.erasures != erased])
        in_order = sorted(
            (batch for batch in batches if batch.erasures == erased),
            key=lambda batch: batch.batch_id,
        )
        given = [(batch, number(ledger, batch)) for batch in in_order]
        # Of metadata-only changes; text that was dropped for its age may be among these rows.
        remove_uncommitted(lake, [batch for batch, numbered in given if numbered is None])
        to_commit = [numbered for _, numbered in given if numbered]
        if not to_commit:
            return None
        commit = Commit(tuple(to_commit), utc_now(), run_id)
        write_commit(lake, commit)
        ledger.record_commit(commit)
        fail_point("lake.indexed")
        return commit


def reason_of(error: Exception) -> str:
    """Why a file could not be read, without paths of this machine."""
    if isinstance(error, PermissionError):
        return f"{type(error).__name__}: {error.strerror}. Give this user the right to read it."
    if isinstance(error, OSError):
        # The text of an OSError repeats the whole path of this machine.
        return f"{type(error).__name__}: {error.strerror or 'cannot be read'}"
    return f"{type(error).__name__}: {error}"


def _find_closed(listings: Sequence[Listing]) -> Iterator[FileFailure]:
    """What lies at a location and may not be looked at: one failure a source."""
    for listing in listings:
        closed = listing.closed
        if closed is not None:
            number = counted(closed.files, "file or folder")
            reason = (
                f"{number} may not be read, this one first. Give this user the right to; the next "
                "run looks again."
            )
            yield FileFailure(listing.source.name, closed.first, reason)


def _discard_batches(ledger: Ledger, lake: Lake, batches: Sequence[Batch]) -> None:
    remove_uncommitted(lake, batches)
    for batch in batches:
        ledger.record_left(
            ExportFile(
                batch.source, batch.path, "", batch.file_bytes, batch.modified_at, batch.etag
            )
        )


def _number_batch(ledger: Ledger, batch: Batch) -> Batch | None:
    version, batch_id = ledger.current_version(batch.source, batch.path)
    if batch_id == batch.batch_id:
        ledger.record_unchanged(replace(batch, version=version))
        return None
    return replace(batch, version=version + 1)


def _record_failure(
    intake: Intake, ledger: Ledger, file: ExportFile, error: Exception
) -> FileFailure:
    reason = reason_of(error)
    most = intake.max_attempts
    # What kills its reader once does so every time.
    attempts = ledger.record_failure(
        file,
        reason,
        max_attempts=1 if isinstance(error, ParserCrashError) else most,
        retry_seconds=intake.retry_seconds,
    )
    is_dead_lettered = attempts >= most or isinstance(error, ParserCrashError)
    after = "It is dead-lettered now." if is_dead_lettered else f"Attempt {attempts} of {most}."
    return FileFailure(file.source, file.path, f"{reason} {after}")


def _find_stable(intake: Intake, ledger: Ledger, pending: list[ExportFile]) -> list[ExportFile]:
    """Those that a sensor has found whole, or that look the same after the quiet period."""
    known = {status.file: status.state for status in ledger.observe(pending)}
    if any(known[file] == "seen" for file in pending):
        time.sleep(intake.quiet_seconds)
    later = set(list_sources(intake.sources))
    return [file for file in pending if file in later]
