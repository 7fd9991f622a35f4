"""Exports: rows of Parquet files and of frames as JSON object texts in column order.

In: a file, or a table at hand. Out: `RecordChunk`s. `values` converts the columns.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.compression import RATIO_GRACE_BYTES, too_compressed
from sequen_dagster.exports.records import Chunks, RecordChunk, Unreadable
from sequen_dagster.exports.values import plain_object, plain_values

_BATCH_ROWS: Final = 16_384

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode

Row = dict[str, Any]  # Any: text, numbers, booleans, lists and dicts, as `values` gives them


def read_parquet(handle: BinaryIO, *, size_bytes: int, max_ratio: int) -> Chunks:
    """Read the rows of a Parquet file; null and NaN are absent, `source_line` is the row number.

    Args:
        handle: the file, seekable.
        size_bytes: how large it is.
        max_ratio: how many times larger than the file its content may be.

    Yields:
        Chunks in file order.

    Raises:
        UnreadableFileError: `corrupt_parquet` or `too_compressed`.
    """
    try:
        file = pq.ParquetFile(handle)
        groups = (file.metadata.row_group(number) for number in range(file.num_row_groups))
        # A column of one value takes next to nothing in the file, hence the rows.
        content = max(sum(group.total_byte_size for group in groups), file.metadata.num_rows)
        if content > max(max_ratio * size_bytes, RATIO_GRACE_BYTES):
            raise too_compressed(max_ratio)
        batches = file.iter_batches(batch_size=_BATCH_ROWS)
        yield from chunks_of_rows(row for batch in batches for row in _rows_of(batch))
    except (pa.ArrowException, OSError) as error:
        message = "The Parquet file is cut or damaged. Send it again."
        raise UnreadableFileError("corrupt_parquet", message) from error


def chunks_of_rows(rows: Iterable[Row]) -> Chunks:
    """Turn rows of a table into chunks of JSON object texts, in column order.

    Args:
        rows: rows as `rows_of` or `rows_of_objects` gives them.

    Yields:
        Chunks, rows numbered from 1; a row whose text is not valid Unicode is `bad_encoding`.
    """
    chunk = RecordChunk()
    for number, row in enumerate(rows, start=1):
        try:
            chunk.add(_encode(row), number)
        except UnicodeEncodeError:
            raw = json.dumps(row, default=str).encode()
            chunk.unreadable.append(Unreadable.of("bad_encoding", raw, line=number))
        if chunk.is_full:
            yield chunk
            chunk = RecordChunk()
    yield chunk


def rows_of(table: pa.Table) -> Iterator[Row]:
    """Read the rows of an Arrow table."""
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        yield from _rows_of(batch)


def rows_of_objects(records: Iterable[dict[Any, Any]]) -> Iterator[Row]:
    """Read rows of a frame whose columns hold Python objects of mixed types.

    Args:
        records: cells by name of their column.
    """
    # Any: whatever the caller's frame holds.
    for record in records:
        row: Row = plain_object(record)
        yield row


def _rows_of(batch: pa.RecordBatch) -> Iterator[Row]:
    names = batch.schema.names
    if not names:
        yield from ({} for _ in range(batch.num_rows))
    columns = [plain_values(column) for column in batch.columns]
    for row in zip(*columns, strict=True):
        # Of a name that stands twice the last that is present counts.
        yield {name: value for name, value in zip(names, row, strict=True) if value is not None}
