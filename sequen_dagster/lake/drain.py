"""Lake: take in every pending file, side by side, and commit what succeeded.

In: the exports places of a home. Out: commits, and the files that failed with the reason.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import ParserCrashError, VanishedFileError
from sequen_dagster.exports.files import ExportFile, Listing, list_locations, list_sources
from sequen_dagster.home.locks import commit_lock
from sequen_dagster.lake.commits import Batch, Commit, RecordCounts, write_commit
from sequen_dagster.lake.erasures import read_erasures
from sequen_dagster.lake.ledger import Ledger, file_key
from sequen_dagster.lake.requests import bounded
from sequen_dagster.lake.rewrites import remove_uncommitted
from sequen_dagster.lake.workers import Job, Workers
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.settings import SequenSettings

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class FileFailure:
    """A file that could not be taken in.

    Attributes:
        source: name of the source.
        path: path under the exports place.
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
        left: the files that were gone or being written to; they are looked at again next time.
        listings: what the exports places held, one a source.
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
        """The books of all batches together."""
        return sum((commit.record_counts for commit in self.commits), RecordCounts())


@dataclass(frozen=True)
class Order:
    """Which of the pending files to take in; as it stands, all.

    Attributes:
        file_group: only those that a sensor has set apart under this name.
        is_stable: only those that are whole, as far as one can tell by looking twice.
    """

    file_group: str = ""
    is_stable: bool = False


def pending_files(
    settings: SequenSettings,
    order: Order | None = None,
    *,
    listings: Sequence[Listing] | None = None,
) -> list[ExportFile]:
    """The files of all sources that are not committed as they lie there now.

    Args:
        settings: the home and its sources.
        order: which of them.
        listings: what the exports places hold, where they have been listed already.

    Raises:
        ExportsError: an exports place cannot be listed.
        HomeError: the ledger or the lake is damaged.
    """
    ledger = Ledger(settings.make_home())
    ledger.sync()
    order = order or Order()
    found = list_locations(settings.sources) if listings is None else listings
    pending = ledger.pending(file for listing in found for file in listing.files)
    if order.file_group:
        wanted = ledger.requested(order.file_group)
        return [file for file in pending if file_key(file) in wanted]
    return _find_stable(settings, ledger, pending) if order.is_stable else pending


def drain(
    settings: SequenSettings,
    *,
    order: Order | None = None,
    run_id: str = "",
    progress: Progress | None = None,
) -> Drained:
    """Take in pending files, at most `run_bytes` and `run_files` of them a commit.

    Safe to run twice, or twice at a time: the same files give the same commit.

    Args:
        settings: where to read and write.
        order: which files; by default all.
        run_id: the run to name in the commits.
        progress: called with (files done, files in all, path) after each file.

    Returns:
        What was committed, what failed, and what was left alone.

    Raises:
        ExportsError: an exports place cannot be listed.
        HomeError: the ledger or the lake is damaged.
        LockTimeoutError: another run was committing for too long.
        StorageError: the home cannot be written.
    """
    ledger = Ledger(settings.make_home())
    now = utc_now()
    listings = tuple(list_locations(settings.sources))
    jobs = [Job(file, now) for file in pending_files(settings, order, listings=listings)]
    commits: list[Commit] = []
    failures: list[FileFailure] = []
    left: list[FileFailure] = []
    done = 0
    # A run that died over one of these files may die over it again: then only a child does.
    is_suspect = ledger.begin([job.file for job in jobs])
    with Workers(settings, jobs, isolate=is_suspect) as workers:
        for file_group in bounded(jobs, settings, file_of=attrgetter("file")):
            batches = []
            for job, outcome in workers.validate(file_group):
                done += 1
                if isinstance(outcome, Batch):
                    batches.append(outcome)
                elif isinstance(outcome, VanishedFileError):
                    ledger.record_left(job.file)
                    left.append(FileFailure(job.file.source, job.file.path, str(outcome)))
                else:
                    failures.append(_failure(ledger, job.file, outcome, settings))
                if progress is not None:
                    progress(done, len(jobs), job.file.path)
            commit = commit_batches(settings, ledger, batches, number=_numbered, run_id=run_id)
            commits += [commit] if commit else []
    return Drained(tuple(commits), tuple(failures), tuple(left), listings)


