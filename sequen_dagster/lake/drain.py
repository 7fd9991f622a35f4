"""Lake: take in every pending file, side by side, and commit what succeeded.

In: the exports places of a home. Out: commits, and the files that failed with the reason.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import filelock

from sequen_dagster.checkpoints import checkpoint
from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import LockTimeoutError
from sequen_dagster.exports.files import ExportFile, list_files
from sequen_dagster.lake.commits import Batch, Books, Commit, write_commit
from sequen_dagster.lake.erasures import read_erasures
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.lake.rewrites import remove_uncommitted
from sequen_dagster.lake.workers import Job, Workers
from sequen_dagster.settings import SequenSettings

_MAX_COMMIT_FILES: Final = 5_000

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
    """

    commits: tuple[Commit, ...] = ()
    failures: tuple[FileFailure, ...] = ()

    @property
    def batches(self) -> list[Batch]:
        """All batches, commit by commit."""
        return [batch for commit in self.commits for batch in commit.batches]

    @property
    def books(self) -> Books:
        """The books of all batches together."""
        return sum((commit.books for commit in self.commits), Books())


def pending_files(settings: SequenSettings) -> list[ExportFile]:
    """The files of all sources that are not committed as they lie there now.

    Raises:
        ExportsError: an exports place cannot be listed.
    """
    ledger = Ledger(settings.make_home())
    ledger.sync()
    listed = [file for source in settings.sources for file in list_files(source)]
    return ledger.pending(listed, max_attempts=settings.max_attempts)


def drain(
    settings: SequenSettings, *, run_id: str = "", progress: Progress | None = None
) -> Drained:
    """Take in all pending files, at most `run_bytes` of them a commit.

    Safe to run twice, or twice at a time: the same files give the same commit.

    Args:
        settings: where to read and write.
        run_id: the run to name in the commits.
        progress: called with (files done, files in all, path) after each file.

    Returns:
        What was committed and what failed.
    """
    ledger = Ledger(settings.make_home())
    now = utc_now()
    jobs = [Job(file, now) for file in pending_files(settings)]
    commits: list[Commit] = []
    failures: list[FileFailure] = []
    done = 0
    with Workers(settings, jobs) as workers:
        for portion in portions(jobs, settings.run_bytes):
            batches = []
            for job, outcome in workers.judge(portion):
                done += 1
                if isinstance(outcome, Batch):
                    batches.append(outcome)
                else:
                    failures.append(_failure(ledger, job.file, outcome, settings.max_attempts))
                if progress is not None:
                    progress(done, len(jobs), job.file.path)
            commit = commit_batches(settings, ledger, batches, number=_numbered, run_id=run_id)
            commits += [commit] if commit else []
    return Drained(tuple(commits), tuple(failures))


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
    lock = filelock.FileLock(settings.home / "commit.lock")
    try:
        lock.acquire(timeout=settings.lock_timeout_seconds)
    except filelock.Timeout:
        message = f"Another run is committing to the lake of {str(settings.home)!r}. Wait for it."
        raise LockTimeoutError(message) from None
    try:
        ledger.sync()
        lake = settings.home / "lake"
        erased = read_erasures(lake).fingerprint
        # Judged before somebody was erased, a file is judged again: it is still pending.
        remove_uncommitted(lake, [batch for batch in batches if batch.erasures != erased])
        in_order = sorted(
            (batch for batch in batches if batch.erasures == erased),
            key=lambda batch: batch.batch_id,
        )
        numbered = [one for batch in in_order if (one := number(ledger, batch))]
        if not numbered:
            return None
        commit = Commit(tuple(numbered), utc_now(), run_id)
        write_commit(lake, commit)
        ledger.record_commit(commit)
        checkpoint("lake.indexed")
        return commit
    finally:
        lock.release()


def portions(jobs: Sequence[Job], max_bytes: int) -> Iterator[list[Job]]:
    """Jobs in portions of at most so many bytes of files, one commit each."""
    portion: list[Job] = []
    size = 0
    for job in jobs:
        is_full = size + job.file.size_bytes > max_bytes or len(portion) >= _MAX_COMMIT_FILES
        if portion and is_full:
            yield portion
            portion, size = [], 0
        portion.append(job)
        size += job.file.size_bytes
    if portion:
        yield portion


def reason_of(error: Exception) -> str:
    """Why a file could not be read, without places of this machine."""
    if isinstance(error, OSError):
        # The text of an OSError repeats the whole path of this machine.
        return f"{type(error).__name__}: {error.strerror or 'cannot be read'}"
    return f"{type(error).__name__}: {error}"


def _numbered(ledger: Ledger, batch: Batch) -> Batch | None:
    version, batch_id = ledger.current(batch.source, batch.path)
    if batch_id == batch.batch_id:
        ledger.record_unchanged(replace(batch, version=version))
        return None
    return replace(batch, version=version + 1)


def _failure(ledger: Ledger, file: ExportFile, error: Exception, max_attempts: int) -> FileFailure:
    reason = reason_of(error)
    attempts = ledger.record_failure(file, reason)
    is_last = attempts >= max_attempts
    after = "It is parked now." if is_last else f"Attempt {attempts} of {max_attempts}."
    return FileFailure(file.source, file.path, f"{reason} {after}")
