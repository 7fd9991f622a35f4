"""Exports: CSV and Parquet rows as JSON object texts in column order, so that one contract fits all."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.compression import ByteStream
from sequen_dagster.exports.records import Chunks, RecordChunk, Unreadable

_DELIMITERS: Final = ",;\t|"
_BATCH_ROWS: Final = 16_384
_MANY: Final = (list, tuple, dict, np.ndarray)
_ENCODE_NAME: Final = msgspec.json.Encoder().encode


def read_csv(stream: ByteStream, *, max_record_bytes: int) -> Chunks:
    """Read delimited text with a header (RFC 4180); a cell is text, an empty cell is absent.

    Args:
        stream: plain bytes, without a byte order mark.
        max_record_bytes: longest cell.

    Yields:
        Chunks in file order; a row that cannot be read is `malformed_csv` or `bad_encoding`.
    """
    csv.field_size_limit(max_record_bytes)
    source = _TextLines(stream, max_record_bytes)
    header_line = next((line for line in source if line.strip()), "")
    source.push_back()
    delimiter = max(_DELIMITERS, key=header_line.count)
    rows = csv.reader(source, delimiter=delimiter, strict=True)
    try:
        names = [_ENCODE_NAME(name) for name in next(rows, [])]
    except (csv.Error, UnicodeEncodeError) as error:
        message = "The CSV header cannot be read. Send the file with a header of plain names."
        raise UnreadableFileError("malformed_csv", message) from error
    yield from _csv_chunks(rows, names, source)


def _csv_chunks(rows: Any, names: list[bytes], source: "_TextLines") -> Chunks:
    # Any: the type of csv.reader's object has no public name.
    chunk = RecordChunk()
    while True:
        line = source.line_number + 1
        source.taken.clear()
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error:
            # A quote that is never closed swallows every row behind it: give them back.
            source.push_back(keep=1)
            chunk.unreadable.append(Unreadable.of("malformed_csv", source.raw(), line=line))
            continue
        if not row:
            chunk.blank_lines += 1
        elif len(row) != len(names):
            chunk.unreadable.append(Unreadable.of("malformed_csv", source.raw(), line=line))
        else:
            try:
                chunk.add(_object_text(names, row), line)
            except UnicodeEncodeError:
                chunk.unreadable.append(Unreadable.of("bad_encoding", source.raw(), line=line))
        if chunk.is_full:
            yield chunk
            chunk = RecordChunk()
    yield chunk


def _object_text(names: list[bytes], row: list[str]) -> bytes:
    cells = zip(names, row, strict=True)
    return b"{" + b",".join(name + b":" + _ENCODE_NAME(cell) for name, cell in cells if cell) + b"}"


class _TextLines(Iterator[str]):
    """Lines of a byte stream as text, line ends kept, undecodable bytes kept as surrogates."""

    def __init__(self, stream: ByteStream, max_record_bytes: int) -> None:
        self._lines = _byte_lines(stream, max_record_bytes)
        self._returned: list[bytes] = []
        self.line_number = 0
        self.taken: list[bytes] = []

    def __next__(self) -> str:
        line = self._returned.pop() if self._returned else next(self._lines)
        self.line_number += 1
        self.taken.append(line)
        return line.decode("utf-8", "surrogateescape")

    def push_back(self, *, keep: int | None = None) -> None:
        """Give the taken lines back: all but the first `keep`, or the last one alone."""
        first = len(self.taken) - 1 if keep is None else keep
        back = self.taken[first:]
        self._returned += reversed(back)
        self.line_number -= len(back)
        del self.taken[first:]

    def raw(self) -> bytes:
        """The bytes of the row just read."""
        return b"".join(self.taken)


def _byte_lines(stream: ByteStream, max_record_bytes: int) -> Iterator[bytes]:
    held = b""
    while block := stream.read(1 << 20):
        lines = (held + block).splitlines(keepends=True)
        # A lone CR at the end may be half of a CRLF.
        held = lines.pop() if not block.endswith(b"\n") else b""
        yield from lines
        if len(held) > max_record_bytes:
            message = "A CSV line is longer than `max_record_bytes`. Check its quotes."
            raise UnreadableFileError("too_large", message)
    yield from held.splitlines(keepends=True)


def read_parquet(handle: BinaryIO) -> Chunks:
    """Read the rows of a Parquet file; null and NaN are absent, `source_line` is the row number.

    Args:
        handle: the file, seekable.

    Yields:
        Chunks in file order.

    Raises:
        UnreadableFileError: `corrupt_parquet`.
    """
    try:
        table = pq.ParquetFile(handle)
        batches = table.iter_batches(batch_size=_BATCH_ROWS)
        yield from chunks_of_rows(_plain_rows(batches))
    except (pa.ArrowException, OSError) as error:
        message = "The Parquet file is cut or damaged. Send it again."
        raise UnreadableFileError("corrupt_parquet", message) from error


def chunks_of_rows(rows: Iterable[dict[str, Any]]) -> Chunks:
    """Turn rows of a table into chunks of JSON object texts, in column order.

    Args:
        rows: values by column name; integers, floats and booleans stay what they are, times
            become ISO text, decimals numbers to the digit; None and NaN are absent.

    Yields:
        Chunks, rows numbered from 1.
    """
    # Any: a row of a foreign table holds whatever its types give.
    chunk = RecordChunk()
    for number, row in enumerate(rows, start=1):
        # NaN and NaT differ from themselves; comparing arrays that way would not give one answer.
        present = {
            name: value
            for name, value in row.items()
            if value is not None and (isinstance(value, _MANY) or value == value)  # noqa: PLR0124
        }
        chunk.add(_ENCODER.encode(present), number)
        if chunk.is_full:
            yield chunk
            chunk = RecordChunk()
    yield chunk


def _plain_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from _plain(batch).to_pylist()


def _encodable(value: Any) -> Any:
    """What msgspec does not know: arrays of numpy become lists, all else its text."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Cut nanoseconds to microseconds, which is what Python's datetime can hold."""
    columns = [
        column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns"
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


_ENCODER: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_encodable)
