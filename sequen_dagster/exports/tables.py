"""Exports: CSV and Parquet rows as JSON object texts in column order, so one contract fits all."""

import json
import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sequen_dagster.errors import UnreadableFileError
from sequen_dagster.exports.compression import RATIO_GRACE_BYTES, too_compressed
from sequen_dagster.exports.records import Chunks, RecordChunk, Unreadable

_DELIMITERS: Final = ",;\t|"
_BLOCK_BYTES: Final = 1 << 20
_BATCH_ROWS: Final = 16_384
# A text that cannot be encoded, so that its row becomes `bad_encoding`.
_UNREADABLE: Final = chr(0xDCFF)

_encode_text: Final = msgspec.json.Encoder().encode


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


def chunks_of_rows(rows: Iterable[dict[str, Any]]) -> Chunks:
    """Turn rows of a table into chunks of JSON object texts, in column order.

    Args:
        rows: values by column name; integers, floats and booleans stay what they are, times
            become ISO text, decimals numbers to the digit; None and NaN are absent.

    Yields:
        Chunks, rows numbered from 1; a row whose text is not valid Unicode is `bad_encoding`.
    """
    # Any: a row of a foreign table holds whatever its types give.
    chunk = RecordChunk()
    for number, row in enumerate(rows, start=1):
        present = {name: value for name, value in row.items() if not _is_missing(value)}
        try:
            chunk.add(_encode_row(present), number)
        except UnicodeEncodeError:
            raw = json.dumps(present, default=str).encode()
            chunk.unreadable.append(Unreadable.of("bad_encoding", raw, line=number))
        if chunk.is_full:
            yield chunk
            chunk = RecordChunk()
    yield chunk


def _is_missing(value: Any) -> bool:
    """Whether a cell is None, NaN, NaT or pandas' NA, of which none equals itself."""
    if value is None or isinstance(value, str | int):
        return value is None
    if isinstance(value, list | tuple | dict | np.ndarray):
        return False
    is_equal = value == value
    return is_equal is not True and not (isinstance(is_equal, np.bool_) and bool(is_equal))


def _encode_row(row: dict[str, Any]) -> bytes:
    try:
        if not any(isinstance(value, float) and math.isinf(value) for value in row.values()):
            return _encoder.encode(row)
    except (OverflowError, TypeError, msgspec.MsgspecError):
        pass
    return _encoder.encode(_encodable(row))


def _encodable(value: Any) -> Any:
    """A value in types that msgspec writes: what it does not know becomes text."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _encodable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(inner) for inner in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        # msgspec would write infinity as null, which is absent and not invalid.
        return str(value) if math.isinf(value) else value
    return value if isinstance(value, Decimal) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    columns = [_plain_values(column) for column in batch.columns]
    names = batch.schema.names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of an Arrow table, for `chunks_of_rows`."""
    # Any: as in `chunks_of_rows`.
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        yield from _rows_of(batch)


def _plain_values(column: "pa.Array[Any]") -> list[Any]:
    """The values of a column, as text where Python does not hold them exactly."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Python's datetime ends at the year 9999.
        if kind.unit == "ns":
            column = column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
        return [text and text.replace(" ", "T", 1) for text in _texts(column)]
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return _texts(column)
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        # Through text: as a double 0.1 would be 0.10000000149011612.
        column = column.cast(pa.string()).cast(pa.float64())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [one and one.decode("utf-8", "surrogateescape") for one in column.to_pylist()]
    try:
        return column.to_pylist()
    except (ValueError, OverflowError):
        return [_value_of(one) for one in column]


def _value_of(scalar: "pa.Scalar[Any]") -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        # A text that is not UTF-8, or a time within a struct that Python does not hold.
        return _UNREADABLE


def _texts(column: "pa.Array[Any]") -> list[Any]:
    return column.cast(pa.string()).to_pylist()


_encoder: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_encodable)
