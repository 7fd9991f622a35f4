"""Exports: JSON Lines, and JSON documents, as chunks of records.

In: a plain byte stream. Out: `RecordChunk`s with the physical line of every record.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec

from sequen_dagster.exports.compression import ByteStream
from sequen_dagster.exports.documents import DocumentScanner
from sequen_dagster.exports.records import (
    CHUNK_RECORDS,
    Chunks,
    HashedBytes,
    RecordChunk,
    Unreadable,
)

_BLOCK_BYTES: Final = 1 << 21
_JSON_SPACE: Final = b" \t\r\n"

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_lines(stream: ByteStream, *, max_record_bytes: int) -> Chunks:
    """Read JSON Lines: a record a line; a line may also hold an array or an envelope of events.

    Args:
        stream: plain bytes, without a byte order mark.
        max_record_bytes: longer lines become `too_large`.

    Yields:
        Chunks in file order.
    """
    chunk = RecordChunk()
    number = 1
    for block in _blocks(stream, max_record_bytes):
        for start in range(0, len(block.lines), CHUNK_RECORDS):
            lines = block.lines[start : start + CHUNK_RECORDS]
            if block.is_plain:
                chunk.add_lines(lines, number)
            else:
                for line_number, line in enumerate(lines, start=number):
                    _add_line(chunk, line, line_number, max_record_bytes)
            number += len(lines)
            if chunk.is_full:
                yield chunk
                chunk = RecordChunk()
        if block.too_large is not None:
            chunk.unreadable.append(block.too_large.unreadable("too_large", line=number))
            number += 1
        elif block.tail:
            _add_line(chunk, block.tail, number, max_record_bytes)
            chunk.is_tail_open = chunk.lines[-1:] == [number]
    yield chunk


def read_document(stream: ByteStream, *, max_record_bytes: int) -> Chunks:
    """Read one JSON document: an array of events, an envelope, or a single event.

    Args:
        stream: plain bytes; behind blank lines they start with `[` or `{`.
        max_record_bytes: longer elements become `too_large`.

    Yields:
        Chunks in file order.
    """
    start = b""
    while len(start) <= max_record_bytes and (block := stream.read(_BLOCK_BYTES)):
        start += block
    body = start.lstrip(_JSON_SPACE)
    if body.startswith(b"{") and not is_envelope(body):
        line = 1 + start.count(b"\n", 0, len(start) - len(body))
        yield _single(stream, body, line, max_record_bytes)
        return
    scanner = DocumentScanner(stream, start=start, max_record_bytes=max_record_bytes)
    chunk = RecordChunk()
    count = 0
    for line, count, element in scanner.elements():
        if isinstance(element, Unreadable):
            chunk.unreadable.append(element)
        else:
            chunk.add(element, line, count)
        if chunk.is_full:
            yield chunk
            chunk = RecordChunk()
    chunk.blank_lines += count == 0
    chunk.envelopes_with_fields += scanner.has_other_fields
    yield chunk


def is_json(text: bytes, kind: type = object) -> bool:
    """Whether `text` is one whole JSON value of a Python `kind`.

    Example:
        >>> is_json(b"[1]", list), is_json(b"[1]", dict), is_json(b"[1")
        (True, False, False)
    """
    try:
        return isinstance(_loads(text), kind)
    except RecursionError:
        # So deep that only a whole value is likely; the judge says `too_deep`.
        return True
    except ValueError:
        return False


def begins_json(text: bytes) -> bool:
    """Whether `text` is JSON as far as it goes: whole, or only its end is missing.

    Example:
        >>> begins_json(b'{"events": ['), begins_json(b'{"type": "cli')
        (True, False)
    """
    try:
        decoded = text.decode().rstrip()
        json.loads(decoded, parse_int=float)
    except json.JSONDecodeError as error:
        return error.pos >= len(decoded)
    except UnicodeDecodeError:
        return False
    except RecursionError:
        return True
    return True


def is_envelope(text: bytes) -> bool:
    """Whether `text` is a JSON object with an array `events` and no `type`.

    Of a text that is not valid JSON the beginning decides, so that one bad event in an envelope
    does not cost the others.
    """
    try:
        value = _loads(text)
    except (ValueError, RecursionError):
        scanner = DocumentScanner(io.BytesIO(), start=text, max_record_bytes=len(text))
        return scanner.opens_events()
    return isinstance(value, dict) and isinstance(value.get("events"), list) and "type" not in value


def _loads(text: bytes) -> object:
    # parse_int: Python refuses to make an int of more than 4,300 digits.
    return json.loads(text.decode(), parse_int=float)


def _single(stream: ByteStream, body: bytes, line: int, max_record_bytes: int) -> RecordChunk:
    chunk = RecordChunk(is_tail_open=not body.endswith(b"\n"))
    if len(body) <= max_record_bytes:
        chunk.add(body, line)
        return chunk
    whole = HashedBytes()
    whole.add(body)
    while block := stream.read(_BLOCK_BYTES):
        whole.add(block)
    chunk.unreadable.append(whole.unreadable("too_large", line=line))
    return chunk


def _add_line(chunk: RecordChunk, line: bytes, number: int, max_record_bytes: int) -> None:
    first = line.lstrip(_JSON_SPACE)[:1]
    if len(line) > max_record_bytes:
        chunk.unreadable.append(Unreadable.of("too_large", line, line=number))
    elif not first:
        chunk.blank_lines += 1
    elif first == b"[" or (first == b"{" and b'"events"' in line):
        _add_events(chunk, line, number, is_array=first == b"[")
    else:
        chunk.add(line, number)


def _add_events(chunk: RecordChunk, line: bytes, number: int, *, is_array: bool) -> None:
    """Add the events of a line that is an array or an envelope; else add the line itself."""
    try:
        fields = {} if is_array else _decode_object(line)
        if not is_array and ("type" in fields or bytes(fields.get("events", b""))[:1] != b"["):
            chunk.add(line, number)
            return
        events = _decode_array(line if is_array else fields["events"])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _add_odd_events(chunk, line, number)
        return
    for item, event in enumerate(events, start=1):
        chunk.add(bytes(event), number, item)
    chunk.blank_lines += not events
    chunk.envelopes_with_fields += len(fields) > 1 and bool(events)


def _add_odd_events(chunk: RecordChunk, line: bytes, number: int) -> None:
    """As `_add_events`, for what msgspec does not read, such as lone surrogates."""
    try:
        is_many = isinstance(_loads(line), list) or is_envelope(line)
    except (ValueError, RecursionError):
        is_many = False
    if not is_many:
        chunk.add(line, number)
        return
    scanner = DocumentScanner(io.BytesIO(), start=line, max_record_bytes=len(line))
    for _, item, element in scanner.elements():
        if isinstance(element, bytes):
            chunk.add(element, number, item)
        else:
            chunk.unreadable.append(replace(element, line=number))
    chunk.envelopes_with_fields += scanner.has_other_fields


@dataclass
class _Block:
    """Some lines of a file, and what the last of them may be.

    Attributes:
        lines: whole lines, without their newlines.
        is_plain: whether each of them can only be one record, which spares looking at each.
        too_large: a line behind them that was too long to be held.
        tail: what stands behind the last newline of the file.
    """

    lines: list[bytes] = field(default_factory=list)
    is_plain: bool = False
    too_large: HashedBytes | None = None
    tail: bytes = b""


def _blocks(stream: ByteStream, max_record_bytes: int) -> Iterator[_Block]:
    held = b""
    while True:
        read = stream.read(_BLOCK_BYTES)
        text = held + read
        lines = text.split(b"\n")
        held = lines.pop()
        block = _Block(lines, is_plain=_is_plain(text, lines, held, max_record_bytes))
        if not read:
            block.tail = held
            yield block
            return
        if len(held) > max_record_bytes:
            block.too_large, held = _pass_over(stream, held)
        yield block


def _is_plain(text: bytes, lines: list[bytes], held: bytes, max_record_bytes: int) -> bool:
    end = len(text) - len(held) - 1
    return (
        text.startswith(b"{")
        and text.count(b"\n{", 0, end) == len(lines) - 1
        and b'"events"' not in text
        and len(text) <= max_record_bytes
    )


def _pass_over(stream: ByteStream, start: bytes) -> tuple[HashedBytes, bytes]:
    """Read a line to its end without holding it; return it and the bytes behind it."""
    passed = HashedBytes()
    passed.add(start)
    while block := stream.read(_BLOCK_BYTES):
        line, newline, rest = block.partition(b"\n")
        passed.add(line)
        if newline:
            return passed, rest
    return passed, b""
