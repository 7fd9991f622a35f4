"""Contract, first step: JSON texts are taken apart, one list of values a reserved field.

No value is interpreted here; the converters decide. Custom fields go to `properties`, digits
unchanged.

Two paths, one result: a record that is proven clean is decoded by msgspec on the fast path; all
others (duplicate keys, lone surrogates, deep nesting, broken JSON) go through `slow_path`.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

import msgspec

from sequen_dagster.contract.inherit import inherit
from sequen_dagster.contract.placeholders import DEFAULT, Placeholders
from sequen_dagster.contract.shapes import ShapeCache
from sequen_dagster.contract.slow_path import RefusedError, parse_slowly
from sequen_dagster.exports.records import Giver, RecordChunk, Unreadable
from sequen_dagster.fields import ALIASES, FIELD_NAMES
from sequen_dagster.settings.absence import is_blank

_FIELD_COUNT: Final = len(FIELD_NAMES)
_ALIASES: Final = {alias: FIELD_NAMES.index(name) for alias, name in ALIASES.items()}
_ALIAS_NAMES: Final = frozenset(_ALIASES)
_INTEGER: Final = re.compile(r"-?[0-9]+")
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
        values: reserved fields of all records, one after the other, in the order of `FIELD_NAMES`.
        properties: custom fields of each record, as JSON text.
        shapes: their shape (see `shapes`).
        md5s: hash of each record's compact text and of the fields given to it, as hex.
        lines: physical line of each record.
        items: number of each record among those that start on its line.
        texts: original bytes of each record.
        warnings: warning codes of the records that have any, by row number.
        unreadable: records that are not a JSON object.
    """

    values: list[Any] = field(default_factory=list)
    properties: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    md5s: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    warnings: dict[int, list[str]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)

    def columns(self) -> Iterator[tuple[str, list[Any]]]:
        """Name and values of each reserved field."""
        for position, name in enumerate(FIELD_NAMES):
            yield name, self.values[position::_FIELD_COUNT]


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

    def parse(self, chunk: RecordChunk) -> ParsedChunk:
        """Split every record of a chunk into its fields.

        Args:
            chunk: records as a reader gave them.

        Returns:
            Values of the reserved fields, and the records that are not a JSON object.
        """
        parsed = ParsedChunk(unreadable=list(chunk.unreadable))
        refused: list[int] = []
        for position, text in enumerate(chunk.texts):
            warnings: list[str] = []
            try:
                compact, record = self._parse_fast(text) or self._parse_slowly(text, warnings)
            except RefusedError as refusal:
                refused.append(position)
                parsed.unreadable.append(_refused_record(chunk, position, refusal))
                continue
            self._add_record(
                parsed, compact, record, warnings, chunk.givers.get(position, ()), chunk.folder
            )
            if warnings:
                parsed.warnings[len(parsed.md5s) - 1] = warnings
        parsed.texts = _without_refused(chunk.texts, refused)
        parsed.lines = _without_refused(chunk.lines, refused)
        parsed.items = _without_refused(chunk.items, refused)
        return parsed

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
        parsed: ParsedChunk,
        compact: bytes,
        record: Record,
        warnings: list[str],
        givers: tuple[Giver, ...],
        folder: dict[str, bytes],
    ) -> None:
        # One flat list: a list for each record would keep the garbage collector busy.
        parsed.values += map(record.pop, FIELD_NAMES, repeat(None))
        if not _ALIAS_NAMES.isdisjoint(record):
            _read_aliases(parsed.values, record, self._placeholders, warnings)
        if givers or folder:
            compact += inherit(parsed.values, record, givers, folder, self._placeholders, warnings)
        parsed.properties.append(_encode(record).decode())
        parsed.shapes.append(self._shapes.shape(record, warnings))
        parsed.md5s.append(hashlib.md5(compact, usedforsecurity=False).hexdigest())


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
