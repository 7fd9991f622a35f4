"""Lake: files are judged side by side, in processes that share no writer.

In: jobs. Out: of each the batch, or the error that stood in the way, as they get done. A file that
kills the process that reads it takes no other file with it.
"""

import errno
import hashlib
import os
import signal
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing.context import SpawnContext, SpawnProcess
from types import TracebackType
from typing import Any, Final, Self

from sequen_dagster.errors import FaultError, ParserCrashError, VanishedFileError
from sequen_dagster.exports.files import ExportFile, open_file
from sequen_dagster.lake.commits import Batch, unreconciled
from sequen_dagster.lake.ingest import ingest_file
from sequen_dagster.runtime.parent_watchdog import die_with_parent
from sequen_dagster.runtime.text import quoted
from sequen_dagster.settings import SequenSettings

# Below this, starting worker processes costs more than they save.
_MIN_POOL_BYTES: Final = 4 * 1024 * 1024
_BLOCK_BYTES: Final = 1024 * 1024
# Somebody wanted the process to end; that says nothing of the file.
_ENDED_ON_PURPOSE: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Job:
    """A file to judge.

    Attributes:
        file: the file as listed.
        registered_at: when this version was first met, UTC without zone.
        again: the batch that the file has become before, if it is to be judged again.
    """

    file: ExportFile
    registered_at: datetime
    again: Batch | None = None


Outcome = tuple[Job, Batch | Exception]


class Workers:
    """Processes that judge files side by side, or this very process where there is little.

    A process that dies by a signal ends the whole pool, and nobody knows which file it was at. The
    files that may have been are then judged each in a process of its own: the one that kills that,
    too, comes back as a `ParserCrashError`, and the others go on.

    Args:
        settings: the home, the limits, and how many processes.
        jobs: all that will be asked for.
        isolate: use processes even where there is little to do; ask for it when a file may kill
            the process that reads it.
    """

    def __init__(
        self, settings: SequenSettings, jobs: Sequence[Job], *, isolate: bool = False
    ) -> None:
        self._settings = settings
        self._processes = min(settings.workers, len(jobs))
        size = sum(job.file.size_bytes for job in jobs)
        is_much = self._processes > 1 and size >= _MIN_POOL_BYTES
        self._has_pool = bool(jobs) and (isolate or is_much)
        self._context = _NotingContext()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, Exception):
            # Somebody wants the run to end, and soon: large files are not read to their end.
            self._context.kill_all()
        self._end_pool()

    def validate(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Do the jobs; each comes back as it gets done.

        Raises:
            StorageError: the home cannot be written; the jobs that are left are not done.
        """
        if not self._has_pool:
            for job in jobs:
                yield _validate_all(job, self._settings)
            return
        # The largest first, so that no long file is left for the end.
        left = sorted(jobs, key=lambda job: (-job.file.size_bytes, job.file.path))
        while left:
            left = yield from self._validate_together(left)
            # Work is handed out in order, so that one of the first was being done.
            suspects, left = left[: self._processes + 1], left[self._processes + 1 :]
            for job in suspects:
                yield _validate_alone(job, self._settings)

    def _validate_together(self, jobs: Sequence[Job]) -> Generator[Outcome, None, list[Job]]:
        """Do the jobs side by side; return those that are left because a process has died."""
        if self._pool is None:
            self._pool = _pool_of(self._processes, self._context)
        futures: dict[Future[Outcome], int] = {
            self._pool.submit(_validate_all, job, self._settings): place
            for place, job in enumerate(jobs)
        }
        left = []
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                left.append(futures[future])
        if left:
            self._end_pool()
        return [jobs[place] for place in sorted(left)]

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


class _NotingContext(SpawnContext):
    """Remembers the processes it starts: an executor does not tell how its own have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[SpawnProcess] = []

    def Process(self, *given: Any, **named: Any) -> SpawnProcess:  # type: ignore[override]  # noqa: N802  # a method here, a class there; Any: handed on
        """Start nothing yet; make the process as the original does."""
        process = SpawnProcess(*given, **named)
        self.started.append(process)
        return process

    def kill_all(self) -> None:
        """End every process that was started, whatever it is at."""
        for process in self.started:
            process.kill()


def _pool_of(processes: int, context: SpawnContext) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork of a process with the engines' threads may hang.
    return ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(os.getpid(),))


def _begin(parent: int) -> None:
    # Ctrl-C reaches the whole group: it is the parent that has to decide what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(parent)


def _validate_alone(job: Job, settings: SequenSettings) -> Outcome:
    context = _NotingContext()
    with _pool_of(1, context) as pool:
        future = pool.submit(_validate_all, job, settings)
    try:
        return future.result()
    except BrokenProcessPool:
        return job, _how_it_ended(context.started[0].exitcode or 0)


def _how_it_ended(exit_code: int) -> Exception:
    number = abs(exit_code)
    if exit_code < 0 and number in _ENDED_ON_PURPOSE:
        name = signal.Signals(number).name
        return InterruptedError(errno.EINTR, f"The process that read it was ended by {name}")
    how = f"signal {number}" if exit_code < 0 else f"exit code {number}"
    return ParserCrashError(
        number, f"parser_crash: the process that read it died, alone, of {how}."
    )


def _validate_all(job: Job, settings: SequenSettings) -> Outcome:
    try:
        if job.again is not None:
            batch = _validate_again(job.file, job.again, settings)
        else:
            batch = ingest_file(job.file, settings, registered_at=job.registered_at)
        # A commit of many batches would fail with the one.
        return job, batch if batch.record_counts.is_reconciled else unreconciled(batch)
    except (OSError, VanishedFileError, FaultError) as error:
        return job, error


def _validate_again(file: ExportFile, again: Batch, settings: SequenSettings) -> Batch:
    """The next version of a batch: same file, same receipt, judged by the contract of today."""
    # Known before a row is written: what is written for other bytes would lie about for ever.
    if _sha256_of(file) == again.file_sha256:
        # Its times are those of the first time, even if the file was touched since.
        batch = ingest_file(
            file,
            settings,
            registered_at=again.registered_at,
            modified_at=again.modified_at,
            version=again.version + 1,
        )
        if batch.batch_id == again.batch_id:
            return replace(batch, etag=again.etag)
    message = f"File {quoted(file.path)} has changed since it was taken in."
    raise VanishedFileError(message)


def _sha256_of(file: ExportFile) -> str:
    digest = hashlib.sha256()
    with open_file(file) as handle:
        while block := handle.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
