"""Contract, first step: JSON texts are taken apart, one list of values a reserved field.

No value is interpreted here; the converters decide. Custom fields go to `properties`, digits
unchanged.

Three paths, one result. Plainly clean records are read many at a time (`plain_records`). Of the
others, those that are proven clean are decoded by msgspec; the rest (duplicate keys, lone
surrogates, deep nesting, broken JSON) goes through `slow_path`, which says how a record is read.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from sequen_dagster.contract.convert import to_raw_values
from sequen_dagster.contract.inherit import inherit
from sequen_dagster.contract.placeholders import DEFAULT, Placeholders
from sequen_dagster.contract.plain_records import (
    BLOCK_BYTES,
    BLOCK_RECORDS,
    PlainReader,
    PlainRecords,
)
from sequen_dagster.contract.shapes import ShapeCache
from sequen_dagster.contract.slow_path import RefusedError, parse_slowly
from sequen_dagster.exports.records import Giver, RecordChunk, Unreadable
from sequen_dagster.fields import ALIASES, FIELD_NAMES
from sequen_dagster.settings.absence import is_blank

_FIELD_COUNT: Final = len(FIELD_NAMES)
_ALIASES: Final = {alias: FIELD_NAMES.index(name) for alias, name in ALIASES.items()}
_ALIAS_NAMES: Final = frozenset(_ALIASES)
_INTEGER: Final = re.compile(r"-?[0-9]+")
# Blocks that are not tried, at most, where records are not plain: trying costs some of the gain.
_MAX_PAUSE: Final = 15
# The one number whose text an int forgets.
_MINUS_ZERO: Final = re.compile(rb"-0[,}\]]")

_format = msgspec.json.format
_decode = msgspec.json.Decoder(float_hook=msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode

Record = dict[str, Any]  # Any: a value is whatever JSON holds; numbers with a point are msgspec.Raw


@dataclass
class ParsedChunk:
    """The records of a chunk, split into their fields.

    Attributes:
        columns: raw values of every reserved field; custom fields as JSON text in `properties`,
            their shape (see `shapes`) in `property_shape`; in `record_md5` the hash of each
            record's compact text and of the fields given to it, as hex.
        lines: physical line of each record.
        items: number of each record among those that start on its line.
        texts: original bytes of each record.
        warnings: warning codes of the records that have any, by row number.
        unreadable: records that are not a JSON object.
        plain_records: how many of them were read many at a time.
    """

    columns: pl.DataFrame = field(default_factory=lambda: _Fields().columns())
    lines: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    warnings: dict[int, list[str]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    plain_records: int = 0


@dataclass
class _Fields:
    """The fields of records that are read one at a time.

    Attributes:
        values: reserved fields of all records, one after the other, in the order of `FIELD_NAMES`.
        properties: custom fields of each record, as JSON text.
        shapes: their shape.
        md5s: hash of each record.
    """

    values: list[Any] = field(default_factory=list)
    properties: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    md5s: list[str] = field(default_factory=list)

    def columns(self) -> pl.DataFrame:
        """The columns of a parsed chunk."""
        reserved = [
            to_raw_values(self.values[position::_FIELD_COUNT]).alias(name)
            for position, name in enumerate(FIELD_NAMES)
        ]
        return pl.DataFrame(reserved).with_columns(
            pl.Series("properties", self.properties, dtype=pl.String),
            pl.Series("property_shape", self.shapes, dtype=pl.String),
            pl.Series("record_md5", self.md5s, dtype=pl.String),
        )


class Parser:
    """Splits the records of one file into their fields, chunk by chunk.

    Args:
        placeholders: words that mean none in the fields that hold ids.
        max_depth: deepest nesting of a record.
    """

    def __init__(self, placeholders: Placeholders = DEFAULT, *, max_depth: int = 64) -> None:
        self._placeholders = placeholders
        self._max_depth = max_depth
        self._shapes = ShapeCache(placeholders.ids)
        self._plain = PlainReader(self._shapes, max_depth=max_depth)
        # Blocks that are not tried after one of which too little was plain.
        self._pause = self._left_out = 0

    def parse(self, chunk: RecordChunk) -> ParsedChunk:
        """Split every record of a chunk into its fields.

        Args:
            chunk: records as a reader gave them.

        Returns:
            Values of the reserved fields, and the records that are not a JSON object.
        """
        plain = self._read_plain(chunk)
        is_plain = np.zeros(len(chunk.texts), dtype=np.bool_)
        for block in plain:
            is_plain[block.positions] = True
        others = np.flatnonzero(~is_plain).tolist()
        parsed = ParsedChunk(unreadable=list(chunk.unreadable), plain_records=int(is_plain.sum()))
        fields = _Fields()
        warnings_at: dict[int, list[str]] = {
            position: ["unsupported_field_type"]
            for block in plain
            for position in block.unsupported
        }
        refused: list[int] = []
        for position in others:
            warnings: list[str] = []
            text = chunk.texts[position]
            try:
                compact, record = self._parse_fast(text) or self._parse_slowly(text, warnings)
            except RefusedError as refusal:
                refused.append(position)
                parsed.unreadable.append(_refused_record(chunk, position, refusal))
                continue
            self._add_record(
                fields, compact, record, warnings, chunk.givers.get(position, ()), chunk.folder
            )
            if warnings:
                warnings_at[position] = warnings
        parsed.texts = _without_refused(chunk.texts, refused)
        parsed.lines = _without_refused(chunk.lines, refused)
        parsed.items = _without_refused(chunk.items, refused)
        parsed.columns = _in_order(plain, fields, others, refused)
        rows = _rows_without(len(chunk.texts), refused)
        parsed.warnings = {int(rows[at]): codes for at, codes in sorted(warnings_at.items())}
        return parsed

    def _read_plain(self, chunk: RecordChunk) -> list[PlainRecords]:
        """Read the plain records of a chunk, many at a time."""
        if chunk.folder or chunk.givers:
            # What is given to a record is part of its identity.
            return []
        found = []
        unproven = np.array(chunk.unproven, dtype=np.int64)
        for texts, start in _blocks_of(chunk.texts):
            if self._left_out:
                self._left_out -= 1
                continue
            first, last = np.searchsorted(unproven, (start, start + len(texts)))
            block = self._plain.read(texts, unproven=unproven[first:last] - start)
            count = len(block.positions) if block is not None else 0
            if block is not None:
                found.append(
                    replace(
                        block,
                        positions=block.positions + start,
                        unsupported=[at + start for at in block.unsupported],
                    )
                )
            self._pause = min(2 * self._pause + 1, _MAX_PAUSE) if 2 * count < len(texts) else 0
            self._left_out = self._pause
        return found

    def _parse_fast(self, text: bytes) -> tuple[bytes, Record] | None:
        """Decode a record on the fast path; None where it is not proven clean."""
        try:
            record = _decode(text)
            if type(record) is not dict:
                return None
            compact = again = _encode(record)
            # Encoded text has each key once. Where it equals the text sent, that has, too.
            if again != text:
                compact = _format(text, indent=-1)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if again != compact and not _says_the_same(compact, record):
            return None
        if compact.count(b"{") + compact.count(b"[") > self._max_depth:
            return None
        return compact, record

    def _parse_slowly(self, text: bytes, warnings: list[str]) -> tuple[bytes, Record]:
        return parse_slowly(text, max_depth=self._max_depth, warnings=warnings)

    def _add_record(
        self,
        fields: _Fields,
        compact: bytes,
        record: Record,
        warnings: list[str],
        givers: tuple[Giver, ...],
        folder: dict[str, bytes],
    ) -> None:
        # One flat list: a list for each record would keep the garbage collector busy.
        fields.values += map(record.pop, FIELD_NAMES, repeat(None))
        if not _ALIAS_NAMES.isdisjoint(record):
            _read_aliases(fields.values, record, self._placeholders, warnings)
        if givers or folder:
            compact += inherit(fields.values, record, givers, folder, self._placeholders, warnings)
        fields.properties.append(_encode(record).decode())
        fields.shapes.append(self._shapes.shape(record, warnings))
        fields.md5s.append(hashlib.md5(compact, usedforsecurity=False).hexdigest())


def _blocks_of(texts: list[bytes]) -> Iterator[tuple[list[bytes], int]]:
    """Split records into blocks of bounded size, each with the position of its first."""
    ends = np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)))
    start = size = 0
    while start < len(texts):
        end = int(np.searchsorted(ends, size + BLOCK_BYTES)) + 1
        end = min(end, start + BLOCK_RECORDS, len(texts))
        yield texts[start:end], start
        start, size = end, int(ends[end - 1])


def _in_order(
    plain: list[PlainRecords], fields: _Fields, others: list[int], refused: list[int]
) -> pl.DataFrame:
    """Put the columns of all records together, in file order."""
    if not plain:
        return fields.columns()
    table = pa.Table.from_batches([block.columns for block in plain])
    # pyarrow's stubs do not say so, but a table becomes a frame.
    columns = pl.DataFrame(pl.from_arrow(table, rechunk=False))
    first_rows = np.cumsum([0, *(block.columns.num_rows for block in plain)]).tolist()
    rows = [block.rows + first for block, first in zip(plain, first_rows, strict=False)]
    kept = np.setdiff1d(others, refused)
    positions = np.concatenate([*(block.positions for block in plain), kept])
    # What follows, gathering above all, costs several times as much on many pieces.
    if not len(kept) and len(positions) == len(columns):
        return columns.rechunk()
    order = np.concatenate([*rows, np.arange(len(kept)) + len(columns)])[np.argsort(positions)]
    return pl.concat([columns, fields.columns()], rechunk=True)[order]


def _rows_without(count: int, refused: list[int]) -> npt.NDArray[np.int64]:
    """The row of each position, where the refused ones have none."""
    is_kept = np.ones(count, dtype=np.bool_)
    is_kept[refused] = False
    rows: npt.NDArray[np.int64] = np.cumsum(is_kept) - 1
    return rows


def _says_the_same(compact: bytes, record: Record) -> bool:
    # In compact text every key is followed by `":`. If there are no more of these than keys, no
    # key came twice (a string with `":` in it only takes the slow path).
    return compact.count(b'":') == _count_keys(record) and not _MINUS_ZERO.search(compact)


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count_keys, value.values()))
    return sum(map(_count_keys, value)) if isinstance(value, list) else 0


def _refused_record(chunk: RecordChunk, position: int, refusal: RefusedError) -> Unreadable:
    return Unreadable.of(
        refusal.rule, chunk.texts[position], line=chunk.lines[position], item=chunk.items[position]
    )


def _without_refused(entries: list[Any], refused: list[int]) -> list[Any]:
    if not refused:
        return entries
    left_out = set(refused)
    return [entry for position, entry in enumerate(entries) if position not in left_out]


def _read_aliases(
    values: list[Any], record: Record, placeholders: Placeholders, warnings: list[str]
) -> None:
    """Read the aliases of the last record in `values`.

    An alias that loses stays in `record`, unless it is absent.
    """
    for alias, column in _ALIASES.items():
        if alias not in record:
            continue
        name = FIELD_NAMES[column]
        index = len(values) - _FIELD_COUNT + column
        own, other = values[index], record[alias]
        if _is_nothing(own):
            values[index] = record.pop(alias)
        elif placeholders.has(name, own):
            # The alias replaces it, so the converter will not see it.
            warnings.append("placeholder_id")
            values[index] = record.pop(alias)
        elif _is_nothing(other) or placeholders.has(name, other):
            del record[alias]
        elif _comparable_text(own) != _comparable_text(other):
            warnings.append("alias_conflict")


def _is_nothing(value: Any) -> bool:
    if isinstance(value, str):
        return is_blank(value)
    return value is None or value == []


def _comparable_text(value: Any) -> str | bytes:
    """A value as a text field reads it; bytes where it is not a text, so that it equals none."""
    if isinstance(value, str):
        return value
    encoded = _encode(value)
    is_integer = _INTEGER.fullmatch(encoded.decode()) is not None
    return encoded.decode().replace("-0", "0", encoded == b"-0") if is_integer else encoded
