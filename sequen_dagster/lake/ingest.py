"""Lake: one file becomes one batch: read, validated and written as Parquet, in bounded memory.

In: an `ExportFile`. Out: a `Batch` whose Parquet files lie in the lake but count for nothing
before a commit names them.
"""

from collections import Counter
from datetime import datetime
from typing import Protocol

from sequen_dagster.contract import EventContract, Origin, Split, unreadable_file
from sequen_dagster.contract.erasures import NO_ERASURES, Erasures, split_without_erased
from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.files import ExportFile
from sequen_dagster.exports.readers import ExportReader
from sequen_dagster.home.layout import Lake
from sequen_dagster.lake.commits import Batch, FirstError, RecordCounts, batch_id_of
from sequen_dagster.lake.erasures import read_erasures
from sequen_dagster.lake.row_writer import RowWriter
from sequen_dagster.lake.tally import Tally
from sequen_dagster.lake.validation_rules import ValidationRules
from sequen_dagster.runtime.fail_points import fail_point
from sequen_dagster.runtime.redaction import without_values
from sequen_dagster.settings import fingerprint


class RowSink(Protocol):
    """What takes the rows of a file."""

    def write(self, split: Split) -> None:
        """Take the next rows."""

    def restart(self) -> None:
        """Forget all rows taken so far."""


def ingest_file(
    file: ExportFile,
    lake: Lake,
    rules: ValidationRules,
    *,
    registered_at: datetime,
    modified_at: datetime | None = None,
    version: int = 0,
) -> Batch:
    """Read a file once, validate every record, and write both kinds of rows.

    Args:
        file: the file as listed.
        lake: where the rows go.
        rules: what decides them.
        registered_at: when this version was first met, UTC without zone.
        modified_at: the modified time of then, where only the metadata has changed since.
        version: the number of the version where it is known before; 0 leaves it to the committer.

    Returns:
        The batch.

    Raises:
        VanishedFileError: the file is gone, or changed while it was read.
        PermissionError: it may not be read.
        StorageError: the lake cannot be written.
        FaultError: our own code failed on it.
    """
    modified_at = modified_at or file.modified_at
    received_at = min(modified_at, registered_at)
    origin = Origin(file.source, file.path, received_at)
    erasures = read_erasures(lake)
    with (
        without_values(),
        ExportReader(file, rules.limits) as reader,
        RowWriter(lake, file.path, about_bytes=file.size_bytes) as writer,
    ):
        fail_point("lake.file_opened", file.path)
        tally, sha256, size_bytes = validate_file(
            reader, rules.make_contract(), origin, writer, erasures=erasures
        )
        reader.check_unchanged()
        batch_id = batch_id_of(file.source, file.path, sha256)
        # Names what decided the rows: a second try writes the same file again, and a batch that is
        # revalidated leaves the rows alone that older commits name.
        decided = {
            "contract": rules.fingerprint,
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
        contract_fingerprint=rules.fingerprint,
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
    sink: RowSink,
    *,
    erasures: Erasures = NO_ERASURES,
) -> tuple[Tally, str, int]:
    """Validate every record of an open file, and hand what the contract says to a sink.

    Args:
        reader: the file, not read yet.
        contract: validates the records.
        origin: lineage of the records.
        sink: gets every split; has to start over where the file turns out to be unreadable.
        erasures: people whose records are left out.

    Returns:
        The counts, and sha256 and size of the bytes that were read.
    """
    tally = Tally()
    try:
        for split in contract.validate_chunks(tally.count_chunks(reader.chunks()), origin):
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
