"""Lake: one file becomes one batch: read, judged and written as Parquet, in bounded memory.

In: an `ExportFile`. Out: a `Batch` whose Parquet files lie in the lake but count for nothing
before a commit names them.
"""

import shutil
import uuid
from collections import Counter
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import filelock
import polars as pl
import pyarrow.parquet as pq

from sequen_dagster.contract import (
    EventContract,
    Origin,
    Split,
    unreadable_file,
)
from sequen_dagster.contract.erasures import NOBODY, Erasures, split_without_erased
from sequen_dagster.contract.hints import HintFinder
from sequen_dagster.contract.warnings import NO_TYPE, Counts
from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.exports.readers import ExportReader, ReadLimits
from sequen_dagster.exports.records import Chunks
from sequen_dagster.fields import STANDARD_TYPES
from sequen_dagster.home.durable import fsync_file, rename_file, writing
from sequen_dagster.lake.commits import (
    SCHEMA_VERSION,
    Batch,
    FirstError,
    RecordCounts,
    RuleCount,
    batch_id_of,
)
from sequen_dagster.lake.erasures import read_erasures
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.redaction import without_values
from sequen_dagster.runtime.text import quoted
from sequen_dagster.settings import SequenSettings, fingerprint

_METADATA: Final = {b"schema_version": str(SCHEMA_VERSION).encode()}
INCOMING: Final = ".incoming"
# Types that a batch tells apart; a manifest must not grow with what is sent.
MAX_COUNTED_TYPES: Final = 1_000
_MAX_TYPE_LENGTH: Final = 200
OTHER_TYPES: Final = "(other)"


class Sink(Protocol):
    """Whoever takes the rows of a file."""

    def write(self, split: Split) -> None:
        """Take the next rows."""

    def restart(self) -> None:
        """Forget all rows taken so far."""


@dataclass
class Tally:
    """The books of a file while it is read.

    Attributes:
        books: what was read, accepted, quarantined.
        errors: records by (type, rule); types beyond the first thousand are `(other)`.
        warnings: records by (type, warning), likewise.
        first_error: the first quarantined record.
        hints: looks at the records that fail, for what they may be.
    """

    record_counts: RecordCounts = field(default_factory=RecordCounts)
    errors: Counts = field(default_factory=Counter)
    warnings: Counts = field(default_factory=Counter)
    skipped: Counts = field(default_factory=Counter)
    first_error: FirstError | None = None
    hints: HintFinder = field(default_factory=HintFinder)
    _types: set[str] = field(default_factory=lambda: {NO_TYPE, *STANDARD_TYPES})

    def counting(self, chunks: Chunks) -> Chunks:
        """Hand chunks on, counting what was read, apart from what the contract gives back."""
        for chunk in chunks:
            read = len(chunk.texts) + len(chunk.unreadable)
            self.record_counts += RecordCounts(records_read=read, blank_lines=chunk.blank_lines)
            yield chunk

    def count_split(self, split: Split, skipped: Counts) -> None:
        """Add what the contract said, and what was left out of it."""
        self.record_counts += RecordCounts(
            accepted=len(split.accepted),
            quarantined=len(split.quarantined),
            skipped=skipped.total(),
        )
        self.hints.add(split)
        self._count(self.errors, split.errors)
        self._count(self.warnings, split.warnings)
        self._count(self.skipped, skipped)
        if self.first_error is None and len(split.quarantined):
            line, rules = split.quarantined.select("source_line", "rules").row(0)
            self.first_error = FirstError(line, rules[0])

    @property
    def hint(self) -> str:
        """What the file looks like where its records fail together, see `hints`; else empty."""
        return self.hints.hint(records_read=self.record_counts.records_read)

    def _count(self, total: Counts, more: Counts) -> None:
        # Sorted, so that every try tells the same types apart.
        for (event_type, rule), records in sorted(more.items()):
            if len(self._types) < MAX_COUNTED_TYPES and len(event_type) <= _MAX_TYPE_LENGTH:
                self._types.add(event_type)
            name = event_type if event_type in self._types else OTHER_TYPES
            total[name, rule] += records

    def rule_counts(self) -> tuple[RuleCount, ...]:
        """Errors, warnings and reasons for leaving records out, in one sorted list."""
        return tuple(
            RuleCount(event_type, rule, severity, records)
            for severity, counts in (
                ("error", self.errors),
                ("warning", self.warnings),
                ("skipped", self.skipped),
            )
            for (event_type, rule), records in sorted(counts.items())
        )


def contract_fingerprint(settings: SequenSettings) -> str:
    """Names what judges files by these settings: the contract and the limits of reading.

    A batch with another fingerprint is stale: it was judged by other rules.
    """
    contract = EventContract.of(settings)
    return fingerprint(
        {"contract": contract.fingerprint, "limits": asdict(ReadLimits.of(settings))}
    )


