"""Simulated exports: the text of a record in each format, and files of them.

In: events as dicts. Out: files, the same bytes for the same events.
"""

from __future__ import annotations

import csv
import gzip
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, cast

import msgspec
import pyarrow as pa
import zstandard
from pyarrow import parquet

from sequen_dagster.simulate.clock import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sequen_dagster.simulate.defects import Defect
    from sequen_dagster.simulate.sender import Event, Record
    from sequen_dagster.simulate.settings import Family

COLUMNS = (
    "id", "type", "original_timestamp", "server_timestamp", "ingest_timestamp",
    "uid", "sid", "session_id", "cid", "client_id", "rec_id", "page_view_id", "module_view_id",
    "impression_id", "rank", "item_id", "item_ids", "item_id_relation", "page_type", "click_type",
    "conversion_type", "dwell_ms", "page_id", "page_url", "search_query", "referral_source",
    "geolocation", "country", "locale", "language", "device_type", "device_info.platform",
    "device_info.version", "device_info.model", "logged_in", "scroll_depth", "cart_content",
    "price", "quantity", "order_id", "order_total", "currency", "payment_method",
    "shipping_address", "campaign", "form", "filled_fields", "current_time_sec", "reason",
    "method", "attempt",
)  # fmt: skip
_POSITIONS = {name: position for position, name in enumerate(COLUMNS)}
_INTEGERS = ("rank", "dwell_ms", "quantity", "filled_fields", "current_time_sec", "attempt")
_NUMBERS = ("scroll_depth", "price", "order_total")
_TIMES = ("server_timestamp", "ingest_timestamp")
_FLATTENED = "device_info"
_CHUNK = 20_000
_encode = msgspec.json.Encoder().encode


def as_sent(record: Record, family: Family) -> Event:
    """Return the event of a record with its times as the family writes them."""
    event = dict(record.event)
    write = record.clock.text
    event["original_timestamp"] = write(record.at)
    if family != "parquet":
        if "server_timestamp" in event:
            event["server_timestamp"] = write(cast("int", event["server_timestamp"]))
        # The collector stamps the arrival, whatever the clock of the device.
        if "ingest_timestamp" in event:
            event["ingest_timestamp"] = iso(cast("int", event["ingest_timestamp"]))
    if family in ("csv", "parquet") and _FLATTENED in event:
        device = cast("dict[str, str]", event.pop(_FLATTENED))
        event.update({f"{_FLATTENED}.{name}": value for name, value in device.items()})
    return event


class Sheet:
    """The records of one file in the making."""

    def __init__(self, family: Family) -> None:
        """Start an empty sheet."""
        self._family = family
        self._lines: list[bytes] = []
        self._rows: list[list[str]] = []
        self._events: list[Event] = []
        self.blank_lines = 0

    def add(self, event: Event, *, defect: Defect | None = None, turn: int = 0) -> None:
        """Add a record, garbled or with a surplus cell if its defect says so."""
        if self._family == "parquet":
            self._events.append(event)
        elif self._family == "csv":
            row = [""] * (len(COLUMNS) + bool(defect and defect.has_surplus_cell))
            for name, value in event.items():
                row[_POSITIONS[name]] = value if isinstance(value, str) else _text(value)
            if len(row) > len(COLUMNS):
                row[-1] = "surplus"
            self._rows.append(row)
        else:
            line = _encode(event)
            self._lines.append(defect.garble(line, turn) if defect and defect.garble else line)

    def add_blank_line(self) -> None:
        """Add an empty line; only JSON Lines can carry one."""
        self._lines.append(b"")
        self.blank_lines += 1

    def last_place(self) -> tuple[int, int]:
        """Return line and item of the record added last, as readers of the format count."""
        if self._family == "lines":
            return len(self._lines), 1
        if self._family == "document":
            return len(self._lines) + 1, len(self._lines)
        return (len(self._rows) + 1 if self._family == "csv" else len(self._events)), 1

    def write(self, path: Path, *, file_format: str) -> None:
        """Write the file."""
        if self._family == "parquet":
            _write_parquet(path, self._events)
        elif self._family == "csv":
            _write_csv(path, self._rows)
        else:
            _write_json(path, self._lines, file_format=file_format)


@contextmanager
def _opened(path: Path, file_format: str) -> Iterator[IO[bytes]]:
    """Open a file for writing, compressed if its name says so, free of dates and names."""
    with path.open("wb") as raw:
        if file_format.endswith(".gz"):
            with gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as packed:
                yield cast("IO[bytes]", packed)
        elif file_format.endswith(".zst"):
            with zstandard.ZstdCompressor(level=3).stream_writer(raw) as packed:
                yield cast("IO[bytes]", packed)
        else:
            yield raw


def _write_json(path: Path, lines: Sequence[bytes], *, file_format: str) -> None:
    """Write records as JSON Lines, one array, or one envelope; one record per line in each."""
    start, joint, end = {
        "json": (b"[\n", b",\n", b"\n]\n"),
        "envelope.json": (b'{"events":[\n', b",\n", b"\n]}\n"),
    }.get(file_format, (b"", b"\n", b"\n"))
    with _opened(path, file_format) as file:
        file.write(start)
        for begin in range(0, len(lines), _CHUNK):
            file.write(joint if begin else b"")
            file.write(joint.join(lines[begin : begin + _CHUNK]))
        file.write(end)


def _write_csv(path: Path, rows: Sequence[list[str]]) -> None:
    """Write rows under a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def _write_parquet(path: Path, events: Sequence[Event]) -> None:
    """Write typed columns: whole and other numbers, booleans, times, a list of texts, texts."""
    schema = _schema()
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for start in range(0, len(events), _CHUNK):
            chunk = events[start : start + _CHUNK]
            columns = [
                pa.array(_cells([event.get(column.name) for event in chunk], column), column.type)
                for column in schema
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


@cache
def _schema() -> pa.Schema:
    kinds: dict[str, pa.DataType] = {
        **dict.fromkeys(_INTEGERS, pa.int64()),
        **dict.fromkeys(_NUMBERS, pa.float64()),
        **dict.fromkeys(_TIMES, pa.timestamp("ms", tz="UTC")),
        "item_ids": pa.list_(pa.string()),
        "logged_in": pa.bool_(),
    }
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def _cells(values: list[object], column: pa.Field[pa.DataType]) -> list[object]:
    """Return values as their typed column takes them; what has no type of its own is text."""
    if column.name in _NUMBERS:
        return [None if value is None else float(cast("str", value)) for value in values]
    if pa.types.is_string(column.type):
        return [
            value if value is None or isinstance(value, str) else _text(value) for value in values
        ]
    return values


def _text(value: object) -> str:
    """Return the text of a value outside JSON: JSON text for all that is not text already."""
    return value if isinstance(value, str) else _encode(value).decode()
