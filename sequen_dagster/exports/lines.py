"""Exports: JSON Lines, and JSON documents, as chunks of records.

In: a plain byte stream. Out: `RecordChunk`s with the physical line of every record.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Final

from sequen_dagster.exports.compression import ByteStream
from sequen_dagster.exports.documents import DocumentScanner
from sequen_dagster.exports.records import RAW_KEPT_BYTES, Chunks, RecordChunk, Unreadable

_BLOCK_BYTES: Final = 1 << 22
_JSON_SPACE: Final = b" \t\r\n"


def read_lines(stream: ByteStream, *, max_record_bytes: int) -> Chunks:
    """Read JSON Lines: a record a line; a line may also hold an array or an envelope of events.

    Args:
        stream: plain bytes, without a byte order mark.
        max_record_bytes: longer lines become `too_large`.

    Yields:
        Chunks in file order.
    """
    chunk = RecordChunk()
    for number, line, is_whole in _lines(stream, max_record_bytes):
        if isinstance(line, Unreadable):
            chunk.unreadable.append(line)
        elif not line.strip(_JSON_SPACE):
            # What follows the last newline is no line.
            chunk.blank_lines += is_whole or bool(line)
        elif (line.lstrip(_JSON_SPACE)[:1] == b"[" or b'"events"' in line) and _is_many(line):
            _add_elements(chunk, line, number, max_record_bytes)
        else:
            chunk.add(line, number)
            chunk.is_tail_open = not is_whole
        if chunk.is_full:
            yield chunk
            chunk = RecordChunk()
    yield chunk


def read_document(stream: ByteStream, *, max_record_bytes: int) -> Chunks:
    """Read one JSON document: an array of events, an envelope, or a single event.

    Args:
        stream: plain bytes; behind blank lines they start with `[` or `{`.
        max_record_bytes: longer elements end the reading as `too_large`.

    Yields:
        Chunks in file order.
    """
    start = b""
    while len(start) <= max_record_bytes and (block := stream.read(_BLOCK_BYTES)):
        start += block
    body = start.lstrip(_JSON_SPACE)
    if body[:1] == b"{" and len(start) <= max_record_bytes and not is_envelope(body):
        single = RecordChunk(is_tail_open=not body.endswith(b"\n"))
        single.add(body, 1 + start.count(b"\n", 0, len(start) - len(body)))
        yield single
        return
    scanner = DocumentScanner(
        stream, start=start, first_line=1, max_record_bytes=max_record_bytes
    )
    yield from _element_chunks(scanner)


def _element_chunks(scanner: DocumentScanner) -> Chunks:
    chunk = RecordChunk()
    item = 0
    for item, element in enumerate(scanner.elements(), start=1):
        if element.rule is not None:
            cut = Unreadable.of(element.rule, element.text, line=element.line, item=item)
            chunk.unreadable.append(cut)
        else:
            chunk.add(element.text, element.line, item)
        if chunk.is_full:
            yield chunk
            chunk = RecordChunk()
    chunk.blank_lines += item == 0
    chunk.envelopes_with_fields += scanner.has_other_fields
    yield chunk


def is_json(text: bytes, kind: type = object) -> bool:
    """Whether `text` is one whole JSON value of a Python `kind`."""
    try:
        return isinstance(_loads(text), kind)
    except RecursionError:
        # So deep that only a whole value is likely; the judge says `too_deep`.
        return True
    except ValueError:
        return False


def is_envelope(text: bytes) -> bool:
    """Whether `text` is a JSON object with an array `events` and no `type`."""
    try:
        value = _loads(text)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(value, dict)
        and isinstance(value.get("events"), list)
        and value.get("type") is None
    )


def _loads(text: bytes) -> object:
    # parse_int: Python refuses to make an int of more than 4,300 digits.
    return json.loads(text, parse_int=float)


def _is_many(line: bytes) -> bool:
    return is_json(line, list) or is_envelope(line)


def _add_elements(chunk: RecordChunk, line: bytes, number: int, max_record_bytes: int) -> None:
    scanner = DocumentScanner(
        io.BytesIO(), start=line, first_line=number, max_record_bytes=max_record_bytes
    )
    for part in _element_chunks(scanner):
        for text, part_line, item in zip(part.texts, part.lines, part.items, strict=True):
            chunk.add(text, part_line, item)
        chunk.unreadable += part.unreadable
        chunk.blank_lines += part.blank_lines
        chunk.envelopes_with_fields += part.envelopes_with_fields


def _lines(
    stream: ByteStream, max_record_bytes: int
) -> Iterator[tuple[int, bytes | Unreadable, bool]]:
    """Yield (number, line, whether a newline ended it); too long lines are only hashed."""
    number = 1
    held = b""
    while block := stream.read(_BLOCK_BYTES):
        lines = (held + block).split(b"\n")
        held = lines.pop()
        for line in lines:
            if len(line) > max_record_bytes:
                yield number, Unreadable.of("too_large", line, line=number), True
            else:
                yield number, line, True
            number += 1
        if len(held) > max_record_bytes:
            cut, held = _skip_line(stream, held, number)
            yield number, cut, True
            number += 1
    if held:
        yield number, held, False


def _skip_line(stream: ByteStream, start: bytes, number: int) -> tuple[Unreadable, bytes]:
    """Hash a line to its end without holding it; return it and the bytes behind it."""
    digest = hashlib.sha256(start)
    length = len(start)
    rest = b""
    while block := stream.read(_BLOCK_BYTES):
        line, newline, rest = block.partition(b"\n")
        digest.update(line)
        length += len(line)
        if newline:
            break
    kept = start[:RAW_KEPT_BYTES]
    return Unreadable(number, 1, "too_large", kept, length, digest.hexdigest()), rest
