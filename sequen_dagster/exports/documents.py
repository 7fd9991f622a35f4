"""Exports: cut a JSON document (an array of events, an envelope) into its elements, streaming.

Only brackets and strings are looked at here; whether an element is valid JSON is judged later.
That keeps one bad element from hiding the others, and memory bounded by one element.
"""

import re
from collections.abc import Iterator
from typing import Final

from sequen_dagster.exports.compression import ByteStream
from sequen_dagster.exports.records import HashedBytes, Unreadable

_SPACE: Final = re.compile(rb"[ \t\r\n]*")
# Possessive, since a string of millions of escapes would otherwise be remembered step by step.
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_STRUCTURE: Final = re.compile(_STRING + rb'|["{}\[\]]', re.DOTALL)
_SCALAR: Final = re.compile(_STRING + rb'|[^",\]\[{}\s][^,\]}\s]*', re.DOTALL)
_MARKS: Final = re.compile(rb'\\.|["{}\[\]]', re.DOTALL)
_BLOCK_BYTES: Final = 1 << 20

Element = tuple[int, int, bytes | Unreadable]  # physical line, place in the array, text


class _CutError(Exception):
    """The document cannot be cut any further."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class DocumentScanner:
    """Walks through a JSON document value by value, remembering physical lines.

    Attributes:
        has_other_fields: whether the envelope carries more than its events, as far as was read.
    """

    def __init__(self, stream: ByteStream, *, start: bytes, max_record_bytes: int) -> None:
        self._stream = stream
        self._buffer = start
        self._position = 0
        self._line = 1
        self._is_at_end = False
        self._max_record_bytes = max_record_bytes
        self.has_other_fields = False

    def opens_events(self) -> bool:
        """Whether the document is an object that comes to an array `events` before any `type`."""
        try:
            return self._next_byte() == b"{" and self._enter_events()
        except _CutError:
            return False

    def elements(self) -> Iterator[Element]:
        """Yield the elements of the array, or of the envelope's `events`, in order.

        A document that is broken off or not well-formed ends in one unreadable element.
        """
        item = 0
        try:
            is_envelope = self._next_byte() == b"{"
            if is_envelope and not self._enter_events():
                raise _CutError("malformed_json")
            self._position += not is_envelope
            for item, (line, text) in enumerate(self._array(), start=1):
                yield line, item, text
            if is_envelope:
                self._leave_envelope()
            if self._next_byte():
                raise _CutError("malformed_json")
        except _CutError as cut:
            yield self._line, item + 1, self._rest(cut.rule, item + 1)

    def _array(self) -> Iterator[tuple[int, bytes | Unreadable]]:
        if self._next_byte() == b"]":
            self._position += 1
            return
        item = 0
        while True:
            self._expect_more()
            item += 1
            line = self._line
            yield line, self._value(item)
            separator = self._next_byte()
            self._expect_more()
            if separator not in (b",", b"]"):
                raise _CutError("malformed_json")
            self._position += 1
            if separator == b"]":
                return

    def _enter_events(self) -> bool:
        """Move behind the `[` of `events`; false where a `type`, or nothing, comes first."""
        self._position += 1
        while self._next_byte() == b'"':
            key = self._value()
            self._colon()
            if key == b'"events"' and self._next_byte() == b"[":
                self._position += 1
                return True
            if key == b'"type"':
                return False
            self._value()
            self.has_other_fields = True
            if self._next_byte() == b",":
                self._position += 1
        return False

    def _leave_envelope(self) -> None:
        while self._next_byte() == b",":
            self._position += 1
            self._value()
            self._colon()
            self._value()
            self.has_other_fields = True
        self._expect_more()
        if self._next_byte() != b"}":
            raise _CutError("malformed_json")
        self._position += 1

    def _colon(self) -> None:
        self._expect_more()
        if self._next_byte() != b":":
            raise _CutError("malformed_json")
        self._position += 1

    def _value(self, item: int = 1) -> bytes | Unreadable:
        """Cut out the value that starts at the next byte that is no white space."""
        self._next_byte()
        while (end := self._end_of_value()) is None:
            if self._is_at_end:
                raise _CutError("truncated_tail")
            if len(self._buffer) - self._position > self._max_record_bytes:
                return self._pass_over(item)
            self._fill()
        text = self._buffer[self._position : end]
        if len(text) > self._max_record_bytes:
            return self._pass_over(item)
        self._line += text.count(b"\n")
        self._position = end
        return text

    def _end_of_value(self) -> int | None:
        if self._buffer[self._position : self._position + 1] not in (b"{", b"["):
            scalar = _SCALAR.match(self._buffer, self._position)
            if scalar is None and self._buffer[self._position : self._position + 1] != b'"':
                raise _CutError("malformed_json")
            # A number may go on behind the end of the buffer.
            is_whole = scalar and (scalar.end() < len(self._buffer) or self._is_at_end)
            return scalar.end() if scalar and is_whole else None
        depth = 0
        for token in _STRUCTURE.finditer(self._buffer, self._position):
            match token.group():
                case b"{" | b"[":
                    depth += 1
                case b"}" | b"]":
                    depth -= 1
                    if depth == 0:
                        return token.end()
                case b'"':
                    return None
        return None

    def _pass_over(self, item: int) -> Unreadable:
        """Read over a value that is too large, keeping its beginning and its hash."""
        if self._buffer[self._position : self._position + 1] not in (b"{", b"[", b'"'):
            raise _CutError("too_large")
        line = self._line
        passed = HashedBytes()
        depth = 0
        is_in_string = False
        while True:
            end = None
            for token in _MARKS.finditer(self._buffer, self._position):
                mark = token.group()
                if mark == b'"':
                    is_in_string = not is_in_string
                elif not is_in_string:
                    depth += (mark in b"{[") - (mark in b"}]")
                if depth == 0 and not is_in_string:
                    end = token.end()
                    break
            self._take(passed, end)
            if end is not None:
                return passed.unreadable("too_large", line=line, item=item)
            if self._is_at_end:
                raise _CutError("truncated_tail")
            self._fill()

    def _take(self, passed: HashedBytes, end: int | None) -> None:
        """Move what was passed over out of the buffer, up to `end` or to its whole escapes."""
        if end is None:
            slashes = len(self._buffer) - len(self._buffer.rstrip(b"\\"))
            end = max(len(self._buffer) - slashes % 2, self._position)
        part = self._buffer[self._position : end]
        passed.add(part)
        self._line += part.count(b"\n")
        self._position = end

    def _next_byte(self) -> bytes:
        """Skip white space; return the byte there, empty at the end of the document."""
        while True:
            space = _SPACE.match(self._buffer, self._position)
            end = space.end() if space else self._position
            self._line += self._buffer.count(b"\n", self._position, end)
            self._position = end
            if end < len(self._buffer) or self._is_at_end:
                return self._buffer[end : end + 1]
            self._fill()

    def _expect_more(self) -> None:
        if not self._next_byte():
            raise _CutError("truncated_tail")

    def _fill(self) -> None:
        # At least as much again as is held back, so that one long value costs linear time.
        held = self._buffer[self._position :]
        block = self._stream.read(max(_BLOCK_BYTES, len(held)))
        self._buffer = held + block
        self._position = 0
        self._is_at_end = not block

    def _rest(self, rule: str, item: int) -> Unreadable:
        line = self._line
        rest = HashedBytes()
        rest.add(self._buffer[self._position :])
        while block := self._stream.read(_BLOCK_BYTES):
            rest.add(block)
        return rest.unreadable(rule, line=line, item=item)