def ingest_file(
    file: ExportFile,
    settings: SequenSettings,
    *,
    registered_at: datetime,
    modified_at: datetime | None = None,
    version: int = 0,
) -> Batch:
    """Read a file once, judge every record, and write both kinds of rows.

    Args:
        file: the file as listed.
        settings: limits, and the home that holds the lake.
        registered_at: when this version was first met, UTC without zone.
        modified_at: the modified time of then, where the file was only touched since.
        version: the number of the version where it is known before; 0 leaves it to the committer.

    Returns:
        The batch.

    Raises:
        VanishedFileError: the file is gone, or changed while it was read.
        PermissionError: it may not be read.
        StorageError: the lake cannot be written.
        FaultError: our own code failed on it.
    """
    contract = EventContract.of(settings)
    modified_at = modified_at or file.modified_at
    received_at = min(modified_at, registered_at)
    origin = Origin(file.source, file.path, received_at)
    lake = settings.home / "lake"
    erasures = read_erasures(lake)
    with (
        without_values(),
        ExportReader(file, ReadLimits.of(settings)) as reader,
        RowWriter(lake, file.path, about_bytes=file.size_bytes) as writer,
    ):
        fail_point("lake.file_opened", file.path)
        tally, sha256, size_bytes = validate_file(
            reader, contract, origin, writer, erasures=erasures
        )
        reader.check_unchanged()
        batch_id = batch_id_of(file.source, file.path, sha256)
        validated_by = contract_fingerprint(settings)
        # Names what decided the rows: a second try writes the same file again, and a batch that is
        # judged again leaves the rows alone that older commits name.
        decided = {
            "contract": validated_by,
            "received_at": received_at.isoformat(),
            "version": version,
        }
        decided |= {"erasures": erasures.fingerprint} if erasures.digests else {}
        events, quarantine = writer.publish(batch_id, fingerprint(decided))
        fail_point("lake.rows_moved", file.path)
    return Batch(
        batch_id=batch_id,
        source=file.source,
        path=file.path,
        version=version,
        file_format=reader.file_format,
        file_sha256=sha256,
        file_bytes=size_bytes,
        modified_at=modified_at,
        received_at=received_at,
        registered_at=registered_at,
        contract_fingerprint=validated_by,
        record_counts=tally.record_counts,
        rule_counts=tally.rule_counts(),
        events=events,
        quarantine=quarantine,
        etag=file.etag,
        first_error=tally.first_error,
        hint=tally.hint,
        erasures=erasures.fingerprint,
    )


def validate_file(
    reader: ExportReader,
    contract: EventContract,
    origin: Origin,
    sink: Sink,
    *,
    erasures: Erasures = NOBODY,
) -> tuple[Tally, str, int]:
    """Judge every record of an open file, handing what the contract says to a sink.

    Args:
        reader: the file, not read yet.
        contract: what judges.
        origin: lineage of the records.
        sink: gets every split; told to start over where the file turns out to be unreadable.
        erasures: people whose records are left out.

    Returns:
        The books and rule counts, and sha256 and size of the bytes that were read.
    """
    tally = Tally()
    try:
        for split in contract.validate_chunks(tally.counting(reader.chunks()), origin):
            kept, erased = split_without_erased(split, erasures)
            tally.count_split(kept, erased)
            sink.write(kept)
        return tally, *reader.finish()
    except UnreadableFileError as error:
        sha256, size_bytes = reader.finish()
        sink.restart()
        whole = unreadable_file(error.rule, size_bytes, sha256, origin, str(error))
        tally = Tally(RecordCounts(records_read=1))
        tally.count_split(whole, Counter())
        tally.first_error = FirstError(0, error.rule, str(error))
        sink.write(whole)
        return tally, sha256, size_bytes


class RowWriter:
    """Writes the rows of one batch into a folder of its own, then moves them into the lake.

    Whatever goes wrong in here is a `StorageError`: the lake cannot be written, and another file
    would fare no better.

    Args:
        lake: the lake's directory.
        path: path of the file, for messages.
        about_bytes: how much there will be to write, likewise; about the size of the file.
    """

    def __init__(self, lake: Path, path: str, *, about_bytes: int) -> None:
        self._lake = lake
        self._path = path
        self._about_bytes = about_bytes
        self._folder = lake / INCOMING / uuid.uuid4().hex
        # Held for as long as the folder is somebody's; one that nobody holds was left behind.
        self._alive = filelock.FileLock(self._folder.with_suffix(".lock"))
        self._open: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        with self._writing():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._alive.acquire()
            self._folder.mkdir()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Rows that nobody will name; the error on the way, if there is one, says more.
        with suppress(OSError):
            self._close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._alive.release()
        Path(self._alive.lock_file).unlink(missing_ok=True)

    def write(self, split: Split) -> None:
        """Append the rows of a split."""
        with self._writing():
            self._append("events", split.accepted)
            self._append("quarantine", split.quarantined)

    def restart(self) -> None:
        """Forget what was written."""
        with self._writing():
            self._close()
            for part in self._folder.iterdir():
                part.unlink()

    def publish(self, batch_id: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Move the finished files to their place; return their paths relative to the lake."""
        with self._writing():
            self._close()
            fail_point("lake.rows_written", self._path)
            return self._moved("events", batch_id, name), self._moved("quarantine", batch_id, name)

    def _writing(self) -> AbstractContextManager[None]:
        what = f"the rows of {quoted(self._path)}"
        return writing(what, self._lake, about_bytes=self._about_bytes)

    def _append(self, kind: str, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        if kind not in self._open:
            schema_of_file = table.schema.with_metadata(_METADATA)
            self._open[kind] = pq.ParquetWriter(
                self._folder / f"{kind}.parquet",
                schema_of_file,
                compression="zstd",
                compression_level=1,
            )
        self._open[kind].write_table(table)

    def _close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _moved(self, kind: str, batch_id: str, name: str) -> tuple[str, ...]:
        written = self._folder / f"{kind}.parquet"
        if not written.exists():
            return ()
        target = f"{kind}/batch_id={batch_id}/{name}.parquet"
        fsync_file(written)
        rename_file(written, self._lake / target)
        return (target,)
