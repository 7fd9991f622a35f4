"""Lake: files are judged side by side, in processes that share no writer.

In: jobs. Out: of each the batch, or the error that stood in the way, as they get done.
"""

import hashlib
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Self

from sequen_dagster.errors import VanishedFileError
from sequen_dagster.exports.files import ExportFile, open_file
from sequen_dagster.lake.commits import Batch
from sequen_dagster.lake.ingest import ingest_file
from sequen_dagster.settings import SequenSettings

# Below this, starting worker processes costs more than they save.
_MIN_POOL_BYTES: Final = 4 * 1024 * 1024
_BLOCK_BYTES: Final = 1024 * 1024


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

    Args:
        settings: the home, the limits, and how many processes.
        jobs: all that will be asked for.
        isolate: never in this very process, which one of the files may have killed before.
    """

    def __init__(
        self, settings: SequenSettings, jobs: Sequence[Job], *, isolate: bool = False
    ) -> None:
        self._settings = settings
        self._pool: Executor | None = None
        size = sum(job.file.size_bytes for job in jobs)
        is_much = settings.workers > 1 and len(jobs) > 1 and size >= _MIN_POOL_BYTES
        if jobs and (isolate or is_much):
            # Spawned, not forked: a fork of a process with the engines' threads may hang.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                max_workers=min(settings.workers, len(jobs)), mp_context=context
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def judge(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Do the jobs; each comes back as it gets done."""
        if self._pool is None:
            for job in jobs:
                yield _judged(job, self._settings)
            return
        # The largest first, so that no long file is left for the end.
        largest_first = sorted(jobs, key=lambda job: (-job.file.size_bytes, job.file.path))
        futures: dict[Future[Outcome], Job] = {
            self._pool.submit(_judged, job, self._settings): job for job in largest_first
        }
        for future in as_completed(futures):
            try:
                yield future.result()
            except BrokenProcessPool as error:
                yield futures[future], error


def _judged(job: Job, settings: SequenSettings) -> Outcome:
    try:
        if job.again is not None:
            return job, _judged_again(job.file, job.again, settings)
        return job, ingest_file(job.file, settings, registered_at=job.registered_at)
    except (OSError, VanishedFileError) as error:
        return job, error


def _judged_again(file: ExportFile, again: Batch, settings: SequenSettings) -> Batch:
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
    message = f"File {file.path!r} has changed since it was taken in."
    raise VanishedFileError(message)


def _sha256_of(file: ExportFile) -> str:
    digest = hashlib.sha256()
    with open_file(file) as handle:
        while block := handle.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
