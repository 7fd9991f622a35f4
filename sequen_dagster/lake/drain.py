"""Lake: take in every pending file, side by side, and commit what succeeded.

In: the exports places of a home. Out: commits, and the files that failed with the reason.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sequen_dagster.contract.scalars import utc_now
from sequen_dagster.errors import VanishedFileError
from sequen_dagster.exports.files import ExportFile, list_files
from sequen_dagster.lake.commits import Batch, Books, Commit, write_commit
from sequen_dagster.lake.ingest import ingest_file
from sequen_dagster.lake.ledger import Ledger
from sequen_dagster.settings import SequenSettings

# Below this, starting worker processes costs more than they save.
_MIN_POOL_BYTES: Final = 4 * 1024 * 1024
_MAX_COMMIT_FILES: Final = 5_000

Progress = Callable[[int, int, str], None]
Outcome = tuple[ExportFile, Batch | Exception]


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
    files = pending_files(settings)
    registered_at = utc_now()
    commits: list[Commit] = []
    failures: list[FileFailure] = []
    done = 0
    with _Workers(settings, files) as workers:
        for portion in _portions(files, settings.run_bytes):
            batches = []
            for file, outcome in workers.ingest(portion, registered_at):
                done += 1
                if isinstance(outcome, Batch):
                    batches.append(outcome)
                else:
                    failures.append(_failure(ledger, file, outcome, settings.max_attempts))
                if progress is not None:
                    progress(done, len(files), file.path)
            commit = _commit(settings, ledger, batches, run_id)
            commits += [commit] if commit else []
    return Drained(tuple(commits), tuple(failures))


def _commit(
    settings: SequenSettings, ledger: Ledger, batches: list[Batch], run_id: str
) -> Commit | None:
    numbered = []
    for batch in sorted(batches, key=lambda one: one.batch_id):
        version, batch_id = ledger.current(batch.source, batch.path)
        if batch_id == batch.batch_id:
            ledger.record_unchanged(replace(batch, version=version))
        else:
            numbered.append(replace(batch, version=version + 1))
    if not numbered:
        return None
    commit = Commit(tuple(numbered), utc_now(), run_id)
    write_commit(settings.home / "lake", commit)
    ledger.record_commit(commit)
    return commit


def _failure(ledger: Ledger, file: ExportFile, error: Exception, max_attempts: int) -> FileFailure:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError):
        # The text of an OSError repeats the whole path of this machine.
        reason = f"{type(error).__name__}: {error.strerror or 'cannot be read'}"
    attempts = ledger.record_failure(file, reason)
    is_last = attempts >= max_attempts
    after = "It is parked now." if is_last else f"Attempt {attempts} of {max_attempts}."
    return FileFailure(file.source, file.path, f"{reason} {after}")


def _portions(files: list[ExportFile], max_bytes: int) -> Iterator[list[ExportFile]]:
    portion: list[ExportFile] = []
    size = 0
    for file in files:
        if portion and (size + file.size_bytes > max_bytes or len(portion) >= _MAX_COMMIT_FILES):
            yield portion
            portion, size = [], 0
        portion.append(file)
        size += file.size_bytes
    if portion:
        yield portion


class _Workers:
    """Processes that ingest files side by side, or this very process where there is little."""

    def __init__(self, settings: SequenSettings, files: list[ExportFile]) -> None:
        self._settings = settings
        self._pool: Executor | None = None
        size = sum(file.size_bytes for file in files)
        if settings.workers > 1 and len(files) > 1 and size >= _MIN_POOL_BYTES:
            # Spawned, not forked: a fork of a process with the engines' threads may hang.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                max_workers=min(settings.workers, len(files)), mp_context=context
            )

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def ingest(self, files: Iterable[ExportFile], registered_at: datetime) -> Iterator[Outcome]:
        if self._pool is None:
            for file in files:
                yield _ingested(file, self._settings, registered_at)
            return
        # The largest first, so that no long file is left for the end.
        largest_first = sorted(files, key=lambda file: (-file.size_bytes, file.path))
        futures: dict[Future[Outcome], ExportFile] = {
            self._pool.submit(_ingested, file, self._settings, registered_at): file
            for file in largest_first
        }
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool as error:
                yield futures[future], error


def _ingested(file: ExportFile, settings: SequenSettings, registered_at: datetime) -> Outcome:
    try:
        return file, ingest_file(file, settings, registered_at=registered_at)
    except (OSError, VanishedFileError) as error:
        return file, error
