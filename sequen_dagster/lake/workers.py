"""Lake: files are validated side by side, in processes that share no writer.

In: jobs. Out: of each the batch, or the error that stood in the way, as they get done. A file that
kills the process that reads it takes no other file with it.
"""

import errno
import hashlib
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing.context import SpawnContext, SpawnProcess
from types import TracebackType
from typing import Any, Final, Self

from sequen_dagster.errors import FaultError, ParserCrashError, VanishedFileError
from sequen_dagster.exports.files import ExportFile, open_file
from sequen_dagster.home.layout import Lake
from sequen_dagster.lake.commits import Batch, reconciliation_error
from sequen_dagster.lake.validation_rules import ValidationRules
from sequen_dagster.runtime.parent_watchdog import die_with_parent
from sequen_dagster.runtime.text import quoted

# Below this, starting worker processes costs more than they save.
_MIN_POOL_BYTES: Final = 4 * 1024 * 1024
_BLOCK_BYTES: Final = 1024 * 1024
# The process was ended on purpose; that says nothing of the file.
_ENDED_ON_PURPOSE: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Job:
    """A file to validate.

    Attributes:
        file: the file as listed.
        registered_at: when this version was first met, UTC without zone.
        revalidates: the batch that the file has become before, if it is validated again.
    """

    file: ExportFile
    registered_at: datetime
    revalidates: Batch | None = None


Outcome = tuple[Job, Batch | Exception]


@dataclass(frozen=True)
class Validator:
    """What a process needs to validate a file.

    Attributes:
        lake: where the rows go.
        rules: what decides them.
    """

    lake: Lake
    rules: ValidationRules

    def validate(self, job: Job) -> Outcome:
        """The batch that a file has become, or the error that stood in the way."""
        try:
            batch = self._revalidate(job, job.revalidates) if job.revalidates else self._ingest(job)
            # A commit of many batches would fail with the one.
            is_reconciled = batch.record_counts.is_reconciled
            return job, batch if is_reconciled else reconciliation_error(batch)
        except (OSError, VanishedFileError, FaultError) as error:
            return job, error

    @property
    def _ingest_file(self) -> Callable[..., Batch]:
        # Takes a second to import, which a run without new files need not wait for.
        from sequen_dagster.lake.ingest import ingest_file

        return ingest_file

    def _ingest(self, job: Job) -> Batch:
        return self._ingest_file(job.file, self.lake, self.rules, registered_at=job.registered_at)

    def _revalidate(self, job: Job, before: Batch) -> Batch:
        """The next version of a batch: same file, same arrival time, the rules of today."""
        # Known before a row is written: rows of other bytes would lie about permanently.
        if _sha256_of(job.file) == before.file_sha256:
            # Its times are those of the first time, even if the file's own have changed since.
            batch = self._ingest_file(
                job.file,
                self.lake,
                self.rules,
                registered_at=before.registered_at,
                modified_at=before.modified_at,
                version=before.version + 1,
            )
            if batch.batch_id == before.batch_id:
                return replace(batch, etag=before.etag)
        message = f"File {quoted(job.file.path)} has changed since it was taken in."
        raise VanishedFileError(message)


class Workers:
    """Processes that validate files side by side, or this very process where there is little.

    A process that dies by a signal ends the whole pool, and it is not known which file it was at.
    Those that may have been are then validated each in a process of its own: the one that kills
    that, too, comes back as a `ParserCrashError`, and the others go on.

    Args:
        validator: what each process does with a file.
        jobs: all that will be asked for.
        processes: most processes at a time.
        isolate: use processes even where there is little to do; ask for it when a file may kill
            the process that reads it.
    """

    def __init__(
        self,
        validator: Validator,
        jobs: Sequence[Job],
        *,
        processes: int,
        isolate: bool = False,
    ) -> None:
        self._validator = validator
        self._processes = min(processes, len(jobs))
        size = sum(job.file.size_bytes for job in jobs)
        is_much = self._processes > 1 and size >= _MIN_POOL_BYTES
        self._has_pool = bool(jobs) and (isolate or is_much)
        self._context = _RecordingContext()
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
            # The run has to end, and soon: large files are not read to their end.
            self._context.kill_all()
        self._end_pool()

    def validate(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Do the jobs; each comes back as it gets done.

        Raises:
            StorageError: the home cannot be written; the jobs that are left are not done.
        """
        if not self._has_pool:
            for job in jobs:
                yield self._validator.validate(job)
            return
        # The largest first, so that no long file is left for the end.
        left = sorted(jobs, key=lambda job: (-job.file.size_bytes, job.file.path))
        while left:
            left = yield from self._validate_together(left)
            # Work is handed out in order, so that one of the first was being done.
            suspects, left = left[: self._processes + 1], left[self._processes + 1 :]
            for job in suspects:
                yield _validate_alone(job, self._validator)

    def _validate_together(self, jobs: Sequence[Job]) -> Generator[Outcome, None, list[Job]]:
        """Do the jobs side by side; return those that are left because a process has died."""
        if self._pool is None:
            self._pool = _start_pool(self._processes, self._context)
        futures: dict[Future[Outcome], int] = {
            self._pool.submit(self._validator.validate, job): number
            for number, job in enumerate(jobs)
        }
        left = []
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                left.append(futures[future])
        if left:
            self._end_pool()
        return [jobs[number] for number in sorted(left)]

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


class _RecordingContext(SpawnContext):
    """Remembers the processes it starts: an executor does not say how its own have ended."""

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


def _start_pool(processes: int, context: SpawnContext) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork of a process with the engines' threads may hang.
    return ProcessPoolExecutor(
        processes, context, initializer=_prepare_process, initargs=(os.getpid(),)
    )


def _prepare_process(parent: int) -> None:
    # Ctrl-C reaches the whole group: it is the parent that has to decide what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(parent)


def _validate_alone(job: Job, validator: Validator) -> Outcome:
    context = _RecordingContext()
    with _start_pool(1, context) as pool:
        future = pool.submit(validator.validate, job)
    try:
        return future.result()
    except BrokenProcessPool:
        return job, _describe_end(context.started[0].exitcode or 0)


def _describe_end(exit_code: int) -> Exception:
    number = abs(exit_code)
    if exit_code < 0 and number in _ENDED_ON_PURPOSE:
        name = signal.Signals(number).name
        return InterruptedError(errno.EINTR, f"The process that read it was ended by {name}")
    how = f"signal {number}" if exit_code < 0 else f"exit code {number}"
    return ParserCrashError(
        number, f"parser_crash: the process that read it died, alone, of {how}."
    )


def _sha256_of(file: ExportFile) -> str:
    digest = hashlib.sha256()
    with open_file(file) as handle:
        while block := handle.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
