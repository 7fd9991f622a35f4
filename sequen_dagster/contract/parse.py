"""Contract, first step: JSON texts are taken apart into cells, one column a reserved field.

A cell is the JSON text of a value (a string's escapes resolved, its quotes kept), so that nothing
is inferred; the converters decide. Custom fields go to `properties`, digits untouched.

Two lanes, one result: a record that is plainly clean is cut by msgspec; whatever is not proven
clean (duplicate keys, lone surrogates, deep nesting, broken JSON) goes through `careful`.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from sequen_dagster.contract.careful import Refused, sanitised
from sequen_dagster.contract.shapes import ShapeCache, is_blank
from sequen_dagster.exports.records import RecordChunk, Unreadable
from sequen_dagster.fields import ALIASES, FIELD_NAMES

# Whole values that identity fields hold by mistake; they count as absent.
PLACEHOLDERS: Final = frozenset({"null", "undefined", "none", "nan"})
# Stands for a value that no converter accepts, such as a string with NUL or a lone surrogate.
UNACCEPTABLE: Final = "{}"
CELL_COLUMNS: Final = (*FIELD_NAMES, "properties", "property_shape", "record_md5")

_FIELD_COUNT: Final = len(FIELD_NAMES)
_COLUMNS: Final = {name: position for position, name in enumerate(FIELD_NAMES)}
_ALIASES: Final = {alias: _COLUMNS[name] for alias, name in ALIASES.items()}
_KNOWN: Final = frozenset(_COLUMNS) | frozenset(_ALIASES)
_EMPTY_CELLS: Final[list[str | None]] = [None] * _FIELD_COUNT

_format = msgspec.json.format
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_encode_key = msgspec.json.Encoder().encode


@dataclass
class ParsedChunk:
    """The records of a chunk as cells.

    Attributes:
        rows: one list a record, in the order of `CELL_COLUMNS`; None where a key is absent.
        lines: physical line of each row.
        items: place in its array of each row.
        texts: original bytes of each row.
        warnings: warning codes of the rows that have any, by row number.
        unreadable: records that are no JSON object.
    """

    rows: list[list[str | None]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)
    warnings: dict[int, list[str]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)


@dataclass(slots=True)
class _Parts:
    """One record taken apart: its compact text, reserved values, custom values, nested values."""

    compact: bytes
    reserved: list[tuple[str, bytes]]
    custom: list[tuple[str, bytes]]
    nested: dict[str, Any]  # Any: parsed JSON of custom fields


class Parser:
    """Takes the records of one file apart, chunk by chunk.

    Args:
        max_depth: deepest nesting of a record.
    """

    def __init__(self, *, max_depth: int = 64) -> None:
        self._max_depth = max_depth
        self._shapes = ShapeCache()
        self._key_texts: dict[str, bytes] = {}

    def parse(self, chunk: RecordChunk) -> ParsedChunk:
        """Take every record of `chunk` apart.

        Args:
            chunk: records as a reader gave them.

        Returns:
            Rows of cells, and what could not be read as a JSON object.
        """
        parsed = ParsedChunk(unreadable=list(chunk.unreadable))
        last = len(chunk.texts) - 1
        lineage = zip(chunk.texts, chunk.lines, chunk.items, strict=True)
        for position, (text, line, item) in enumerate(lineage):
            warnings: list[str] = []
            try:
                parts = self._clean_parts(text) or self._careful_parts(text, warnings)
            except Refused as refused:
                is_cut = position == last and chunk.is_tail_open and refused.is_syntax
                rule = "truncated_tail" if is_cut else refused.rule
                parsed.unreadable.append(Unreadable.of(rule, text, line=line, item=item))
                continue
            row = self._row(parts, warnings)
            if warnings:
                parsed.warnings[len(parsed.rows)] = warnings
            parsed.rows.append(row)
            parsed.lines.append(line)
            parsed.items.append(item)
            parsed.texts.append(text)
        return parsed

    def _clean_parts(self, text: bytes) -> _Parts | None:
        """Take a record apart at speed, or return None where anything about it needs care."""
        try:
            compact = _format(text, indent=-1)
            if not compact.isascii():
                compact.decode()
            if compact.count(b"{") + compact.count(b"[") > self._max_depth:
                return None
            parts = _take_apart(compact, compact)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        # In compact text every key is followed by `":`. If there are no more of these than keys,
        # no key came twice (a string that begins with a colon only sends us the slow way).
        keys = len(parts.reserved) + len(parts.custom)
        if parts.nested:
            keys += sum(map(_count_keys, parts.nested.values()))
        return parts if compact.count(b'":') == keys else None

    def _careful_parts(self, text: bytes, warnings: list[str]) -> _Parts:
        compact, safe = sanitised(text, max_depth=self._max_depth, warnings=warnings)
        return _take_apart(safe, compact)

    def _row(self, parts: _Parts, warnings: list[str]) -> list[str | None]:
        row = _EMPTY_CELLS.copy()
        custom = parts.custom
        aliases = []
        for key, value in parts.reserved:
            column = _COLUMNS.get(key)
            if column is None:
                aliases.append((key, value))
            else:
                row[column] = _cell(value)
        for key, value in aliases:
            if not _takes_alias(row, key, value, warnings):
                custom.append((key, value))
        row.append(self._properties(custom))
        row.append(self._shapes.shape(custom, parts.nested, warnings))
        row.append(hashlib.md5(parts.compact, usedforsecurity=False).hexdigest())
        return row

    def _properties(self, custom: list[tuple[str, bytes]]) -> str:
        known = self._key_texts
        texts = []
        for key, value in custom:
            key_text = known.get(key)
            if key_text is None:
                if len(known) > 10_000:
                    known.clear()
                key_text = known[key] = _encode_key(key) + b":"
            texts.append(key_text + value)
        return (b"{" + b",".join(texts) + b"}").decode()


def is_absent(cell: str | None) -> bool:
    """Whether the cell of an identity field counts as absent.

    Example:
        >>> is_absent('"undefined"'), is_absent('" "'), is_absent("0")
        (True, True, False)
    """
    if cell is None or cell in ("null", "[]"):
        return True
    text = cell[1:-1]
    return cell[0] == '"' and (is_blank(text) or text.lower() in PLACEHOLDERS)


def _take_apart(safe: bytes, compact: bytes) -> _Parts:
    reserved: list[tuple[str, bytes]] = []
    custom: list[tuple[str, bytes]] = []
    nested: dict[str, Any] = {}
    for key, raw in _decode(safe).items():
        value = bytes(raw)
        (reserved if key in _KNOWN else custom).append((key, value))
        if value[0] == 0x7B or value[0] == 0x5B:  # { [
            nested[key] = _parsed(value)
    return _Parts(compact, reserved, custom, nested)


def _cell(value: bytes) -> str:
    cell = value.decode()
    if "\\" in cell and cell[0] == '"':
        text = json.loads(cell)
        return UNACCEPTABLE if "\0" in text else f'"{text}"'
    return cell


def _takes_alias(row: list[str | None], key: str, value: bytes, warnings: list[str]) -> bool:
    """Read an alias where its field is absent; otherwise leave it to the properties."""
    column = _ALIASES[key]
    cell = _cell(value)
    own = row[column]
    if not is_absent(own):
        if cell != own:
            warnings.append("alias_conflict")
        return False
    # An absent alias must not hide that the field itself held a placeholder.
    if own is None or not is_absent(cell):
        row[column] = cell
    return True


def _parsed(value: bytes) -> Any:  # Any: parsed JSON
    try:
        return _decode_any(value)
    except msgspec.ValidationError:
        # A number beyond what a double holds; here only its being a number counts.
        return json.loads(value, parse_int=float)


def _count_keys(value: Any) -> int:  # Any: parsed JSON
    if isinstance(value, dict):
        return len(value) + sum(map(_count_keys, value.values()))
    return sum(map(_count_keys, value)) if isinstance(value, list) else 0