def commit_batches(
    settings: SequenSettings,
    ledger: Ledger,
    batches: Sequence[Batch],
    *,
    number: Callable[[Ledger, Batch], Batch | None],
    run_id: str,
) -> Commit | None:
    """Commit judged batches, one committer at a time, so that no version is given twice.

    Args:
        settings: the home.
        ledger: its ledger, brought up to date before versions are given.
        batches: what was judged.
        number: gives a batch its version, or None where it is not to be committed after all.
        run_id: the run to name in the commit.

    Returns:
        The commit, or None where nothing was left to commit.

    Raises:
        LockTimeoutError: another committer was in the way for too long.
    """
    with commit_lock(settings):
        ledger.sync()
        lake = settings.home / "lake"
        erased = read_erasures(lake).fingerprint
        # Judged before somebody was erased, a file is judged again: it is still pending.
        _leave(ledger, lake, [batch for batch in batches if batch.erasures != erased])
        in_order = sorted(
            (batch for batch in batches if batch.erasures == erased),
            key=lambda batch: batch.batch_id,
        )
        given = [(batch, number(ledger, batch)) for batch in in_order]
        # Of a file that was only touched; text that was dropped for its age may be among them.
        remove_uncommitted(lake, [batch for batch, one in given if one is None])
        numbered = [one for _, one in given if one]
        if not numbered:
            return None
        commit = Commit(tuple(numbered), utc_now(), run_id)
        write_commit(lake, commit)
        ledger.record_commit(commit)
        fail_point("lake.indexed")
        return commit


def reason_of(error: Exception) -> str:
    """Why a file could not be read, without places of this machine."""
    if isinstance(error, OSError):
        # The text of an OSError repeats the whole path of this machine.
        return f"{type(error).__name__}: {error.strerror or 'cannot be read'}"
    return f"{type(error).__name__}: {error}"


def _leave(ledger: Ledger, lake: Path, batches: Sequence[Batch]) -> None:
    remove_uncommitted(lake, batches)
    for one in batches:
        ledger.record_left(
            ExportFile(one.source, one.path, "", one.file_bytes, one.modified_at, one.etag)
        )


def _numbered(ledger: Ledger, batch: Batch) -> Batch | None:
    version, batch_id = ledger.current(batch.source, batch.path)
    if batch_id == batch.batch_id:
        ledger.record_unchanged(replace(batch, version=version))
        return None
    return replace(batch, version=version + 1)


def _failure(
    ledger: Ledger, file: ExportFile, error: Exception, settings: SequenSettings
) -> FileFailure:
    reason = reason_of(error)
    most = settings.max_attempts
    # What kills its reader once does so every time.
    attempts = ledger.record_failure(
        file,
        reason,
        max_attempts=1 if isinstance(error, ParserCrashError) else most,
        retry_seconds=settings.retry_seconds,
    )
    is_dead_lettered = attempts >= most or isinstance(error, ParserCrashError)
    after = "It is dead-lettered now." if is_dead_lettered else f"Attempt {attempts} of {most}."
    return FileFailure(file.source, file.path, f"{reason} {after}")


def _find_stable(
    settings: SequenSettings, ledger: Ledger, pending: list[ExportFile]
) -> list[ExportFile]:
    """Those that a sensor has found whole, or that look the same some time later."""
    known = {status.file: status.state for status in ledger.observe(pending)}
    if any(known[file] == "seen" for file in pending):
        time.sleep(settings.quiet_seconds)
    later = set(list_sources(settings.sources))
    return [file for file in pending if file in later]
